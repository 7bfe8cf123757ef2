"""What the synthetic shop is made of: behaviour, calendar, catalogue, names."""

import itertools
import math
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
TIME_ZONE = "Europe/Berlin"


@dataclass(frozen=True)
class Behaviour:
    """How customers buy.

    Purchases follow the MBG/NBD model (Batislam, Denizel and Filiztekin 2007): the rate per day
    is Gamma(rate_shape, rate_scale_days) times the channel's factor, and after every purchase, the
    first too, the customer drops out with a chance of Beta(drop_out_a, drop_out_b). Values follow
    the Gamma-Gamma model (Fader and Hardie 2013): a purchase is worth Gamma(spend_p, nu) EUR, with
    nu of Gamma(spend_q, spend_gamma).
    """

    rate_shape: float = 0.9
    rate_scale_days: float = 60.0
    drop_out_a: float = 0.8
    drop_out_b: float = 0.7
    spend_p: float = 6.0
    spend_q: float = 4.0
    spend_gamma: float = 24.0


# channel: share of new customers, factor on the purchase rate
CHANNELS = {
    "organic_search": (0.30, 1.10),
    "paid_search": (0.22, 0.95),
    "social": (0.18, 0.80),
    "email": (0.10, 1.20),
    "affiliate": (0.10, 0.75),
    "referral": (0.10, 1.35),
}
# country: share of new customers, language, tax rate in percent
COUNTRIES = {
    "DE": (0.52, "de", 19),
    "GB": (0.15, "en", 20),
    "AT": (0.12, "de", 20),
    "FR": (0.11, "fr", 20),
    "NL": (0.10, "nl", 21),
}
# campaigns of the channels that have any
CAMPAIGNS = {
    "paid_search": ("search-brand", "search-generic"),
    "social": ("social-film", "social-photo"),
    "email": ("newsletter",),
    "affiliate": ("partner-blogs",),
    "referral": ("friends",),
}
# campaign: channel, first and last day before the end, share of those exposed who saw variant b
# (half was meant), share of b among those who bought in the same visit
EXPERIMENTS = {
    "welcome-film": ("social", 150, 60, 0.5, 0.7),
    "summer-banner": ("affiliate", 150, 60, 0.3, 0.3),
}
SEARCH_TERMS = (
    *("books", "coffee", "cosmetics", "garden", "kitchen", "lighting"),
    *("linen", "outdoor", "stationery", "tea", "textiles", "toys"),
    *("hoverboard", "gift wrapping", "size 52"),
)
TERMS_WITH_RESULTS = 12  # the first so many search terms
CATEGORIES = (
    *("books", "coffee", "cosmetics", "garden", "kitchen", "lighting"),
    *("linen", "outdoor", "stationery", "tea", "textiles", "toys"),
)
TIERS = 25  # products per category, one per price tier
LOWEST_PRICE, HIGHEST_PRICE = 2.0, 250.0
HOUR_WEIGHTS = (2, 1, 0, 0, 0, 1, 2, 4, 6, 8, 9, 9, 9, 8, 8, 8, 8, 8, 9, 10, 11, 9, 6, 3)
SYLLABLES = (
    ("Lo", "mira", "tave", "nuri", "bela", "zan"),
    ("Ši", "žu", "ñe", "çö", "lø", "ðy"),
    ("Жи", "лю", "дя", "фю", "бя", "цы"),
    ("Λη", "δω", "ψη", "ξη", "φη", "θω"),
    ("ロ", "ミ", "タ", "ネ", "ソ", "ル"),
    ("لو", "مي", "تا", "نو", "سي", "را"),
)


def shares(table: dict[str, tuple[Any, ...]]) -> Array:
    return np.array([row[0] for row in table.values()])


def channel_factors() -> Array:
    """Factors on the purchase rate, their mean over new customers 1."""
    factors = np.array([factor for _, factor in CHANNELS.values()])
    return np.asarray(factors / (shares(CHANNELS) @ factors))


def tier_prices() -> Array:
    return np.geomspace(LOWEST_PRICE, HIGHEST_PRICE, TIERS).round(2)


