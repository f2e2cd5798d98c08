"""The behavioural report of a week.

Scoring and the page are the work of ``hm_platform.behaviour``.
"""

import platform
from pathlib import Path

import pyarrow as pa
from dagster import AssetExecutionContext, AssetIn, MetadataValue, Output, asset

from hm_platform import __version__
from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.models import INDICES, feature_inputs
from hm_platform.assets.partitions import week, weekly
from hm_platform.resources import LandingResource, ReportsResource

SPLIT_COLUMNS = {"columns": ["t_dat", "customer_index", "article_index"]}


@asset(
    key=["evaluation", "behavioral_report"],
    ins={
        "recommender": AssetIn(["models", "recommender"]),
        "train": AssetIn(["datasets", "train"], metadata=SPLIT_COLUMNS),
        "validation": AssetIn(["datasets", "validation"], metadata=SPLIT_COLUMNS),
        "test": AssetIn(["datasets", "test"], metadata=SPLIT_COLUMNS),
        "articles": AssetIn(
            ["staging", "stg_articles"], metadata={"columns": ["article_id", "prod_name"]}
        ),
        **INDICES,
        **feature_inputs("test"),
    },
    partitions_def=weekly,
    group_name="evaluation",
    owners=OWNERS,
    kinds={"reclist"},
    metadata={"partition_expr": "week", **declared("evaluation.behavioral_report")},
)
def behavioral_report(
    context: AssetExecutionContext,
    landing: LandingResource,
    reports: ReportsResource,
    recommender: Path,
    train: pa.RecordBatchReader,
    validation: pa.RecordBatchReader,
    test: pa.Table,
    articles: pa.RecordBatchReader,
    article_index: pa.Table,
    customer_index: pa.Table,
    articles_features: pa.Table,
    customers_features: pa.Table,
    purchase_histories_features: pa.RecordBatchReader,
    copurchases_features: pa.RecordBatchReader,
) -> Output[pa.Table]:
    """The RecList report: model and baselines on all customers who bought in the test week.

    The table is the board; the page, with plots and examples, is a self-contained HTML file.
    """
    from hm_platform.behaviour import board, plots
    from hm_platform.behaviour.cold_articles import cold_articles
    from hm_platform.behaviour.cold_customers import as_if_new, compared
    from hm_platform.behaviour.inputs import ReportInputs
    from hm_platform.behaviour.reclist_tests import run_behavioral_tests
    from hm_platform.behaviour.report import render_html, render_nobody_bought
    from hm_platform.behaviour.week import article_names, candidate_sources, score_all, volume
    from hm_platform.features.loading import load_snapshot
    from hm_platform.features.picture import feature_graph_svg
    from hm_platform.modelling.metrics import purchased
    from hm_platform.modelling.pipeline import open_model
    from hm_platform.modelling.selection import baselines

    built = week(context)
    model = open_model(recommender)
    found = landing.zone.dataset()
    dataset = found.name if found else "own data"
    bought = purchased(test["customer_index"].to_numpy(), test["article_index"].to_numpy())
    if not len(bought.customers):
        context.log.warning(
            f"nobody bought in the test week {built}, so there is nothing to report on; check that "
            "its transactions are landed and loaded"
        )
        text = render_nobody_bought(built, dataset, model.manifest.chosen, model.reason())
        return Output(
            board.SCHEMA.empty_table(),
            metadata={"report": MetadataValue.path(reports.write(built, text)), "customers": 0},
        )
    snapshot = load_snapshot(
        built,
        "test",
        articles_features,
        customers_features,
        purchase_histories_features,
        copurchases_features,
        article_index,
        customer_index,
    )
    context.log.info(f"scoring the lists of {len(bought.customers):,} customers who bought")
    inputs = ReportInputs(
        week=built,
        dataset=dataset,
        snapshot=snapshot,
        bought=bought,
        recommenders=score_all(model.models, baselines(), snapshot, bought),
        published=model.manifest.chosen,
        published_reason=model.reason(),
        training=model.training,
        sources=candidate_sources(model.manifest),
        as_if_new=as_if_new(compared(model.models, model.published()), snapshot, bought),
        cold_articles=cold_articles(model.retrieval().prepare(snapshot), snapshot, bought),
        volumes=[
            volume("train", train),
            volume("validation", validation),
            volume("test", test.to_reader()),
        ],
        versions={
            "hm_platform": __version__,
            "model": model.manifest.version,
            "Python": platform.python_version(),
        },
        fingerprints=model.manifest.data,
        feature_graph_svg=feature_graph_svg("articles"),
        article_names=article_names(article_index, articles),
    )
    results = run_behavioral_tests(inputs)
    page = reports.write(built, render_html(inputs, results))
    return Output(
        board.board_table(inputs),
        metadata={
            "report": MetadataValue.path(page),
            "board": MetadataValue.md(board.board_text(inputs)),
            "map@12": MetadataValue.md(plots.board_markdown(inputs)),
            "behaviour": MetadataValue.md(plots.behaviour_markdown(inputs, results)),
            "training": MetadataValue.md(plots.training_markdown(inputs.training)),
            "customers": inputs.n,
        },
    )
