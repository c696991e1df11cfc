with facts as (
    select
        *,
        {{ version_days() }}
    from {{ ref('stg_hamlets') }}
    where is_in_force and not is_held_back
),

organisations as (
    select
        year,
        unit_code,
        org_code,
        grassroots_code
    from {{ ref('organisation_snapshot') }}
)

select
    facts.record_id,
    facts.source_hash,
    facts.sheet,
    facts.row,
    facts.year,
    facts.unit_code,
    facts.hamlet_code,
    facts.hamlet_name,
    facts.commune,
    facts.cell_code,
    organisations.grassroots_code,
    facts.members,
    facts.local_members,
    organisation_versions.organisation_version_key,
    {{ is_version_clamped() }} as is_version_clamped
from facts
left join organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.cell_code = organisations.org_code
{{ join_organisation_version('facts.unit_code', 'facts.cell_code') }}
