with facts as (
    select
        *,
        {{ version_days() }}
    from {{ ref('stg_member_assessments') }}
    where is_in_force and not is_held_back
),

organisations as (
    select
        year,
        unit_code,
        org_code,
        grassroots_code
    from {{ ref('organisation_snapshot') }}
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
    facts.member_key,
    facts.cell_code,
    organisations.grassroots_code,
    self_levels.level_code as self_level,
    proposed_levels.level_code as proposed_level,
    final_levels.level_code as final_level,
    facts.decided_on,
    facts.score,
    state_levels.level_code as state_level,
    facts.not_rated_reason,
    final_levels.level_code is not null as is_rated,
    organisation_versions.organisation_version_key,
    member_versions.member_version_key,
    {{ is_version_clamped() }} as is_version_clamped
from facts
left join organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.cell_code = organisations.org_code
left join levels as self_levels on facts.self_level = self_levels.level_name
left join levels as proposed_levels on facts.proposed_level = proposed_levels.level_name
left join levels as final_levels on facts.final_level = final_levels.level_name
left join levels as state_levels on facts.state_level = state_levels.level_name
{{ join_organisation_version('facts.unit_code', 'facts.cell_code') }}
{{ join_member_version('facts.member_key') }}
