"""Published repeat rates of a shop that never changes, against what its customers would do if each
were followed to the end: the corrected rates say it at every age of the shop, the naive ones change
with its age."""

from dataclasses import astuple, replace
from datetime import date, timedelta
from itertools import pairwise
from math import hypot, log, sqrt
from typing import Any

import numpy as np
import pytest

from dagster_project.lib.settings import Settings
from docs.pictures import repeat_rates
from tests.constant_shop import AS_OF, BEHAVIOUR, MARTS, build, true_rate, truth, write_orders
from tests.histories import Array, Lives, lives
from tests.shops import rebuild, rows, settings_of

AGES = (1, 2, 4)
WINDOWS, LATER_WINDOWS = (30, 60, 90, 180, 365), (90, 180, 365)
NUMBERS = (1, 2, 3, 4)
CERTAIN, USUAL = 3.2905267314919255, 1.959963984540054  # of 99.9 % and of 95 %


@pytest.fixture(scope="module")
def followed() -> Array:
    return truth()


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Settings]:
    """By age in years."""
    return {years: build(tmp_path_factory.mktemp("constant"), years) for years in AGES}


def spread(rate: float, customers: int) -> float:
    return sqrt(rate * (1 - rate) / customers)


def log_log(rate: float) -> float:
    """What Kaplan-Meier intervals are symmetric in."""
    return log(-log(1 - rate))


def error(rate: float, customers: int) -> float:
    """The standard error of log_log(rate) by Greenwood, when nobody is censored."""
    return sqrt(rate / (1 - rate) / customers) / -log(1 - rate)


@pytest.mark.parametrize("years", AGES)
@pytest.mark.parametrize("n", NUMBERS)
def test_corrected_rates_are_the_truth_at_every_age(
    shops: dict[int, Settings], followed: Array, years: int, n: int
) -> None:
    for window in LATER_WINDOWS:
        ((customers, mature, rate, lower, upper),) = rows(
            shops[years],
            f"""
            select km_{window}_days_customers, km_{window}_days_mature_customers,
                km_{window}_days_rate, km_{window}_days_rate_lower, km_{window}_days_rate_upper
            from fct_next_purchase_rates
            where dimension_name = 'all' and purchase_number = {n}
            """,
        )
        assert (rate is None) == (years == 1 and window == 365) == (mature < 10)
        if rate is None:
            continue
        true, of = true_rate(followed, n, window)
        own = (log_log(upper) - log_log(lower)) / (2 * USUAL)
        assert error(rate, customers) * 0.999 <= own <= error(rate, mature) * 1.001
        gap = abs(log_log(rate) - log_log(true))
        assert gap <= CERTAIN * hypot(own, error(true, of)), (window, rate, true)


@pytest.mark.parametrize("n", NUMBERS)
def test_naive_rates_rise_with_the_age_of_the_shop_and_are_not_those_of_a_year(
    shops: dict[int, Settings], followed: Array, n: int
) -> None:
    naive = [
        rows(
            shops[years],
            "select naive_rate, reached from fct_next_purchase_rates"
            f" where dimension_name = 'all' and purchase_number = {n}",
        )[0]
        for years in AGES
    ]
    for (young, of_young), (old, of_old) in pairwise(naive):
        assert old - young > CERTAIN * hypot(spread(young, of_young), spread(old, of_old))
    true, of = true_rate(followed, n, 365)
    for rate, reached in naive:
        assert abs(rate - true) > CERTAIN * hypot(spread(rate, reached), spread(true, of))


@pytest.mark.parametrize("window", WINDOWS)
def test_young_cohorts_look_bad_by_the_naive_rate_and_as_they_are_by_the_corrected_one(
    shops: dict[int, Settings], followed: Array, window: int
) -> None:
    true, _ = true_rate(followed, 1, window)
    cohorts = rows(
        shops[2],
        f"""
        select cohort_month, customers, mature_customers, naive_repurchase_rate, km_repurchase_rate,
            km_repurchase_rate_lower, km_repurchase_rate_upper
        from fct_repurchase_rates
        where dimension_name = 'all' and cohort_month is not null and window_days = {window}
        order by cohort_month
        """,
    )
    assert len(cohorts) == 24
    for month, customers, mature, naive, rate, lower, upper in cohorts:
        assert (rate is None) == (month + timedelta(days=window) > AS_OF) == (mature < 10)
        if rate is not None:
            own = (log_log(upper) - log_log(lower)) / (2 * USUAL)
            assert abs(log_log(rate) - log_log(true)) <= CERTAIN * own, (month, rate, true)
        if month + timedelta(days=window / 2) >= AS_OF:
            assert true - naive > CERTAIN * spread(naive, customers), (month, naive, true)
    _, customers, _, naive, *_ = cohorts[-1]
    assert true - naive > 5 * spread(naive, customers)


