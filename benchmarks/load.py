"""Loads what has landed as `hm build` does, and builds nothing: for :mod:`benchmarks.scale`."""

from __future__ import annotations

from hm_platform.building import load
from hm_platform.cli.main import say
from hm_platform.running import Runs
from hm_platform.settings import load_settings


def main() -> None:
    settings = load_settings()
    load(settings, None, Runs(settings, say))


if __name__ == "__main__":
    main()
