{# Survival to the end of each day of a life table: columns at_risk and returned, in the order of the window `curve`. #}
{% macro survival() -%}
    case
        when max(case when returned = at_risk and at_risk > 0 then 1 else 0 end) over curve = 1
        then 0e0
        else
            exp(
                sum(
                    case
                        when returned < at_risk
                        then ln(1 - cast(returned as double) / cast(at_risk as double))
                        else 0
                    end
                ) over curve
            )
    end
{%- endmacro %}

{# Greenwood's variance of the logarithm of survival, likewise. #}
{% macro hazard_variance() -%}
    sum(
        case
            when returned < at_risk
            then
                cast(returned as double)
                / (cast(at_risk as double) * cast(at_risk - returned as double))
            else 0
        end
    ) over curve
{%- endmacro %}

{#
    A bound of the 95 % interval of 1 - survival by the log of minus its logarithm: 0 to 1 - .025^(1 / mature_customers) where
    nobody returned, none where all have. Columns survival, hazard_variance, returned and mature_customers.

    bound: lower or upper.
#}
{% macro rate_bound(bound) -%}
    {%- set sign = "-" if bound == "lower" else "+" -%}
    case
        when returned = 0
        then
            {% if bound == "lower" %} 0
            {% else %} 1 - power(0.025e0, 1e0 / nullif(mature_customers, 0))
            {% endif %}
        when survival > 0
        then
            1 - power(
                survival,
                exp({{ sign }}1.959963984540054e0 * sqrt(hazard_variance) / abs(ln(survival)))
            )
    end
{%- endmacro %}
