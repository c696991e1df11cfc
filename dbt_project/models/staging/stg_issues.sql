-- Neither the key nor the value of an issue is read here: both may hold a card number.
with issues as (
    select
        source_hash,
        form,
        sheet,
        cell,
        rule,
        severity
    from {{ source('store', 'issues') }}
    union all
    select
        source_hash,
        form,
        sheet,
        cell,
        rule,
        severity
    from {{ source('store', 'queries') }}
)

select
    source_hash,
    form,
    sheet,
    cell,
    rule,
    -- Files read by earlier versions have "warning" for what is now asked about.
    case when severity = 'error' then 'error' else 'query' end as severity
from issues
