with facts as (
    select
        *,
        {{ version_days() }}
    from {{ ref('stg_programme_uptakes') }}
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
    facts.org_code,
    organisations.grassroots_code,
    facts.document,
    facts.plan_on,
    facts.in_inspection_programme,
    organisation_versions.organisation_version_key,
    {{ is_version_clamped() }} as is_version_clamped
from facts
left join organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.org_code = organisations.org_code
{{ join_organisation_version('facts.unit_code', 'facts.org_code') }}
