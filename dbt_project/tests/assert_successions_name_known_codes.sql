-- A code that nobody has listed and that nothing led to is a mistake, and so is such a parent; what the codes of units
-- begin with is the province, and what is written as they are is a new unit. Codes of a unit that is expected but has
-- not reported yet are not known to be a mistake, nor are parents before their unit has reported on the year.
with successions as (
    select
        succession_id,
        effective_on,
        old_code,
        new_code,
        old_code as code,
        0 as since
    from {{ ref('stg_successions') }}
    union all
    select
        succession_id,
        effective_on,
        old_code,
        new_code,
        new_code as code,
        extract(year from effective_on) as since
    from {{ ref('stg_successions') }}
    where kind = 'new_parent'
),

units as (
    select
        unit_code,
        last_year
    from {{ ref('dim_unit') }}
),

latest as (
    select max(last_year) as last_year
    from units
),

known as (
    select org_code as code
    from {{ ref('organisation_snapshot') }}
    where not is_inferred
    union
    select unit_code as code
    from units
    union
    select new_code as code
    from {{ ref('stg_successions') }}
    where kind <> 'new_parent' and new_code is not null
),

-- The parents of units, and the units to come.
above as (
    select distinct successions.code
    from successions
    inner join units
        on
            {{ is_part_of('units.unit_code', 'successions.code') }}
            or length(replace(successions.code, '.', '')) - length(successions.code)
            = length(replace(units.unit_code, '.', '')) - length(units.unit_code)
    where successions.since > 0
),

-- What codes may be part of, and the last report on it.
wholes as (
    select * from units
    union all
    select distinct
        successions.new_code as unit_code,
        cast(null as integer) as last_year
    from successions
    left join units on successions.new_code = units.unit_code
    where successions.new_code is not null and units.unit_code is null
),

placed as (
    select
        successions.succession_id,
        successions.effective_on,
        successions.old_code,
        successions.new_code,
        successions.code,
        successions.since,
        count(wholes.unit_code) as wholes,
        max(wholes.last_year) as last_year
    from successions
    left join wholes on {{ is_part_of('successions.code', 'wholes.unit_code') }}
    group by
        successions.succession_id,
        successions.effective_on,
        successions.old_code,
        successions.new_code,
        successions.code,
        successions.since
)

select
    placed.succession_id,
    placed.effective_on,
    placed.old_code,
    placed.new_code,
    placed.code
from placed
cross join latest
left join known on placed.code = known.code
left join above on placed.code = above.code
where
    known.code is null
    and above.code is null
    and case when placed.wholes = 0 then latest.last_year else placed.last_year end >= placed.since
