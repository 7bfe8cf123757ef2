{#
    The value that a standard normal exceeds with a small probability: Acklam's rational approximation of the tail, good to
    nine digits.

    tail: an expression, above 0 and at most 0.025.
#}
{% macro normal_quantile(tail) -%}
    {%- set q = "sqrt(-2 * ln(" ~ tail ~ "))" -%}
    (
        - (
            (
                (
                    (
                        (-0.007784894002430293e0 * {{ q }} - 0.3223964580411365e0) * {{ q }}
                        - 2.400758277161838e0
                    )
                    * {{ q }}
                    - 2.549732539343734e0
                )
                * {{ q }}
                + 4.374664141464968e0
            )
            * {{ q }}
            + 2.938163982698783e0
        )
        / (
            (
                (
                    (0.007784695709041462e0 * {{ q }} + 0.3224671290700398e0) * {{ q }}
                    + 2.445134137142996e0
                )
                * {{ q }}
                + 3.754408661907416e0
            )
            * {{ q }}
            + 1
        )
    )
{%- endmacro %}

{#
    A bound of Wilson's interval of a share.

    share: as observed; count: of how many; z: normal quantile of the level; sign: - for the lower bound, + for the upper.
#}
{% macro wilson_bound(share, count, z, sign) -%}
    (
        (
            {{ share }}
            + {{ z }}
            * {{ z }}
            / (2 * {{ count }}) {{ sign }} {{ z }}
            * sqrt(
                {{ share }} * (1 - {{ share }}) / {{ count }}
                + {{ z }} * {{ z }} / (4e0 * {{ count }} * {{ count }})
            )
        )
        / (1 + {{ z }} * {{ z }} / {{ count }})
    )
{%- endmacro %}

{#
    What a chi-square exceeds by chance once in a thousand times; beyond ten degrees of freedom by the approximation of
    Wilson and Hilferty, good to 0.6 %.
#}
{% macro chi_square_limit(degrees) -%}
    case
        {{ degrees }}
        {% for limit in [
            10.8276,
            13.8155,
            16.2662,
            18.4668,
            20.515,
            22.4577,
            24.3219,
            26.1245,
            27.8772,
            29.5883,
        ] -%}
            when {{ loop.index }} then {{ limit }}e0
        {% endfor -%}
        else
            {{ degrees }} * power(
                1 - 2 / (9e0 * {{ degrees }}) + 3.0902323e0 * sqrt(2 / (9e0 * {{ degrees }})), 3
            )
    end
{%- endmacro %}
