"""Tests of lines of any length: they cost themselves only, and no more memory than a short one."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from hm_platform.landing.content import BLOCK, LINE_LIMIT, examine
from hm_platform.landing.loading import read_customers
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import GOOD, HEADER, entries, index, put, quarantine, transactions

MB = 1_000_000


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("size", [2 * MB - 9, 2_050_000, 3 * MB])
def test_a_long_line_between_good_ones_costs_itself_only(
    zone: LandingZone, size: int, suffix: str
) -> None:
    long = "2018-09-20," + "c" * size + ",0108775015,0.05,1"
    text = "\n".join([HEADER, GOOD, long, GOOD]).encode()
    put(zone, f"transactions/a.csv{suffix}", gzip.compress(text, 1) if suffix else text)
    assert [row["row_number"] for row in transactions(zone)] == [1, 3]
    (refused,) = quarantine(zone)
    assert (refused["row_number"], refused["reason"]) == (2, "a line of over 500,000 characters")
    assert refused["record"] == long[:LINE_LIMIT]


def test_what_goes_to_the_database_as_it_is_has_no_line_that_it_cannot_take(
    zone: LandingZone,
) -> None:
    assert 2 * BLOCK <= 2_000_000, "what DuckDB takes for a line"
    put(zone, "transactions/a.csv", f"{HEADER}\n{'c' * (2 * BLOCK)}\n")
    (file,) = zone.files("transactions")
    assert not examine(file).is_plain


@pytest.mark.parametrize("letter", ["é", "東", "😀"])
@pytest.mark.parametrize("over", [0, 1])
def test_the_limit_is_of_characters_whatever_their_bytes(
    zone: LandingZone, letter: str, over: int
) -> None:
    rest = len("2018-09-20,,a,1,1")
    line = f"2018-09-20,{letter * (LINE_LIMIT - rest + over)},a,1,1"
    # With a line end of another kind, the lines are cut before they are read.
    put(zone, "transactions/a.csv", f"{HEADER}\n{line}\n{GOOD}\r\n{GOOD}\n")
    assert len(transactions(zone)) == 3 - over
    assert [row["record"] for row in quarantine(zone)] == [line[:LINE_LIMIT]] * over


def test_a_long_quoted_field_of_a_customer_costs_its_lines_only(zone: LandingZone) -> None:
    text = f'customer_id,postal_code\na,"x, y"\nb,"{"z" * 3 * MB}"\nc,"x"\n'
    put(zone, "customers/a.csv", text)
    found = read_customers(zone, index(zone)).read_all()
    assert found["customer_id"].to_pylist() == ["a", "c"]


@pytest.mark.parametrize("place", [124_998, 124_999, 125_000, 125_001])
def test_the_text_that_keeps_lines_apart_may_lie_across_two_blocks(
    zone: LandingZone, place: int
) -> None:
    start = f"{HEADER}\n"
    odd = "x" * (place - 2 - len(start)) + "\x01\x02\x03\x04y\x01\x02"
    put(zone, "transactions/a.csv", f"{start}{odd}\n{GOOD}\r\n{GOOD}\x01\x02\x03")
    assert [row["row_number"] for row in transactions(zone)] == [2]
    refused = quarantine(zone)
    assert [row["row_number"] for row in refused] == [1, 3]
    assert refused[0]["record"] == odd.replace("\x01\x02\x03\x04", r"\x01\x02\x03\x04")


MEASURE = """
import resource, sys
from tests.landing.landed import *
from hm_platform.landing.loading import read_quarantine

zone = LandingZone(Path(sys.argv[1]))
small = LandingZone(Path(sys.argv[2]))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def look(zone):
    found = index(zone, memory_limit="200MB")
    read_transactions(zone, found, CALENDAR.first_week, END).read_all()
    read_quarantine(zone, found).read_all()
    return found

look(small)
before = peak()
(entry,) = look(zone).to_pylist()
print(peak() - before, entry["state"], entry["rows"])
"""


def _growth(tmp_path: Path, name: str, start: bytes, filler: bytes, end: bytes) -> list[str]:
    """Megabytes that a file of 50 MB takes more than one of 3 MB, and what became of it."""
    for zone, times in (("large", 50), ("small", 3)):
        path = tmp_path / zone / "transactions" / name
        path.parent.mkdir(parents=True)
        with gzip.open(path, "wb", 1) if name.endswith(".gz") else path.open("wb") as stream:
            stream.write(start)
            for _ in range(times):
                stream.write(filler * (MB // len(filler)))
            stream.write(end)
    root = Path(__file__).parents[2]
    arguments = [sys.executable, "-c", MEASURE, str(tmp_path / "large"), str(tmp_path / "small")]
    ran = subprocess.run(arguments, cwd=root, capture_output=True, text=True, check=True)
    return ran.stdout.split()


ONE_ROW = ("loaded", "1")


@pytest.mark.parametrize(
    ("name", "start", "filler", "end", "became"),
    [
        ("header.csv", b"", b"x", b"", ("held", "None")),
        ("blank.csv", b"", b" ", f"\n{HEADER}\n{GOOD}\n".encode(), ONE_ROW),
        ("line.csv", f"{HEADER}\n".encode(), b"x", b"", ONE_ROW),
        ("packed.csv.gz", f"{HEADER}\n".encode(), b"x", b"", ONE_ROW),
        ("quotes.csv", f"{HEADER}\n".encode(), b'",', b"", ONE_ROW),
        ("returns.csv", f"{HEADER}\r".encode(), b"\xff", b"\r", ONE_ROW),
    ],
    ids=["header", "blank", "line", "packed", "quotes", "returns"],
)
def test_memory_does_not_grow_with_the_length_of_a_line(
    tmp_path: Path, name: str, start: bytes, filler: bytes, end: bytes, became: tuple[str, str]
) -> None:
    grown, *found = _growth(tmp_path, name, start, filler, end)
    assert tuple(found) == became
    assert int(grown) < 30, "a megabyte or two are read at once, however long the line is"


def test_a_file_of_one_line_of_thirty_megabytes_is_held_for_its_columns(zone: LandingZone) -> None:
    put(zone, "transactions/a.csv", "t_dat," * (5 * MB))
    entry = entries(zone)["transactions/a.csv"]
    assert entry["state"] == "held"
    assert entry["reason"] == "the first line, which has to name the columns, does not end"
