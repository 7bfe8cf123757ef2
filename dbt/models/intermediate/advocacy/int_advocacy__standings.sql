-- What a customer has done for the shop and brought it, from each month in which one of them
-- changed. Nobody is a lurker in a shop that is told of no advocacy at all.
with

    actions as (select * from {{ ref("int_advocacy__actions") }}),

    tiers as (select * from {{ ref("advocacy_tiers") }}),

    told as (select count(*) as actions from actions),

    changes as (

        select
            customer_id,
            {{ month_start("acted_date") }} as month,
            case
                polarity when 'positive' then weight when 'negative' then - weight else 0
            end as score,
            case when polarity = 'positive' then 1 else 0 end as positive_actions,
            case when polarity = 'negative' then 1 else 0 end as negative_actions,
            case when makes_lover then 1 else 0 end as lover_actions,
            0 as purchases,
            0 as net_sales
        from actions
        union all
        select
            entries.customer_id,
            {{ month_start("entries.entry_date") }},
            0,
            0,
            0,
            0,
            case when entries.entry_type = 'order' then 1 else 0 end,
            entries.net_sales
        from {{ ref("int_sales__entries") }} as entries
        cross join told
        where entries.customer_id is not null and told.actions > 0

    ),

    months as (

        select
            customer_id,
            month,
            sum(score) as score,
            sum(positive_actions) as positive_actions,
            sum(negative_actions) as negative_actions,
            sum(lover_actions) as lover_actions,
            sum(purchases) as purchases,
            sum(net_sales) as net_sales
        from changes
        group by customer_id, month

    ),

    so_far as (

        select
            customer_id,
            month,
            sum(score) over history as score,
            sum(positive_actions) over history as positive_actions,
            sum(negative_actions) over history as negative_actions,
            sum(lover_actions) over history as lover_actions,
            sum(purchases) over history > 0 as is_buyer,
            sum(net_sales) over history as net_sales,
            lead(month) over (partition by customer_id order by month) as next_month
        from months
        window history as (partition by customer_id order by month rows unbounded preceding)

    )

select
    so_far.customer_id,
    case
        when so_far.lover_actions > 0 or so_far.score >= tiers.score_from
        then 'lover'
        when so_far.positive_actions > 0
        then 'liker'
        else 'lurker'
    end as advocacy_tier,
    cast(so_far.score as decimal(18, 2)) as score,
    cast(so_far.positive_actions as bigint) as positive_actions,
    cast(so_far.negative_actions as bigint) as negative_actions,
    so_far.is_buyer,
    {{ money("so_far.net_sales") }} as net_sales,
    so_far.month,
    so_far.next_month
from so_far
cross join tiers
where tiers.advocacy_tier = 'lover'
