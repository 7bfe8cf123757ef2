select 'files' as source_name, product_id, name, category, brand, unit_cost, updated_at, _file, _row
from {{ source("files", "products") }}
