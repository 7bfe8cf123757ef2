-- 1. A term that fewer than three visitors have searched, and in which a word is some customer's
-- name, may be that customer: it is told as "(name)".
-- 2. All of time counts, so that what many search is told for the first of them, too.
with

    terms as (

        select
            {{ single_blanks("lower(events.search_term)") }} as term,
            count(distinct events.visitor_id) as visitors
        from {{ ref("int_events__sessionized") }} as events
        inner join
            {{ ref("int_events__sessions") }} as sessions on events.session_id = sessions.session_id
        where
            events.event_type = 'search'
            and sessions.bot_reason is null
            and {{ single_blanks("events.search_term") }} <> ''
        group by 1

    ),

    words_of_terms as (select term, {{ each_word("term") }} as word from terms where visitors < 3),

    given as (

        select first_name as name
        from {{ ref("stg_contacts") }}
        union
        select last_name
        from {{ ref("stg_contacts") }}

    ),

    words_of_names as (select {{ each_word("name") }} as word from given where name is not null),

    names as (

        select distinct words_of_terms.term
        from words_of_terms
        inner join words_of_names on words_of_terms.word = words_of_names.word
        where words_of_terms.word <> ''

    )

select
    terms.term,
    terms.visitors,
    case when names.term is not null then '(name)' else terms.term end as told_as
from terms
left join names on terms.term = names.term
