-- A unit has one sending in force a year, and so has the register.
select
    source_kind,
    unit_code,
    year
from {{ ref('fct_submission') }}
where state = 'accepted'
group by source_kind, unit_code, year
having sum(case when is_in_force then 1 else 0 end) <> 1
