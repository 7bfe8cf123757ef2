select publication.has_same_rules, publication.as_of_date
from {{ source("previous", "publication") }} as publication
cross join {{ ref("int_run__settings") }} as settings
where publication.as_of_date <= settings.as_of_date
