"""What every way of reading a landed file ends in: a relation of records with unchecked fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hm_platform.landing.columns import COLUMNS, TEXT_TYPE, Refusal
from hm_platform.landing.errors import ColumnsError


@dataclass(frozen=True)
class Records:
    """A file's records.

    source : SQL of a relation without duplicates of names, one row a record, in the file's order
    fields, types : for each column of the data set, the SQL expression of its field in ``source``,
        and the DuckDB type of that
    columns : the file's columns and their types, as it has them
    number : SQL expression of the record's number in the file, from 1; None where whoever reads
        them has to count
    record : SQL expression of the record as text, of which LINE_LIMIT characters are enough
    refusals : what can be wrong with a record as a whole
    lacking : characters that are in no field
    fault : what is wrong with the columns, so that nothing but the number of records can be told
    """

    source: str
    fields: tuple[str, ...]
    types: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    number: str | None
    record: str
    refusals: tuple[Refusal, ...] = ()
    lacking: str = ""
    fault: str | None = None


def columns_fault(dataset: str, columns: Sequence[tuple[str, str]]) -> str | None:
    """Says so when a column that is required is missing, or one of the data set's is there twice.

    columns : a file's columns, and their types

    Raises ColumnsError when none of them is the data set's.
    """
    names = [name for name, _ in columns]
    wanted = [column.name for column in COLUMNS[dataset]]
    required = [column.name for column in COLUMNS[dataset] if column.required]
    if missing := [name for name in required if name not in names]:
        fault = (
            f"no column {', '.join(missing)}: {dataset} need {', '.join(required)}; "
            f"the file has {', '.join(names)[:300] or 'none'}"
        )
        if not {*wanted} & {*names}:
            raise ColumnsError(fault, tuple(columns))
        return fault
    if twice := [name for name in wanted if names.count(name) > 1]:
        return f"column {', '.join(twice)} is there twice: keep one"
    return None


def field_named(name: str, names: Sequence[str], expression: Callable[[int], str]) -> str:
    """The SQL expression of a column's field; that of a column that is not there is NULL."""
    return expression(names.index(name)) if name in names else f"NULL::{TEXT_TYPE}"
