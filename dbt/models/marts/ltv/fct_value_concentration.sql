-- Customers in the order of what they have brought; those who tie stand in the order of their ids.
with

    sales as (

        select
            entries.customer_id,
            sum(entries.net_sales) as net_sales,
            sum(entries.contribution_margin) as margin
        from {{ ref("int_sales__entries") }} as entries
        inner join
            {{ ref("int_customers__acquired") }} as buyers
            on entries.customer_id = buyers.customer_id
        group by entries.customer_id

    ),

    ranked as (

        select
            *,
            row_number() over (order by net_sales desc, margin desc, customer_id) as value_rank,
            count(*) over () as all_customers,
            sum(net_sales) over () as all_net_sales,
            sum(margin) over () as all_margin
        from sales

    ),

    shares as (

        {% for percent in [1, 5, 10, 20, 50] %}
            select {{ percent }} as top_percent
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    summed as (

        select
            shares.top_percent,
            count(*) as customers,
            max(ranked.all_customers) as all_customers,
            sum(ranked.net_sales) as net_sales,
            max(case when ranked.all_net_sales > 0 then ranked.all_net_sales end) as all_net_sales,
            sum(ranked.margin) as margin,
            max(case when ranked.all_margin > 0 then ranked.all_margin end) as all_margin
        from ranked
        inner join shares on 100 * (ranked.value_rank - 1) < shares.top_percent * all_customers
        group by shares.top_percent

    )

select
    summed.top_percent,
    cast(summed.customers as integer) as customers,
    {{ money("summed.net_sales") }} as net_sales,
    {{ share("summed.net_sales", "summed.all_net_sales") }} as net_sales_share,
    {{ share("summed.margin", "summed.all_margin") }} as margin_share,
    {{ share("summed.net_sales", "summed.customers") }}
    / nullif({{ share("summed.all_net_sales", "summed.all_customers") }}, 0) as multiple_of_average,
    case when summed.top_percent = 1 then benchmarks.upper_value end as benchmark_multiple
from summed
left join
    {{ ref("industry_benchmarks") }} as benchmarks
    on benchmarks.figure = 'best_customer_spend_multiple'
