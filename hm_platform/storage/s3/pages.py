"""Pages in a bucket."""

from __future__ import annotations

from dataclasses import dataclass

from hm_platform.storage.s3.bucket import Bucket


@dataclass(frozen=True)
class S3Pages:
    """HTML pages as objects of one folder of the bucket."""

    bucket: Bucket
    folder: str

    def address(self, name: object) -> str:
        return self.bucket.uri(f"{self.folder}/{name}.html")

    def write(self, name: object, html: str) -> str:
        key = f"{self.folder}/{name}.html"
        self.bucket.write(key, html.encode(), "text/html; charset=utf-8")
        return self.bucket.uri(key)
