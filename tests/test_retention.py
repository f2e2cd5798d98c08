"""What goes of old weeks and what stays, and that it goes, however often it is interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from dagster import DagsterInstance, build_schedule_context

from hm_platform import retention, schedules
from hm_platform.calendar import WEEK
from hm_platform.jobs import tidy
from hm_platform.resources import RetentionResource
from hm_platform.retention import TABLES, Plan, Records, apply, plan, read_records
from hm_platform.serving.decisions import (
    ROLLBACK,
    Decision,
    DecisionError,
    check_decision,
    with_decision,
)
from hm_platform.serving.published import Publication
from hm_platform.serving.verdicts import passed_any
from hm_platform.settings import Settings
from hm_platform.storage.io_managers import ArrowIOManager
from hm_platform.storage.places import Storage, local_storage
from hm_platform.storage.resource import LocalStorage
from hm_platform.storage.tables import Slice, StoredWeek
from hm_platform.storage.taking_turns import is_taken, taking_turns
from tests.home import FIRST, week
from tests.serving.rows import PASSED, failed, manifest, results
from tests.storage import places

FILLED = (("datasets", "train"), ("features", "articles"))
"""The tables that the shop has: one of each schema."""


def version(number: int, digit: str = "0") -> str:
    return f"{week(number)}-{digit * 10}"


def published(number: int, by: str | None = None, state: str = "passed") -> Publication:
    return Publication(week(number), by or version(number), "ranker", state)


def records(built: int, **more: Any) -> Records:
    """Weeks that were built and published, each by its own model."""
    numbers = range(built)
    known: dict[str, Any] = {
        "tables": {table: [StoredWeek(week(n), rows=10) for n in numbers] for table in TABLES},
        "pointers": {week(n): version(n) for n in numbers},
        "versions": {version(n): 1000 for n in numbers},
        "publications": [published(n) for n in numbers],
    }
    return Records(**{**known, **more})


def test_old_weeks_lose_splits_and_features_and_keep_the_models_that_serve_them() -> None:
    found = plan(records(6), 4)
    assert found.oldest == week(2)
    assert found.weeks == [week(0), week(1)]
    assert set(found.tables) == set(TABLES)
    assert found.pointers == (week(0), week(1))
    assert found.versions == {}
    assert found.kept_versions == {
        version(0): f"serves week {week(0)}",
        version(1): f"serves week {week(1)}",
    }


@pytest.mark.parametrize("keep", [0, 6, 7, 100])
def test_nothing_goes_where_no_week_is_old_enough_or_all_are_kept(keep: int) -> None:
    assert plan(records(6), keep).is_empty
    assert plan(Records(), keep).is_empty


def test_a_negative_number_of_weeks_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="negative"):
        plan(records(1), -1)


def test_a_model_goes_that_nobody_asks_for() -> None:
    retrained = {version(n, d): 1000 for n in range(6) for d in "0ab"}
    found = plan(records(6, versions=retrained, passed=frozenset({version(0, "b")})), 4)
    assert set(found.versions) == {version(0, "a"), version(1, "a"), version(1, "b")}
    assert "hm rollback" in found.kept_versions[version(0, "b")]
    # Of the weeks that are kept every model stays.
    assert all(date.fromisoformat(each[:10]) >= week(2) for each in retrained.keys()
               - found.versions.keys() - found.kept_versions.keys())  # fmt: skip


def test_a_model_stays_that_serves_another_week_or_was_decided_for() -> None:
    publications = [published(n, version(0), "last_published") for n in range(6)]
    found = plan(records(6, publications=publications, decided=frozenset({version(1)})), 3)
    assert found.versions == {version(2): 1000}
    assert found.kept_versions == {
        version(0): f"serves week {week(5)} and 5 more",
        version(1): "somebody has decided for it",
    }


def test_weeks_that_were_only_backtested_count_and_the_newest_published_stays() -> None:
    found = plan(records(6, publications=[published(0)]), 2)
    assert found.kept_weeks == {week(0): "the newest published week"}
    assert found.pointers == (week(1), week(2), week(3))
    assert set(found.versions) == {version(1), version(2), version(3)}
    trained_again = records(6, publications=[published(0, version(0, "a"))])
    kept = plan(trained_again, 2).kept_versions
    assert kept == {version(0): f"is the model of week {week(0)}, which stays"}


def test_a_week_that_was_half_removed_is_removed_whole() -> None:
    half = records(6)
    tables = {TABLES[7]: half.tables[TABLES[7]]}
    pointers = {week(n): version(n) for n in range(1, 6)}
    found = plan(records(6, tables=tables, pointers=pointers), 4)
    assert found.weeks == [week(0), week(1)]
    assert set(found.tables) == {TABLES[7]}


@dataclass(frozen=True)
class Shop:
    """Seven built weeks: week 0 was trained twice, 1 failed and was served by 0, somebody has
    decided for the model of week 2 that failed, and the tests of a backtest of week 3 passed."""

    storage: Storage

    def fill(self, folder: Path) -> Shop:
        tables, numbers = self.storage.tables, range(7)
        for schema, table in FILLED:
            for n in numbers:
                rows = pa.table({"week": pa.array([week(n)] * 3, pa.date32()), "x": [1, 2, 3]})
                at = Slice(schema, table, (week(n), week(n) + WEEK))
                tables.replace(at, rows.to_reader())
        for n, digit in [(0, "a"), *((n, "0") for n in numbers)]:
            trained = folder / version(n, digit)
            trained.mkdir(parents=True)
            (trained / "manifest.json").write_text(json.dumps({"version": trained.name}))
            (trained / "weights.safetensors").write_bytes(b"w" * 100)
            self.storage.models.store(week(n), trained)
        by = {1: version(0), 2: version(0), 3: version(0)}
        rows = [
            {"week": week(n), "model_version": by.get(n, version(n)), "recommender": "ranker",
             "fingerprint": "f"}
            for n in numbers
        ]  # fmt: skip
        schema = pa.schema([("week", pa.date32()), *((n, pa.string()) for n in
                            ("model_version", "recommender", "fingerprint"))])  # fmt: skip
        self.write("serving", "publications", pa.Table.from_pylist(rows, schema))
        decision = Decision("promote", week(6), version(2), "we know")
        now = datetime(2018, 11, 1)  # noqa: DTZ001 - as it is stored
        self.write("serving", "decisions", with_decision(None, decision, now))
        self.write("evaluation", "behavioral_tests", self.tests())
        return self

    def write(self, schema: str, table: str, rows: pa.Table) -> None:
        self.storage.tables.replace(Slice(schema, table), rows.to_reader())

    @staticmethod
    def tests() -> pa.Table:
        said = {0: PASSED, 3: PASSED}
        return pa.concat_tables(
            [results(week(n), version(n), said.get(n, failed())) for n in range(7)]
        )

    def weeks(self, schema: str, table: str) -> set[date]:
        return {each.week for each in self.storage.tables.weeks(schema, table)}

    @property
    def state(self) -> tuple[Any, ...]:
        return (
            {table: self.weeks(*table) for table in FILLED},
            set(self.storage.models.versions()),
            {w: self.storage.models.version_of_week(w) for w in self.storage.models.weeks()},
        )


KEPT = (
    {table: {week(4), week(5), week(6)} for table in FILLED},
    {version(n) for n in (0, 2, 3, 4, 5, 6)},
    {week(n): version(n) for n in (4, 5, 6)},
)
"""What of the shop stays when three weeks are kept."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with places.server() as address:
        yield address


