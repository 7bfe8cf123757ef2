-- And the neutral one has none.
select language
from {{ ref("greetings") }}
where
    translate(neutral || replace(coalesce(with_name, ''), '{name}', ''), '{}', '')
    <> neutral || replace(coalesce(with_name, ''), '{name}', '')
    or length(replace(with_name, '{name}', '')) <> length(with_name) - length('{name}')
