{# The grain of a table whose primary key is another: no two rows agree in all of `combination`. #}
{% test unique_combination(model, combination) %}

select {{ combination | join(', ') }}
from {{ model }}
group by {{ combination | join(', ') }}
having count(*) > 1

{% endtest %}
