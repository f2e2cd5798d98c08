"""The platform's settings: every ``HM_`` variable, read once into one typed object.

Values come from the environment, then from a ``.env`` file in the working directory, then from the
defaults here. A name that starts with ``HM_`` and is not a setting is refused, since it is nearly
always a misspelt one. Nothing else in the package reads the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from hm_platform.calendar import Calendar
from hm_platform.errors import PlatformError
from hm_platform.landing.validating import MAX_REFUSED_SHARE, Rules
from hm_platform.landing.zone import Landing, landing_at
from hm_platform.notifying.address import channel_of

HM_FIRST_WEEK_DEFAULT = date(2018, 9, 19)
"""Weeks from this Wednesday on make 2020-09-16..22, the last one of H&M's data, a whole week."""


class SettingsError(PlatformError):
    """A setting that does not exist or has a value that cannot be used."""


class Settings(BaseSettings):
    """Where data lies, how weeks are counted and how randomness is seeded."""

    model_config = SettingsConfigDict(
        env_prefix="HM_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        # A refused value may be a secret; load_settings shows those that are not.
        hide_input_in_errors=True,
    )

    home: Path = Field(
        default=Path("data"),
        description="Local state: warehouse, models, reports and Dagster's own storage.",
    )
    landing: str | None = Field(
        default=None,
        min_length=1,
        description="Where new files arrive: a folder, by default HM_HOME/landing, or an address "
        "as s3://bucket/folder.",
    )
    storage: Literal["local", "s3"] = Field(
        default="local",
        description="Where tables and artifacts live: in DuckDB and on disk, or on S3.",
    )
    s3_bucket: str = Field(
        default="",
        pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$",
        description="The bucket, for HM_STORAGE=s3.",
    )
    s3_prefix: str = Field(
        default="",
        pattern=r"^/?([\w.=+-]+(/[\w.=+-]+)*)?/?$",
        description="What all keys in the bucket begin with, as hm/production.",
    )
    s3_endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^\s/@]+(/[^\s@]*)?)?$",
        description="Address of a server that speaks S3, as http://127.0.0.1:9000; by default AWS.",
    )
    first_week: date | None = Field(
        default=None,
        description="First day of the first week; by default what the landing zone's dataset.toml "
        "says, else 2018-09-19.",
    )
    train_weeks: int = Field(
        default=26, ge=1, le=520, description="Weeks of history in the training split."
    )
    max_refused_share: float = Field(
        default=MAX_REFUSED_SHARE,
        ge=0,
        le=1,
        description="The share of refused rows past which a landed file is held back as a whole.",
    )
    landing_quiet_seconds: float = Field(
        default=30.0,
        ge=0,
        le=3600,
        description="How long nobody must have touched new files before the sensor has them read.",
    )
    automation: Literal["on", "off"] = Field(
        default="on",
        description="Whether sensors and the schedule run as soon as Dagster's daemon does.",
    )
    keep_weeks: int = Field(
        default=26,
        ge=0,
        le=5200,
        description="How many built weeks keep their splits, features and all their models; of "
        "older weeks only what is published or could be rolled back to stays. 0: nothing is ever "
        "removed.",
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="Seeds all randomness.")
    notify: SecretStr = Field(
        default=SecretStr("console"),
        description="Where notices go: console, a Slack incoming webhook, or an SNS topic's ARN.",
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        # Child processes and a changed working directory must find the same place.
        return path.expanduser().absolute()

    @field_validator("landing")
    @classmethod
    def _landing_address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        # With one slash it is nearly always a mistyped address.
        if not re.match(r"[\w+.-]+:/", address):
            return str(Path(address).expanduser().absolute())
        if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.=+-]+)*/?", address):
            raise ValueError("has to be a folder, or an address as s3://bucket/folder")
        return address.rstrip("/")

    @field_validator("s3_prefix")
    @classmethod
    def _leads_nowhere_else(cls, prefix: str) -> str:
        if {".", ".."} & set(prefix.split("/")):
            raise ValueError("has to be folders by their names, without . and ..")
        return prefix

    @field_validator("s3_endpoint")
    @classmethod
    def _is_an_address(cls, endpoint: str) -> str:
        # An address whose port is none raises a ValueError when it is asked for it.
        _ = urlsplit(endpoint).port
        return endpoint

    @field_validator("notify")
    @classmethod
    def _leads_somewhere(cls, address: SecretStr) -> SecretStr:
        channel_of(address.get_secret_value())
        return address

    @model_validator(mode="after")
    def _s3_has_a_bucket(self) -> Self:
        if self.storage == "s3" and not self.s3_bucket:
            raise ValueError("HM_STORAGE=s3 needs HM_S3_BUCKET, the bucket to keep everything in")
        return self

    @property
    def landing_address(self) -> str:
        """A folder, or an address that begins with s3://."""
        return self.landing or str(self.home / "landing")

    @property
    def landing_zone(self) -> Landing:
        return landing_at(self.landing_address, self.s3_endpoint)

    @cached_property
    def calendar(self) -> Calendar:
        """The weekly calendar; its first week from HM_FIRST_WEEK, the data set, or the default."""
        if self.first_week is not None:
            return Calendar(self.first_week)
        dataset = self.landing_zone.dataset()
        return Calendar(HM_FIRST_WEEK_DEFAULT if dataset is None else dataset.first_week)

    def landing_rules(self, code: str) -> Rules:
        """What decides about landed files; ``code`` is the fingerprint of the code that checks.

        Raises LandingError when dataset.toml cannot be understood.
        """
        return Rules.of(self.landing_zone, self.calendar, self.max_refused_share, code)

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def dbt_runs(self) -> Path:
        """Where each invocation of dbt has its folder for as long as it runs."""
        return self.home / "dbt"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"


