with facts as (
    select
        *,
        {{ version_days() }}
    from {{ ref('stg_members') }}
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
    facts.member_key,
    facts.cell_code,
    organisations.grassroots_code,
    facts.status,
    statuses.is_present,
    facts.is_head,
    facts.is_local,
    facts.birth_year,
    facts.gender,
    facts.ethnicity,
    facts.admitted_on,
    facts.official_on,
    facts.school,
    facts.qualification,
    facts.theory,
    facts.occupation,
    organisation_versions.organisation_version_key,
    member_versions.member_version_key,
    {{ is_version_clamped() }} as is_version_clamped
from facts
left join {{ ref('member_statuses') }} as statuses on facts.status = statuses.status
left join organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.cell_code = organisations.org_code
{{ join_organisation_version('facts.unit_code', 'facts.cell_code') }}
{{ join_member_version('facts.member_key') }}
