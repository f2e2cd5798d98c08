with

transactions as (
    select * from {{ source('raw', 'transactions') }}
),

dated as (
    select
        t_dat,
        customer_id,
        article_id,
        price,
        sales_channel_id,
        uri,
        row_number,
        {{ week_of('t_dat') }} as week
    from transactions
)

select * from dated