@pytest.fixture(params=places.KINDS)
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> Shop:
    places.credentials(monkeypatch)
    storage = places.empty(request.param, tmp_path / "home", endpoint)
    return Shop(storage).fill(tmp_path / "trained")


def test_what_goes_is_gone_and_the_rest_is_there(shop: Shop) -> None:
    before = shop.storage.tables.read(Slice("serving", "publications"))
    found = plan(read_records(shop.storage), 3)
    assert set(found.versions) == {version(0, "a"), version(1)}
    apply(found, shop.storage)
    assert shop.state == KEPT
    assert shop.storage.tables.read(Slice("serving", "publications")) == before
    assert plan(read_records(shop.storage), 3).is_empty
    assert plan(read_records(shop.storage), 100).is_empty


def test_what_a_rollback_takes_stays_and_opens(shop: Shop) -> None:
    """Whatever `hm rollback` would have done for a week that is kept, it does."""
    known = read_records(shop.storage)

    def takes(name: str) -> bool:
        decision = Decision(ROLLBACK, week(6), name, "")
        try:
            check_decision(
                decision,
                manifest,
                known.publications,
                lambda each: passed_any(Shop.tests(), each),
            )
        except DecisionError as error:
            return "already" in str(error)
        return True

    before = {name for name in known.versions if takes(name)}
    apply(plan(known, 1), shop.storage)
    assert before <= set(shop.storage.models.versions())
    for name in before:
        shop.storage.models.folder_of_version(name)


class StoppedError(Exception):
    """The process is gone."""


