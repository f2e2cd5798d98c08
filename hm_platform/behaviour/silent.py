"""RecList without its console output, clock-stamped folders and plots: the report and Dagster show
the results."""

from __future__ import annotations

from collections.abc import Mapping

import rich
from reclist.logs import RecLogger
from reclist.reclist import RecList


class _Silent(RecLogger):
    """RecList's logger that logs nothing: the results are read from the RecList itself."""

    def write(self, label: str, value: object) -> None:
        pass

    def save_plot(self, name: str, fig: object, *args: object, **kwargs: object) -> None:
        pass


class SilentRecList(RecList):
    """A RecList that prints, draws and stores nothing."""

    def __init__(self, model_name: str) -> None:
        super().__init__(model_name=model_name)
        self.logger_service = _Silent()

    def __call__(self, verbose: bool = True, *args: object, **kwargs: object) -> None:
        """Run the tests; RecList's progress bar goes to rich's shared console, which is muted."""
        console = rich.get_console()
        was_quiet, console.quiet = console.quiet, True
        try:
            super().__call__(verbose, *args, **kwargs)
        finally:
            console.quiet = was_quiet

    def create_data_store(self) -> str:
        """No folder: RecList would name one after the clock."""
        return ""

    def _display_rich_table(self, table_name: str, results: list) -> None:
        pass

    def _generate_report_and_plot(
        self, test_results: list, meta_store_path: str
    ) -> Mapping[str, object]:
        return {}
