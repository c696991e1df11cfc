with facts as (
    select * from {{ ref('stg_inspections') }}
    where is_in_force and not is_held_back
),

organisations as (
    select
        year,
        unit_code,
        org_code,
        grassroots_code
    from {{ ref('dim_organisation_version') }}
)

select
    facts.record_id,
    facts.source_hash,
    facts.sheet,
    facts.row,
    facts.year,
    facts.unit_code,
    facts.conductor_code,
    organisations.grassroots_code,
    facts.conductor,
    facts.article,
    facts.kind,
    facts.subject,
    facts.subject_org_code,
    facts.subject_member_key,
    facts.concluded_on,
    facts.violation_found,
    facts.is_planned
from facts
left join organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.conductor_code = organisations.org_code
