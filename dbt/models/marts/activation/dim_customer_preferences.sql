-- Stated beats observed; a dated answer beats the channel that stands in the account.
with

    stated as (

        select customer_id, attribute, value, origin, answered_at
        from {{ ref("int_preferences__stated") }}
        where next_answered_date is null

    ),

    of_accounts as (

        select
            customer_id,
            'channel' as attribute,
            nullif({{ single_blanks("preferred_channel") }}, '') as value
        from {{ ref("int_identity__customers") }}

    ),

    said as (

        select *
        from stated
        union all
        select
            of_accounts.customer_id,
            of_accounts.attribute,
            of_accounts.value,
            'account',
            cast(null as timestamp)
        from of_accounts
        left join
            stated
            on of_accounts.customer_id = stated.customer_id
            and of_accounts.attribute = stated.attribute
        where of_accounts.value is not null and stated.customer_id is null

    ),

    observed as (select * from {{ ref("int_preferences__observed") }})

select
    coalesce(said.customer_id, observed.customer_id) as customer_id,
    coalesce(said.attribute, observed.attribute) as attribute,
    coalesce(said.value, observed.value) as value,
    case when said.customer_id is not null then 'stated' else 'observed' end as source,
    said.value as stated_value,
    said.origin as stated_origin,
    observed.value as observed_value,
    observed.share_of_acts as observed_share,
    cast(observed.acts as integer) as observations,
    said.answered_at
from said
full outer join
    observed on said.customer_id = observed.customer_id and said.attribute = observed.attribute
