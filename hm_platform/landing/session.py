"""A DuckDB of one's own for reading and writing landed files: in memory, gone when closed."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from types import TracebackType

import duckdb

from hm_platform.landing.scratch import ScratchFolder
from hm_platform.machine import Config, duckdb_config

STREAMED_MB = 16
"""Megabytes of results that a thread may be ahead of whoever reads a stream: DuckDB gives a thread
8 MB of a CSV file at a time."""

SCRATCH_TABLE = "scratch"
"""The name of the one temporary table that a file may be read by."""


def sql_text(text: str) -> str:
    """``text`` as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


class Session:
    """An in-memory DuckDB with a temporary folder; both go when the session is closed.

    memory_limit : what DuckDB may use before it spills to the folder, such as ``4GB``; None: its
        share of this machine's
    threads : None for as many as there are cores
    """

    def __init__(self, memory_limit: str | None = None, threads: int | None = None) -> None:
        self._folder = ScratchFolder("hm-landing-")
        self.folder = Path(self._folder.name)
        self._numbers = count()
        config: Config = {
            **duckdb_config(),
            "temp_directory": str(self.folder / "spill"),
            # Nothing here needs an extension, and none is to be downloaded in passing.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # DuckDB's default; rows are told by their place in the file.
            "preserve_insertion_order": True,
        }
        if memory_limit is not None:
            config["memory_limit"] = memory_limit
        if threads is not None:
            config["threads"] = threads
        self.connection = duckdb.connect(config=config)
        # What is streamed from a connection is worked out by as many threads as have room for their
        # results; with DuckDB's megabyte that is one.
        (used,) = self.connection.execute("SELECT current_setting('threads')").fetchone() or (1,)
        self.connection.execute(f"SET streaming_buffer_size = '{used * STREAMED_MB}MB'")

    def address(self, path: Path) -> str:
        """An SQL literal that names ``path``.

        It is a link with a harmless name: DuckDB takes some characters of a name for patterns,
        and ``key=value`` in it for a column.
        """
        link = self.scratch()
        link.symlink_to(path.absolute())
        return sql_text(str(link))

    def scratch(self) -> Path:
        """A path in the temporary folder that nobody has used."""
        return self.folder / f"file-{next(self._numbers)}"

    def clear(self) -> None:
        """Let go of what was made to read a file by, once that file is done with: its room is
        wanted for the next one."""
        for path in self.folder.glob("file-*"):
            path.unlink()
        self.connection.execute(f"DROP TABLE IF EXISTS temp.{SCRATCH_TABLE}")

    def close(self) -> None:
        self.connection.close()
        self._folder.cleanup()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
