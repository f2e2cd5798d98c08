"""The behavioural report of a week, and the tests by which it is decided what is published.

Scoring, tests and the page are the work of ``hm_platform.behaviour``.
"""

import platform
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetDep,
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetOut,
    MetadataValue,
    Output,
    multi_asset,
)

from hm_platform import __version__
from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.models import INDICES, LEARNT_FROM, feature_inputs
from hm_platform.assets.partitions import CALENDAR, week, weekly, whole_history
from hm_platform.behaviour.thresholds import Bounds, Judged
from hm_platform.behaviour.thresholds import declared as thresholds
from hm_platform.behaviour.verdict import (
    found_markdown,
    nobody_bought_table,
    tests_table,
)
from hm_platform.resources import (
    LandingResource,
    ModelsResource,
    PlanResource,
    ReportsResource,
    TablesResource,
)

REPORT = AssetKey(["evaluation", "behavioral_report"])
TESTS = AssetKey(["evaluation", "behavioral_tests"])
PURCHASES = ("week", "t_dat", "customer_id", "article_id", "sales_channel_id")
"""What is read of the purchases of customers who are asked again."""


def _output(key: AssetKey, description: str) -> AssetOut:
    return AssetOut(
        key=key,
        description=description,
        group_name="evaluation",
        owners=OWNERS,
        kinds={"reclist"},
        metadata={"partition_expr": "week", **declared(".".join(key.path))},
        is_required=False,
    )


def _check(test: str, bounds: Bounds) -> AssetCheckSpec:
    """Not blocking in Dagster's sense: that would end the run before anything is published. What
    is published instead of a model that fails is decided by serving/recommendations."""
    bound = "".join(
        f" {t.severity.capitalize()}s unless `{t.effect}` is {t}: {t.because}"
        for t in bounds.thresholds
    )
    return AssetCheckSpec(test, asset=REPORT, description=bounds.asks + bound)


