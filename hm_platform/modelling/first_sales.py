"""How soon an article without a sale will have one, from what became of others like it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot

ATTRIBUTES = ("product_group_code", "product_type_code", "product_code")
"""What makes articles alike, the broadest first."""
DAYS = 28
PRIOR = 20.0
"""Articles that go like those of the broader kind and are added to those of a kind."""


def first_sale_rates(snapshot: Snapshot) -> NDArray[np.float64]:
    """The chance that an article without a sale is sold within DAYS, shape (articles,).

    It is the share of the articles of its kind that were first sold in the last DAYS, among those
    that had no sale before that. A kind's share is drawn to that of the broader kind, as if PRIOR
    further articles had gone like it, and an article whose kind is unknown is judged by the broader
    one (the mean of a beta-binomial posterior, e.g. Gelman et al., Bayesian Data Analysis, 3rd ed.,
    section 5.3, with the prior's weight given instead of fitted).

    Popularity does not say this: what sells well may have few articles that are still to come, and
    magazines come and go by the hundred.
    """
    first_sale = snapshot.articles["days_since_first_sale"]
    sold_first = (first_sale >= 1) & (first_sale <= DAYS)
    waited = sold_first | (snapshot.articles["purchases_total"] == 0)
    everywhere = int(np.count_nonzero(sold_first)) / max(int(np.count_nonzero(waited)), 1)
    rates = np.full(snapshot.n_articles, everywhere)
    for attribute in ATTRIBUTES:
        codes = snapshot.articles[attribute]
        kinds = int(codes.max(initial=0)) + 1
        sold = np.bincount(codes[sold_first], minlength=kinds)[codes]
        of_kind = np.bincount(codes[waited], minlength=kinds)[codes]
        drawn = (sold + PRIOR * rates) / (of_kind + PRIOR)
        rates = np.where(codes > 0, drawn, rates)
    return rates
