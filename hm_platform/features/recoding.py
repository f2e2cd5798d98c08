"""A snapshot in the codes and scales of other encoders.

Codes of categories and scales are fitted on a week's training split, so those of one week mean
nothing to a model of another. Here the features of a snapshot are translated to what they would be
if they had been computed with the encoders of that model. No Hamilton is needed for it.

One thing is lost: a category that the given encoders do not know has the code 0 in the snapshot and
keeps it, also where the wanted ones know it. It is one that nobody bought in the given training
split.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.features.arrays import Float32s, Int32s
from hm_platform.features.encoders import ARTICLE_VOCABULARIES, CUSTOMER_VOCABULARIES, Encoders
from hm_platform.features.errors import FeatureError
from hm_platform.features.snapshot import Snapshot


def recoded(snapshot: Snapshot, given: Encoders, wanted: Encoders) -> Snapshot:
    """The snapshot as it would be if its features had been computed with other encoders.

    Features that the snapshot does not have are left out. What is not fitted is shared with the
    given snapshot, which is returned itself where both encoders are the same.

    given : the encoders that the snapshot's features were computed with
    wanted : the encoders that they should have been computed with

    Raises FeatureError when a code cannot come from the given encoders, or when prices would have
    to be scaled anew and ``mean_price`` is not there.
    """
    if given == wanted:
        return snapshot
    articles, customers = dict(snapshot.articles), dict(snapshot.customers)
    for name in ARTICLE_VOCABULARIES.keys() & articles.keys():
        articles[name] = _recoded(name, articles[name], given, wanted)
    for name in CUSTOMER_VOCABULARIES.keys() & customers.keys():
        customers[name] = _recoded(name, customers[name], given, wanted)
    if "segment_code" in customers:
        customers["segment_code"] = _segments(customers["segment_code"], given, wanted)
    if "price_scaled" in articles and _differ("price_scaled", given, wanted):
        if "mean_price" not in articles:
            raise FeatureError("prices cannot be scaled anew: the snapshot lacks mean_price")
        articles["price_scaled"] = wanted.scaled_prices(articles["mean_price"])
    if "age_scaled" in customers and _differ("age_scaled", given, wanted):
        known = customers["age_band_code"] > 0
        customers["age_scaled"] = wanted.scaled_ages(_ages(customers["age_scaled"], known, given))
    return replace(snapshot, articles=articles, customers=customers)


def _differ(scale: str, given: Encoders, wanted: Encoders) -> bool:
    return given.scalers[scale] != wanted.scalers[scale]


def _recoded(feature: str, codes: Int32s, given: Encoders, wanted: Encoders) -> Int32s:
    categories = pa.chunked_array([given.vocabularies[feature]], pa.string())
    # Code 0, missing or unknown, stays what it is.
    new = np.concatenate([np.zeros(1, np.int32), wanted.encode(feature, categories)])
    if len(codes) and not 0 <= codes.min() <= codes.max() < len(new):
        raise FeatureError(
            f"{feature} holds the codes {codes.min()} to {codes.max()}, and the encoders that it "
            f"should be computed with know 0 to {len(new) - 1}: build the week's features again"
        )
    return new[codes]


def _segments(segments: Int32s, given: Encoders, wanted: Encoders) -> Int32s:
    club = "club_member_status_code"
    bands, statuses = np.divmod(segments, np.int32(given.size(club)))
    return wanted.segments(bands, _recoded(club, statuses, given, wanted))


def _ages(scaled: Float32s, known: NDArray[np.bool_], given: Encoders) -> Float32s:
    """Ages in years, NaN where unknown. They are whole in the landed files, so that rounding
    restores the very number that was scaled."""
    scaler = given.scalers["age_scaled"]
    ages = np.rint(scaled.astype(np.float64) * scaler.std + scaler.mean)
    return np.where(known, ages, np.nan).astype(np.float32)
