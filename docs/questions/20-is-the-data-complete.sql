-- Is today's data complete and in order?
--
-- A row is something to look at; all counts are 0 on a good day. Whatever is not 0 stands in
-- detail in fct_intake_files, fct_rejected_rows, fct_reconciliation and fct_check_results.
-- Many days without an order or a visit mean that a delivery is missing.
with today as (select max(lifecycle_date) as as_of_date from fct_lifecycle_daily)

select 1 as line, 'files held back' as what, count(*) as found
from fct_intake_files
where status = 'held'
union all
select 2, 'records rejected', coalesce(sum(rejected), 0)
from fct_intake_files
union all
select 3, 'sums that do not balance', count(*)
from fct_reconciliation
where not is_balanced
union all
select 4, 'critical checks that failed', count(*)
from fct_check_results
where severity = 'critical' and not passed
union all
select 5, 'warnings', count(*)
from fct_check_results
where severity = 'warning' and not passed
union all
select 6, 'days since the last order', max(today.as_of_date) - max(order_date)
from fct_orders
cross join today
union all
select 7, 'days since the last visit', max(today.as_of_date) - max(session_date)
from fct_sessions
cross join today
order by line
