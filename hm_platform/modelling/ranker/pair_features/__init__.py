"""Features of customer and article pairs as Hamilton functions: what the ranker reads.

Inputs, bound by ``hm_platform.modelling.ranker.inputs``; all of shape (pairs,) unless said
otherwise, NaN where something does not apply:

days_since_last, days_since_first, days_since_previous, shopping_days, purchases,
trips_since_last, trips_since_first, decayed_14, decayed_60, decayed_180 : of the pair, from the
    customer's history; all NaN where the article was never bought
customer_* : columns of ``features/customers``
article_* : columns of ``features/articles``
distinct_articles : how many different articles the customer bought
usual_price : the customer's mean standardised price, weighted by recency
segment_share : how much the customer's segment bought of the article last week
product_type, product : how the customer bought articles of the same kind (GroupHistory)
same_buyers_age : mean standardised age of the article's buyers
source_* : each candidate source's own score
two_tower_dense, two_tower_repeat : the two parts of the retrieval model's score

A feature is a function with a ``group`` tag: features of a group are left out together to see what
they are worth. A value may be NaN (it does not apply) and may have any scale: the ranker reads its
quantile.
"""

from hm_platform.modelling.ranker.pair_features import articles, customers, history, kinds, models

MODULES = (history, kinds, articles, customers, models)
"""Whose functions are features."""
