with records as (
    select * from {{ source('store', 'organisation_assessments') }}
),

submissions as (
    select
        source_hash,
        unit_code,
        year,
        is_in_force
    from {{ ref('stg_submissions') }}
)

select
    {{ record_id('records', 'organisation_assessments') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    submissions.unit_code,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    records.org_code,
    records.self_level,
    records.appraised_level,
    records.final_level,
    records.self_on,
    records.appraised_on,
    records.decided_on,
    records.decision_no,
    records.decided_by_code,
    records.common_points,
    records.task_points,
    records.score,
    cast(records.tasks_assigned as bigint) as tasks_assigned,
    cast(records.tasks_done as bigint) as tasks_done,
    cast(records.tasks_late as bigint) as tasks_late,
    cast(records.tasks_exceeded as bigint) as tasks_exceeded,
    cast(records.shortcomings as bigint) as shortcomings,
    cast(records.shortcomings_fixed as bigint) as shortcomings_fixed,
    records.not_rated_reason
from records
inner join submissions on records.source_hash = submissions.source_hash
