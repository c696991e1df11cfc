-- Every row that names an organisation, a unit of a year or a member carries the key of a version of it.
{% set facts = [
    ('fct_member', 'cell_code', 'member_key'),
    ('fct_member_assessment', 'cell_code', 'member_key'),
    ('fct_organisation_assessment', 'org_code', none),
    ('fct_cell_meeting', 'cell_code', none),
    ('fct_inspection', 'conductor_code', 'subject_member_key'),
    ('fct_discipline', 'org_code', 'subject_member_key'),
    ('fct_discipline_register', 'org_code', 'subject_member_key'),
    ('fct_admission', 'cell_code', 'member_key'),
    ('fct_hamlet', 'cell_code', none),
    ('fct_training', 'org_code', none),
    ('fct_programme_uptake', 'org_code', none),
    ('fct_membership_movement', 'unit_code', none),
] %}
{% for fact, org_code, member_key in facts %}
    select
        '{{ fact }}' as mart,
        record_id
    from {{ ref(fact) }}
    where
        ({{ org_code }} is not null and unit_code is not null and organisation_version_key is null)
        {% if member_key %}or ({{ member_key }} is not null and member_version_key is null){% endif %}
    union all
{% endfor %}
{% for fact in ['fct_submission', 'fct_sending', 'reporting_obligation'] %}
    select
        '{{ fact }}' as mart,
        unit_code || '/' || cast(year as varchar) as record_id
    from {{ ref(fact) }}
    where
        year is not null
        and organisation_version_key is null
        and unit_code in (select units.unit_code from {{ ref('dim_unit') }} as units)
    {% if not loop.last %}union all{% endif %}
{% endfor %}
