"""How visits become events, and how they and the signals look in the shop's exports."""

# A step happens in visits of its pattern where its condition holds, `tick` paces after the start.
STEPS = """
create temp table steps as
from (values
    (0, 0, 0, 'ad_touch', 0), (0, 1, 1, 'view_page', 0), (0, 2, 2, 'search', 0),
    (0, 3, 3, 'view_product', 1), (0, 4, 4, 'view_product', 2), (0, 5, 5, 'view_product', 3),
    (0, 6, 6, 'basket_add', 1), (0, 7, 7, 'basket_add', 2), (0, 8, 8, 'basket_add', 3),
    (0, 9, 9, 'basket_add', 4), (0, 10, 10, 'basket_remove', 1), (0, 11, 11, 'checkout', 0),
    (0, 12, 12, 'order', 0), (0, 13, 13, 'share', 0), (1, 14, 0, 'register', 0),
    (2, 15, 0, 'mail_open', 0), (2, 16, 1, 'mail_click', 0)
) as steps (pattern, step, tick, kind, number);
create macro cookie_of(number) as 'v' || substr(md5(cast(number as varchar)), 1, 16);
create macro event_no(number) as format('E{{:012d}}', number);
create macro basket_no(visit) as format('B{{:010d}}', visit);
create macro lost_order(person) as format('D7{{:09d}}', person);
create macro term(number) as ({terms})[number + 1];
create macro year_of(second) as year(to_timestamp(second));
create macro is_nth(number, modulus) as
    (number % modulus * 2654435761 + {seed}) % modulus = 0;
"""

# From visits and bots; the people, orders and items are those of the chunk.
EVENTS = """
create or replace temp table events as
with happened as (
    select
        visits.*, step, kind, number, visits.visit * 32 + step as event_number,
        visits.start + tick * pace as moment
    from visits join steps using (pattern)
    where case kind
        when 'ad_touch' then campaign is not null
        when 'search' then term >= 0
        when 'view_product' then number <= views
        when 'basket_add' then number <= basket
        when 'basket_remove' then is_dropped
        when 'checkout' then has_checkout
        when 'order' then order_index >= 0 or lost_order > 0
        when 'share' then has_share
        when 'mail_click' then has_click
        else true end
),
who as (
    select person, kind as person_kind, registered, second_registered, host, is_gbp from people
),
seen as (
    select
        happened.*, orders.order_no, orders.value as order_value,
        orders.customer_number, orders.contact_email as order_email,
        who.person_kind, registered, second_registered, host, coalesce(who.is_gbp, false) as is_gbp,
        coalesce(items.product, (happened.product + happened.number) % 300) as seen_product,
        coalesce(items.quantity, 1) as pieces,
        coalesce(items.price, cast(round(products.price * 100) as bigint)) as price
    from happened
    left join who using (person)
    left join orders using (order_index)
    left join items on items.order_index = happened.order_index
        and items.line = case when happened.kind like 'basket%' then happened.number end
    left join products on products.number = (happened.product + happened.number) % 300
),
told as (
    select
        event_number, moment, kind, person,
        case when pattern < 2 then cookie_of(cookie) end as visitor_cookie,
        case
            when kind = 'order' and order_index >= 0 then customer_number
            when moment >= registered and person_kind <> 1 and (is_logged_in or kind = 'register'
                or (kind = 'checkout' and customer_number is not null))
            then case when moment >= second_registered then second_account(person)
                else account(person) end
        end as account,
        case
            when pattern = 2 then email(person, host)
            when kind = 'order' and order_index >= 0 and customer_number is null then order_email
        end as contact_email,
        case when basket > 0 and kind in (
            'basket_add', 'basket_remove', 'checkout', 'order') then basket_no(visit)
        end as basket_no,
        case when kind <> 'order' then null when lost_order > 0 then lost_order(lost_order)
            else order_no end as order_no,
        case when kind in ('view_product', 'basket_add', 'basket_remove', 'share')
            then sku(seen_product) end as sku,
        case kind
            when 'view_page' then '/'
            when 'search' then '/search'
            when 'view_product' then '/product/' || sku(seen_product)
            when 'checkout' then '/checkout'
            when 'order' then '/thanks'
        end as url,
        case when kind in ('ad_touch', 'view_page') then case channel
            when 'organic_search' then 'https://search.example/'
            when 'paid_search' then 'https://search.example/'
            when 'social' then 'https://social.example/'
            when 'affiliate' then 'https://blogs.example/'
        end end as referrer,
        case when kind in ('ad_touch', 'view_page', 'mail_open', 'mail_click') then channel
        end as source,
        case when kind in ('ad_touch', 'view_page', 'mail_open', 'mail_click') then campaign
        end as campaign,
        case when kind = 'ad_touch' then variant end as variant,
        case when pattern < 2 then ['mobile', 'desktop', 'tablet', 'mobile'][device + 1]
        end as device,
        case when pattern < 2 then [
            'Mozilla/5.0 (Linux; Android 14; Mobile) Demo/1.0',
            'Mozilla/5.0 (X11; Linux x86_64) Demo/1.0',
            'Mozilla/5.0 (Linux; Android 14; Tablet) Demo/1.0',
            'SyntheticShopApp/3.2 (Android 14)'
        ][device + 1] end as user_agent,
        case when kind = 'search' then term(term) end as query,
        case when kind = 'search' then case when term < {known_terms} then 25 else 0 end
        end as hits,
        case when kind in ('basket_add', 'basket_remove') then pieces end as pieces,
        case
            when kind in ('basket_add', 'basket_remove') then price * pieces
            when kind = 'order' then order_value
        end as amount,
        is_gbp, false as is_bot
    from seen
    union all by name
    select
        visit * 32 + hit as event_number, start + hit // 2 as moment, 'view_product' as kind,
        -1 as person, cookie_of(cookie) as visitor_cookie, sku(hit) as sku,
        '/product/' || sku(hit) as url, 'desktop' as device,
        case when is_honest then 'ExampleBot/2.1 (+https://bots.example/about)'
            else 'Mozilla/5.0 (X11; Linux x86_64) Demo/1.0' end as user_agent,
        false as is_gbp, true as is_bot
    from (select *, unnest(range(hits)) as hit from bots)
)
select
    * exclude (event_number), event_no(event_number) as event_no,
    case
        when moment between {late_from} and {late_until} and is_nth(event_number, 37) then 0
        else year_of(moment)
    end as file_period,
    is_nth(event_number, 503) as is_repeated
from told
"""

