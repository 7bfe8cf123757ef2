-- Pointers are doubled: who stands twice as many generations above is the one above the one above.
-- They hold numbers of persons, which join faster than ids.
{%- set rounds = 12 %}
with

    valid as (

        select referrer_customer_id, referred_customer_id
        from {{ ref("int_referrals__judged") }}
        where is_valid and referred_customer_id is not null

    ),

    people as (

        select customer_id, row_number() over (order by customer_id) as person_number
        from
            (
                select referrer_customer_id as customer_id
                from valid
                union
                select referred_customer_id as customer_id
                from valid
            )

    ),

    round_0 as (

        select
            people.person_number,
            referrers.person_number as ancestor_1,
            case when referrers.person_number is null then 0 else 1 end as generation
        from people
        left join valid on people.customer_id = valid.referred_customer_id
        left join people as referrers on valid.referrer_customer_id = referrers.customer_id

    ),

    {% for round in range(rounds) %}
        {% set ancestor = "ancestor_" ~ 2**round %}
        round_{{ round + 1 }} as (

            select
                person_number,
                {% for done in range(round + 1) %} ancestor_{{ 2**done }}, {% endfor %}
                above_{{ ancestor }} as ancestor_{{ 2 ** (round + 1) }},
                generation + coalesce(above_generation, 0) as generation
            from
                {{
                    beside_pointed_at(
                        "round_" ~ round, "person_number", ancestor, [ancestor, "generation"]
                    )
                }}

        ),

    {% endfor %}
    last as (select * from round_{{ rounds }})

select
    people.customer_id,
    people.person_number,
    {% for round in range(rounds) %} last.ancestor_{{ 2**round }}, {% endfor %}
    cast(last.generation as integer) as generation
from last
inner join people on last.person_number = people.person_number
