"""`make bench-quality`: lands the sample, runs everybody on the same weeks, writes ``docs/``.

Whatever is done is kept in a scratch folder, so that a second run carries on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.quality import cold, ours, report
from benchmarks.quality.peers import PEERS
from benchmarks.quality.peers.grids import alternatives
from benchmarks.quality.protocol import (
    BACKTEST,
    VALIDATION,
    Dataset,
    TargetWeek,
    read_dataset,
)
from benchmarks.quality.results import Cold, summarise
from benchmarks.quality.scoring import Scored, measure, pooled
from hm_platform.calendar import WEEK
from hm_platform.errors import PlatformError

ROOT = Path(__file__).parents[2]
SCRATCH = ROOT / "data" / "bench-quality"
JSON = ROOT / "benchmarks" / "results" / "quality.json"
NAMES = (*PEERS, ours.NAME, ours.RETRIEVAL)


class ArgumentError(PlatformError):
    """An option that cannot be used."""


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def main(
    weeks: Annotated[
        str,
        typer.Option(metavar="DAY,...", help="Target weeks by their first day. [default: eight]"),
    ] = "",
    peers: Annotated[
        str,
        typer.Option(metavar="NAME,...", help=f"Who takes part. [default: {', '.join(NAMES)}]"),
    ] = "",
    skip: Annotated[str, typer.Option(metavar="NAME,...", help="Who does not take part.")] = "",
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Try peers' other settings on the validation weeks instead."),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Measure peers anew.")] = False,
    scratch: Annotated[
        Path, typer.Option(help="Where data and finished lists are kept.", show_default=False)
    ] = SCRATCH,
    docs: Annotated[
        Path, typer.Option(help="Where the page and its plot go.", show_default=False)
    ] = ROOT / "docs",
) -> None:
    """Score hm_platform and well-known recommenders on the same past weeks.

    With all weeks and recommenders it takes about an hour and a half on two cores.
    """
    names = chosen_names(peers, skip)
    days = chosen_weeks(weeks, VALIDATION if tune else BACKTEST)
    scratch = scratch.absolute()
    dataset = prepared(scratch / "home", min(days))
    targets = [target_week(dataset, day) for day in days]
    if tune:
        tune_peers(names, targets, scratch / "lists")
        return
    scored = {
        name: [
            _said(name, target, partial(_measure, name, target, scratch, again))
            for target in targets
        ]
        for name in names
    }
    found = measure_cold(targets, scratch) if ours.NAME in names else Cold()
    results = summarise(scored, found)
    Console(highlight=False).print(report.terminal(results))
    for file in report.write(results, docs, JSON, os.cpu_count() or 1):
        say(f"written to {file}")


def chosen_names(peers: str, skip: str) -> list[str]:
    """Who takes part, in the order of NAMES. Raises ArgumentError for a name that is not known."""
    wanted, unwanted = _listed(peers), _listed(skip)
    for name in (*wanted, *unwanted):
        if name not in NAMES:
            raise ArgumentError(f"there is no recommender {name!r}: know {', '.join(NAMES)}")
    names = [n for n in NAMES if (not wanted or n in wanted) and n not in unwanted]
    if not names:
        raise ArgumentError("nobody is left to take part")
    return names


def chosen_weeks(weeks: str, default: Sequence[date]) -> list[date]:
    """The target weeks, in order, none twice."""
    try:
        return sorted({date.fromisoformat(day) for day in _listed(weeks)} or {*default})
    except ValueError as error:
        raise ArgumentError(f"--weeks wants days as YYYY-MM-DD: {error}") from None


def prepared(home: Path, first: date) -> Dataset:
    """The sample in a home of its own, landed and loaded if it is not there yet."""
    if not (home / "warehouse.duckdb").exists():
        ours.hm(home, "land", "complete-journey")
        # A build loads all landed weeks. This one is of an earlier week than those whose builds
        # are timed: a week that is there already is built in no time.
        ours.hm(home, "build", "--week", ours.week_before(first - WEEK))
    return read_dataset(home / "warehouse.duckdb")


def target_week(dataset: Dataset, day: date) -> TargetWeek:
    """Raises ArgumentError when the data has no such week."""
    try:
        return dataset.target(day)
    except ValueError as error:
        raise ArgumentError(str(error)) from None


def measure_cold(targets: Sequence[TargetWeek], scratch: Path) -> Cold:
    """Ask hm_platform, built for all these weeks, about who and what was new in them."""
    home, lists = scratch / "home", scratch / "lists"
    pasts, articles = [], []
    for target in targets:
        say(f"{ours.NAME}, week of {target.first_day}: buyers as if they were new ...")
        pasts.append(cold.measure_as_if_new(home, target, lists))
        say(f"{ours.NAME}, week of {target.first_day}: articles without a sale ...")
        articles.append(cold.measure_never_sold(home, target))
    return Cold(pasts, articles)


def tune_peers(names: Sequence[str], targets: Sequence[TargetWeek], cache: Path) -> None:
    """Print the pooled MAP@12 of each peer's chosen and other settings."""
    days = ", ".join(str(target.first_day) for target in targets)
    found: dict[str, list[tuple[float, str]]] = {}
    for name in names:
        if name not in PEERS or len(tried := alternatives(name)) == 1:
            continue
        for at, peer in enumerate(tried):
            scored = [
                _said(name, target, partial(measure, peer, target, cache)) for target in targets
            ]
            settings = f"{peer}{'' if at else '  <- chosen'}"
            found.setdefault(name, []).append((float(pooled(scored, "map").mean()), settings))
    print(f"MAP@12 on the target weeks {days}")
    for name, lines in found.items():
        print(name)
        for score, settings in sorted(lines, reverse=True):
            print(f"  {score:.4f}  {settings}")


def _measure(name: str, target: TargetWeek, scratch: Path, again: bool) -> Scored:
    if name == ours.NAME:
        return ours.measure(scratch / "home", target, scratch / "lists")
    if name == ours.RETRIEVAL:
        return ours.measure_retrieval(scratch / "home", target, scratch / "lists")
    return measure(PEERS[name], target, scratch / "lists", again)


def _said(name: str, target: TargetWeek, work: Callable[[], Scored]) -> Scored:
    """Do some work and say what is being done and what came out."""
    say(f"{name}, week of {target.first_day} ...")
    try:
        scored = work()
    except ModuleNotFoundError as error:
        raise ArgumentError(
            f"{name} needs {error.name}: pip install 'hm_platform[bench-quality]', "
            f"or leave it out with --skip"
        ) from None
    say(f"    MAP@12 {scored.metrics.map.mean():.4f} in {scored.seconds:.0f} s")
    return scored


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def run_app(command: Callable[..., None]) -> None:
    """A command line; what its user can mend ends with one line and status 1."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    try:
        app()
    except (PlatformError, OSError) as error:
        sys.exit(f"bench-quality: {error}")
    except KeyboardInterrupt:
        sys.exit("bench-quality: interrupted; run the same command again to carry on")


if __name__ == "__main__":
    run_app(main)
