with facts as (
    select
        *,
        {{ version_days() }}
    from {{ ref('stg_organisation_assessments') }}
    where is_in_force and not is_held_back
),

organisations as (
    select * from {{ ref('organisation_snapshot') }}
),

levels as (
    select
        level_name,
        level_code
    from {{ ref('dim_level') }}
)

select
    facts.record_id,
    facts.source_hash,
    facts.sheet,
    facts.row,
    facts.year,
    facts.unit_code,
    facts.org_code,
    organisations.org_kind,
    organisations.org_sector,
    organisations.parent_code,
    organisations.grassroots_code,
    coalesce(organisations.is_grassroots, false) as is_grassroots,
    organisations.is_cell,
    self_levels.level_code as self_level,
    appraised_levels.level_code as appraised_level,
    final_levels.level_code as final_level,
    facts.self_on,
    facts.appraised_on,
    facts.decided_on,
    facts.decision_no,
    facts.decided_by_code,
    facts.common_points,
    facts.task_points,
    facts.score,
    facts.tasks_assigned,
    facts.tasks_done,
    facts.tasks_late,
    facts.tasks_exceeded,
    facts.shortcomings,
    facts.shortcomings_fixed,
    facts.not_rated_reason,
    final_levels.level_code is not null as is_rated,
    organisation_versions.organisation_version_key,
    {{ is_version_clamped() }} as is_version_clamped
from facts
left join organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.org_code = organisations.org_code
left join levels as self_levels on facts.self_level = self_levels.level_name
left join levels as appraised_levels on facts.appraised_level = appraised_levels.level_name
left join levels as final_levels on facts.final_level = final_levels.level_name
{{ join_organisation_version('facts.unit_code', 'facts.org_code') }}
