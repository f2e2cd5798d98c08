"""The ``hm`` command: its sub-commands, and what becomes of an error.

A sub-command reads its arguments, calls one function of the package, and prints. Whatever can go
wrong in a way that its user can mend ends with one line on standard error and exit status 1.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hm_platform import __version__
from hm_platform.cli import land
from hm_platform.errors import PlatformError
from hm_platform.settings import load_settings

app = typer.Typer(
    name="hm",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="A shop's transactions in, tested and published product recommendations out, every week.",
    epilog="Start with: [bold]hm land complete-journey[/], then [bold]hm build[/], then "
    "[bold]hm status[/].",
)
export_app = typer.Typer(no_args_is_help=True, help="Write published tables to files.")
app.add_typer(land.app, name="land")
app.add_typer(export_app, name="export")


def say(line: str) -> None:
    """Progress and notes: on standard error, so that results can be piped."""
    print(line, file=sys.stderr, flush=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hm_platform {__version__}")
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


@app.command(epilog="Examples: [bold]hm build[/]; [bold]hm build --week 2017-12-25[/]")
def build(
    week: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM-DD",
            help="The week, named by its first day. [default: the latest complete landed week]",
        ),
    ] = None,
) -> None:
    """Load what has landed and build a week: splits, features, model, report, recommendations.

    A model that does not pass its behavioural tests is not published: what was published last
    serves on, and the command says so and fails.

    Does only what is not done yet; running it again changes nothing. A build that was killed is
    carried on by running it again.
    """
    from hm_platform.building import NotPassedError
    from hm_platform.building import build as build_week
    from hm_platform.cli.board import print_board
    from hm_platform.cli.telling import tell
    from hm_platform.running import RunFailedError

    settings = load_settings()
    try:
        built = build_week(settings, week, say)
    except RunFailedError as error:
        tell(error, settings)
        raise
    except NotPassedError as error:
        tell(error, settings)
        # The week is built and published: what there is to see is what the model would have scored.
        print_board(settings, error.week)
        raise
    say(f"{'built' if built.changed else 'checked'} in {built.seconds:.0f} s")
    print_board(settings, built.week)


@app.command(epilog="Example: [bold]hm backtest --from 2017-10-30 --to 2017-12-18[/]")
def backtest(
    first: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DD", help="The oldest week, by its first day.")
    ],
    last: Annotated[
        str, typer.Option("--to", metavar="YYYY-MM-DD", help="The newest week, by its first day.")
    ],
) -> None:
    """Build and score past weeks one by one, as they would have been built then; publish nothing.

    A week that fails does not stop the others; at the end the failed weeks are listed, and the exit
    status is not zero.
    """
    from hm_platform.backtesting import backtest as run_backtest
    from hm_platform.cli.backtest import print_scores

    settings = load_settings()
    result = run_backtest(settings, first, last, say)
    print_scores(settings, result.done)
    result.check()


@app.command(epilog="Example: [bold]hm status --files[/]")
def status(
    files: Annotated[
        bool, typer.Option("--files", help="List every landed file, with all that is known of it.")
    ] = False,
) -> None:
    """Weeks landed, loaded, trained and published, and what is quarantined and why."""
    from hm_platform.cli.status import print_status

    print_status(load_settings(), every_file=files)


@app.command(
    epilog="Examples: [bold]hm recommend 1228[/]; [bold]hm recommend 1228 -k 5 --week 2017-12-25[/]"
)
def recommend(
    customer_id: Annotated[str, typer.Argument(help="The customer, as the landed files write it.")],
    k: Annotated[int, typer.Option("-k", min=1, max=12, help="How many.")] = 12,
    week: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="The built week. [default: the latest published]"),
    ] = None,
) -> None:
    """The published recommendations of a customer, with names and where each came from."""
    from hm_platform.cli.recommend import print_recommendations

    print_recommendations(load_settings(), customer_id, k, week)


Week = Annotated[
    str | None,
    typer.Option(
        metavar="YYYY-MM-DD", help="The week that it serves. [default: the newest published]"
    ),
]


@app.command(epilog="Examples: [bold]hm models[/]; [bold]hm models --limit 50[/]")
def models(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 12,
) -> None:
    """The stored models: what their tests say, which serve, and how they score."""
    from hm_platform.cli.models import print_models

    print_models(load_settings(), limit)


@app.command(epilog='Example: [bold]hm promote 2017-12-25-0123456789 --reason "a known gap"[/]')
def promote(
    version: Annotated[str, typer.Argument(help="The model version: see `hm models`.")],
    reason: Annotated[str, typer.Option(help="Why it serves whatever its tests say.")] = "",
    week: Week = None,
) -> None:
    """Have a model serve a week, whatever its tests say, and publish the week again."""
    _decide("promote", version, reason, week)


@app.command(
    epilog="Examples: [bold]hm rollback --to 2017-12-18-0123456789[/]; "
    "[bold]hm rollback --to 2017-12-18-0123456789 --week 2017-12-25[/]"
)
def rollback(
    to: Annotated[str, typer.Option(metavar="VERSION", help="The version: see `hm models`.")],
    week: Week = None,
    reason: Annotated[str, typer.Option(help="Why; kept with what is published.")] = "",
) -> None:
    """Publish a week again, by an earlier model on the data of today."""
    _decide("rollback", to, reason, week)


@app.command(epilog="Examples: [bold]hm costs[/]; [bold]hm costs --week 2017-12-25[/]")
def costs(
    week: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="The built week. [default: the newest]"),
    ] = None,
) -> None:
    """What the assets of a week have cost: seconds, bytes, memory; and a page of all weeks."""
    from hm_platform.cli.costs import print_costs

    print_costs(load_settings(), week)


@app.command(
    epilog="Examples: [bold]hm tidy --dry-run[/]; [bold]hm tidy --dry-run --keep-weeks 8[/]"
)
def tidy(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and remove nothing.")
    ] = False,
    keep_weeks: Annotated[
        int | None,
        typer.Option(
            min=0, help="Built weeks that are kept whole; 0: all. [default: HM_KEEP_WEEKS]"
        ),
    ] = None,
) -> None:
    """Remove splits, features and models of old weeks, and show what goes and what stays and why.

    What is published stays, as does every model that `hm rollback` would take. A week of which
    something went is built again by `hm build --week`.
    """
    from hm_platform.cli.tidy import tidy as tidy_up

    tidy_up(load_settings(), keep_weeks, dry_run, say)


def _decide(kind: str, version: str, reason: str, week: str | None) -> None:
    from hm_platform.building import publication_of, who_serves
    from hm_platform.deciding import decide

    settings = load_settings()
    decided = decide(settings, kind, version, reason, week, say)
    if published := publication_of(settings, decided):
        say(who_serves(published))


@export_app.command(
    "recommendations",
    epilog="Examples: [bold]hm export recommendations --out recommendations.parquet[/]; "
    "[bold]hm export recommendations --format kaggle --out submission.csv[/]",
)
def export_recommendations(
    out: Annotated[Path, typer.Option(help="The file to write: .parquet or .csv.")],
    week: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="The built week. [default: the latest published]"),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's public name
        str | None,
        typer.Option(
            metavar="parquet|csv|kaggle",
            help="kaggle: the competition's submission file, a row a customer. "
            "[default: by the file's ending]",
        ),
    ] = None,
) -> None:
    """Write a week's published recommendations to a file."""
    from hm_platform.cli.export import export

    rows = export(load_settings(), out, week, format)
    say(f"wrote {rows:,} rows to {out}")


@app.command("dagster-home")
def dagster_home() -> None:
    """Prepare Dagster's home and print it, for `export DAGSTER_HOME=$(hm dagster-home)`."""
    from hm_platform.dagster_home import prepare_dagster_home

    print(prepare_dagster_home(load_settings()))


def run() -> None:
    """The console script."""
    try:
        app()
    except PlatformError as error:
        _end(f"hm: {error}", 1)
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more can be written, at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _end(f"hm: {error}", 1)
    except KeyboardInterrupt:
        _end("hm: interrupted; run the same command again to carry on", 130)


def _end(message: str, status: int) -> None:
    say(message)
    sys.exit(status)
