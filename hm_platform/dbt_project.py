"""The dbt project as Dagster uses it: its manifest, its command line and its environment.

The manifest is made when it is missing or older than the project's files, under a lock, so a fresh
clone, two processes at once and an edited model all find the right one without hand work.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from hm_platform.code_version import DBT_PROJECT, dbt_files
from hm_platform.errors import PlatformError
from hm_platform.settings import Settings

if TYPE_CHECKING:
    from dagster_dbt import DbtProject

WEEKLY = "tag:weekly"
"""Selects the models that are built week by week; the others are rebuilt whole."""


class DbtError(PlatformError):
    """The dbt project cannot be parsed."""


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The variables that the project's profile and macros read."""
    return {
        "HM_HOME": str(settings.home),
        "HM_STORAGE": settings.storage,
        "HM_FIRST_WEEK": str(settings.calendar.first_week),
        "HM_S3_BUCKET": settings.s3_bucket,
        "HM_S3_PREFIX": settings.s3_prefix,
        "HM_S3_ENDPOINT": settings.s3_endpoint,
    }


@contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """This process's environment with the project's variables set, for the dbt it starts."""
    wanted = dbt_environment(settings)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def build_arguments(weeks: tuple[date, date] | None) -> Sequence[str]:
    """The arguments of ``dbt`` that build what is selected; ``weeks`` = [first day, day after)."""
    # Unit tests are about the SQL and not about the data: they run with the project's own tests.
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if weeks is not None:
        start, end = weeks
        arguments += ["--event-time-start", str(start), "--event-time-end", str(end)]
    return arguments


def dbt_executable() -> str:
    """The dbt that is installed beside this Python: its folder need not be on the PATH."""
    beside = Path(sys.executable).with_name("dbt")
    return str(beside) if beside.exists() else "dbt"


def manifest_folder(settings: Settings) -> Path:
    """The folder with the manifest of the project as it is now, made if it is not there.

    Raises DbtError when dbt cannot parse the project.
    """
    root = settings.home / "dbt"
    folder = root / f"manifest-{_project_fingerprint(settings)[:16]}"
    if (folder / "manifest.json").exists():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "manifest.lock"):
        if not (folder / "manifest.json").exists():
            _parse(settings, folder)
            for old in root.glob("manifest-*"):
                if old != folder:
                    shutil.rmtree(old, ignore_errors=True)
    return folder


def _parse(settings: Settings, folder: Path) -> None:
    unfinished = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    done = subprocess.run(
        [
            dbt_executable(), "--quiet", "parse",
            "--project-dir", str(DBT_PROJECT),
            "--profiles-dir", str(DBT_PROJECT),
            "--target-path", str(unfinished),
            "--log-path", str(unfinished),
        ],
        env={**os.environ, **dbt_environment(settings), "DBT_PROJECT_DIR": str(DBT_PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise DbtError(f"dbt cannot parse {DBT_PROJECT}:\n{done.stdout}{done.stderr}")
    unfinished.rename(folder)


def _project_fingerprint(settings: Settings) -> str:
    from dbt.version import __version__ as dbt_version

    digest = hashlib.sha256(dbt_version.encode())
    for name, value in sorted(dbt_environment(settings).items()):
        digest.update(f"{name}={value}".encode())
    for file in dbt_files():
        digest.update(file.relative_to(DBT_PROJECT).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def dbt_project(settings: Settings) -> DbtProject:
    from dagster_dbt import DbtProject

    return DbtProject(
        project_dir=DBT_PROJECT,
        profiles_dir=DBT_PROJECT,
        # Where dagster-dbt finds the manifest and the parse that each invocation starts from.
        target_path=manifest_folder(settings),
    )
