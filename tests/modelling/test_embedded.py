"""Customers are embedded the same whatever lengths histories are padded to, and whoever is beside
them."""

from __future__ import annotations

import numpy as np
import pytest

from hm_platform.modelling import embedded
from hm_platform.modelling.two_tower import TwoTowerScorer
from tests.modelling.networks import HISTORY, recommender_for
from tests.modelling.worlds import random_world

CUSTOMERS = np.arange(30, dtype=np.int32)


@pytest.fixture(scope="module")
def scorer() -> TwoTowerScorer:
    world = random_world(8)
    return recommender_for(world).prepare(world.snapshot())


def embed(scorer: TwoTowerScorer, customers: np.ndarray) -> embedded.EmbeddedCustomers:
    scorer._own.customers = None
    return scorer._embedded(customers)


def test_short_histories_are_padded_less_and_say_the_same(
    scorer: TwoTowerScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LENGTHS", ())
    whole = embed(scorer, CUSTOMERS)
    padded: list[int] = []
    block = embedded.history_block

    def noted(entries: object, n: int, length: int) -> object:
        padded.append(length)
        return block(entries, n, length)  # type: ignore[arg-type]

    monkeypatch.setattr(embedded, "history_block", noted)
    monkeypatch.setattr(embedded, "LENGTHS", (5, 8, HISTORY, 1000))
    monkeypatch.setattr(embedded, "AT_ONCE", 4)
    found = embed(scorer, CUSTOMERS)
    assert {*padded} == {5, 8, HISTORY}
    assert found.vectors.numpy() == pytest.approx(whole.vectors.numpy(), abs=1e-5)
    assert (found.row == whole.row).all()
    assert (found.articles == whole.articles).all()
    assert found.repeats == pytest.approx(whole.repeats, abs=1e-5)


def test_a_customer_is_the_same_alone_and_among_others(
    scorer: TwoTowerScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LENGTHS", (5, 8))
    together = embed(scorer, CUSTOMERS)
    for customer in (0, 11, 29):
        alone = embed(scorer, CUSTOMERS[customer : customer + 1])
        assert (alone.vectors[0] == together.vectors[customer]).all()
        mine = together.row == customer
        assert alone.articles.tolist() == together.articles[mine].tolist()
        assert alone.repeats.tolist() == together.repeats[mine].tolist()


def test_what_was_embedded_last_is_not_taken_for_others(scorer: TwoTowerScorer) -> None:
    first = scorer.top(CUSTOMERS[:5], 3)
    other = scorer.top(CUSTOMERS[5:10], 3)
    scorer._own.customers = None
    assert (scorer.top(CUSTOMERS[5:10], 3).scores == other.scores).all()
    assert (first.scores != other.scores).any()
