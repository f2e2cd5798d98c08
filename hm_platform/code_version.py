"""A fingerprint of the code: what other code has built is out of date."""

from __future__ import annotations

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent
DBT_PROJECT = PACKAGE.parent / "dbt"


def code_fingerprint() -> str:
    """SHA-256 over the package's and the dbt project's source files, as they are now.

    Thresholds count: a model that was judged by others has to be judged again.
    """
    files = [
        *PACKAGE.rglob("*.py"),
        *PACKAGE.rglob("*.toml"),
        *(f for kind in ("sql", "yml") for f in dbt_files() if f.suffix == f".{kind}"),
    ]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.relative_to(PACKAGE.parent).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def dbt_files() -> list[Path]:
    """The dbt project's own files, without what dbt writes beside them."""
    made = {"target", "logs", "dbt_packages"}
    return sorted(
        file
        for file in DBT_PROJECT.rglob("*")
        if file.is_file() and not made & set(file.relative_to(DBT_PROJECT).parts)
    )
