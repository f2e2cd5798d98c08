"""The same models with their tables in a bucket: weeks are replaced whole and by themselves there
too, and only those are read that are built."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit

import boto3
import duckdb
import pyarrow as pa
import pytest

from hm_platform.calendar import WEEK
from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.tables import S3Tables
from hm_platform.storage.tables import Slice
from tests.dbt.conftest import Built
from tests.dbt.project import CALENDAR, WEEKS, Dbt, Outcome, Purchase, channel_of, purchases_of
from tests.s3.proxy import Fault, Request, Rule, running
from tests.s3.server import serving_at

LEAN = ["--exclude-resource-type", "unit_test"]
WEEKLY = [
    "marts.joined_transactions",
    "marts.weekly_article_sales",
    "marts.weekly_customer_purchases",
    "marts.weekly_customer_article_purchases",
]
THREE_WEEKS = f"BETWEEN DATE '{WEEKS[0]}' AND DATE '{WEEKS[3]}' - 1"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDBUCKETTESTS",
    "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-tests",
    "AWS_REGION": "us-east-1",
}


@dataclass(frozen=True)
class BucketDbt(Dbt):
    """The dbt project with a bucket of its own."""

    bucket: Bucket | None = None

    @property
    def tables(self) -> S3Tables:
        assert self.bucket is not None
        return S3Tables(self.bucket)

    def environment(self) -> dict[str, str]:
        bucket = self.tables.bucket
        return {
            **super().environment(),
            **KEYS,
            "HM_STORAGE": "s3",
            "HM_S3_BUCKET": bucket.name,
            "HM_S3_PREFIX": bucket.prefix,
            "HM_S3_ENDPOINT": bucket.endpoint,
        }

    def write_week(self, week: date, purchases: list[Purchase]) -> None:  # type: ignore[override]
        rows = [
            (*purchase, channel_of(purchase[0]), f"transactions/{week}.csv", number)
            for number, purchase in enumerate(purchases, 1)
        ]
        columns = list(zip(*rows, strict=True)) or [[]] * len(RAW)
        table = pa.table([pa.array(c, f.type) for c, f in zip(columns, RAW, strict=True)], RAW)
        target = Slice("raw", "transactions", (week, week + WEEK), "t_dat")
        self.tables.replace(target, table.to_reader())

    def build_weeks(self, first: date, *arguments: str, weeks: int = 1) -> Outcome:
        return self.build("--select", "tag:weekly", *LEAN, *arguments,
                          weeks=(first, first + WEEK * weeks))  # fmt: skip

    def stored(self, name: str) -> list[tuple[Any, ...]]:
        """The rows of a table, in order; none where there is no table."""
        schema, table = name.split(".")
        if not self.tables.exists(schema, table):
            return []
        rows = self.tables.read(Slice(schema, table)).to_pylist()
        return sorted((tuple(row.values()) for row in rows), key=repr)

    def etags(self, name: str) -> dict[str, str]:
        schema, table = name.split(".")
        return {each.key[-18:-8]: each.etag for each in self.tables.objects(schema, table)}


class RoleKeys(BaseHTTPRequestHandler):
    """Gives what runs under a role its keys: others every time, since they expire in minutes."""

    issued: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.issued.append(f"ASIAROLE{len(self.issued)}")
        expires = datetime.now(UTC) + timedelta(minutes=5)
        keys = {
            "AccessKeyId": self.issued[-1],
            "SecretAccessKey": "a-secret-of-the-role",
            "Token": "a-token",
            "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(keys).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@dataclass(frozen=True)
class RoleDbt(BucketDbt):
    """The same under a role, through a proxy."""

    keys: str = ""
    proxy: str = ""

    def environment(self) -> dict[str, str]:
        found = {**super().environment(), "HM_S3_ENDPOINT": self.proxy}
        found["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = self.keys
        return {k: v for k, v in found.items() if k not in KEYS or k == "AWS_REGION"}


class Expired(Rule):
    """Requests with keys of a role that are not valid any more."""

    keys: ClassVar[set[str]] = set()

    def takes(self, request: Request) -> bool:
        return request.key_id in self.keys


RAW = pa.schema(
    [
        ("t_dat", pa.date32()),
        ("customer_id", pa.string()),
        ("article_id", pa.string()),
        ("price", pa.float64()),
        ("sales_channel_id", pa.int8()),
        ("uri", pa.string()),
        ("row_number", pa.int64()),
    ]
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving_at() as address:
        yield address


@pytest.fixture(scope="module")
def requests() -> Iterator[list[str]]:
    """What the server is asked for, as it logs it."""
    asked: list[str] = []

    class Note(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            asked.append(record.getMessage())

    log, note = logging.getLogger("werkzeug"), Note()
    # Other tests have the server say nothing.
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(note)
    yield asked
    log.removeHandler(note)
    log.setLevel(before)


@dataclass(frozen=True)
class Bucketful:
    """A bucket, and what was in it after a first build of all weeks."""

    dbt: BucketDbt
    built: dict[str, bytes]

    def holding(self, objects: dict[str, bytes]) -> BucketDbt:
        """The bucket with these objects and no others. (Always the same one: dbt parses the whole
        project again when a name in its profile changes.)"""
        bucket = self.dbt.tables.bucket
        bucket.delete([each.key for each in bucket.list()])
        for key, content in objects.items():
            bucket.write(key, content)
        return self.dbt


@pytest.fixture(scope="module")
def bucketful(endpoint: str, built: Built, tmp_path_factory: pytest.TempPathFactory) -> Bucketful:
    """The raw tables of the other tests' warehouse, of three weeks, and their models."""

    def session() -> Any:
        return boto3.session.Session(
            KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
        )

    bucket = Bucket("models", "some/prefix", endpoint, make_session=session)
    bucket.client.create_bucket(Bucket=bucket.name)
    dbt = BucketDbt(tmp_path_factory.mktemp("bucket"), bucket=bucket)
    for week in WEEKS[:3]:
        dbt.write_week(week, purchases_of(week))
    with duckdb.connect(built.dbt.home / "built.duckdb", read_only=True) as db:
        for table in ("articles", "customers"):
            dbt.tables.replace(Slice("raw", table), db.sql(f"FROM raw.{table}").to_arrow_reader())
    outcome = dbt.build(*LEAN)
    assert outcome.returncode == 0, outcome.output
    return Bucketful(dbt, {each.key: bucket.read(each.key) for each in bucket.list()})


