"""The workflows in .github, their commands, and a clone without any state in which to run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
BIN = Path(sys.executable).parent

NAME = r"[a-z_]+(?:\.[\w-]+)+"
VALUE = rf"(?:{NAME}|'[^']*')"
EXPRESSION = re.compile(rf"\$\{{\{{ ({VALUE}(?: \|\| {VALUE})*) \}}\}}")
"""A name in a context, or several of which the first that is not empty counts."""


def workflow(name: str) -> dict[str, Any]:
    """A workflow as GitHub reads it. (To YAML 1.1 its key `on` is a truth value.)"""
    read = yaml.safe_load((FOLDER / f"{name}.yml").read_text())
    return {("on" if key is True else key): value for key, value in read.items()}


def steps(read: Mapping[str, Any], job: str | None = None) -> list[dict[str, Any]]:
    """The steps of a job, or of all."""
    jobs = read["jobs"].values() if job is None else [read["jobs"][job]]
    return [step for each in jobs for step in each["steps"]]


def commands(read: Mapping[str, Any], job: str | None = None) -> list[str]:
    """What the steps type."""
    return [step["run"] for step in steps(read, job) if "run" in step]


def filled(text: str, contexts: Mapping[str, str]) -> str:
    """The text with its expressions replaced; what a context does not have is empty."""

    def value(found: re.Match[str]) -> str:
        values = (
            part[1:-1] if part.startswith("'") else contexts.get(part, "")
            for part in found[1].split(" || ")
        )
        return next(filter(None, values), "")

    return EXPRESSION.sub(value, text)


@dataclass(frozen=True)
class Clone:
    """The repository in a folder of its own, installed, with nothing landed or built.

    The environment of its commands is what a workflow's file says and no setting of whoever runs
    the tests.
    """

    path: Path
    contexts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path, contexts: Mapping[str, str] | None = None) -> Clone:
        skipped = shutil.ignore_patterns("target", "logs", ".user.yml")
        for name in ("hm_platform", "dbt"):
            shutil.copytree(REPOSITORY / name, path / name, ignore=skipped)
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(REPOSITORY / name, path)
        # What is installed is what the tests run with: make finds nothing to install.
        (path / ".venv").mkdir()
        (path / ".venv" / "bin").symlink_to(BIN)
        for stamp in ("torch", "installed"):
            (path / ".venv" / stamp).touch()
        return cls(path, contexts or {})

    def run(self, command: str, *said: Mapping[str, Any] | None) -> subprocess.CompletedProcess:
        """Type a command; ``said`` are the `env:` of a workflow, a job and a step."""
        own = ("HM_", "DAGSTER", "DBT_", "AWS_", "MAKE", "MFLAGS", "PYTEST_")
        env = {k: v for k, v in os.environ.items() if not k.startswith(own)}
        env = {k: v for k, v in env.items() if not k.lower().endswith("_proxy")}
        for variables in said:
            env |= {k: filled(str(v), self.contexts) for k, v in (variables or {}).items()}
        return subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=self.path,
            env={**env, "PYTHONPATH": str(self.path)},
            capture_output=True,
            text=True,
            check=False,
        )


CI, WEEKLY = workflow("ci"), workflow("weekly")
SHOP = next(command for command in commands(CI) if "hm land" in command)
"""The command that lands the shop of ci.yml."""

BUCKET, PREFIX = "my-shop", "hm/production"
KEYS = {"secrets.AWS_ACCESS_KEY_ID": "nobody", "secrets.AWS_SECRET_ACCESS_KEY": "nobodys-key"}


def typed(clone: Clone, contexts: Mapping[str, str] | None = None) -> list[Any]:
    """What became of each command of weekly.yml, until one fails."""
    job = WEEKLY["jobs"]["build"]
    at = Clone(clone.path, {**clone.contexts, **(contexts or {})})
    # No keys of whoever runs the tests, and none of the machine.
    nobody = {"HOME": str(clone.path), "AWS_EC2_METADATA_DISABLED": "true"}
    done = []
    for step in steps(WEEKLY, "build"):
        if "run" in step:
            said = (WEEKLY["env"], job.get("env"), step.get("env"), nobody)
            done.append(at.run(step["run"], *said))
            if done[-1].returncode:
                break
    return done
