with facts as (
    select * from {{ ref('stg_trainings') }}
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
    facts.org_code,
    organisations.grassroots_code,
    facts.topic,
    facts.held_on,
    facts.invited,
    facts.attended
from facts
left join organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.org_code = organisations.org_code
