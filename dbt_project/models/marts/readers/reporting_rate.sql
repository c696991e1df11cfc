-- Expected are the reports that are due, actual the accepted ones of these, as DHIS2 defines reporting rates.
with counted as (
    select
        level,
        year,
        cast(sum(case when is_due then 1 else 0 end) as integer) as expected_reports,
        cast(sum(case when is_due and state in ('on_time', 'late') then 1 else 0 end) as integer) as actual_reports,
        cast(sum(case when is_due and state = 'on_time' then 1 else 0 end) as integer) as actual_reports_on_time,
        cast(sum(case when not is_due and state in ('on_time', 'late') then 1 else 0 end) as integer) as early_reports,
        cast(sum(case when not is_due and state not in ('on_time', 'late') then 1 else 0 end) as integer) as not_yet_due
    from {{ ref('reporting_obligation') }}
    group by level, year
)

select
    level,
    year,
    expected_reports,
    actual_reports,
    actual_reports_on_time,
    cast(actual_reports as double) / nullif(expected_reports, 0) as reporting_rate,
    cast(actual_reports_on_time as double) / nullif(expected_reports, 0) as on_time_rate,
    early_reports,
    not_yet_due
from counted
