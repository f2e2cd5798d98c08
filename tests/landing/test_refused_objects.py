"""Objects of a landing zone that the bucket refuses: one is held, and all are for the bucket."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from hm_platform.landing import index as index_module
from hm_platform.landing.accounting import files_that_do_not_add_up
from hm_platform.landing.entry import from_table, rows_by_week
from hm_platform.landing.errors import LandingError
from hm_platform.landing.loading import read_transactions
from hm_platform.landing.s3_zone import S3LandingZone
from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.errors import S3Error
from tests.landing.landed import CALENDAR, END, HEADER, LENIENT, TODAY, by_uri, good, index
from tests.s3.proxy import Fault, Proxy

A, B, C = (f"transactions/{name}.csv" for name in "abc")
TOMORROW = TODAY + timedelta(days=1)
OTHERWISE = replace(LENIENT, code="of another version")
"""Rules that every file has to be read again for."""
DENIED = Fault(answer=(403, "AccessDenied"))
ARCHIVED = Fault(answer=(403, "InvalidObjectState"))


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "SETTLED_S", 0.0)


@pytest.fixture
def zone(remote: Bucket) -> S3LandingZone:
    return S3LandingZone(remote)


def put(zone: S3LandingZone, uri: str, *numbers: int) -> None:
    zone.bucket.write(uri, "\n".join([HEADER, *good(*numbers), ""]).encode())


def deny(proxy: Proxy, name: str, *methods: str, fault: Fault = DENIED) -> None:
    for method in methods or ("GET", "HEAD"):
        proxy.on(method, rf"/{name}\.csv", fault)


def states(found: pa.Table) -> dict[str, str]:
    assert files_that_do_not_add_up(found) == []
    return {uri: entry["state"] for uri, entry in by_uri(found).items()}


@pytest.mark.parametrize(
    ("methods", "fault", "reason"),
    [
        (["GET", "HEAD"], DENIED, "access is denied: .*s3:GetObject on it"),
        (["GET"], DENIED, "access is denied: .*kms:Decrypt"),
        (["HEAD"], DENIED, "access is denied"),
        (["GET"], ARCHIVED, "it is archived: restore it, or move it out"),
    ],
)
def test_a_refused_object_is_held_and_tried_again_the_next_day(
    zone: S3LandingZone, proxy: Proxy, methods: list[str], fault: Fault, reason: str
) -> None:
    put(zone, A, 1)
    put(zone, B, 2)
    deny(proxy, "a", *methods, fault=fault)
    before = index(zone)
    assert states(before) == {A: "held", B: "loaded"}
    assert re.match(f"the file cannot be read: {reason}", by_uri(before)[A]["reason"])
    asked = len(proxy.sent("GET", r"a\.csv"))
    assert index(zone, before).equals(before)
    assert len(proxy.sent("GET", r"a\.csv")) == asked, "not at every look"
    assert states(index(zone, before, today=TOMORROW)) == {A: "held", B: "loaded"}
    proxy.rules.clear()
    assert states(index(zone, before, today=TOMORROW)) == {A: "loaded", B: "loaded"}


@pytest.mark.parametrize("methods", [["GET", "HEAD"], ["GET"]])
def test_where_every_object_is_denied_the_bucket_is_told_and_no_file_is_held(
    zone: S3LandingZone, proxy: Proxy, methods: list[str]
) -> None:
    put(zone, A, 1)
    put(zone, B, 2)
    deny(proxy, r"\w", *methods)
    with pytest.raises(S3Error, match=r"cannot read s3://\S+/transactions/a\.csv: .* is denied"):
        index(zone)


def test_one_that_is_denied_is_held_as_long_as_a_loaded_one_may_be_read(
    zone: S3LandingZone, proxy: Proxy
) -> None:
    put(zone, A, 1)
    before = index(zone)
    put(zone, B, 2)
    deny(proxy, "b")
    assert states(index(zone, before)) == {A: "loaded", B: "held"}
    deny(proxy, "a")
    with pytest.raises(S3Error, match=r"transactions/b\.csv: .* is denied"):
        index(zone, before)


def test_where_every_object_is_archived_all_are_held(zone: S3LandingZone, proxy: Proxy) -> None:
    put(zone, A, 1)
    deny(proxy, "a", "GET", fault=ARCHIVED)
    assert states(index(zone)) == {A: "held"}


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "InvalidAccessKeyId"), (400, "ExpiredToken"), (404, "NoSuchBucket"), (503, "SlowDown")],
)
def test_what_is_not_the_objects_own_holds_no_file(
    zone: S3LandingZone, proxy: Proxy, waits: list[float], status: int, code: str
) -> None:
    put(zone, A, 1)
    put(zone, B, 2)
    deny(proxy, "b", "GET", fault=Fault(answer=(status, code)))
    with pytest.raises(S3Error, match=r"cannot read"):
        index(zone)


def _look(zone: S3LandingZone, before: pa.Table, **options: Any) -> pa.Table:
    """A look where the warehouse has what the index before says."""
    return index(zone, before, in_warehouse=lambda: rows_by_week(from_table(before)), **options)


def test_a_loaded_object_that_is_denied_now_keeps_its_rows(
    zone: S3LandingZone, proxy: Proxy
) -> None:
    put(zone, A, 1, 2)
    put(zone, B, 3)
    before = index(zone)
    was = from_table(before)[0]
    deny(proxy, "a")
    assert _look(zone, before).equals(before), "nobody has to read it"
    found = _look(zone, before, rules=OTHERWISE)
    for again in (found, _look(zone, found, rules=OTHERWISE, today=TOMORROW)):
        assert states(again) == {A: "held", B: "loaded"}
        entry = from_table(again)[0]
        assert (entry.rows_kept, entry.weeks, entry.columns) == (2, was.weeks, was.columns)
    put(zone, A, 1, 2, 4)
    entry = from_table(_look(zone, found, rules=OTHERWISE))[0]
    assert (entry.state, entry.rows_kept, entry.weeks) == ("held", 2, was.weeks)
    proxy.rules.clear()
    entry = from_table(_look(zone, found, rules=OTHERWISE))[0]
    assert (entry.state, entry.rows_loaded, entry.rows_kept) == ("loaded", 3, 0)


@pytest.mark.parametrize("at_once", [True, False])
def test_what_is_denied_under_one_name_loads_under_another(
    zone: S3LandingZone, proxy: Proxy, at_once: bool
) -> None:
    put(zone, A, 1, 2)
    put(zone, B, 3)
    before = index(zone)
    deny(proxy, "a")
    if not at_once:
        before = _look(zone, before, rules=OTHERWISE)
        assert states(before) == {A: "held", B: "loaded"}
    put(zone, C, 1, 2)
    found = _look(zone, before, rules=OTHERWISE)
    assert states(found) == {A: "held", B: "loaded", C: "loaded"}
    assert [entry.rows_kept for entry in from_table(found)] == [0, 0, 0], "no row counts twice"


@pytest.mark.parametrize("is_known", [True, False])
def test_an_object_that_is_denied_while_it_is_loaded_is_told(
    zone: S3LandingZone, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    monkeypatch.setattr(index_module, "SETTLED_S", 0.0 if is_known else 3600.0)
    put(zone, A, 1)
    found = index(zone)
    deny(proxy, "a")
    with pytest.raises(LandingError, match=r"a\.csv cannot be read: access is denied"):
        read_transactions(zone, found, CALENDAR.first_week, END).read_all()
