{% set landed = source('findings', 'findings') %}
{% set columns = [
    'finding_id',
    'rule_id',
    'year',
    'regime_id',
    'severity',
    'subject_kind',
    'unit_code',
    'org_code',
    'member_key',
    'reported',
    'contradicted_by',
    'message',
    'innocent_explanation',
    'ask_for',
    'legal_source',
    'exception',
    'record_id_1',
    'record_id_2',
    'found_last_year'
] %}

select
    finding_id,
    rule_id,
    cast(year as integer) as year,
    regime_id,
    severity,
    subject_kind,
    unit_code,
    org_code,
    member_key,
    reported,
    contradicted_by,
    message,
    innocent_explanation,
    ask_for,
    legal_source,
    exception,
    record_id_1,
    record_id_2,
    cast(found_last_year as boolean) as found_last_year
from {{ landed if is_landed('findings') else no_rows(columns) }}
