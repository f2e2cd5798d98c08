"""`python -m benchmarks.quality.ablation`: what each source and each group of features is worth.

Trains the ranker of a built week again and again, each time without one of its parts, on the first
of its past weeks, and scores it on the later ones.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.quality import ours
from benchmarks.quality.__main__ import ROOT, SCRATCH, prepared, run_app, say
from benchmarks.quality.comparison import Difference, paired_difference
from benchmarks.quality.protocol import VALIDATION
from benchmarks.quality.report import markdown_table
from benchmarks.quality.stages import week_data
from hm_platform.modelling.candidates import CANDIDATES_EACH
from hm_platform.modelling.parameters import RankingParams, TrainingParams
from hm_platform.modelling.pipeline import WeekData, labelled_weeks, train_retrieval
from hm_platform.modelling.ranker.examples import RankingExamples, ranking_examples
from hm_platform.modelling.ranker.inputs import feature_groups
from hm_platform.modelling.ranker.lists import LabelledWeek, RankingLists, make_lists
from hm_platform.modelling.ranker.metrics import average_precisions
from hm_platform.modelling.ranker.network import score_pairs
from hm_platform.modelling.ranker.training import fit_ranker
from hm_platform.modelling.two_tower import TwoTowerRecommender

JSON = ROOT / "benchmarks" / "results" / "ablation.json"
NOTHING = "nothing"
SEEDS = (0, 1)
JUDGED_WEEKS = 5
_PAGE = """\
# What each part of the ranker is worth

Written by `make bench-quality`; do not edit by hand.

The ranker of the week {week} was trained again without each candidate source, and without each
group of features, on the older ones of the past weeks that it learns from, and scored on the
{judged} weeks after those, {first} to {last}, {count:,} customer-weeks. Recall is the share of what
the customers bought in a week that was among their candidates; MAP@12 is that of their lists,
without a discount on best sellers, the mean over {seeds} seeds. In brackets stands a 95 % bootstrap
interval over customers. Two seeds alone differ by about {noise:.4f}, so of what is smaller than
that this says nothing. The table says what is lost without a part, not what it would do alone:
parts that say much the same stand in for each other.
What each source finds alone, and what each group carries in the trained ranker, stands in the model
card.

