-- What customers do, to be held against what they say: an interest is a category that was bought, a
-- channel one by which a campaign reached them. Nobody can be seen to have a motive or a persona.
-- 1. A purchase occasion holds each of its categories once; one of which no category is known is no
-- act.
-- 2. What is only known to be somebody's by its cookie is not known before the first login on it,
-- and stays his when a second person logs in on it later.
with

    bought as (

        select
            numbered.customer_id,
            'interest' as attribute,
            dense_rank() over (
                partition by numbered.customer_id order by numbered.purchase_number
            ) as act_number,
            lines.category as value,
            min_by(numbered.order_id, numbered.order_number) as order_id,
            min(lines.order_date) as done_date,
            min(lines.order_date) as known_date
        from {{ ref("int_orders__numbered") }} as numbered
        inner join
            {{ ref("int_order_lines__priced") }} as lines on numbered.order_id = lines.order_id
        where lines.line_type = 'merchandise' and lines.category is not null
        group by numbered.customer_id, numbered.purchase_number, lines.category

    ),

    reached as (

        select
            customer_id_then as customer_id,
            'channel' as attribute,
            row_number() over (
                partition by customer_id_then order by known_date, touched_at, touch_id
            ) as act_number,
            channel as value,
            cast(null as string) as order_id,
            touch_date as done_date,
            known_date
        from {{ ref("int_campaigns__touches") }}
        where customer_id_then is not null and channel <> 'unknown'

    ),

    acts as (

        select *
        from bought
        union all
        select *
        from reached

    )

select
    customer_id,
    attribute,
    act_number,
    value,
    row_number() over (
        partition by customer_id, attribute, value order by act_number
    ) as times_so_far,
    order_id,
    done_date,
    known_date
from acts
