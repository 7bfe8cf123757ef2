-- Who is about to leave, and what are they worth?
--
-- A row is one of the twenty most valuable customers at risk: since when, why, what the next
-- year would bring if they stay as likely to buy as they are now, and whether they may be
-- written to.
with

    latest as (

        select customer_id, max(transition_date) as transition_date
        from fct_lifecycle_transitions
        group by customer_id

    )

select
    customers.customer_id,
    transitions.transition_date as at_risk_since,
    transitions.reason,
    customers.net_sales,
    customers.predicted_ltv_365_days,
    customers.has_marketing_consent
from dim_customers as customers
inner join latest on customers.customer_id = latest.customer_id
inner join
    fct_lifecycle_transitions as transitions
    on latest.customer_id = transitions.customer_id
    and latest.transition_date = transitions.transition_date
where customers.segment = 'at_risk'
order by customers.predicted_ltv_365_days desc nulls last, customers.customer_id
limit 20
