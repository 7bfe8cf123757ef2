select sale, starts_on, ends_on from {{ ref("sale_windows") }} where ends_on < starts_on
