"""Corrected repeat rates against curves of lifelines, by every dimension, on four shops.

A customer's purchases are read from fct_orders, which tests/reference and test_demo_marts compare
with published figures and with the truth of the synthetic shop.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import ceil, hypot, sqrt
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from tests.definitions.history import WINDOWS, share
from tests.shops import rows

SHOPS = ("demo", "olist", "cdnow", "online_retail")
LATER_WINDOWS = (90, 180, 365)
ARMS = ("true", "false")  # acquired at a discount, and not
AT_MOST = 60  # strata of a mart and a shop that are compared with lifelines; all are counted


@dataclass(frozen=True)
class Buyer:
    """A customer: the days of the purchases, the net sales of each, and what rates are split by."""

    name: str
    days: list[date]
    sold: dict[date, Decimal]
    orders: int
    traits: dict[str, str]

    @property
    def month(self) -> date:
        return self.days[0].replace(day=1)

    @property
    def gaps(self) -> list[int]:
        return [(later - day).days for day, later in zip(self.days, self.days[1:], strict=False)]

    def value(self, window: int) -> Decimal:
        """Net sales until so many days after the first purchase."""
        end = self.days[0] + timedelta(days=window)
        return sum((sales for day, sales in self.sold.items() if day <= end), Decimal(0))


@dataclass(frozen=True)
class Shop:
    warehouse: Path
    as_of: date
    buyers: list[Buyer]

    def strata(self) -> dict[tuple[str, str], list[Buyer]]:
        """The buyers of each dimension and value."""
        found: dict[tuple[str, str], list[Buyer]] = defaultdict(list)
        for buyer in self.buyers:
            for trait in buyer.traits.items():
                found[trait].append(buyer)
        return found


def session_device(sessions: list[list[Any]], ordered_at: datetime) -> str:
    """Of the last session that began before the order and had not been silent for half an hour."""
    running = [
        (start, device)
        for start, end, device in sessions
        if start <= ordered_at <= end + timedelta(minutes=30)
    ]
    return max(running)[1] or "unknown" if running else "unknown"


def shop_of(warehouse: Path) -> Shop:
    orders = rows(
        warehouse,
        """
        select customer_id, order_id, order_date, purchase_number, net_sales, ordered_at, device,
            has_discount, country_code
        from fct_orders where is_valid and customer_id is not null order by ordered_at, order_id
        """,
    )
    categories: dict[str, Counter[str]] = defaultdict(Counter)
    for order_id, category, sales in rows(
        warehouse,
        """
        select order_id, category, gross_sales - discount_amount
        from fct_order_lines where line_type = 'merchandise' and category is not null
        """,
    ):
        categories[order_id][category] += sales
    accounts = {
        customer: rest
        for customer, *rest in rows(
            warehouse,
            "select customer_id, acquisition_channel, country_code, created_at::date"
            " from dim_customers",
        )
    }
    sessions = defaultdict(list)
    for customer, *session in rows(
        warehouse,
        """
        select customer_id, started_at, ended_at, device
        from fct_sessions where orders > 0 and customer_id is not null
        """,
    ):
        sessions[customer].append(session)
    days: dict[str, list[date]] = defaultdict(list)
    first: dict[str, tuple[Any, ...]] = {}
    bought: dict[str, Counter[str]] = defaultdict(Counter)
    sold: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    count: Counter[str] = Counter()
    for customer, order_id, day, purchase_number, net_sales, *traits in orders:
        first.setdefault(customer, tuple(traits))
        sold[customer][day] += net_sales
        count[customer] += 1
        if day not in days[customer][-1:]:
            days[customer].append(day)
        assert purchase_number == len(days[customer])
        if purchase_number == 1:
            bought[customer].update(categories[order_id])
    any_discount = any(order[-2] for order in orders)
    buyers = []
    for customer, purchases in days.items():
        ordered_at, device, has_discount, order_country = first[customer]
        device = device or session_device(sessions[customer], ordered_at)
        channel, country, opened = accounts[customer]
        if opened and opened > purchases[0]:
            country = order_country
        best = max(((sales, name) for name, sales in bought[customer].items()), default=(0, None))
        buyers.append(
            Buyer(
                customer,
                purchases,
                sold[customer],
                count[customer],
                {
                    "all": "all",
                    "cohort_month": purchases[0].replace(day=1).isoformat(),
                    "acquisition_channel": channel,
                    "country": country or "unknown",
                    "first_category": best[1] or "unknown",
                    "first_categories": str(len(bought[customer]) or "unknown"),
                    "is_discount_acquired": str(has_discount).lower()
                    if any_discount
                    else "unknown",
                    "device": device,
                },
            )
        )
    ((as_of,),) = rows(warehouse, "select max(lifecycle_date) from fct_lifecycle_daily")
    return Shop(warehouse, as_of, buyers)


@pytest.fixture(scope="module", params=SHOPS)
def shop(request: pytest.FixtureRequest) -> Shop:
    return shop_of(request.getfixturevalue(request.param))


Followed = list[tuple[int, bool, int]]  # days, whether a purchase followed, days it could take


def followed(shop: Shop, buyers: list[Buyer], n: int, window: int) -> Followed:
    """Who counts in the rate of n within the window, by the definition."""
    found = []
    for buyer in buyers:
        if len(buyer.days) < n:
            continue
        if n > 1:
            is_late = (buyer.days[n - 1] - buyer.days[0]).days > 180
            is_young = buyer.days[0] + timedelta(days=180 + window) > shop.as_of
            if is_late or is_young:
                continue
        possible = (shop.as_of - buyer.days[n - 1]).days
        is_followed = len(buyer.days) > n
        length = (buyer.days[n] - buyer.days[n - 1]).days if is_followed else possible
        found.append((length, is_followed, possible))
    return found


def figures(counted: Followed, window: int) -> dict[str, Any]:
    """Rate and bounds at the window's end, those of lifelines where it has some."""
    mature = sum(possible >= window for *_, possible in counted)
    result: dict[str, Any] = {
        "customers": len(counted),
        "mature_customers": mature,
        "at_risk": sum(length >= window for length, *_ in counted),
        **dict.fromkeys(("rate", "rate_lower", "rate_upper")),
    }
    if result["at_risk"] < 10 and not (mature == len(counted) >= 10):
        return result
    returned = sum(is_followed and length <= window for length, is_followed, _ in counted)
    if not returned:
        return result | {"rate": 0, "rate_lower": 0, "rate_upper": 1 - 0.025 ** (1 / mature)}
    curve = KaplanMeierFitter().fit(
        [length for length, *_ in counted], [is_followed for _, is_followed, _ in counted]
    )
    survival = float(curve.survival_function_at_times(window).iloc[0])
    result["rate"] = 1 - survival
    if survival > 1e-12:
        interval = curve.confidence_interval_
        upper, lower = interval[interval.index <= window].iloc[-1]
        result |= {"rate_lower": 1 - lower, "rate_upper": 1 - upper}
    return result


