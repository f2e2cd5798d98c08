with

purchases as (
    select * from {{ ref('stg_transactions') }}
    where {{ weeks_filter('t_dat') }}
),

sales as (
    select
        week,
        article_id,
        count(*)::integer as purchases,
        count(*) filter (where sales_channel_id = 2)::integer as purchases_online,
        count(distinct customer_id)::integer as customers,
        {{ exact_sum('price') }} as revenue,
        min(t_dat) as first_day,
        max(t_dat) as last_day
    from purchases
    group by week, article_id
),

priced as (
    select
        week,
        article_id,
        purchases,
        purchases_online,
        customers,
        revenue,
        revenue / purchases as mean_price,
        first_day,
        last_day
    from sales
)

select * from priced
order by week, article_id
