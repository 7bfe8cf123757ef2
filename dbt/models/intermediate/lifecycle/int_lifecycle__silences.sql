-- The thresholds are those in force on the day of the purchase that opened the silence, so that
-- nobody's state changes when estimates move.
with

    purchases as (select * from {{ ref("int_purchases__occasions") }}),

    thresholds as (select * from {{ ref("int_lifecycle__thresholds") }})

select
    purchases.customer_id,
    purchases.purchase_number,
    thresholds.purchase_bucket,
    thresholds.threshold_source,
    thresholds.at_risk_after_days,
    thresholds.inactive_after_days,
    thresholds.return_chance_90_days,
    purchases.days_to_next_purchase,
    purchases.days_to_next_purchase > thresholds.inactive_after_days + 1 as is_won_back,
    purchases.purchase_date,
    purchases.next_purchase_date,
    {{ add_days("purchases.purchase_date", "thresholds.at_risk_after_days + 1") }} as at_risk_from,
    {{ add_days("purchases.purchase_date", "thresholds.inactive_after_days + 1") }} as inactive_from
from purchases
inner join
    thresholds
    on {{ month_start("purchases.purchase_date") }} = thresholds.estimation_month
    and {{ purchase_bucket("purchases.purchase_number") }} = thresholds.purchase_bucket
