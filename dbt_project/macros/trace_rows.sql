{#
    A row for each figure of which a mart says how it is found again (`config.meta.trace` in its yml):
    `columns` says it figure by figure, `record` names the form whose record a row of the mart is (its columns are then
    cells of that record, `cells` naming those that are called otherwise there), `not` says why a column has no trace.
    The sets of rows that the figures of a mart share, and the marts whose sets it takes, stand once, under `*`.
#}
{% macro trace_rows() -%}
    {%- set written = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
            {%- set trace = node.config.get('meta', {}).get('trace') -%}
            {%- if trace -%}
                {%- set shared = {
                    'sets': trace.get('sets', {}), 'with': trace.get('with', []), 'key': key_of(node)
                } -%}
                {%- if trace.get('record') -%}
                    {%- do shared.update({'sets': dict(trace_sets_of_record(trace.record), **shared.sets)}) -%}
                {%- endif -%}
                {%- set rows = [[node.name, '*', 'Các tập dòng mà số liệu của bảng dùng chung.', '', shared]] -%}
                {%- for name, column in node.columns.items() -%}
                    {%- set found = [] -%}
                    {%- if name in trace.get('columns', {}) -%}
                        {%- do found.append(trace.columns[name]) -%}
                    {%- elif name in trace.get('not', {}) -%}
                        {%- do found.append({'why': trace['not'][name]}) -%}
                    {%- elif trace.get('record') or name.endswith('_version_key') -%}
                        {%- do found.append(trace_of_record(trace, name)) -%}
                    {%- elif trace.get('rules') -%}
                        {%- do found.append({}) -%}
                    {%- endif -%}
                    {%- for how in found -%}
                        {%- set told = {'how': how, 'rules': trace.get('rules')} -%}
                        {%- do rows.append([node.name, name, column.description, how.get('formula', ''), told]) -%}
                    {%- endfor -%}
                {%- endfor -%}
                {%- for mart, name, description, formula, told in rows -%}
                    {%- set texts = [] -%}
                    {%- for text in [mart, name, description, formula, tojson(told, sort_keys=true)] -%}
                        {%- do texts.append("'" ~ text | replace("'", "''") ~ "'") -%}
                    {%- endfor -%}
                    {%- do written.append('(' ~ texts | join(', ') ~ ')') -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    select * from (values
    {{ written | join(',\n    ') or '(null, null, null, null, null)' }}
    ) as told (mart, figure, figure_description, formula, how)
    where mart is not null
{%- endmacro %}

{# The record that a row of a fact is, and the sending it came in. #}
{% macro trace_sets_of_record(form) -%}
    {{ return({
        'own': 'select * from store.' ~ form ~ ' where record_id = $record_id',
        'sent': 'select source_hash, year, unit_code from marts.fct_submission where source_hash = $source_hash',
        'up': "select above.record_id, above.org_code, bridge.distance from marts.bridge_organisation_ancestor as bridge "
            ~ "inner join marts.organisation_snapshot as above on bridge.year = above.year "
            ~ "and bridge.unit_code = above.unit_code and bridge.ancestor_code = above.org_code "
            ~ "where bridge.year = $year and bridge.unit_code = $unit_code and above.grassroots_code = $grassroots_code",
    }) }}
{%- endmacro %}

{# How a column of a fact is found again in the record. #}
{% macro trace_of_record(trace, name) -%}
    {%- if name in ['sheet', 'row', 'source_hash'] -%}
        {{ return({
            'formula': 'Chỗ của dòng trong tệp đã gửi.', 'set': 'own', 'value': 'any_value(' ~ name ~ ')', 'cells': ''
        }) }}
    {%- elif name in ['year', 'unit_code'] -%}
        {{ return({
            'formula': 'Ghi ở trang bìa của lần gửi.', 'set': 'sent', 'value': 'any_value(' ~ name ~ ')', 'cells': name
        }) }}
    {%- elif name == 'grassroots_code' -%}
        {{ return({
            'formula': 'Đi theo mã cấp trên ở Biểu 2 từ tổ chức của dòng đến tổ chức cơ sở đảng.',
            'set': 'up',
            'where': 'org_code = $grassroots_code',
            'value': 'any_value(org_code)',
            'cells': 'parent_code',
        }) }}
    {%- elif name.endswith('_version_key') -%}
        {{ return({'why': 'là khóa kỹ thuật do kho đặt (khóa bền và ngày bắt đầu của phiên bản), không phải số liệu. '
            ~ 'Hãy truy vết phiên bản ấy ở dim_organisation hoặc dim_member.'}) }}
    {%- elif name == 'is_version_clamped' -%}
        {{ return({'why': 'là dấu kỹ thuật: ngày của dòng nằm ngoài thời gian tồn tại của tổ chức hoặc đảng viên nên dòng '
            ~ 'được gắn vào phiên bản gần nhất. Xem valid_from, valid_to của phiên bản ở dim_organisation, dim_member.'}) }}
    {%- else -%}
        {%- set cell = trace.get('cells', {}).get(name, name) -%}
        {{ return({
            'formula': 'Ô của dòng trong biểu.', 'set': 'own', 'value': 'any_value(' ~ cell ~ ')', 'cells': cell
        }) }}
    {%- endif -%}
{%- endmacro %}
