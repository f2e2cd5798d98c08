"""`hm costs`: what the assets of a week have cost, and the page of all weeks."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from hm_platform.behaviour.cost_page import HEADS, cells, headline, render_costs
from hm_platform.costs import read_costs
from hm_platform.dagster_home import dagster_instance
from hm_platform.errors import PlatformError
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of


class NoCostsError(PlatformError):
    """There is nothing to show."""


def print_costs(settings: Settings, week: str | None) -> None:
    """Print what the assets of a week (default: the newest) have cost; write the page of all.

    Raises NoCostsError when nothing is known of it, CalendarError when ``week`` is no week.
    """
    with dagster_instance(settings) as instance:
        costs = read_costs(instance)
    if not costs.weeks:
        raise NoCostsError("nothing was measured yet: run `hm build`")
    shown = costs.weeks[-1] if week is None else settings.calendar.parse(week)
    found = costs.of(shown)
    if not found:
        known = ", ".join(map(str, costs.weeks[-5:]))
        raise NoCostsError(f"nothing is known of what week {shown} has cost (known: {known})")
    table = Table(title=f"What week {shown} has cost", title_justify="left")
    for head in HEADS:
        if head == "Asset":
            table.add_column("asset", overflow="fold")
        else:
            table.add_column(head.lower(), justify="right", no_wrap=True)
    for cost in found:
        table.add_row(cost.asset, *cells(cost))
    console = Console(highlight=False)
    console.print(table)
    console.print(headline(costs), soft_wrap=True)
    dataset = settings.landing_zone.dataset()
    html = render_costs(costs, dataset.name if dataset else "own data")
    address = storage_of(settings).pages.write("cost", html)
    console.print(f"All weeks: {address}", markup=False, soft_wrap=True)
