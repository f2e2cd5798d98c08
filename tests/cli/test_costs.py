"""`hm costs`: what the newest week has cost, read by who pays for it."""

from __future__ import annotations

from pathlib import Path

from dagster import DagsterInstance

from hm_platform.costs import read_costs
from tests.cli.shop import run

DBT = ("staging", "marts")


def test_every_asset_of_a_built_home_has_its_cost_and_the_page_shows_it(home: Path) -> None:
    with DagsterInstance.from_config(str(home / "dagster")) as instance:
        costs = read_costs(instance)
    newest = {cost.asset: cost for cost in costs.of(costs.weeks[-1])}
    wanted = {"marts/joined_transactions", "features/customers", "evaluation/behavioral_report"}
    assert wanted <= set(newest)
    for cost in (*costs.of(None), *newest.values()):
        assert None not in (cost.seconds, cost.bytes_read, cost.bytes_written), cost
        assert (cost.peak_memory_bytes or 0) > 10e6, cost
    # A small warehouse is read once, whichever model needs it first.
    dbt = [cost for cost in (*costs.of(None), *newest.values()) if cost.group in DBT]
    assert sum(cost.bytes_read for cost in dbt) > 10_000
    # Which model's time it falls into, when DuckDB writes, is chance in one this small.
    assert sum(cost.bytes_written for cost in dbt) > 10_000
    done = run(home, "hm", "costs")
    assert done.returncode == 0, done.stderr
    assert "models/recommender" in done.stdout
    assert "marts/joined_transactions" in (home / "reports" / "cost.html").read_text()
