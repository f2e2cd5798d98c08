"""The picture of a feature graph: complete, well-formed, without overlap, the same every time."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest

from hm_platform.features import catalogue, picture
from hm_platform.features.errors import FeatureError

SVG = "{http://www.w3.org/2000/svg}"


def boxes(text: str) -> dict[str, tuple[float, float, float, float]]:
    """Left, top, right and bottom of every box, by its text."""
    found = {}
    for box in ElementTree.fromstring(text).iter(f"{SVG}g"):  # noqa: S314 - our own text
        x, y, width, height = (
            float(box.find(f"{SVG}rect").get(key)) for key in ("x", "y", "width", "height")
        )
        found[box.findtext(f"{SVG}text")] = (x, y, x + width, y + height)
    return found


@pytest.mark.parametrize("table", catalogue.TABLES)
def test_every_column_is_drawn_and_every_line_runs_to_the_right(table: str) -> None:
    drawn = boxes(picture.feature_graph_svg(table))

    assert {column.name for column in catalogue.features(table)} <= drawn.keys()
    for name, node in picture.nodes(table).items():
        for given in node.inputs:
            assert drawn[given][2] < drawn[name][0]


@pytest.mark.parametrize("table", catalogue.TABLES)
def test_no_box_covers_another_or_leaves_the_picture(table: str) -> None:
    text = picture.feature_graph_svg(table)
    root = ElementTree.fromstring(text)  # noqa: S314 - our own text
    width, height = float(root.get("width")), float(root.get("height"))

    drawn = boxes(text)

    for left, top, right, bottom in drawn.values():
        assert left >= 0 <= top
        assert right <= width
        assert bottom <= height
    for one, other in combinations(drawn.values(), 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_texts_fit_their_boxes() -> None:
    # A monospaced letter is 0.6 of the font size wide.
    for name, (left, _, right, _) in boxes(picture.feature_graph_svg("articles")).items():
        assert len(name) * 12 * 0.6 + 9 <= right - left


def test_what_a_picture_shows() -> None:
    nodes = picture.nodes("customers")

    assert nodes["age"].inputs == ("customers",)
    assert nodes["segment_code"].kind == "fitted"
    assert nodes["age_band_code"].kind == "feature"
    assert nodes["shopped_week"].kind == "input"
    assert "articles" not in nodes
    assert not [name for name in nodes if name.endswith(("_raw", "_check"))]


def test_the_picture_is_the_same_every_time() -> None:
    assert picture.feature_graph_svg("articles") == picture.feature_graph_svg("articles")


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(FeatureError, match="features/prices"):
        picture.feature_graph_svg("prices")
