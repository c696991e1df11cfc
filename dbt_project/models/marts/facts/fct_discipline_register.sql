with facts as (
    select
        *,
        {{ version_days('decided_on') }}
    from {{ ref('stg_discipline_register') }}
    where is_in_force and not is_held_back
),

units as (
    select
        year,
        org_code,
        unit_code
    from {{ ref('stg_register_units') }}
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
    units.unit_code,
    facts.subject,
    facts.subject_org_code,
    facts.subject_member_key,
    facts.org_code,
    organisations.grassroots_code,
    facts.form,
    facts.duty_related,
    facts.corruption,
    facts.decided_on,
    facts.decision_no,
    organisation_versions.organisation_version_key,
    subject_versions.organisation_version_key as subject_organisation_version_key,
    member_versions.member_version_key,
    {{ is_version_clamped() }} as is_version_clamped
from facts
left join units on facts.year = units.year and facts.org_code = units.org_code
left join organisations
    on
        facts.year = organisations.year
        and units.unit_code = organisations.unit_code
        and facts.org_code = organisations.org_code
{{ join_organisation_version('units.unit_code', 'facts.org_code') }}
{{ join_organisation_version('units.unit_code', 'facts.subject_org_code', 'subject_versions') }}
{{ join_member_version('facts.subject_member_key') }}