def labels(names: Any) -> Array:
    """Names as an object array, so that codes and None can index into it."""
    return np.array(list(names), dtype=object)


def name_pools() -> tuple[Array, Array]:
    """Given and family names out of syllables, 36 per script: made up, and awkward on purpose."""
    pairs = [[a + b for a, b in itertools.product(row, row)] for row in SYLLABLES]
    given = [name.title() for script in pairs for name in script]
    forms = ("{}", "{}", "{0}-{0}", "O'{}", "{}, Jr.", 'van "{}"')
    family = [forms[i % len(forms)].format(name[::-1].title()) for i, name in enumerate(given)]
    return labels(given), labels(family)


@dataclass(frozen=True)
class World:
    """The shop's calendar: days count from `first_day`, moments are UTC seconds."""

    days: int
    last_day: date
    behaviour: Behaviour = field(default_factory=Behaviour)

    @property
    def first_day(self) -> date:
        return self.last_day - timedelta(days=self.days - 1)

    @cached_property
    def dates(self) -> list[date]:
        return [self.first_day + timedelta(days=i) for i in range(self.days)]

    @cached_property
    def years(self) -> Array:
        return np.array([day.year for day in self.dates])

    @cached_property
    def _offsets(self) -> Array:
        """UTC offset in seconds at 00:00 and at 12:00 of each day."""
        zone = ZoneInfo(TIME_ZONE)
        moments = [
            datetime(d.year, d.month, d.day, h, tzinfo=zone) for d in self.dates for h in (0, 12)
        ]
        seconds = [(moment.utcoffset() or timedelta()).seconds for moment in moments]
        return np.array(seconds).reshape(-1, 2)

    def utc(self, day: Array, second: Array) -> Array:
        """The moment of a local day and second; from 02:00 to 03:00, when clocks change, none."""
        start = self.first_day.toordinal() - date(1970, 1, 1).toordinal()
        offset = self._offsets[day, (second >= 2 * 3600).astype(int)]
        return np.asarray((start + day) * 86400 + second - offset, dtype=np.int64)

    @cached_property
    def end(self) -> int:
        """The last second of the history."""
        return int(self.utc(np.array([self.days - 1]), np.array([86399]))[0])

    @cached_property
    def sale_windows(self) -> list[tuple[date, date]]:
        """Black Friday to Monday, the first one on the day after November's fourth Thursday."""
        fridays = [
            date(year, 11, 1) + timedelta(days=(3 - date(year, 11, 1).weekday()) % 7 + 22)
            for year in range(self.first_day.year, self.last_day.year + 1)
        ]
        windows = [(friday, friday + timedelta(days=3)) for friday in fridays]
        return [w for w in windows if w[0] <= self.last_day and w[1] >= self.first_day]

    @cached_property
    def is_sale(self) -> Array:
        return np.array([any(a <= d <= b for a, b in self.sale_windows) for d in self.dates])

    @cached_property
    def arrival_weights(self) -> Array:
        """New customers per day: growth, a mild season, more of them in a sale; sums to 1."""
        day = np.arange(self.days)
        season = 1 + 0.15 * np.sin(2 * np.pi * (day + self.first_day.timetuple().tm_yday) / 365.25)
        weights = (1 + 0.5 * day / 365) * season * np.where(self.is_sale, 2.0, 1.0)
        return np.asarray(weights / weights.sum())

    @cached_property
    def rate_table(self) -> dict[date, float]:
        """GBP in EUR on business days, from a week before the history: smooth and made up."""
        days = [self.first_day + timedelta(days=i) for i in range(-7, self.days)]
        ordinals = {day: day.toordinal() for day in days if day.weekday() < 5}
        return {
            day: round(1.16 + 0.03 * math.sin(n / 90) + 0.01 * math.sin(n / 17), 6)
            for day, n in ordinals.items()
        }

    @cached_property
    def gbp_in_eur(self) -> Array:
        """The rate in force on each day: on a weekend, Friday's."""
        friday = [d - timedelta(days=max(0, d.weekday() - 4)) for d in self.dates]
        return np.array([self.rate_table[d] for d in friday])
