with

articles as (
    select * from {{ source('raw', 'articles') }}
),

cleaned as (
    select
        article_id,
        {{ text_or_null('product_code') }} as product_code,
        {{ text_or_null('prod_name') }} as prod_name,
        product_type_no,
        {{ text_or_null('product_type_name') }} as product_type_name,
        {{ text_or_null('product_group_name') }} as product_group_name,
        graphical_appearance_no,
        {{ text_or_null('graphical_appearance_name') }} as graphical_appearance_name,
        {{ text_or_null('colour_group_code') }} as colour_group_code,
        {{ text_or_null('colour_group_name') }} as colour_group_name,
        perceived_colour_value_id,
        {{ text_or_null('perceived_colour_value_name') }} as perceived_colour_value_name,
        perceived_colour_master_id,
        {{ text_or_null('perceived_colour_master_name') }} as perceived_colour_master_name,
        department_no,
        {{ text_or_null('department_name') }} as department_name,
        {{ text_or_null('index_code') }} as index_code,
        {{ text_or_null('index_name') }} as index_name,
        index_group_no,
        {{ text_or_null('index_group_name') }} as index_group_name,
        section_no,
        {{ text_or_null('section_name') }} as section_name,
        garment_group_no,
        {{ text_or_null('garment_group_name') }} as garment_group_name,
        {{ text_or_null('detail_desc') }} as detail_desc
    from articles
)

select * from cleaned
order by article_id
