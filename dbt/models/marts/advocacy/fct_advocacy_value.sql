-- Customers are compared with those of the same cohort year, for who came earlier has had more time
-- to buy and to speak. What would come of a move is counted where the year has lovers and likers;
-- more likers than there are cannot move.
{%- set tiers = ["lurker", "liker", "lover"] -%}
{%- set moves = {
    "one_point": "least(0.01e0 * customers, likers)",
    "one_percent_of_likers": "0.01e0 * likers",
} %}
with

    standings as (

        select
            standings.advocacy_tier,
            standings.net_sales,
            cast(cast(year(buyers.first_purchase_date) as integer) as string) as cohort_year
        from {{ ref("int_advocacy__standings") }} as standings
        inner join
            {{ ref("int_customers__acquired") }} as buyers
            on standings.customer_id = buyers.customer_id
        where standings.next_month is null and standings.is_buyer

    ),

    years as (

        select
            cohort_year,
            count(*) as customers
            {%- for tier in tiers %}
                {% set is_tier = "advocacy_tier = '" ~ tier ~ "'" %},
                count(*) filter (where {{ is_tier }}) as {{ tier }}s,
                sum(net_sales) filter (where {{ is_tier }}) as {{ tier }}_net_sales
            {%- endfor %}
        from standings
        group by cohort_year

    ),

    moved as (

        select
            years.*,
            cast(lover_net_sales as double) / nullif(lovers, 0)
            - cast(liker_net_sales as double) / nullif(likers, 0) as gain
            {%- for move, customers in moves.items() %}
                ,
                case when lovers > 0 and likers > 0 then {{ customers }} end as {{ move }}_customers
            {%- endfor %}
        from years

    ),

    gained as (

        select
            cohort_year,
            customers
            {%- for tier in tiers %}, {{ tier }}s, {{ tier }}_net_sales {%- endfor %}
            {%- for move in moves %}
                , {{ move }}_customers, {{ move }}_customers * gain as {{ move }}_net_sales
            {%- endfor %}
        from moved

    ),

    summed as (

        select *
        from gained
        union all
        select
            'all' as cohort_year,
            sum(customers) as customers
            {%- for tier in tiers %}
                , sum({{ tier }}s) as {{ tier }}s, sum({{ tier }}_net_sales) as {{ tier }}_net_sales
            {%- endfor %}
            {%- for move in moves %}
                ,
                {{ exact_sum(move ~ "_customers") }} as {{ move }}_customers,
                {{ exact_sum(move ~ "_net_sales", 12) }} as {{ move }}_net_sales
            {%- endfor %}
        from gained
        having count(*) > 0

    )

select
    cohort_year,
    cast(customers as integer) as customers,
    {% for tier in tiers %}
        cast({{ tier }}s as integer) as {{ tier }}s,
        {{ money_per(tier ~ "_net_sales", tier ~ "s") }} as net_sales_per_{{ tier }},
    {% endfor %}
    {% for move in moves %}
        {{ move }}_customers as what_if_{{ move }}_customers,
        {{ money(move ~ "_net_sales") }} as what_if_{{ move }}_net_sales
        {%- if not loop.last %},{% endif %}
    {% endfor %}
from summed
