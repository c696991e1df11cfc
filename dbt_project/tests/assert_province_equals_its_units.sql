-- The province's row of admissions is the sum of its units.
select year
from {{ ref('admission_rate') }}
group by year
having
    sum(case when unit_code = 'ALL' then members else -members end) <> 0
    or sum(case when unit_code = 'ALL' then admissions else -admissions end) <> 0
