"""Running jobs of the code location in this process, for commands that wait for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from hm_platform.errors import PlatformError
from hm_platform.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

Say = Callable[[str], None]


class RunFailedError(PlatformError):
    """A run that failed."""


class Runs:
    """Runs jobs of the code location in this process and shows their progress."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._log = settings.home / "logs" / "build.log"

    @cached_property
    def _instance(self) -> DagsterInstance:
        from hm_platform.dagster_home import dagster_instance
        from hm_platform.runs import fail_dead_runs

        instance = dagster_instance(self._settings)
        fail_dead_runs(instance, self._settings.home)
        return instance

    def run(
        self,
        job: str,
        doing: str,
        *,
        assets: Sequence[str] = (),
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        needed: Callable[[], bool] | None = None,
    ) -> bool:
        """Run a job and wait for its end. Whether it was run.

        doing : what it is for, in a few words
        assets : the keys of those of its assets that are wanted; none: all of them
        partition, tags : Dagster's, of the run
        config : the run's config
        needed : asked when the run's turn has come, since the one that it waited for may have done
            the same; without it the job is run in any case

        Raises RunFailedError with what went wrong when the run fails.
        """
        from dagster import AssetKey
        from dagster._core.utils import make_new_run_id
        from sqlalchemy.exc import DBAPIError

        from hm_platform.definitions import defs
        from hm_platform.progress import PROGRESS_CONFIG
        from hm_platform.runs import first_failure, turn, weeks_of

        self._say(doing)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        all_tags = {**(tags or {}), **({"dagster/partition": partition} if partition else {})}
        weeks = [] if self._settings.storage == "local" else weeks_of(all_tags)
        run_id, wait = make_new_run_id(), partial(self._say, "another run works here: waiting")
        try:
            # dbt's own lines go to the log: the progress lines say the same in fewer words.
            with (
                turn(self._settings.home, run_id, wait, weeks),
                self._log.open("a", buffering=1, encoding="utf-8") as log,
                redirect_stdout(log),
            ):
                if needed is not None and not needed():
                    return False
                result = defs.resolve_job_def(job).execute_in_process(
                    instance=self._instance,
                    run_config={**(config or {}), "loggers": PROGRESS_CONFIG},
                    raise_on_error=False,
                    run_id=run_id,
                    partition_key=partition,
                    asset_selection=[AssetKey.from_user_string(key) for key in assets] or None,
                    tags=dict(tags or {}),
                )
        except DBAPIError as error:
            raise RunFailedError(
                f"{doing} failed: Dagster's record in {self._settings.dagster_home} cannot be "
                f"written ({error.orig}): is the disk full? Run the same command again then"
            ) from error
        if not result.success:
            reason = first_failure(result.all_events) or "the run did not start: see the UI"
            raise RunFailedError(
                f"{doing} failed: {reason}\n(run {run_id}; dbt's output is in {self._log})"
            )
        return True
