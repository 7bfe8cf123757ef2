select
    customer_id,
    {% for days in [90, 180, 365] %}
        {{
            money(
                "sum(case when days_since_first_purchase <= "
                ~ days
                ~ " then net_sales else 0 end)"
            )
        }} as net_sales_{{ days }}_days {%- if not loop.last %},{% endif %}
    {% endfor %}
from {{ ref("int_purchases__occasions") }}
group by customer_id
