with facts as (
    select
        *,
        {{ version_days() }}
    from {{ ref('stg_membership_movements') }}
    where is_in_force and not is_held_back
)

select
    facts.record_id,
    facts.source_hash,
    facts.sheet,
    facts.row,
    facts.year,
    facts.unit_code,
    facts.line,
    facts.label,
    facts.count,
    facts.count_previous,
    organisation_versions.organisation_version_key,
    {{ is_version_clamped() }} as is_version_clamped
from facts
{{ join_organisation_version('facts.unit_code', 'facts.unit_code') }}
