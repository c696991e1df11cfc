-- Every loaded row of a sending in force is in its fact table, once.
with facts as (
    select
        source_hash,
        'membership_movements' as form,
        count(*) as n
    from {{ ref('fct_membership_movement') }}
    group by source_hash
    union all
    select
        source_hash,
        'members' as form,
        count(*) as n
    from {{ ref('fct_member') }}
    group by source_hash
    union all
    select
        source_hash,
        'organisation_assessments' as form,
        count(*) as n
    from {{ ref('fct_organisation_assessment') }}
    group by source_hash
    union all
    select
        source_hash,
        'member_assessments' as form,
        count(*) as n
    from {{ ref('fct_member_assessment') }}
    group by source_hash
    union all
    select
        source_hash,
        'cell_meetings' as form,
        count(*) as n
    from {{ ref('fct_cell_meeting') }}
    group by source_hash
    union all
    select
        source_hash,
        'inspections' as form,
        count(*) as n
    from {{ ref('fct_inspection') }}
    group by source_hash
    union all
    select
        source_hash,
        'disciplines' as form,
        count(*) as n
    from {{ ref('fct_discipline') }}
    group by source_hash
    union all
    select
        source_hash,
        'admissions' as form,
        count(*) as n
    from {{ ref('fct_admission') }}
    group by source_hash
    union all
    select
        source_hash,
        'hamlets' as form,
        count(*) as n
    from {{ ref('fct_hamlet') }}
    group by source_hash
    union all
    select
        source_hash,
        'trainings' as form,
        count(*) as n
    from {{ ref('fct_training') }}
    group by source_hash
    union all
    select
        source_hash,
        'programme_uptakes' as form,
        count(*) as n
    from {{ ref('fct_programme_uptake') }}
    group by source_hash
    union all
    select
        source_hash,
        'discipline_register' as form,
        count(*) as n
    from {{ ref('fct_discipline_register') }}
    group by source_hash
    union all
    select
        source_hash,
        'field_checks' as form,
        count(*) as n
    from {{ ref('fct_field_check') }}
    where source_hash is not null
    group by source_hash
),

loaded as (
    select
        forms.source_hash,
        forms.form,
        forms.loaded
    from {{ ref('fct_submission_form') }} as forms
    inner join {{ ref('fct_submission') }} as submissions on forms.source_hash = submissions.source_hash
    where submissions.is_in_force and forms.form <> 'organisations'
)

select
    coalesce(facts.source_hash, loaded.source_hash) as source_hash,
    coalesce(facts.form, loaded.form) as form,
    facts.n,
    loaded.loaded
from facts
full outer join loaded on facts.source_hash = loaded.source_hash and facts.form = loaded.form
where coalesce(facts.n, 0) <> coalesce(loaded.loaded, 0)