def test_the_picture_of_the_readme_shows_these_rates(
    shops: dict[int, Settings], followed: Array
) -> None:
    true, _ = true_rate(followed, 1, repeat_rates.WINDOW)
    cohorts = repeat_rates.cohorts(shops[repeat_rates.YEARS])
    assert repeat_rates.PICTURE.read_text("utf-8") == repeat_rates.drawn(cohorts, true)


# A thousand cohorts ---------------------------------------------------------------------------

COHORTS, SIZES, SEED = 1000, (200, 500), 11  # of 200 at least ten are at risk after a year


def month_of(day: date) -> tuple[date, date]:
    """Its first and last day."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def cohorts_of(months: list[tuple[date, date]], as_of: date) -> tuple[Lives, Array]:
    """A thousand cohorts who came between the days of each month, as known at the end of as_of,
    and the number of each customer's cohort."""
    random = np.random.default_rng(SEED)
    parts, channels, before = [], [], 0
    for number, (first, last) in enumerate(months):
        sizes = random.integers(*SIZES, COHORTS, endpoint=True)
        customers, ago = int(sizes.sum()), (as_of - last).days
        part = lives(BEHAVIOUR, customers, SEED + number, (last - first).days + 1, ago)
        parts.append(replace(part, age=part.age + ago, who=part.who + before))
        channels.append(np.repeat(np.arange(COHORTS), sizes))
        before += customers
    columns = zip(*map(astuple, parts), strict=True)
    return Lives(*map(np.concatenate, columns)), np.concatenate(channels)


@pytest.fixture(scope="module", params=[date(2025, 12, 16), date(2025, 12, 6)], ids=str)
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Cohorts of this month and, for each window, of the month in which it began: about half of
    those customers, or a fifth, could be followed to its end."""
    as_of = request.param
    months = [month_of(as_of - timedelta(days=window)) for window in WINDOWS]
    shop, channel = cohorts_of([*months, (as_of.replace(day=1), as_of)], as_of)
    folder = tmp_path_factory.mktemp("cohorts")
    write_orders(folder / "landing" / "files", shop, as_of, channel)
    settings = settings_of(folder / "landing", folder / "warehouse")
    return rebuild(settings, as_of=as_of, marts=MARTS[:1])


@pytest.mark.long
@pytest.mark.parametrize("window", WINDOWS)
def test_nineteen_of_twenty_youngest_cohorts_have_the_truth_within_their_bounds(
    many: Settings, followed: Array, window: int
) -> None:
    true, _ = true_rate(followed, 1, window)
    trials = f"""
        select cohort_month, customers, mature_customers, returned, km_repurchase_rate_lower,
            km_repurchase_rate_upper
        from fct_repurchase_rates
        where dimension_name = 'acquisition_channel' and window_days = {window}
    """
    ((youngest, latest),) = rows(
        many,
        "select max(cohort_month) filter (mature_customers > 0), max(cohort_month)"
        f" from ({trials})",
    )
    cohorts = rows(many, f"{trials} and cohort_month = date '{youngest}'")
    bounded = [cohort for cohort in cohorts if cohort[-1] is not None]
    assert len(cohorts) == COHORTS and len(bounded) >= 0.98 * COHORTS
    assert all(10 <= mature < customers for _, customers, mature, *_ in bounded)
    covered = np.mean([lower <= true <= upper for *_, lower, upper in bounded])
    naive = np.mean([holds(true, cohort) for cohort in cohorts])

    unbounded = rows(many, f"{trials} and cohort_month = date '{latest}'")
    assert len(unbounded) == COHORTS
    assert all(mature == 0 and upper is None for _, _, mature, _, _, upper in unbounded)
    naive_of_latest = np.mean([holds(true, cohort) for cohort in unbounded])

    followed_share = sum(cohort[2] for cohort in cohorts) / sum(cohort[1] for cohort in cohorts)
    print(
        f"{window} days, {len(bounded)} cohorts, {followed_share:.0%} of them followed to the end:"
        f" {covered:.1%} covered, by naive intervals {naive:.1%}; of the latest month by naive"
        f" intervals {naive_of_latest:.1%}"
    )
    assert 0.93 <= covered <= 0.97
    assert naive_of_latest < 0.1


def holds(true: float, cohort: tuple[Any, ...]) -> bool:
    """Whether Wilson's interval of a cohort's naive rate has the truth in it."""
    _, customers, _, returned, *_ = cohort
    return abs(returned / customers - true) <= USUAL * spread(true, customers)
