"""What is fitted on the training split, and only there: category codes and scales.

:class:`Encoders` is plain data. It is fitted by the functions of
``hm_platform.features.encoding``, kept as the table ``features/encoders``, stored as JSON with the
model, and given to the very same feature functions for validation, test and serving. Nothing here
needs Hamilton, so that a stored model can be read without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.features.arrays import Float32s, Int32s, Strings
from hm_platform.features.errors import FeatureError

ARTICLE_VOCABULARIES = {
    "product_code": "product",
    "product_type_code": "product_type",
    "product_group_code": "product_group",
    "graphical_appearance_code": "graphical_appearance",
    "colour_group_code": "colour_group",
    "perceived_colour_master_code": "perceived_colour_master",
    "department_code": "department",
    "index_code": "index",
    "section_code": "section",
    "garment_group_code": "garment_group",
}
"""Article feature that holds codes -> the attribute (a function of
``hm_platform.features.attributes``) whose categories are coded."""

CUSTOMER_VOCABULARIES = {
    "club_member_status_code": "club_member_status",
    "fashion_news_frequency_code": "fashion_news_frequency",
}
"""The same for customers."""

VOCABULARIES = (*ARTICLE_VOCABULARIES, *CUSTOMER_VOCABULARIES)
SCALERS = ("age_scaled", "price_scaled")

AGE_BANDS = (0, 20, 30, 40, 50, 60, 70)
"""The youngest age of each age band, in years."""

FLAG_CODES = {None: 0, False: 1, True: 2}
"""The codes of yes-or-no attributes."""

SCHEMA = pa.schema(
    [
        ("week", pa.date32()),
        ("encoder", pa.string()),
        ("category", pa.string()),
        ("code", pa.int32()),
        ("value", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Scaler:
    """``(x - mean) / std``; the standard deviation is never 0."""

    mean: float = 0.0
    std: float = 1.0


@dataclass(frozen=True)
class Encoders:
    """Category codes and scales, each named for the feature that it makes.

    vocabularies : feature -> its categories; a category's code is its position plus one, and 0
        stands for a missing category and for one that no training purchase had
    scalers : feature -> mean and standard deviation
    """

    vocabularies: Mapping[str, tuple[str, ...]]
    scalers: Mapping[str, Scaler]

    def __post_init__(self) -> None:
        for kind, names, given in (
            ("vocabularies", VOCABULARIES, self.vocabularies),
            ("scalers", SCALERS, self.scalers),
        ):
            if set(given) != set(names):
                raise FeatureError(
                    f"encoders need the {kind} {sorted(names)}, and have {sorted(given)}"
                )
        for name, categories in self.vocabularies.items():
            if len(set(categories)) != len(categories):
                raise FeatureError(f"the vocabulary {name} has a category twice")
        for name, scaler in self.scalers.items():
            if not scaler.std > 0:
                raise FeatureError(f"the scale {name} has the standard deviation {scaler.std}")

    def encode(self, feature: str, categories: Strings) -> Int32s:
        """The codes of ``categories``, 0 where missing or unknown; shape (len(categories),)."""
        known = pa.array(self.vocabularies[feature], pa.string())
        positions = pc.index_in(categories, value_set=known, skip_nulls=True)
        return pc.add(pc.fill_null(positions, -1), pa.scalar(1, pa.int32())).to_numpy()

    def scaled_prices(self, prices: Float32s) -> Float32s:
        """Logarithms of prices, standardised; 0 where a price is unknown (NaN) or not positive."""
        scaler = self.scalers["price_scaled"]
        scaled = np.zeros(len(prices), np.float32)
        positive = prices > 0
        scaled[positive] = (np.log(prices[positive].astype(np.float64)) - scaler.mean) / scaler.std
        return scaled

    def scaled_ages(self, ages: Float32s) -> Float32s:
        """Ages in years, standardised; 0 where an age is unknown (NaN)."""
        scaler = self.scalers["age_scaled"]
        scaled = (ages - np.float32(scaler.mean)) / np.float32(scaler.std)
        return np.where(np.isnan(ages), np.float32(0), scaled)

    def segments(self, age_bands: Int32s, club_statuses: Int32s) -> Int32s:
        """Codes of segments, age band by club status; 0 where both are unknown."""
        return age_bands * np.int32(self.size("club_member_status_code")) + club_statuses

    def size(self, feature: str) -> int:
        """How many codes the ``*_code`` feature can take, 0 included."""
        if feature == "age_band_code":
            return len(AGE_BANDS) + 1
        if feature in ("is_active_code", "receives_fashion_news_code"):
            return len(FLAG_CODES)
        if feature == "segment_code":
            return self.size("age_band_code") * self.size("club_member_status_code")
        if feature not in self.vocabularies:
            raise FeatureError(f"{feature} is not a feature that holds codes")
        return len(self.vocabularies[feature]) + 1

    def to_table(self, week: date) -> pa.Table:
        """The rows of ``features/encoders`` for ``week``: a row a category, two a scale."""
        rows: list[tuple[str, str, int | None, float | None]] = []
        for name in VOCABULARIES:
            rows += (
                (name, category, code, None)
                for code, category in enumerate(self.vocabularies[name], 1)
            )
        for name in SCALERS:
            rows.append((name, "mean", None, self.scalers[name].mean))
            rows.append((name, "std", None, self.scalers[name].std))
        encoder, category, code, value = zip(*rows, strict=True)
        return pa.table([[week] * len(rows), encoder, category, code, value], schema=SCHEMA)

    @staticmethod
    def from_table(table: pa.Table) -> Encoders:
        """The encoders whose rows ``table`` holds, in any order.

        Raises FeatureError when an encoder is missing or unknown, or codes are not 1..n.
        """
        vocabularies: dict[str, list[str]] = {name: [] for name in VOCABULARIES}
        scales: dict[str, dict[str, float]] = {}
        ordered = table.sort_by([("encoder", "ascending"), ("code", "ascending")])
        columns = (ordered[name].to_pylist() for name in ("encoder", "category", "code", "value"))
        for encoder, category, code, value in zip(*columns, strict=True):
            if code is None:
                scales.setdefault(encoder, {})[category] = value
                continue
            categories = vocabularies.setdefault(encoder, [])
            categories.append(category)
            if code != len(categories):
                raise FeatureError(
                    f"features/encoders: code {len(categories)} of {encoder} is missing or double"
                )
        if any(set(scale) != {"mean", "std"} for scale in scales.values()):
            raise FeatureError("features/encoders: a scale needs one mean and one std")
        return Encoders(
            {name: tuple(categories) for name, categories in vocabularies.items()},
            {name: Scaler(**scale) for name, scale in scales.items()},
        )

    def to_json(self) -> str:
        """The encoders as JSON; equal encoders give equal text."""
        content = {
            "vocabularies": {name: self.vocabularies[name] for name in VOCABULARIES},
            "scalers": {name: vars(self.scalers[name]) for name in SCALERS},
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)

    @staticmethod
    def from_json(text: str) -> Encoders:
        """The encoders that :meth:`to_json` wrote.

        Raises FeatureError when the text does not hold encoders.
        """
        try:
            content = json.loads(text)
            return Encoders(
                {name: tuple(words) for name, words in content["vocabularies"].items()},
                {name: Scaler(**scale) for name, scale in content["scalers"].items()},
            )
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise FeatureError(f"this JSON does not hold encoders: {error}") from error
