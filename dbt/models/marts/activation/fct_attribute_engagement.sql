-- 1. Of each month those whose latest answer before it was the value; what is observed would only
-- say that who buys, buys, and nobody knows since when the channel of an account has been so.
-- 2. Visits as known by the month's end: a login in a later month must not liven up an earlier one.
{%- set z = "1.959963984540054e0" %}
{%- set rates = [
    ("engagement_rate", "engaged_customers", "customers"),
    ("repurchase_rate_in_month", "buyers_again", "buyers"),
] %}
with

    settings as (select * from {{ ref("int_run__settings") }}),

    months as (

        select
            periods.period_start as month,
            least(periods.period_end, settings.as_of_date) as last_date,
            periods.is_complete
        from {{ ref("int_calendar__periods") }} as periods
        cross join settings
        where periods.period_type = 'month'

    ),

    answers as (

        select stated.*, coalesce(stated.next_answered_date, date '9999-12-31') as until_date
        from {{ ref("int_preferences__stated") }} as stated

    ),

    purchases as (select * from {{ ref("int_purchases__occasions") }}),

    visits as (

        select distinct months.month, identified.customer_id_then as customer_id
        from {{ ref("int_events__sessions") }} as sessions
        inner join
            {{ ref("int_sessions__identified") }} as identified
            on sessions.session_id = identified.session_id
        inner join months on {{ month_start("sessions.event_date") }} = months.month
        where
            sessions.bot_reason is null
            and identified.customer_id_then is not null
            and identified.known_from <= months.last_date
            and coalesce(identified.known_until, date '9999-12-31') >= months.last_date

    ),

    months_with_visits as (select distinct month from visits),

    bought as (

        select distinct {{ month_start("purchase_date") }} as month, customer_id from purchases

    ),

    buyers as (

        select customer_id, min(purchase_date) as first_purchase_date
        from purchases
        group by customer_id

    ),

    counted as (

        select
            months.month,
            answers.attribute,
            lower(answers.value) as value,
            months.is_complete,
            months_with_visits.month is not null as has_visits,
            count(*) as customers,
            count(*) filter (
                where visits.customer_id is not null or bought.customer_id is not null
            ) as engaged_customers,
            count(*) filter (where buyers.first_purchase_date < months.month) as buyers,
            count(*) filter (
                where buyers.first_purchase_date < months.month and bought.customer_id is not null
            ) as buyers_again,
            avg(
                cast({{ days_between("answers.answered_date", "months.month") }} as double)
            ) as mean_days_since_answer
        from answers
        inner join
            months on answers.answered_date < months.month and answers.until_date >= months.month
        left join months_with_visits on months.month = months_with_visits.month
        left join visits on months.month = visits.month and answers.customer_id = visits.customer_id
        left join bought on months.month = bought.month and answers.customer_id = bought.customer_id
        left join buyers on answers.customer_id = buyers.customer_id
        group by
            months.month,
            answers.attribute,
            lower(answers.value),
            months.is_complete,
            months_with_visits.month is not null

    ),

    rated as (

        select
            month,
            attribute,
            value,
            customers,
            case when has_visits then engaged_customers end as engaged_customers,
            buyers,
            buyers_again,
            {% for rate, part, whole in rates %}
                {{
                    share(
                        (
                            part
                            if whole == "buyers"
                            else "case when has_visits then " ~ part ~ " end"
                        ),
                        whole,
                    )
                }} as {{ rate }},
            {% endfor %}
            mean_days_since_answer,
            is_complete
        from counted

    )

select
    month,
    attribute,
    value,
    cast(customers as integer) as customers,
    cast(engaged_customers as integer) as engaged_customers,
    cast(buyers as integer) as buyers,
    cast(buyers_again as integer) as buyers_again,
    {% for rate, _, whole in rates %}
        {{ rate }},
        {% for bound, sign in [("lower", "-"), ("upper", "+")] %}
            {{ wilson_bound(rate, "nullif(" ~ whole ~ ", 0)", z, sign) }} as {{ rate }}_{{ bound }},
        {% endfor %}
    {% endfor %}
    mean_days_since_answer,
    is_complete
from rated
