"""Property: whatever text the quoted fields of customers hold, and however many fields some records
lack or have too many, their rows add up, and good ones are exact."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.landing.accounting import files_that_do_not_add_up
from hm_platform.landing.columns import COLUMNS
from hm_platform.landing.entry import from_table
from hm_platform.landing.loading import read_customers, read_quarantine
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import LENIENT, index, put

NAMES = [column.name for column in COLUMNS["customers"]]
texts = st.text(st.sampled_from('ab,;"\n \té'), max_size=8)
ages = st.integers(0, 120)
lengths = st.sampled_from([0, 0, 0, -1, -3, 1, 2])
"""How many fields a record has more than there are columns."""


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[tuple[str, int, str] | None]]:
    """A file, and id, age and postal code of each of its records (None: it is refused)."""
    out = io.StringIO()
    writer = csv.writer(
        out,
        delimiter=draw(st.sampled_from(",;\t|")),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    writer.writerow(NAMES)
    rows: list[tuple[str, int, str] | None] = []
    for number in range(draw(st.integers(0, 8))):
        known = (f"c{number}", draw(ages), draw(texts))
        fields = dict.fromkeys(NAMES, draw(texts))
        fields |= dict(zip(("customer_id", "age", "postal_code"), known, strict=True))
        fields |= {"fn": "1", "active": ""}
        more = draw(lengths)
        # Never empty: a delimiter at the end of a record is none too many.
        record = [*fields.values(), *["x" + draw(texts)] * max(0, more)]
        writer.writerow(record[: len(NAMES) + more] if more < 0 else record)
        rows.append(known if more == 0 else None)
    return draw(st.sampled_from(["", "\ufeff"])) + out.getvalue(), rows


@settings(max_examples=60)
@given(files())
def test_no_record_is_lost_and_good_ones_are_exact(
    written: tuple[str, list[tuple[str, int, str] | None]],
) -> None:
    content, rows = written
    with tempfile.TemporaryDirectory() as folder:
        zone = LandingZone(Path(folder))
        put(zone, "customers/a.csv", content)
        found = index(zone, rules=LENIENT)
        loaded = read_customers(zone, found).read_all().to_pylist()
        refused = read_quarantine(zone, found).read_all().to_pylist()
    assert files_that_do_not_add_up(found) == []
    (entry,) = from_table(found)
    assert (entry.state, entry.rows) == ("loaded", len(rows)), entry.reason
    assert [(r["customer_id"], r["age"], r["postal_code"] or "") for r in loaded] == sorted(
        row for row in rows if row is not None
    )
    assert [r["row_number"] for r in refused] == [
        number for number, row in enumerate(rows, start=1) if row is None
    ]
    assert all("fields (7 expected)" in r["reason"] for r in refused)