def stopping(monkeypatch: pytest.MonkeyPatch, storage: Storage, after: int) -> None:
    """Have the storage stop at its call number ``after`` of those that remove something."""
    left = [after]

    def counted(do: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise StoppedError
            do(*args)

        return call

    for place, names in ((storage.models, ("forget", "delete")), (storage.tables, ("delete",))):
        for name in names:
            monkeypatch.setattr(type(place), name, counted(getattr(type(place), name)))


@pytest.mark.parametrize("after", [0, 2, 4, 5, 7])
def test_one_that_was_killed_is_finished_by_the_next(
    shop: Shop, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stopping(patch, shop.storage, after)
        with pytest.raises(StoppedError):
            apply(plan(read_records(shop.storage), 3), shop.storage)
    # A pointer never leads nowhere.
    pointed = {shop.storage.models.version_of_week(w) for w in shop.storage.models.weeks()}
    assert pointed <= set(shop.storage.models.versions())
    apply(plan(read_records(shop.storage), 3), shop.storage)
    assert shop.state == KEPT


def test_the_plan_says_itself_in_a_line(shop: Shop) -> None:
    found = plan(read_records(shop.storage), 3)
    assert str(found) == f"splits and features of 4 weeks and 2 models, older than {week(4)}"
    assert "HM_KEEP_WEEKS is 0" in str(Plan(0))
    assert "nothing is older than the 3" in str(Plan(3))


def test_a_week_that_somebody_works_on_is_left_for_the_next_time(
    shop: Shop, tmp_path: Path
) -> None:
    def lock_of(each: date) -> Path:
        return tmp_path / f"runs-{each}.lock"

    with taking_turns(lock_of(week(1))), taking_turns(lock_of(week(6))):
        found = retention.tidy(shop.storage, 3, lock_of)
    assert found.weeks == [week(0), week(2), week(3)]
    assert shop.weeks(*FILLED[0]) == {week(n) for n in (1, 4, 5, 6)}
    assert version(1) in shop.storage.models.versions()
    assert shop.storage.models.version_of_week(week(1)) == version(1)
    assert retention.tidy(shop.storage, 3, lock_of).weeks == [week(1)]
    assert shop.state == KEPT
    assert retention.tidy(shop.storage, 0, lock_of).is_empty
    assert not any(is_taken(lock) for lock in tmp_path.glob("*.lock"))


def run_job(tmp_path: Path, kept: int, **config: Any) -> Shop:
    """The shop after the job, where the settings say how many weeks are kept."""
    shop = Shop(local_storage(tmp_path / "home")).fill(tmp_path / "trained")
    storage = LocalStorage(home=str(tmp_path / "home"))
    done = tidy.execute_in_process(
        run_config={"ops": {"remove_old_weeks": {"config": config}}},
        instance=DagsterInstance.ephemeral(),
        resources={
            "retention": RetentionResource(
                storage=storage, home=str(tmp_path / "home"), by_weeks=True, keep_weeks=kept
            ),
            "io_manager": ArrowIOManager(storage=storage),
        },
    )
    assert done.success
    return shop


def test_the_job_removes_what_the_settings_say(tmp_path: Path) -> None:
    assert run_job(tmp_path, 3).state == KEPT


def test_the_jobs_config_goes_before_the_settings(tmp_path: Path) -> None:
    assert run_job(tmp_path, 0, keep_weeks=3).state == KEPT


@pytest.mark.parametrize(("keep", "config"), [(3, {"dry_run": True}), (0, {})])
def test_the_job_removes_nothing(tmp_path: Path, keep: int, config: dict[str, Any]) -> None:
    shop = run_job(tmp_path, keep, **config)
    assert shop.weeks(*TABLES[0]) == {week(n) for n in range(7)}
    assert len(shop.storage.models.versions()) == 8


def test_the_schedule_runs_once_a_week_unless_all_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2018, 11, 14, 6, tzinfo=UTC)
    found = schedules.weekly_tidy(build_schedule_context(scheduled_execution_time=at))
    assert found.run_key == "2018-11-14"
    everything = Settings(home=Path("x"), first_week=FIRST, keep_weeks=0)
    monkeypatch.setattr(schedules, "SETTINGS", everything)
    skipped = schedules.weekly_tidy(build_schedule_context(scheduled_execution_time=at))
    assert "every week is kept" in skipped.skip_message


def test_neighbouring_weeks_are_removed_at_once() -> None:
    weeks = [week(5), week(0), week(1), week(3)]
    assert retention._ranges(weeks) == [
        (week(0), week(2)), (week(3), week(4)), (week(5), week(6)),
    ]  # fmt: skip


def test_the_lifecycle_rules_of_the_docs_are_rules(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server takes them, and none of them removes what is current."""
    text = (Path(retention.__file__).parents[1] / "docs" / "retention.md").read_text()
    rules = json.loads(text.split("```json")[1].split("```")[0])
    places.credentials(monkeypatch)
    bucket = places.new_bucket(endpoint)
    bucket.client.put_bucket_lifecycle_configuration(
        Bucket=bucket.name, LifecycleConfiguration=rules
    )
    kept = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert [rule["ID"] for rule in kept] == [rule["ID"] for rule in rules["Rules"]]
    for rule in kept:
        assert "Transition" not in str(rule)
        assert set(rule.get("Expiration", {})) <= {"ExpiredObjectDeleteMarker"}
