select
    opportunities.customer_id,
    opportunities.category,
    opportunities.from_category,
    opportunities.opportunity_rank as rank,
    opportunities.probability,
    opportunities.repurchase_rate,
    opportunities.category_rate,
    opportunities.expected_margin,
    opportunities.expected_value,
    opportunities.from_customers,
    opportunities.repurchases,
    opportunities.bought,
    opportunities.best_from_date
from {{ ref("int_cross_sell__opportunities") }} as opportunities
inner join
    {{ ref("int_run__settings") }} as settings on opportunities.cut_off_date = settings.as_of_date
