"""`python -m benchmarks.quality.ablation`: what each source and each group of features is worth.

Trains the ranker of a built week again and again, each time without one of its parts.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.quality import ours
from benchmarks.quality.__main__ import ROOT, SCRATCH, prepared, run_app, say
from benchmarks.quality.protocol import VALIDATION
from benchmarks.quality.report import markdown_table
from benchmarks.quality.stages import week_data
from hm_platform.modelling.candidates import CANDIDATES_EACH
from hm_platform.modelling.parameters import RankingParams, TrainingParams
from hm_platform.modelling.pipeline import (
    WeekData,
    labelled_weeks,
    train_retrieval,
    validation_scores,
)
from hm_platform.modelling.ranker.inputs import feature_groups
from hm_platform.modelling.ranker.training import train_ranker

JSON = ROOT / "benchmarks" / "results" / "ablation.json"
NOTHING = "nothing"
_PAGE = """\
# What each part of the ranker is worth

Written by `make bench-quality`; do not edit by hand.

The ranker of the week {week} was trained again without each candidate source, and without each
group of features. Recall is the share of what the customers of the validation week bought that was
among their candidates; MAP@12 is that of their lists in that week, by which every training was
stopped. This is one week and one seed: no difference in MAP@12 here is large enough to tell a part
that helps from one that does not. The table says what is lost without a part, not what it would do
alone.
What each source finds alone, and what each group carries in the trained ranker, stands in the model
card.
"""


@dataclass(frozen=True)
class Ablation:
    """A ranker that was trained without a part.

    left_out : a candidate source or a group of features, or NOTHING
    kind : "source", "features" or ""
    recall : of all candidates together, on the validation week
    map : on the validation week
    """

    left_out: str
    kind: str
    recall: float
    map: float


def ablations(
    data: WeekData,
    seed: int,
    retrieval: TrainingParams | None = None,
    ranking: RankingParams | None = None,
) -> Iterator[Ablation]:
    """Leave out one part after the other, nothing first. The retrieval model is trained once."""
    *past, validation = labelled_weeks(data)
    with tempfile.TemporaryDirectory() as scratch:
        two_tower = train_retrieval(
            data, retrieval or TrainingParams(), Path(scratch), seed
        ).recommender
        for left_out, kind, params in _variants(ranking or RankingParams()):
            trained = train_ranker(two_tower, past, validation, params, Path(scratch), seed)
            scores = validation_scores([trained.recommender], data.snapshot, data.validation)
            value = scores[trained.recommender.name]["map"]
            yield Ablation(left_out, kind, trained.recall["union"].recall, value)


def _variants(whole: RankingParams) -> Iterator[tuple[str, str, RankingParams]]:
    yield NOTHING, "", whole
    for source in CANDIDATES_EACH:
        yield source, "source", replace(whole, without_sources=(source,))
    for group in sorted(set(feature_groups().values())):
        yield group, "features", replace(whole, without_groups=(group,))


def page(found: Sequence[Ablation], week: date) -> str:
    """The results as a page for ``docs/``; what costs most to lose stands first."""
    whole, *others = found
    rows = [
        [
            one.left_out,
            one.kind,
            *(f"{value:.4f}" for value in (one.recall, one.map)),
            f"{one.recall - whole.recall:+.4f}",
            f"{one.map - whole.map:+.4f}",
        ]
        for one in [whole, *sorted(others, key=lambda one: one.map)]
    ]
    headings = ["left out", "kind", "recall", "MAP@12", "change of recall", "change of MAP@12"]
    return "\n".join([_PAGE.format(week=week), *markdown_table(headings, rows)]) + "\n"


def main(
    scratch: Annotated[
        Path, typer.Option(help="Where data and models are kept.", show_default=False)
    ] = SCRATCH,
    docs: Annotated[Path, typer.Option(help="Where the page goes.", show_default=False)] = ROOT
    / "docs",
) -> None:
    """Train the ranker without each of its parts, and say what that costs.

    On a week before those that the comparison reports. Takes about half an hour on two cores.
    """
    scratch = scratch.absolute()
    week = date.fromisoformat(ours.week_before(max(VALIDATION)))
    prepared(scratch / "home", max(VALIDATION))
    ours.hm(scratch / "home", "build", "--week", str(week))
    found = []
    for one in ablations(week_data(scratch / "home" / "warehouse.duckdb", week), seed=0):
        say(f"without {one.left_out}: recall {one.recall:.4f}, MAP@12 {one.map:.4f}")
        found.append(one)
    write(page(found, week), docs / "ablation.md")
    write(json.dumps([asdict(one) for one in found], indent=1) + "\n", JSON)


def write(text: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    say(f"written to {file}")


if __name__ == "__main__":
    run_app(main)
