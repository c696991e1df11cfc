-- Wherever figures of a code go, all of them go somewhere and none goes twice.
select
    structure_date,
    year,
    from_code,
    sum(share) as share
from {{ ref('organisation_crosswalk') }}
group by structure_date, year, from_code
having sum(share) <> 1 or count(*) <> count(share)
