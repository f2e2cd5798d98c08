"""What looks at a clone before anything is built says by its exit status that it is broken.

(That `dbt build` does is in tests/dbt, that `hm` does in tests/cli.)
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ci.workflows import Clone, commands, workflow


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.at(tmp_path / "clone")


def command_with(words: str) -> str:
    (found,) = (c for c in commands(workflow("ci"), "week") if words in c)
    return found


def test_a_model_that_cannot_be_parsed(clone: Clone) -> None:
    broken = clone.path / "dbt" / "models" / "marts" / "broken.sql"
    broken.write_text("select * from {{ ref('no_such_model') }}")
    done = clone.run(command_with("dbt parse"))
    assert done.returncode != 0
    assert "'no_such_model' which was not found" in done.stdout


def test_a_setting_that_makes_no_sense(clone: Clone) -> None:
    done = clone.run(command_with("definitions validate"), {"HM_STORAGE": "s3"})
    assert done.returncode != 0
    assert "needs HM_S3_BUCKET" in done.stdout + done.stderr
