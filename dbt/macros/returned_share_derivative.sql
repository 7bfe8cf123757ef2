{#
    How the share F(t) / F(H) of a return curve moves with the weight of one purchase (int_lifecycle__return_quantiles).
    d log S(t) = hazard_variance(min(followed, t)) - [returned by t] / (at risk - returned on that day).

    quantile: at_risk or inactive, the day t.
#}
{% macro returned_share_derivative(quantile) -%}
    (
        (1 - {{ quantile }}_survival)
        / nullif(1 - horizon_survival, 0)
        * horizon_survival
        * (least(known_variance, horizon_variance) - coalesce(return_weight, 0))
        - {{ quantile }}_survival
        * (
            least(known_variance, {{ quantile }}_variance) - case
                when return_days <= {{ quantile }}_days then coalesce(return_weight, 0) else 0
            end
        )
    )
    / nullif(1 - horizon_survival, 0)
{%- endmacro %}
