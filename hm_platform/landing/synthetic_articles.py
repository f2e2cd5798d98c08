"""A made-up catalogue: which articles there are, what they cost, and how well each sells when.

Articles are launched week by week, the first of them thirty weeks before the data begin. Everything
about a launch depends on the seed and its week alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.landing.columns import COLUMNS
from hm_platform.landing.synthetic_customers import draws

LAUNCHED_BEFORE = 30
LAUNCHES = 782 / 1_371_980
"""Articles launched a week and customer: 135 weeks of it make H&M's 105,542 articles."""
FEWEST_LAUNCHES, MOST_LAUNCHES = 10, 2_000
BASICS = 0.08
FOREVER = 10_000
PRICE_UNIT = 590

PARTS = (
    # index_code, index_name, index_group_no, index_group_name, section_no, section_name, kinds
    ("A", "Ladieswear", 1, "Ladieswear", 15, "Womens Everyday Collection", (0, 1, 2, 3, 4, 5, 9)),
    ("D", "Divided", 2, "Divided", 53, "Divided Collection", (0, 1, 2, 3, 4, 5, 6, 9)),
    ("F", "Menswear", 3, "Menswear", 21, "Contemporary Casual", (0, 2, 4, 5, 6, 7, 8)),
    (
        "G",
        "Baby Sizes 50-98",
        4,
        "Baby/Children",
        44,
        "Baby Essentials & Complements",
        (0, 2, 4, 7),
    ),
    ("S", "Sport", 26, "Sport", 5, "Ladies H&M Sport", (0, 2, 6, 8)),
)
"""The parts of the shop: what H&M calls an index, with one section each."""

PART_SHARES = np.array([0.40, 0.20, 0.17, 0.15, 0.08])

KINDS = (
    # number, type, group, garment group number and name, typical price, week of its season or None
    (253, "Vest top", "Garment Upper body", 1002, "Jersey Basic", 9.0, 40),
    (265, "Dress", "Garment Full body", 1013, "Dresses Ladies", 25.0, 38),
    (272, "Trousers", "Garment Lower body", 1009, "Trousers", 24.0, None),
    (254, "Top", "Garment Upper body", 1005, "Jersey Fancy", 13.0, None),
    (252, "Sweater", "Garment Upper body", 1003, "Knitwear", 24.0, 10),
    (262, "Jacket", "Garment Upper body", 1007, "Outdoor", 40.0, 6),
    (274, "Shorts", "Garment Lower body", 1025, "Shorts", 15.0, 40),
    (302, "Socks", "Socks & Tights", 1021, "Socks and Tights", 6.0, 12),
    (286, "Underwear bottom", "Underwear", 1017, "Under-, Nightwear", 12.0, None),
    (298, "Bikini top", "Swimwear", 1018, "Swimwear", 13.0, 39),
)
COLOURS = (
    # colour group code and name, value id and name, master id and name
    ("09", "Black", 4, "Dark", 5, "Black"),
    ("10", "White", 3, "Light", 9, "White"),
    ("73", "Dark Blue", 4, "Dark", 2, "Blue"),
    ("72", "Blue", 2, "Medium Dusty", 2, "Blue"),
    ("51", "Light Pink", 1, "Dusty Light", 4, "Pink"),
    ("12", "Light Beige", 1, "Dusty Light", 11, "Beige"),
    ("07", "Grey", 2, "Medium Dusty", 12, "Grey"),
    ("42", "Red", 5, "Bright", 18, "Red"),
    ("93", "Dark Green", 4, "Dark", 19, "Green"),
    ("22", "Yellow", 5, "Bright", 8, "Yellow"),
)
COLOUR_SHARES = np.array([0.24, 0.14, 0.13, 0.10, 0.09, 0.09, 0.08, 0.05, 0.05, 0.03])
PATTERNS = (
    (1010016, "Solid"),
    (1010001, "All over pattern"),
    (1010017, "Stripe"),
    (1010023, "Denim"),
)
PATTERN_SHARES = np.array([0.62, 0.20, 0.11, 0.07])
NAMES = (
    "Tilly",
    "Jade",
    "Luna",
    "Strap",
    "Basic",
    "Perrie",
    "Despacito",
    "Cat",
    "Shake it",
    "Ohlsson",
)
LOW_PRICES = (2.99, 3.99, 4.99, 5.99, 7.99, 9.99, 12.99, 14.99, 17.99, 19.99, 24.99, 29.99)
HIGH_PRICES = (34.99, 39.99, 49.99, 59.99, 69.99, 79.99, 99.99, 129.0, 149.0, 199.0, 299.0)
PRICE_POINTS = np.array((*LOW_PRICES, *HIGH_PRICES))