def load_settings() -> Settings:
    """The settings of this process.

    Raises SettingsError for an unknown ``HM_`` name or a value that cannot be used.
    """
    _refuse_unknown(os.environ, "the environment")
    _refuse_unknown(dotenv_values(".env"), ".env")
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(map(_problem, error.errors()))) from None


def changed_since(settings: Settings) -> str | None:
    """Which settings a process that starts now would read otherwise, or why it could read none.

    None where it would read ``settings``, and count weeks as they do. A run is such a process: what
    it makes with others than its sensor's would never be what the sensor wants.
    """
    try:
        now = load_settings()
    except (SettingsError, OSError, ValueError) as error:
        return f".env cannot be used any more: {error}"
    names = [
        name for name in Settings.model_fields if getattr(now, name) != getattr(settings, name)
    ]
    if not names:
        return _changed_weeks(settings, now)
    changed = ", ".join(f"HM_{name.upper()}" for name in names)
    return f"{changed} changed in .env since the daemon started: restart it"


def _changed_weeks(settings: Settings, now: Settings) -> str | None:
    """What has become of the weeks since a data set landed, or why nobody can tell."""
    try:
        first = now.calendar.first_week
    except PlatformError as error:
        return f"not now: {error}"
    if first == settings.calendar.first_week:
        return None
    return (
        f"dataset.toml has come or changed since the daemon started: weeks begin on {first:%A}s, "
        f"from {first} on, and it counts them from {settings.calendar.first_week}: restart it"
    )


def _problem(error: ErrorDetails) -> str:
    """A setting, its value unless that is a secret, and what is wrong with it."""
    if not error["loc"]:
        return error["msg"].removeprefix("Value error, ")
    name = str(error["loc"][0])
    secret = Settings.model_fields[name].annotation is SecretStr
    # In an address, what is before an @ is a name and a password.
    value = "" if secret else "=" + re.sub(r"//.*@", "//…@", repr(error["input"]))
    return f"HM_{name.upper()}{value}: {error['msg'].removeprefix('Value error, ')}"


def _refuse_unknown(variables: Mapping[str, str | None], where: str) -> None:
    known = {f"HM_{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(name for name in variables if name.startswith("HM_") and name not in known)
    if unknown:
        raise SettingsError(
            f"unknown setting {', '.join(unknown)} in {where}; "
            f"the settings are {', '.join(sorted(known))}"
        )