@multi_asset(
    name="behavioral_report",
    ins={
        "recommender": AssetIn(["models", "recommender"]),
        "train": AssetIn(["datasets", "train"], metadata={"columns": LEARNT_FROM}),
        "validation": AssetIn(["datasets", "validation"], metadata={"columns": LEARNT_FROM}),
        "test": AssetIn(
            ["datasets", "test"],
            metadata={"columns": LEARNT_FROM},
        ),
        "articles": AssetIn(
            ["staging", "stg_articles"],
            metadata={
                "columns": [
                    "article_id",
                    "prod_name",
                    "product_code",
                    "product_type_name",
                    "product_group_name",
                    "department_name",
                ]
            },
        ),
        "encoders": AssetIn(["features", "encoders"]),
        "drift": AssetIn(["evaluation", "drift"], partition_mapping=whole_history),
        **INDICES,
        **feature_inputs("test"),
    },
    # Read in part: what some hundred customers bought.
    deps=[AssetDep(["marts", "joined_transactions"], partition_mapping=whole_history)],
    outs={
        "report": _output(
            REPORT,
            "The RecList report: the model, the baselines and what serves now, on all customers "
            "who bought in the test week.\n\nThe table is the board; the page, with plots and "
            "examples, is a self-contained HTML file.",
        ),
        "tests": _output(
            TESTS,
            "Every number that a behavioural test found of the week's model, with its interval, "
            "its threshold and what that says.\n\nA model of which nothing that blocks has failed "
            "may be published.",
        ),
    },
    check_specs=[_check(test, bounds) for test, bounds in thresholds().items()],
    partitions_def=weekly,
    # Either table alone can be asked for; who serves is decided by the tests.
    can_subset=True,
)
def behavioral_report(
    context: AssetExecutionContext,
    landing: LandingResource,
    plan: PlanResource,
    reports: ReportsResource,
    tables: TablesResource,
    models: ModelsResource,
    recommender: Path,
    train: pa.RecordBatchReader,
    validation: pa.RecordBatchReader,
    test: pa.Table,
    articles: pa.RecordBatchReader,
    encoders: pa.Table,
    drift: pa.Table,
    article_index: pa.Table,
    customer_index: pa.Table,
    articles_features: pa.Table,
    customers_features: pa.RecordBatchReader,
    purchase_histories_features: pa.RecordBatchReader,
    copurchases_features: pa.RecordBatchReader,
) -> Iterator[Output[pa.Table] | AssetCheckResult]:
    """Scores the lists of a week, tests them, and writes the page, the board and the tests."""
    wanted = context.selected_asset_keys
    checks = {key.name for key in context.selected_asset_check_keys}
    from hm_platform.behaviour import board, plots
    from hm_platform.behaviour.reclist_tests import run_behavioral_tests
    from hm_platform.behaviour.report import render_html, render_nobody_bought
    from hm_platform.behaviour.scoring import Week, report_inputs
    from hm_platform.behaviour.stability import asked_again
    from hm_platform.behaviour.week import audit, catalogue, served_lists, volume, week_before
    from hm_platform.drift.view import drift_view
    from hm_platform.features.encoders import Encoders
    from hm_platform.features.loading import FeatureTables, load_snapshot
    from hm_platform.features.picture import feature_graph_svg
    from hm_platform.modelling.metrics import purchased
    from hm_platform.modelling.pipeline import open_model
    from hm_platform.serving.published import open_last_published

    built = week(context)
    model = open_model(recommender)
    version, challenger = model.manifest.version, model.manifest.chosen
    found = landing.zone.dataset()
    dataset = found.name if found else "own data"
    bought = purchased(test["customer_index"].to_numpy(), test["article_index"].to_numpy())
    if not len(bought.customers):
        context.log.warning(
            f"nobody bought in the test week {built}, so there is nothing to report on; check that "
            "its transactions are landed and loaded"
        )
        page = reports.write(
            built, render_nobody_bought(built, dataset, challenger, model.reason())
        )
        if REPORT in wanted:
            yield Output(
                board.SCHEMA.empty_table(),
                "report",
                metadata={"report": MetadataValue.path(page), "customers": 0},
            )
        if TESTS in wanted:
            yield Output(nobody_bought_table(built, version, challenger), "tests")
        for name in (name for name in thresholds() if name in checks):
            yield AssetCheckResult(
                check_name=name,
                asset_key=REPORT,
                passed=True,
                description="Not measured: nobody bought in the test week.",
            )
        return
    snapshot = load_snapshot(
        built,
        "test",
        FeatureTables(
            articles=articles_features,
            customers=customers_features,
            purchase_histories=purchase_histories_features,
            copurchases=copurchases_features,
            article_index=article_index,
            customer_index=customer_index,
        ),
    )
    context.log.info(f"scoring the lists of {len(bought.customers):,} customers who bought")
    fitted = Encoders.from_table(encoders)
    before = built - timedelta(weeks=1)
    published_before = tables.weekly(
        ["serving", "recommendations"], before, ["customer_id", "rank", "article_id"]
    )
    inputs = report_inputs(
        Week(
            dataset=dataset,
            snapshot=snapshot,
            bought=bought,
            purchases=tables.of_customers(
                snapshot.customer_ids.take(pa.array(asked_again(bought.customers))).to_pylist(),
                snapshot.cutoff,
                PURCHASES,
            ),
            train=audit("train", train, snapshot.n_articles),
            validation=audit("validation", validation, snapshot.n_articles),
            test=volume("test", test.to_reader()),
            plan=plan.for_week(built, CALENDAR),
            catalogue=catalogue(article_index, articles),
            encoders=fitted,
            served=published_before and served_lists(published_before, snapshot, bought.customers),
            before=week_before(
                tables.weekly(REPORT.path, before), tables.weekly(TESTS.path, before)
            ),
            drift=drift_view(drift.to_pylist(), built),
        ),
        model,
        open_last_published(
            tables.previous("serving", "publications"), built, models.folder, fitted
        ),
        versions={
            "hm_platform": __version__,
            "model": version,
            "Python": platform.python_version(),
        },
        feature_graph_svg=feature_graph_svg("articles"),
        seed=plan.seed,
    )
    results = run_behavioral_tests(inputs)
    verdict = results.verdict()
    for missed in verdict.blocking:
        context.log.error(f"the model {version} fails its test: {missed}")
    page = reports.write(built, render_html(inputs, results))
    if REPORT in wanted:
        yield Output(
            board.board_table(inputs, results),
            "report",
            metadata={
                "report": MetadataValue.path(page),
                "passed": verdict.passed,
                "board": MetadataValue.md(board.board_text(inputs)),
                "map@12": MetadataValue.md(plots.board_markdown(inputs, results)),
                "behaviour": MetadataValue.md(plots.behaviour_markdown(inputs, results)),
                "training": MetadataValue.md(plots.training_markdown(inputs.training)),
                "customers": inputs.n,
            },
        )
    if TESTS in wanted:
        yield Output(
            tests_table(built, version, challenger, verdict.judged),
            "tests",
            metadata={
                "model_version": version,
                "passed": verdict.passed,
                "failed": [str(j) for j in (*verdict.blocking, *verdict.warnings)],
            },
        )
    descriptions = {test.name: test.description for test in results.tests}
    for name, judged in verdict.tests().items():
        if name in checks:
            yield _result(name, descriptions[name], judged)


def _result(test: str, description: str, judged: Sequence[Judged]) -> AssetCheckResult:
    """One test as Dagster keeps it: what was found of each effect, as text for people and the
    values as numbers, of which the UI draws the history."""
    values = {j.effect.name: j.effect.value for j in judged if j.effect.value is not None}
    return AssetCheckResult(
        check_name=test,
        asset_key=REPORT,
        passed=not any(j.failed for j in judged),
        severity=(
            AssetCheckSeverity.ERROR if any(j.blocks for j in judged) else AssetCheckSeverity.WARN
        ),
        description="; ".join(str(j) for j in judged if j.failed) or description,
        metadata={"found": MetadataValue.md(found_markdown(judged)), **values},
    )
