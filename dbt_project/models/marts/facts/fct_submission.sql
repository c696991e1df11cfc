with facts as (
    select
        *,
        {{ version_days() }}
    from {{ ref('stg_submissions') }}
),

counts as (
    select
        source_hash,
        sum(rows_in) as rows_in,
        sum(loaded) as loaded,
        sum(held_back) as held_back
    from {{ ref('stg_counts') }}
    group by source_hash
),

issues as (
    select
        source_hash,
        count(*) as issues,
        sum(case when severity = 'error' then 1 else 0 end) as errors,
        sum(case when severity = 'query' then 1 else 0 end) as queries
    from {{ ref('stg_issues') }}
    group by source_hash
)

select
    facts.source_hash,
    facts.source_kind,
    facts.unit_code,
    facts.year,
    facts.form_version,
    facts.sent_no,
    facts.prepared_on,
    facts.state,
    facts.is_in_force,
    cast(coalesce(counts.rows_in, 0) as bigint) as rows_in,
    cast(coalesce(counts.loaded, 0) as bigint) as loaded,
    cast(coalesce(counts.held_back, 0) as bigint) as held_back,
    cast(coalesce(issues.issues, 0) as bigint) as issues,
    cast(coalesce(issues.errors, 0) as bigint) as errors,
    cast(coalesce(issues.queries, 0) as bigint) as queries,
    organisation_versions.organisation_version_key
from facts
left join counts on facts.source_hash = counts.source_hash
left join issues on facts.source_hash = issues.source_hash
{{ join_organisation_version('facts.unit_code', 'facts.unit_code') }}
