"""Tests of headers that name fewer columns than they have."""

from __future__ import annotations

import pytest

from hm_platform.landing.zone import LandingZone
from tests.landing.landed import HEADER, good, put, transactions


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("place", [0, 5])
def test_a_column_without_a_name_shifts_no_other(
    zone: LandingZone, place: int, delimiter: str
) -> None:
    # As pandas writes its index.
    header, first, second = (line.split(",") for line in (HEADER, *good(1, 2)))
    for line, value in ((header, ""), (first, "0"), (second, "1")):
        line.insert(place, value)
    put(zone, "transactions/a.csv", map(delimiter.join, (header, first, second)))
    assert [(found["customer_id"], found["price"]) for found in transactions(zone)] == [
        ("c1", 0.05),
        ("c2", 0.05),
    ]


@pytest.mark.parametrize("blank", ["\t\t\n", "\ufeff\t\n \t \n", " \n\t"])
def test_tabs_alone_are_a_blank_line_and_blanks_are_no_part_of_a_name(
    zone: LandingZone, blank: str
) -> None:
    header = f"  {HEADER}  ".replace(",", "\t")
    line = good(1)[0].replace(",", "\t")
    if blank.endswith("\t"):  # before the first name: a column
        line = f"0\t{line}"
    put(zone, "transactions/a.csv", f"{blank}{header}\n{line}\n")
    assert [found["customer_id"] for found in transactions(zone)] == ["c1"]
