"""What a model's tests say, read from their table."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from hm_platform.calendar import WEEK
from hm_platform.serving.verdicts import Verdict, passed_any, verdict_on, versions_tested
from tests.serving.rows import PASSED, failed, results

W = date(2018, 11, 7)


@pytest.mark.parametrize(
    "rows",
    [
        [{}],
        [PASSED],
        [failed(severity="warn")],
        [failed(outcome="not measured")],
        [PASSED, {"outcome": "not measured", "severity": "block"}, failed(severity="warn")],
    ],
    ids=["reported", "passed", "warned", "not measured", "several"],
)
def test_a_model_passes_unless_a_test_that_blocks_has_failed(rows: list[dict]) -> None:
    assert verdict_on(results(W, "v", *rows), W, "v") == Verdict()


def test_what_failed_is_said_with_what_was_found_and_what_is_needed() -> None:
    rows = results(
        W, "v", PASSED, failed(), failed("fairness", value=None, threshold=None, effect="")
    )
    verdict = verdict_on(rows, W, "v")
    assert verdict is not None
    assert not verdict.passed
    assert verdict.failed == (
        "accuracy, against the last published: -0.05, needs at least -0.01",
        "fairness: no value",
    )


def test_tests_of_another_version_or_week_say_nothing() -> None:
    rows = pa.concat_tables([results(W, "other", failed()), results(W - WEEK, "v", PASSED)])
    assert verdict_on(rows, W, "v") is None
    assert verdict_on(None, W, "v") is None
    assert versions_tested(rows, W) == ["other"]
    assert versions_tested(None, W) == []


def test_to_have_passed_once_is_to_have_passed() -> None:
    rows = pa.concat_tables([results(W, "v", failed()), results(W - WEEK, "v", PASSED)])
    assert passed_any(rows, "v")
    assert not passed_any(results(W, "v", failed()), "v")
    assert not passed_any(rows, "never tested")
    assert not passed_any(None, "v")
