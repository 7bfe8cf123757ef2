-- The state of each customer from each day on which a flag or stage begins or ends. Days after
-- as_of say what comes if nothing happens.
-- 1. Each span adds one on its first day and takes it away on the day after its last.
-- 2. What adds up to more than nothing, holds; the segment is the first of its rules that holds.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    spans as (select * from {{ ref("int_lifecycle__spans") }}),

    borders as (

        select customer_id, span_type, starts_on as valid_from, 1 as step
        from spans
        union all
        select customer_id, span_type, {{ add_days("ends_on", 1) }} as valid_from, -1 as step
        from spans
        where ends_on is not null

    ),

    steps as (

        select
            customer_id,
            valid_from,
            {% for span_type in lifecycle_spans() -%}
                sum(step) filter (where span_type = '{{ span_type }}') as {{ span_type }}
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from borders
        group by customer_id, valid_from

    ),

    holding as (

        select
            customer_id,
            valid_from,
            {% for span_type in lifecycle_spans() -%}
                coalesce(sum({{ span_type }}) over history, 0) > 0 as is_{{ span_type }},
            {% endfor -%}
            lead(valid_from) over history as next_valid_from
        from steps
        window history as (partition by customer_id order by valid_from)

    )

select
    holding.customer_id,
    case
        when holding.is_loyalty
        then 'loyalty'
        when holding.is_retention
        then 'retention'
        when holding.is_onboarding
        then 'onboarding'
        else 'acquisition'
    end as lifecycle_stage,
    case
        when holding.is_negative_experience
        then 'negative_experience'
        when holding.is_inactive
        then 'inactive'
        when holding.is_at_risk
        then 'at_risk'
        when holding.is_hero
        then 'hero'
        when holding.is_won_back
        then 'won_back'
        when holding.is_new
        then 'new'
        when holding.is_retention
        then 'active'
        when holding.is_cart_abandoner
        then 'cart_abandoner'
        else 'prospect'
    end as segment,
    holding.is_negative_experience,
    holding.is_inactive,
    holding.is_at_risk,
    holding.is_hero,
    holding.is_top_value,
    holding.is_won_back,
    holding.is_new,
    holding.is_cart_abandoner,
    holding.valid_from > settings.as_of_date as is_expected,
    holding.valid_from,
    {{ add_days("holding.next_valid_from", -1) }} as valid_to
from holding
cross join settings
