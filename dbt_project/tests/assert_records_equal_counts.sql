-- The records in the store are the rows that were counted when the file was read, form by form.
with records as (
    select
        source_hash,
        'membership_movements' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_membership_movements') }}
    group by source_hash
    union all
    select
        source_hash,
        'organisations' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_organisations') }}
    group by source_hash
    union all
    select
        source_hash,
        'members' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_members') }}
    group by source_hash
    union all
    select
        source_hash,
        'organisation_assessments' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_organisation_assessments') }}
    group by source_hash
    union all
    select
        source_hash,
        'member_assessments' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_member_assessments') }}
    group by source_hash
    union all
    select
        source_hash,
        'cell_meetings' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_cell_meetings') }}
    group by source_hash
    union all
    select
        source_hash,
        'inspections' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_inspections') }}
    group by source_hash
    union all
    select
        source_hash,
        'disciplines' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_disciplines') }}
    group by source_hash
    union all
    select
        source_hash,
        'admissions' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_admissions') }}
    group by source_hash
    union all
    select
        source_hash,
        'hamlets' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_hamlets') }}
    group by source_hash
    union all
    select
        source_hash,
        'trainings' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_trainings') }}
    group by source_hash
    union all
    select
        source_hash,
        'programme_uptakes' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_programme_uptakes') }}
    group by source_hash
    union all
    select
        source_hash,
        'discipline_register' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_discipline_register') }}
    group by source_hash
    union all
    select
        source_hash,
        'field_checks' as form,
        count(*) as rows_in,
        sum(case when is_held_back then 1 else 0 end) as held_back
    from {{ ref('stg_field_checks') }}
    group by source_hash
),

counts as (
    select
        source_hash,
        form,
        rows_in,
        held_back
    from {{ ref('fct_submission_form') }}
)

select
    coalesce(records.source_hash, counts.source_hash) as source_hash,
    coalesce(records.form, counts.form) as form,
    records.rows_in,
    counts.rows_in as counted_in,
    records.held_back,
    counts.held_back as counted_back
from records
full outer join counts on records.source_hash = counts.source_hash and records.form = counts.form
where
    coalesce(records.rows_in, 0) <> coalesce(counts.rows_in, 0)
    or coalesce(records.held_back, 0) <> coalesce(counts.held_back, 0)
