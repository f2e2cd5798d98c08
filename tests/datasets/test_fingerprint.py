from __future__ import annotations

from datetime import date
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.datasets.fingerprint import Fingerprint, fingerprint

SCHEMA = pa.schema(
    [
        ("n", pa.int32()),
        ("x", pa.float64()),
        ("s", pa.string()),
        ("d", pa.date32()),
        ("b", pa.bool_()),
        ("l", pa.list_(pa.int32())),
    ]
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.none() | st.integers(-5, 5),
            "x": st.none() | st.integers(-3, 3).map(lambda n: n / 2),
            "s": st.none() | st.text(max_size=3),
            "d": st.none() | st.dates(date(2000, 1, 1), date(2001, 1, 1)),
            "b": st.none() | st.booleans(),
            "l": st.none() | st.lists(st.integers(0, 3), max_size=3),
        }
    ),
    max_size=12,
)


def of(content: list[dict]) -> str:
    return fingerprint(SCHEMA, pa.Table.from_pylist(content, SCHEMA).to_batches())


@given(rows, st.data())
def test_how_rows_are_batched_does_not_matter(content: list[dict], data: st.DataObject) -> None:
    table = pa.Table.from_pylist(content, SCHEMA)
    cut = data.draw(st.integers(0, len(content)))
    parts = [*table.slice(0, cut).to_batches(), *table.slice(cut).to_batches()]
    assert fingerprint(SCHEMA, parts) == of(content)


@given(rows, rows)
def test_equal_fingerprints_mean_equal_rows(one: list[dict], other: list[dict]) -> None:
    same = pa.Table.from_pylist(one, SCHEMA).equals(pa.Table.from_pylist(other, SCHEMA))
    assert (of(one) == of(other)) == same


def test_texts_cannot_be_moved_between_rows() -> None:
    schema = pa.schema([("s", pa.string())])
    whole = [
        pa.record_batch([pa.array(texts)], schema=schema) for texts in (["ab", ""], ["a", "b"])
    ]
    assert fingerprint(schema, whole[:1]) != fingerprint(schema, whole[1:])


def test_names_and_types_count() -> None:
    values = pa.array([1, 2], pa.int32())
    found = {
        fingerprint(b.schema, [b])
        for b in (
            pa.record_batch({"a": values}),
            pa.record_batch({"b": values}),
            pa.record_batch({"a": values.cast(pa.int64())}),
        )
    }
    assert len(found) == 3


@given(rows, st.lists(st.integers(0, 12), max_size=3))
def test_rows_that_pass_by_have_the_fingerprint_of_the_whole(
    content: list[dict], cuts: list[int]
) -> None:
    table = pa.Table.from_pylist(content, SCHEMA)
    made = Fingerprint(SCHEMA)
    ends = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in pairwise(ends):
        for batch in table.slice(start, end - start).to_batches():
            made.update(batch)
    assert made.hexdigest() == of(content)


def test_a_fingerprint_may_be_asked_for_on_the_way() -> None:
    one = pa.record_batch([[1, 2]], schema=pa.schema([("n", pa.int32())]))
    made = Fingerprint(one.schema)
    assert made.hexdigest() == fingerprint(one.schema, [])
    made.update(one)
    assert made.hexdigest() == made.hexdigest() == fingerprint(one.schema, [one])
    made.update(one)
    assert made.hexdigest() == fingerprint(one.schema, [one, one])
