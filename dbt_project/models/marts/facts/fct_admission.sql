with facts as (
    select * from {{ ref('stg_admissions') }}
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
    facts.member_key,
    facts.cell_code,
    organisations.grassroots_code,
    facts.admitted_on,
    facts.birth_year,
    facts.gender,
    facts.ethnicity,
    facts.admission_group,
    facts.is_local
from facts
left join organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.cell_code = organisations.org_code
