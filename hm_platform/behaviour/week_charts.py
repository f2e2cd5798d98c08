"""Values over weeks: a line a series, its interval as a band, and a limit where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from html import escape

from hm_platform.behaviour.charts import RIGHT, Chart, colour, plain, ticks_around

LEFT = 14.0
"""Percent of the width that holds the axis labels."""

Interval = tuple[float, float] | None


def amount(value: float) -> str:
    """``28,454``; up to four significant digits below a thousand."""
    return f"{value:,.0f}" if abs(value) >= 1000 else plain(value)


def over_weeks(
    title: str,
    weeks: Sequence[date],
    series: Mapping[str, Sequence[float | None]],
    intervals: Mapping[str, Sequence[Interval]] | None = None,
    limit: float | None = None,
    text: Callable[[float], str] = amount,
    height: int = 220,
) -> Chart:
    """Values over weeks, which lie apart as they do in the calendar.

    weeks : in order
    series : name -> a value a week, None where there is none
    intervals : name of a series -> low and high of each week
    limit : drawn as a broken line
    text : how a value reads
    """
    bands = {
        name: [(w, b) for w, b in zip(weeks, found, strict=True) if b is not None]
        for name, found in (intervals or {}).items()
    }
    points = {
        name: [(w, v) for w, v in zip(weeks, found, strict=True) if v is not None]
        for name, found in series.items()
    }
    points = {name: found for name, found in points.items() if found}
    if not points:
        return Chart(title, "no values", 0, "")
    values = [v for found in points.values() for _, v in found]
    values += [v for found in bands.values() for _, band in found for v in band]
    values += [] if limit is None else [limit]
    ticks = ticks_around(min(values), max(values))
    low, span = ticks[0], (ticks[-1] - ticks[0]) or 1.0
    first, width = weeks[0], (weeks[-1] - weeks[0]).days or 1
    top, bottom = 14 + 20 * len(points), height - 22

    def down(value: float) -> float:
        return bottom - (value - low) / span * (bottom - top)

    def along(week: date) -> float:
        return LEFT + (week - first).days / width * (RIGHT - LEFT)

    parts = [
        f'<line class="grid" x1="{LEFT}%" x2="100%" y1="{down(t):.1f}" y2="{down(t):.1f}"/>'
        f'<text class="soft small" y="{down(t) + 4:.1f}">{escape(text(t))}</text>'
        for t in ticks
    ]
    if limit is not None:
        parts.append(
            f'<line stroke-dasharray="5 4" style="stroke:currentColor" x1="{LEFT}%" x2="100%" '
            f'y1="{down(limit):.1f}" y2="{down(limit):.1f}"><title>limit</title></line>'
        )
    for week in dict.fromkeys((weeks[0], weeks[-1])):
        end = week != first
        parts.append(
            f'<text class="soft small {"end" if end else ""}" x="{100 if end else LEFT}%" '
            f'y="{height - 4}">{week}</text>'
        )
    said = []
    for s, (name, found) in enumerate(points.items()):
        drawn = ""
        if band := bands.get(name):
            over = [f"{along(w):.2f} {down(b[1]):.1f}" for w, b in band]
            under = [f"{along(w):.2f} {down(b[0]):.1f}" for w, b in reversed(band)]
            drawn += (
                f'<path class="{colour(s)}" style="fill-opacity:.16;stroke:none" '
                f'd="M{"L".join(over + under)}Z"/>'
            )
        path = "L".join(f"{along(w):.2f} {down(v):.1f}" for w, v in found)
        drawn += f'<path class="path {colour(s)}" vector-effect="non-scaling-stroke" d="M{path}"/>'
        parts.append(
            f'<svg width="100%" height="{height}" viewBox="0 0 100 {height}" '
            f'preserveAspectRatio="none">{drawn}</svg>'
        )
        parts += [
            f'<circle class="{colour(s)}" style="stroke:none" cx="{along(w):.2f}%" '
            f'cy="{down(v):.1f}" r="3"><title>{escape(name)}, {w}: {escape(text(v))}</title>'
            "</circle>"
            for w, v in found
        ]
        at, value = found[-1]
        last = f"last {text(value)}" + ("" if at == weeks[-1] else f" in {at}")
        parts.append(
            f'<text y="{13 + 20 * s}"><tspan class="{colour(s)}">●</tspan>'
            f'<tspan dx="5">{escape(name)}</tspan>'
            f'<tspan class="soft small" dx="7">{escape(last)}</tspan></text>'
        )
        said.append(f"{name} {last}")
    return Chart(title, "; ".join(said), height, "".join(parts))
