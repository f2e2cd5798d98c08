"""A stored model of an earlier week at work on a later one.

Articles and customers are matched to its embeddings by id, and new ones are described by their
attributes alone; what has to be translated is the codes and scales of features, which every week
fits anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hm_platform.features import catalogue
from hm_platform.features.encoders import Encoders
from hm_platform.features.recoding import recoded
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.model_store import Manifest, load_models, read_encoders, read_manifest
from hm_platform.modelling.recommenders import Recommender, Scorer
from hm_platform.modelling.selection import baselines, recommender_named


class Restored:
    """A recommender that was trained with other encoders than a snapshot's.

    name : what it is called on boards
    given : the encoders that the snapshots' features were computed with
    wanted : those that the recommender was trained with
    """

    def __init__(
        self, recommender: Recommender, name: str, given: Encoders, wanted: Encoders
    ) -> None:
        self.recommender = recommender
        self.name = name
        self.given = given
        self.wanted = wanted

    @property
    def needs_history(self) -> bool:
        return self.recommender.needs_history

    def prepare(self, snapshot: Snapshot) -> Scorer:
        """Translate the snapshot and prepare the recommender for it.

        Raises FeatureError when the snapshot was not made with the given encoders, ModellingError
        when the recommender cannot read it.
        """
        return self.recommender.prepare(recoded(snapshot, self.given, self.wanted))


@dataclass(frozen=True)
class Stored:
    """What a publication was made by, opened again.

    recommender : as it was stored
    encoders : those that its features have to be computed with; None for a baseline, which learns
        nothing and reads codes as they are
    """

    recommender: Recommender
    encoders: Encoders | None

    def reading(self, given: Encoders, name: str | None = None) -> Recommender:
        """The recommender for snapshots that were computed with the encoders ``given``.

        name : what it is called; by default its own name
        """
        name = name or self.recommender.name
        return Restored(self.recommender, name, given, self.encoders or given)


def is_baseline(recommender: str) -> bool:
    """Whether a recommender needs no stored model."""
    return recommender in {baseline.name for baseline in baselines()}


def open_baseline(recommender: str) -> Stored:
    """A baseline. Raises ModellingError for a name that none has."""
    return Stored(recommender_named(recommender, ()), None)


def open_stored(folder: Path, recommender: str) -> Stored:
    """A recommender of a stored model: one of its stages, or the baseline that beat it.

    Raises ModellingError or FeatureError when the folder is not whole, or is of a format, a network
    or features that this version does not have.
    """
    encoders = read_encoders(folder)
    _check_fit(folder, read_manifest(folder))
    return Stored(recommender_named(recommender, load_models(folder)), encoders)


def _check_fit(folder: Path, manifest: Manifest) -> None:
    """Raise ModellingError when the model reads features that this version does not compute.

    Without this the fault would show only in the middle of the work.
    """
    wanted = [
        *(("features/articles", name) for name in manifest.network.get("article_sizes", ())),
        *(("features/customers", name) for name in manifest.network.get("customer_sizes", ())),
    ]
    there = {
        (f"features/{table}", feature.name)
        for table in ("articles", "customers")
        for feature in catalogue.features(table)
    }
    missing = [f"{name} of {table}" for table, name in wanted if (table, name) not in there]
    if features := manifest.ranker.get("features"):
        # Imports Hamilton, which takes seconds; the ranker needs it anyway.
        from hm_platform.modelling.ranker.inputs import feature_groups

        missing += [f"{name} of a pair" for name in features if name not in feature_groups()]
    if missing:
        raise ModellingError(
            f"the model in {folder} reads features that this version does not have: "
            f"{', '.join(sorted(missing))}"
        )
