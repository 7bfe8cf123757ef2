{#
    ln n! - (n ln n - n): Stirling's series from 8 on, good to 3e-13. ln n! itself is 1.3e7 for a million, and a double would
    leave its probability nine digits; the part left out here cancels in a probability.

    n: an expression, a whole number as double.
#}
{% macro stirling_remainder(n) -%}
    {%- set square = "(" ~ n ~ " * " ~ n ~ ")" -%}
    case
        when {{ n }} >= 8
        then
            0.9189385332046727e0
            + 0.5e0 * ln({{ n }})
            + (
                1 / 12e0 - (
                    1 / 360e0
                    - (1 / 1260e0 - (1 / 1680e0 - 1 / 1188e0 / {{ square }}) / {{ square }})
                    / {{ square }}
                )
                / {{ square }}
            )
            / {{ n }}
        when {{ n }} > 0
        then
            ln(
                case
                    {{ n }}
                    {% for factorial in [1, 2, 6, 24, 120, 720] -%}
                        when {{ loop.index }} then {{ factorial }}e0
                    {% endfor -%}
                    else 5040e0
                end
            )
            - {{ n }} * ln({{ n }})
            + {{ n }}
        else 0e0
    end
{%- endmacro %}

{#
    x ln(x / m) - x + m, to full precision also where x is near m.

    x: a count; m: the count expected, above 0; expressions, as double.
#}
{% macro count_deviance(x, m) -%}
    {%- set distance = "(" ~ x ~ " - " ~ m ~ ")" -%}
    {%- set relative = distance ~ " / (" ~ x ~ " + " ~ m ~ ")" -%}
    case
        when {{ x }} > 0
        then
            2 * {{ x }} * (atanh({{ relative }}) - {{ relative }}) + {{ distance }} * {{ relative }}
        else {{ m }}
    end
{%- endmacro %}
