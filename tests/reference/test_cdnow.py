"""The CDNOW sample: the published marts give the figures and model inputs of the literature."""

from collections.abc import Iterator
from csv import DictReader
from datetime import date
from decimal import Decimal
from math import exp, fsum, lgamma, log
from pathlib import Path

import pytest

from tests.reference.figures import as_printed, printed, repeat_figures
from tests.shops import rebuild, rows, settings_of

ROW_IS_ORDER = "2,357 6,919 244,091.94 48.876 1,152 64.757 746 65.934 68.588 105.628 53"
DAY_IS_ORDER = "2,357 6,696 244,091.94 48.324 1,139 64.618 736 64.800 68.143 107.885 55"
CALIBRATION_END = "date '1997-09-30'"


@pytest.fixture(scope="module")
def without_zero_values(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data by the product's default: orders of value 0 are not valid."""
    warehouse = tmp_path_factory.mktemp("without_zero_values")
    settings = settings_of(
        real_data / "cdnow", warehouse, connectors="cdnow", count_zero_value_orders=False
    )
    return rebuild(settings).warehouse


def test_every_row_as_an_order_gives_the_published_figures(cdnow: Path) -> None:
    figures = repeat_figures(cdnow, rule="is_valid", moment="order_date")

    assert as_printed(figures, ROW_IS_ORDER) == printed(ROW_IS_ORDER)


def test_every_customer_day_as_an_order_gives_the_published_figures(cdnow: Path) -> None:
    figures = repeat_figures(cdnow, rule="is_valid", moment="order_date", order="purchase_number")

    assert as_printed(figures, DAY_IS_ORDER) == printed(DAY_IS_ORDER)


def test_order_number_follows_the_order_of_the_file(cdnow: Path) -> None:
    ((orders, later_revenue),) = rows(
        cdnow,
        """
        select count(*), 100 * sum(net_sales) filter (where order_number >= 2) / sum(net_sales)
        from fct_orders
        """,
    )

    assert (orders, f"{later_revenue:.3f}") == (6_919, "68.588")


def test_the_other_marts_say_the_same_of_customer_days(cdnow: Path) -> None:
    published = printed(DAY_IS_ORDER)
    ((customers, occasions, revenue, repeat, third),) = rows(
        cdnow,
        """
        select count(*), sum(purchase_count), sum(net_sales),
            count(*) filter (where purchase_count >= 2), count(*) filter (where purchase_count >= 3)
        from dim_customers
        """,
    )
    ((later_revenue,),) = rows(
        cdnow, "select sum(repeat_net_sales) / sum(net_sales) from fct_repeat_revenue_monthly"
    )
    rates = rows(
        cdnow,
        """
        select reached, continued, median_days
        from fct_next_purchase_rates
        where dimension_name = 'all' and purchase_number <= 2 order by purchase_number
        """,
    )

    assert (customers, occasions, revenue) == (2_357, 6_696, Decimal("244091.94"))
    assert (repeat, third) == (1_139, 736)
    assert f"{100 * later_revenue:.3f}" == published["later_revenue_percent"]
    assert rates[0] == (2_357, 1_139, 55)
    assert rates[1][:2] == (1_139, 736)


def test_totals_are_those_of_the_file(cdnow: Path) -> None:
    assert rows(
        cdnow,
        """
        select count(*), count(*) filter (where gross_sales = 0), count(distinct customer_id),
            sum(gross_sales), min(order_date), max(order_date)
        from fct_orders
        """,
    ) == [(6_919, 8, 2_357, Decimal("244091.94"), date(1997, 1, 1), date(1998, 6, 30))]
    assert rows(cdnow, "select count(*) from fct_reconciliation where not is_balanced") == [(0,)]


Purchases = dict[str, tuple[int, float, float]]


def model_inputs(warehouse: Path) -> Purchases:
    """Per customer x, t_x and T in weeks, as known at the end of the calibration."""
    return {
        customer: (x, last_day / 7, age / 7)
        for customer, x, last_day, age in rows(
            warehouse,
            f"""
            select
                customer_id,
                max(purchase_number) - 1,
                max(order_date) - min(order_date),
                {CALIBRATION_END} - min(order_date)
            from fct_orders
            where is_valid and order_date <= {CALIBRATION_END}
            group by customer_id
            """,
        )
    }


def test_purchases_give_the_published_summary_of_every_customer(
    cdnow: Path, real_data: Path
) -> None:
    sample = (real_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines()
    full_ids = {int(row.split()[1]): row.split()[0] for row in sample}
    with (real_data / "cdnow" / "cdnow_customers_summary.csv").open() as file:
        summary = {
            full_ids[int(row["ID"])]: (row["frequency"], row["recency"], row["T"])
            for row in DictReader(file)
        }
    published = {
        customer: (int(x), f"{float(t_x):.2f}", f"{float(age):.2f}")
        for customer, (x, t_x, age) in summary.items()
    }

    counted = {
        customer: (x, f"{t_x:.2f}", f"{age:.2f}")
        for customer, (x, t_x, age) in model_inputs(cdnow).items()
    }

    assert len(published) == 2_357
    assert counted == published


def test_holdout_purchases_are_the_published_ones(cdnow: Path) -> None:
    ((calibration, none, holdout, buyers),) = rows(
        cdnow,
        f"""
        with customers as (
            select
                count(distinct purchase_number) filter (where order_date <= {CALIBRATION_END}) - 1
                as x,
                count(distinct purchase_number) filter (where order_date > {CALIBRATION_END}) as y
            from fct_orders where is_valid group by customer_id
        )
        select sum(x), count(*) filter (where x = 0), sum(y), count(*) filter (where y > 0)
        from customers
        """,
    )

    assert (calibration, none, holdout, buyers) == (2_457, 1_411, 1_882, 684)


def test_946_customers_repeated_with_value_in_the_calibration(cdnow: Path) -> None:
    """x_m counts repeat occasions of positive value."""
    assert rows(
        cdnow,
        f"""
        select count(distinct customer_id) from (
            select customer_id from fct_orders
            where is_valid and purchase_number >= 2 and order_date <= {CALIBRATION_END}
            group by customer_id, purchase_number having sum(net_sales) > 0
        )
        """,
    ) == [(946,)]


def bg_nbd_log_likelihood(inputs: Purchases, r: float, alpha: float, a: float, b: float) -> float:
    """Fader, Hardie and Lee 2005, equation 6."""

    def terms() -> Iterator[float]:
        for x, t_x, age in inputs.values():
            common = lgamma(r + x) - lgamma(r) + r * log(alpha)
            betas = lgamma(a + b) + lgamma(b + x) - lgamma(b) - lgamma(a + b + x)
            alive = -(r + x) * log(alpha + age)
            if not x:
                yield common + betas + alive
                continue
            dropped = log(a / (b + x - 1)) - (r + x) * log(alpha + t_x)
            yield common + betas + alive + log(1 + exp(dropped - alive))

    return fsum(terms())


def test_the_published_bg_nbd_parameters_have_the_published_likelihood(cdnow: Path) -> None:
    inputs = model_inputs(cdnow)

    likelihood = bg_nbd_log_likelihood(inputs, 0.2425945, 4.4136019, 0.7929199, 2.4258881)

    assert f"{likelihood:.3f}" == "-9582.429"


def test_without_zero_value_orders_2349_customers_are_left(without_zero_values: Path) -> None:
    inputs = model_inputs(without_zero_values)

    likelihood = bg_nbd_log_likelihood(inputs, 0.2439, 4.4224, 0.7925, 2.4229)

    assert len(inputs) == 2_349
    assert f"{likelihood:.2f}" == "-9578.20"


def test_zero_value_orders_are_shown_as_not_valid_by_default(without_zero_values: Path) -> None:
    assert rows(
        without_zero_values,
        """
        select invalid_reason, count(*), count(order_number), sum(net_sales)
        from fct_orders group by invalid_reason order by invalid_reason nulls first
        """,
    ) == [
        (None, 6_911, 6_911, Decimal("244091.94")),
        ("no merchandise value", 8, 0, Decimal("0")),
    ]
