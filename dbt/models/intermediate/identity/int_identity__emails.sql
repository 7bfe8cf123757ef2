select identifier as email_hash, customer_id
from {{ ref("int_identity__resolved") }}
where identifier_type = 'email'
