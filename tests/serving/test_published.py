"""What was published last is found and opened, whatever has become of newer models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from hm_platform.calendar import WEEK
from hm_platform.serving.published import (
    Publication,
    newest_that_opens,
    open_last_published,
    opener,
    read_publications,
)
from hm_platform.storage import model_folders
from tests.modelling.networks import everybody
from tests.modelling.stored import FAULTS, version_of
from tests.modelling.weeks import ENCODERS
from tests.modelling.worlds import described_world

NOW = date(2020, 3, 4)
LAST, OLDER, OLDEST = (NOW - weeks * WEEK for weeks in (1, 2, 3))


def version(week: date) -> str:
    return f"{week}-0123456789"


def table(*rows: tuple[date, str, str], **more: list[str | None]) -> pa.Table:
    """``serving.publications`` with these weeks, versions and recommenders."""
    weeks, versions, recommenders = zip(*rows, strict=True)
    return pa.table(
        {
            "week": pa.array(weeks, pa.date32()),
            "model_version": versions,
            "recommender": recommenders,
            **more,
        }
    )


PUBLISHED = table(
    (OLDEST, version(OLDEST), "ranker"),
    (LAST, version(LAST), "ranker"),
    (OLDER, version(OLDER), "two_tower"),
)


@pytest.fixture
def root(stored: Path, tmp_path: Path) -> Path:
    for week in (LAST, OLDER, OLDEST):
        version_of(stored, tmp_path, version(week))
    return tmp_path


def folder_in(root: Path) -> Callable[[str], Path]:
    return lambda name: model_folders.folder_of_version(root, name)


def test_rows_of_before_there_were_states_are_read() -> None:
    assert read_publications(table((LAST, "v", "ranker"))) == [Publication(LAST, "v", "ranker")]
    assert read_publications(None) == []


def test_rows_are_read_newest_week_first() -> None:
    rows = table(
        (OLDER, "a", "ranker"),
        (LAST, "b", "popularity"),
        state=[None, "baseline"],
        reason=[None, "why"],
    )
    assert read_publications(rows) == [
        Publication(LAST, "b", "popularity", "baseline", "why"),
        Publication(OLDER, "a", "ranker"),
    ]


def test_the_newest_of_an_earlier_week_is_opened_ready_to_recommend(root: Path) -> None:
    found = open_last_published(PUBLISHED, NOW, folder_in(root), ENCODERS)
    assert found is not None
    assert (found.version, found.week, found.serves) == (version(LAST), LAST, "ranker")
    assert found.recommender.name == "last_published"
    assert found.passed_over == ()
    world = described_world(1, customers=60)
    lists = found.recommender.prepare(world.snapshot()).top(everybody(world), 12)
    assert (lists.articles >= 0).any()


def test_a_publication_of_the_week_itself_or_a_later_one_does_not_count(root: Path) -> None:
    found = open_last_published(PUBLISHED, LAST, folder_in(root), ENCODERS)
    assert found is not None
    assert (found.version, found.serves) == (version(OLDER), "two_tower")
    assert open_last_published(PUBLISHED, OLDEST, folder_in(root), ENCODERS) is None


@pytest.mark.parametrize(("fault", "says"), FAULTS.items(), ids=[f.__name__ for f in FAULTS])
def test_one_that_cannot_be_opened_is_passed_over_and_it_is_said_why(
    root: Path, fault: Callable[[Path], None], says: str
) -> None:
    fault(root / version(LAST))
    found = open_last_published(PUBLISHED, NOW, folder_in(root), ENCODERS)
    assert found is not None
    assert found.version == version(OLDER)
    (why,) = found.passed_over
    assert why.startswith(f"{version(LAST)} cannot be opened: ")
    assert says in why


def test_a_folder_that_nobody_may_read_is_passed_over(root: Path) -> None:
    def forbidden(name: str) -> Path:
        if name == version(LAST):
            raise PermissionError("not for you")
        return root / name

    found = open_last_published(PUBLISHED, NOW, forbidden, ENCODERS)
    assert found is not None
    assert found.version == version(OLDER)
    assert "not for you" in found.passed_over[0]


def test_where_none_can_be_opened_there_is_none_and_it_is_said_why(root: Path) -> None:
    empty = folder_in(root / "nowhere")
    assert open_last_published(PUBLISHED, NOW, empty, ENCODERS) is None
    found, why = newest_that_opens(read_publications(PUBLISHED), opener(empty))
    assert found is None
    assert [line[:10] for line in why] == [str(LAST), str(OLDER), str(OLDEST)]


def test_a_version_that_was_published_twice_is_said_once(root: Path) -> None:
    twice = table((LAST, version(OLDER), "ranker"), (OLDER, version(OLDER), "ranker"))
    _, why = newest_that_opens(read_publications(twice), opener(folder_in(root / "nowhere")))
    assert len(why) == 1


@pytest.mark.parametrize("under", ["popularity", version(LAST)])
def test_a_baseline_is_asked_without_a_folder(tmp_path: Path, under: str) -> None:
    rows = table((LAST, under, "popularity"))
    found = open_last_published(rows, NOW, folder_in(tmp_path), ENCODERS)
    assert found is not None
    assert (found.version, found.serves) == (under, "popularity")
    assert found.recommender.name == "last_published"


def test_nothing_was_published_yet(tmp_path: Path) -> None:
    assert open_last_published(None, NOW, folder_in(tmp_path), ENCODERS) is None
    rows = table((NOW + timedelta(days=7), "popularity", "popularity"))
    assert open_last_published(rows, NOW, folder_in(tmp_path), ENCODERS) is None
