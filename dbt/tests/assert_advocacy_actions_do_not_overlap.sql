-- An action that two rows list would count twice; a range with one end would hold no score.
select own.action_type, own.score_from, other.score_from as other_score_from
from {{ ref("advocacy_actions") }} as own
inner join {{ ref("advocacy_actions") }} as other on own.action_type = other.action_type
where
    (own.score_from is null and other.score_from is not null)
    or (own.score_from < other.score_from and own.score_to >= other.score_from)
    or own.score_to < own.score_from
    or (own.score_from is null) <> (own.score_to is null)
    or own.weight <= 0
