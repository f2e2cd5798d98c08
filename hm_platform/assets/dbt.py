"""The dbt models as assets: keys, groups and checks come from the dbt project.

A model's key is its schema and name: ``marts/joined_transactions`` is
``dbt/models/marts/joined_transactions.sql``. Models of one week at a time and models that are
rebuilt whole are two assets definitions, since partitions cannot be mixed in one.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetSpec,
    MetadataValue,
    Output,
    TableColumnDep,
    TableColumnLineage,
)
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from hm_platform.assets.partitions import SETTINGS, days, one_run, weekly
from hm_platform.dbt_lineage import column_lineage
from hm_platform.dbt_project import WEEKLY, build_arguments, dbt_project, environment
from hm_platform.landed_weeks import JOINED
from hm_platform.resources import TablesResource
from hm_platform.storage.io_managers import row_counts
from hm_platform.storage.metering import TRANSFERRED, OtherProcess
from hm_platform.storage.unfinished import remove_abandoned, unfinished


class Translator(DagsterDbtTranslator):
    """Keys are [schema, name]; an asset in Python can read a model as it reads any other table."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        if dbt_resource_props["resource_type"] == "model":
            return AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])
        return super().get_asset_key(dbt_resource_props)

    def get_asset_check_spec(
        self,
        asset_spec: AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        description = manifest["nodes"].get(unique_id, {}).get("description")
        return spec._replace(description=description) if spec and description else spec

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        partition_expr = dbt_resource_props["config"].get("meta", {}).get("partition_expr")
        return {
            **super().get_metadata(dbt_resource_props),
            **({"partition_expr": partition_expr} if partition_expr else {}),
        }


WITHOUT_MATCH = {f"joined_transactions_without_{each}": each for each in JOINED.values()}
"""Checks of the join -> what they count the unknown ones of."""

PROJECT = dbt_project(SETTINGS)
TRANSLATOR = Translator(
    settings=DagsterDbtTranslatorSettings(
        enable_code_references=True,
        # True would switch off the blocking checks that Python has on these sources.
        enable_source_tests_as_checks=False,
    )
)


@dbt_assets(
    manifest=PROJECT.manifest_path,
    project=PROJECT,
    dagster_dbt_translator=TRANSLATOR,
    exclude=WEEKLY,
    backfill_policy=one_run,
)
def dbt_whole(
    context: AssetExecutionContext, dbt: DbtCliResource, tables: TablesResource
) -> Iterator[Any]:
    """Models that are rebuilt whole."""
    yield from _build(context, dbt, tables, build_arguments(None))


@dbt_assets(
    manifest=PROJECT.manifest_path,
    project=PROJECT,
    dagster_dbt_translator=TRANSLATOR,
    select=WEEKLY,
    partitions_def=weekly,
    backfill_policy=one_run,
)
def dbt_weekly(
    context: AssetExecutionContext, dbt: DbtCliResource, tables: TablesResource
) -> Iterator[Any]:
    """Models of which a run rebuilds the weeks that it is for."""
    yield from _build(context, dbt, tables, build_arguments(days(context)))


def _build(
    context: AssetExecutionContext,
    dbt: DbtCliResource,
    tables: TablesResource,
    arguments: Sequence[str],
) -> Iterator[Any]:
    # A folder of its own for each invocation, and gone with it: dbt would leave one for each.
    target = unfinished(SETTINGS.dbt_runs / f"run-{context.run_id}-{context.op.name}")
    remove_abandoned(SETTINGS.dbt_runs)
    target.mkdir(parents=True, exist_ok=True)
    # What dbt parsed when it made the manifest, so that it need not parse again.
    shutil.copy(PROJECT.manifest_path.with_name("partial_parse.msgpack"), target)
    try:
        with environment(SETTINGS):
            invocation = dbt.cli(arguments, context=context, target_path=target)
            # To the end before anything else: until then the warehouse is dbt's.
            meter = OtherProcess(invocation.process.pid, target / TRANSFERRED)
            events, failure = _to_the_end(_told(context, _metered(invocation.stream(), meter)))
        rows = tables.row_counts([key.path for key in context.selected_asset_keys])
        for event in events:
            if isinstance(event, Output):
                key = context.asset_key_for_output(event.output_name)
                event = event.with_metadata(
                    {
                        **event.metadata,
                        **row_counts(rows.get(tuple(key.path)), None),
                        **_seconds(event.metadata),
                        "dagster/column_lineage": MetadataValue.column_lineage(
                            _lineage(invocation, event.metadata)
                        ),
                    }
                )
            elif isinstance(event, AssetCheckResult):
                event = _with_weeks(event, context, tables)
            yield event
        if failure is not None:
            raise failure
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _with_weeks(
    result: AssetCheckResult, context: AssetExecutionContext, tables: TablesResource
) -> AssetCheckResult:
    """The same; of a count of purchases without a match also that of each week that has some."""
    if result.check_name not in WITHOUT_MATCH:
        return result
    counts = tables.without_match(WITHOUT_MATCH[result.check_name], days(context))
    by_week = {"purchases by week": MetadataValue.json(counts)}
    return result._replace(metadata={**(result.metadata or {}), **by_week})


def _metered(events: Iterator[Any], meter: OtherProcess) -> Iterator[Any]:
    """The same events; those of models with what dbt has cost since the model before."""
    for event in events:
        if isinstance(event, Output):
            event = event.with_metadata({**event.metadata, **meter.lap()})
        yield event


def _told(context: AssetExecutionContext, events: Iterator[Any]) -> Iterator[Any]:
    """The same events; of models it is told when they are done."""
    for event in events:
        if isinstance(event, Output):
            key = context.asset_key_for_output(event.output_name).to_user_string()
            context.log.info(f"{key}: {_seconds(event.metadata).get('seconds', 0):.1f} s")
        yield event


def _to_the_end(events: Iterator[Any]) -> tuple[list[Any], DagsterDbtCliRuntimeError | None]:
    """All events, and the failure that ended them: what was built before it is built."""
    found: list[Any] = []
    try:
        found.extend(events)
    except DagsterDbtCliRuntimeError as error:
        return found, error
    return found, None


def _seconds(metadata: Mapping[str, Any]) -> dict[str, float]:
    """What dbt says that a model took, under the name that all assets have it by."""
    took = metadata.get("Execution Duration")
    return {} if took is None else {"seconds": took.value}


def _lineage(invocation: DbtCliInvocation, metadata: Mapping[str, Any]) -> TableColumnLineage:
    unique_id = metadata["unique_id"].value
    node = invocation.manifest["nodes"][unique_id]
    compiled = invocation.target_path / "compiled" / node["package_name"]
    sql = (compiled / node["original_file_path"]).read_text(encoding="utf-8")
    resources = {**invocation.manifest["nodes"], **invocation.manifest["sources"]}
    return TableColumnLineage(
        {
            column: [
                TableColumnDep(TRANSLATOR.get_asset_key(resources[parent]), parent_column)
                for parent, parent_column in sorted(sources)
            ]
            for column, sources in column_lineage(invocation.manifest, unique_id, sql).items()
        }
    )


ASSETS = [dbt_whole, dbt_weekly]
