-- 1. The channel that the customer prefers, by his latest answer, else by his account, where it is
-- open; else e-mail, else a text message.
-- 2. The language is that of the account written to, else of the person, where there is a greeting
-- in it; else the shop's. Of a code like de-AT the first part counts.
-- 3. Who is held out is decided by a keyed hash of the customer's id: the same one every day, and
-- nobody without the key can tell who.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    greetings as (select * from {{ ref("greetings") }}),

    persons as (select * from {{ ref("int_identity__customers") }}),

    channels as (select * from {{ ref("int_contacts__channels") }}),

    stated as (

        select customer_id, value
        from {{ ref("int_preferences__stated") }}
        where attribute = 'channel' and next_answered_date is null

    ),

    known as (

        select
            customer_id,
            count(*) filter (where is_permitted) as permitted,
            count(*) filter (where is_permitted and is_usable) as usable
        from channels
        group by customer_id

    ),

    chosen as (

        select channels.*
        from channels
        inner join persons on channels.customer_id = persons.customer_id
        left join stated on channels.customer_id = stated.customer_id
        where channels.is_open
        qualify
            row_number() over (
                partition by channels.customer_id
                order by
                    case
                        when
                            channels.channel
                            = lower(trim(coalesce(stated.value, persons.preferred_channel)))
                        then 1
                        else 2
                    end,
                    channels.channel
            )
            = 1

    ),

    spoken as (

        select
            persons.customer_id,
            chosen.channel,
            chosen.account_id,
            coalesce(chosen.has_clean_name, false) as has_clean_name,
            coalesce(own.language, others.language, settings.language) as language,
            case
                when chosen.channel is not null
                then null
                when coalesce(known.permitted, 0) = 0
                then 'no consent'
                when known.usable = 0
                then 'no channel'
                else 'suppressed'
            end as unreachable_because,
            md5(settings.holdout_salt || persons.customer_id) < settings.holdout_below as is_holdout
        from persons
        cross join settings
        left join known on persons.customer_id = known.customer_id
        left join chosen on persons.customer_id = chosen.customer_id
        left join
            greetings as own
            on split_part(translate(lower(trim(chosen.language)), '_', '-'), '-', 1) = own.language
        left join
            greetings as others
            on split_part(translate(lower(trim(persons.language)), '_', '-'), '-', 1)
            = others.language

    )

select
    spoken.customer_id,
    spoken.channel,
    spoken.account_id,
    spoken.language,
    spoken.unreachable_because,
    spoken.has_clean_name and greetings.with_name is not null as has_clean_greeting,
    spoken.is_holdout
from spoken
left join greetings on spoken.language = greetings.language
