"""Small SVG charts: bars, shares, dots and lines.

Horizontal positions are in percent and text is in pixels, so a chart fills whatever width it is
given and its text keeps its size, from a phone to a sheet of paper. Colours are CSS classes: in
the page they follow its light or dark scheme; a chart that stands alone brings a light ground.
All text that comes from data is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

LEFT, RIGHT = 11.0, 97.0
"""Percent of the width between which lines are drawn; what is left of it holds the axis labels."""
LOW, HIGH = 1.5, 98.5
"""The same for dots, whose labels are above them."""
NEAR = 0.025
"""Share of the width within which dots hide each other."""
TINY = 1e-12
"""A smaller range of values is drawn as none."""
COLOURS = 8
"""How many series have a colour of their own; the style sheet defines ``s0`` to ``s7``."""

_STANDALONE_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f1f1d}.soft{fill:#63625c}.small{font-size:11px}"
    ".end{text-anchor:end}.mid{text-anchor:middle}.strong{font-weight:600}"
    ".track{fill:#ecebe6}.grid{stroke:#dddcd5}.part{fill:#6a58c4}"
    ".s0{fill:#2a6fc9;stroke:#2a6fc9}.s1{fill:#d9622b;stroke:#d9622b}"
    ".s2{fill:#14936c;stroke:#14936c}.s3{fill:#b07d00;stroke:#b07d00}"
    ".s4{fill:#c2537f;stroke:#c2537f}.s5{fill:#3d7d1f;stroke:#3d7d1f}"
    ".s6{fill:#6a58c4;stroke:#6a58c4}.s7{fill:#7b7a73;stroke:#7b7a73}"
    ".span{stroke-width:3;stroke-linecap:round}.mark{stroke:#63625c;stroke-dasharray:3 3}"
    ".flag{fill:#a3341c;stroke:#a3341c}.bar,tspan{stroke:none}.path{fill:none;stroke-width:2}.ring{stroke:#fff;stroke-width:2}"
    ".backed{paint-order:stroke;stroke:#fff;stroke-width:6px}"
)


@dataclass(frozen=True)
class Chart:
    """A drawing of a given height in pixels.

    said : in words what it shows
    legend : (CSS class, name) of what its colours mean, where the drawing itself does not say it
    """

    title: str
    said: str
    height: int
    body: str
    legend: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """For those who cannot see it."""
        return f"{self.title}: {self.said}"

    def inline(self) -> str:
        """For the page: as wide as its container, coloured by the page's style sheet."""
        return (
            f'<svg class="chart" role="img" aria-label="{escape(self.label)}" width="100%" '
            f'height="{self.height}">{self.body}</svg>'
        )

    def standalone(self, width: int = 560, margin: int = 16) -> str:
        """An SVG document with title and legend on a light ground, readable on any background."""
        lines = [self.legend[i : i + 4] for i in range(0, len(self.legend), 4)]
        keys = "".join(
            f'<text x="{margin}" y="{margin + 38 + 22 * i}">'
            + "".join(
                f'<tspan class="{key}" dx="{14 if at else 0}">●</tspan>'
                f'<tspan dx="5">{escape(name)}</tspan>'
                for at, (key, name) in enumerate(line)
            )
            + "</text>"
            for i, line in enumerate(lines)
        )
        above = 34 + 22 * len(lines)
        height = self.height + above + 2 * margin
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'aria-label="{escape(self.label)}" width="{width}" height="{height}">'
            f"<style>{_STANDALONE_STYLE}</style>"
            f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>'
            f'<text class="strong" x="{margin}" y="{margin + 12}">{escape(self.title)}</text>'
            f'{keys}<svg x="{margin}" y="{margin + above}" width="{width - 2 * margin}" '
            f'height="{self.height}">{self.body}</svg></svg>'
        )


@dataclass(frozen=True)
class Bar:
    """One horizontal bar: ``text`` is its value in words, ``note`` stands beside its label."""

    label: str
    value: float
    text: str
    colour: int
    note: str = ""


