-- A customer is known from the first invoice on, be it one that cancels.
with

    lines as (select * from {{ ref("base_online_retail__lines") }}),

    countries as (select * from {{ ref("online_retail_countries") }}),

    first_lines as (

        select *
        from lines
        where customer_id is not null
        qualify
            row_number() over (
                partition by customer_id order by invoiced_at, invoice_no, line_number
            )
            = 1

    )

select
    'online_retail' as source_name,
    first_lines.customer_id,
    cast(null as string) as email,
    cast(null as string) as email_hash,
    cast(null as string) as first_name,
    cast(null as string) as last_name,
    cast(null as string) as phone,
    cast(null as string) as phone_hash,
    countries.country_code,
    cast(null as string) as language,
    cast(null as string) as acquisition_channel,
    cast(null as string) as acquisition_campaign,
    cast(null as string) as preferred_channel,
    cast(null as boolean) as has_marketing_consent,
    cast(null as boolean) as has_sms_consent,
    first_lines.invoiced_at as created_at,
    cast(null as timestamp) as updated_at,
    first_lines._file,
    first_lines._row
from first_lines
left join countries on first_lines.country = countries.country
