from __future__ import annotations

from datetime import date

from benchmarks.quality.ablation import NOTHING, Ablation, ablations, page
from hm_platform.modelling.candidates import CANDIDATES_EACH
from hm_platform.modelling.ranker.inputs import feature_groups
from tests.modelling.ranker.shops import due_world
from tests.modelling.weeks import RANKING, RETRIEVAL, week_data


def test_each_source_and_each_group_is_left_out_once_and_is_missed() -> None:
    data = week_data(due_world(customers=30))
    whole, *parts = ablations(data, 0, RETRIEVAL, RANKING)

    groups = sorted(set(feature_groups().values()))
    assert (whole.left_out, whole.kind) == (NOTHING, "")
    assert [(part.left_out, part.kind) for part in parts] == [
        *((source, "source") for source in CANDIDATES_EACH),
        *((group, "features") for group in groups),
    ]
    sources, features = parts[: len(CANDIDATES_EACH)], parts[len(CANDIDATES_EACH) :]
    # What is due is what the customer has bought before.
    assert min(sources, key=lambda part: part.recall).left_out == "repurchase"
    assert {part.recall for part in features} == {whole.recall}
    assert len({part.map for part in features}) > 1


def test_the_page_has_the_changes_and_what_costs_most_first() -> None:
    found = [
        Ablation(NOTHING, "", 0.34, 0.16),
        Ablation("popularity", "source", 0.33, 0.161),
        Ablation("rhythm", "features", 0.34, 0.15),
    ]
    lines = page(found, date(2017, 9, 18)).splitlines()
    assert "The ranker of the week 2017-09-18" in " ".join(lines)
    assert lines[-3:] == [
        "| nothing |  | 0.3400 | 0.1600 | +0.0000 | +0.0000 |",
        "| rhythm | features | 0.3400 | 0.1500 | +0.0000 | -0.0100 |",
        "| popularity | source | 0.3300 | 0.1610 | -0.0100 | +0.0010 |",
    ]