Sources and features are kept that this shop has little use for, where a change is within the noise:
it sells what was bought before, and others sell what is new.
"""


@dataclass(frozen=True)
class Judged:
    """Weeks to score on: what was known, what was bought, and who bought it.

    customers : int32, shape (customer-weeks,)
    """

    weeks: Sequence[LabelledWeek]

    @property
    def customers(self) -> NDArray[np.int32]:
        return np.concatenate([week.bought.customers for week in self.weeks])

    @property
    def first_days(self) -> Sequence[date]:
        return [week.snapshot.cutoff for week in self.weeks]


@dataclass(frozen=True)
class Ablation:
    """A ranker that was trained without a part.

    left_out : a candidate source or a group of features, or NOTHING
    kind : "source", "features" or ""
    recall : of all candidates together
    maps : MAP@12 by seed
    difference : of its average precision to that of the whole ranker; None for NOTHING
    """

    left_out: str
    kind: str
    recall: float
    maps: Sequence[float]
    difference: Difference | None

    @property
    def map(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.maps))


def split_weeks(
    weeks: Sequence[LabelledWeek],
) -> tuple[Sequence[LabelledWeek], LabelledWeek, Judged]:
    """Weeks to learn from, the week to be validated on, and weeks to be judged on, in order of
    time."""
    judged = min(JUDGED_WEEKS, len(weeks) - 2)
    if judged < 1:
        raise ValueError(
            f"{len(weeks)} past weeks are too few to learn, to be validated and judged"
        )
    return weeks[: -judged - 1], weeks[-judged - 1], Judged(weeks[-judged:])


def ablations(
    data: WeekData,
    retrieval: TrainingParams | None = None,
    ranking: RankingParams | None = None,
    seeds: Sequence[int] = SEEDS,
) -> Iterator[Ablation]:
    """Leave out one part after the other, nothing first. The retrieval model is trained once."""
    with tempfile.TemporaryDirectory() as scratch:
        two_tower = train_retrieval(
            data, retrieval or TrainingParams(), Path(scratch), seeds[0]
        ).recommender
        trials = _Trials(two_tower, labelled_weeks(data), seeds, Path(scratch))
        params = ranking or RankingParams()
        whole = trials.examples(params)
        reference = trials.precisions(whole, params)
        yield trials.result(NOTHING, "", whole, reference, None)
        for group in sorted(set(feature_groups().values())):
            part = whole.without(group)
            yield trials.result(group, "features", part, trials.precisions(part, params), reference)
        del whole
        for source in CANDIDATES_EACH:
            without = replace(params, without_sources=(source,))
            part = trials.examples(without)
            yield trials.result(source, "source", part, trials.precisions(part, without), reference)


@dataclass(frozen=True)
class _Examples:
    """What a ranker learns from and what it is judged on."""

    learnt: RankingExamples
    judged: Sequence[RankingLists]
    recall: float

    def without(self, group: str) -> _Examples:
        names = self.learnt.features
        learnt = self.learnt.without(group)
        columns = np.array([names.index(name) for name in learnt.features])
        judged = [lists.with_features(lists.features[:, columns]) for lists in self.judged]
        return _Examples(learnt, judged, self.recall)


class _Trials:
    """Trains and scores rankers on the same weeks."""

    def __init__(
        self,
        two_tower: TwoTowerRecommender,
        weeks: Sequence[LabelledWeek],
        seeds: Sequence[int],
        scratch: Path,
    ) -> None:
        self._two_tower = two_tower
        self._learnt, self._validation, self._judged = split_weeks(weeks)
        self._customers = self._judged.customers
        self._seeds = seeds
        self._scratch = scratch

    def examples(self, params: RankingParams) -> _Examples:
        learnt = ranking_examples(self._two_tower, self._learnt, self._validation, params, 0)
        judged, recalls = [], []
        for week in self._judged.weeks:
            everybody = len(week.bought.customers)
            lists, recall = make_lists(
                week,
                self._two_tower,
                params.without_sources,
                everybody,
                np.random.default_rng(0),
                learnt.scaled,
            )
            judged.append(lists)
            recalls.append(recall["union"].recall * everybody)
        return _Examples(learnt, judged, sum(recalls) / len(self._customers))

    def precisions(self, examples: _Examples, params: RankingParams) -> NDArray[np.float64]:
        """Average precisions; shape (seeds, customer-weeks)."""
        found = []
        for seed in self._seeds:
            trained = fit_ranker(self._two_tower, examples.learnt, params, self._scratch, seed)
            network = trained.recommender.network
            found.append(
                np.concatenate(
                    [
                        average_precisions(lists, score_pairs(network, lists.features))
                        for lists in examples.judged
                    ]
                )
            )
        return np.stack(found)

    def result(
        self,
        left_out: str,
        kind: str,
        examples: _Examples,
        found: NDArray[np.float64],
        reference: NDArray[np.float64] | None,
    ) -> Ablation:
        difference = None
        if reference is not None:
            difference = paired_difference(
                self._customers, found.mean(axis=0), reference.mean(axis=0)
            )
        maps = [float(value) for value in found.mean(axis=1)]
        return Ablation(left_out, kind, examples.recall, maps, difference)


def page(found: Sequence[Ablation], week: date, judged: Judged) -> str:
    """The results as a page for ``docs/``; what costs most to lose stands first."""
    whole, *others = found
    rows = [
        [
            one.left_out,
            one.kind,
            f"{one.recall:.4f}",
            f"{one.map:.4f}",
            f"{one.recall - whole.recall:+.4f}",
            "" if one.difference is None else _difference(one.difference),
        ]
        for one in [whole, *sorted(others, key=lambda one: one.map)]
    ]
    headings = ["left out", "kind", "recall", "MAP@12", "change of recall", "change of MAP@12"]
    spread = np.mean([np.ptp(one.maps) for one in found])
    text = _PAGE.format(
        week=week,
        judged=len(judged.weeks),
        first=judged.first_days[0],
        last=judged.first_days[-1],
        count=len(judged.customers),
        seeds=len(whole.maps),
        noise=spread,
    )
    return "\n".join([text, *markdown_table(headings, rows)]) + "\n"


def _difference(d: Difference) -> str:
    return f"{d.mean:+.4f} ({d.low:+.4f} to {d.high:+.4f})"


def main(
    scratch: Annotated[
        Path, typer.Option(help="Where data and models are kept.", show_default=False)
    ] = SCRATCH,
    docs: Annotated[Path, typer.Option(help="Where the page goes.", show_default=False)] = ROOT
    / "docs",
) -> None:
    """Train the ranker without each of its parts, and say what that costs.

    On weeks before those that the comparison reports. Takes about half an hour on two cores.
    """
    scratch = scratch.absolute()
    week = date.fromisoformat(ours.week_before(max(VALIDATION)))
    prepared(scratch / "home", max(VALIDATION))
    ours.hm(scratch / "home", "build", "--week", str(week))
    data = week_data(scratch / "home" / "warehouse.duckdb", week)
    found = []
    for one in ablations(data):
        say(f"without {one.left_out}: recall {one.recall:.4f}, MAP@12 {one.map:.4f}")
        found.append(one)
    *_, judged = split_weeks(labelled_weeks(data))
    write(page(found, week, judged), docs / "ablation.md")
    write(json.dumps([asdict(one) for one in found], indent=1) + "\n", JSON)


def write(text: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    say(f"written to {file}")


if __name__ == "__main__":
    run_app(main)
