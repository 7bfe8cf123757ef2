-- The reward for who brought a customer is a cost of the customer's first order.
select
    orders.order_id,
    {{ money("orders.margin_before_rewards - coalesce(referrals.reward_amount, 0)") }}
    as contribution_margin
from {{ ref("int_orders__valued") }} as orders
left join
    {{ ref("int_referrals__judged") }} as referrals on orders.order_id = referrals.first_order_id
