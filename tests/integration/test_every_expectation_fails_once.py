"""Every bound in expectations/ holds on the synthetic shop and fails on a fault planted in it."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from dagster_project.lib.expectations.run import run_checks
from dagster_project.lib.expectations.suites import LAYERS, Check, load_suites
from dagster_project.lib.settings import Settings, load_settings

CHECKS = {
    check.check_id: (suite.layer, suite.table, check)
    for layer in LAYERS
    for suite in load_suites(layer)
    for check in suite.checks
}


def one_row(change: str, where: str = "true") -> str:
    """Changes the first row that meets a condition."""
    return (
        f"update {{table}} set {change}"
        f" where rowid = (select min(rowid) from {{table}} where {where})"
    )


def raw_row(**values: str) -> str:
    """A further raw file with one record: an existing one, or an empty one, with these values."""
    columns = ", ".join(f"{value} as {name}" for name, value in values.items())
    return (
        f"copy (select rows.* replace ({columns})"
        " from (select 1) left join read_parquet('{folder}/*.parquet') as rows on true limit 1)"
        " to '{folder}/planted.parquet'"
    )


def new_rows(count: int = 1, **values: str) -> str:
    """Rows with these values and else empty, for tables that may have none."""
    return (
        f"insert into {{table}} ({', '.join(values)})"
        f" select {', '.join(values.values())} from range({count})"
    )


A_SECOND_ROW = "insert into {table} from {table} limit 1"
NO_ROWS = "delete from {table}"
LEDGER = {"records": "1000", "loaded": "1000", "rejected": "0", "status": "'loaded'"}

# The fault that each check is there for, close to its bound: SQL, with {table} for the table that
# is checked and {folder} for that of a raw table. A row that comes twice is planted for each grain.
FAULTS = {
    "raw.cdnow__sample_transactions.expect_column_values_to_be_between.purchased_at": raw_row(
        purchased_at="timestamp '1998-06-30 00:00:01'"
    ),
    "raw.cdnow__transactions.expect_column_values_to_be_between.purchased_at": raw_row(
        purchased_at="timestamp '1996-12-31 23:59:59'"
    ),
    "raw.demo__orders.expect_column_min_to_be_between.placed_at": raw_row(
        placed_at="timestamp '1993-12-31 23:59:59'"
    ),
    "raw.files__orders.expect_column_min_to_be_between.ordered_at": raw_row(
        ordered_at="timestamp '1993-12-31 23:59:59'"
    ),
    "raw.files__suppressions.everybody_listed_is_named": raw_row(reason="'bounced'"),
    "raw.online_retail__invoice_lines.expect_column_values_to_be_between.invoiced_at": raw_row(
        invoiced_at="timestamp '2011-12-10 00:00:01'"
    ),
    "raw.ga4__events.expect_column_min_to_be_between.event_timestamp": raw_row(
        event_timestamp="timestamp '2019-06-30 23:59:59'"
    ),
    "raw.intake__files.records_are_loaded_or_rejected": raw_row(**LEDGER | {"loaded": "999"}),
    "raw.intake__files.most_records_of_a_file_fit": raw_row(
        **LEDGER | {"loaded": "499", "rejected": "501"}
    ),
    "raw.intake__files.few_records_are_rejected": raw_row(
        **LEDGER | {"records": "10", "loaded": "7", "rejected": "3"}
    ),
    "raw.intake__files.no_file_is_held": raw_row(**LEDGER | {"status": "'held'"}),
    "raw.intake__files.every_file_is_recognised": raw_row(**LEDGER | {"status": "'unrecognised'"}),
    "raw.olist__orders.expect_column_min_to_be_between.order_purchase_timestamp": raw_row(
        order_purchase_timestamp="timestamp '2015-12-31 23:59:59'"
    ),
    "raw.shopify__orders.expect_column_min_to_be_between.created_at": raw_row(
        created_at="timestamp '2003-12-31 23:59:59'"
    ),
    "raw.shopify__orders_export.expect_column_min_to_be_between.created_at": raw_row(
        created_at="timestamp '2003-12-31 23:59:59'"
    ),
    "raw.segment__logs.expect_column_min_to_be_between.occurred_at": raw_row(
        occurred_at="timestamp '2010-12-31 23:59:59'"
    ),
    "raw.woocommerce__order_items.expect_column_min_to_be_between.order_date": raw_row(
        order_date="timestamp '2011-09-26 23:59:59'"
    ),
    "raw.woocommerce__order_items.an_order_has_one_total_in_a_file": (
        "copy (select rows.* replace ('1' as order_id, total as order_total, '1.csv' as _file)"
        " from (values (10.00), (10.01)) as totals(total)"
        " left join read_parquet('{folder}/*.parquet') as rows on true)"
        " to '{folder}/planted.parquet'"
    ),
    "staging.stg_exchange_rates.expect_column_values_to_be_between.rate": one_row("rate = 0"),
    "staging.stg_exchange_rates.rates_of_a_pair_do_not_jump": one_row("rate = 2.6 * rate"),
    "staging.stg_order_lines.goods_have_a_plausible_quantity": one_row(
        "quantity = -1, line_type = null"
    ),
    "staging.stg_order_lines.goods_have_no_negative_price": one_row(
        "unit_price = -0.01, line_type = null"
    ),
    "staging.stg_order_lines.lines_have_their_order": one_row("order_id = 'unheard of'"),
    "staging.stg_orders.expect_table_row_count_to_be_between": NO_ROWS,
    "staging.stg_orders.expect_column_values_to_be_between.merchandise_amount": one_row(
        "merchandise_amount = -0.01"
    ),
    "staging.stg_orders.expect_column_values_to_be_between.shipping_amount": one_row(
        "shipping_amount = -0.01"
    ),
    "staging.stg_payments.expect_column_values_to_be_between.amount": one_row("amount = -0.01"),
    "staging.stg_payments.payments_have_their_order": one_row("order_id = 'unheard of'"),
    "staging.stg_products.expect_column_values_to_be_between.unit_cost": one_row(
        "unit_cost = -0.01"
    ),
    "staging.stg_refunds.refunds_belong_to_somebody": one_row(
        "order_id = null, customer_id = null"
    ),
    "intermediate.int_identity__accounts.few_accounts_are_one_person": (
        "update {table} set customer_id = 'everybody'"
        " where rowid in (select rowid from {table} limit 21)"
    ),
    "intermediate.int_order_lines__priced.discounts_stay_below_the_line": one_row(
        "discount_order_currency = gross_sales_order_currency + 0.01", "line_type = 'merchandise'"
    ),
    "intermediate.int_orders__dated.expect_column_values_to_not_be_null.exchange_rate": one_row(
        "exchange_rate = null"
    ),
    "intermediate.int_orders__valued.most_orders_are_valid": (
        "update {table} set is_valid = rowid % 100 < 48"
    ),
    "intermediate.int_orders__valued.most_orders_have_a_customer": (
        "update {table} set customer_id = null where rowid % 100 < 54"
    ),
    "intermediate.int_orders__valued.refunds_stay_below_the_order": one_row(
        "net_sales_order_currency = -0.01", "is_valid"
    ),
    "intermediate.int_orders__valued.payments_meet_the_orders": (
        "update {table} set payment_amount = 2.1 * payment_amount"
    ),
    "intermediate.int_purchases__occasions"
    ".expect_column_values_to_be_between.days_since_first_purchase": one_row(
        "days_since_first_purchase = -1"
    ),
    "intermediate.int_purchases__occasions.purchase_numbers_have_no_gap": one_row(
        "purchase_number = 3", "purchase_number = 2 and next_purchase_date is null"
    ),
    "intermediate.int_refunds__matched.expect_column_values_to_not_be_null.exchange_rate": one_row(
        "exchange_rate = null"
    ),
    "intermediate.int_refunds__matched.refunds_are_in_the_currency_of_their_order": one_row(
        "currency = 'XXX'", "order_currency is not null"
    ),
    "intermediate.int_run__settings.expect_table_row_count_to_be_between": A_SECOND_ROW,
    "intermediate.int_refunds__matched.refunds_are_of_goods": (
        "update {table} set order_id = line.order_id, line_number = line.line_number"
        " from (from intermediate.int_order_lines__priced where line_type = 'postage' limit 1)"
        " as line where refund_id = (select min(refund_id) from {table})"
    ),
    "marts.dim_customers.the_next_purchase_follows_the_last": one_row(
        "next_purchase_due_date = last_purchase_date - 1", "next_purchase_due_date is not null"
    ),
    "marts.dim_customers.expect_table_row_count_to_be_between": NO_ROWS,
    "marts.dim_customers.occasions_consist_of_orders": one_row("purchase_count = order_count + 1"),
    "marts.dim_customers.no_customer_is_half_the_shop": one_row(
        "net_sales = 1.01 * (select sum(net_sales) from {table})"
    ),
    "marts.dim_customers.no_customer_is_a_till": one_row(
        "order_count = 0.06 * (select sum(order_count) from {table})"
    ),
    "marts.fct_campaigns.expect_compound_columns_to_be_unique.campaign+month": new_rows(
        2, campaign="'spring'", month="date '2024-03-01'"
    ),
    "marts.fct_campaigns.expect_column_values_to_be_between.spend": new_rows(spend="-0.01"),
    "marts.fct_campaigns.expect_column_values_to_be_between.payback_months": new_rows(
        payback_months="-1"
    ),
    "marts.fct_campaigns.spend_brings_visits_or_customers": new_rows(
        3,
        campaign="'misspelt'",
        spend="1",
        sessions="0",
        first_touch_customers="0",
        last_touch_customers="0",
    ),
    "marts.fct_campaign_variants.expect_compound_columns_to_be_unique.campaign+variant": new_rows(
        2, campaign="'spring'", variant="'a'"
    ),
    "marts.fct_campaign_variants.expect_column_values_to_be_between.conversion_rate": new_rows(
        conversion_rate="1.01"
    ),
    "marts.fct_campaign_variants.bounds_enclose_what_was_observed": new_rows(
        difference="0.1", difference_lower="0.11", difference_upper="0.2"
    ),
    "marts.fct_campaign_variants.visitors_are_spread_evenly": new_rows(is_sample_ratio_off="true"),
    "marts.fct_carts.expect_column_values_to_be_unique.cart_id": new_rows(2, cart_id="'a'"),
    "marts.fct_carts.expect_column_values_to_be_between.cart_value": new_rows(cart_value="-0.01"),
    "marts.fct_carts.carts_are_ordered_now_and_then": (
        "delete from {table}; "
        + new_rows(200, cart_id="range", status="if(range < 3, 'ordered', 'abandoned')")
    ),
    "marts.fct_carts.few_carts_are_bought_by_all": (
        "delete from {table}; "
        + new_rows(200, cart_id="range", status="if(range < 191, 'ordered', 'abandoned')")
    ),
    "marts.fct_advocacy_actions.what_counts_has_a_weight": one_row(
        "weight = 0", "polarity = 'positive'"
    ),
    "marts.fct_referrals.a_person_has_one_referrer": (
        "insert into {table} select * replace (referral_id || '-2' as referral_id) from {table}"
        " where is_converted limit 1"
    ),
    "marts.fct_referrals.what_does_not_count_says_why": one_row(
        "invalid_reason = 'cycle'", "is_valid"
    ),
    "marts.fct_referrals.expect_column_values_to_be_between.generation": one_row(
        "generation = 101", "is_valid"
    ),
    "marts.fct_referrals.most_referrals_count": (
        "delete from {table} where is_valid; insert into {table}"
        " select rows.* replace (rows.referral_id || '-' || number as referral_id)"
        " from {table} as rows, range(100) as more (number)"
    ),
    "marts.fct_referrers.all_generations_hold_the_direct_ones": one_row(
        "referred_customers_all_generations = 0", "referred_customers > 0"
    ),
    "marts.fct_referral_programme.expect_column_values_to_be_unique.generation": (
        "insert into {table} from {table} where generation = 1"
    ),
    "marts.fct_referral_programme.generations_add_up_to_the_programme": one_row(
        "referred_net_sales = referred_net_sales + 0.01", "generation = 1"
    ),
    "marts.fct_audience_effects"
    ".expect_compound_columns_to_be_unique.audience+window_days": new_rows(
        2, audience="'hero'", window_days="90"
    ),
    "marts.fct_audience_effects.groups_have_the_sizes_drawn": new_rows(
        audience="'hero'", window_days="30", is_sample_ratio_off="true"
    ),
    "marts.fct_audience_members.members_have_consent": (
        "update {table} set customer_id = 'unheard of' where channel = 'email'"
        " and rowid = (select min(rowid) from {table} where channel = 'email')"
    ),
    "marts.fct_audience_members.the_unhappy_get_no_promotion": one_row(
        "audience = 'lovers'", "audience = 'negative_experience'"
    ),
    "marts.fct_audience_sizes.sizes_are_those_of_the_members": one_row(
        "customers = customers + 1", "contact_status = 'held out'"
    ),
    "marts.fct_customer_advocacy.lovers_have_said_something_good": one_row(
        "positive_actions = 0", "advocacy_tier = 'lover'"
    ),
    "marts.fct_advocacy_monthly.tiers_add_up": one_row("likers = likers + 1"),
    "marts.fct_advocacy_monthly.answers_add_up": one_row("promoters = promoters + 1"),
    "marts.fct_advocacy_monthly.the_score_and_its_bounds_are_differences_of_shares": one_row(
        "nps_upper = nps_lower - 0.1", "nps is not null"
    ),
    "marts.fct_advocacy_monthly.expect_column_values_to_be_between.value_auc": one_row(
        "value_auc = 1.01"
    ),
    "marts.fct_advocacy_monthly.somebody_answers": one_row(
        "invited = 101, response_rate = 1 / 101.0"
    ),
    "marts.fct_advocacy_value.years_add_up_to_all": one_row(
        "customers = customers + 1", "cohort_year = 'all'"
    ),
    "marts.fct_category_breadth.expect_column_values_to_be_between.first_categories": one_row(
        "first_categories = 0"
    ),
    "marts.fct_category_affinities.a_pair_is_part_of_its_categories": one_row(
        "customers = first_customers + 1, second_customers = first_customers + 1"
    ),
    "marts.fct_category_affinities.the_lower_bound_stays_below_the_lift": one_row(
        "lift_lower = lift + 0.01"
    ),
    "marts.fct_category_affinities.adjusted_for_many_tests_a_pair_looks_more_like_chance": one_row(
        "q_value = p_value - 0.01", "q_value > 0.01"
    ),
    "marts.dim_customer_preferences.stated_beats_observed": one_row(
        "value = observed_value", "stated_value <> observed_value"
    ),
    "marts.dim_customer_preferences.no_preference_holds_an_address": one_row(
        "value = 'me@example.com', stated_value = 'me@example.com'", "source = 'stated'"
    ),
    "marts.fct_attribute_engagement.parts_stay_below_the_whole": one_row(
        "engaged_customers = customers + 1"
    ),
    "marts.fct_attribute_engagement.bounds_hold_the_rates": one_row(
        "engagement_rate = engagement_rate_upper + 0.001", "engagement_rate is not null"
    ),
    "marts.fct_attribute_engagement.answers_come_in_few_forms": (
        "delete from {table}; "
        + new_rows(201, month="date '2024-03-01'", attribute="'motive'", value="range")
    ),
    "marts.fct_clarify_questions.nobody_has_two_open_questions": (
        "insert into {table} select * replace (date '1999-03-01' as raised_month) from {table}"
        " where status = 'open' limit 1"
    ),
    "marts.fct_clarify_questions.closed_questions_say_when_and_why": one_row(
        "closed_date = raised_date - 1", "status = 'closed'"
    ),
    "marts.fct_clarify_questions.no_category_surprises_everybody": new_rows(
        51,
        customer_id="range",
        raised_month="date '2024-03-01'",
        question="'purchase_outside_profile'",
        usual="'menswear'",
        observed="'men''s clothes'",
    ),
    "marts.fct_discarded_events"
    ".expect_compound_columns_to_be_unique.event_date+source_name+discard_reason": new_rows(
        2, event_date="date '2024-03-01'", source_name="'files'", discard_reason="'duplicate'"
    ),
    "marts.fct_discarded_events.expect_column_values_to_be_between.events": new_rows(events="0"),
    "marts.fct_discarded_events.no_day_is_full_of_bots": new_rows(
        event_date="date '1999-03-01'", discard_reason="'bot_rate'", events="600001"
    ),
    "marts.fct_discount_comparison"
    ".expect_compound_columns_to_be_unique.cohort_month+acquisition_channel+window_days": (
        "insert into {table} from {table} where cohort_month is not null limit 1"
    ),
    "marts.fct_discount_comparison.every_stratum_is_compared_or_dropped": one_row(
        "dropped_strata = dropped_strata + 1", "cohort_month is null"
    ),
    "marts.fct_discount_comparison.bounds_hold_the_difference": one_row(
        "rate_difference_upper = 1.01", "rate_difference is not null"
    ),
    "marts.fct_experience_effects.bounds_hold_the_corrected_rate": one_row(
        "km_rate = km_rate_upper + 0.001", "km_rate > 0"
    ),
    "marts.fct_experience_effects.bounds_hold_the_difference": one_row(
        "rate_difference_upper = 1.01", "rate_difference is not null"
    ),
    "marts.fct_experience_effects.arms_are_compared_with_one_reference": one_row(
        "is_reference = true", "rate_difference is not null"
    ),
    "marts.fct_funnel_daily"
    ".expect_compound_columns_to_be_unique.session_date+channel+campaign+device": new_rows(
        2, session_date="date '2024-03-01'", channel="'ads'", campaign="'none'", device="'phone'"
    ),
    "marts.fct_funnel_daily.steps_stay_below_the_sessions": new_rows(sessions="1", carts="2"),
    "marts.fct_funnel_daily.most_purchase_events_find_their_order": (
        "delete from {table}; " + new_rows(20, orders="3", purchases_without_order="1")
    ),
    "marts.fct_identity_effects.expect_column_values_to_be_unique.resolution": new_rows(
        2, resolution="'by rules'"
    ),
    "marts.fct_identity_effects.few_ids_are_merged": one_row(
        "customers = 10", "resolution = 'by rules'"
    ),
    "marts.fct_growth_accounting.buyers_return_or_are_dormant": one_row(
        "dormant_customers = dormant_customers + 1"
    ),
    "marts.fct_lapse_thresholds.at_risk_comes_before_inactive": one_row(
        "at_risk_after_days = inactive_after_days + 1"
    ),
    "marts.fct_lapse_thresholds.thresholds_move_slowly": (
        "update {table} set threshold_source = 'bucket',"
        " at_risk_after_days = 31 * month(estimation_month), inactive_after_days = 999"
    ),
    "marts.fct_lifecycle_daily.stock_is_yesterdays_with_who_came_and_without_who_left": one_row(
        "customers = customers + 1"
    ),
    "marts.fct_lifecycle_transitions.stages_never_go_back": one_row(
        "from_stage = 'loyalty', to_stage = 'retention'"
    ),
    "marts.fct_threshold_backtests.no_more_return_than_were_called": one_row(
        "called = -1, returned_90_days = 0, returned_180_days = 0"
    ),
    "marts.fct_customer_health.components_are_points_of_a_hundred": one_row(
        "recency_score = 100.1", "recency_score is not null"
    ),
    "marts.fct_customer_health.a_mean_lies_among_its_components": one_row(
        "health_score = least(recency_score, frequency_score, breadth_score, engagement_score,"
        " experience_score) - 0.001"
    ),
    "marts.fct_health_backtests.tenths_add_up_to_all": one_row(
        "customers = customers + 1", "score_decile = 'all'"
    ),
    "marts.fct_health_backtests.bounds_hold_the_auc_and_its_difference": one_row(
        "auc = auc_upper + 0.001", "score_decile = 'all'"
    ),
    "marts.fct_health_backtests.a_score_tells_more_than_chance": one_row(
        "auc_lower = 0.45, auc = 0.47, auc_upper = 0.499", "score_decile = 'all'"
    ),
    "marts.fct_cross_sell_opportunities.a_probability_is_the_product_of_its_parts": one_row(
        "probability = probability + 1e-6"
    ),
    "marts.fct_cross_sell_opportunities.there_is_evidence_for_each": one_row("bought = 4"),
    "marts.fct_cross_sell_opportunities.a_customer_has_at_most_three_from_the_first_on": one_row(
        "rank = 4"
    ),
    "marts.fct_cross_sell_backtests.ranks_add_up_to_all": one_row(
        "purchases = purchases + 1", "opportunity_rank = 'all'"
    ),
    "marts.fct_cross_sell_backtests.bounds_hold_the_rate_and_the_differences": one_row(
        "purchase_rate = purchase_rate_upper + 0.001"
    ),
    "marts.fct_cross_sell_backtests.predictions_are_not_twice_what_comes": one_row(
        "predicted_purchases = 20, predicted_rate = purchase_rate_upper * 2.01",
        "opportunity_rank = 'all'",
    ),
    "marts.fct_customer_ltv.predictions_or_a_reason": one_row("predicted_ltv_365_days = null"),
    "marts.fct_customer_ltv.chances_are_chances_and_time_adds_purchases": one_row(
        "expected_purchases_180_days = expected_purchases_365_days + 1e-6"
    ),
    "marts.fct_ltv_backtests.all_forecasts_are_of_the_same_purchases": one_row(
        "actual = actual + 1"
    ),
    "marts.fct_ltv_cohorts.curves_go_on": one_row(
        "predicted_cumulative_net_sales_per_customer = null", "net_sales is null"
    ),
    "marts.fct_ltv_cohorts.expect_column_values_to_be_between.month_since": one_row(
        "month_since = -1"
    ),
    "marts.fct_ltv_forecasts.bounds_are_in_order": one_row(
        "net_sales_upper = net_sales_lower - 0.01"
    ),
    "marts.fct_ltv_models.expect_column_values_to_be_between.rank_correlation": one_row(
        "rank_correlation = 0.31"
    ),
    "marts.fct_ltv_models.one_purchase_model_serves_or_refuses": (
        "update {table} set is_chosen = false where cut_off_date = as_of_date"
    ),
    "marts.fct_ltv_windows.value_needs_mature_customers": one_row("mature_customers = 0"),
    "marts.fct_next_purchase_rates.expect_column_values_to_be_between.naive_rate": one_row(
        "naive_rate = 1.01"
    ),
    "marts.fct_next_purchase_rates.reached_is_continued_before": one_row(
        "reached = reached - 1", "purchase_number = 2"
    ),
    "marts.fct_next_purchase_rates.bounds_hold_the_corrected_rates": one_row(
        "km_365_days_rate = km_365_days_rate_lower - 0.001", "km_365_days_rate > 0"
    ),
    "marts.fct_order_experience.expect_column_values_to_be_between.rating": one_row(
        "rating = 5.01"
    ),
    "marts.fct_order_experience.expect_column_values_to_be_between.days_late": one_row(
        "days_late = 366"
    ),
    "marts.fct_order_experience.most_deliveries_keep_their_promise": (
        "delete from {table}; " + new_rows(200, order_id="range", is_late="range < 101")
    ),
    "marts.fct_orders.expect_table_row_count_to_be_between": NO_ROWS,
    "marts.fct_orders.no_order_is_a_thousand_orders": one_row(
        "gross_sales = 1010 * (select median(gross_sales) from {table} where is_valid)", "is_valid"
    ),
    "marts.fct_purchase_gaps.percentiles_rise": one_row("p50_days = p95_days + 1"),
    "marts.fct_rate_definitions.rates_are_shares": one_row("value = 1.01"),
    "marts.fct_value_concentration.the_best_come_first": one_row(
        "net_sales = 0", "top_percent = 5"
    ),
    "marts.fct_reconciliation.expect_compound_columns_to_be_unique.check_name+category+currency": (
        "insert into {table} from {table} where currency is not null limit 1"
    ),
    "marts.fct_reconciliation.expect_column_values_to_not_be_null.is_balanced": one_row(
        "is_balanced = null"
    ),
    "marts.fct_reconciliation.expect_column_values_to_be_in_set.is_balanced": one_row(
        "is_balanced = false"
    ),
    "marts.fct_refunds.expect_column_values_to_be_between.amount": one_row("amount = -0.01"),
    "marts.fct_refunds.most_refunds_find_their_order": (
        "update {table} set match_rule = 'none' where rowid % 100 < 22"
    ),
    "marts.fct_repeat_revenue_monthly"
    ".expect_column_values_to_be_between.returning_customer_rate": one_row(
        "returning_customer_rate = 1.01"
    ),
    "marts.fct_repeat_revenue_monthly"
    ".expect_column_values_to_be_between.repeat_revenue_share": one_row(
        "repeat_revenue_share = 2.01"
    ),
    "marts.fct_repurchase_rates.expect_column_values_to_be_between.repurchase_rate": one_row(
        "repurchase_rate = 1.01"
    ),
    "marts.fct_repurchase_rates.expect_compound_columns_to_be_unique"
    ".dimension_name+dimension_value+cohort_month+window_days": (
        "insert into {table} from {table} where cohort_month is not null limit 1"
    ),
    "marts.fct_repurchase_rates.parts_stay_below_the_whole": one_row(
        "repurchased = mature_customers + 1"
    ),
    "marts.fct_repurchase_rates.bounds_hold_the_corrected_rate": one_row(
        "km_repurchase_rate = km_repurchase_rate_upper + 0.001", "km_repurchase_rate > 0"
    ),
    "marts.fct_repurchase_rates.months_add_up_to_all": one_row(
        "customers = customers + 1", "cohort_month is null"
    ),
    "marts.fct_restatements"
    ".expect_compound_columns_to_be_unique.restated_at+metric+period_start+customer_id": new_rows(
        2,
        restated_at="timestamp '2024-04-01 05:00:00'",
        metric="'state'",
        period_start="date '2024-03-01'",
        customer_id="'anna'",
    ),
    "marts.fct_restatements.no_month_loses_a_tenth_of_its_orders": new_rows(
        metric="'orders'",
        old_value="'50'",
        new_value="'44'",
        run_id="(select run_id from intermediate.int_run__settings)",
    ),
    "marts.fct_retention_cohorts.expect_column_values_to_be_between.retention_in_month": one_row(
        "retention_in_month = 1.01"
    ),
    "marts.fct_retention_cohorts.expect_column_values_to_be_between.retention_from_month": one_row(
        "retention_from_month = 1.01"
    ),
    "marts.fct_retention_cohorts.later_months_are_compared_with_the_first": one_row(
        "net_sales_retention = 0.99", "month_since = 0"
    ),
    "marts.fct_retention_cohorts.everybody_is_active_at_first": one_row(
        "active_in_month = customers - 1", "month_since = 0"
    ),
    "marts.fct_sales_daily.expect_column_values_to_be_between.orders": one_row("orders = -1"),
    "marts.fct_sales_daily.no_busy_day_is_missing": """
        update {table} set orders = 28 * 20
        where rowid = (select rowid from {table} order by sales_date desc limit 1 offset 50);
        delete from {table}
        where sales_date = (select max(sales_date) + 1 from {table} where orders = 28 * 20)
    """,
    "marts.fct_search_terms.expect_compound_columns_to_be_unique.month+term": new_rows(
        2, month="date '2024-03-01'", term="'tea'"
    ),
    "marts.fct_search_terms.searches_without_result_are_searches": new_rows(
        searches="1", without_result="2"
    ),
    "marts.fct_search_terms.most_searches_find_something": new_rows(
        month="date '1999-03-01'", searches="100", without_result="51"
    ),
    "marts.fct_sessions.expect_column_values_to_be_unique.session_id": new_rows(
        2, session_id="'a'"
    ),
    "marts.fct_sessions.expect_column_values_to_be_between.events": new_rows(events="0"),
    "marts.fct_sessions.most_sessions_are_of_persons": (
        "delete from {table}; " + new_rows(100, session_id="range", is_bot="range < 51")
    ),
    "marts.fct_sessions.sessions_name_a_channel": (
        "delete from {table}; "
        + new_rows(100, session_id="range", channel="if(range < 91, 'unknown', 'ads')")
    ),
}


def fault_of(check: Check) -> str:
    is_grain = check.type.endswith("_be_unique")
    fault = FAULTS.get(check.check_id, A_SECOND_ROW if is_grain else "")
    assert fault, f"no fault is planted for {check.check_id}: add one to FAULTS in {__file__}"
    return fault


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Callable[[str], Settings]:
    """Copies what the checks of a layer read."""

    def copied(layer: str) -> Settings:
        settings = load_settings(warehouse=tmp_path)
        if layer == "raw":
            shutil.copytree(demo / "raw", settings.raw_dir)
        settings.build_dir.mkdir()
        shutil.copy(demo / "build" / "build.duckdb", settings.build_file)
        return settings

    return copied


# What the synthetic shop has on purpose.
PLANTED = {
    "marts.fct_campaign_variants.visitors_are_spread_evenly",  # a test with broken tracking
}


@pytest.mark.parametrize("layer", LAYERS)
def test_every_expectation_holds_on_the_synthetic_shop_but_where_it_is_broken_on_purpose(
    copy: Callable[[str], Settings], layer: str
) -> None:
    results = run_checks(copy(layer), layer, "test")
    assert {result.check_id for result in results} == {
        check_id for check_id, (own_layer, _, _) in CHECKS.items() if own_layer == layer
    }
    failed = {result.check_id: result.observed for result in results if not result.passed}
    assert failed.keys() == {check for check in PLANTED if check.startswith(f"{layer}.")}, failed


def turns() -> list[tuple[str, list[tuple[str, Check]]]]:
    """Layer by layer the first check of each table, then the second, and so on: faults that are
    planted in different tables do not meet."""
    found: dict[tuple[str, int], list[tuple[str, Check]]] = defaultdict(list)
    seen: Counter[tuple[str, str]] = Counter()
    for layer, table, check in CHECKS.values():
        found[layer, seen[layer, table]].append((table, check))
        seen[layer, table] += 1
    return [(layer, checks) for (layer, _), checks in sorted(found.items(), key=lambda one: one[0])]


@pytest.mark.parametrize(("layer", "checks"), turns())
def test_planted_faults_fail_their_expectations(
    copy: Callable[[str], Settings], layer: str, checks: list[tuple[str, Check]]
) -> None:
    settings = copy(layer)
    with duckdb.connect() if layer == "raw" else duckdb.connect(str(settings.build_file)) as build:
        for table, check in checks:
            folder = settings.raw_dir.joinpath(*table.split("__", 1))
            build.execute(fault_of(check).format(table=f"{layer}.{table}", folder=folder))
    results = run_checks(settings, layer, "test", [table for table, _ in checks])
    failed = {result.check_id for result in results if not result.passed}
    assert {check.check_id for _, check in checks} - failed == set()


def test_every_planted_fault_belongs_to_an_expectation() -> None:
    assert FAULTS.keys() <= CHECKS.keys()
