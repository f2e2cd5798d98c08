"""From tables to feature tables: what the Dagster assets of the group ``features`` call.

Each function stages its inputs, checks for every split that they were known before the cut-off,
binds them to the Hamilton functions and puts the outputs into a table of
``hm_platform.features.catalogue``. The functions are pure: with the encoders of an older model and
today's tables they give that model's view of today.

``cutoffs`` maps splits to the first day that is not known yet, all of them whole weeks away from
the week that is built. Any selection of splits will do.
"""

from hm_platform.features.driver.entities import (
    article_features,
    customer_features,
    fit_encoders,
)
from hm_platform.features.driver.pairs import copurchases, purchase_histories

__all__ = [
    "article_features",
    "copurchases",
    "customer_features",
    "fit_encoders",
    "purchase_histories",
]