def some(strata: list[Any]) -> Iterator[Any]:
    """Evenly spread ones, and those not split at all."""
    step = -(-len(strata) // AT_MOST)
    return (one for number, one in enumerate(strata) if one[0] == "all" or number % step == 0)


def same(got: Any, expected: dict[str, Any]) -> bool:
    return bool(got == pytest.approx(tuple(expected.values()), abs=1e-9))


def test_repurchase_rates_are_those_of_lifelines(shop: Shop) -> None:
    got = {
        row[:4]: row[4:]
        for row in rows(
            shop.warehouse,
            """
            select dimension_name, dimension_value, cohort_month, window_days, customers,
                mature_customers, at_risk, km_repurchase_rate, km_repurchase_rate_lower,
                km_repurchase_rate_upper
            from fct_repurchase_rates
            """,
        )
    }
    strata = {}
    for (name, value), buyers in shop.strata().items():
        if name == "cohort_month":
            continue
        months = defaultdict(list)
        for buyer in buyers:
            months[buyer.days[0].replace(day=1)].append(buyer)
        strata |= {(name, value, month): of_month for month, of_month in months.items()}
        strata[name, value, None] = buyers
    assert got.keys() == {(*stratum, window) for stratum in strata for window in WINDOWS}

    for stratum in some(sorted(strata, key=str)):
        for window in WINDOWS:
            expected = figures(followed(shop, strata[stratum], 1, window), window)
            assert same(got[*stratum, window], expected), (*stratum, window, expected)


def test_repurchase_rates_count_mature_customers_of_every_dimension(shop: Shop) -> None:
    alike = Counter(
        (
            tuple(buyer.traits.items()),
            buyer.month,
            (shop.as_of - buyer.days[0]).days,
            *buyer.gaps[:1],
        )
        for buyer in shop.buyers
    )
    counts: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for (traits, month, age, *gap), buyers in alike.items():
        for window in WINDOWS:
            is_mature, is_back = age >= window, bool(gap) and gap[0] <= window
            for name, value in traits:
                for cohort in (None, month) if name != "cohort_month" else ():
                    cell = counts[name, value, cohort, window]
                    cell[0] += buyers
                    cell[1] += buyers * is_mature
                    cell[2] += buyers * (is_mature and is_back)
                    cell[3] += buyers * is_back
    expected = {
        (*key, *cell, share(cell[2], cell[1]), share(cell[3], cell[0]))
        for key, cell in counts.items()
    }
    assert expected == set(
        rows(
            shop.warehouse,
            """
            select dimension_name, dimension_value, cohort_month, window_days, customers,
                mature_customers, repurchased, returned, repurchase_rate, naive_repurchase_rate
            from fct_repurchase_rates
            """,
        )
    )


def test_next_purchase_rates_are_those_of_lifelines(shop: Shop) -> None:
    measures = ("customers", "mature_customers", "at_risk", "rate", "rate_lower", "rate_upper")
    columns = [f"km_{window}_days_{measure}" for window in LATER_WINDOWS for measure in measures]
    got = {
        row[:3]: row[3:]
        for row in rows(
            shop.warehouse,
            f"""
            select dimension_name, dimension_value, purchase_number, {", ".join(columns)}
            from fct_next_purchase_rates
            """,
        )
    }
    strata = shop.strata()
    compared = 0
    for stratum in some(sorted(got)):
        name, value, n = stratum
        for number, window in enumerate(LATER_WINDOWS):
            expected = figures(followed(shop, strata[name, value], n, window), window)
            part = got[stratum][6 * number : 6 * number + 6]
            assert same(part, expected), (*stratum, window, part, expected)
            compared += expected["rate"] is not None
    assert compared > 10


def test_naive_rates_are_as_observed(shop: Shop) -> None:
    gaps: dict[Any, list[int | None]] = defaultdict(list)
    for (name, value), buyers in shop.strata().items():
        for buyer in buyers:
            for n, (day, later) in enumerate(
                zip(buyer.days, [*buyer.days[1:], None], strict=True), 1
            ):
                cell = gaps[name, value, n]
                cell.append((later - day).days if later else None)
    expected = {}
    for key, found in gaps.items():
        days = [gap for gap in found if gap is not None]
        median_days = float(median(days)) if days else None
        expected[key] = len(found), len(days), len(days) / len(found), median_days
    assert expected == {
        row[:3]: row[3:]
        for row in rows(
            shop.warehouse,
            """
            select dimension_name, dimension_value, purchase_number, reached, continued,
                naive_rate, median_days
            from fct_next_purchase_rates
            """,
        )
    }


def test_breadth_is_that_of_the_first_purchase(shop: Shop) -> None:
    got = {
        row[0]: row[1:]
        for row in rows(
            shop.warehouse,
            """
            select first_categories, customers, km_90_days_rate, km_180_days_rate,
                km_365_days_rate, mature_customers_365_days, ltv_365_days
            from fct_category_breadth
            """,
        )
    }
    expected = {}
    for (name, value), buyers in shop.strata().items():
        if name == "first_categories" and value != "unknown":
            rates = [
                figures(followed(shop, buyers, 1, window), window)["rate"]
                for window in LATER_WINDOWS
            ]
            year = [
                buyer.value(365)
                for buyer in buyers
                if buyer.days[0] + timedelta(days=365) <= shop.as_of
            ]
            ltv = float(sum(year)) / len(year) if year else None
            expected[int(value)] = len(buyers), *rates, len(year), ltv
    assert got.keys() == expected.keys()
    for breadth, cells in expected.items():
        *whole, ltv = cells
        *got_whole, got_ltv = got[breadth]
        assert got_whole == pytest.approx(whole, abs=1e-9), breadth
        assert (got_ltv is None) == (ltv is None)
        assert ltv is None or abs(float(got_ltv) - ltv) <= 0.0005001


def wilson(rate: float, count: float) -> tuple[float, float]:
    """The probabilities that a rate is 1.96 of their own standard deviations away from."""
    square = 1.959963984540054**2 / count
    lower, upper = sorted(np.roots([1 + square, -2 * rate - square, rate**2]).real)
    return float(lower), float(upper)


def is_followed_to_the_end(counted: Followed, window: int) -> bool:
    everybody = all(possible >= window for *_, possible in counted)
    return everybody or sum(length >= window for length, *_ in counted) >= 10


def product_limit(counted: Followed, window: int) -> float:
    """1 - Kaplan-Meier survival, by the day."""
    survival = 1.0
    for day in sorted({length for length, is_followed, _ in counted if is_followed}):
        if day <= window:
            at_risk = sum(length >= day for length, *_ in counted)
            survival *= 1 - sum(f and length == day for length, f, _ in counted) / at_risk
    return 1 - survival


def test_discounts_are_compared_within_months_and_channels(shop: Shop) -> None:
    strata: dict[Any, dict[str, list[Buyer]]] = defaultdict(lambda: defaultdict(list))
    for buyer in shop.buyers:
        stratum = buyer.month, buyer.traits["acquisition_channel"]
        strata[stratum][buyer.traits["is_discount_acquired"]].append(buyer)
    for window in LATER_WINDOWS:
        kept = []
        dropped = 0
        for arms in strata.values():
            if len(arms) < 2 or not all(
                is_followed_to_the_end(followed(shop, buyers, 1, window), window)
                for buyers in arms.values()
            ):
                dropped += sum(map(len, arms.values()))
                continue
            old = {
                arm: [b for b in buyers if (shop.as_of - b.days[0]).days >= window]
                for arm, buyers in arms.items()
            }
            cell = {"weight": float(len(arms["true"]))}
            for arm, buyers in arms.items():
                values = [float(buyer.value(window)) for buyer in old[arm]]
                cell[f"rate_{arm}"] = product_limit(followed(shop, buyers, 1, window), window)
                cell[f"old_{arm}"] = len(values)
                cell[f"ltv_{arm}"] = mean = sum(values) / len(values)
                cell[f"spread_{arm}"] = sum((value - mean) ** 2 for value in values)
            kept.append(cell)
        total = rows(
            shop.warehouse,
            f"""
            select dropped_customers, strata, discount_km_rate, full_price_km_rate,
                rate_difference_lower, rate_difference_upper, discount_ltv, full_price_ltv,
                ltv_difference_lower, ltv_difference_upper
            from fct_discount_comparison
            where cohort_month is null and window_days = {window}
            """,
        )
        if not any("true" in arms or "false" in arms for arms in strata.values()):
            assert total == []  # no discount was ever delivered
            continue
        ((got_dropped, got_strata, *got),) = total
        assert (got_dropped, got_strata) == (dropped, len(kept))
        if min((sum(cell[f"old_{arm}"] for cell in kept) for arm in ARMS), default=0) < 10:
            assert got == [None] * len(got)
            continue
        whole = sum(cell["weight"] for cell in kept)
        value_variance = 0.0
        rates: dict[str, float] = {}
        values: dict[str, float] = {}
        bounds: dict[str, tuple[float, float]] = {}
        for arm in ARMS:
            rates[arm] = sum(cell["weight"] / whole * cell[f"rate_{arm}"] for cell in kept)
            values[arm] = sum(cell["weight"] / whole * cell[f"ltv_{arm}"] for cell in kept)
            squares = sum((cell["weight"] / whole) ** 2 / cell[f"old_{arm}"] for cell in kept)
            bounds[arm] = wilson(rates[arm], 1 / squares)
            spread = sum(cell[f"spread_{arm}"] for cell in kept)
            value_variance += spread / sum(cell[f"old_{arm}"] - 1 for cell in kept) * squares
        between = rates["true"] - rates["false"]
        below = hypot(rates["true"] - bounds["true"][0], bounds["false"][1] - rates["false"])
        above = hypot(bounds["true"][1] - rates["true"], rates["false"] - bounds["false"][0])
        assert got[:4] == pytest.approx(
            [rates["true"], rates["false"], between - below, between + above], abs=1e-9
        )
        difference = values["true"] - values["false"]
        error = 1.959963984540054 * sqrt(value_variance)
        # both values and the bound itself are rounded to thousandths
        assert [float(value) for value in got[4:]] == pytest.approx(
            [values["true"], values["false"], difference - error, difference + error], abs=0.0016
        )


def test_the_next_purchase_is_due_after_the_gap_to_be_expected(shop: Shop) -> None:
    followed_gaps = defaultdict(list)
    for buyer in shop.buyers:
        for n, gap in enumerate(buyer.gaps, 1):
            if buyer.days[n - 1] + timedelta(days=180) <= shop.as_of:
                followed_gaps[n].append(gap)
    of_number = {n: median(gaps) for n, gaps in followed_gaps.items() if len(gaps) >= 30}
    every_gap = [gap for gaps in followed_gaps.values() for gap in gaps]
    of_shop = median(every_gap) if len(every_gap) >= 30 else None
    expected: dict[str, date | None] = {}
    for buyer in shop.buyers:
        own = median(buyer.gaps) if len(buyer.gaps) >= 3 else None
        gap = own if own is not None else of_number.get(len(buyer.days), of_shop)
        due = buyer.days[-1] + timedelta(days=ceil(gap)) if gap is not None else None
        expected[buyer.name] = due
    got = rows(
        shop.warehouse,
        "select customer_id, next_purchase_due_date from dim_customers where purchase_count > 0",
    )
    assert dict(got) == expected


def test_customers_say_how_they_came_and_how_broadly_they_bought(shop: Shop) -> None:
    categories = defaultdict(set)
    for customer, category in rows(
        shop.warehouse,
        """
        select customer_id, category from fct_order_lines
        where is_valid and line_type = 'merchandise' and category is not null
            and customer_id is not null
        """,
    ):
        categories[customer].add(category)
    assert {
        (buyer.name, buyer.traits["is_discount_acquired"], len(categories[buyer.name]) or None)
        for buyer in shop.buyers
    } == set(
        rows(
            shop.warehouse,
            """
            select customer_id, coalesce(is_discount_acquired::varchar, 'unknown'),
                distinct_categories
            from dim_customers where purchase_count > 0
            """,
        )
    )


def test_people_who_disagree_find_their_rule(shop: Shop) -> None:
    got = dict(rows(shop.warehouse, "select rate_name, value from fct_rate_definitions"))
    last_year = shop.as_of - timedelta(days=365)
    in_it = [
        [number for number, day in enumerate(buyer.days, 1) if day > last_year]
        for buyer in shop.buyers
    ]
    in_it = [numbers for numbers in in_it if numbers]
    everybody = len(shop.buyers)
    assert {
        name: got[name]
        for name in (
            "repeat_customer_rate",
            "repeat_customer_rate_by_orders",
            "repeat_purchase_share",
            "repeat_customer_rate_365_days",
        )
    } == pytest.approx(
        {
            "repeat_customer_rate": sum(len(b.days) > 1 for b in shop.buyers) / everybody,
            "repeat_customer_rate_by_orders": sum(b.orders > 1 for b in shop.buyers) / everybody,
            "repeat_purchase_share": 1 - everybody / sum(len(b.days) for b in shop.buyers),
            "repeat_customer_rate_365_days": sum(len(n) > 1 for n in in_it) / len(in_it),
        }
    )
    ((returning, customers),) = rows(
        shop.warehouse,
        f"""
        select count(distinct customer_id) filter (where order_number > 1),
            count(distinct customer_id)
        from fct_orders where is_valid and order_date > date '{last_year}'
        """,
    )
    assert got["returning_customer_rate_365_days"] == pytest.approx(returning / customers)
    next_month = (shop.as_of + timedelta(days=1)).replace(day=1)
    month = (next_month - timedelta(days=1)).replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    bought = [{day.replace(day=1) for day in buyer.days} for buyer in shop.buyers]
    stayed = sum({before, month} <= months for months in bought)
    assert got["month_over_month_retention"] == pytest.approx(
        stayed / sum(before in months for months in bought)
    )
    cohort = [
        months for buyer, months in zip(shop.buyers, bought, strict=True) if buyer.month == before
    ]
    expected = sum(month in months for months in cohort) / len(cohort) if cohort else None
    assert got["retention_in_month_1"] == pytest.approx(expected)


def test_the_list_of_rates_says_what_their_tables_say(shop: Shop) -> None:
    """Rates that stand in a table of their own, by the names that are put together here."""
    expected = {}
    for window, mature, corrected, naive in rows(
        shop.warehouse,
        """
        select window_days, repurchase_rate, km_repurchase_rate, naive_repurchase_rate
        from fct_repurchase_rates where dimension_name = 'all' and cohort_month is null
        """,
    ):
        expected[f"repurchase_rate_{window}_days"] = mature
        expected[f"km_repurchase_rate_{window}_days"] = corrected
        expected[f"naive_repurchase_rate_{window}_days"] = naive
    for number, naive, *corrected in rows(
        shop.warehouse,
        """
        select purchase_number, naive_rate, km_90_days_rate, km_180_days_rate, km_365_days_rate
        from fct_next_purchase_rates
        where dimension_name = 'all' and purchase_number between 2 and 4
        """,
    ):
        expected[f"naive_next_purchase_rate_{number}"] = naive
        for window, rate in zip(LATER_WINDOWS, corrected, strict=True):
            expected[f"km_next_purchase_rate_{number}_{window}_days"] = rate
    retentions = ("retention_in_month", "retention_from_month")
    retentions += ("order_retention", "net_sales_retention")
    month = (shop.as_of + timedelta(days=1)).replace(day=1) - timedelta(days=1)
    for since, *found in rows(
        shop.warehouse,
        f"""
        select month_since, {", ".join(retentions)} from fct_retention_cohorts
        where month_since in (1, 3, 12)
            and cohort_month + to_months(month_since) = date '{month.replace(day=1)}'
        """,
    ):
        expected |= {
            f"{name}_{since}": value for name, value in zip(retentions, found, strict=True)
        }
    got = dict(rows(shop.warehouse, "select rate_name, value from fct_rate_definitions"))
    assert len(expected) >= 27
    assert {name: got[name] for name in expected} == expected
