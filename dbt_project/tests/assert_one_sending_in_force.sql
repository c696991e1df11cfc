-- A unit has one sending in force a year, and so has the register; of field checks every draw has one.
select
    source_kind,
    unit_code,
    year
from {{ ref('fct_submission') }}
where state = 'accepted' and source_kind <> 'field_check'
group by source_kind, unit_code, year
having sum(case when is_in_force then 1 else 0 end) <> 1
