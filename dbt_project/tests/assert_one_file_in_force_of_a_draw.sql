-- Of the files with the results of a draw one is in force.
select draw_id
from {{ ref('stg_field_checks') }}
where is_in_force
group by draw_id
having count(distinct source_hash) > 1
