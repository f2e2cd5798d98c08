from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from benchmarks.quality.ablation import NOTHING, Ablation, Judged, ablations, page, split_weeks
from benchmarks.quality.comparison import Difference
from hm_platform.calendar import WEEK
from hm_platform.modelling.candidates import CANDIDATES_EACH
from hm_platform.modelling.pipeline import labelled_weeks
from hm_platform.modelling.ranker.inputs import feature_groups
from tests.modelling.ranker.shops import due_world
from tests.modelling.weeks import RANKING, RETRIEVAL, week_data


def test_each_source_and_each_group_is_left_out_once_and_is_missed() -> None:
    data = week_data(due_world(customers=30), past=3)
    whole, *parts = ablations(data, RETRIEVAL, RANKING, seeds=(0, 1))

    groups = sorted(set(feature_groups().values()))
    assert (whole.left_out, whole.kind, whole.difference) == (NOTHING, "", None)
    assert [(part.left_out, part.kind) for part in parts] == [
        *((group, "features") for group in groups),
        *((source, "source") for source in CANDIDATES_EACH),
    ]
    features, sources = parts[: len(groups)], parts[len(groups) :]
    # What is due is what the customer has bought before.
    assert min(sources, key=lambda part: part.recall).left_out == "repurchase"
    assert {part.recall for part in features} == {whole.recall}
    assert len({part.map for part in features}) > 1
    for part in (whole, *parts):
        assert len(part.maps) == 2
        assert 0 < part.map == np.mean(part.maps)
    for part in parts:
        assert part.difference is not None
        assert part.difference.mean == pytest.approx(part.map - whole.map)


def test_the_weeks_it_is_judged_on_come_after_those_that_it_learnt_from() -> None:
    weeks = labelled_weeks(week_data(due_world(customers=5), past=9))
    learnt, stop, judged = split_weeks(weeks)
    days = [week.snapshot.cutoff for week in (*learnt, stop, *judged.weeks)]
    assert days == [weeks[0].snapshot.cutoff + i * WEEK for i in range(10)]
    assert (len(learnt), len(judged.weeks)) == (4, 5)
    # The validation week is the last.
    assert judged.weeks[-1] is weeks[-1]
    few = split_weeks(weeks[:3])
    assert (len(few[0]), len(few[2].weeks)) == (1, 1)
    with pytest.raises(ValueError, match="2 past weeks are too few"):
        split_weeks(weeks[:2])


def test_the_page_has_the_changes_and_what_costs_most_first() -> None:
    judged = Judged(labelled_weeks(week_data(due_world(customers=5), past=1)))
    found = [
        Ablation(NOTHING, "", 0.34, [0.159, 0.161], None),
        Ablation("popularity", "source", 0.33, [0.161] * 2, Difference(0.001, 0, 0.002, 0, 0, 0)),
        Ablation(
            "rhythm", "features", 0.34, [0.15] * 2, Difference(-0.01, -0.012, -0.008, 0, 0, 0)
        ),
    ]
    text = page(found, date(2017, 9, 18), judged)
    words = " ".join(text.split())
    assert "The ranker of the week 2017-09-18" in words
    assert "2 weeks after those" in words
    assert f"{len(judged.customers)} customer-weeks" in words
    assert "2 seeds" in words
    assert "differ by about 0.0007" in words
    assert text.splitlines()[-3:] == [
        "| nothing |  | 0.3400 | 0.1600 | +0.0000 |  |",
        "| rhythm | features | 0.3400 | 0.1500 | +0.0000 | -0.0100 (-0.0120 to -0.0080) |",
        "| popularity | source | 0.3300 | 0.1610 | -0.0100 | +0.0010 (+0.0000 to +0.0020) |",
    ]
