"""What goes is gone, from a file and from a bucket, however often it is interrupted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, build_schedule_context

from hm_platform import retention, schedules
from hm_platform.jobs import tidy
from hm_platform.resources import RetentionResource
from hm_platform.retention import TABLES, Plan, apply, plan, read_records
from hm_platform.serving.decisions import (
    ROLLBACK,
    Decision,
    DecisionError,
    check_decision,
)
from hm_platform.serving.verdicts import passed_any
from hm_platform.settings import Settings
from hm_platform.storage import warehouse
from hm_platform.storage.io_managers import ArrowIOManager
from hm_platform.storage.places import Storage, local_storage
from hm_platform.storage.resource import LocalStorage
from hm_platform.storage.tables import Slice
from hm_platform.storage.taking_turns import is_taken, taking_turns
from tests.built_weeks import FILLED, KEPT, Shop, version
from tests.home import FIRST, week
from tests.s3.server import serving_at
from tests.serving.rows import manifest
from tests.storage import places


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving_at() as address:
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


def test_the_warehouse_is_shrunk_as_the_docs_say(tmp_path: Path) -> None:
    text = (Path(retention.__file__).parents[1] / "docs" / "retention.md").read_text()
    (command,) = [block for block in text.split("```") if "smaller.duckdb" in block]
    path = tmp_path / "warehouse.duckdb"
    with warehouse.transaction(path) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute("CREATE TABLE marts.t AS SELECT x, hash(x) FROM range(500_000) AS r(x)")
    with warehouse.transaction(path) as connection:
        connection.execute("DELETE FROM marts.t WHERE x > 9")
    large = path.stat().st_size
    python = Path(sys.executable).parent
    environment = {"HM_HOME": str(tmp_path), "PATH": f"{python}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert path.stat().st_size < large / 4
    with warehouse.connect(path, read_only=True) as connection:
        assert connection.execute("SELECT sum(x) FROM marts.t").fetchall() == [(45,)]
