"""How a simulated chunk becomes the records of the shop's exports and of the truth about them."""

# {first_day} and {last_day} are those of the history, {planted} the period of what is planted.
MACROS = """
create macro money(cents) as cast(cents * 0.01 as decimal(18, 2));
create macro moment(second) as make_timestamp(second * 1000000);
create macro stamp(second) as strftime(to_timestamp(second), '%Y-%m-%dT%H:%M:%S%z') || ':00';
create macro day_date(day) as date '{first_day}' + cast(day as integer);
create macro account(person) as format('C{{:09d}}', person + 1);
create macro second_account(person) as format('C9{{:08d}}', person + 1);
create macro email(person, host) as format('customer{{}}@example.{{}}', person + 1, host);
create macro number_of(person) as person - case when person % 180 = 93 then 90 else 0 end;
create macro mobile(person) as case
    when person % 9 = 3 then regexp_replace(
        format('+999 {{:09d}}', number_of(person)), '(\\d{{3}})(\\d{{3}})$', ' \\1 \\2')
    when person % 9 = 6 then format('0{{:09d}}', number_of(person)) end;
create macro no_name(person) as
    ['Customer', '{{{{first_name}}}}', '%%NAME%%', 'test', null][person % 5 + 1];
create macro currency(is_gbp) as case when is_gbp then 'GBP' else 'EUR' end;
create macro order_no(number) as format('D{{:010d}}', number);
create macro invite_no(number) as format('I{{:010d}}', number);
create macro sku(number) as format('P{{:04d}}', number);
create macro period_label(period) as
    case period when 0 then 'late_{last_day}' when {planted} then 'planted'
    else cast(period as varchar) end;
create macro late_label(period) as
    case period when 0 then '_late_{last_day}' when {planted} then '_planted' else '' end;
"""

# The simulated arrays are people, sold, items, paid, refunded. `versions` and `item_versions` have
# a row per record exported; `file_period` is its file: that of a year, or 0 for the late one.
CHUNK_TABLES = """
create or replace temp table orders as
select
    sold.*,
    order_no(order_number) as order_no,
    day_date(day) as order_date,
    case
        when sold.person < 0 then null
        when kind = 1 then email(sold.person, host)
        else account(sold.person)
    end as person_id,
    case
        when not has_account then null
        when uses_second_account then second_account(sold.person)
        else account(sold.person)
    end as customer_number,
    case
        when sold.person < 0 then null
        when spelling = 1 then upper(email(sold.person, host))
        when spelling = 2 then '  ' || email(sold.person, host) || ' '
        else email(sold.person, host)
    end as contact_email
from sold left join people on people.person = sold.person;

create or replace temp table versions as
select * replace (first_state as state, first_changed as changed), period as file_period
from orders
union all
select * replace (first_state as state, first_changed as changed), period + 1
from orders where is_repeated
union all
select * replace (again_state as state, again_changed as changed), 0
from orders where again_state is not null;

create or replace temp table item_versions as
with sold_items as (select * from items join orders using (order_index))
select *, period as file_period from sold_items
union all
select *, period + 1 from sold_items where is_repeated;
"""

# Written once.
PRODUCTS = """
    select
        sku(number) as sku, title, category,
        'Brand ' || chr(cast(65 + number % 7 as integer)) as brand,
        case when number % 40 <> 7 then
            cast(price * (0.35 + 0.05 * (number * 7 % 6)) as decimal(18, 2))
        end as purchase_price
    from products order by number"""
RATES = "select strftime(day, '%d.%m.%Y') as day, 'GBP' as base, 'EUR' as quote, rate from rates"

# Written per chunk: file and query. A file with {year} is written for each period, one with {late}
# for late orders and for the others.
EXPORTS = {
    "customers.csv": """
        select
            account(person) as customer_number, email(person, host) as email,
            case when is_nameless then no_name(person) else given_name end as given_name,
            case when is_nameless then format('{}', person + 1) else family_name end as family_name,
            mobile(person) as mobile, country, language, channel as acquired_by,
            case when newsletter then 'yes' else 'no' end as newsletter,
            case when person % 9 = 3 then 'yes' else 'no' end as text_messages,
            stamp(registered) as registered_at
        from people where kind <> 1
        union all
        select
            second_account(person), upper(email(person, host)), given_name, family_name, null,
            country, language, 'direct', case when person % 2 = 0 then 'no' end, null,
            stamp(second_registered)
        from people where is_shared
        order by customer_number""",
    "do_not_contact.csv": """
        select
            case when person % 9 in (0, 6) then account(person) end as account,
            case when person % 3 <> 0 then upper(email(person, host)) end as email,
            case when person % 9 = 3 then format('00999{:09d}', number_of(person)) end as mobile,
            case person % 5 when 1 then 'email' when 2 then 'sms' else 'any' end as way,
            case person % 5 when 1 then 'bounced' else 'asked us' end as because
        from people where kind <> 1 and person % 37 = 5 order by person""",
    "orders_{year}.csv": """
        select
            order_no, customer_number, contact_email, state, currency(is_gbp) as currency,
            shop_channel, utm_source, campaign as utm_campaign, device, country as ship_country,
            coupon, money(goods_gross) as goods_total, money(coupon_amount) as coupon_amount,
            money(shipping) as shipping, money(tax) as tax, money(tip) as tip,
            stamp(placed) as placed_at, stamp(changed) as changed_at
        from versions where file_period = {period} order by order_no""",
    "order_items_{year}.parquet": """
        select
            order_no, cast(line as integer) as line_no,
            case when product >= 0 then sku(product) end as sku, kind,
            cast(quantity as integer) as pieces, money(price) as list_price,
            money(discount) as rebate
        from item_versions where file_period = {period} order by order_no, line""",
    "payments{late}.csv.gz": """
        select
            order_no, order_no || '-' || part as payment_no, method, money(amount) as amount,
            money(fee) as fee, stamp(paid) as paid_at
        from paid join orders using (order_index)
        where (period = 0) = {is_late} order by order_no, part""",
    "refunds{late}.jsonl": """
        select
            'R' || order_no as refund_no, case when not is_detached then order_no end as order_no,
            case when line > 0 and not is_detached then line end as line_no,
            customer_number as account, currency(is_gbp) as currency, why as reason,
            money(refund) as amount, stamp(refunded) as refunded_at
        from refunded join orders using (order_index)
        where (period = 0) = {is_late} order by refund_no""",
}