def bars(title: str, rows: Sequence[Bar]) -> Chart:
    """Horizontal bars from zero, each under its label and value."""
    top = max((row.value for row in rows), default=0) or 1.0
    parts = []
    for i, row in enumerate(rows):
        y = 44 * i
        note = f'<tspan class="soft small" dx="8">{escape(row.note)}</tspan>' if row.note else ""
        parts.append(
            f'<text y="{y + 13}">{escape(row.label)}{note}</text>'
            f'<text class="end strong" x="100%" y="{y + 13}">{escape(row.text)}</text>'
            f'<rect class="track" y="{y + 20}" width="100%" height="10" rx="2"/>'
            f'<rect class="bar {colour(row.colour)}" y="{y + 20}" '
            f'width="{100 * row.value / top:.2f}%" height="10" rx="2"/>'
        )
    said = ", ".join(f"{row.label} {row.text}" for row in rows)
    return Chart(title, said, 44 * len(rows) - 12, "".join(parts))


def shares(
    title: str, parts: tuple[str, str], rows: Sequence[tuple[str, float, str, str]]
) -> Chart:
    """Bars split in two. A row is (label, share of the first part, its text, the other's text)."""
    drawn = []
    for i, (label, share, first, second) in enumerate(rows):
        y, at = 44 * i, 100 * share
        drawn.append(
            f'<text y="{y + 13}">{escape(label)}</text>'
            f'<text class="end" x="100%" y="{y + 13}"><tspan class="strong">{escape(first)}</tspan>'
            f'<tspan class="soft" dx="4">/ {escape(second)}</tspan></text>'
            f'<rect class="track" y="{y + 20}" width="100%" height="10" rx="2"/>'
            f'<rect class="bar part" y="{y + 20}" width="{at:.2f}%" height="10" rx="2"/>'
        )
    said = ", ".join(f"{r[0]} {r[2]} {parts[0]} and {r[3]} {parts[1]}" for r in rows)
    legend = (("part", parts[0]), ("track", parts[1]))
    return Chart(title, said, 44 * len(rows) - 12, "".join(drawn), legend)


@dataclass(frozen=True)
class DotRow:
    """One line of dots: a value for each series, None where there is none."""

    label: str
    note: str
    values: Sequence[float | None]


def dots(title: str, series: Sequence[str], rows: Sequence[DotRow]) -> Chart:
    """Each row's values on a common axis from zero; the first series is drawn on top.

    A dot that would hide another is moved a little off its row's line.
    """
    ticks = ticks_around(0.0, max((v for r in rows for v in r.values if v is not None), default=0))
    bottom = 50 * len(rows)
    parts = []
    for tick in ticks:
        x = between(tick / ticks[-1], LOW, HIGH)
        # The outer labels stay inside the drawing.
        at, anchor = (x, "mid") if 0 < tick < ticks[-1] else ("100%", "end") if tick else ("0", "")
        parts.append(
            f'<line class="grid" x1="{x}" x2="{x}" y1="22" y2="{bottom}"/>'
            f'<text class="soft small {anchor}" x="{at}" y="{bottom + 16}">{plain(tick)}</text>'
        )
    for i, row in enumerate(rows):
        y = 50 * i
        lanes = _lanes([None if v is None else v / ticks[-1] for v in row.values])
        parts.append(
            f'<text class="backed" y="{y + 14}">{escape(row.label)}'
            f'<tspan class="soft small" dx="8">{escape(row.note)}</tspan></text>'
            f'<line class="grid" x1="0" x2="100%" y1="{y + 34}" y2="{y + 34}"/>'
        )
        for s in reversed(range(len(series))):
            value = row.values[s]
            if value is not None:
                parts.append(
                    f'<circle class="ring {colour(s)}" '
                    f'cx="{between(value / ticks[-1], LOW, HIGH)}" '
                    f'cy="{y + 34 + 8 * lanes[s]}" r="6">'
                    f"<title>{escape(series[s])} {plain(value)}</title></circle>"
                )
    said = "; ".join(
        f"{r.label}: "
        + ", ".join(
            f"{s} {plain(v)}" for s, v in zip(series, r.values, strict=True) if v is not None
        )
        for r in rows
    )
    legend = tuple((colour(s), name) for s, name in enumerate(series))
    return Chart(title, said, bottom + 22, "".join(parts), legend)


