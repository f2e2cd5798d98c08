with

purchases as (
    select * from {{ ref('stg_transactions') }}
    where {{ weeks_filter('t_dat') }}
),

by_pair as (
    select
        week,
        customer_id,
        article_id,
        count(*)::integer as purchases,
        {{ days_in_week('t_dat', 'week') }} as days,
        {{ exact_sum('price') }} as spend,
        min(t_dat) as first_day,
        max(t_dat) as last_day
    from purchases
    group by week, customer_id, article_id
)

select * from by_pair
order by week, customer_id, article_id
