"""The workflow files: GitHub takes them, they are careful, and their commands are documented."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.ci.workflows import BIN, EXPRESSION, FILES, REPOSITORY, commands, steps, workflow

NAMES = [file.stem for file in FILES]


def one_line(text: str) -> str:
    """Without the line breaks that a shell would not see."""
    return " ".join(text.replace("\\\n", " ").split())


def test_there_is_one_for_changes_and_one_for_the_week() -> None:
    assert NAMES == ["ci", "weekly"]
    assert set(workflow("ci")["on"]) == {"pull_request", "push"}
    assert set(workflow("weekly")["on"]) == {"schedule", "workflow_dispatch"}


@pytest.mark.parametrize(
    "schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"]
)
def test_they_are_as_githubs_schema_says(schema: str) -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", schema, *FILES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_pinned_to_a_commit_with_its_version_beside_it(name: str) -> None:
    text = (REPOSITORY / ".github" / "workflows" / f"{name}.yml").read_text()
    pinned = re.findall(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n", text)
    assert len(pinned) == text.count("uses: ") > 0


def test_a_change_is_checked_without_any_credentials() -> None:
    text = (REPOSITORY / ".github" / "workflows" / "ci.yml").read_text()
    assert "secrets" not in text
    assert "pull_request_target" not in text
    assert workflow("ci")["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow("ci")["jobs"].values())


def test_only_the_build_sees_credentials() -> None:
    read = workflow("weekly")
    assert read["permissions"] == {"contents": "read"}
    assert read["jobs"]["build"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert "env" not in read["jobs"]["build"]
    seeing = [step["name"] for step in steps(read) if "secrets." in str(step)]
    assert seeing == ["Build"]
    for step in steps(read):
        for value in step.get("env", {}).values():
            assert "${{" not in value or EXPRESSION.fullmatch(value), value


def test_two_builds_never_work_at_the_same_time_and_none_is_broken_off() -> None:
    concurrency = workflow("weekly")["concurrency"]
    assert "${{" not in concurrency["group"]
    assert concurrency["cancel-in-progress"] is False


@pytest.mark.parametrize("name", NAMES)
def test_each_command_can_be_typed_and_is_documented(name: str) -> None:
    documented = one_line((REPOSITORY / "docs" / "ci.md").read_text())
    for command in commands(workflow(name)):
        # An expression in a command would be typed by nobody, and could hold a stranger's words.
        assert "${{" not in command
        assert "\n" not in command.strip()
        assert one_line(command) in documented


def test_the_tests_are_those_of_the_makefile() -> None:
    wanted = commands(workflow("ci"), "test")
    assert wanted[0] == "make lint"
    # Whatever the make that may have started these tests was told.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    dry = subprocess.run(
        ["make", "--dry-run", "test"],
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert wanted[1] in dry
    for tool in ("ruff check", "ruff format --check", "mypy", "sqlfluff lint"):
        assert any(tool in line for line in dry), tool
