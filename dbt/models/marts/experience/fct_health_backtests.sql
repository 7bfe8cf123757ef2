-- 1. AUC: the probability that of two customers, one who bought again and one who did not, the
-- first had the higher score; ties count one half. It is the mean of the placements of either side.
-- 2. Intervals by DeLong, DeLong and Clarke-Pearson (1988): the variances of the placements on both
-- sides. That of an AUC is taken on log odds, that of the difference on the differences of the
-- placements, customer by customer.
with

    placed as (select * from {{ ref("int_health__placements") }}),

    sides as (

        select
            cut_off_date,
            has_repurchased,
            cast(count(*) as double) as customers,
            {% for score in ["health", "freshness"] %}
                {{ exact_sum(score ~ "_placement") }} as {{ score }}_sum,
                {{ exact_sum(score ~ "_placement * " ~ score ~ "_placement") }}
                as {{ score }}_squares,
            {% endfor %}
            {{
                exact_sum(
                    "(health_placement - freshness_placement) * (health_placement - freshness_placement)"
                )
            }}
            as difference_squares
        from placed
        group by cut_off_date, has_repurchased

    ),

    side_variances as (

        select
            cut_off_date,
            has_repurchased,
            customers,
            health_sum / customers as health_auc,
            freshness_sum / customers as freshness_auc,
            {% for measure, total in [
                ("health", "health_sum"),
                ("freshness", "freshness_sum"),
                ("difference", "(health_sum - freshness_sum)"),
            ] %}
                greatest({{ measure }}_squares - {{ total }} * {{ total }} / customers, 0)
                / nullif(customers - 1, 0)
                / customers as {{ measure }}_variance
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from sides

    ),

    graded as (

        select
            cut_off_date,
            coalesce(max(customers) filter (where has_repurchased), 0) as repurchasers,
            coalesce(max(customers) filter (where not has_repurchased), 0) as others,
            max(health_auc) filter (where has_repurchased) as health_auc,
            max(freshness_auc) filter (where has_repurchased) as freshness_auc,
            sqrt(sum(health_variance)) as health_error,
            sqrt(sum(freshness_variance)) as freshness_error,
            sqrt(sum(difference_variance)) as difference_error
        from side_variances
        group by cut_off_date

    ),

    bounded as (

        select
            *,
            repurchasers >= 10 and others >= 10 as is_graded,
            health_auc - freshness_auc as auc_difference,
            {{ normal_quantile("0.025e0") }} * difference_error as difference_margin
            {% for score in ["health", "freshness"] %}
                {% set odds = score ~ "_auc / nullif(1 - " ~ score ~ "_auc, 0)" %}
                {% set margin = (
                    normal_quantile("0.025e0")
                    ~ " * "
                    ~ score
                    ~ "_error / nullif("
                    ~ score
                    ~ "_auc * (1 - "
                    ~ score
                    ~ "_auc), 0)"
                ) %},
                1 / (1 + exp({{ margin }}) / nullif({{ odds }}, 0)) as {{ score }}_lower,
                1 / (1 + exp(- ({{ margin }})) / nullif({{ odds }}, 0)) as {{ score }}_upper
            {% endfor %}
        from graded

    ),

    graded_rows as (

        select
            cut_off_date,
            is_graded,
            'all' as score_decile,
            case when is_graded then health_auc end as auc,
            case when is_graded then health_lower end as auc_lower,
            case when is_graded then health_upper end as auc_upper,
            case when is_graded then freshness_auc end as days_since_last_auc,
            case when is_graded then freshness_lower end as days_since_last_auc_lower,
            case when is_graded then freshness_upper end as days_since_last_auc_upper,
            case when is_graded then auc_difference end as auc_difference,
            case when is_graded then auc_difference - difference_margin end as auc_difference_lower,
            case when is_graded then auc_difference + difference_margin end as auc_difference_upper,
            case
                when repurchasers < 10
                then 'not graded: fewer than 10 bought again'
                when others < 10
                then 'not graded: fewer than 10 did not buy again'
                when auc_difference > difference_margin
                then 'better than days since the last purchase alone'
                when - auc_difference > difference_margin
                then 'worse than days since the last purchase alone'
                else 'not better than days since the last purchase alone'
            end as verdict
        from bounded

    ),

    counts as (

        select
            cut_off_date,
            score_decile,
            count(*) as customers,
            count(*) filter (where has_repurchased) as repurchased,
            min(health_score) as lowest_score,
            max(health_score) as highest_score
        from placed
        group by cut_off_date, score_decile
        union all
        select
            cut_off_date,
            'all' as score_decile,
            count(*) as customers,
            count(*) filter (where has_repurchased) as repurchased,
            min(health_score) as lowest_score,
            max(health_score) as highest_score
        from placed
        group by cut_off_date

    )

select
    counts.cut_off_date,
    counts.score_decile,
    counts.lowest_score,
    counts.highest_score,
    cast(counts.customers as integer) as customers,
    cast(counts.repurchased as integer) as repurchased_90_days,
    {{ share("counts.repurchased", "counts.customers") }} as repurchase_rate,
    graded_rows.auc,
    graded_rows.auc_lower,
    graded_rows.auc_upper,
    graded_rows.days_since_last_auc,
    graded_rows.days_since_last_auc_lower,
    graded_rows.days_since_last_auc_upper,
    graded_rows.auc_difference,
    graded_rows.auc_difference_lower,
    graded_rows.auc_difference_upper,
    graded_rows.verdict,
    case when graded_rows.is_graded then graded_rows.auc_difference_lower > 0 end as is_better
from counts
left join
    graded_rows
    on counts.cut_off_date = graded_rows.cut_off_date
    and counts.score_decile = graded_rows.score_decile
