-- 1. Tiers are those of the customers who had bought by the end of the month, by what they had done
-- by then; a month holds the changes, and their sums so far are the stock.
-- 2. An answer counts in the month in which it was given, the last one of each person. Invitations
-- count in that in which they were sent, with their answers whenever these came.
-- 3. Bounds of NPS are those of Agresti and Coull's kind: three quarters of a promoter and of a
-- detractor and three halves of a passive are added before the variance is taken.
{%- set z = "1.959963984540054e0" -%}
{%- set tiers = ["lurker", "liker", "lover"] %}
with

    answers as (select * from {{ ref("int_advocacy__answers") }}),

    standings as (select * from {{ ref("int_advocacy__standings") }} where is_buyer),

    known as (

        select
            min(first_month) as first_month,
            sum(tier_facts) > 0 as has_tiers,
            sum(survey_facts) > 0 as has_surveys,
            sum(invitations) > 0 as has_invitations
        from
            (
                select
                    {{ month_start("min(acted_date)") }} as first_month,
                    count(*) as tier_facts,
                    0 as survey_facts,
                    0 as invitations
                from {{ ref("int_advocacy__actions") }}
                union all
                select
                    {{ month_start("min(invited_date)") }},
                    0,
                    count(*),
                    count(*) filter (where is_invited)
                from answers
            )

    ),

    months as (

        select
            periods.period_start as month,
            periods.is_complete,
            known.has_tiers,
            known.has_surveys,
            known.has_invitations,
            known.first_month
        from {{ ref("int_calendar__periods") }} as periods
        cross join known
        where periods.period_type = 'month'

    ),

    followed as (

        select *, lag(advocacy_tier) over (partition by customer_id order by month) as tier_before
        from standings

    ),

    moves as (

        select
            month
            {%- for tier in tiers %}
                ,
                sum(
                    case when advocacy_tier = '{{ tier }}' then 1 else 0 end
                    - case when tier_before = '{{ tier }}' then 1 else 0 end
                ) as {{ tier }}s
            {%- endfor %}
        from followed
        group by month

    ),

    stocks as (

        select
            months.*
            {%- for tier in tiers %}
                ,
                sum(coalesce(moves.{{ tier }}s, 0)) over (
                    order by months.month rows unbounded preceding
                ) as {{ tier }}s
            {%- endfor %}
        from months
        left join moves on months.month = moves.month

    ),

    last_answers as (

        select {{ month_start("responded_date") }} as month, respondent_id, score
        from answers
        where is_answered
        qualify
            row_number() over (
                partition by respondent_id, {{ month_start("responded_date") }}
                order by responded_at desc, source_name desc, response_id desc
            )
            = 1

    ),

    scored as (

        select
            month,
            count(*) as responses,
            sum(case when score >= 9 then 1 else 0 end) as promoters,
            sum(case when score <= 6 then 1 else 0 end) as detractors
        from last_answers
        group by month

    ),

    invitations as (

        select
            {{ month_start("invited_date") }} as month,
            count(distinct respondent_id) as invited,
            count(distinct case when is_answered then respondent_id end) as invited_who_answered
        from answers
        where is_invited
        group by {{ month_start("invited_date") }}

    ),

    benchmarks as (

        select
            {% for tier in tiers %}
                max(
                    case when figure = '{{ tier }}_share' then lower_value end
                ) as benchmark_{{ tier }}_share
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from {{ ref("industry_benchmarks") }}

    ),

    joined as (

        select
            stocks.month,
            stocks.is_complete,
            {% for tier in tiers %}
                case when stocks.has_tiers then stocks.{{ tier }}s end as {{ tier }}s,
            {% endfor %}
            case
                when stocks.has_tiers then stocks.lurkers + stocks.likers + stocks.lovers
            end as customers,
            case when stocks.has_invitations then coalesce(invitations.invited, 0) end as invited,
            invitations.invited_who_answered,
            case when stocks.has_surveys then coalesce(scored.responses, 0) end as responses,
            case when stocks.has_surveys then coalesce(scored.promoters, 0) end as promoters,
            case when stocks.has_surveys then coalesce(scored.detractors, 0) end as detractors,
            cast(scored.promoters - scored.detractors as double)
            / scored.responses as promoters_less_detractors,
            cast(scored.promoters - scored.detractors as double)
            / (scored.responses + 3) as adjusted,
            cast(scored.promoters + scored.detractors + 1.5 as double)
            / (scored.responses + 3) as adjusted_square,
            scored.responses + 3 as adjusted_responses
        from stocks
        left join scored on stocks.month = scored.month
        left join invitations on stocks.month = invitations.month
        where stocks.month >= stocks.first_month

    ),

    bounded as (

        select
            *,
            {{ z }}
            * sqrt((adjusted_square - adjusted * adjusted) / adjusted_responses) as nps_error
        from joined

    )

select
    bounded.month,
    cast(bounded.customers as integer) as customers,
    {% for tier in tiers %} cast(bounded.{{ tier }}s as integer) as {{ tier }}s, {% endfor %}
    {% for tier in tiers %}
        {{ share("bounded." ~ tier ~ "s", "bounded.customers") }} as {{ tier }}_share,
        benchmarks.benchmark_{{ tier }}_share,
    {% endfor %}
    cast(bounded.invited as integer) as invited,
    {{ share("bounded.invited_who_answered", "bounded.invited") }} as response_rate,
    cast(bounded.responses as integer) as responses,
    cast(bounded.promoters as integer) as promoters,
    cast(bounded.responses - bounded.promoters - bounded.detractors as integer) as passives,
    cast(bounded.detractors as integer) as detractors,
    100 * bounded.promoters_less_detractors as nps,
    case
        when bounded.responses > 0 then 100 * greatest(bounded.adjusted - bounded.nps_error, -1)
    end as nps_lower,
    case
        when bounded.responses > 0 then 100 * least(bounded.adjusted + bounded.nps_error, 1)
    end as nps_upper,
    aucs.value_auc,
    aucs.value_auc_lower,
    aucs.value_auc_upper,
    bounded.is_complete
from bounded
cross join benchmarks
left join {{ ref("int_predictions__value_auc") }} as aucs on bounded.month = aucs.month
