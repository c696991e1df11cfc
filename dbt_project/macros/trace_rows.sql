{# A row for each figure of which a mart says how it is found again (`config.meta.trace` in its yml). #}
{% macro trace_rows() -%}
    {%- set names = ['mart', 'figure', 'figure_description', 'formula', 'how'] -%}
    {%- set selects = ['select null as ' ~ names | join(', null as ') ~ ' where false'] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
            {%- set trace = node.config.get('meta', {}).get('trace') -%}
            {%- if trace -%}
                {%- for name, column in node.columns.items() -%}
                    {%- if trace.get('rules') or name in trace.columns -%}
                        {%- set how = trace.get('columns', {}).get(name, {}) -%}
                        {%- set told = {'how': how, 'sets': trace.get('sets', {}), 'rules': trace.get('rules')} -%}
                        {%- set texts = [] -%}
                        {%- for text in [
                            node.name, name, column.description, how.get('formula', ''), tojson(told, sort_keys=true)
                        ] -%}
                            {%- do texts.append("'" ~ text | replace("'", "''") ~ "'") -%}
                        {%- endfor -%}
                        {%- do selects.append('select ' ~ texts | join(', ')) -%}
                    {%- endif -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ selects | join('\n    union all\n    ') }}
{%- endmacro %}
