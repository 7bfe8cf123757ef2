-- Whether they would recommend the shop: who was asked, and what they said. An answer that names
-- nobody stands for somebody of whom nothing else is known; one without a date is none.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    orders as (select * from {{ ref("int_orders__valued") }}),

    answers as (

        select
            responses.source_name,
            responses.response_id,
            coalesce(accounts.customer_id, emails.customer_id, orders.customer_id) as customer_id,
            responses.score,
            {{
                shop_date(
                    "coalesce(responses.invited_at, responses.responded_at)", "settings.time_zone"
                )
            }} as invited_date,
            responses.invited_at is not null as is_invited,
            case
                when
                    accounts.customer_id is null
                    and emails.customer_id is null
                    and responses.responded_at is not null
                then
                    greatest(
                        {{ shop_date("responses.responded_at", "settings.time_zone") }},
                        orders.order_date
                    )
                else {{ shop_date("responses.responded_at", "settings.time_zone") }}
            end as responded_date,
            responses.responded_at,
            settings.as_of_date
        from {{ ref("stg_survey_responses") }} as responses
        cross join settings
        left join accounts on responses.customer_id = accounts.account_id
        left join
            emails
            on case when accounts.customer_id is null then responses.customer_email_hash end
            = emails.email_hash
        left join orders on responses.order_id = orders.order_id
        where responses.survey_type = 'promoter_score'

    ),

    seen as (

        select *, coalesce(score is not null and responded_date <= as_of_date, false) as is_answered
        from answers
        where invited_date <= as_of_date

    )

select
    source_name,
    response_id,
    customer_id,
    coalesce(customer_id, source_name || ':' || response_id) as respondent_id,
    case when is_answered then score end as score,
    is_invited,
    is_answered,
    invited_date,
    case when is_answered then responded_date end as responded_date,
    case when is_answered then responded_at end as responded_at
from seen
