"""The settings that say where the bucket is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hm_platform.resources import build_storage
from hm_platform.settings import SettingsError, load_settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.s3.resource import S3Storage
from hm_platform.storage.s3.tables import S3Tables
from tests.s3.fixtures import SECRETS

S3 = {"HM_STORAGE": "s3", "HM_S3_BUCKET": "my-shop"}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, aws: None) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HM_HOME", str(tmp_path / "home"))


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"HM_STORAGE": "s3"}, "HM_STORAGE=s3 needs HM_S3_BUCKET"),
        ({"HM_STORAGE": "S3"}, "HM_STORAGE='S3': Input should be 'local' or 's3'"),
        ({**S3, "HM_S3_BUCKET": "My_Shop"}, "HM_S3_BUCKET='My_Shop'"),
        ({**S3, "HM_S3_BUCKET": "s3://my-shop"}, "HM_S3_BUCKET='s3://my-shop'"),
        ({**S3, "HM_S3_BUCKET": "x"}, "HM_S3_BUCKET='x'"),
        ({**S3, "HM_S3_PREFIX": "a//b"}, "HM_S3_PREFIX='a//b'"),
        ({**S3, "HM_S3_PREFIX": "a b"}, "HM_S3_PREFIX='a b'"),
        ({**S3, "HM_S3_PREFIX": "a*"}, "HM_S3_PREFIX='a*'"),
        ({**S3, "HM_S3_PREFIX": "../b"}, "HM_S3_PREFIX='../b'"),
        ({**S3, "HM_S3_ENDPOINT": "127.0.0.1:9000"}, "HM_S3_ENDPOINT='127.0.0.1:9000'"),
        ({**S3, "HM_S3_ENDPOINT": "ftp://host"}, "HM_S3_ENDPOINT='ftp://host'"),
        ({**S3, "HM_S3_ENDPOINT": "http://host:port"}, "HM_S3_ENDPOINT='http://host:port'"),
        ({"HM_LANDING": "s3:/my-shop"}, "HM_LANDING='s3:/my-shop'"),
        ({"HM_LANDING": "s3://"}, "HM_LANDING='s3://'"),
        ({"HM_LANDING": "s3://My_Shop/landing"}, "HM_LANDING='s3://My_Shop/landing'"),
        ({"HM_LANDING": "s3://my-shop/a b"}, "HM_LANDING='s3://my-shop/a b'"),
        ({"HM_LANDING": "gs://my-shop/landing"}, "a folder, or an address as s3://bucket/folder"),
        ({"HM_S3_KEY": "x"}, "unknown setting HM_S3_KEY"),
    ],
    ids=lambda given: " ".join(f"{k}={v}" for k, v in given.items()) if type(given) is dict else "",
)
def test_bad_values_are_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], message: str
) -> None:
    set_all(monkeypatch, given)
    with pytest.raises(SettingsError, match=re.escape(message)) as error:
        load_settings()
    assert "\n" not in str(error.value)


def test_an_endpoint_with_credentials_is_refused_without_a_word_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_all(monkeypatch, {**S3, "HM_S3_ENDPOINT": f"http://{SECRETS[0]}:pass@127.0.0.1:9000"})
    with pytest.raises(SettingsError, match="HM_S3_ENDPOINT") as error:
        load_settings()
    assert SECRETS[0] not in str(error.value)
    assert "pass@" not in str(error.value)


@pytest.mark.parametrize("prefix", ["hm/production", "/hm/production/"])
def test_good_values_lead_to_the_bucket(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    set_all(
        monkeypatch,
        {
            **S3,
            "HM_S3_PREFIX": prefix,
            "HM_S3_ENDPOINT": "http://127.0.0.1:9000/",
            "HM_LANDING": "s3://my-shop/landing/",
        },
    )
    settings = load_settings()
    opened = storage_of(settings)
    assert str(opened.tables) == "s3://my-shop/hm/production"
    assert opened.pages.address("trend") == "s3://my-shop/hm/production/reports/trend.html"
    assert str(opened.models) == "s3://my-shop/hm/production/models/recommender"
    assert str(settings.landing_zone) == "s3://my-shop/landing"
    resource = build_storage(settings)
    assert isinstance(resource, S3Storage)
    assert isinstance(resource.tables, S3Tables)
    assert resource.tables.bucket.uri("k") == "s3://my-shop/hm/production/k"
    assert not any(secret in repr(resource) for secret in SECRETS)


def test_local_storage_needs_nothing_of_it() -> None:
    assert load_settings().storage == "local"
    assert storage_of(load_settings()).tables.is_empty()
