"""Which records are good, and why the others are not: typed values beside the reason of a refusal.

Every record is either good or refused for the first reason that holds, so what is loaded and what
is refused always add up to what is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from hm_platform.landing.columns import COLUMNS, Kind, Refusal, refusals, value
from hm_platform.landing.relation import Records


@dataclass(frozen=True)
class Checked:
    """A file's records with their values.

    sql : a relation in the file's order, with the data set's columns, ``refusal`` (NULL: the record
        is good, else a position in ``refusals``), ``row_number`` if ``numbered`` and, when asked
        for, ``record``
    """

    sql: str
    refusals: tuple[Refusal, ...]
    numbered: bool


def check(
    dataset: str,
    records: Records,
    days: tuple[date, date] | None = None,
    with_record: bool = False,
) -> Checked:
    """Check the fields of ``records``.

    days : the first and the last day that a record may have; None when those were settled before
    """
    columns = COLUMNS[dataset]
    found = list(records.refusals)
    fields, values = [], []
    for i, (column, field, kind) in enumerate(
        zip(columns, records.fields, records.types, strict=True)
    ):
        fields.append(f"{field} AS field_{i}")
        values.append(f"{value(column, f'field_{i}', kind)} AS {column.name}")
        found += refusals(column, f"field_{i}", kind, records.lacking)
    # Last: a date out of range is the reason only where nothing else is wrong, which lets the range
    # be told again from the days of the good rows.
    if days is not None:
        for column in columns:
            if column.kind is Kind.DAY:
                name, (first, last) = column.name, days
                early, late = f"{name} < DATE '{first}'", f"{name} > DATE '{last}'"
                found.append(Refusal(early, name, "dated before the first week"))
                found.append(Refusal(late, name, "dated in the future", in_future=True))
    whole = [f"({refusal.condition}) AS whole_{i}" for i, refusal in enumerate(records.refusals)]
    kept = {"row_number": records.number} if records.number is not None else {}
    kept |= {"record": records.record} if with_record else {}
    extra = [f"{sql} AS {name}" for name, sql in kept.items()]
    inner = f"SELECT {', '.join([*extra, *whole, *fields])} FROM ({records.source})"
    typed = f"SELECT *, {', '.join(values)} FROM ({inner})"
    conditions = [
        f"whole_{i}" if i < len(records.refusals) else refusal.condition
        for i, refusal in enumerate(found)
    ]
    cases = " ".join(f"WHEN {condition} THEN {i}" for i, condition in enumerate(conditions))
    # One test of everything for the many good records; a case at a time costs DuckDB far more.
    faulty = " OR ".join(f"({condition})" for condition in conditions)
    refusal = f"CASE WHEN NOT ({faulty}) THEN NULL ELSE CASE {cases} END END"
    names = ", ".join([*kept, *(column.name for column in columns)])
    sql = f"SELECT {names}, {refusal} AS refusal FROM ({typed})"
    return Checked(sql, tuple(found), numbered="row_number" in kept)
