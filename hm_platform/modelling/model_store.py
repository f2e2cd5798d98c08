"""A model on disk: a folder of files that people can read and that nothing unpickles.

==================== =======================================================================
manifest.json        what the model is and how it came to be: see :class:`Manifest`
weights.safetensors  the retrieval network's weights
ranker.safetensors   the ranking network's weights, and the levels of its features
articles.parquet     the ids of rows 1, 2, … of the articles' id embedding
customers.parquet    the same for customers
encoders.json        the encoders that features must be computed with
curves.csv           the metrics of each epoch of the retrieval model
ranker_curves.csv    the same of the ranker
model_card.md        the model for people: purpose, data, scores, limits
==================== =======================================================================

The two files of the ranker are there only where there is one. Nothing in a folder depends on when
or where it was made: the same model gives the same bytes. It appears whole or not at all, and is
read only if every file is the one that the manifest names. Importing this module does not import
torch, so that manifests are read quickly.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from hm_platform.features.encoders import Encoders
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.model_card import model_card

if TYPE_CHECKING:
    from hm_platform.modelling.ranker.training import TrainedRanker
    from hm_platform.modelling.recommenders import Recommender
    from hm_platform.modelling.training import TrainedModel

FORMAT = 2
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
ARTICLES = "articles.parquet"
CUSTOMERS = "customers.parquet"
ENCODERS = "encoders.json"
CURVES = "curves.csv"
CARD = "model_card.md"
RANKER_WEIGHTS = "ranker.safetensors"
RANKER_CURVES = "ranker_curves.csv"
LEVELS = "levels"
"""The name of the features' levels among the ranker's weights."""


@dataclass(frozen=True)
class Training:
    """What training gave.

    ranker : None where there is none; then ``no_ranker`` says why
    """

    retrieval: TrainedModel
    ranker: TrainedRanker | None
    no_ranker: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a stored model says of itself.

    version : ``<week>-<first 10 hex digits of a SHA-256>`` over everything else in the manifest
        and so, through ``files``, over the weights
    week : the week it was trained for, YYYY-MM-DD
    code_version : of the code that trained it
    parameters, network : the TrainingParams and the NetworkShape of the retrieval model
    ranker : the ranker's ``parameters`` (RankingParams), the ``features`` it reads, the
        ``popularity_discount`` on its scores, how many ``lists`` of past weeks and
        ``validation_lists`` it learnt from, ``epochs``, ``recall`` (candidate source ->
        CandidateRecall) and ``importance`` (group of features -> loss of MAP@12 without it); or the
        ``reason`` why there is none
    data : data set -> fingerprint of its content
    best_epoch, epochs : the epoch whose weights these are, and how many there were
    validation : recommender -> metric -> value on the validation week, for the models and each
        baseline, the ranker's before it learnt from that week; empty where nobody bought
    chosen : the recommender that is published
    files : every other file of the folder -> SHA-256 of its content
    """

    version: str
    week: str
    code_version: str
    seed: int
    parameters: Mapping[str, Any]
    network: Mapping[str, Any]
    ranker: Mapping[str, Any]
    data: Mapping[str, str]
    best_epoch: int
    epochs: int
    validation: Mapping[str, Mapping[str, float]]
    chosen: str
    files: Mapping[str, str]
    format: int = FORMAT


def save_model(
    folder: Path,
    training: Training,
    encoders: Encoders,
    *,
    week: date,
    code_version: str,
    data: Mapping[str, str],
    validation: Mapping[str, Mapping[str, float]],
    chosen: str,
) -> Manifest:
    """Write a model into ``folder``, in place of what is there; the arguments are as in Manifest.

    Parquet's bytes are those of the pyarrow that writes them: a model that is trained again has
    the same version under the same releases.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its final place, so that the rename stays within one file system.
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        written = Path(scratch) / "model"
        written.mkdir()
        _write_files(written, training, encoders)
        trained = training.retrieval
        content: dict[str, Any] = {
            "week": week.isoformat(),
            "code_version": code_version,
            "seed": trained.seed,
            "parameters": asdict(trained.params),
            "network": asdict(trained.recommender.network.shape),
            "ranker": _about_ranker(training),
            "data": dict(data),
            "best_epoch": trained.best_epoch,
            "epochs": trained.curves.num_rows,
            "validation": {name: dict(values) for name, values in validation.items()},
            "chosen": chosen,
            "format": FORMAT,
        }
        (written / CARD).write_text(model_card(content))
        content["files"] = {path.name: _sha256(path) for path in sorted(written.iterdir())}
        digest = hashlib.sha256(_json(content).encode()).hexdigest()
        content["version"] = f"{week}-{digest[:10]}"
        (written / MANIFEST).write_text(_json(content))
        if folder.exists():
            folder.rename(Path(scratch) / "replaced")
        written.rename(folder)
    return Manifest(**content)


def read_manifest(folder: Path) -> Manifest:
    """A stored model's manifest, without its weights.

    Raises ModellingError when there is no model, or one that this version cannot read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ModellingError(f"there is no model in {folder}: {MANIFEST} is missing")
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ModellingError(f"{path} is not JSON: {error}") from None
    names = {field.name for field in fields(Manifest)}
    if not isinstance(content, dict) or content.get("format") != FORMAT or set(content) != names:
        raise ModellingError(
            f"{path} is not a manifest of format {FORMAT}: train the model again with this version"
        )
    return Manifest(**content)