# Shown and bought, visitor by visitor; summed up at the end.
COUNT_EXPERIMENTS = """
create temp table if not exists shown (campaign varchar, variant varchar, has_bought boolean);
insert into shown
select any_value(campaign), any_value(variant), bool_or(order_index >= 0)
from visits where variant is not null group by cookie
"""
EXPERIMENTS = """
    select
        campaign, variant, count(*) as exposed, count_if(has_bought) as converted
    from shown group by campaign, variant order by campaign, variant"""

EVENT_COLUMNS = """
    event_no, to_timestamp(moment) as happened_at, kind, visitor_cookie, account, contact_email,
    basket_no, order_no, sku, url, referrer, source, campaign, variant, device, user_agent, query,
    cast(hits as integer) as hits, cast(pieces as integer) as pieces, money(amount) as amount,
    case when amount is not null then currency(is_gbp) end as currency"""

EXPORTS = {
    "events_{year}.parquet": f"""
        select {EVENT_COLUMNS} from events where file_period = {{period}}
        union all
        select {EVENT_COLUMNS} from events where file_period = {{period}} and is_repeated
        order by happened_at, event_no""",
    "shipments{planted}.csv.gz": """
        select
            'S' || order_no as parcel_no, order_no, carrier, money(cost) as cost,
            day_date(promised) as promised_on,
            case when shipped > 0 then stamp(shipped) end as handed_over_at,
            case when delivered > 0 then stamp(delivered) end as delivered_at
        from shipped join orders using (order_index) order by parcel_no""",
    "reviews{planted}.jsonl": """
        select
            'V' || row_number() over (partition by orders.order_no order by written)
                || named.order_no as review_no,
            orders.order_no, orders.customer_number as account,
            case when product >= 0 then sku(product) end as sku, stars, stamp(written) as written_at
        from reviewed join orders using (order_index) join items using (order_index, line)
        join orders as named on named.order_index = reviewed.named_after
        order by review_no, order_no""",
    "survey_answers{planted}.csv": """
        select
            'Q' || coalesce(order_no, account(surveyed.person)) || '-' || row_number() over (
                partition by coalesce(order_no, account(surveyed.person)) order by sent
            ) as answer_no,
            case when order_no is null then account(surveyed.person) else customer_number end
                as account,
            case when customer_number is null then contact_email end as contact_email,
            order_no, survey, case when score >= 0 then score end as score, stamp(sent) as sent_at,
            case when answered > 0 then stamp(answered) end as answered_at
        from surveyed left join orders using (order_index) order by answer_no""",
    "support_tickets{planted}.jsonl": """
        select
            'T' || coalesce(order_no, account(asked.person)) || '-' || row_number() over (
                partition by coalesce(order_no, account(asked.person)) order by opened
            ) as ticket_no,
            case when order_no is null then account(asked.person) else customer_number end
                as account,
            case when customer_number is null then contact_email end as contact_email,
            order_no, topic, case when score >= 0 then score end as satisfaction,
            stamp(opened) as opened_at, case when closed > 0 then stamp(closed) end as closed_at
        from asked left join orders using (order_index) order by ticket_no""",
    "referrals{planted}.csv": """
        select
            invite_no(invite) as invite_no,
            case when sent >= inviters.second_registered then second_account(inviter)
                else account(inviter) end as inviter,
            case when is_known_by_account then account(friend) end as friend,
            case
                when not is_known_by_email then null
                when friend < 0 then format('friend{}@example.net', invite)
                when invite % 10 = 0 then upper(email(friend, friends.host))
                else email(friend, friends.host)
            end as friend_email,
            case when counted > 0 then currency(invited.is_gbp) end as currency,
            case when counted > 0 then money(500) end as reward, stamp(sent) as sent_at,
            case when counted > 0 then stamp(counted) end as counted_at
        from invited
        left join people as inviters on inviters.person = inviter
        left join people as friends on friends.person = friend
        order by invite_no""",
    "preferences{planted}.csv": """
        select
            case when answered >= second_registered then second_account(person)
                else account(person) end as account,
            attribute, answer, origin, stamp(answered) as answered_at
        from stated join people using (person) order by account, attribute, answered""",
}

