"""What the check of published lists finds."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hm_platform.serving.checks import ListFaults, list_faults

GOOD = [("a", 1, "x"), ("a", 2, "y"), ("b", 1, "y"), ("b", 2, "x")]


def faults(rows: list[tuple[str, int, str]], known: str = "ab", k: int = 12) -> ListFaults:
    customers, ranks, articles = zip(*rows, strict=True) if rows else ((), (), ())
    return list_faults(
        pa.table(
            {
                "customer_id": pa.array(customers, pa.string()),
                "rank": pa.array(ranks, pa.int8()),
                "article_id": pa.array(articles, pa.string()),
            }
        ).to_reader(),
        pa.table({"customer_id": list(known)}).to_reader(),
        # Two articles were sold, so that lists of two are whole.
        pa.table({"purchases_total": [3, 0, 1]}).to_reader(),
        k,
    )


def test_whole_lists_have_no_fault() -> None:
    assert faults(GOOD) == ListFaults(2, 0, 0, 0, 0)


def test_no_list_is_longer_than_k() -> None:
    found = faults([("a", 1, "x"), ("b", 1, "y"), ("b", 2, "x")], k=1)
    assert found == ListFaults(1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("rows", "known", "expected"),
    [
        (GOOD[:3], "ab", ListFaults(2, 1, 0, 0, 0)),
        (GOOD, "abc", ListFaults(2, 1, 0, 0, 0)),
        ([], "ab", ListFaults(2, 2, 0, 0, 0)),
        ([*GOOD[:3], ("b", 2, "y")], "ab", ListFaults(2, 0, 1, 0, 0)),
        ([*GOOD[:3], ("b", 3, "x")], "ab", ListFaults(2, 0, 0, 1, 0)),
        ([*GOOD[:3], ("b", 1, "x")], "ab", ListFaults(2, 0, 0, 1, 0)),
        ([*GOOD[2:], ("a", 0, "x"), ("a", 1, "y")], "ab", ListFaults(2, 0, 0, 1, 0)),
        (GOOD, "a", ListFaults(2, 0, 0, 0, 1)),
    ],
)
def test_each_fault_is_counted(
    rows: list[tuple[str, int, str]], known: str, expected: ListFaults
) -> None:
    found = faults(rows, known)
    assert found == expected
    assert found.count