def load_models(folder: Path) -> Sequence[Recommender]:
    """The ranker, where there is one, and the retrieval model.

    Every file is checked against the manifest first. Raises ModellingError when one is missing,
    unknown, or not the one that was saved.
    """
    manifest = read_manifest(folder)
    _check(folder, manifest)
    # torch and safetensors take seconds to import.
    from safetensors.torch import load_file

    from hm_platform.modelling.network import NetworkShape, TwoTower
    from hm_platform.modelling.two_tower import TwoTowerRecommender

    try:
        network = TwoTower(NetworkShape(**manifest.network))
        network.load_state_dict(load_file(folder / WEIGHTS))
        network.eval()
        retrieval = TwoTowerRecommender(
            network,
            _read_ids(folder / ARTICLES),
            _read_ids(folder / CUSTOMERS),
            int(manifest.parameters["history_length"]),
        )
        if RANKER_WEIGHTS not in manifest.files:
            return (retrieval,)
        from hm_platform.modelling.ranker.network import RankingNetwork
        from hm_platform.modelling.ranker.recommender import RankerRecommender

        weights = load_file(folder / RANKER_WEIGHTS)
        levels = weights.pop(LEVELS).numpy()
        parameters, features = manifest.ranker["parameters"], manifest.ranker["features"]
        ranking = RankingNetwork(len(features), int(parameters["hidden"]))
        ranking.load_state_dict(weights)
        ranking.eval()
        ranker = RankerRecommender(
            retrieval,
            ranking,
            features,
            levels,
            # A model that was trained before there was a discount is as it was.
            popularity_discount=manifest.ranker.get("popularity_discount", 0.0),
            without_sources=parameters["without_sources"],
        )
        return (ranker, retrieval)
    except (KeyError, TypeError, RuntimeError, pa.ArrowException) as error:
        raise ModellingError(
            f"the model in {folder} does not fit this version of the network: {error}"
        ) from error


def read_encoders(folder: Path) -> Encoders:
    """The encoders that the model's features were computed with."""
    _check(folder, read_manifest(folder))
    return Encoders.from_json((folder / ENCODERS).read_text())


def read_curves(folder: Path, name: str = CURVES) -> Sequence[Mapping[str, float | None]]:
    """The metrics of each epoch: ``epoch`` (from 1), ``train_loss``, ``validation_<metric>``, which
    is None for an epoch that was not validated.

    name : CURVES or RANKER_CURVES; empty where there is no ranker
    """
    _check(folder, read_manifest(folder))
    return pyarrow.csv.read_csv(folder / name).to_pylist() if (folder / name).exists() else []


def _write_files(folder: Path, training: Training, encoders: Encoders) -> None:
    from safetensors.torch import save_file

    recommender = training.retrieval.recommender
    weights = recommender.network.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)
    for name, ids in ((ARTICLES, recommender.article_ids), (CUSTOMERS, recommender.customer_ids)):
        pq.write_table(pa.table({"id": ids}), folder / name, compression="zstd")
    (folder / ENCODERS).write_text(encoders.to_json())
    pyarrow.csv.write_csv(training.retrieval.curves, folder / CURVES)
    if training.ranker:
        from torch import from_numpy

        ranker = training.ranker.recommender
        weights = {**ranker.network.state_dict(), LEVELS: from_numpy(ranker.levels)}
        save_file(
            {name: tensor.contiguous() for name, tensor in weights.items()},
            folder / RANKER_WEIGHTS,
        )
        pyarrow.csv.write_csv(training.ranker.curves, folder / RANKER_CURVES)


def _about_ranker(training: Training) -> dict[str, Any]:
    """The manifest's ``ranker``."""
    ranker = training.ranker
    if ranker is None:
        return {"reason": training.no_ranker}
    return {
        # As JSON gives it back: lists instead of tuples.
        "parameters": json.loads(json.dumps(asdict(ranker.params))),
        "features": list(ranker.recommender.features),
        "popularity_discount": ranker.recommender.popularity_discount,
        "lists": ranker.lists,
        "validation_lists": ranker.validation_lists,
        "epochs": ranker.curves.num_rows,
        "recall": {name: asdict(recall) for name, recall in ranker.recall.items()},
        "importance": dict(ranker.importance),
    }


def _check(folder: Path, manifest: Manifest) -> None:
    """Raise ModellingError unless the folder holds exactly the files that were saved."""
    there = {path.name for path in folder.iterdir()} - {MANIFEST}
    if missing := sorted(set(manifest.files) - there):
        raise ModellingError(f"the model in {folder} lacks {', '.join(missing)}: train it again")
    if unknown := sorted(there - set(manifest.files)):
        raise ModellingError(
            f"the model in {folder} has files that do not belong to it: {', '.join(unknown)}"
        )
    for name, digest in manifest.files.items():
        if _sha256(folder / name) != digest:
            raise ModellingError(
                f"{folder / name} is damaged or was changed: it is not the file that the "
                "manifest names; train the model again"
            )


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_ids(path: Path) -> pa.Array:
    return pq.read_table(path, columns=["id"])["id"].combine_chunks()
