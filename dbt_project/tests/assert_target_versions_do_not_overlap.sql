-- One version of a target a day: no two of them are in force together.
select
    one.target_id,
    one.target_version,
    other.target_version as other_version
from {{ ref('targets') }} as one
inner join {{ ref('targets') }} as other
    on
        one.target_id = other.target_id
        and one.target_version < other.target_version
        and one.valid_from < coalesce(other.valid_to, date '9999-12-31')
        and other.valid_from < coalesce(one.valid_to, date '9999-12-31')
