from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.quality import report
from benchmarks.quality.groups import ARTICLE_GROUPS, CUSTOMER_GROUPS, by_article, by_customer
from benchmarks.quality.peers.simple import Popularity, Repurchase
from benchmarks.quality.protocol import Dataset
from benchmarks.quality.results import Results, summarise
from benchmarks.quality.scoring import Scored, measure
from hm_platform.modelling.metrics import K
from tests.benchmarks.quality.shops import TARGET, busy_shop, everything


@pytest.fixture
def results(tmp_path: Path) -> Results:
    target = busy_shop().target(TARGET)
    peers = {"hm_platform": Repurchase(), "segment-popularity": Popularity(), "twin": Repurchase()}
    return summarise({name: [measure(peer, target, tmp_path)] for name, peer in peers.items()})


def test_a_second_measurement_is_read_back(tmp_path: Path) -> None:
    class Once:
        asked = 0

        def __repr__(self) -> str:
            return "Once()"

        def recommend(self, history: object, customers: np.ndarray, k: int) -> np.ndarray:
            self.asked += 1
            return np.tile(np.arange(k, dtype=np.int32), (len(customers), 1))

    peer, target = Once(), busy_shop().target(TARGET)
    first, second = measure(peer, target, tmp_path), measure(peer, target, tmp_path)
    assert peer.asked == 1
    np.testing.assert_array_equal(first.lists, second.lists)
    measure(peer, target, tmp_path, again=True)
    assert peer.asked == 2


def test_other_settings_or_other_data_are_measured_anew(tmp_path: Path) -> None:
    target = busy_shop().target(TARGET)
    measure(Repurchase(60), target, tmp_path)
    measure(Repurchase(30), target, tmp_path)
    measure(Repurchase(60), busy_shop(weeks=9).target(TARGET), tmp_path)
    assert len([*tmp_path.iterdir()]) == 3


def test_ours_is_compared_with_each_and_the_best_stands_first(results: Results) -> None:
    assert results.reference == "hm_platform"
    assert [row.name for row in results.rows] == ["hm_platform", "twin", "segment-popularity"]
    ours, twin, popular = results.rows
    assert ours.difference is None
    assert twin.difference is not None
    assert (twin.difference.mean, twin.difference.low, twin.difference.high) == (0, 0, 0)
    assert popular.difference is not None
    assert popular.difference.low > 0


def test_without_ours_the_best_peer_is_the_reference(tmp_path: Path) -> None:
    target = busy_shop().target(TARGET)
    peers = {"popular": Popularity(), "own": Repurchase()}
    found = summarise({name: [measure(peer, target, tmp_path)] for name, peer in peers.items()})
    assert found.reference == "own"


def test_groups_are_those_of_what_was_known_before_the_week() -> None:
    lists: Mapping[int, Sequence[int]] = {0: [0, 1], 1: [2, 0]}
    # Customer 0 has a history of 20, customer 1 none; article 2 was never sold before.
    past = [(0, 0, -40)] * 19 + [(0, 1, -28)]
    week = [(0, 0, 1), (0, 1, 1), (1, 2, 0), (1, 1, 0)]
    target = Dataset(everything(past + week, 2, 3)).target(TARGET)
    rows = np.full((2, K), -1, dtype=np.int32)
    for row, articles in lists.items():
        rows[row, : len(articles)] = articles
    scored = [Scored(target, rows, 0.0)]
    customers = {score.group: score for score in by_customer(scored)}
    assert [*customers] == [*CUSTOMER_GROUPS]
    assert (customers["20 to 99"].count, customers["20 to 99"].mean) == (1, 1.0)
    assert (customers["no purchase before"].count, customers["no purchase before"].mean) == (1, 0.5)
    assert customers["1 to 19"].mean is None
    articles = {score.group: (score.count, score.mean) for score in by_article(scored)}
    assert articles == dict(zip(ARTICLE_GROUPS, [(1, 1.0), (2, 0.5), (1, 1.0)], strict=True))


def test_page_plot_and_json_are_written(results: Results, tmp_path: Path) -> None:
    page, plot, data = report.write(results, tmp_path / "docs", tmp_path / "quality.json", 2)
    text = page.read_text()
    assert "](images/quality.svg)" in text
    assert "| segment-popularity |" in text
    assert ElementTree.fromstring(plot.read_text()).tag.endswith("svg")  # noqa: S314 - our own
    assert json.loads(data.read_text())["reference"] == "hm_platform"
