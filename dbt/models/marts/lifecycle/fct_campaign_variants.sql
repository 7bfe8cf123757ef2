-- 1. Shares of visitors with Wilson's interval, differences from the control with Newcombe's.
-- 2. Holm: the variant furthest from the control in standard errors is judged at 5 % divided by the
-- number of variants, the next at 5 % divided by one less, and so on; the intervals of the
-- differences are at these levels.
-- 3. No interval before the test has ended, nor where the visitors are not spread evenly over the
-- variants.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    exposures as (select * from {{ ref("int_campaigns__exposures") }}),

    campaigns as (

        select
            exposures.campaign,
            count(*) filter (where exposures.is_mixed) as mixed_visitors,
            coalesce(
                max(experiments.control_variant),
                max(exposures.variant) filter (
                    where not exposures.is_mixed and exposures.variant = 'control'
                ),
                min(exposures.variant) filter (where not exposures.is_mixed)
            ) as control_variant,
            max(exposures.ends_on) as ends_on
        from exposures
        left join
            {{ ref("campaign_experiments") }} as experiments
            on exposures.campaign = experiments.campaign
        group by exposures.campaign

    ),

    variants as (

        select
            campaign,
            variant,
            cast(count(*) as double) as exposed,
            cast(count(*) filter (where is_converted) as double) as converted
        from exposures
        where not is_mixed
        group by campaign, variant

    ),

    spread as (

        select
            campaign,
            count(*) as variants,
            count(*) * sum(exposed * exposed) / sum(exposed) - sum(exposed) as chi_square
        from variants
        group by campaign

    ),

    compared as (

        select
            variants.campaign,
            variants.variant,
            variants.exposed,
            variants.converted,
            campaigns.mixed_visitors,
            campaigns.ends_on,
            variants.variant = campaigns.control_variant as is_control,
            coalesce(
                spread.chi_square > {{ chi_square_limit("nullif(spread.variants - 1, 0)") }}, false
            ) as is_sample_ratio_off,
            campaigns.ends_on <= settings.as_of_date as is_ended,
            spread.variants - 1 as compared_variants,
            variants.converted / variants.exposed as conversion_rate,
            control.exposed as control_exposed,
            control.converted / control.exposed as control_rate,
            (variants.converted + control.converted)
            / (variants.exposed + control.exposed) as pooled_rate
        from variants
        inner join campaigns on variants.campaign = campaigns.campaign
        inner join spread on variants.campaign = spread.campaign
        left join
            variants as control
            on campaigns.campaign = control.campaign
            and campaigns.control_variant = control.variant
        cross join settings

    ),

    ranked as (

        select
            *,
            row_number() over (
                partition by campaign, is_control
                order by
                    coalesce(
                        abs(conversion_rate - control_rate) / nullif(
                            sqrt(
                                pooled_rate
                                * (1 - pooled_rate)
                                * (1 / exposed + 1 / control_exposed)
                            ),
                            0
                        ),
                        0
                    ) desc,
                    variant
            ) as distance_rank
        from compared

    ),

    levelled as (

        select
            *,
            {{ normal_quantile("0.025e0") }} as z,
            case
                when not is_control
                then
                    {{
                        normal_quantile(
                            "(0.025e0 / nullif(compared_variants - distance_rank + 1, 0))"
                        )
                    }}
            end as holm_z
        from ranked

    ),

    bounded as (

        select
            *,
            {{ wilson_bound("conversion_rate", "exposed", "z", "-") }} as rate_lower,
            {{ wilson_bound("conversion_rate", "exposed", "z", "+") }} as rate_upper,
            {{ wilson_bound("conversion_rate", "exposed", "holm_z", "-") }} as variant_lower,
            {{ wilson_bound("conversion_rate", "exposed", "holm_z", "+") }} as variant_upper,
            {{ wilson_bound("control_rate", "control_exposed", "holm_z", "-") }} as control_lower,
            {{ wilson_bound("control_rate", "control_exposed", "holm_z", "+") }} as control_upper,
            is_ended and not is_sample_ratio_off as has_interval
        from levelled

    ),

    differing as (

        select
            *,
            case when not is_control then conversion_rate - control_rate end as difference,
            conversion_rate
            - control_rate
            - sqrt(
                power(conversion_rate - variant_lower, 2) + power(control_upper - control_rate, 2)
            ) as difference_lower,
            conversion_rate
            - control_rate
            + sqrt(
                power(variant_upper - conversion_rate, 2) + power(control_rate - control_lower, 2)
            ) as difference_upper
        from bounded

    )

select
    campaign,
    variant,
    cast(exposed as bigint) as exposed,
    cast(mixed_visitors as bigint) as mixed_visitors,
    cast(converted as bigint) as converted,
    conversion_rate,
    case when has_interval then greatest(rate_lower, 0) end as conversion_rate_lower,
    case when has_interval then least(rate_upper, 1) end as conversion_rate_upper,
    difference,
    case when has_interval then difference_lower end as difference_lower,
    case when has_interval then difference_upper end as difference_upper,
    case
        when has_interval and difference_lower is not null
        then
            min(case when difference_lower > 0 or difference_upper < 0 then 1 else 0 end) over (
                partition by campaign, is_control
                order by distance_rank
                rows between unbounded preceding and current row
            )
            = 1
    end as is_different,
    is_control,
    is_sample_ratio_off,
    ends_on,
    is_ended
from differing
