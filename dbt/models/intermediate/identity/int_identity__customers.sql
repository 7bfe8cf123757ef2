-- Attributes are those of the person's oldest account; where it has none, of the next oldest. Who
-- has said no to messages in one account has said no.
with

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    delivered as (

        select customers.*
        from {{ ref("stg_customers") }} as customers
        cross join {{ ref("int_run__settings") }} as settings
        where
            customers.created_at is null
            or {{ shop_date("customers.created_at", "settings.time_zone") }} <= settings.as_of_date

    ),

    ranked as (

        select
            accounts.customer_id,
            delivered.country_code,
            delivered.language,
            delivered.acquisition_channel,
            delivered.acquisition_campaign,
            delivered.preferred_channel,
            delivered.has_marketing_consent,
            delivered.created_at,
            row_number() over (
                partition by accounts.customer_id
                order by accounts.known_since nulls last, accounts.account_id
            ) as age_rank
        from accounts
        left join delivered on accounts.account_id = delivered.customer_id
        where accounts.customer_id is not null

    ),

    persons as (

        select
            customer_id,
            min_by(country_code, age_rank) filter (where country_code is not null) as country_code,
            min_by(language, age_rank) filter (where language is not null) as language,
            min_by(acquisition_channel, age_rank) filter (
                where acquisition_channel is not null
            ) as acquisition_channel,
            min_by(acquisition_campaign, age_rank) filter (
                where acquisition_campaign is not null
            ) as acquisition_campaign,
            min_by(preferred_channel, age_rank) filter (
                where preferred_channel is not null
            ) as preferred_channel,
            bool_and(has_marketing_consent) as has_marketing_consent,
            min(created_at) as created_at,
            count(*) as accounts
        from ranked
        group by customer_id

    ),

    guests as (

        select distinct emails.customer_id
        from {{ ref("int_identity__emails") }} as emails
        left join persons on emails.customer_id = persons.customer_id
        where emails.customer_id is not null and persons.customer_id is null

    )

select *
from persons
union all
select
    customer_id,
    cast(null as string) as country_code,
    cast(null as string) as language,
    cast(null as string) as acquisition_channel,
    cast(null as string) as acquisition_campaign,
    cast(null as string) as preferred_channel,
    cast(null as boolean) as has_marketing_consent,
    cast(null as timestamp) as created_at,
    0 as accounts
from guests
