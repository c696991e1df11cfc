{# The trace of a record to its cell: first 16 signs of the file's hash, the form's table, the row on the sheet. #}
{% macro record_id(relation, form) -%}
    substr({{ relation }}.source_hash, 1, 16) || '/{{ form }}/' || cast({{ relation }}.row as varchar)
{%- endmacro %}
