"""Who and what is new: from the target week to the platform's week and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from benchmarks.quality import cold, report
from benchmarks.quality.cold import (
    METHODS,
    HiddenPast,
    NeverSold,
    bought_by_known,
    hidden_past,
    never_sold,
)
from benchmarks.quality.peers.simple import Popularity, Repurchase
from benchmarks.quality.protocol import Dataset, TargetWeek
from benchmarks.quality.results import Cold, Results, summarise
from benchmarks.quality.scoring import measure
from hm_platform.behaviour.cold_articles import ColdScores, cold_articles
from hm_platform.behaviour.cold_customers import as_if_new
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines import popularity
from hm_platform.modelling.metrics import purchased
from tests.benchmarks.quality.shops import TARGET, busy_shop, everything
from tests.modelling.worlds import random_world

WORLD = random_world(3)
SNAPSHOT = replace(
    WORLD.snapshot(),
    # The platform's indices are not in the order of the ids.
    customer_ids=pa.array([f"c{39 - i:04}" for i in range(WORLD.customers)]),
    article_ids=pa.array([f"a{49 - i:04}" for i in range(WORLD.articles)]),
)


def target_of(pairs: list[tuple[int, int]]) -> TargetWeek:
    """A target week with these purchases, of 45 customers and 60 articles."""
    return Dataset(everything([(c, a, 1) for c, a in pairs], 45, 60)).target(TARGET)


WEEK = [(c, a) for c in range(45) for a in (c % 7 + 8, 2 * c % 60)]


def test_what_was_bought_has_the_indices_of_the_snapshot() -> None:
    # Customer 44 and articles 3, 4 and 55 are not in it; 39 and 49 are its first.
    target = target_of([(39, 49), (39, 10), (39, 3), (39, 55), (10, 4), (44, 10)])
    bought = bought_by_known(SNAPSHOT, target)
    assert bought.customers.tolist() == [0, 29]
    first, second = np.split(bought.articles, bought.offsets[1:-1])
    assert first[:2].tolist() == [0, 39]
    assert len({*first[2:].tolist(), *second.tolist()}) == 3
    assert min(first[2:].min(), second.min()) >= SNAPSHOT.n_articles


def test_each_customer_of_the_target_week_has_its_own_score() -> None:
    target = target_of(WEEK)
    found = hidden_past(popularity.Popularity(), SNAPSHOT, target)
    # The same with indices of the snapshot from the start.
    pairs = np.array([(39 - c, 49 - a if 10 <= a < 50 else 100 + a) for c, a in WEEK])
    here = pairs[(pairs[:, 0] >= 0) & (pairs[:, 0] < WORLD.customers)]
    straight = as_if_new([popularity.SegmentPopularity()], SNAPSHOT, purchased(*here.T))
    assert found.customers.tolist() == (39 - straight.customers).tolist()
    precision = straight.average_precision["segment_popularity"]
    np.testing.assert_array_equal(found.segments, precision)
    assert precision.any()
    # As it is published, popularity leaves who is new to segment popularity.
    np.testing.assert_array_equal(found.ours, precision)


class ByIndex:
    """Scores the articles by their indices, the last first."""

    def score_all(
        self, customers: NDArray[np.int32], articles: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        return np.tile(articles.astype(np.float32), (len(customers), 1))


def unsold(*articles: int) -> Snapshot:
    """SNAPSHOT without a sale of these, by its own indices."""
    total = SNAPSHOT.articles["purchases_total"].copy()
    total[list(articles)] = 0
    return replace(SNAPSHOT, articles={**SNAPSHOT.articles, "purchases_total": total})


def test_articles_without_a_sale_are_put_in_order_for_who_bought_one() -> None:
    snapshot = unsold(0, 7, 19, 33)
    cold_articles_known = np.flatnonzero(snapshot.articles["purchases_total"] == 0)
    # Article 30 is the snapshot's 19; 55 it has not, and customer 44 neither.
    target = target_of([(39, 30), (39, 55), (10, 30), (20, 12), (44, 30), (5, 55)])
    found = never_sold(ByIndex(), snapshot, target)
    assert found.customers.tolist() == [39, 10]
    assert found.articles == len(cold_articles_known)
    better = np.count_nonzero(cold_articles_known > 19) / (len(cold_articles_known) - 1)
    assert found.methods["two_tower"].percentile.tolist() == [better, better]
    straight = cold_articles(ByIndex(), snapshot, purchased(np.array([0, 29]), np.array([19, 19])))
    for name in METHODS:
        for what, values in vars(straight.methods[name]).items():
            np.testing.assert_array_equal(getattr(found.methods[name], what), values)


def test_a_week_without_such_articles_has_nobody() -> None:
    snapshot = unsold()
    sold = np.flatnonzero(snapshot.articles["purchases_total"] > 0)
    found = never_sold(ByIndex(), snapshot, target_of([(39, 49 - int(sold[0]))]))
    assert len(found.customers) == 0
    assert all(len(found.methods[name].percentile) == 0 for name in METHODS)


def test_a_week_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(
            """CREATE SCHEMA serving;
            CREATE TABLE serving.recommendations AS SELECT DATE '2020-02-24' AS week,
                'c0001' AS customer_id, 1::TINYINT AS rank, 'a0003' AS article_id,
                'v1' AS model_version"""
        )
    opened: list[Path] = []

    class Retrieval:
        def prepare(self, _: Snapshot) -> ByIndex:
            return ByIndex()

    def open_model(folder: Path) -> SimpleNamespace:
        opened.append(folder)
        return SimpleNamespace(published=popularity.Popularity, retrieval=Retrieval)

    def serving_snapshot(*_: object) -> Snapshot:
        return unsold(19)

    monkeypatch.setattr(cold, "open_model", open_model)
    monkeypatch.setattr(cold, "serving_snapshot", serving_snapshot)
    target = target_of(WEEK)
    hidden, again = (cold.measure_as_if_new(tmp_path, target, tmp_path) for _ in range(2))
    assert opened == [tmp_path / "models" / "recommender" / "v1"]
    for name, values in vars(hidden).items():
        np.testing.assert_array_equal(getattr(again, name), values, strict=True)
    bought = cold.measure_never_sold(tmp_path, target).customers
    assert bought.tolist() == never_sold(ByIndex(), unsold(19), target).customers.tolist() != []


def results(folder: Path, found: Cold) -> Results:
    target = busy_shop().target(TARGET)
    peers = {"hm_platform": Repurchase(), "segment-popularity": Popularity()}
    return summarise({n: [measure(p, target, folder)] for n, p in peers.items()}, found)


def test_weeks_are_pooled_and_stand_on_the_page(tmp_path: Path) -> None:
    weeks = [
        HiddenPast(np.array([4, 9]), np.array([0.5, 0.25]), np.array([0.25, 0])),
        HiddenPast(np.array([4]), np.array([0.75]), np.array([0.5])),
    ]
    found = results(tmp_path, Cold(weeks))
    assert found.as_if_new is not None
    assert found.as_if_new.customer_weeks == 3
    assert (found.as_if_new.ours, found.as_if_new.segments) == (0.5, 0.25)
    text = report.markdown(found, "images/quality.svg", 2)
    assert "## Customers as if they were new" in text
    assert "3 customer-weeks" in text
    assert "| hm_platform | 0.5000 |  |" in text
    assert "| segment-popularity | 0.2500 | +0.2500 (+0.2500 to +0.2500) |" in text


@pytest.mark.parametrize("weeks", [[], [HiddenPast(np.zeros(0, int), np.zeros(0), np.zeros(0))]])
def test_without_such_customers_there_is_no_section(
    weeks: list[HiddenPast], tmp_path: Path
) -> None:
    found = results(tmp_path, Cold(weeks))
    assert found.as_if_new is None
    assert "## Customers as if they were new" not in report.markdown(found, "images/quality.svg", 2)


def ordered(customers: list[int], *percentiles: list[float]) -> NeverSold:
    """A week with these percentiles by method, in the order of METHODS, and recalls to match."""
    scores = [ColdScores(1 - np.array(values), np.array(values)) for values in percentiles]
    return NeverSold(np.array(customers), 40, dict(zip(METHODS, scores, strict=True)))


def test_articles_without_a_sale_are_pooled_and_stand_on_the_page(tmp_path: Path) -> None:
    weeks = [
        ordered([4, 9], [0.25, 0.0], [0.75, 0.5], [0.5, 0.25]),
        ordered([], [], [], []),
        ordered([4], [0.125], [0.25], [0.375]),
    ]
    found = results(tmp_path, Cold([], weeks))
    assert found.without_sale is not None
    assert found.without_sale.customer_weeks == 3
    assert [order.method for order in found.without_sale.orders] == [
        "first_sales",
        "product_type",
        "two_tower",
    ]
    text = report.markdown(found, "images/quality.svg", 2)
    assert "without\na sale, 40 on average" in text
    assert "| first sales of articles like them | 0.1250 | 0.8750 | -0.2500 (" in text
    assert "| popularity of their product type in the segment | 0.3750 | 0.6250 |  |" in text
    assert "| the retrieval model, from their attributes | 0.5000 | 0.5000 | +0.1250 (" in text


@pytest.mark.parametrize("weeks", [[], [ordered([], [], [], [])]])
def test_where_nobody_bought_such_an_article_there_is_no_section(
    weeks: list[NeverSold], tmp_path: Path
) -> None:
    found = results(tmp_path, Cold([], weeks))
    assert found.without_sale is None
    assert "## Articles without a sale" not in report.markdown(found, "images/quality.svg", 2)
