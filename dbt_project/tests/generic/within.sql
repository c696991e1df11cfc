{# Numbers lie between two limits; a missing one is not a number. #}
{% test within(model, column_name, lowest, highest) %}

select {{ column_name }}
from {{ model }}
where {{ column_name }} < {{ lowest }} or {{ column_name }} > {{ highest }}

{% endtest %}
