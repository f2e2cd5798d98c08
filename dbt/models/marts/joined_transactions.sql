-- A join is streamed: it needs no more memory for a year than for a week, and reads articles and
-- customers once for each block of weeks. The rows lie about as they do in raw: to sort them, 34
-- columns wide, would take half as long again.
{{ config(meta={'weeks_at_once': 52}) }}

with

purchases as (
    select * from {{ ref('stg_transactions') }}
    where {{ weeks_filter('t_dat') }}
),

articles as (
    select * from {{ ref('stg_articles') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

joined as (
    select
        purchases.week,
        purchases.t_dat,
        purchases.customer_id,
        purchases.article_id,
        purchases.price,
        purchases.sales_channel_id,
        articles.product_code,
        articles.prod_name,
        articles.product_type_no,
        articles.product_type_name,
        articles.product_group_name,
        articles.graphical_appearance_name,
        articles.colour_group_name,
        articles.perceived_colour_value_name,
        articles.perceived_colour_master_name,
        articles.department_no,
        articles.department_name,
        articles.index_code,
        articles.index_name,
        articles.index_group_name,
        articles.section_no,
        articles.section_name,
        articles.garment_group_no,
        articles.garment_group_name,
        customers.receives_fashion_news,
        customers.is_active,
        customers.club_member_status,
        customers.fashion_news_frequency,
        customers.age,
        customers.postal_code,
        articles.article_id is not null as has_article,
        customers.customer_id is not null as has_customer,
        purchases.uri,
        purchases.row_number
    from purchases
    left join articles on purchases.article_id = articles.article_id
    left join customers on purchases.customer_id = customers.customer_id
)

select * from joined
