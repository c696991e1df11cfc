with facts as (
    select
        *,
        {{ version_days() }}
    from {{ ref('stg_obligations') }}
)

select
    facts.unit_code,
    facts.unit_name,
    facts.level,
    facts.year,
    facts.due_before,
    facts.due_source,
    facts.extended_until,
    facts.is_due,
    facts.state,
    facts.received_on,
    facts.reported_on,
    facts.accepted_on,
    facts.days_late,
    facts.sendings,
    organisation_versions.organisation_version_key
from facts
{{ join_organisation_version('facts.unit_code', 'facts.unit_code') }}
