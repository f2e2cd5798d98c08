"""Both storages, empty: a folder, and a bucket of a server in this process."""

from __future__ import annotations

import uuid
from pathlib import Path

import boto3
import pytest

from hm_platform.storage.places import Storage, local_storage, s3_storage
from hm_platform.storage.s3.bucket import Bucket, client_of

KINDS = ("local", "s3")


def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def new_bucket(endpoint: str, prefix: str = "hm") -> Bucket:
    name = f"b{uuid.uuid4().hex}"
    client_of(boto3.session.Session(), endpoint).create_bucket(Bucket=name)
    return Bucket(name, prefix, endpoint)


def empty(kind: str, home: Path, endpoint: str) -> Storage:
    if kind == "local":
        return local_storage(home)
    return s3_storage(new_bucket(endpoint), home)
