"""The same looks where both the landing zone and what was made of it lie in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from hm_platform.attempts import Ready
from hm_platform.catching_up import Work
from hm_platform.sensors import look
from hm_platform.storage.s3.bucket import Bucket
from tests.home import QUIET, Home, now, week
from tests.landing.landed import HEADER, header, row
from tests.s3.server import serving_at
from tests.storage import places

ARTICLE = "0108775015"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving_at() as address:
        yield address


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    places.credentials(monkeypatch)
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    return places.new_bucket(endpoint)


@pytest.fixture
def home(bucket: Bucket, tmp_path: Path) -> Home:
    return Home.at(
        tmp_path,
        landing=f"s3://{bucket.name}/landing",
        storage="s3",
        s3_bucket=bucket.name,
        s3_prefix=bucket.prefix,
        s3_endpoint=bucket.endpoint,
    )


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


def drop(bucket: Bucket, name: str, *lines: str) -> None:
    """Put a file into the landing zone as anybody would."""
    content = "\n".join([*lines, ""]).encode()
    bucket.client.put_object(Bucket=bucket.name, Key=f"landing/{name}", Body=content)


def drop_weeks(bucket: Bucket, *numbers: int) -> None:
    drop(bucket, "articles/a.csv", header("articles"), row("articles", article_id=ARTICLE))
    for number in numbers:
        drop(bucket, f"transactions/{number}.csv", HEADER, *purchases(number))


def purchases(number: int, customer: str = "c1") -> list[str]:
    days = (week(number), week(number) + timedelta(days=6))
    return [f"{day},{customer},{ARTICLE},0.05,1" for day in days]


def rested() -> datetime:
    return now() + 2 * QUIET


def catch_up(home: Home, instance: DagsterInstance) -> list[tuple[str, str | None]]:
    """Job and partition or range of all that is asked for, until nothing is."""
    works: list[Work] = []
    while isinstance(found := look(home.settings, instance, rested()), Ready):
        home.do(found.work)
        run = DagsterRun(found.work.job, tags=found.work.tags, status=DagsterRunStatus.SUCCESS)
        instance.add_run(run)
        works.append(found.work)
        assert len(works) < 20
    assert found == "everything is up to date"
    return [(work.job, str(work.weeks[0]) if work.weeks else None) for work in works]


def test_files_that_are_dropped_into_the_bucket_are_loaded_and_built_once(
    home: Home, bucket: Bucket, instance: DagsterInstance
) -> None:
    assert look(home.settings, instance, rested()) == "nothing has landed"
    drop_weeks(bucket, *range(4))
    done = catch_up(home, instance)
    assert [job for job, _ in done] == ["refresh_landing", "load_weeks", "build_week"]
    assert catch_up(home, instance) == []
    assert not (home.settings.home / "landing").exists()


def test_late_rows_a_new_content_and_a_removed_file_concern_their_weeks_and_no_other(
    home: Home, bucket: Bucket, instance: DagsterInstance
) -> None:
    drop_weeks(bucket, *range(6))
    catch_up(home, instance)
    drop(bucket, "transactions/late.csv", HEADER, *purchases(1, "c2"))
    assert ("load_weeks", str(week(1))) in catch_up(home, instance)
    drop(bucket, "transactions/3.csv", HEADER, *purchases(3, "c3"))
    assert ("load_weeks", str(week(3))) in catch_up(home, instance)
    bucket.client.delete_object(Bucket=bucket.name, Key="landing/transactions/late.csv")
    assert ("load_weeks", str(week(1))) in catch_up(home, instance)
    # The same bytes again are no news.
    drop(bucket, "transactions/3.csv", HEADER, *purchases(3, "c3"))
    assert ("load_weeks", str(week(3))) not in catch_up(home, instance)


def test_what_is_still_being_written_or_was_just_written_is_left_alone(
    home: Home, bucket: Bucket, instance: DagsterInstance
) -> None:
    drop_weeks(bucket, *range(3))
    catch_up(home, instance)
    drop(bucket, "transactions/new.csv.part", HEADER, *purchases(1, "c2"))
    assert catch_up(home, instance) == []
    drop(bucket, "transactions/new.csv", HEADER, *purchases(1, "c2"))
    assert isinstance(look(home.settings, instance, now()), str)
    assert ("load_weeks", str(week(1))) in catch_up(home, instance)
