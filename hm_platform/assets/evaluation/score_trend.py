"""The scores of all weeks, beside each other.

It has no weeks of its own: whichever week was built or backtested last, the page shows all that
have a board. So it is made anew with each of them, and once at the end of a backfill.
"""

import pyarrow as pa
from dagster import AssetIn, MetadataValue, Output, asset

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.resources import LandingResource, ReportsResource


@asset(
    key=["evaluation", "score_trend"],
    ins={"board": AssetIn(["evaluation", "behavioral_report"])},
    group_name="evaluation",
    owners=OWNERS,
    kinds={"duckdb"},
    metadata=declared("evaluation.score_trend"),
)
def score_trend(
    landing: LandingResource, reports: ReportsResource, board: pa.Table
) -> Output[pa.Table]:
    """The model's score of every week beside the best baseline's, and the page that shows them."""
    from hm_platform.behaviour.plots import picture
    from hm_platform.behaviour.trend import Trend, render_trend
    from hm_platform.modelling.selection import MODELS, baselines

    trend = Trend.of(board, MODELS, [each.name for each in baselines()])
    found = landing.zone.dataset()
    page = reports.write_page("trend", render_trend(trend, found.name if found else "own data"))
    return Output(
        trend.table(),
        metadata={
            "page": MetadataValue.path(page),
            "headline": trend.headline(),
            "charts": MetadataValue.md("\n\n".join(map(picture, trend.charts())) + "\n"),
            "weeks": len(trend.weeks),
        },
    )
