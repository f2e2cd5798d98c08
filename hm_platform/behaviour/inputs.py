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
from hm_platform.behaviour.stability import Stability
from hm_platform.drift.view import DriftView
from hm_platform.errors import PlatformError
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.candidates import CandidateRecall
from hm_platform.modelling.metrics import CustomerMetrics, Purchased

CATALOGUE = (
    "prod_name", "product_code", "product_type_name", "product_group_name", "department_name",
)  # fmt: skip
"""What the report reads of an article beside its features: columns of ``staging.stg_articles``."""

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
class Provenance:
    """Where the model comes from.

    recorded : split -> fingerprint of the data that the model says it was trained on
    actual : the same for the splits as they are now
    last_week_sales : int64, shape (articles,), how often each article was bought in the validation
        week; None where the validation split is not the whole week before the cut-off
    validation_map : recommender -> MAP on the validation week, by which it was chosen, the ranker's
        before it learnt from that week; empty where nobody bought
    """

    recorded: Mapping[str, str]
    actual: Mapping[str, str]
    last_week_sales: NDArray[np.int64] | None
    validation_map: Mapping[str, float]


@dataclass(frozen=True)
class ServingNow:
    """What serves until this week's model does: it stands on the board as a recommender.

    name : of its row on the board
    serves : the recommender inside, e.g. ``ranker``
    version : of its model
    week : the week that it was published for last
    """

    name: str
    serves: str
    version: str
    week: date


@dataclass(frozen=True)
class WeekBefore:
    """The report of the week before.

    board : recommender -> metric -> value
    failed : the tests of which a threshold was missed
    challenger : the recommender that they are about
    """

    week: date
    board: Mapping[str, Mapping[str, float]]
    failed: frozenset[str]
    challenger: str


@dataclass(frozen=True)
class ReportInputs:
    """Everything about one week that the report shows.

    week : first day of the test week
    dataset : the data set's name, as people call it
    snapshot : the test split's features, that is what was known when the week began
    bought : the n customers who bought in the test week, and what; row i of every other array is
        about ``bought.customers[i]``
    recommenders : in the order of the board, names distinct
    challenger, challenger_reason : which recommender of the model is judged, and would be
        published, and why that one, in a sentence
    model_version : of the model
    last_published : what serves now, if anything does; it is one of the recommenders
    training : stage of the model, named like its recommender -> its training curves, one mapping
        an epoch
    sources : what the model says of its candidates, or None
    as_if_new : how good lists would be for the test customers if they were new, or None where that
        was not measured
    cold_articles : how articles without a sale could be put in order, or None where nothing could
    stability : how the challenger's lists bear small changes, or None where nobody was asked
    served : int32, shape (n, k), what was published for the test week, -1 where nothing; or None
    provenance : where the model comes from
    before : the report of the week before, if there is one
    drift : how the week's purchases and features differ from the weeks before
    versions, fingerprints : name -> value, shown as they are
    feature_graph_svg : an SVG document, or None
    catalogue : CATALOGUE as strings, a row an article of the index; nulls allowed
    club_statuses : the labels of the customers' ``club_member_status_code``, from code 1 on
    seed : of all that is drawn

    Raises BehaviourError when there is no test customer or no recommender, or when lengths, indices
    or values contradict each other.
    """

    week: date
    dataset: str
    snapshot: Snapshot
    bought: Purchased
    recommenders: Sequence[Evaluated]
    challenger: str
    challenger_reason: str
    model_version: str = ""
    last_published: ServingNow | None = None
    training: Mapping[str, Sequence[Epoch]] = field(default_factory=dict)
    sources: Sources | None = None
    as_if_new: AsIfNew | None = None
    cold_articles: ColdArticles | None = None
    volumes: Sequence[SplitVolume] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    feature_graph_svg: str | None = None
    catalogue: pa.Table | None = None
    club_statuses: tuple[str, ...] = ()
    stability: Stability | None = None
    served: NDArray[np.int32] | None = None
    provenance: Provenance | None = None
    before: WeekBefore | None = None
    drift: DriftView | None = None
    seed: int = 0

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
        if self.challenger not in names:
            raise self._wrong(f"{self.challenger!r} is the challenger but not among {names}")
        if self.last_published is not None and self.last_published.name not in names:
            raise self._wrong(f"{self.last_published.name!r} is not among {names}")
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
        if self.catalogue is not None and len(self.catalogue) != self.n_articles:
            raise self._wrong(
                f"{len(self.catalogue)} catalogue rows for {self.n_articles} articles"
            )
        if self.served is not None and self.served.shape[0] != n:
            raise self._wrong(f"{self.served.shape[0]} lists were served to {n} customers")
        for asked in (self.as_if_new, self.cold_articles):
            if asked is not None and not np.isin(asked.customers, self.customers).all():
                raise self._wrong(
                    "who is asked for as if new, or for new articles, must have bought"
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

    @property
    def names(self) -> pa.ChunkedArray | None:
        """The articles' names, by index, as far as they are known."""
        return None if self.catalogue is None else self.catalogue["prod_name"]

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
