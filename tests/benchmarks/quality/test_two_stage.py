"""The columns and candidates of the two-stage peer, against values counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.pairs import pairs
from benchmarks.quality.peers.two_stage.candidates import Candidates, candidates
from benchmarks.quality.peers.two_stage.features import CustomerTrips, features, pair_columns
from benchmarks.quality.peers.two_stage.ranker import bought, similar_customers
from benchmarks.quality.protocol import WEEK
from tests.benchmarks.quality.shops import CUTOFF, TARGET, busy_shop, everything, history

# Article 0 on days -20, -10 and -6 (twice); trips on -20, -15, -10, -6, -2 in all.
KNOWN = history(
    [(0, 0, -20), (0, 1, -15), (0, 0, -10), (0, 0, -6), (0, 0, -6), (0, 2, -2), (1, 1, -1)], 2, 4
)


def test_a_pairs_rhythm_is_counted_in_days_and_in_trips() -> None:
    columns = pair_columns(pairs(KNOWN), CustomerTrips.of(KNOWN))
    found = {name: values[0] for name, values in columns.items()}
    assert found["days"] == 3
    assert found["purchases_a_day"] == pytest.approx(4 / 3)
    assert (found["age"], found["first_age"], found["last_gap"]) == (6, 20, 4)
    assert (found["gap"], found["gap_spread"]) == pytest.approx((7, 3))
    assert (found["due"], found["due_next_week"]) == pytest.approx((6 / 7, 13 / 7))
    assert (found["trips_since"], found["trip_gap"]) == pytest.approx((1, 1.5))
    assert found["share_of_trips"] == pytest.approx(3 / 5)
    assert found["decayed_10"] == pytest.approx(2**-2 + 2**-1 + 2**-0.6)
    assert found["trips_decayed_0.7"] == pytest.approx(0.7**4 + 0.7**2 + 0.7)


def test_a_pair_that_never_occurred_has_no_rhythm_but_an_article() -> None:
    found = pairs(KNOWN)
    wanted = Candidates(
        np.array([1], dtype=np.int32), np.array([0, 0]), np.array([0, 1], dtype=np.int32)
    )
    columns = features(KNOWN, found, similar_customers(found, 1), wanted)
    assert np.isnan(columns["age"][0])
    assert columns["age"][1] == 1
    assert columns["buyers"].tolist() == [1, 2]
    assert columns["sold_7"].tolist() == [2, 1]
    assert {values.shape for values in columns.values()} == {(2,)}


def test_columns_do_not_change_with_what_happens_later() -> None:
    later = everything([(0, 0, -20), (0, 1, -8), (1, 1, -9), (0, 2, -3), (1, 2, -2)], 2, 4)
    start = CUTOFF - WEEK
    cut = later.before(start)
    alone = everything([(0, 0, -20), (0, 1, -8), (1, 1, -9)], 2, 4).before(start)
    wanted = Candidates(
        np.array([0, 1], dtype=np.int32), np.array([0, 0, 1]), np.array([0, 2, 2], dtype=np.int32)
    )
    for one, other in zip(
        *(
            features(known, pairs(known), similar_customers(pairs(known), 1), wanted).values()
            for known in (cut, alone)
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_candidates_come_sorted_once_each_and_labelled_by_the_week() -> None:
    target = busy_shop().target(TARGET)
    known, customers = target.history.before(CUTOFF - WEEK), target.bought.customers
    found = pairs(known)
    wanted = candidates(known, found, similar_customers(found, 5), customers, 4, 3, 2)
    keys = wanted.rows * known.n_articles + wanted.articles
    assert (np.diff(keys) > 0).all()
    assert wanted.groups().max() <= 4 + 3 + 2 + 4  # equals of the last one come along
    week = target.history.last(WEEK)
    labels = bought(wanted, week)
    pairs_of_week = {*zip(week.customers.tolist(), week.articles.tolist(), strict=True)}
    assert labels.tolist() == [
        float(pair in pairs_of_week)
        for pair in zip(wanted.customers.tolist(), wanted.articles.tolist(), strict=True)
    ]
