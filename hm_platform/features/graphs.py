"""The Hamilton graphs: which modules make them, and running them.

Importing this module imports Hamilton, which takes seconds: import it inside the function that
needs it. Output checks that fail come out as FeatureError, with what was being computed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from hamilton import driver
from hamilton.data_quality.base import DataValidationError

from hm_platform.features import (
    articles,
    attributes,
    buyers,
    copurchases,
    customers,
    encoding,
    histories,
)
from hm_platform.features.errors import FeatureError

MODULES = {
    "encoders": (attributes, encoding),
    "articles": (attributes, articles, buyers),
    "customers": (attributes, customers),
    "purchase_histories": (histories,),
    "copurchases": (copurchases,),
}
"""Table of the schema ``features`` -> the modules whose functions make it."""

# Before an error is raised Hamilton logs it, with all of its inputs.
logging.getLogger("hamilton").setLevel(logging.CRITICAL + 1)


@cache
def graph(table: str) -> driver.Driver:
    """The Hamilton driver whose functions make ``features/<table>``.

    Raises FeatureError when there is no such table.
    """
    if table not in MODULES:
        raise FeatureError(f"there is no table features/{table}, only {', '.join(MODULES)}")
    return driver.Builder().with_modules(*MODULES[table]).build()


def execute(
    functions: driver.Driver, outputs: Sequence[str], inputs: Mapping[str, Any], what: str
) -> dict[str, Any]:
    """The values of these functions of a graph.

    Parameters
    ----------
    what : what is being computed, for messages ("features/articles, split test of 2020-09-16")

    Raises
    ------
    FeatureError : when an output fails its check.
    """
    try:
        return functions.execute(list(outputs), inputs=dict(inputs))
    except DataValidationError as error:
        found = " ".join(line.strip() for line in error.args[0])
        raise FeatureError(f"{what}: {found}") from error


def run(table: str, outputs: Sequence[str], inputs: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The same for the graph of ``features/<table>``."""
    return execute(graph(table), outputs, inputs, f"features/{table}, {what}")
