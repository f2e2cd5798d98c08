-- A week fails when its number of purchases, or the sum of a hash of each, differs between raw and
-- joined. Equal sums of hashes mean the same purchases the same number of times, at the cost of a
-- scan instead of a join.
{{ config(meta={'dagster': {'ref': {'name': 'joined_transactions'}}}) }}

with

raw_purchases as (
    select
        {{ week_of('t_dat') }} as week,
        count(*) as purchases,
        sum(
            hash(uri, row_number, t_dat, customer_id, article_id, price, sales_channel_id)
        ) as fingerprint
    from {{ source('raw', 'transactions') }}
    where {{ weeks_filter('t_dat') }}
    group by week
),

joined_purchases as (
    select
        week,
        count(*) as purchases,
        sum(
            hash(uri, row_number, t_dat, customer_id, article_id, price, sales_channel_id)
        ) as fingerprint
    from {{ ref('joined_transactions') }}
    where {{ weeks_filter('week') }}
    group by week
)

select
    week,
    raw_purchases.purchases as expected,
    joined_purchases.purchases as found
from raw_purchases
full join joined_purchases using (week)
where
    raw_purchases.purchases is distinct from joined_purchases.purchases
    or raw_purchases.fingerprint is distinct from joined_purchases.fingerprint
