with draws as (
    select * from {{ ref('stg_field_check_draws') }}
),

-- A result counts for the member who was drawn, and for nobody else.
checks as (
    select
        checks.draw_id,
        checks.number,
        checks.unit_code,
        checks.org_code,
        checks.cell_code,
        checks.record_id,
        checks.source_hash,
        levels.level_code,
        checks.checked_on,
        checks.checked_by
    from {{ ref('stg_field_checks') }} as checks
    left join {{ ref('dim_level') }} as levels on checks.level = levels.level_name
    where checks.is_in_force and not checks.is_held_back
),

good as (
    select level_code
    from {{ ref('dim_level') }}
    where level_code in ('XS', 'HTT')
)

select
    draws.draw_id,
    draws.number,
    draws.year,
    draws.unit_code,
    draws.org_code,
    draws.cell_code,
    draws.member_key,
    draws.record_id as assessment_record_id,
    draws.arm,
    draws.t,
    draws.rated,
    draws.drawn,
    draws.risk_probability,
    draws.random_probability,
    draws.probability,
    draws.drawn / cast(draws.rated as double) as member_probability,
    draws.level_code as level_submitted,
    checks.level_code as level_found,
    draws.level_code in (select good.level_code from good) as was_good,
    checks.level_code in (select good.level_code from good) as is_good,
    cast(case when checks.level_code is not null then 1 end as integer) as rechecked,
    cast(
        case
            when checks.level_code is null then null
            when
                draws.level_code in (select good.level_code from good)
                and checks.level_code not in (select good.level_code from good)
                then 1
            else 0
        end as integer
    ) as lowered,
    checks.checked_on,
    checks.checked_by,
    checks.record_id as check_record_id,
    checks.source_hash
from draws
left join checks
    on
        draws.draw_id = checks.draw_id
        and draws.number = checks.number
        and draws.unit_code = checks.unit_code
        and draws.org_code = checks.org_code
        and draws.cell_code = checks.cell_code
