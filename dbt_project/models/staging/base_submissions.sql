-- Ephemeral: the moment of arrival decides between equal sendings, yet must not become a column of the warehouse.
{{ config(materialized='ephemeral') }}

select
    source_hash,
    source_kind,
    form_version,
    unit_code,
    unit_name,
    cast(year as integer) as year,
    cast(sent_no as integer) as sent_no,
    prepared_on,
    received_at,
    state
from {{ source('store', 'submissions') }}
