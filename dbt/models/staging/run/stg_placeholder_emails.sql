select email_hash from {{ source("run", "placeholder_emails") }}
