"""Attributes of articles and customers as the catalogue states them: Hamilton functions.

They turn columns of ``staging.stg_articles`` and ``staging.stg_customers`` (row i is the entity
with index i; all null for an entity without a catalogue row) into categories and numbers. Fitting
and encoding both start from these functions, so they cannot disagree on what a category is.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.features.arrays import Float32s, Strings

ARTICLE_COLUMNS = (
    "product_code", "product_type_no", "product_type_name", "product_group_name",
    "graphical_appearance_no", "graphical_appearance_name", "colour_group_code",
    "colour_group_name", "perceived_colour_master_id", "perceived_colour_master_name",
    "department_no", "department_name", "index_code", "index_name", "section_no", "section_name",
    "garment_group_no", "garment_group_name",
)  # fmt: skip
"""The columns of ``staging.stg_articles`` that the functions of articles read."""

CUSTOMER_COLUMNS = (
    "receives_fashion_news", "is_active", "club_member_status", "fashion_news_frequency", "age",
)  # fmt: skip
"""The columns of ``staging.stg_customers`` that the functions of customers read."""


def _number_or_name(rows: pa.Table, number: str, name: str) -> Strings:
    """The number as text where there is one, else the name: H&M gives one name to several
    numbers, and other sources have names only."""
    return pc.coalesce(pc.cast(rows[number], pa.string()), rows[name])


def product(articles: pa.Table) -> Strings:
    """The product that the article is a variant of."""
    return articles["product_code"]


def product_type(articles: pa.Table) -> Strings:
    """What kind of thing the article is: trousers, socks, soft drinks."""
    return _number_or_name(articles, "product_type_no", "product_type_name")


def product_group(articles: pa.Table) -> Strings:
    """The group of product types that the article belongs to."""
    return articles["product_group_name"]


def graphical_appearance(articles: pa.Table) -> Strings:
    """The pattern or look of the article."""
    return _number_or_name(articles, "graphical_appearance_no", "graphical_appearance_name")


def colour_group(articles: pa.Table) -> Strings:
    """The fine-grained colour of the article."""
    return _number_or_name(articles, "colour_group_code", "colour_group_name")


def perceived_colour_master(articles: pa.Table) -> Strings:
    """The main colour that people see in the article."""
    return _number_or_name(articles, "perceived_colour_master_id", "perceived_colour_master_name")


def department(articles: pa.Table) -> Strings:
    """The department that sells the article."""
    return _number_or_name(articles, "department_no", "department_name")


def index(articles: pa.Table) -> Strings:
    """The part of the assortment that the article is listed in."""
    return _number_or_name(articles, "index_code", "index_name")


def section(articles: pa.Table) -> Strings:
    """The section of the shop where the article is found."""
    return _number_or_name(articles, "section_no", "section_name")


def garment_group(articles: pa.Table) -> Strings:
    """The group of garments that the article is planned with."""
    return _number_or_name(articles, "garment_group_no", "garment_group_name")


def club_member_status(customers: pa.Table) -> Strings:
    """The customer's standing in the membership club."""
    return customers["club_member_status"]


def fashion_news_frequency(customers: pa.Table) -> Strings:
    """How often the customer wants to hear of fashion news."""
    return customers["fashion_news_frequency"]


def age(customers: pa.Table) -> Float32s:
    """The customer's age in years, NaN where it is unknown or negative."""
    years = np.asarray(pc.cast(customers["age"], pa.float32()).to_numpy())
    return np.where(years >= 0, years, np.float32(np.nan))


def is_active(customers: pa.Table) -> pa.ChunkedArray:
    """Whether the customer is active for communication; null where unknown."""
    return customers["is_active"]


def receives_fashion_news(customers: pa.Table) -> pa.ChunkedArray:
    """Whether the customer receives fashion news; null where unknown."""
    return customers["receives_fashion_news"]
