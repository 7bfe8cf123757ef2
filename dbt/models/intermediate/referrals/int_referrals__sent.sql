-- Who referred whom, what it cost, and what speaks against a referral by itself. Dates are compared
-- and not moments: files that know the day only must not turn a new customer into an old one.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    rates as (select * from {{ ref("int_exchange_rates__periods") }}),

    currencies as (select * from {{ ref("currencies") }}),

    first_orders as (

        select numbered.customer_id, orders.order_id, orders.order_date, orders.ordered_at
        from {{ ref("int_orders__numbered") }} as numbered
        inner join {{ ref("int_orders__valued") }} as orders on numbered.order_id = orders.order_id
        where numbered.order_number = 1

    ),

    known as (

        select
            accounts.customer_id,
            {{ shop_date("accounts.known_since", "settings.time_zone") }} as known_on
        from accounts
        cross join settings
        where accounts.customer_id is not null and accounts.known_since is not null
        union all
        select customer_id, order_date
        from first_orders

    ),

    customers as (select customer_id, min(known_on) as since_date from known group by customer_id),

    sent as (

        select
            referrals.source_name,
            referrals.referral_id,
            referrers.customer_id as referrer_customer_id,
            coalesce(accounts.customer_id, emails.customer_id) as referred_customer_id,
            case
                when accounts.customer_id is null and emails.email_hash is null
                then referrals.referred_email_hash
            end as stranger_email_hash,
            coalesce(referrals.currency, settings.reporting_currency) as currency,
            settings.reporting_currency,
            referrals.reward_amount as stated_reward_amount,
            referrals.sent_at,
            {{ shop_date("referrals.sent_at", "settings.time_zone") }} as sent_date,
            {{
                shop_date(
                    "coalesce(referrals.converted_at, referrals.sent_at)", "settings.time_zone"
                )
            }} as reward_date,
            settings.as_of_date
        from {{ ref("stg_referrals") }} as referrals
        cross join settings
        left join accounts as referrers on referrals.referrer_customer_id = referrers.account_id
        left join accounts on referrals.referred_customer_id = accounts.account_id
        left join
            emails
            on case when accounts.customer_id is null then referrals.referred_email_hash end
            = emails.email_hash
        where {{ shop_date("referrals.sent_at", "settings.time_zone") }} <= settings.as_of_date

    ),

    -- A device on which more than ten have logged in is a company's, and no household's.
    devices as (

        select source_name, anonymous_id
        from {{ ref("int_identity__logins") }}
        group by source_name, anonymous_id
        having count(*) between 2 and 10

    ),

    households as (

        select distinct sent.referrer_customer_id, sent.referred_customer_id
        from sent
        inner join
            {{ ref("int_identity__logins") }} as own on sent.referrer_customer_id = own.customer_id
        inner join
            devices
            on own.source_name = devices.source_name
            and own.anonymous_id = devices.anonymous_id
        inner join
            {{ ref("int_identity__logins") }} as other
            on own.source_name = other.source_name
            and own.anonymous_id = other.anonymous_id
            and sent.referred_customer_id = other.customer_id

    )

select
    sent.source_name,
    sent.referral_id,
    sent.referrer_customer_id,
    sent.referred_customer_id,
    sent.stranger_email_hash,
    case
        when sent.referrer_customer_id is null
        then 'unknown referrer'
        when sent.referrer_customer_id = sent.referred_customer_id
        then 'self-referral'
        when households.referrer_customer_id is not null
        then 'same household'
        when referrers.since_date > sent.sent_date
        then 'referrer not registered yet'
    end as invalid_reason,
    coalesce(referred.since_date < sent.sent_date, false) as is_existing_customer,
    sent.currency,
    sent.stated_reward_amount,
    case
        when sent.reward_date <= sent.as_of_date
        then
            {{
                round_money(
                    "sent.stated_reward_amount * case when sent.currency = sent.reporting_currency then 1 else rates.rate end",
                    "currencies",
                )
            }}
    end as reward_amount,
    first_orders.order_id as first_order_id,
    first_orders.ordered_at as first_ordered_at,
    sent.sent_date,
    sent.reward_date,
    sent.sent_at
from sent
inner join currencies on sent.reporting_currency = currencies.currency
left join
    rates
    on sent.currency = rates.currency
    and sent.reward_date between rates.valid_from and rates.valid_to
left join customers as referrers on sent.referrer_customer_id = referrers.customer_id
left join customers as referred on sent.referred_customer_id = referred.customer_id
left join first_orders on sent.referred_customer_id = first_orders.customer_id
left join
    households
    on sent.referrer_customer_id = households.referrer_customer_id
    and sent.referred_customer_id = households.referred_customer_id
