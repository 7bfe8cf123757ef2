-- Were our predictions right before?
--
-- A row is a past month end: the purchases that the model of that time forecast for the
-- following 180 days from what was known then, those that came, and what would have been
-- forecast by carrying on each customer's own rate.
select
    forecasts.cut_off_date,
    forecasts.model_name,
    forecasts.customers,
    round(cast(forecasts.predicted as decimal(18, 6)), 1) as predicted_purchases,
    forecasts.actual as purchases,
    round(
        cast(100 * (forecasts.predicted / nullif(forecasts.actual, 0)) - 100 as decimal(18, 6)), 1
    ) as deviation_percent,
    round(cast(rivals.predicted as decimal(18, 6)), 1) as predicted_by_own_rate
from fct_ltv_backtests as forecasts
inner join
    fct_ltv_backtests as rivals
    on forecasts.cut_off_date = rivals.cut_off_date
    and forecasts.horizon_days = rivals.horizon_days
    and forecasts.frequency_bucket = rivals.frequency_bucket
where
    forecasts.frequency_bucket = 'all'
    and rivals.model_name = 'own_rate'
    and exists (
        select 1
        from fct_ltv_models as models
        where
            models.is_chosen
            and models.model_name = forecasts.model_name
            and models.cut_off_date = forecasts.cut_off_date
    )
order by forecasts.cut_off_date, forecasts.model_name