def lines(
    title: str,
    x: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    x_name: str,
    mark_highest: bool = False,
    height: int = 220,
) -> Chart:
    """Values over x, a line a series; values that are missing or not finite are left out.

    mark_highest : mark each series' highest value and say where it is
    """
    finite = {
        name: [(a, v) for a, v in zip(x, ys, strict=True) if v is not None and math.isfinite(v)]
        for name, ys in series.items()
    }
    known = {name: points for name, points in finite.items() if points}
    values = [v for points in known.values() for _, v in points]
    if not values:
        return Chart(title, "no values", 0, "")
    ticks = ticks_around(min(values), max(values))
    low, span = ticks[0], (ticks[-1] - ticks[0]) or 1.0
    first, width = min(x), (max(x) - min(x)) or 1.0
    top, bottom = 14 + 20 * len(known), height - 22

    def down(value: float) -> float:
        return bottom - (value - low) / span * (bottom - top)

    def along(at: float) -> float:
        return LEFT + (at - first) / width * (RIGHT - LEFT)

    parts = [
        f'<line class="grid" x1="{LEFT}%" x2="100%" y1="{down(t):.1f}" y2="{down(t):.1f}"/>'
        f'<text class="soft small" y="{down(t) + 4:.1f}">{plain(t)}</text>'
        for t in ticks
    ]
    edges = sorted({min(x), max(x)})
    parts += [
        f'<text class="soft small {"end" if i else ""}" x="{100 if i else LEFT}%" '
        f'y="{height - 4}">{escape(x_name)} {plain(at)}</text>'
        for i, at in enumerate(edges)
    ]
    said: list[str] = []
    for s, (name, points) in enumerate(known.items()):
        path = "L".join(f"{along(a):.2f} {down(v):.1f}" for a, v in points)
        parts.append(
            f'<svg width="100%" height="{height}" viewBox="0 0 100 {height}" '
            f'preserveAspectRatio="none"><path class="path {colour(s)}" '
            f'vector-effect="non-scaling-stroke" d="M{path}"/></svg>'
        )
        at, value = max(points, key=lambda p: p[1]) if mark_highest else points[-1]
        parts.append(
            f'<circle class="ring {colour(s)}" cx="{along(at):.2f}%" cy="{down(value):.1f}" '
            f'r="4.5"><title>{escape(name)} {plain(value)}</title></circle>'
        )
        end = (
            f"highest {plain(value)} at {x_name} {plain(at)}"
            if mark_highest
            else (f"last {plain(value)}")
        )
        parts.append(
            f'<text y="{13 + 20 * len(said)}"><tspan class="{colour(s)}">●</tspan>'
            f'<tspan dx="5">{escape(name)}</tspan>'
            f'<tspan class="soft small" dx="7">{escape(end)}</tspan></text>'
        )
        said.append(f"{name} {end}")
    return Chart(title, "; ".join(said), height, "".join(parts))


def colour(series: int) -> str:
    return f"s{min(series, COLOURS - 1)}"


def between(share: float, low: float, high: float) -> str:
    return f"{low + share * (high - low):.2f}%"


def _lanes(places: Sequence[float | None]) -> list[int]:
    """For dots at these shares of the width: 0 on the line, -1 above it, 1 below it.

    Whoever comes first stays on the line. Where all three are taken, it is the one with most room.
    """
    taken: dict[int, list[float]] = {0: [], -1: [], 1: []}
    lanes = []
    for place in places:
        if place is None:
            lanes.append(0)
            continue
        room = {
            lane: min((abs(place - at) for at in others), default=1.0)
            for lane, others in taken.items()
        }
        free = [lane for lane, distance in room.items() if distance >= NEAR]
        lane = free[0] if free else max(room, key=lambda lane: room[lane])
        taken[lane].append(place)
        lanes.append(lane)
    return lanes


def ticks_around(low: float, high: float) -> list[float]:
    """Three to six round numbers that enclose low and high."""
    if high - low <= 1e-9 * max(abs(low), abs(high)) or high - low < TINY:
        low, high = min(0.0, low), max(0.0, high)
        if high - low < TINY:
            high = low + 1.0
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    # Rounded, so that 3 * 0.1 reads 0.3.
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def plain(value: float) -> str:
    """Up to four significant digits, no exponent for everyday sizes."""
    return f"{value:.4g}"
