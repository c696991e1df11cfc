-- Whoever a dissolved unit listed in its last report needs a successor of its own; closed organisations need none.
with last_reports as (
    select
        unit_code,
        max(year) as year
    from {{ ref('organisation_snapshot') }}
    where not is_inferred
    group by unit_code
)

select distinct
    organisations.unit_code,
    organisations.org_code,
    crosswalk.structure_date
from {{ ref('organisation_snapshot') }} as organisations
inner join last_reports
    on organisations.unit_code = last_reports.unit_code and organisations.year = last_reports.year
inner join {{ ref('organisation_succession') }} as succession
    on
        organisations.year = succession.year
        and organisations.unit_code = succession.unit_code
        and organisations.org_code = succession.org_code
inner join {{ ref('organisation_crosswalk') }} as crosswalk
    on
        succession.structure_date = crosswalk.structure_date
        and succession.year = crosswalk.year
        and succession.from_code = crosswalk.from_code
where
    crosswalk.is_dissolved
    and not organisations.is_inferred
    and organisations.org_code <> organisations.unit_code
    and (organisations.closed_on is null or organisations.closed_on >= crosswalk.structure_date)
