"""Tests of articles and customers whose quoted fields are longer than a line may be."""

from __future__ import annotations

import pytest

from hm_platform.landing.content import LINE_LIMIT
from hm_platform.landing.loading import read_articles
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import entries, index, put, quarantine

NAMES = "article_id,prod_name,detail_desc\n"
USUAL = "".join(f'{i},"a, b",c\n' for i in range(2, 40))
REASON = "a line of over 500,000 characters"


@pytest.mark.parametrize(
    "odd", ["", "x\r\n", "x,\xf6,\n"], ids=["sound", "other-line-end", "other-encoding"]
)
@pytest.mark.parametrize("size", [600_000, 1_200_000, 3_200_000])
@pytest.mark.parametrize("field", ["{}", '"{}"', '"a\n{}"'], ids=["bare", "quoted", "of-lines"])
def test_a_line_that_is_too_long_is_refused_and_not_cut(
    zone: LandingZone, field: str, size: int, odd: str
) -> None:
    text = f'{NAMES}1,"a",{field.format("x" * size)}\n{USUAL}{odd}'
    put(zone, "articles/a.csv", text.encode("latin-1"))
    found = read_articles(zone, index(zone)).read_all()
    assert sorted(map(int, found["article_id"].to_pylist())) == list(range(2, 40))
    assert set(found["detail_desc"].to_pylist()) == {"c"}
    refused = [row for row in quarantine(zone) if row["reason"] == REASON]
    assert [len(row["record"]) for row in refused] == [LINE_LIMIT]


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("letter", ["x", "\u6771"])
def test_the_limit_is_of_the_fields_characters(zone: LandingZone, letter: str, over: int) -> None:
    text = letter * (LINE_LIMIT - len("1a") + over)
    put(zone, "articles/a.csv", f'{NAMES}1,"a","{text}"\n')
    assert entries(zone)["articles/a.csv"]["rows_quarantined"] == over
