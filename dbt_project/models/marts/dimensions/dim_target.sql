select
    target_id,
    cast(target_version as integer) as target_version,
    target_name,
    programme,
    cast(valid_from_year as integer) as valid_from_year,
    cast(valid_to_year as integer) as valid_to_year,
    measure,
    comparison,
    cast(target_value as double) as target_value,
    cast(target_value_to as double) as target_value_to,
    unit_of_measure,
    legal_source
from {{ ref('targets') }}
