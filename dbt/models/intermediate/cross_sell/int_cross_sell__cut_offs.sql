-- What customers will do in 90 days is told by what others did: at the latest earlier cut-off whose
-- 90 days had ended. The first cut-offs have none.
select
    cut_offs.cut_off_date,
    cut_offs.graded_until_date,
    max(earlier.cut_off_date) as earlier_cut_off_date
from {{ ref("int_health__cut_offs") }} as cut_offs
inner join
    {{ ref("int_health__cut_offs") }} as earlier
    on earlier.graded_until_date <= cut_offs.cut_off_date
group by cut_offs.cut_off_date, cut_offs.graded_until_date
