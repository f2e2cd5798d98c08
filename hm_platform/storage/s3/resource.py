"""The bucket as Dagster resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
from dagster_aws.s3 import S3Resource
from pydantic import Field

from hm_platform.storage.places import Storage, s3_storage
from hm_platform.storage.resource import StorageResource
from hm_platform.storage.s3.bucket import ATTEMPTS, Bucket, client_of


class S3Connection(S3Resource):
    """dagster-aws's S3 resource, for AWS and for any server that speaks S3.

    Credentials come the AWS way (environment, profile, role of the machine), so that none are in
    the config of a run.
    """

    max_attempts: int = Field(default=ATTEMPTS, description="How often a request is sent at most.")

    def session(self) -> Any:
        """boto3's session, where credentials and region come from."""
        return boto3.session.Session(profile_name=self.profile_name, region_name=self.region_name)

    def get_client(self) -> Any:
        return client_of(
            self.session(), self.endpoint_url or "", use_ssl=self.use_ssl, verify=self.verify
        )


class S3Storage(StorageResource):
    """Tables as Parquet, models and pages beside them, all in one bucket."""

    s3: S3Connection
    bucket: str = Field(description="Name of the bucket.")
    prefix: str = Field(default="", description="What all keys begin with.")
    home: str = Field(description="Path of a folder on this machine for models that are read.")

    def open(self) -> Storage:
        bucket = Bucket(
            self.bucket, self.prefix, self.s3.endpoint_url or "", make_session=self.s3.session
        )
        return s3_storage(bucket, Path(self.home))
