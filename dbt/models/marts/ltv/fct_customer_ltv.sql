-- Predicted value is expected purchases times expected value of each, less the share that mature
-- orders gave back in refunds, and at their margin.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    customers as (select * from {{ ref("int_ltv__customers") }}),

    sales as (

        select customer_id, sum(net_sales) as net_sales
        from {{ ref("int_sales__entries") }}
        where customer_id is not null
        group by customer_id

    ),

    shares as (select * from {{ ref("int_ltv__shares") }}),

    chosen as (

        select models.*
        from {{ ref("int_predictions__models") }} as models
        cross join settings
        where models.is_chosen and models.cut_off_date = settings.as_of_date

    ),

    purchase_models as (select * from chosen where model_name <> 'gamma_gamma' and cohort = 'all'),

    value_models as (select * from chosen where model_name = 'gamma_gamma'),

    worth as (

        select
            customers.*,
            customers.repeat_sales > spend.largest_repeat_sales as is_out_of_range,
            case
                when customers.repeat_sales <= spend.largest_repeat_sales
                then
                    spend.p
                    * (spend.gamma + customers.repeat_sales)
                    / (spend.p * customers.valued_repeats + spend.q - 1)
            end as expected_value_per_purchase
        from customers
        left join
            {{ ref("int_predictions__values") }} as spend
            on customers.valued_repeats = spend.valued_repeats

    ),

    predicted as (

        select
            customers.customer_id,
            customers.frequency,
            customers.recency_days,
            customers.age_days,
            coalesce(sales.net_sales, 0) as historic_ltv,
            purchases.p_alive,
            {% for days in [30, 90, 180, 365] %}
                purchases.probability_of_purchase_{{ days }}_days,
                purchases.expected_purchases_{{ days }}_days,
                purchases.discounted_purchases_{{ days }}_days
                * customers.expected_value_per_purchase
                * shares.kept_share as predicted_{{ days }}_days,
            {% endfor %}
            customers.expected_value_per_purchase,
            shares.margin_share,
            purchase_models.model_name,
            coalesce(
                purchase_models.refusal_reason,
                value_models.refusal_reason,
                case
                    when customers.is_out_of_range
                    then 'repeat purchases worth more than the model of value can explain'
                    when shares.kept_share is null
                    then 'no value is predicted: as much was given back as was sold'
                    when purchases.frequency is null
                    then 'no model has been fitted since the files were read'
                end
            ) as refusal_reason
        from worth as customers
        cross join shares
        left join sales on customers.customer_id = sales.customer_id
        left join
            {{ ref("int_predictions__purchases") }} as purchases
            on customers.frequency = purchases.frequency
            and customers.recency_days = purchases.recency_days
            and customers.age_days = purchases.age_days
        left join purchase_models on true
        left join value_models on true

    )

select
    customer_id,
    cast(frequency as integer) as frequency,
    cast(recency_days as integer) as recency_days,
    cast(age_days as integer) as age_days,
    {{ money("historic_ltv") }} as historic_ltv,
    p_alive,
    {% for days in [30, 90, 180, 365] %} probability_of_purchase_{{ days }}_days, {% endfor %}
    {% for days in [30, 90, 180, 365] %} expected_purchases_{{ days }}_days, {% endfor %}
    {{ money("expected_value_per_purchase") }} as expected_value_per_purchase,
    {% for days in [30, 90, 180, 365] %}
        {{ money("predicted_" ~ days ~ "_days") }} as predicted_ltv_{{ days }}_days,
    {% endfor %}
    {% for days in [30, 90, 180, 365] %}
        {{ money("predicted_" ~ days ~ "_days * margin_share") }}
        as predicted_margin_{{ days }}_days,
    {% endfor %}
    {{ money("historic_ltv + predicted_365_days") }} as total_ltv_365_days,
    model_name,
    refusal_reason
from predicted
