"""Trained models on disk: a folder a version, and a pointer a week to the version trained for it.

A model's folder is immutable and named by its version, so a model that was published stays there
after another one has been trained for the same week.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path

from hm_platform.errors import PlatformError
from hm_platform.storage.unfinished import remove_abandoned, unfinished

MANIFEST = "manifest.json"
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{10}")
"""How a version is named: the week that it was trained for, and a part of a hash."""

POINTER = re.compile(r"(\d{4}-\d{2}-\d{2})\.json")
"""How the pointer of a week is named."""


class ModelFolderError(PlatformError):
    """A model that is not there, or a folder that holds none."""


def version_of(folder: Path) -> str:
    """The version in a model folder's manifest. Raises ModelFolderError when there is none."""
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["version"]
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise ModelFolderError(f"{folder} holds no trained model: {error!r}") from None


def store(root: Path, week: date, trained: Path) -> Path:
    """Take the folder ``trained`` over to its place under ``root`` and point ``week`` to it.

    The week has its old model until the new one is complete; ``trained`` is gone afterwards.
    """
    version = version_of(trained)
    folder = root / version
    copy = unfinished(folder)
    root.mkdir(parents=True, exist_ok=True)
    remove_abandoned(root)
    shutil.rmtree(copy, ignore_errors=True)
    try:
        if not folder.exists():
            shutil.copytree(trained, copy)
            try:
                copy.rename(folder)
            except OSError:
                # Another run has put the same version there in the meantime.
                if not folder.exists():
                    raise
        written = unfinished(pointer(root, week))
        written.write_text(json.dumps({"version": version}) + "\n", encoding="utf-8")
        written.replace(pointer(root, week))
        shutil.rmtree(trained)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    return folder


def pointer(root: Path, week: date) -> Path:
    """The file that says which version was trained for a week."""
    return root / f"{week}.json"


def delete(root: Path, version: str) -> None:
    """Remove a version; one that is not there is gone already.

    From the first moment on nobody finds it; what a killed process leaves of it is removed by the
    next one that stores or deletes.
    """
    if not VERSION.fullmatch(version):
        raise not_stored(version)
    remove_abandoned(root)
    going = unfinished(root / version)
    shutil.rmtree(going, ignore_errors=True)
    with suppress(FileNotFoundError):
        (root / version).rename(going)
        shutil.rmtree(going)


def folder_of(root: Path, week: date) -> Path:
    """The folder of the model trained for ``week``. Raises ModelFolderError when there is none."""
    version = version_of_week(root, week)
    if version is None:
        raise not_trained(week)
    folder = root / version
    version_of(folder)
    return folder


def version_of_week(root: Path, week: date) -> str | None:
    """The version that ``week`` points to, or None where no model was trained for it."""
    try:
        return json.loads(pointer(root, week).read_text(encoding="utf-8"))["version"]
    except FileNotFoundError:
        return None


def folder_of_version(root: Path, version: str) -> Path:
    """The folder of a version. Raises ModelFolderError when there is none."""
    folder = root / version
    # A version comes from people and tables: it must not lead out of the folder of models.
    if not VERSION.fullmatch(version) or not folder.is_dir():
        raise not_stored(version)
    return folder


def versions(root: Path) -> list[str]:
    """The versions that are stored, newest week first, those of a week by name."""
    if not root.is_dir():
        return []
    return newest_first(path.name for path in root.iterdir() if VERSION.fullmatch(path.name))


def weeks(root: Path) -> list[date]:
    """The weeks that point to a version, oldest first."""
    if not root.is_dir():
        return []
    return weeks_of(path.name for path in root.iterdir())


def weeks_of(names: Iterable[str]) -> list[date]:
    """The weeks whose pointers are among these file names, oldest first."""
    found = (POINTER.fullmatch(name) for name in names)
    return sorted(date.fromisoformat(name[1]) for name in found if name)


def size(folder: Path) -> int:
    """Bytes of the files of a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def newest_first(versions: Iterable[str]) -> list[str]:
    """Versions, the newest week first, those of a week by name."""
    return sorted(sorted(versions), key=lambda name: name[:10], reverse=True)


def not_trained(week: date) -> ModelFolderError:
    """What to say where a week has no model."""
    return ModelFolderError(
        f"no model is trained for week {week}: materialise models/recommender first"
    )


def not_stored(version: str) -> ModelFolderError:
    """What to say where there is no such version."""
    return ModelFolderError(f"there is no stored model {version!r}: `hm models` lists them")
