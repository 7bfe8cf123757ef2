-- Which campaigns bring good customers?
--
-- A row is a campaign: spend, customers whose last touch before their first purchase it was,
-- cost of one, and what those who have had a year brought in it, as net sales and as margin.
-- Where the margin of a year is above the cost, the campaign earns. Attributed, not caused.
select
    campaign,
    sum(spend) as spend,
    sum(last_touch_customers) as customers,
    round(
        cast(
            sum(
                spend
            ) / nullif(sum(last_touch_customers) filter (where spend is not null), 0) as decimal(
                18, 6
            )
        ),
        2
    ) as cac,
    sum(mature_customers_365_days) as mature_customers,
    round(
        cast(
            sum(ltv_365_days * mature_customers_365_days)
            / nullif(sum(mature_customers_365_days), 0) as decimal(18, 6)
        ),
        2
    ) as ltv_365_days,
    round(
        cast(
            sum(margin_ltv_365_days * mature_customers_365_days)
            / nullif(sum(mature_customers_365_days), 0) as decimal(18, 6)
        ),
        2
    ) as margin_ltv_365_days
from fct_campaigns
group by campaign
having sum(last_touch_customers) > 0
order by customers desc, campaign
