-- The records in the store are the rows that were counted when the file was read, form by form.
{% set forms = [
    'membership_movements',
    'organisations',
    'members',
    'organisation_assessments',
    'member_assessments',
    'cell_meetings',
    'inspections',
    'disciplines',
    'admissions',
    'hamlets',
    'trainings',
    'programme_uptakes',
    'discipline_register',
    'field_checks',
] %}
with records as (
    {% for form in forms %}
        select
            source_hash,
            '{{ form }}' as form,
            count(*) as rows_in,
            sum(case when is_held_back then 1 else 0 end) as held_back
        from {{ ref('stg_' ~ form) }}
        group by source_hash
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
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