TRUTH = {
    "customers.parquet": """
        with firsts as (
            select person, min(order_date) as day from orders where is_valid group by person
        )
        select
            case when kind = 1 then email(person, host) else account(person) end as person_id,
            case when is_shared then second_account(person) end as second_customer_number,
            ['account', 'guest', 'visitor'][kind + 1] as kind,
            channel, country, is_discount_seeker,
            cast(case when kind <> 2 then purchase_rate end as double) as purchase_rate_per_day,
            cast(case when kind <> 2 then drop_out_chance end as double) as drop_out_chance,
            cast(case when kind <> 2 then mean_value end as double) as mean_value_eur,
            purchases, firsts.day as first_purchase_date,
            case when dropped_day >= 0 then day_date(dropped_day) end as dropped_out_date
        from people left join firsts using (person)
        order by person""",
    "orders.parquet": """
        select
            order_no, person_id,
            case when person < 0 then 'nobody' when has_account then 'account' else 'guest' end
                as placed_as,
            order_date, moment(placed) as placed_at, currency(is_gbp) as currency,
            money(value) as value, is_valid, nullif(reason, '') as invalid_reason,
            case when is_valid and person >= 0 then
                dense_rank() over (partition by person, is_valid order by day)
            end as purchase_number
        from orders order by order_no""",
    "refunds.parquet": """
        select
            'R' || order_no as refund_no, order_no, person_id, why as reason,
            money(refund) as amount, moment(refunded) as refunded_at, is_detached
        from refunded join orders using (order_index) order by refund_no""",
    "planted.parquet": """
        with refunds as (
            select *, 'R' || order_no as refund_no,
                'refunds' || late_label(period) || '.jsonl' as file,
                cast(timezone('Europe/Berlin', to_timestamp(refunded)) as date) as refund_date
            from refunded join orders using (order_index)
        ),
        in_orders as (select *, 'orders_' || period_label(period) || '.csv' as file from orders)
        select 'repeated_order' as kind, 'orders_' || (period + 1) || '.csv' as file,
            order_no as key, 'the same in ' || file as note
        from in_orders where is_repeated
        union all
        select 'repeated_line', 'order_items_' || file_period || '.parquet',
            order_no || ':' || line, 'the same in order_items_' || period || '.parquet'
        from item_versions where file_period = period + 1
        union all
        select 'late_order', file, order_no, 'placed on ' || order_date
        from in_orders where period = 0
        union all
        select 'status_changed', 'orders_' || period_label(0) || '.csv', order_no,
            first_state || ', later ' || again_state
        from in_orders where again_changed > first_changed
        union all
        select 'stale_copy', 'orders_' || period_label(0) || '.csv', order_no,
            'an older state than in ' || file
        from in_orders where again_state is not null and again_changed < first_changed
        union all
        select 'order_without_customer', file, order_no, 'placed by ' || shop_channel
        from in_orders where person < 0
        union all
        select 'guest_order_of_account', file, order_no, 'belongs to ' || person_id || ', e-mail '
            || ['as in the account', 'in upper case', 'padded with spaces'][spelling + 1]
        from in_orders where is_as_guest
        union all
        select reason, file, order_no, 'not valid' from in_orders where not is_valid
        union all
        select 'same_day_order', file, order_no,
            'another order of ' || person_id || ' on ' || order_date
        from in_orders where is_valid and person >= 0
        qualify row_number() over (partition by person, day order by placed, order_no) > 1
        union all
        select 'shared_email', 'customers.csv', second_account(person),
            'the e-mail of ' || account(person)
        from people where is_shared
        union all
        select 'refund_after_month_end', file, refund_no,
            'refunds ' || order_no || ' of ' || order_date
        from refunds where date_trunc('month', refund_date) > date_trunc('month', order_date)
        union all
        select 'refund_for_defect', file, refund_no, 'refunds ' || order_no
        from refunds where why = 'defect'
        union all
        select 'refund_without_order', file, refund_no, 'belongs to ' || order_no
        from refunds where is_detached
        order by kind, file, key""",
}
