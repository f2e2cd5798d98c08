"""Encoders as data: round trips, codes, and what is refused."""

from __future__ import annotations

import json
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.features.encoders import (
    SCALERS,
    SCHEMA,
    VOCABULARIES,
    Encoders,
    Scaler,
)
from hm_platform.features.errors import FeatureError
from tests.features.world import NOTHING_FITTED

WEEK = date(2020, 9, 16)
finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.lists(st.text(st.characters(codec="utf-8")), unique=True, max_size=5).map(tuple)
any_encoders = st.builds(
    Encoders,
    st.fixed_dictionaries(dict.fromkeys(VOCABULARIES, words)),
    st.fixed_dictionaries(
        dict.fromkeys(SCALERS, st.builds(Scaler, finite, finite.filter(lambda value: value > 0)))
    ),
)


@given(any_encoders)
def test_encoders_come_back_from_json(encoders: Encoders) -> None:
    assert Encoders.from_json(encoders.to_json()) == encoders


@given(any_encoders, st.randoms())
def test_encoders_come_back_from_their_table_in_any_order(encoders: Encoders, random) -> None:
    table = encoders.to_table(WEEK)
    rows = list(range(len(table)))
    random.shuffle(rows)

    assert Encoders.from_table(table.take(rows)) == encoders


@given(any_encoders)
def test_the_table_says_the_same_as_the_codes(encoders: Encoders) -> None:
    table = encoders.to_table(WEEK)

    assert table.schema == SCHEMA
    assert set(table["week"].to_pylist()) == {WEEK}
    for name in VOCABULARIES:
        mine = table.filter(pc.equal(table["encoder"], name))
        assert encoders.encode(name, mine["category"]).tolist() == mine["code"].to_pylist()
        assert encoders.size(name) == len(mine) + 1


def test_the_text_of_equal_encoders_is_equal() -> None:
    backwards = Encoders(
        dict(reversed(NOTHING_FITTED.vocabularies.items())),
        dict(reversed(NOTHING_FITTED.scalers.items())),
    )

    assert backwards.to_json() == NOTHING_FITTED.to_json()


def test_an_empty_vocabulary_knows_nothing() -> None:
    codes = NOTHING_FITTED.encode("section_code", pa.chunked_array([["a", None]], pa.string()))

    assert codes.tolist() == [0, 0]
    assert NOTHING_FITTED.size("section_code") == 1


@pytest.mark.parametrize(
    ("feature", "size"),
    [("age_band_code", 8), ("is_active_code", 3), ("segment_code", 8), ("index_code", 1)],
)
def test_every_code_feature_has_a_size(feature: str, size: int) -> None:
    assert NOTHING_FITTED.size(feature) == size


def test_a_feature_without_codes_has_no_size() -> None:
    with pytest.raises(FeatureError, match="price_scaled"):
        NOTHING_FITTED.size("price_scaled")


def test_a_missing_or_repeated_code_in_the_table_is_refused() -> None:
    fitted = Encoders(
        NOTHING_FITTED.vocabularies | {"index_code": ("a", "b", "c")}, NOTHING_FITTED.scalers
    )
    table = fitted.to_table(WEEK)
    without_b = table.filter(pc.not_equal(table["category"], "b"))

    with pytest.raises(FeatureError, match="index_code"):
        Encoders.from_table(without_b)
    with pytest.raises(FeatureError, match="index_code"):
        Encoders.from_table(pa.concat_tables([table, table]))


def test_a_table_without_a_scale_is_refused() -> None:
    table = NOTHING_FITTED.to_table(WEEK)

    with pytest.raises(FeatureError, match="scaler"):
        Encoders.from_table(table.filter(pc.not_equal(table["encoder"], "age_scaled")))
    with pytest.raises(FeatureError, match="one mean and one std"):
        Encoders.from_table(table.filter(pc.not_equal(table["category"], "std")))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"vocabularies": {}, "scalers": {}}', '{"vocabularies": 1}']
)
def test_json_that_holds_no_encoders_is_refused(text: str) -> None:
    with pytest.raises(FeatureError):
        Encoders.from_json(text)


def test_a_scale_without_spread_is_refused() -> None:
    content = json.loads(NOTHING_FITTED.to_json())
    content["scalers"]["age_scaled"]["std"] = 0.0

    with pytest.raises(FeatureError, match="age_scaled"):
        Encoders.from_json(json.dumps(content))
