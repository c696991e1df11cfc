-- Each step of the ladder stands on the same number of subjects.
select
    year,
    unit_code,
    subject_kind,
    step
from {{ ref('rating_ladder') }}
group by year, unit_code, subject_kind, step
having sum(n) <> max(compared)
