"""What is compared: a declaration a quantity, and how large a change of it is worth a look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hm_platform.features import catalogue

SOME = 0.1
"""A stability index from which there is some change, by the usual reading; see ``stability``.

In the ordinary weeks of the sample no quantity of PURCHASES gets there: the highest are 0.08, of
prices in weeks of many offers. 0.25, "a large change", would let Thanksgiving pass.
"""

FEW = 0.02
"""The same for what should be next to none, where an index of 0.1 would be a tenth of all."""

WEEKS_BEFORE = 8
"""How many weeks before a week it is compared with, as far as they have purchases."""

FEWEST_WEEKS = 3
"""With fewer weeks to compare with, numbers are shown and not judged."""

NEW_DAYS = 28
"""For how many days from its first sale on an article is new."""

NEW_HISTORY_DAYS = 84
"""Of how many days before a week one has to know what was sold to tell what is new.

In a shop's first weeks all is new, and for months articles that sell seldom are sold for the first
time: in the sample the share of new articles falls from 48% in the fifth week to 8% in the twelfth.
"""

Kind = Literal["number", "category", "yes_or_no"]
Unit = Literal["purchases", "buyers", "articles", "customers"]


@dataclass(frozen=True)
class Volume:
    """A number a week, compared with its median over the weeks before.

    most : the ratio to the median may lie between one over this and this
    """

    name: str
    label: str
    table: Literal["purchases", "buyers"]
    most: float


@dataclass(frozen=True)
class Statistic:
    """A number a week.

    measure : its name in the table
    sql : the aggregate over the staged rows of a week
    words : its name for people
    """

    measure: str
    sql: str
    words: str


@dataclass(frozen=True)
class Quantity:
    """A distribution over what there was of something in a week.

    of : the purchases, the customers who made them, the feature rows of the articles that were
        sold, or those of the customers who bought
    sql : its value for a staged row of these; NULL = unknown, a bin of its own
    limit : the stability index up to which a change is none, beyond what chance explains
    statistic : the one number a week that people follow, if any
    history_days : of how many days before a week something has to be known for its value to mean
        the same as in other weeks
    """

    name: str
    label: str
    of: Unit
    kind: Kind
    sql: str
    limit: float = SOME
    statistic: Statistic | None = None
    history_days: int = 0


VOLUMES = (
    Volume("purchases", "Purchases", "purchases", 1.5),
    Volume("buyers", "Customers who bought", "buyers", 1.5),
)


def _share(sql: str, value: str = "yes", words: str = "share") -> Statistic:
    return Statistic("share", f"avg(({sql} = '{value}')::DOUBLE)", words)


def _yes(condition: str) -> str:
    return f"CASE WHEN {condition} THEN 'yes' ELSE 'no' END"


_CHANNEL = "CASE sales_channel_id WHEN 1 THEN 'store' WHEN 2 THEN 'online' END"
_AGE = (
    "CASE WHEN age < 20 THEN 'under 20' WHEN age >= 70 THEN '70 and over' "
    "WHEN age IS NOT NULL THEN (age // 10 * 10) || ' to ' || (age // 10 * 10 + 9) END"
)
_NEW = _yes(f"t_dat - first_sold < {NEW_DAYS}")

PURCHASES = (
    Quantity("price", "Price", "purchases", "number", "price",
             statistic=Statistic("median", "median(price)", "median")),
    Quantity("sales_channel", "Sales channel", "purchases", "category", _CHANNEL,
             statistic=_share(_CHANNEL, "online", "share online")),
    Quantity("day_of_week", "Day of the week", "purchases", "category", "dayname(t_dat)"),
    Quantity("product_group", "Product group", "purchases", "category", "product_group_name"),
    Quantity("department", "Department", "purchases", "category", "department_name"),
    Quantity("new_articles", f"Articles first sold within {NEW_DAYS} days", "purchases",
             "yes_or_no", _NEW, statistic=_share(_NEW), history_days=NEW_HISTORY_DAYS),
    Quantity("articles_without_catalogue", "Articles without a catalogue row", "purchases",
             "yes_or_no", _yes("NOT has_article"), limit=FEW,
             statistic=_share(_yes("NOT has_article"))),
    Quantity("customers_without_record", "Customers without a customer row", "buyers",
             "yes_or_no", _yes("NOT has_customer"), limit=FEW,
             statistic=_share(_yes("NOT has_customer"))),
    Quantity("age", "Age of the buyers", "buyers", "category", _AGE,
             statistic=Statistic("median", "median(age)", "median")),
    Quantity("club_status", "Club status of the buyers", "buyers", "category",
             "club_member_status"),
    Quantity("purchases_each", "Purchases a buyer", "buyers", "number", "purchases",
             statistic=Statistic("mean", "avg(purchases)", "mean")),
)  # fmt: skip

WINDOW_DAYS = 28
"""How far back the features look that are compared."""

# Not those that grow with a shop's age, such as the days since an article's first sale: they say
# that time goes by.
_FEATURES: dict[Literal["articles", "customers"], tuple[str, ...]] = {
    "articles": (
        "purchases_last_week", "purchases_last_4_weeks", "days_per_buyer",
        "repurchase_rate_4_weeks", "online_share_last_4_weeks", "mean_price",
        "price_last_week_ratio", "product_group_code", "department_code", "index_code",
        "section_code", "garment_group_code", "colour_group_code",
    ),
    "customers": (
        "purchases_last_4_weeks", "shopping_days_last_4_weeks", "decayed_shopping_days_14",
        "online_share", "age_band_code", "club_member_status_code",
        "fashion_news_frequency_code", "is_active_code", "receives_fashion_news_code",
    ),
}  # fmt: skip


def _feature(table: Literal["articles", "customers"], name: str) -> Quantity:
    declared = {column.name: column for column in catalogue.features(table)}[name]
    return Quantity(
        f"{table}.{name}",
        f"{table}: {name}",
        table,
        "category" if declared.tags["unit"] == "code" else "number",
        name,
        history_days=WINDOW_DAYS if "4_weeks" in name or "_14" in name else 0,
    )


FEATURES = tuple(_feature(table, name) for table, names in _FEATURES.items() for name in names)


def feature_columns(table: Literal["articles", "customers"]) -> tuple[str, ...]:
    """The columns of ``features/<table>`` that are compared."""
    return _FEATURES[table]


def is_feature(quantity: str) -> bool:
    """Whether the quantity of that name is one of FEATURES."""
    return "." in quantity
