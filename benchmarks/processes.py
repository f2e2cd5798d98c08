"""Commands timed as a person runs them: each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent

_TIMED = """
import json, resource, subprocess, sys, time
start = time.monotonic()
done = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
wall = time.monotonic() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
open(sys.argv[1], "wb").write(done.stderr)
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
sys.exit(done.returncode)
"""


@dataclass(frozen=True)
class Measured:
    """One command: seconds, and megabytes of the largest of its processes, by the operating
    system's account of it and all that it started."""

    what: str
    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(
    what: str,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    said: Path | None = None,
) -> Measured:
    """Run a command with its output hidden.

    said : a file for what it says on its standard error

    Raises CalledProcessError when it fails, after showing what it said.
    """
    # A wrapper of its own for each: the peak over children never falls again within a process.
    print(f"{what} ...", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-c", _TIMED, str(said or os.devnull), *command],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        if said:
            sys.stderr.write(said.read_text(errors="replace")[-5000:])
        raise subprocess.CalledProcessError(done.returncode, command)
    return Measured(what, *json.loads(done.stdout))
