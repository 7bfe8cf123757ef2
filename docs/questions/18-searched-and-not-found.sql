-- What do people search for and not find?
--
-- A row is a term searched within the last twelve months that often showed nothing: searches,
-- how many of them showed nothing, and the orders that the same people placed within a day.
-- Few orders mean that they left without; what is searched most is a product to add, or a word
-- to teach the search.
with today as (select max(month) as last_month from fct_search_terms)

select
    term,
    sum(searches) as searches,
    sum(without_result) as without_result,
    sum(orders_after) as orders_after
from fct_search_terms
cross join today
where month > cast(today.last_month - interval '1 year' as date)
group by term
having sum(without_result) > 0
order by without_result desc, term
limit 15