ACCOUNTS = """
    select
        account(person) as customer_number, email, 'Trap' as given_name,
        cast(person % 1000 as varchar) as family_name, null as mobile, 'DE' as country,
        'de' as language, 'direct' as acquired_by, 'no' as newsletter, null as text_messages,
        stamp(registered) as registered_at
    from accounts where is_late = {is_late} order by customer_number"""

SPEND = """
    select
        strftime(day_date(day), '%d.%m.%Y') as day, channel as medium, campaign, 'EUR' as currency,
        money(amount) as cost
    from spent order by day_date(day), medium, campaign"""

TRUTH = {
    "referrals.parquet": """
        select
            invite_no(invite) as referral_no,
            case when referrer >= 0 then account(referrer) end as referrer_id,
            case when people.kind = 1 then email(referred, host)
                when referred >= 0 then account(referred) end as referred_id,
            case when first_order >= 0 then order_no(first_order) end as first_order_no,
            reason = '' as is_valid, nullif(reason, '') as invalid_reason,
            cast(nullif(generation, 0) as integer) as generation, is_planted
        from invited left join people on people.person = referred
        order by referral_no""",
    "preferences.parquet": """
        select
            account(person) as person_id, attribute, arg_max(answer, answered) as value,
            moment(max(answered)) as answered_at
        from stated group by person, attribute order by person_id, attribute""",
    "deliveries.parquet": """
        with dated as (
            select
                order_no, day_date(promised) as promised_date,
                case when delivered > 0 then cast(to_timestamp(delivered) as date) end
                    as delivered_date
            from shipped join orders using (order_index)
        )
        select *, cast(delivered_date - promised_date as integer) as days_late
        from dated order by order_no""",
    "visitors.parquet": """
        select
            visitor_cookie,
            case when any_value(person) >= 0 then any_value(
                case when people.kind = 1 then email(person, host) else account(person) end
            ) end as person_id,
            count(account) + count(contact_email) > 0 as is_identified,
            bool_or(is_bot) as is_bot
        from events left join people using (person)
        where visitor_cookie is not null group by visitor_cookie order by visitor_cookie""",
    "baskets.parquet": """
        with baskets as (
            select
                basket_no, any_value(person) as person, min(moment) as started,
                max(moment) filter (where kind <> 'order') as last_moved,
                bool_or(kind = 'checkout') as has_checkout, bool_or(kind = 'order') as has_purchase,
                money(sum(case kind when 'basket_add' then amount when 'basket_remove' then -amount
                    else 0 end)) as value
            from events where basket_no is not null group by basket_no
        )
        select
            basket_no, any_value(
                case when people.kind = 1 then email(person, host)
                when person >= 0 then account(person) end) as person_id,
            moment(any_value(started)) as started_at,
            moment(any_value(last_moved)) as last_moved_at,
            case when any_value(has_purchase) then 'order' when any_value(has_checkout)
                then 'checkout' else 'basket' end as last_step,
            any_value(baskets.value) as value,
            count(orders.order_no) > 0 as is_ordered
        from baskets left join people using (person)
        left join orders on orders.person = baskets.person and orders.person >= 0
            and orders.is_valid and orders.placed between started and last_moved + 86400
        group by basket_no order by basket_no""",
    "planted.parquet": """
        with in_files as (
            select *, 'events_' || period_label(file_period) || '.parquet' as file from events
        )
        select 'repeated_event' as kind, file, event_no as key, 'the same twice in it' as note
        from in_files where is_repeated
        union all
        select 'late_event', file, event_no, 'of ' || cast(to_timestamp(moment) as date)
        from in_files where file_period = 0
        union all
        select 'purchase_without_order', file, event_no, 'names ' || order_no
        from in_files where order_no like 'D7%'
        union all
        select 'bot', min(file), visitor_cookie, any_value(user_agent)
        from in_files where is_bot group by visitor_cookie
        order by kind, file, key""",
}
