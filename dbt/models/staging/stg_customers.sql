with

customers as (
    select * from {{ source('raw', 'customers') }}
),

cleaned as (
    select
        customer_id,
        {{ flag('fn') }} as receives_fashion_news,
        {{ flag('active') }} as is_active,
        {{ text_or_null('club_member_status') }} as club_member_status,
        {{ text_or_null('fashion_news_frequency') }} as fashion_news_frequency,
        age,
        {{ text_or_null('postal_code') }} as postal_code
    from customers
),

harmonised as (
    select
        customer_id,
        receives_fashion_news,
        is_active,
        club_member_status,
        -- H&M's file holds both 'NONE' and 'None'.
        case
            when lower(fashion_news_frequency) = 'none' then 'NONE'
            else fashion_news_frequency
        end as fashion_news_frequency,
        age,
        postal_code
    from cleaned
)

select * from harmonised
order by customer_id
