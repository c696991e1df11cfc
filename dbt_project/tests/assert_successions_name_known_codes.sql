-- A code that nobody has listed and that nothing led to is a mistake; codes of a unit that is expected but has not
-- reported yet are not known to be one.
with successions as (
    select * from {{ ref('stg_successions') }}
),

known as (
    select org_code as code
    from {{ ref('organisation_snapshot') }}
    where not is_inferred
    union
    select unit_code as code
    from {{ ref('dim_unit') }}
    union
    select new_code as code
    from successions
    where kind <> 'new_parent' and new_code is not null
),

-- The unit's part of a code is what `units.csv` lists.
awaited as (
    select unit_code
    from {{ ref('dim_unit') }}
    where first_year is null
)

select
    successions.succession_id,
    successions.effective_on,
    successions.old_code,
    successions.new_code
from successions
left join known on successions.old_code = known.code
left join awaited
    on substr(successions.old_code, 1, length(awaited.unit_code) + 1) = awaited.unit_code || '.'
where known.code is null and awaited.unit_code is null
