-- 1. Of several versions of an account the latest counts.
-- 2. A name is words of letters, joined by one hyphen, apostrophe, middle dot or blank: no digits,
-- no signs, no initials alone, no letter only repeated, none of the seed's placeholders. Marks and
-- invisible joiners belong to the letters of many scripts; letters that are raised, joined, half or
-- full width, mathematical or mere fillers only stand for others.
-- 3. An address has one @ and a domain; a number has a country code. What is not so is empty.
{{ config(schema="pii") }}
{%- set letters = "\\p{L}[\\p{L}\\p{M}\\x{200C}\\x{200D}]*" %}
{%- set joints = "([-''’‘ʼʻ·・]|[.]? )" %}
{%- set fancy = (
    "[ſ\\x{0640}\\x{115F}\\x{1160}\\x{3130}-\\x{318F}\\x{02B0}-\\x{02B8}\\x{02E0}-\\x{02E4}"
    ~ "\\x{1D00}-\\x{1DBF}\\x{2071}-\\x{214F}"
    ~ "\\x{FB00}-\\x{FDFF}\\x{FE70}-\\x{FFDC}\\x{1D400}-\\x{1D7FF}]"
) %}
{%- set sendable = '[^ \\s\\p{C}@,;:<>()"\\[\\]\\\\]+' %}

with

    delivered as ({{ union_connectors("customers") }}),

    placeholders as (select * from {{ ref("placeholder_names") }}),

    latest as (

        select
            *, trim(email) as address, translate(replace(phone, '(0)', ''), ' ./()-', '') as dialled
        from delivered
        qualify
            row_number() over (
                partition by source_name, customer_id
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    ),

    given as (

        select first_name as name
        from latest
        union
        select last_name
        from latest

    ),

    spaced as (

        select name, trim({{ replace_all("name", "[\\s\\x{A0}\\x{202F}]+", " ") }}) as spaced_name
        from given
        where name is not null

    ),

    lettered as (

        select
            *,
            lower(
                {{
                    replace_all(
                        "translate(spaced_name, '-·・''’‘ʼʻ.', '        ')",
                        "[\\x{200C}\\x{200D}]",
                        "",
                    )
                }}
            ) as comparable_name
        from spaced
        where
            length(spaced_name) between 1 and 40
            and regexp_replace(spaced_name, '^{{ letters }}({{ joints }}{{ letters }})*[.]?$', '')
            = ''
            and regexp_replace(spaced_name, '{{ fancy }}', '') = spaced_name

    ),

    -- What has no capitals is written in a script of which one letter, or two alike, may be a name.
    counted as (

        select
            *,
            lower(spaced_name) <> upper(spaced_name) as has_case,
            length(comparable_name) as letters,
            length(replace(comparable_name, substr(comparable_name, 1, 1), '')) as other_letters
        from lettered
        where regexp_replace(spaced_name, '[\p{Lu}\p{Ll}\p{Lt}\p{Lo}]', '') <> spaced_name

    ),

    names as (

        select counted.name, counted.spaced_name as clean_name
        from counted
        left join placeholders as whole on counted.comparable_name = whole.name
        left join
            placeholders as first_words
            on split_part(counted.comparable_name, ' ', 1) = first_words.name
        left join
            placeholders as last_words
            on split_part(counted.comparable_name, ' ', -1) = last_words.name
        where
            whole.name is null
            and first_words.name is null
            and last_words.name is null
            and (counted.other_letters > 0 or (not counted.has_case and counted.letters < 3))
            and (
                not counted.has_case
                or regexp_replace(counted.spaced_name, '\p{L}[\p{L}\p{M}]', '')
                <> counted.spaced_name
            )

    ),

    dialled as (

        select
            *,
            case
                when substr(dialled, 1, 2) = '00' then '+' || substr(dialled, 3) else dialled
            end as international
        from latest

    ),

    named as (

        select
            dialled.*,
            first_names.clean_name as clean_first_name,
            last_names.clean_name as clean_last_name
        from dialled
        left join names as first_names on dialled.first_name = first_names.name
        left join names as last_names on dialled.last_name = last_names.name

    )

select
    latest.source_name,
    {{ source_key("customer_id", "customer") }} as customer_id,
    latest.email_hash,
    latest.phone_hash,
    case
        when
            length(latest.address) <= 254
            and regexp_replace(
                latest.address, '^{{ sendable }}@{{ sendable }}[.](\p{L}{2,}|xn--[a-z0-9-]+)$', ''
            )
            = ''
            and latest.address not like '%..%'
            and latest.address not like '.%'
            and latest.address not like '%.@%'
            and latest.address not like '%@.%'
        then latest.address
    end as email_address,
    case
        when regexp_replace(latest.international, '^[+][1-9][0-9]{7,14}$', '') = ''
        then latest.international
    end as phone_number,
    latest.clean_first_name as first_name,
    latest.clean_last_name as last_name,
    latest.country_code,
    latest.language,
    latest.acquisition_channel,
    latest.acquisition_campaign,
    {{
        impersonal(
            "latest.preferred_channel", ["latest.clean_first_name", "latest.clean_last_name"]
        )
    }} as preferred_channel,
    latest.has_marketing_consent,
    latest.has_sms_consent,
    latest.created_at,
    latest.updated_at
from named as latest
cross join {{ ref("stg_sources") }} as sources
