"""Trained models on disk: a folder a version, and a pointer a week to the version trained for it.

A model's folder is immutable and named by its version, so a model that was published stays there
after another one has been trained for the same week.
"""

from __future__ import annotations

import json
import os
import shutil
from datetime import date
from pathlib import Path

from hm_platform.errors import PlatformError

MANIFEST = "manifest.json"


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
    unfinished = root / f".{version}.{os.getpid()}.tmp"
    shutil.rmtree(unfinished, ignore_errors=True)
    root.mkdir(parents=True, exist_ok=True)
    try:
        if not folder.exists():
            shutil.copytree(trained, unfinished)
            try:
                unfinished.rename(folder)
            except OSError:
                # Another run has put the same version there in the meantime.
                if not folder.exists():
                    raise
        pointer = root / f".{week}.{os.getpid()}.tmp"
        pointer.write_text(json.dumps({"version": version}) + "\n", encoding="utf-8")
        pointer.replace(root / f"{week}.json")
        shutil.rmtree(trained)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def folder_of(root: Path, week: date) -> Path:
    """The folder of the model trained for ``week``. Raises ModelFolderError when there is none."""
    try:
        pointer = json.loads((root / f"{week}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFolderError(
            f"no model is trained for week {week}: materialise models/recommender first"
        ) from None
    folder = root / pointer["version"]
    version_of(folder)
    return folder
