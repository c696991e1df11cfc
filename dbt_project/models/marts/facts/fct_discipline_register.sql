with facts as (
    select * from {{ ref('stg_discipline_register') }}
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
    from {{ ref('dim_organisation_version') }}
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
    facts.decision_no
from facts
left join units on facts.year = units.year and facts.org_code = units.org_code
left join organisations
    on
        facts.year = organisations.year
        and units.unit_code = organisations.unit_code
        and facts.org_code = organisations.org_code
