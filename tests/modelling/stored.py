"""Stored models of a made-up shop, and what can become of their folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hm_platform.modelling.model_store import MANIFEST, WEIGHTS


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of a stored model."""
    path = folder / MANIFEST
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def version_of(stored: Path, root: Path, version: str, **manifest: Any) -> Path:
    """A stored model again, as another version."""
    folder = root / version
    shutil.copytree(stored, folder)
    changed(folder, lambda content: content.update(version=version, week=version[:10], **manifest))
    return folder


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def damage(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)


def lose_a_file(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def empty(folder: Path) -> None:
    remove(folder)
    folder.mkdir()


def another_format(folder: Path) -> None:
    changed(folder, lambda content: content.update(format=1))


def unknown_attribute(folder: Path) -> None:
    changed(folder, lambda content: content["network"]["article_sizes"].update(smell_code=3))


def unknown_pair_feature(folder: Path) -> None:
    changed(folder, lambda content: content["ranker"]["features"].append("moon_phase"))


FAULTS: dict[Callable[[Path], None], str] = {
    remove: "there is no",
    damage: "is damaged or was changed",
    lose_a_file: "lacks weights.safetensors",
    empty: "manifest.json is missing",
    another_format: "is not a manifest of format",
    unknown_attribute: "does not have: smell_code of features/articles",
    unknown_pair_feature: "does not have: moon_phase of a pair",
}
"""What may have happened to a folder -> what is said of it."""
