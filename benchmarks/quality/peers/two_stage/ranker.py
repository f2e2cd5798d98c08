"""The peer to beat: candidates ranked by LightGBM's lambdarank (Burges 2010).

Trained on several past weeks, each seen only as of its own first day, as the winners of H&M's
competition did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.quality.lists import best_sellers, top
from benchmarks.quality.pairs import Pairs, pairs
from benchmarks.quality.peers.similar_customers import nearest
from benchmarks.quality.peers.two_stage.candidates import Candidates, candidates
from benchmarks.quality.peers.two_stage.features import features
from benchmarks.quality.protocol import WEEK, History

if TYPE_CHECKING:
    import lightgbm


@dataclass(frozen=True)
class TwoStage:
    """LightGBM lambdarank over up to 195 candidates a customer.

    Trees, leaves and learning rate were chosen on the target weeks 2017-09-11 and 2017-09-25, of
    the objectives lambdarank and binary, 15 and 31 leaves, rates of .03 and .05 and 50 to 400
    trees.
    """

    own: int = 150
    others: int = 25
    popular: int = 20
    neighbours: int = 50
    label_weeks: int = 5
    trees: int = 400
    learning_rate: float = 0.05
    leaves: int = 15
    min_leaf: int = 200
    column_share: float = 0.5
    row_share: float = 0.8
    l2: float = 10.0
    truncation: int = 40

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        """The k best of each customer's candidates."""
        model = self._fit(history)
        wanted, columns = self._examples(history, customers)
        scores = np.asarray(model.predict(columns))
        return top(wanted.rows, wanted.articles, scores, len(customers), k, best_sellers(history))

    def _fit(self, history: History) -> lightgbm.Booster:
        import lightgbm

        columns, labels, groups = [], [], []
        for back in range(self.label_weeks, 0, -1):
            start = history.cutoff - WEEK * back
            week = history.between(start, start + WEEK)
            wanted, X = self._examples(history.before(start), np.unique(week.customers))
            label = bought(wanted, week)
            # A list without a purchase, or with nothing else, has no order to learn.
            per = np.bincount(wanted.rows, label, minlength=len(wanted.of))
            useful = per > 0
            kept = useful[wanted.rows]
            columns.append(X[kept])
            labels.append(label[kept])
            groups.append(wanted.groups()[useful])
        data = lightgbm.Dataset(
            np.concatenate(columns), np.concatenate(labels), group=np.concatenate(groups)
        )
        return lightgbm.train(self._parameters(), data, num_boost_round=self.trees)

    def _parameters(self) -> dict[str, object]:
        return {
            "objective": "lambdarank",
            "lambdarank_truncation_level": self.truncation,
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.min_leaf,
            "feature_fraction": self.column_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "lambda_l2": self.l2,
            "seed": 0,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def _examples(
        self, history: History, customers: NDArray[np.int32]
    ) -> tuple[Candidates, NDArray[np.float32]]:
        """Candidates of some customers and their columns, as of the history's cut-off."""
        found = pairs(history)
        similar = similar_customers(found, self.neighbours)
        wanted = candidates(history, found, similar, customers, self.own, self.others, self.popular)
        columns = features(history, found, similar, wanted)
        return wanted, np.stack(list(columns.values()), axis=1)


def similar_customers(found: Pairs, k: int) -> sparse.csr_matrix:
    """What the k most similar customers buy, customers × articles."""
    habits = found.matrix(np.log1p(found.decayed(60)))
    return (nearest(habits, k) @ habits).tocsr()


def bought(wanted: Candidates, week: History) -> NDArray[np.float32]:
    """1 for each candidate that its customer bought in the week."""
    keys = np.unique(week.customers.astype(np.int64) * week.n_articles + week.articles)
    asked = wanted.customers.astype(np.int64) * week.n_articles + wanted.articles
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return (keys[place] == asked).astype(np.float32)
