"""What the behavioural report is made from: typed, plain and checked when it is put together.

Whoever scores the recommenders fills in :class:`ReportInputs`; every other module of this package
reads it and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.behaviour.cold_articles import ColdArticles
from hm_platform.behaviour.cold_customers import AsIfNew
from hm_platform.errors import PlatformError
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.candidates import CandidateRecall
from hm_platform.modelling.metrics import CustomerMetrics, Purchased

Epoch = Mapping[str, float | int | None]
"""What was logged for one training epoch: ``epoch`` and any number of named values."""


class BehaviourError(PlatformError, ValueError):
    """The behavioural report cannot be made from what it was given."""


@dataclass(frozen=True)
class Evaluated:
    """One recommender's lists for the n test customers, and how good each list is.

    name : as in the board and the tables, e.g. ``two_tower``
    is_baseline : whether the model is compared with it
    articles : int32, shape (n, k), article indices, best first; -1 where there was nothing left
    metrics : a value per test customer, over the first k articles
    coverage : share of the articles that can be recommended that are in at least one list
    """

    name: str
    is_baseline: bool
    articles: NDArray[np.int32]
    metrics: CustomerMetrics
    coverage: float


@dataclass(frozen=True)
class SplitVolume:
    """How much one split holds; ``first_day`` and ``last_day`` are both included, None if empty."""

    split: str
    rows: int
    first_day: date | None
    last_day: date | None
    customers: int
    articles: int

    @property
    def days(self) -> int:
        """Days from the first to the last, both included."""
        if self.first_day is None or self.last_day is None:
            return 0
        return (self.last_day - self.first_day).days + 1


@dataclass(frozen=True)
class Sources:
    """Where the articles that are ranked come from, and what ranks them.

    recall : candidate source -> how much of what was bought it has; ``union``: all together
    importance : group of features -> what MAP@12 loses when it is shuffled; empty where nobody
        bought in the validation week
    no_ranker : why there is no ranker, in words that go on a sentence; then the others are empty
    """

    recall: Mapping[str, CandidateRecall] = field(default_factory=dict)
    importance: Mapping[str, float] = field(default_factory=dict)
    no_ranker: str = ""


@dataclass(frozen=True)
class ReportInputs:
    """Everything about one week that the report shows.

    week : first day of the test week
    dataset : the data set's name, as people call it
    snapshot : the test split's features, that is what was known when the week began
    bought : the n customers who bought in the test week, and what; row i of every other array is
        about ``bought.customers[i]``
    recommenders : in the order of the board, names distinct
    published, published_reason : whose lists are published, and why, in a sentence
    training : stage of the model, named like its recommender -> its training curves, one mapping
        an epoch
    sources : what the model says of its candidates, or None
    as_if_new : how good lists would be for the test customers if they were new, or None where that
        was not measured
    cold_articles : how articles without a sale could be put in order, or None where nothing could
    versions, fingerprints : name -> value, shown as they are
    feature_graph_svg : an SVG document, or None
    article_names : strings, shape (articles,), aligned with the article index; nulls allowed

    Raises BehaviourError when there is no test customer or no recommender, or when lengths, indices
    or values contradict each other.
    """

    week: date
    dataset: str
    snapshot: Snapshot
    bought: Purchased
    recommenders: Sequence[Evaluated]
    published: str
    published_reason: str
    training: Mapping[str, Sequence[Epoch]] = field(default_factory=dict)
    sources: Sources | None = None
    as_if_new: AsIfNew | None = None
    cold_articles: ColdArticles | None = None
    volumes: Sequence[SplitVolume] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    feature_graph_svg: str | None = None
    article_names: pa.Array | None = None

    def __post_init__(self) -> None:
        n = self.n
        if n == 0:
            raise BehaviourError(
                f"week {self.week}: no customer bought in the test week, so there is nothing to "
                "report on; check that its transactions are landed and loaded"
            )
        names = [r.name for r in self.recommenders]
        if not names or len(set(names)) != len(names):
            raise self._wrong(f"recommenders must be named, each once, not {names}")
        if self.published not in names:
            raise self._wrong(f"{self.published!r} is published but not among {names}")
        if self.snapshot.week != self.week or self.snapshot.split != "test":
            raise self._wrong(
                f"the snapshot is of week {self.snapshot.week}, split {self.snapshot.split!r}; "
                "the report needs the test split of its own week"
            )
        self._check_indices("customers", self.customers, self.snapshot.n_customers)
        self._check_indices("purchased articles", self.bought.articles, self.n_articles)
        offsets = self.bought.offsets
        if offsets.shape != (n + 1,) or offsets[-1] != len(self.bought.articles):
            raise self._wrong(f"the offsets of the purchases do not fit {n} customers")
        if self.article_names is not None and len(self.article_names) != self.n_articles:
            raise self._wrong(
                f"{len(self.article_names)} article names for {self.n_articles} articles"
            )
        for recommender in self.recommenders:
            self._check_recommender(recommender, n)

    @property
    def n(self) -> int:
        """How many test customers there are."""
        return len(self.customers)

    @property
    def customers(self) -> NDArray[np.int32]:
        """The test customers' indices; shape (n,)."""
        return self.bought.customers

    @property
    def n_articles(self) -> int:
        return self.snapshot.n_articles

    @property
    def k(self) -> int:
        """How long a list is."""
        return self.recommenders[0].articles.shape[1]

    @property
    def served_week(self) -> date:
        """The week for which the recommendations are published: the one after the test week."""
        return self.week + timedelta(weeks=1)

    def recommender(self, name: str) -> Evaluated:
        """The recommender of that name."""
        return next(r for r in self.recommenders if r.name == name)

    def recommendable(self) -> NDArray[np.bool_]:
        """Which articles can be recommended: those sold before the cut-off; shape (articles,)."""
        return self.snapshot.articles["purchases_total"] > 0

    def _check_recommender(self, recommender: Evaluated, n: int) -> None:
        if recommender.articles.shape != (n, self.k):
            raise self._wrong(
                f"{recommender.name}'s lists have shape {recommender.articles.shape}, "
                f"not {(n, self.k)}"
            )
        self._check_indices(
            f"{recommender.name}'s articles", recommender.articles, self.n_articles, lowest=-1
        )
        for metric, values in vars(recommender.metrics).items():
            if values.shape != (n,) or not np.isfinite(values).all():
                raise self._wrong(
                    f"{recommender.name}'s {metric} must be {n} finite numbers, one a customer"
                )
        if not 0 <= recommender.coverage <= 1:
            raise self._wrong(
                f"{recommender.name}'s coverage is {recommender.coverage}, not a share from 0 to 1"
            )

    def _check_indices(self, what: str, values: NDArray, size: int, lowest: int = 0) -> None:
        if values.size and (values.min() < lowest or values.max() >= size):
            raise self._wrong(f"{what} must lie in {lowest}..{size - 1}")

    def _wrong(self, what: str) -> BehaviourError:
        return BehaviourError(f"week {self.week}: {what}")