@pytest.fixture
def stored(bucketful: Bucketful) -> BucketDbt:
    """A bucket in which everything is built."""
    return bucketful.holding(bucketful.built)


def test_all_tables_are_those_of_a_warehouse(stored: BucketDbt, dbt: Dbt) -> None:
    for name in ("staging.stg_articles", "staging.stg_customers"):
        assert stored.stored(name) == sorted(dbt.rows(f"FROM {name}"), key=repr)
    for name in (*WEEKLY, "staging.stg_transactions"):
        rows = dbt.rows(f"FROM {name} WHERE week {THREE_WEEKS}")
        if name.endswith("transactions"):
            # Their first file is another one there.
            rows = [row for row in rows if "transactions/far.csv" not in row]
            assert stored.stored(name) == sorted(rows, key=repr)
        assert stored.etags(name).keys() == {str(week) for week in WEEKS[:3]}


def test_a_range_is_replaced_and_nothing_else_is_read_or_written(
    stored: BucketDbt, requests: list[str]
) -> None:
    before = {name: stored.etags(name) for name in WEEKLY}
    stored.write_week(WEEKS[1], [])
    stored.write_week(WEEKS[2], purchases_of(WEEKS[2], seed=1)[:9])
    requests.clear()
    outcome = stored.build_weeks(WEEKS[1], weeks=2)
    asked = [line for line in requests if ".parquet" in line]

    assert outcome.returncode == 0, outcome.output
    for name in WEEKLY:
        after = stored.etags(name)
        assert after.keys() == before[name].keys()
        assert after[str(WEEKS[0])] == before[name][str(WEEKS[0])]
        assert after[str(WEEKS[2])] != before[name][str(WEEKS[2])]
        assert {row[0] for row in stored.stored(name)} == {WEEKS[0], WEEKS[2]}
    assert any("PUT" in line and str(WEEKS[2]) in line for line in asked)
    assert not any(str(WEEKS[0]) in line for line in asked)


