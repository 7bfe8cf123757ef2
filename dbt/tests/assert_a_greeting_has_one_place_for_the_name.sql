-- And the neutral one has none; and the shop's own language has a greeting.
select language
from {{ ref("greetings") }}
where
    translate(neutral || replace(coalesce(with_name, ''), '{name}', ''), '{}', '')
    <> neutral || replace(coalesce(with_name, ''), '{name}', '')
    or length(replace(with_name, '{name}', '')) <> length(with_name) - length('{name}')
union all
select settings.language
from {{ ref("int_run__settings") }} as settings
left join {{ ref("greetings") }} as greetings on settings.language = greetings.language
where greetings.language is null
