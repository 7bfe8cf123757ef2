select
    'all' as dimension_name,
    'all' as dimension_value,
    cast(purchase_number as integer) as purchase_number,
    cast(count(*) as integer) as reached,
    cast(count(days_to_next_purchase) as integer) as continued,
    {{ share("count(days_to_next_purchase)", "count(*)") }} as naive_rate,
    cast(median(days_to_next_purchase) as double) as median_days
from {{ ref("int_purchases__occasions") }}
group by purchase_number
