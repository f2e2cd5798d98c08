"""`hm land`: puts a data set into the landing zone, as a shop's systems would."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from hm_platform.landing.writing import Landed
from hm_platform.landing.zone import Landing
from hm_platform.settings import load_settings

app = typer.Typer(
    no_args_is_help=True,
    help="Put a data set into the landing zone. A second time changes only what is different.",
    epilog="Own data needs no command: see docs/own-data.md.",
)

Through = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Land purchases up to this day only."
    ),
]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@app.command(
    "complete-journey",
    epilog="Examples: [bold]hm land complete-journey[/]; "
    "[bold]hm land complete-journey --through 2017-12-24[/]",
)
def complete_journey(through: Through = None) -> None:
    """The Complete Journey: 1.47 million real purchases of 2,469 households in 2017."""
    from hm_platform.landing.complete_journey import land

    _report(_zone().land(lambda zone: land(zone, _day(through), say)))


@app.command(
    epilog="Examples: [bold]hm land kaggle ~/hm[/]; [bold]hm land kaggle ~/hm --fraction 0.1[/]"
)
def kaggle(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Where articles.csv, customers.csv and transactions_train.csv are.",
        ),
    ],
    fraction: Annotated[
        float, typer.Option(help="Share of the customers to keep, whole histories: over 0, to 1.")
    ] = 1.0,
    through: Through = None,
) -> None:
    """H&M's competition data: 31.8 million purchases, as downloaded from Kaggle."""
    from hm_platform.landing.kaggle import land

    _report(_zone().land(lambda zone: land(zone, folder, fraction, _day(through), say)))


@app.command(epilog="Example: [bold]hm land synthetic --customers 10000 --weeks 30 --seed 1[/]")
def synthetic(
    customers: Annotated[int, typer.Option(min=1, help="How many customers.")] = 2000,
    weeks: Annotated[int, typer.Option(min=1, help="How many weeks.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another shop.")] = 0,
) -> None:
    """Made-up data in H&M's shape, of any size; the same arguments give the same bytes."""
    from hm_platform.landing.synthetic import land

    _report(_zone().land(lambda zone: land(zone, customers, weeks, seed, say)))


def _zone() -> Landing:
    return load_settings().landing_zone


def _day(through: datetime | None) -> date | None:
    return None if through is None else through.date()


def _report(landed: Landed) -> None:
    changes = f"{len(landed.written)} files written, {len(landed.unchanged)} as they were"
    if landed.removed:
        changes += f", {len(landed.removed)} removed"
    say(f"{landed.name}: {landed.rows:,} purchases, {landed.first_day} to {landed.last_day}")
    say(f"{changes} in {_zone()}")
