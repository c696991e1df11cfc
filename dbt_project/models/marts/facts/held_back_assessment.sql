-- Where the cell of a held-back row is unlawful, the member's cell on the roll of the year places it.
with members as (
    select
        record_id,
        source_hash,
        sheet,
        row,
        year,
        unit_code,
        'member' as subject_kind,
        member_key,
        cell_code
    from {{ ref('stg_member_assessments') }}
    where is_in_force and is_held_back
),

organisations as (
    select
        record_id,
        source_hash,
        sheet,
        row,
        year,
        unit_code,
        'organisation' as subject_kind,
        org_code
    from {{ ref('stg_organisation_assessments') }}
    where is_in_force and is_held_back
),

keys as (
    select distinct member_key
    from members
),

roll as (
    select
        facts.year,
        facts.unit_code,
        facts.member_key,
        min(facts.cell_code) as cell_code
    from {{ ref('fct_member') }} as facts
    inner join keys on facts.member_key = keys.member_key
    group by facts.year, facts.unit_code, facts.member_key
),

placed as (
    select
        members.record_id,
        members.source_hash,
        members.sheet,
        members.row,
        members.year,
        members.unit_code,
        members.subject_kind,
        members.member_key,
        coalesce(members.cell_code, roll.cell_code) as org_code
    from members
    left join roll
        on
            members.year = roll.year
            and members.unit_code = roll.unit_code
            and members.member_key = roll.member_key
    union all
    select
        record_id,
        source_hash,
        sheet,
        row,
        year,
        unit_code,
        subject_kind,
        null as member_key,
        org_code
    from organisations
),

facts as (
    select
        *,
        {{ version_days() }}
    from placed
)

select
    facts.record_id,
    facts.source_hash,
    facts.sheet,
    facts.row,
    facts.year,
    facts.unit_code,
    facts.subject_kind,
    facts.member_key,
    facts.org_code,
    versions.org_kind,
    versions.parent_code,
    versions.grassroots_code,
    organisation_versions.organisation_version_key,
    member_versions.member_version_key,
    {{ is_version_clamped() }} as is_version_clamped
from facts
left join {{ ref('organisation_snapshot') }} as versions
    on
        facts.year = versions.year
        and facts.unit_code = versions.unit_code
        and facts.org_code = versions.org_code
{{ join_organisation_version('facts.unit_code', 'facts.org_code') }}
{{ join_member_version('facts.member_key') }}
