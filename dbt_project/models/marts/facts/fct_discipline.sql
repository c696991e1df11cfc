with facts as (
    select
        *,
        {{ version_days('decided_on') }}
    from {{ ref('stg_disciplines') }}
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
    facts.subject,
    facts.subject_org_code,
    facts.subject_member_key,
    facts.org_code,
    organisations.grassroots_code,
    facts.form,
    facts.duty_related,
    facts.corruption,
    facts.violated_on,
    facts.decided_on,
    facts.decision_no,
    facts.self_reported,
    organisation_versions.organisation_version_key,
    subject_versions.organisation_version_key as subject_organisation_version_key,
    member_versions.member_version_key,
    {{ is_version_clamped() }} as is_version_clamped
from facts
left join organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.org_code = organisations.org_code
{{ join_organisation_version('facts.unit_code', 'facts.org_code') }}
{{ join_organisation_version('facts.unit_code', 'facts.subject_org_code', 'subject_versions') }}
{{ join_member_version('facts.subject_member_key') }}
