-- Without the row of lovers nobody would have a tier.
select count(*) as lovers
from {{ ref("advocacy_tiers") }}
where advocacy_tier = 'lover'
having count(*) <> 1
