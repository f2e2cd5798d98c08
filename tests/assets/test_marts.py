"""The record of what was read whole, as Dagster makes it: it claims what its run has read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from dagster import AssetKey, AssetsDefinition, DagsterInstance, asset, materialize

from hm_platform.assets.marts import loaded_catalogue
from hm_platform.catching_up import to_load, to_refresh
from hm_platform.resources import TablesResource, build_storage
from hm_platform.storage.io_managers import ArrowIOManager
from tests.home import Home, week
from tests.landing.landed import header, put, row

ARTICLES = ["raw/articles", "staging/stg_articles"]
CUSTOMERS = ["raw/customers", "staging/stg_customers"]
WITHOUT = ["raw/landed_files", "raw/quarantine", "marts/loaded_catalogue"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    home = Home.at(tmp_path)
    home.land_weeks(2)
    land_customers(home, "c1")
    return home


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def land_customers(home: Home, *ids: str) -> None:
    lines = [row("customers", customer_id=each) for each in ids]
    put(home.settings.landing_zone, "customers/c.csv", [header("customers"), *lines])


def table(key: str, upstream: str) -> AssetsDefinition:
    """An asset that stands for one of raw or staging, which the record does not look into."""

    @asset(key=key.split("/"), deps=[AssetKey.from_user_string(upstream)])
    def stand_in() -> pa.Table:
        return pa.table({"article_id": ["a"], "customer_id": ["a"]})

    return stand_in


def look(home: Home, instance: DagsterInstance, *selected: str) -> None:
    """A look through the landing zone, of these assets."""

    @asset(key=["raw", "landed_files"])
    def landed_files() -> pa.Table:
        home.index()
        return home.records.index

    storage = build_storage(home.settings)
    done = materialize(
        [
            landed_files,
            table("raw/quarantine", "raw/landed_files"),
            *(table(raw, "raw/landed_files") for raw in (ARTICLES[0], CUSTOMERS[0])),
            *(table(staged, raw) for raw, staged in (ARTICLES, CUSTOMERS)),
            loaded_catalogue,
        ],
        instance=instance,
        selection=[AssetKey.from_user_string(key) for key in selected],
        resources={
            "io_manager": ArrowIOManager(storage=storage),
            "tables": TablesResource(storage=storage),
        },
    )
    assert done.success


def needed(home: Home) -> set[str]:
    """What the next look would read again."""
    return {key for work in to_refresh(home.settings, home.records) for key in work.assets}


def test_after_a_look_at_everything_nothing_is_needed(
    home: Home, instance: DagsterInstance
) -> None:
    look(home, instance, *WITHOUT, *ARTICLES, *CUSTOMERS)
    assert needed(home) == set()
    home.land("new.csv", week(1))
    assert needed(home) == {*WITHOUT}
    look(home, instance, *WITHOUT)
    assert needed(home) == set()


def test_customers_that_come_between_the_decision_and_the_look_are_not_taken_for_loaded(
    home: Home, instance: DagsterInstance
) -> None:
    look(home, instance, *WITHOUT, *ARTICLES, *CUSTOMERS)
    home.land("new.csv", week(1))
    decided = needed(home)
    land_customers(home, "c1", "c2")
    look(home, instance, *decided)
    assert needed(home) == {*WITHOUT, *CUSTOMERS, "staging/stg_articles"}
    look(home, instance, *needed(home))
    assert needed(home) == set()


@pytest.mark.parametrize("half", ARTICLES)
def test_articles_of_which_only_half_is_made_are_not_taken_for_loaded(
    home: Home, instance: DagsterInstance, half: str
) -> None:
    look(home, instance, *WITHOUT, half, *CUSTOMERS)
    assert needed(home) == {*WITHOUT, *ARTICLES}


def joined(home: Home, matches: dict[date, tuple[str, bool, str, bool]]) -> None:
    """Weeks with a purchase each: its article and whether that has a match, and its customer."""
    articles, has_article, customers, has_customer = zip(*matches.values(), strict=True)
    home.write(
        "marts",
        "joined_transactions",
        pa.table(
            {
                "week": pa.array(matches, pa.date32()),
                "article_id": articles,
                "has_article": has_article,
                "customer_id": customers,
                "has_customer": has_customer,
            }
        ),
    )


def test_weeks_whose_purchases_waited_for_articles_or_customers_are_loaded_again(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(5)
    home.index()
    home.load()
    joined(
        home,
        {
            week(0): ("a", True, "a", True),
            week(1): ("a", False, "a", True),  # is known now
            week(2): ("b", False, "b", False),  # are still unknown
            week(3): ("a", True, "a", False),  # is known now
            week(4): ("a", True, "b", False),  # is still unknown
        },
    )
    look(home, instance, *WITHOUT, *ARTICLES)
    assert [work.weeks for work in to_load(home.settings, home.records)] == [(week(1), week(1))]
    look(home, instance, *WITHOUT, *CUSTOMERS)
    loads = to_load(home.settings, home.records)
    assert [work.weeks for work in loads] == [(week(1), week(1)), (week(3), week(3))]


def test_a_look_that_reads_no_articles_leaves_weeks_that_wait_alone(
    home: Home, instance: DagsterInstance
) -> None:
    home.index()
    home.load()
    joined(home, {week(0): ("a", False, "a", False)})
    look(home, instance, *WITHOUT, *ARTICLES, *CUSTOMERS)
    home.load()
    look(home, instance, *WITHOUT)
    assert to_load(home.settings, home.records) == []


def test_a_week_between_two_that_waited_makes_no_run_of_its_own(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(5)
    home.index()
    home.load()
    joined(home, {week(n): ("a", n not in (1, 3), "a", True) for n in range(5)})
    look(home, instance, *WITHOUT, *ARTICLES)
    assert [work.weeks for work in to_load(home.settings, home.records)] == [(week(1), week(3))]
