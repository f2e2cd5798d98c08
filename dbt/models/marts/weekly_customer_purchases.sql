with

purchases as (
    select * from {{ ref('stg_transactions') }}
    where {{ weeks_filter('t_dat') }}
),

by_customer as (
    select
        week,
        customer_id,
        count(*)::integer as purchases,
        count(*) filter (where sales_channel_id = 2)::integer as purchases_online,
        count(distinct article_id)::integer as articles,
        {{ days_in_week('t_dat', 'week') }} as days,
        {{ exact_sum('price') }} as spend,
        min(t_dat) as first_day,
        max(t_dat) as last_day
    from purchases
    group by week, customer_id
)

select * from by_customer
order by week, customer_id
