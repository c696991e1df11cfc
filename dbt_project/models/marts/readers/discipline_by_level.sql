-- One member counts once, under the gravest form. "unknown" is not "not rated": the rating was held back, the unit did
-- not send, or the sheet has no row of the member.
with members as (
    select
        year,
        coalesce(unit_code, 'UNKNOWN') as unit_code,
        coalesce(gravest_form, 'Không rõ') as form,
        case
            when assessment_state = 'rated' then final_level
            when assessment_state in ('not_rated', 'not_present') then 'not_rated'
            else 'unknown'
        end as level_code
    from {{ ref('disciplined_member') }}
)

select
    year,
    unit_code,
    form,
    level_code,
    cast(count(*) as integer) as n
from members
group by year, unit_code, form, level_code
