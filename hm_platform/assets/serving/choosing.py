"""What the assets of a week ask the gate, ``hm_platform.serving.gate``."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from hm_platform.resources import ModelsResource, TablesResource

if TYPE_CHECKING:
    from hm_platform.serving.gate import Choice
    from hm_platform.serving.published import Opener


def choice_for(
    built: date, tables: TablesResource, models: ModelsResource, trained: Path
) -> "tuple[Choice, Opener]":
    """Who serves the week, and what opens it.

    trained : the folder of the model that was trained for the week
    """
    from hm_platform.modelling.model_store import read_manifest
    from hm_platform.serving.decisions import newest_decision
    from hm_platform.serving.gate import choose
    from hm_platform.serving.published import opener, read_publications

    challenger = read_manifest(trained)

    def folder_of(version: str) -> Path:
        return trained if version == challenger.version else models.folder(version)

    opened = opener(folder_of)
    choice = choose(
        built,
        challenger,
        tables.of_week("evaluation", "behavioral_tests", built),
        newest_decision(tables.previous("serving", "decisions"), built),
        read_publications(tables.previous("serving", "publications")),
        opened,
        lambda version: read_manifest(folder_of(version)),
    )
    return choice, opened
