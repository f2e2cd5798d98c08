"""A week's tables as the report reads them: splits audited, lists served, the week before."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.behaviour.board import SCHEMA as BOARD
from hm_platform.behaviour.board import board_table
from hm_platform.behaviour.inputs import CATALOGUE, ReportInputs, SplitVolume, WeekBefore
from hm_platform.behaviour.results import BehavioralResults
from hm_platform.behaviour.verdict import SCHEMA as TESTS
from hm_platform.behaviour.verdict import nobody_bought_table
from hm_platform.behaviour.verdict import tests_table as rows_of_tests
from hm_platform.behaviour.week import audit, catalogue, served_lists, volume, week_before
from hm_platform.datasets.fingerprint import fingerprint
from tests.behaviour.conftest import snapshot

WEEK = date(2020, 9, 9)
SPLIT = pa.schema(
    [
        pa.field("week", pa.date32()),
        pa.field("t_dat", pa.date32()),
        pa.field("customer_index", pa.int32()),
        pa.field("article_index", pa.int32()),
        pa.field("price", pa.float64()),
    ]
)


def split(n: int = 50) -> pa.Table:
    random = np.random.default_rng(4)
    days = [WEEK + timedelta(days=int(d)) for d in random.integers(0, 7, n)]
    return pa.table(
        [
            pa.array([WEEK] * n, pa.date32()),
            pa.array(days, pa.date32()),
            random.integers(0, 9, n).astype(np.int32),
            random.integers(0, 6, n).astype(np.int32),
            random.random(n),
        ],
        schema=SPLIT,
    )


def reader(rows: pa.Table, size: int = 7) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=size))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_one_pass_finds_what_three_would(size: int) -> None:
    rows = split()
    found = audit("train", reader(rows, size), n_articles=8)
    assert found.volume == volume("train", reader(rows))
    assert found.fingerprint == fingerprint(rows.schema, rows.to_batches())
    assert found.sales.tolist() == np.bincount(rows["article_index"], minlength=8).tolist()
    assert found.sales.dtype == np.int64


def test_an_empty_split_has_a_fingerprint_of_its_own() -> None:
    nothing = split(0)
    found = audit("validation", reader(nothing), n_articles=3)
    assert found.volume == SplitVolume("validation", 0, None, None, 0, 0)
    assert found.sales.tolist() == [0, 0, 0]
    assert found.fingerprint == fingerprint(SPLIT, nothing.to_batches())
    assert found.fingerprint != audit("validation", reader(split(1)), 6).fingerprint


def test_a_volume_counts_rows_days_customers_and_articles() -> None:
    rows = split().slice(0, 3).to_pylist()
    found = volume("test", split().slice(0, 3).to_reader())
    days = [row["t_dat"] for row in rows]
    assert (found.rows, found.first_day, found.last_day) == (3, min(days), max(days))
    assert found.customers == len({row["customer_index"] for row in rows})
    assert found.articles == len({row["article_index"] for row in rows})


def test_the_catalogue_is_in_the_order_of_the_index() -> None:
    index = pa.table({"article_index": [2, 0, 1], "article_id": ["c", "a", "b"]})
    articles = pa.table(
        {"article_id": ["b", "a", "z"], **{name: [f"{name} b", None, "z"] for name in CATALOGUE}}
    )
    found = catalogue(index, articles.to_reader())
    assert found.column_names == list(CATALOGUE)
    for name in CATALOGUE:
        # Nothing is known of a, and c is not in the catalogue at all.
        assert found[name].to_pylist() == [None, f"{name} b", None]


def published(*rows: tuple[int, int, str]) -> pa.RecordBatchReader:
    """Rows of (customer, rank, article)."""
    return pa.table(
        {
            "customer_id": [f"{customer:064x}" for customer, _, _ in rows],
            "rank": pa.array([rank for _, rank, _ in rows], pa.int32()),
            "article_id": pa.array([article for _, _, article in rows], pa.string()),
        }
    ).to_reader()


def article(index: int) -> str:
    return f"010877{5000 + index}"


def test_served_lists_are_in_the_order_of_customers_and_ranks() -> None:
    found = served_lists(
        published((0, 2, article(5)), (4, 1, article(0)), (0, 1, article(3)), (2, 1, article(7))),
        snapshot(),
        np.array([4, 1, 0], dtype=np.int32),
        k=2,
    )
    assert found is not None
    assert found.tolist() == [[0, -1], [-1, -1], [3, 5]]
    assert found.dtype == np.int32


def test_places_beyond_k_and_what_is_not_known_any_more_are_left_out() -> None:
    rows = [(0, 1, "0999999999"), (0, 2, article(1)), (0, 3, article(2)), (99, 1, article(4))]
    found = served_lists(published(*rows), snapshot(), np.array([0], dtype=np.int32), k=2)
    assert found is not None
    assert found.tolist() == [[-1, 1]]


@pytest.mark.parametrize("rows", [(), ((3, 1, article(0)),)])
def test_nobody_was_served_anything(rows: tuple) -> None:
    customers = np.array([0, 1], dtype=np.int32)
    assert served_lists(published(*rows), snapshot(), customers, k=2) is None


def test_the_week_before_is_read_from_what_the_report_wrote(
    rich_inputs: ReportInputs, rich_results: BehavioralResults
) -> None:
    judged = rich_results.verdict().judged
    found = week_before(
        board_table(rich_inputs, rich_results).to_reader(),
        rows_of_tests(rich_inputs.week, "v", "ranker", judged).to_reader(),
    )
    assert found is not None
    assert (found.week, found.challenger) == (rich_inputs.week, "ranker")
    assert list(found.board) == [r.name for r in rich_inputs.recommenders]
    assert found.board["popularity"]["map@12"] == pytest.approx(
        rich_inputs.recommender("popularity").metrics.map.mean()
    )
    assert found.failed == {j.test for j in judged if j.failed} == set()


def test_tests_that_failed_are_kept_once() -> None:
    board = pa.Table.from_pylist(
        [dict(zip(BOARD.names, (WEEK, "ranker", "map@12", 0.5, 0.4, 0.6, 9), strict=True))], BOARD
    )
    row = nobody_bought_table(WEEK, "v", "ranker").to_pylist()[0]
    outcomes = [("a", "failed"), ("a", "failed"), ("b", "passed"), ("c", "failed"), ("c", "passed")]
    tests = pa.Table.from_pylist([{**row, "test": t, "outcome": o} for t, o in outcomes], TESTS)
    assert week_before(board.to_reader(), tests.to_reader()) == WeekBefore(
        WEEK, {"ranker": {"map@12": 0.5}}, frozenset({"a", "c"}), "ranker"
    )


def test_without_rows_there_is_no_week_before() -> None:
    nobody = nobody_bought_table(WEEK, "v", "ranker")
    assert week_before(None, None) is None
    assert week_before(BOARD.empty_table().to_reader(), None) is None
    assert week_before(None, nobody.to_reader()) is None
    # A week in which nobody bought has tests and no board.
    assert week_before(BOARD.empty_table().to_reader(), nobody.to_reader()) is None
