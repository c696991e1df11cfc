{% set landed = source('findings', 'review_list') %}
{% set columns = [
    'organisation_level',
    'year',
    'organisation_key',
    'unit_code',
    'org_code',
    'org_name',
    'rank',
    'band',
    'q',
    'certainty',
    'p',
    't',
    'families',
    'rated',
    'good',
    'top',
    'held_back',
    'members_above',
    'first_signal',
    'first_p',
    'first_reason',
    'second_signal',
    'second_p',
    'second_reason',
    'third_signal',
    'third_p',
    'third_reason',
    'ask_for',
    'innocent_explanation',
    'last_year_band',
    'last_year'
] %}

with listed as (
    select
        organisation_level,
        cast(year as integer) as year,
        organisation_key,
        unit_code,
        org_code,
        org_name,
        cast(rank as bigint) as rank,
        band,
        cast(q as double) as q,
        cast(certainty as double) as certainty,
        cast(p as double) as p,
        cast(t as double) as t,
        cast(families as bigint) as families,
        cast(rated as bigint) as rated,
        cast(good as bigint) as good,
        cast(top as bigint) as top,
        cast(held_back as bigint) as held_back,
        cast(members_above as double) as members_above,
        first_signal,
        cast(first_p as double) as first_p,
        first_reason,
        second_signal,
        cast(second_p as double) as second_p,
        second_reason,
        third_signal,
        cast(third_p as double) as third_p,
        third_reason,
        ask_for,
        innocent_explanation,
        last_year_band,
        last_year
    from {{ landed if is_landed('review_list') else no_rows(columns) }}
),

findings as (
    select
        finding_id,
        rule_id,
        year,
        unit_code,
        coalesce(org_code, unit_code) as org_code
    from {{ ref('fct_finding') }}
),

ancestors as (
    select
        year,
        unit_code,
        org_code,
        ancestor_code
    from {{ ref('bridge_organisation_ancestor') }}
),

-- A finding stands beside everyone above the organisation it names; beside the unit every finding of the unit does.
above as (
    select
        findings.finding_id,
        findings.rule_id,
        findings.year,
        findings.unit_code,
        ancestors.ancestor_code as org_code
    from findings
    inner join ancestors
        on
            findings.year = ancestors.year
            and findings.unit_code = ancestors.unit_code
            and findings.org_code = ancestors.org_code
    where ancestors.ancestor_code <> findings.unit_code
    union all
    select
        finding_id,
        rule_id,
        year,
        unit_code,
        unit_code as org_code
    from findings
),

by_rule as (
    select
        year,
        unit_code,
        org_code,
        rule_id,
        count(distinct finding_id) as contradictions
    from above
    group by year, unit_code, org_code, rule_id
),

beside as (
    select
        year,
        unit_code,
        org_code,
        cast(sum(contradictions) as bigint) as contradictions,
        {{ text_list('rule_id', 'rule_id') }} as contradiction_rules
    from by_rule
    group by year, unit_code, org_code
)

select
    listed.organisation_level,
    listed.year,
    listed.organisation_key,
    listed.unit_code,
    listed.org_code,
    coalesce(listed.org_name, units.unit_name) as org_name,
    listed.rank,
    listed.band,
    listed.q,
    listed.certainty,
    listed.p,
    listed.t,
    listed.families,
    listed.rated,
    listed.good,
    listed.top,
    listed.held_back,
    listed.members_above,
    listed.first_signal,
    listed.first_p,
    listed.first_reason,
    listed.second_signal,
    listed.second_p,
    listed.second_reason,
    listed.third_signal,
    listed.third_p,
    listed.third_reason,
    listed.ask_for,
    listed.innocent_explanation,
    coalesce(beside.contradictions, 0) as contradictions,
    beside.contradiction_rules,
    listed.last_year_band,
    listed.last_year
from listed
left join beside
    on listed.year = beside.year and listed.unit_code = beside.unit_code and listed.org_code = beside.org_code
left join {{ ref('dim_unit') }} as units
    on listed.organisation_level = 'unit' and listed.unit_code = units.unit_code
