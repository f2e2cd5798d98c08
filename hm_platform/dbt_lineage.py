"""Column lineage of dbt models, from their compiled SQL and the columns that the project declares.

dagster-dbt can fetch it through an adapter of its own in this process, which would open the
warehouse a second time and keep it open; the project's contracts say the same without asking it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

DIALECT = "duckdb"

ColumnOf = tuple[str, str]
"""The unique id of a dbt model or source, and one of its columns."""


def column_lineage(
    manifest: Mapping[str, Any], unique_id: str, compiled_sql: str
) -> dict[str, set[ColumnOf]]:
    """For each declared column of a model, the columns of its parents that it is made from.

    Raises sqlglot's errors for SQL that it cannot read.
    """
    nodes = {**manifest["nodes"], **manifest["sources"]}
    parents = {
        _table(nodes[parent]["relation_name"]): parent
        for parent in manifest["parent_map"][unique_id]
        if parent in nodes and nodes[parent].get("relation_name")
    }
    schema: dict[str, Any] = {}
    for (database, db, table), parent in parents.items():
        columns = {name: c["data_type"] for name, c in nodes[parent]["columns"].items()}
        schema.setdefault(database, {}).setdefault(db, {})[table] = columns
    query = qualify(parse_one(compiled_sql, dialect=DIALECT), schema=schema, dialect=DIALECT)
    scope = build_scope(query)
    found: dict[str, set[ColumnOf]] = {}
    for column in nodes[unique_id]["columns"]:
        leaves = [
            node
            for node in lineage(column, query, schema, dialect=DIALECT, scope=scope).walk()
            if not node.downstream and isinstance(node.expression, exp.Table)
        ]
        found[column] = {
            (parents[key], leaf.name.rsplit(".", 1)[-1].strip('"'))
            for leaf in leaves
            if (key := _parts(leaf.expression)) in parents
        }
    return found


def _table(relation_name: str) -> tuple[str, str, str]:
    return _parts(exp.to_table(relation_name, dialect=DIALECT))


def _parts(table: exp.Table) -> tuple[str, str, str]:
    return table.catalog, table.db, table.name
