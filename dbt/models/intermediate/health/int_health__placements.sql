-- The place of each customer among those of the other outcome at the same cut-off, by the health
-- score and by freshness (how few days since the last purchase): for who bought again, the share of
-- the others that he is above; for who did not, the share of the buyers above him; ties one half.
-- Deciles by midranks: customers of one score are in one decile, and some may have nobody.
with

    scores as (

        select
            cut_off_date,
            customer_id,
            health_score as health,
            - days_since_last_purchase as freshness,
            has_repurchased,
            case when has_repurchased then 1 else 0 end as repurchased
        from {{ ref("int_health__scores") }}
        where has_repurchased is not null and health_score is not null

    ),

    counted as (

        select
            *,
            count(*) over (partition by cut_off_date) as customers,
            sum(repurchased) over (partition by cut_off_date) as repurchasers
            {% for score in ["health", "freshness"] %}
                {% set up_to = (
                    "(partition by cut_off_date order by "
                    ~ score
                    ~ " range between unbounded preceding and current row)"
                ) %}
                {% set alike = (
                    "(partition by cut_off_date order by "
                    ~ score
                    ~ " range between current row and current row)"
                ) %},
                2 * count(*) over {{ up_to }}
                - count(*) over {{ alike }} as twice_{{ score }}_below,
                2 * sum(repurchased) over {{ up_to }}
                - sum(repurchased) over {{ alike }} as twice_{{ score }}_repurchasers_below
            {% endfor %}
        from scores

    )

select
    cut_off_date,
    customer_id,
    health as health_score,
    has_repurchased,
    cast({{ integer_divide("5 * twice_health_below", "customers") }} + 1 as string) as score_decile,
    {% for score in ["health", "freshness"] %}
        case
            when has_repurchased
            then
                (twice_{{ score }}_below - twice_{{ score }}_repurchasers_below)
                / (2e0 * nullif(customers - repurchasers, 0))
            else 1 - twice_{{ score }}_repurchasers_below / (2e0 * nullif(repurchasers, 0))
        end as {{ score }}_placement
        {%- if not loop.last %},{% endif %}
    {% endfor %}
from counted
