"""Lists of past weeks: what is in them, and that they stay whole on their way to the network."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.modelling.candidates import CandidateGenerator
from hm_platform.modelling.metrics import K, Purchased, evaluate
from hm_platform.modelling.ranker.inputs import PairFeatures
from hm_platform.modelling.ranker.lists import (
    LabelledWeek,
    ListBatches,
    RankingLists,
    Whole,
    concatenate,
    make_lists,
    padded,
    some,
)
from hm_platform.modelling.ranker.metrics import mean_average_precision
from tests.modelling.networks import recommender_for
from tests.modelling.ranker.shops import labelled
from tests.modelling.worlds import day, described_world

NO_CANDIDATE = 1000
"""From here on articles are bought without having been candidates."""


@st.composite
def ranking_lists(draw, least: int = 0) -> RankingLists:
    lengths = draw(st.lists(st.integers(0, 20), min_size=least, max_size=6))
    pairs = sum(lengths)
    wanted = np.array(draw(st.lists(st.booleans(), min_size=pairs, max_size=pairs)), bool)
    articles = [draw(st.permutations(range(n))) for n in lengths]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    hits = [int(wanted[a:b].sum()) for a, b in pairwise(offsets)]
    return RankingLists(
        offsets,
        np.arange(2 * pairs, dtype=np.float32).reshape(pairs, 2),
        np.array([a for one in articles for a in sorted(one)], np.int32),
        wanted,
        np.array([max(n, 1) + draw(st.integers(0, 9)) for n in hits], np.int32),
    )


def rows(lists: RankingLists) -> list[tuple]:
    """Each list as plain values."""
    return [
        (
            lists.features[a:b].tolist(),
            lists.articles[a:b].tolist(),
            lists.wanted[a:b].tolist(),
            int(bought),
        )
        for (a, b), bought in zip(pairwise(lists.offsets), lists.bought, strict=True)
    ]


@given(ranking_lists())
def test_lists_can_be_learnt_from_where_some_candidates_were_bought_and_some_not(lists):
    expected = [row for row in rows(lists) if any(row[2]) and not all(row[2])]
    found = lists.learnable()
    assert rows(found) == expected
    assert len(found) == len(expected)
    assert found.offsets[-1] == len(found.features)
    half = np.arange(0, len(lists), 2)
    assert rows(lists.learnable(half)) == [row for row in rows(lists)[::2] if row in expected]


@given(ranking_lists(), st.data())
def test_the_first_lists_are_not_copied(lists, data):
    n = data.draw(st.integers(0, len(lists)))
    first = lists.first(n)
    assert rows(first) == rows(lists)[:n]
    assert not first.features.size or np.shares_memory(first.features, lists.features)


@pytest.mark.parametrize(("n", "most", "expected"), [(0, 3, 0), (3, 3, 3), (100, 7, 7)])
def test_of_too_many_some_are_chosen_at_random(n, most, expected):
    chosen, again, other = (some(n, most, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert len(set(chosen.tolist())) == len(chosen) == expected
    assert chosen.tolist() == sorted(chosen.tolist()) == again.tolist()
    assert set(chosen.tolist()) <= set(range(n))
    assert (chosen.tolist() == other.tolist()) == (n <= most)


@given(st.lists(ranking_lists(), min_size=1, max_size=3))
def test_parts_are_put_one_after_the_other(parts):
    assert rows(concatenate(parts)) == [row for part in parts for row in rows(part)]


@given(ranking_lists(least=1), st.data())
def test_a_batch_holds_each_chosen_list_and_nothing_else(lists, data):
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1), min_size=1, max_size=8))
    batch = padded(lists, np.array(chosen))
    whole = rows(lists)
    positives = list(zip(batch.row.tolist(), batch.column.tolist(), strict=True))
    assert batch.features.dtype == np.float32
    assert batch.features.shape[1] == max(len(whole[i][1]) for i in chosen)
    for place, i in enumerate(chosen):
        features, articles, wanted, bought = whole[i]
        n = len(articles)
        assert batch.known[place].tolist() == [True] * n + [False] * (len(batch.known[place]) - n)
        assert batch.features[place, :n].tolist() == features
        assert (batch.features[place, n:] == 0).all()
        assert [c for r, c in positives if r == place] == np.flatnonzero(wanted).tolist()
        assert batch.bought[place] == bought


@given(ranking_lists(least=1), st.integers(1, 7), st.integers(0, 3))
def test_every_list_is_in_one_batch_of_an_epoch(lists, size, seed):
    batches = ListBatches(lists, size, seed)
    again = ListBatches(lists, size, seed)
    epochs = [list(batches), list(batches)]
    for epoch in epochs:
        assert len(epoch) == len(batches)
        assert all(len(batch.bought) == size for batch in epoch[:-1])
        found = sorted(float(f) for batch in epoch for f in batch.features[batch.known][:, 0])
        assert found == lists.features[:, 0].tolist()
        assert sum(len(batch.bought) for batch in epoch) == len(lists)
    for one, other in zip([*epochs[0], *epochs[1]], [*again, *again], strict=True):
        assert one.features.tobytes() == other.features.tobytes()


def test_epochs_and_seeds_shuffle_differently():
    n = 50
    lists = RankingLists(
        np.arange(n + 1, dtype=np.int64),
        np.arange(n, dtype=np.float32)[:, None],
        np.zeros(n, np.int32),
        np.ones(n, bool),
        np.ones(n, np.int32),
    )

    def order(batches: ListBatches) -> list[float]:
        return [float(f) for batch in batches for f in batch.features.ravel()]

    batches = ListBatches(lists, 8, 0)
    orders = [order(batches), order(batches), order(ListBatches(lists, 8, 1)), list(range(n))]
    assert len({tuple(one) for one in orders}) == 4


def test_validation_goes_through_all_lists_at_once():
    lists = RankingLists(
        np.array([0, 1]),
        np.zeros((1, 1)),
        np.zeros(1, np.int32),
        np.ones(1, bool),
        np.ones(1, np.int32),
    )
    assert list(Whole(lists)) == [lists]
    assert len(Whole(lists)) == 1


@given(ranking_lists(least=1), st.data())
def test_mean_average_precision_is_that_of_the_board(lists, data):
    pairs = len(lists.articles)
    scores = data.draw(st.lists(st.integers(-2, 2), min_size=pairs, max_size=pairs))
    recommended = np.full((len(lists), K), -1, np.int32)
    bought: list[list[int]] = []
    for row, (a, b) in enumerate(pairwise(lists.offsets)):
        order = sorted(range(a, b), key=lambda i: (-scores[i], lists.articles[i]))[:K]
        recommended[row, : len(order)] = lists.articles[order]
        mine = lists.articles[a:b][lists.wanted[a:b]].tolist()
        others = int(lists.bought[row]) - len(mine)
        bought.append(sorted(mine) + list(range(NO_CANDIDATE, NO_CANDIDATE + others)))
    counts = [len(one) for one in bought]
    week = Purchased(
        np.arange(len(lists), dtype=np.int32),
        np.concatenate([[0], np.cumsum(counts)]),
        np.array([a for one in bought for a in one], np.int32),
    )
    expected = evaluate(recommended, week).means()["map"]
    found = mean_average_precision(lists, np.array(scores, np.float32))
    assert found == pytest.approx(expected)


def made(most: int = 1000, seed: int = 0, without=()):
    world = described_world(4)
    week = labelled(world, world.snapshot(day(7)))
    two_tower = recommender_for(world)
    rng = np.random.default_rng(seed)
    return week, two_tower, *make_lists(week, two_tower, without, most, rng)


def test_a_weeks_lists_are_its_buyers_candidates_with_features_and_labels(monkeypatch):
    week, two_tower, lists, recall = made()
    retrieval = two_tower.prepare(week.snapshot)
    generator = CandidateGenerator(week.snapshot, retrieval)
    found = generator.candidates(week.bought.customers)
    features = PairFeatures(week.snapshot, retrieval).matrix(week.bought.customers, found)
    assert len(lists) == len(week.bought.customers) > 10
    assert np.diff(lists.offsets).tolist() == np.bincount(found.row).tolist()
    assert lists.articles.tolist() == found.articles.tolist()
    assert lists.features.tobytes() == features.tobytes()
    assert lists.bought.tolist() == np.diff(week.bought.offsets).tolist()
    shares = []
    for row in range(len(lists)):
        theirs = set(week.bought.articles[slice(*week.bought.offsets[row : row + 2])].tolist())
        part = slice(*lists.offsets[row : row + 2])
        labels = [a in theirs for a in lists.articles[part].tolist()]
        assert lists.wanted[part].tolist() == labels
        shares.append(sum(labels) / len(theirs))
    assert recall["union"].recall == pytest.approx(np.mean(shares))
    # In small blocks it is the same.
    monkeypatch.setattr("hm_platform.modelling.ranker.lists.BLOCK", 4)
    _, _, again, counted = made()
    for name in ("offsets", "features", "articles", "wanted", "bought"):
        assert getattr(again, name).tobytes() == getattr(lists, name).tobytes(), name
    assert counted["union"].recall == pytest.approx(recall["union"].recall)


def test_of_many_buyers_some_are_chosen_by_the_seed():
    week, _, lists, _ = made(most=5)
    _, _, same, _ = made(most=5)
    _, _, others, _ = made(most=5, seed=1)
    assert len(lists) == len(others) == 5 < len(week.bought.customers)
    assert lists.features.tobytes() == same.features.tobytes()
    assert lists.features.tobytes() != others.features.tobytes()


def test_a_source_that_is_left_out_has_no_recall():
    _, _, lists, recall = made(without=("two_tower",))
    _, _, whole, _ = made()
    assert "two_tower" not in recall
    assert "repurchase" in recall
    assert len(lists.articles) < len(whole.articles)


def test_a_week_in_which_nobody_bought_has_no_lists():
    world = described_world(4)
    world.purchases = [p for p in world.purchases if p[0] < day(7)]
    week = LabelledWeek(
        world.snapshot(day(7)),
        Purchased(np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(0, np.int32)),
    )
    lists, recall = make_lists(week, recommender_for(world), (), 9, np.random.default_rng(0))
    assert len(lists) == len(lists.learnable()) == 0
    assert lists.features.shape == made()[2].features[:0].shape
    assert recall["union"].recall == 0
