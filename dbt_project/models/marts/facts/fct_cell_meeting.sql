with facts as (
    select
        *,
        {{ version_days('coalesce(held_on, make_date(year, least(greatest(month, 1), 12), 1))') }}
    from {{ ref('stg_cell_meetings') }}
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
    facts.cell_code,
    organisations.grassroots_code,
    facts.month,
    facts.held_on,
    (facts.held_on is not null) as is_held,
    facts.expected,
    facts.attended,
    facts.is_thematic,
    facts.points,
    facts.band,
    facts.superior_attended,
    organisation_versions.organisation_version_key,
    {{ is_version_clamped() }} as is_version_clamped
from facts
left join organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.cell_code = organisations.org_code
{{ join_organisation_version('facts.unit_code', 'facts.cell_code') }}