def test_weeks_built_out_of_order_are_those_built_at_once(bucketful: Bucketful) -> None:
    without = {k: v for k, v in bucketful.built.items() if not re.match(r"marts/|.*/stg_tr", k)}
    dbt = bucketful.holding(without)
    for week, weeks in ((WEEKS[2], 1), (WEEKS[0] - 12 * WEEK, 14)):  # two, in two blocks
        outcome = dbt.build_weeks(week, weeks=weeks)
        assert outcome.returncode == 0, outcome.output
    one_by_one = {name: dbt.stored(name) for name in WEEKLY}
    at_once = bucketful.holding(bucketful.built)
    assert {name: at_once.stored(name) for name in WEEKLY} == one_by_one


def test_a_model_that_fails_leaves_the_old_week(stored: BucketDbt) -> None:
    before = {name: stored.etags(name) for name in WEEKLY}
    # It cannot be added up exactly.
    stored.write_week(WEEKS[1], [(WEEKS[1], "anna", "0108775015", float("inf"))])
    outcome = stored.build("--select", "+weekly_article_sales", *LEAN, weeks=(WEEKS[1], WEEKS[2]))
    assert outcome.returncode != 0
    assert outcome.statuses["weekly_article_sales"] == "error"
    assert {name: stored.etags(name) for name in WEEKLY} == before


def test_keys_that_expire_between_two_models_are_renewed(
    stored: BucketDbt, endpoint: str, tmp_path: Path
) -> None:
    def expire() -> None:
        Expired.keys.update(RoleKeys.issued)

    before = {name: stored.stored(name) for name in WEEKLY}
    address = urlsplit(endpoint)
    keys = ThreadingHTTPServer(("127.0.0.1", 0), RoleKeys)
    Thread(target=keys.serve_forever, args=(0.05,), daemon=True).start()
    with running((str(address.hostname), int(address.port or 0))) as proxy:
        proxy.rules.append(Expired("", "", Fault(answer=(403, "ExpiredToken"))))
        proxy.on("PUT", "/marts/joined_transactions/", Fault(before=expire), times=1)
        role = RoleDbt(tmp_path, bucket=stored.bucket, proxy=proxy.endpoint,
                       keys=f"http://127.0.0.1:{keys.server_port}")  # fmt: skip
        outcome = role.build_weeks(WEEKS[1], "--threads", "1")
    keys.shutdown()
    keys.server_close()

    assert outcome.returncode == 0, outcome.output
    assert Expired.keys
    assert proxy.sent("HEAD", "stg_transactions")[-1].key_id not in Expired.keys
    assert {name: stored.stored(name) for name in WEEKLY} == before


def test_what_dbt_says_and_writes_holds_no_key(stored: BucketDbt) -> None:
    stored.tables.bucket.delete(["raw/customers.parquet"])
    outcome = stored.build("--select", "stg_customers", "--debug", *LEAN)
    assert outcome.returncode != 0
    texts = [outcome.output, *(p.read_text() for p in stored.target.rglob("*.*") if p.suffix in
             (".log", ".json", ".sql"))]  # fmt: skip
    assert stored.log.read_text() in texts
    for text in texts:
        assert not any(
            KEYS[name] in text for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        )


def test_every_day_lies_in_the_object_of_its_week(stored: BucketDbt) -> None:
    for found in stored.tables.objects("staging", "stg_transactions"):
        week = date.fromisoformat(found.key[-18:-8])
        days = stored.tables.read(Slice("staging", "stg_transactions", (week, week + WEEK)))
        assert {CALENDAR.week_of(day) for day in days["t_dat"].to_pylist()} == {week}
