"""How numbers, days and names read in the report, and the sentences made of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.labels import label

# Not strftime's: month names must not depend on the machine's locale.
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def count(value: float) -> str:
    """2101 -> ``2,101``."""
    return f"{value:,.0f}"


def score(value: float) -> str:
    """A metric: four decimals, more when they would all be zero."""
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.00005 else f"{value:.1e}"


def gain(value: float, low: float | None = None, high: float | None = None) -> str:
    """By how much one score is above another: ``+0.0082 (+0.0036 to +0.0128)``."""
    interval = "" if low is None or high is None else f" ({low:+z.4f} to {high:+z.4f})"
    return f"{value:+z.4f}{interval}"


def estimate(value: float, low: float | None, high: float | None) -> str:
    """A metric with its interval: ``0.3629 (0.3321 to 0.3945)``."""
    interval = "" if low is None or high is None else f" ({score(low)} to {score(high)})"
    return f"{score(value)}{interval}"


def number(value: float) -> str:
    """A number of any size: up to four significant digits, ``+`` nowhere."""
    return f"{value:z.4g}"


def title(test: str) -> str:
    """A test's name for people: ``club_status`` -> ``Club status``."""
    return test.replace("_", " ").capitalize()


def effect(name: str) -> str:
    """An effect's name for people: ``map against co_purchase`` -> ``MAP against co-purchase``."""
    return " ".join(map(_word, name.split(" ")))


def _word(word: str) -> str:
    if word in {"map", "ndcg", "mrr"}:
        return word.upper()
    return label(word)[:1].lower() + label(word)[1:] if "_" in word else word


def percent(share: float) -> str:
    """A share from 0 to 1: whole percents, one decimal within ten of either end."""
    value = 100 * share
    if 0 < value < 0.05:
        return "<0.1%"
    if 99.95 <= value < 100:
        return ">99.9%"
    ends = 0 < value < 9.95 or 90.05 < value < 100
    return f"{value:.1f}%" if ends else f"{value:.0f}%"


def metric_label(metric: str) -> str:
    """A metric's name for people: ``map@12`` -> ``MAP@12``, ``hit_rate@12`` -> ``Hit rate@12``."""
    name, at, k = metric.partition("@")
    if name in {"map", "ndcg", "mrr"}:
        return name.upper() + at + k
    return name.replace("_", " ").capitalize() + at + k


def series_label(key: str) -> str:
    """A training curve's name for people: ``validation_map`` -> ``Validation MAP``."""
    for prefix, split in (
        ("train_", "Training "),
        ("validation_", "Validation "),
        ("val_", "Validation "),
    ):
        if key.startswith(prefix):
            name = metric_label(key.removeprefix(prefix))
            return split + (name if name[:2].isupper() else name.lower())
    return metric_label(key)


def day(value: date) -> str:
    """``4 June 2017``."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def week(first: date) -> str:
    """A week's days: ``4–10 June 2017``, ``29 May – 4 June 2017``."""
    last = first + timedelta(days=6)
    if first.month == last.month:
        return f"{first.day}–{day(last)}"
    start = f"{first.day} {MONTHS[first.month - 1]}"
    return f"{start} – {day(last)}" if first.year == last.year else f"{day(first)} – {day(last)}"


def plural(number: float, one: str, many: str | None = None) -> str:
    """``1 customer``, ``2,101 customers``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def headline(inputs: ReportInputs, accuracy: Mapping[str, Mapping[str, float]]) -> str:
    """How good the recommender under test is, and how it compares with the best baseline."""
    metric = f"map@{inputs.k}"
    tested = inputs.recommender(inputs.challenger)
    mine = accuracy[tested.name][metric]
    opening = (
        f"Over the {plural(inputs.n, 'customer')} who bought in the test week the "
        f"{metric_label(metric)} of {label(tested.name)} is {score(mine)}"
    )
    rivals = [
        r for r in inputs.recommenders if r is not tested and (tested.is_baseline or r.is_baseline)
    ]
    if not rivals:
        return opening + "; there is no baseline to compare it with."
    # The first of equals: max keeps the board's order.
    best = max(rivals, key=lambda r: accuracy[r.name][metric])
    theirs = accuracy[best.name][metric]
    kind = "best baseline" if not tested.is_baseline else "best of the others"
    return f"{opening}, {_compared(mine, theirs)} the {kind}, {label(best.name)} ({score(theirs)})."


def _compared(mine: float, theirs: float) -> str:
    if score(mine) == score(theirs):
        return "level with"
    if theirs == 0:
        return "above"
    change = mine / theirs - 1
    return f"{percent(abs(change))} {'above' if change > 0 else 'below'}"
