-- 1. at_risk_after_days: the smallest t by which 80 % of those who return within H days have
-- returned. inactive_after_days: the same for 95 %, or the first day on which fewer than half of
-- those still silent return within 90 days, whichever is later.
-- 2. Bounds move the share by 1.96 standard errors (Woodruff). An error is what one customer moves:
-- the curve's derivative by the weight of each purchase, summed by customer, for purchases of one
-- customer resemble each other.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    curves as (select * from {{ ref("int_lifecycle__return_curves") }}),

    purchases as (

        select
            customer_id,
            {{ purchase_bucket("purchase_number") }} as purchase_bucket,
            purchase_date,
            next_purchase_date
        from {{ ref("int_purchases__occasions") }}

    ),

    horizons as (

        select
            curves.estimation_month,
            curves.purchase_bucket,
            curves.survival as horizon_survival,
            curves.hazard_variance as horizon_variance
        from curves
        inner join settings on curves.silent_days = settings.follow_up_days

    ),

    shares as (

        select
            curves.estimation_month,
            curves.purchase_bucket,
            curves.first_purchase_date,
            curves.silent_days,
            curves.at_risk,
            curves.returned,
            curves.survival,
            curves.hazard_variance,
            horizons.horizon_survival,
            horizons.horizon_variance,
            settings.follow_up_days,
            (1 - curves.survival) / nullif(1 - horizons.horizon_survival, 0) as returned_share,
            1 - coalesce(later.survival / nullif(curves.survival, 0), 1) as return_chance_90_days
        from curves
        cross join settings
        inner join
            horizons
            on curves.estimation_month = horizons.estimation_month
            and curves.purchase_bucket = horizons.purchase_bucket
        left join
            curves as later
            on curves.estimation_month = later.estimation_month
            and curves.purchase_bucket = later.purchase_bucket
            and curves.silent_days + 90 = later.silent_days
        where curves.silent_days <= settings.follow_up_days

    ),

    quantiles as (

        select
            estimation_month,
            purchase_bucket,
            first_purchase_date,
            follow_up_days,
            horizon_survival,
            horizon_variance,
            1 - horizon_survival as return_share,
            max(case when silent_days = 0 then at_risk end) as purchases,
            cast(sum(returned) as bigint) as returns,
            min(case when returned_share >= 0.8 - 1e-12 then silent_days end) as at_risk_days,
            min(case when returned_share >= 0.95 - 1e-12 then silent_days end) as inactive_days,
            coalesce(
                min(case when return_chance_90_days < 0.5 then silent_days end), follow_up_days
            ) as few_return_days
        from shares
        group by
            estimation_month,
            purchase_bucket,
            first_purchase_date,
            follow_up_days,
            horizon_survival,
            horizon_variance

    ),

    located as (

        select
            quantiles.*,
            at_risk.survival as at_risk_survival,
            at_risk.hazard_variance as at_risk_variance,
            inactive.survival as inactive_survival,
            inactive.hazard_variance as inactive_variance
        from quantiles
        left join
            shares as at_risk
            on quantiles.estimation_month = at_risk.estimation_month
            and quantiles.purchase_bucket = at_risk.purchase_bucket
            and quantiles.at_risk_days = at_risk.silent_days
        left join
            shares as inactive
            on quantiles.estimation_month = inactive.estimation_month
            and quantiles.purchase_bucket = inactive.purchase_bucket
            and quantiles.inactive_days = inactive.silent_days

    ),

    followed as (

        select
            located.*,
            purchases.customer_id,
            case
                when purchases.next_purchase_date < located.estimation_month
                then {{ days_between("purchases.purchase_date", "purchases.next_purchase_date") }}
            end as return_days,
            {{ days_between("purchases.purchase_date", "located.estimation_month") }}
            - 1 as known_days
        from located
        inner join
            purchases
            on purchases.purchase_date < located.estimation_month
            and located.purchase_bucket in (purchases.purchase_bucket, 'pooled')
        where located.at_risk_days is not null

    ),

    derived as (

        select
            followed.*,
            curves.hazard_variance as known_variance,
            case
                when followed.return_days <= followed.follow_up_days
                then 1 / nullif(cast(curves.at_risk - curves.returned as double), 0)
            end as return_weight
        from followed
        inner join
            curves
            on followed.estimation_month = curves.estimation_month
            and followed.purchase_bucket = curves.purchase_bucket
            and least(coalesce(followed.return_days, followed.known_days), followed.follow_up_days)
            = curves.silent_days

    ),

    errors as (

        select
            estimation_month,
            purchase_bucket,
            customer_id,
            sum({{ returned_share_derivative("at_risk") }}) as at_risk_error,
            sum({{ returned_share_derivative("inactive") }}) as inactive_error
        from derived
        group by estimation_month, purchase_bucket, customer_id

    ),

    standard_errors as (

        select
            estimation_month,
            purchase_bucket,
            sqrt(sum(at_risk_error * at_risk_error)) as at_risk_error,
            sqrt(sum(inactive_error * inactive_error)) as inactive_error
        from errors
        group by estimation_month, purchase_bucket

    ),

    bounds as (

        select
            shares.estimation_month,
            shares.purchase_bucket,
            min(
                case
                    when shares.returned_share >= 0.8 - 1.96 * standard_errors.at_risk_error
                    then shares.silent_days
                end
            ) as at_risk_lower_days,
            min(
                case
                    when shares.returned_share >= 0.8 + 1.96 * standard_errors.at_risk_error
                    then shares.silent_days
                end
            ) as at_risk_upper_days,
            min(
                case
                    when shares.returned_share >= 0.95 - 1.96 * standard_errors.inactive_error
                    then shares.silent_days
                end
            ) as inactive_lower_days,
            min(
                case
                    when shares.returned_share >= 0.95 + 1.96 * standard_errors.inactive_error
                    then shares.silent_days
                end
            ) as inactive_upper_days
        from shares
        inner join
            standard_errors
            on shares.estimation_month = standard_errors.estimation_month
            and shares.purchase_bucket = standard_errors.purchase_bucket
        group by shares.estimation_month, shares.purchase_bucket

    ),

    thresholds as (

        select
            quantiles.estimation_month,
            quantiles.purchase_bucket,
            quantiles.first_purchase_date,
            quantiles.purchases,
            quantiles.returns,
            quantiles.return_share,
            quantiles.follow_up_days,
            quantiles.at_risk_days as at_risk_after_days,
            bounds.at_risk_lower_days as at_risk_after_days_lower,
            coalesce(
                bounds.at_risk_upper_days, quantiles.follow_up_days
            ) as at_risk_after_days_upper,
            greatest(quantiles.inactive_days, quantiles.few_return_days) as inactive_after_days,
            greatest(
                bounds.inactive_lower_days, quantiles.few_return_days
            ) as inactive_after_days_lower,
            greatest(
                coalesce(bounds.inactive_upper_days, quantiles.follow_up_days),
                quantiles.few_return_days
            ) as inactive_after_days_upper
        from quantiles
        inner join
            bounds
            on quantiles.estimation_month = bounds.estimation_month
            and quantiles.purchase_bucket = bounds.purchase_bucket

    )

select thresholds.*, shares.return_chance_90_days
from thresholds
inner join
    shares
    on thresholds.estimation_month = shares.estimation_month
    and thresholds.purchase_bucket = shares.purchase_bucket
    and thresholds.inactive_after_days = shares.silent_days
