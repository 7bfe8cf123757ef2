-- Do we win more customers than we lose?
--
-- A row is one of the last twelve months that have ended. New and resurrected customers have
-- joined those who bought the month before, dormant ones have left them; the balance is what
-- the number of monthly buyers has changed by.
select
    period_start as month,
    new_customers,
    resurrected_customers,
    dormant_customers,
    new_customers + resurrected_customers - dormant_customers as balance
from fct_growth_accounting
where period_type = 'month' and is_complete
order by period_start desc
limit 12