@dataclass(frozen=True)
class Catalogue:
    """The articles that are launched by the last week, in the order of their ids; arrays of int64,
    unless said otherwise.

    product, variant : the two halves of the id
    launch, life : first week on sale (negative before the data begin), and weeks on sale
    appeal : float64, how well it sells in its prime
    point : float64, full price
    part, kind, colour, pattern : positions in PARTS, KINDS, COLOURS, PATTERNS
    name : number of its product's name
    described : bool, whether it has a description
    """

    product: NDArray[np.int64]
    variant: NDArray[np.int64]
    launch: NDArray[np.int64]
    life: NDArray[np.int64]
    appeal: NDArray[np.float64]
    point: NDArray[np.float64]
    part: NDArray[np.int64]
    kind: NDArray[np.int64]
    colour: NDArray[np.int64]
    pattern: NDArray[np.int64]
    name: NDArray[np.int64]
    described: NDArray[np.bool_]

    def article_ids(self) -> pa.StringArray:
        return pa.array(
            [f"0{p:06d}{v:03d}" for p, v in zip(self.product, self.variant, strict=True)]
        )

    def shelf(self, week: int) -> NDArray[np.float64]:
        """How well each article sells in a week; 0 where it is not on sale."""
        age = week - self.launch
        fading = 0.12 + np.exp(-3.0 * age / self.life)
        peaks = np.array([-1 if kind[-1] is None else kind[-1] for kind in KINDS])[self.kind]
        season = 1 + 0.8 * np.cos(2 * np.pi * (week - peaks) / 52) * (peaks >= 0)
        return np.where((age >= 0) & (age < self.life), self.appeal * fading * season, 0.0)

    def prices(self, week: int) -> NDArray[np.float64]:
        """What each article costs in a week: less and less in the last third of its life."""
        lived = (week - self.launch) / self.life
        discount = np.array([0.0, 0.2, 0.4, 0.6])[np.digitize(lived, [0.67, 0.8, 0.9])]
        return np.round(self.point * (1 - discount), 2) / PRICE_UNIT

    def pick(
        self, shelf: NDArray[np.float64], part: NDArray[np.int64], where: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """An article for each purchase, by sales weight.

        part : the part of the shop it comes from, -1 for any. where : uniform in [0, 1).
        """
        order = np.argsort(self.part, kind="stable")
        total = np.concatenate([[0.0], np.cumsum(shelf[order])])
        ends = np.searchsorted(self.part[order], np.arange(len(PARTS) + 1))
        low, high = total[ends[part]], total[ends[part + 1]]
        anywhere = (part < 0) | (high <= low)
        low, high = np.where(anywhere, 0.0, low), np.where(anywhere, total[-1], high)
        found = np.searchsorted(total, low + where * (high - low), side="right") - 1
        return order[np.minimum(found, len(order) - 1)]

    def csv(self) -> pa.Table:
        """What H&M's ``articles.csv`` would hold."""
        parts, kinds = _columns(PARTS, self.part), _columns(KINDS, self.kind)
        colours, patterns = _columns(COLOURS, self.colour), _columns(PATTERNS, self.pattern)
        product = pa.array([f"0{p:06d}" for p in self.product])
        names = pa.array(NAMES).take(pa.array(self.name))
        text = [
            f'{kind} in a soft weave, with a so-called "regular fit".' if known else None
            for kind, known in zip(kinds[1].to_pylist(), self.described, strict=True)
        ]
        departments = self.part * 1000 + self.kind * 10 + 1010
        columns = [
            *(self.article_ids(), product, names, *kinds[:3], *patterns, *colours),
            *(pa.array(departments), kinds[4], *parts[:6], kinds[3], kinds[4], pa.array(text)),
        ]
        return pa.table(columns, names=[column.name for column in COLUMNS["articles"]])


def _columns(rows: tuple[tuple[object, ...], ...], positions: NDArray[np.int64]) -> list[pa.Array]:
    indices = pa.array(positions)
    return [pa.array(list(column)).take(indices) for column in list(zip(*rows, strict=True))]


def make_catalogue(seed: int, customers: int, weeks: int) -> Catalogue:
    """The articles launched before the end of ``weeks`` in a shop with so many customers."""
    launches = int(np.clip(round(LAUNCHES * customers), FEWEST_LAUNCHES, MOST_LAUNCHES))
    parts = [_launch(seed, week, launches) for week in range(-LAUNCHED_BEFORE, weeks)]
    names = [field.name for field in fields(Catalogue)]
    return Catalogue(**{name: np.concatenate([part[name] for part in parts]) for name in names})


def _launch(seed: int, week: int, n: int) -> dict[str, NDArray]:
    """The ``n`` articles launched in a week."""
    random = draws(seed, 0, week + LAUNCHED_BEFORE)
    # Products have two variants on average. All that a product shares is drawn for every article,
    # and taken from the product's first.
    first = random.random(n) < 0.45
    first[0] = True
    product = np.cumsum(first) - 1
    leader = np.flatnonzero(first)[product]
    part = random.choice(len(PARTS), n, p=PART_SHARES)[leader]
    offered = [kinds for *_, kinds in PARTS]
    chance = random.random(n)[leader]
    kind = np.array(
        [offered[p][int(c * len(offered[p]))] for p, c in zip(part, chance, strict=True)]
    )
    typical = np.array([row[5] for row in KINDS])[kind]
    wanted = typical * random.lognormal(0.0, 0.4, n)[leader]
    basic = random.random(n)[leader] < BASICS
    life = np.where(basic, FOREVER, 4 + random.gamma(2.0, 9.0, n)[leader].astype(int))
    return {
        # Six digits, so that with its leading zero a product code has H&M's seven.
        "product": 108_000 + (week + LAUNCHED_BEFORE) * n + product,
        "variant": np.arange(n) - leader + 1,
        "launch": np.full(n, week),
        "life": life,
        # A Pareto tail makes sales fall with a power of the rank, as Zipf's law has it; H&M's best
        # sellers do not run away as far as that would have them.
        "appeal": np.minimum(random.pareto(1.3, n)[leader], 30) * random.uniform(0.3, 1.0, n),
        "point": PRICE_POINTS[
            np.clip(np.searchsorted(PRICE_POINTS, wanted), 0, len(PRICE_POINTS) - 1)
        ],
        "part": part,
        "kind": kind,
        "colour": random.choice(len(COLOURS), n, p=COLOUR_SHARES),
        "pattern": random.choice(len(PATTERNS), n, p=PATTERN_SHARES)[leader],
        "name": random.integers(0, len(NAMES), n)[leader],
        "described": random.random(n)[leader] >= 0.004,
    }
