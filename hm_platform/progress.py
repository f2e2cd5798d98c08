"""A Dagster logger that shows a run as a person wants to follow it: a line an asset, and more of
what takes long."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from dagster import InitLoggerContext, LoggerDefinition, colored_console_logger, logger

PROGRESS_CONFIG: Mapping[str, Any] = {"progress": {}}
"""Run config under ``loggers`` that shows progress instead of the event log."""

OF_DAGSTER_DBT = ("dbt command", "dbt subsetted execution", "dbt indirect selection")
"""What marks messages of dagster-dbt: which command it runs, how it selects, and that tests of
sources are run with the models, which is as it should be. The log of the run has them."""

TOLD_EVERY_S = 30


def paced(
    batches: pa.RecordBatchReader,
    tell: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> pa.RecordBatchReader:
    """The same batches; how many rows have passed is told while they come for long."""

    def passing() -> Iterator[pa.RecordBatch]:
        rows, told = 0, clock()
        for batch in batches:
            yield batch
            rows += batch.num_rows
            if clock() - told >= TOLD_EVERY_S:
                told = clock()
                tell(f"{rows:,} rows so far")

    return pa.RecordBatchReader.from_batches(batches.schema, passing())


class ProgressHandler(logging.Handler):
    """Writes finished assets, failed checks and the assets' own messages to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        line = progress_line(record)
        if line is not None:
            # The stream is looked up each time: Dagster redirects it while a step runs.
            print(line, file=sys.__stderr__, flush=True)


def progress_line(record: logging.LogRecord) -> str | None:
    """The line to show for a log record of a run, or None for what is of no interest."""
    meta = getattr(record, "dagster_meta", {})
    event = meta.get("dagster_event")
    if event is None:
        step = meta.get("step_key")
        message = meta.get("orig_message", record.getMessage())
        if record.levelno < logging.INFO or step is None:
            return None
        if any(mark in message for mark in OF_DAGSTER_DBT):
            return None
        return f"    {message}"
    if event.event_type_value == "ASSET_CHECK_EVALUATION":
        check = event.event_specific_data
        if check.passed:
            return None
        key = check.asset_key.to_user_string()
        return f"  ! {key}: check {check.check_name} failed ({check.severity.value})"
    if event.event_type_value == "STEP_START":
        return f"  > {event.step_key.replace('__', '/')}"
    if event.event_type_value == "STEP_SUCCESS":
        return f"    done in {event.event_specific_data.duration_ms / 1000:.1f} s"
    return None


@logger
def progress_logger(context: InitLoggerContext) -> logging.Logger:
    """A line an asset, as `hm build` shows it."""
    made = logging.Logger("hm_platform.progress", level=logging.DEBUG)
    made.addHandler(ProgressHandler())
    return made


LOGGERS: Mapping[str, LoggerDefinition] = {
    "console": colored_console_logger,
    "progress": progress_logger,
}
