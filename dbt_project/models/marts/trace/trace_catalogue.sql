-- How every figure is found again, as the marts declare it: a build carries it along and so explains itself.
with figures as (
    {{ trace_rows() }}
)

select
    cast(mart as varchar) as mart,
    cast(figure as varchar) as figure,
    cast(figure_description as varchar) as figure_description,
    cast(nullif(formula, '') as varchar) as formula,
    cast(how as varchar) as how
from figures
