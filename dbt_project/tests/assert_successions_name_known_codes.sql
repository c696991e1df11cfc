-- A code that nobody has listed and that nothing led to is a mistake, and so is such a parent; what the codes of units
-- begin with is the province, and a new unit is one under which several are put. Codes of a unit that is expected but
-- has not reported yet are not known to be a mistake, nor are parents before their unit has reported on the year.
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

depths as (
    select distinct length(replace(unit_code, '.', '')) - length(unit_code) as depth
    from {{ ref('dim_unit') }}
),

-- What organisations became, and what several were put under.
brought as (
    select new_code as code
    from {{ ref('stg_successions') }}
    where kind <> 'new_parent' and new_code is not null
    union
    select moves.new_code as code
    from {{ ref('stg_successions') }} as moves
    inner join depths on length(replace(moves.new_code, '.', '')) - length(moves.new_code) = depths.depth
    where moves.kind = 'new_parent'
    group by moves.new_code
    having count(distinct moves.old_code) > 1
),

-- What codes may be part of, and the last report on it.
wholes as (
    select
        unit_code,
        last_year
    from {{ ref('dim_unit') }}
    union all
    select
        brought.code as unit_code,
        cast(null as integer) as last_year
    from brought
    left join {{ ref('dim_unit') }} as units on brought.code = units.unit_code
    where units.unit_code is null
),

known as (
    select org_code as code
    from {{ ref('organisation_snapshot') }}
    where not is_inferred
    union
    select unit_code as code
    from wholes
),

provinces as (
    select distinct successions.code
    from successions
    inner join wholes on {{ is_part_of('wholes.unit_code', 'successions.code') }}
    inner join depths on length(replace(wholes.unit_code, '.', '')) - length(wholes.unit_code) = depths.depth
    where
        successions.since > 0
        and length(replace(successions.code, '.', '')) - length(successions.code) = depths.depth + 1
),

latest as (
    select max(last_year) as last_year
    from wholes
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
left join provinces on placed.code = provinces.code
where
    known.code is null
    and provinces.code is null
    and case
        when placed.wholes = 0 then latest.last_year is not null
        else coalesce(placed.last_year >= placed.since, false)
    end
