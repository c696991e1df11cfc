-- What the article asks is answered by an indicator, or it is said why by none; never both, never neither.
select questions.question_id
from {{ ref('article_questions') }} as questions
left join {{ ref('indicators') }} as indicators on questions.question_id = indicators.question_id
group by questions.question_id, questions.no_number_because
having (count(indicators.indicator_id) = 0) <> (questions.no_number_because is not null)
