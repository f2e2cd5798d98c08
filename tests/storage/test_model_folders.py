from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from hm_platform.storage.model_folders import ModelFolderError, folder_of, store

WEEK = date(2017, 1, 2)


def trained(folder: Path, version: str, weights: bytes = b"w") -> Path:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"version": version}))
    (folder / "weights.safetensors").write_bytes(weights)
    return folder


def test_the_week_points_to_the_model_trained_last_and_older_ones_stay(tmp_path: Path) -> None:
    root = tmp_path / "models"
    first = store(root, WEEK, trained(tmp_path / "a", "v1"))
    second = store(root, WEEK, trained(tmp_path / "b", "v2"))
    assert folder_of(root, WEEK) == second != first
    assert (first / "weights.safetensors").read_bytes() == b"w"


def test_storing_the_same_version_again_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "models"
    folder = store(root, WEEK, trained(tmp_path / "a", "v1"))
    before = sorted((f, f.stat().st_mtime_ns) for f in folder.iterdir())
    store(root, WEEK, trained(tmp_path / "b", "v1"))
    assert sorted((f, f.stat().st_mtime_ns) for f in folder.iterdir()) == before
    assert {f.name for f in root.iterdir()} == {"v1", f"{WEEK}.json"}


def test_a_folder_without_a_model_is_refused_and_the_old_one_serves_on(tmp_path: Path) -> None:
    root = tmp_path / "models"
    kept = store(root, WEEK, trained(tmp_path / "a", "v1"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFolderError, match="holds no trained model"):
        store(root, WEEK, tmp_path / "empty")
    assert folder_of(root, WEEK) == kept


def test_a_week_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="models/recommender"):
        folder_of(tmp_path, WEEK)
