"""Estimates with their intervals, one under the other on a common axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from hm_platform.behaviour.charts import HIGH, LOW, Chart, between, colour, plain, ticks_around


@dataclass(frozen=True)
class Estimate:
    """One line: ``text`` is the value in words, ``note`` stands beside the label.

    flagged : drawn in the colour of what is worth a look, and said so
    """

    label: str
    value: float
    low: float | None
    high: float | None
    text: str
    series: int = 0
    note: str = ""
    flagged: str = ""


def intervals(
    title: str, rows: Sequence[Estimate], reference: tuple[str, float] | None = None
) -> Chart:
    """A dot for each value and a bar for its interval.

    reference : name and value of a line through all rows
    """
    ends = [v for row in rows for v in (row.value, row.low, row.high) if v is not None]
    ends += [reference[1]] if reference else []
    ticks = ticks_around(min([0.0, *ends]), max([0.0, *ends]))
    low, span = ticks[0], (ticks[-1] - ticks[0]) or 1.0
    bottom = 46 * len(rows)

    def along(value: float) -> str:
        return between((value - low) / span, LOW, HIGH)

    parts = []
    for i, tick in enumerate(ticks):
        at, anchor = (along(tick), "mid")
        if i in (0, len(ticks) - 1):
            at, anchor = ("100%", "end") if i else ("0", "")
        parts.append(
            f'<line class="grid" x1="{along(tick)}" x2="{along(tick)}" y1="20" y2="{bottom}"/>'
            f'<text class="soft small {anchor}" x="{at}" y="{bottom + 16}">{plain(tick)}</text>'
        )
    if reference:
        x = along(reference[1])
        parts.append(f'<line class="mark" x1="{x}" x2="{x}" y1="20" y2="{bottom}"/>')
    for i, row in enumerate(rows):
        y, paint = 46 * i, "flag" if row.flagged else colour(row.series)
        note = f'<tspan class="soft small" dx="8">{escape(row.note)}</tspan>' if row.note else ""
        parts.append(
            f'<text class="backed" y="{y + 14}">{escape(row.label)}{note}</text>'
            f'<text class="backed end strong" x="100%" y="{y + 14}">{escape(row.text)}</text>'
        )
        if row.low is not None and row.high is not None:
            parts.append(
                f'<line class="span {paint}" x1="{along(row.low)}" x2="{along(row.high)}" '
                f'y1="{y + 30}" y2="{y + 30}"/>'
            )
        parts.append(
            f'<circle class="ring {paint}" cx="{along(row.value)}" cy="{y + 30}" r="5.5">'
            f"<title>{escape(row.label)} {escape(row.text)}</title></circle>"
        )
    said = ", ".join(
        f"{row.label} {row.text}" + (f" ({row.flagged})" if row.flagged else "") for row in rows
    )
    legend = [("mark", f"{reference[0]}: {plain(reference[1])}")] if reference else []
    legend += [("flag", flag) for flag in dict.fromkeys(row.flagged for row in rows) if flag]
    return Chart(title, said, bottom + 22, "".join(parts), tuple(legend))
