"""`hm status` in homes that are not as usual."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from hm_platform.cli.status import print_status
from hm_platform.landing.columns import QUARANTINE_SCHEMA
from hm_platform.landing.entry import Entry, to_table
from hm_platform.settings import load_settings
from hm_platform.storage.local import Warehouse
from hm_platform.storage.tables import Slice


@pytest.mark.parametrize("uri", ["transactions/week[final].csv", "transactions/a[/b].csv"])
def test_names_with_brackets_are_shown_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], uri: str
) -> None:
    home = tmp_path / "home[/]"
    monkeypatch.setenv("HM_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "200")
    settings = load_settings()
    entry = Entry(uri, "transactions", 5, rows=2, rows_loaded=1, rows_quarantined=1, reason="[b]")
    refused = {
        "uri": uri,
        "row_number": 1,
        "column_name": "price",
        "reason": "missing",
        "record": "x",
    }
    tables = Warehouse(home / "warehouse.duckdb")
    for name, table in (
        ("landed_files", to_table([entry])),
        ("quarantine", pa.Table.from_pylist([refused], QUARANTINE_SCHEMA)),
    ):
        tables.replace(Slice("raw", name), table.to_reader())
    print_status(settings)
    shown = capsys.readouterr().out
    assert f"loaded: {uri}: [b]" in shown
    assert shown.count(uri) == 2
    assert str(home / "landing") in shown
