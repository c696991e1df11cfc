select
    unit_code,
    unit_name,
    cast(from_year as integer) as from_year,
    cast(to_year as integer) as to_year
from {{ source('store', 'units') }}
