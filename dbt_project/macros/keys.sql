{#
    The key of a model is the primary key of its contract. The index that enforces one costs more than the rows of a
    large table: a key that a test (unique_combination) looks after as well is not enforced, its columns are not null.
#}

{% macro key_of(node) -%}
    {%- set keys = node.constraints | selectattr('type', 'equalto', 'primary_key') | map(attribute='columns') -%}
    {{ return(keys | first | default([], true)) }}
{%- endmacro %}

{% macro is_key_tested(node) -%}
    {%- for test in graph.nodes.values() if test.resource_type == 'test' -%}
        {%- set is_grain = test.attached_node == node.unique_id and test.test_metadata.name == 'unique_combination' -%}
        {%- if is_grain and test.test_metadata.kwargs.combination | sort == key_of(node) | sort -%}
            {{ return(true) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}

{% macro duckdb__get_table_columns_and_constraints() -%}
    {%- set constraints, columns = model.constraints, model.columns -%}
    {%- if is_key_tested(model) -%}
        {%- set constraints = constraints | rejectattr('type', 'equalto', 'primary_key') | list -%}
        {%- set columns = {} -%}
        {%- for name, column in model.columns.items() -%}
            {%- set kinds = column.constraints | map(attribute='type') | list -%}
            {%- set required = [{'type': 'not_null'}] if name in key_of(model) and 'not_null' not in kinds else [] -%}
            {%- do columns.update({name: dict(column, constraints=column.constraints + required)}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set lines = adapter.render_raw_columns_constraints(raw_columns=columns)
        + adapter.render_raw_model_constraints(raw_constraints=constraints) -%}
    (
        {{ lines | join(',\n        ') }}
    )
{%- endmacro %}
