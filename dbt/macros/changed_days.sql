{#
    A large table that is kept from run to run and computed anew for days that have changed.

    Each row carries a fingerprint of what its day was made of: the rows and settings of the day, and the SQL of each
    model on the way. So no order of arrival, no replaced file, no change of as_of, a setting or a model, and no run that
    was killed leaves a day behind; how late an event may come has no bound.

    upstream: a relation with event_date and day_fingerprint.
#}
{% macro day_fingerprint() -%}
    day_fingerprint || '-{{ local_md5(model.raw_code)[:8] }}'
{%- endmacro %}

{# pre_hook: removes the days that are not the same any more. #}
{% macro forget_changed_days(upstream) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where day_fingerprint not in (select {{ day_fingerprint() }} from {{ upstream }})
    {%- endif -%}
{%- endmacro %}

{# The days that have to be computed, each with its fingerprint. #}
{% macro changed_days(upstream) -%}
    select distinct event_date, {{ day_fingerprint() }} as day_fingerprint
    from {{ upstream }}
    {%- if is_incremental() %}
        where {{ day_fingerprint() }} not in (select kept.day_fingerprint from {{ this }} as kept)
    {%- endif %}
{%- endmacro %}
