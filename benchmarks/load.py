"""The data path alone: what has landed is loaded as `hm build` does, and a week's splits are made.

For :mod:`benchmarks.scale`; ``python -m benchmarks.load 2020-09-16``.
"""

from __future__ import annotations

import sys

from hm_platform.building import load
from hm_platform.cli.main import say
from hm_platform.running import Runs
from hm_platform.settings import load_settings

SPLITS = ("article_index", "customer_index", "train", "validation", "test")


def main(week: str) -> None:
    settings = load_settings()
    runs = Runs(settings, say)
    load(settings, settings.calendar.parse(week), runs)
    splits = [f"datasets/{split}" for split in SPLITS]
    runs.run("build_week", f"making the splits of week {week}", assets=splits, partition=week)


if __name__ == "__main__":
    main(sys.argv[1])
