"""The storage as a Dagster resource, which all other resources that read or write are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path

from dagster import ConfigurableResource
from pydantic import Field

from hm_platform.storage.places import Models, Pages, Storage, local_storage
from hm_platform.storage.tables import Tables


class StorageResource(ConfigurableResource, ABC):
    """Where tables, models and pages lie."""

    @abstractmethod
    def open(self) -> Storage:
        """What this configuration names."""

    @cached_property
    def opened(self) -> Storage:
        """All of it."""
        return self.open()

    @property
    def tables(self) -> Tables:
        return self.opened.tables

    @property
    def models(self) -> Models:
        return self.opened.models

    @property
    def pages(self) -> Pages:
        return self.opened.pages


class LocalStorage(StorageResource):
    """Tables in DuckDB, models and pages as files, all in one folder."""

    home: str = Field(description="Path of the folder.")

    def open(self) -> Storage:
        return local_storage(Path(self.home))
