"""The data path alone: what has landed is loaded as `hm build` does, and a week's splits are made.

For :mod:`benchmarks.scale`; ``python -m benchmarks.load 2020-09-16``.
"""

from __future__ import annotations

import sys

from dagster import AssetKey

from hm_platform.building import load
from hm_platform.cli.main import say
from hm_platform.dagster_home import dagster_instance
from hm_platform.definitions import defs
from hm_platform.progress import PROGRESS_CONFIG
from hm_platform.running import Runs
from hm_platform.settings import load_settings

SPLITS = ("article_index", "customer_index", "train", "validation", "test")


def main(week: str) -> None:
    settings = load_settings()
    load(settings, settings.calendar.parse(week), Runs(settings, say))
    defs.resolve_job_def("build_week").execute_in_process(
        instance=dagster_instance(settings),
        run_config={"loggers": PROGRESS_CONFIG},
        partition_key=week,
        asset_selection=[AssetKey(["datasets", split]) for split in SPLITS],
    )


if __name__ == "__main__":
    main(sys.argv[1])
