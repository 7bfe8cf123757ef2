with

    persons as (select * from {{ ref("int_identity__customers") }}),

    buyers as (select * from {{ ref("int_customers__acquired") }}),

    states as (

        select states.*
        from {{ ref("int_lifecycle__states") }} as states
        cross join {{ ref("int_run__settings") }} as settings
        where
            states.valid_from <= settings.as_of_date
            and coalesce(states.valid_to, settings.as_of_date) >= settings.as_of_date

    ),

    expected as (

        select customer_id, min(transition_date) as next_transition_date
        from {{ ref("int_lifecycle__transitions") }}
        where is_expected
        group by customer_id

    ),

    categories as (

        select orders.customer_id, count(distinct lines.category) as distinct_categories
        from {{ ref("int_order_lines__priced") }} as lines
        inner join {{ ref("int_orders__numbered") }} as orders on lines.order_id = orders.order_id
        where lines.line_type = 'merchandise' and lines.category is not null
        group by orders.customer_id

    ),

    sales as (

        select
            customer_id,
            sum(net_sales) as net_sales,
            sum(contribution_margin) as contribution_margin
        from {{ ref("int_sales__entries") }}
        where customer_id is not null
        group by customer_id

    )

select
    persons.customer_id,
    coalesce(buyers.country_code, persons.country_code) as country_code,
    persons.language,
    coalesce(
        buyers.acquisition_channel, persons.acquisition_channel, 'unknown'
    ) as acquisition_channel,
    coalesce(buyers.acquisition_campaign, persons.acquisition_campaign) as acquisition_campaign,
    persons.preferred_channel,
    coalesce(states.lifecycle_stage, 'onboarding') as lifecycle_stage,
    coalesce(states.segment, 'prospect') as segment,
    coalesce(advocacy.advocacy_tier, 'not available') as advocacy_tier,
    coalesce(advocacy.advocacy_quadrant, 'not available') as advocacy_quadrant,
    cast(persons.accounts as integer) as account_count,
    cast(coalesce(buyers.order_count, 0) as integer) as order_count,
    cast(coalesce(buyers.purchase_count, 0) as integer) as purchase_count,
    cast(categories.distinct_categories as integer) as distinct_categories,
    {{ money("coalesce(sales.net_sales, 0)") }} as net_sales,
    {{ money("coalesce(sales.contribution_margin, 0)") }} as contribution_margin,
    {{ money("coalesce(sales.net_sales, 0)") }} as historic_ltv,
    ltv.predicted_ltv_365_days,
    ltv.total_ltv_365_days,
    ltv.p_alive,
    health.health_score,
    coalesce(states.is_negative_experience, false) as is_negative_experience,
    coalesce(states.is_inactive, false) as is_inactive,
    coalesce(states.is_at_risk, false) as is_at_risk,
    coalesce(states.is_hero, false) as is_hero,
    coalesce(states.is_top_value, false) as is_top_value,
    coalesce(states.is_won_back, false) as is_won_back,
    coalesce(states.is_new, false) as is_new,
    coalesce(states.is_cart_abandoner, false) as is_cart_abandoner,
    acquired.is_discount_acquired,
    persons.has_marketing_consent,
    buyers.first_purchase_date,
    buyers.last_purchase_date,
    gaps.next_purchase_due_date,
    expected.next_transition_date,
    persons.created_at
from persons
left join buyers on persons.customer_id = buyers.customer_id
left join states on persons.customer_id = states.customer_id
left join expected on persons.customer_id = expected.customer_id
left join sales on persons.customer_id = sales.customer_id
left join categories on persons.customer_id = categories.customer_id
left join
    {{ ref("int_repeat__customers") }} as acquired on persons.customer_id = acquired.customer_id
left join {{ ref("int_repeat__expected_gaps") }} as gaps on persons.customer_id = gaps.customer_id
left join {{ ref("fct_customer_ltv") }} as ltv on persons.customer_id = ltv.customer_id
left join
    {{ ref("fct_customer_advocacy") }} as advocacy on persons.customer_id = advocacy.customer_id
left join {{ ref("fct_customer_health") }} as health on persons.customer_id = health.customer_id
