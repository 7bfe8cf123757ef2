-- Which referrals count. Nobody has two referrers, and nobody refers himself through others.
-- 1. Of those that nothing speaks against, a person's referrer is the one who sent first, and one
-- who sent to an existing customer only if there is no other.
-- 2. Whom nobody knows is referred once by each referrer, as he will be when he comes.
-- 3. Who is on a cycle of referrers is found by following all of them at once, twice as far in each
-- round; the referral of the cycle that was sent last is rejected, one to an existing customer
-- before others.
{%- set rounds = 12 -%}
{%- set sending = "is_existing_customer, sent_at, source_name, referral_id" %}
with

    sent as (select * from {{ ref("int_referrals__sent") }}),

    chosen as (

        select *, row_number() over (order by {{ sending }}) as place_in_time
        from sent
        where invalid_reason is null and referred_customer_id is not null
        qualify row_number() over (partition by referred_customer_id order by {{ sending }}) = 1

    ),

    -- Only who has referred and been referred can be on a cycle.
    between as (

        select
            chosen.referred_customer_id as customer_id,
            chosen.referrer_customer_id,
            chosen.place_in_time
        from chosen
        inner join
            (select distinct referrer_customer_id from chosen) as referrers
            on chosen.referred_customer_id = referrers.referrer_customer_id

    ),

    round_0 as (

        select own.customer_id, above.customer_id as ancestor_id, own.place_in_time as sent_last
        from between as own
        left join between as above on own.referrer_customer_id = above.customer_id

    ),

    {% for round in range(rounds) %}
        round_{{ round + 1 }} as (

            select
                customer_id,
                above_ancestor_id as ancestor_id,
                greatest(sent_last, coalesce(above_sent_last, sent_last)) as sent_last
            from
                {{
                    beside_pointed_at(
                        "round_" ~ round,
                        "customer_id",
                        "ancestor_id",
                        ["ancestor_id", "sent_last"],
                    )
                }}

        ),

    {% endfor %}
    rejected as (

        select distinct chosen.referred_customer_id
        from round_{{ rounds }} as followed
        inner join round_{{ rounds }} as on_cycle on followed.ancestor_id = on_cycle.customer_id
        inner join
            chosen
            on on_cycle.customer_id = chosen.referred_customer_id
            and on_cycle.sent_last = chosen.place_in_time

    ),

    judged as (

        select
            sent.*,
            coalesce(
                sent.invalid_reason,
                case
                    when
                        sent.stranger_email_hash is not null
                        and row_number() over (
                            partition by
                                sent.invalid_reason,
                                sent.referrer_customer_id,
                                sent.stranger_email_hash
                            order by sent.sent_at, sent.source_name, sent.referral_id
                        )
                        > 1
                    then 'repeated'
                    when sent.referred_customer_id is null
                    then null
                    when
                        chosen.referral_id = sent.referral_id
                        and chosen.source_name = sent.source_name
                        and rejected.referred_customer_id is not null
                    then 'cycle'
                    when sent.is_existing_customer
                    then 'already a customer'
                    when
                        chosen.referral_id = sent.referral_id
                        and chosen.source_name = sent.source_name
                    then null
                    when chosen.referrer_customer_id = sent.referrer_customer_id
                    then 'repeated'
                    else 'second referrer'
                end
            ) as reason
        from sent
        left join chosen on sent.referred_customer_id = chosen.referred_customer_id
        left join rejected on sent.referred_customer_id = rejected.referred_customer_id

    )

select
    source_name,
    referral_id,
    referrer_customer_id,
    referred_customer_id,
    reason as invalid_reason,
    referred_customer_id is not null or stranger_email_hash is not null as names_somebody,
    reason is null as is_valid,
    reason is null and first_order_id is not null as is_converted,
    reward_amount,
    case when reason is null then first_order_id end as first_order_id,
    sent_date,
    sent_at,
    case when reason is null then first_ordered_at end as converted_at
from judged
