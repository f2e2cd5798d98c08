"""Which days each split of a week holds, and which customers.

For week W the test split is W, the validation split is the week before, and the training split the
weeks before that. The knobs of the tutorial that the project descends from remain: where training
ends, where validation ends, and a seeded sample of the customers for quick iterations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from hm_platform.calendar import WEEK, Calendar
from hm_platform.datasets.names import ranking_split
from hm_platform.errors import PlatformError

MOST_RANKING_WEEKS = 12
"""A ranker is trained on so many weeks before the validation week, at most. On the sample's target
weeks 2017-09-18 to 2017-10-16, rankers of 3, 5, 10, 12 and 15 past weeks reached a MAP@12 of .1822,
.1835, .1842, .1844 and .1846, the mean of two seeds."""

MOST_RANKING_CUSTOMERS = 50_000
"""Of more customers in training, ranking splits have a sample: a ranker learns from fewer lists,
and purchase histories of a million customers as of twelve days would not fit in memory."""


def ranking_customers(in_training: int) -> range:
    """The indices of the customers in ranking splits: of all in training, every n-th.

    in_training : how many customers there are in the training split; theirs are the first indices
    """
    return range(0, in_training, max(1, -(-in_training // MOST_RANKING_CUSTOMERS)))


class DatasetError(PlatformError):
    """A split that cannot be made: wrong bounds, or no purchases to make it from."""


def plan_parameters(
    train_weeks: int,
    seed: int,
    training_end: str | None = None,
    validation_end: str | None = None,
    customer_fraction: float = 1.0,
) -> dict[str, object]:
    """What a build depends on beside its data and code, by name."""
    return {
        "train_weeks": train_weeks,
        "seed": seed,
        "training_end": training_end,
        "validation_end": validation_end,
        "customer_fraction": customer_fraction,
    }


@dataclass(frozen=True)
class SplitPlan:
    """The bounds of a week's splits; every ``*_end`` is the first day after.

    train = [train_start, training_end), validation = [training_end, validation_end),
    test = [validation_end, test_end). ``customer_fraction`` in (0, 1] keeps that share of the
    customers, whole histories, the same ones for the same ``seed``.
    """

    week: date
    train_start: date
    training_end: date
    validation_end: date
    customer_fraction: float = 1.0
    seed: int = 0

    @classmethod
    def for_week(
        cls,
        week: date,
        calendar: Calendar,
        train_weeks: int,
        *,
        training_end: str | None = None,
        validation_end: str | None = None,
        customer_fraction: float = 1.0,
        seed: int = 0,
    ) -> SplitPlan:
        """The plan for ``week``; ends are weeks' names and default to W - 1 week and W.

        However early the ends are put, training starts ``train_weeks`` weeks before the
        validation week that is the default.

        Raises DatasetError for bounds out of order or outside the weeks that W reads, and
        CalendarError for ends that are no weeks.
        """
        train_start = max(week - WEEK * (train_weeks + 1), calendar.first_week)
        plan = cls(
            week=week,
            train_start=train_start,
            training_end=calendar.parse(training_end) if training_end else week - WEEK,
            validation_end=calendar.parse(validation_end) if validation_end else week,
            customer_fraction=customer_fraction,
            seed=seed,
        )
        if not train_start < plan.training_end < plan.validation_end <= week:
            raise DatasetError(
                f"the splits of week {week} need {train_start} < training end "
                f"({plan.training_end}) < validation end ({plan.validation_end}) <= {week}: "
                f"build a later week, or move the ends"
            )
        if not 0 < customer_fraction <= 1:
            raise DatasetError(f"customer_fraction must lie in (0, 1], not {customer_fraction}")
        return plan

    @property
    def test_end(self) -> date:
        return self.week + WEEK

    @property
    def validates_on_the_week_before(self) -> bool:
        """Whether the validation split holds all purchases of the seven days before the test."""
        return self.customer_fraction == 1 and self.validation_end - self.training_end == WEEK

    @property
    def bounds(self) -> Mapping[str, tuple[date, date]]:
        """First day and first day after, by split."""
        return {
            "train": (self.train_start, self.training_end),
            "validation": (self.training_end, self.validation_end),
            "test": (self.validation_end, self.test_end),
        }

    @property
    def cutoffs(self) -> Mapping[str, date]:
        """The first day that features must not see, by the split they serve."""
        return {
            "validation": self.training_end,
            "test": self.validation_end,
            "serving": self.test_end,
        }

    @property
    def ranking_weeks(self) -> int:
        """How many past weeks a ranker of candidates is trained on.

        Less than half of the training split: what lies before them is for the retrieval model. 0
        where the split is shorter than three weeks: there is no ranker then.
        """
        weeks = (self.training_end - self.train_start) // WEEK
        return min(MOST_RANKING_WEEKS, (weeks - 1) // 2)

    @property
    def ranking_cutoffs(self) -> Mapping[str, date]:
        """The first day that features must not see, by ranking split, the latest first.

        The purchases of the seven days from a cut-off on are the split's labels. They lie in the
        training split: its last week belongs to ``ranking_1``, and so on backwards.
        """
        weeks = range(1, self.ranking_weeks + 1)
        return {ranking_split(i): self.training_end - i * WEEK for i in weeks}

    @property
    def feature_cutoffs(self) -> Mapping[str, date]:
        """Cut-offs of all splits that have features."""
        return {**self.cutoffs, **self.ranking_cutoffs}

    @property
    def copurchase_cutoffs(self) -> Mapping[str, date]:
        """Cut-offs of the splits that articles bought together are computed for.

        That is by far the most expensive of the features, and changes little from week to week, so
        all ranking splits share the one with the earliest cut-off: older than most of them need,
        later than none.
        """
        return {**self.cutoffs, **dict(list(self.ranking_cutoffs.items())[-1:])}

    def sampled(self, customer: str) -> str:
        """A DuckDB condition: the customer with the id expression ``customer`` is in the sample."""
        if self.customer_fraction == 1:
            return "true"
        parts = 1_000_000
        return (
            f"md5_number_lower({customer} || '/{self.seed}') % {parts} "
            f"< {round(self.customer_fraction * parts)}"
        )
