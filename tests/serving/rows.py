"""Rows of the tables that the gate reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from hm_platform.modelling.model_store import Manifest

TESTS = pa.schema(
    [
        ("week", pa.date32()),
        ("model_version", pa.string()),
        ("recommender", pa.string()),
        ("test", pa.string()),
        ("effect", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("count", pa.int64()),
        ("threshold", pa.string()),
        ("severity", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
    ]
)
"""``evaluation.behavioral_tests``."""


def results(week: date, version: str, *rows: Mapping[str, Any]) -> pa.Table:
    """The tests of a model version; what a row does not say is that of a number that is reported
    and judged by nothing."""
    base = {
        **dict.fromkeys(TESTS.names),
        "week": week,
        "model_version": version,
        "recommender": "ranker",
        "test": "coverage",
        "effect": "articles",
        "value": 0.25,
        "count": 100,
        "outcome": "reported",
    }
    return pa.Table.from_pylist([{**base, **row} for row in rows or ({},)], TESTS)


def failed(test: str = "accuracy", severity: str = "block", **more: Any) -> dict[str, Any]:
    return {
        "test": test,
        "effect": "against the last published",
        "value": -0.05,
        "threshold": "at least -0.01",
        "severity": severity,
        "outcome": "failed",
        **more,
    }


PASSED = {**failed(), "value": 0.01, "outcome": "passed"}


def manifest(version: str, chosen: str = "ranker", **validation: float) -> Manifest:
    """A model that was never trained. validation : recommender -> MAP on the validation week"""
    return Manifest(
        version=version,
        week=version[:10],
        code_version="1.2.3",
        seed=0,
        parameters={},
        network={},
        ranker={"reason": "there are two customers"},
        data={},
        best_epoch=1,
        epochs=1,
        validation={name: {"map": value} for name, value in validation.items()},
        chosen=chosen,
        files={},
    )
