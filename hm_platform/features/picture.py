"""The picture of a feature graph, drawn from Hamilton's own graph.

Hamilton draws through the ``dot`` program, which is not a Python package and not on every machine.
This draws the same graph with nothing but text: layers from left to right, each function to the
right of all that it takes, in an order that keeps the lines short (Sugiyama, Tagawa and Toda 1981,
layers by longest path and one barycentre ordering per sweep).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from hamilton.function_modifiers.validation import IS_DATA_VALIDATOR_TAG

from hm_platform.features.graphs import graph

_COLOURS = {
    "input": ("#eceff1", "#78909c", "bound by the driver"),
    "step": ("#ffffff", "#78909c", "step on the way"),
    "feature": ("#e3f2fd", "#1976d2", "as of the cut-off"),
    "fitted": ("#fff3e0", "#ef6c00", "by what is fitted on the training split"),
}
_BOX_HEIGHT, _ROW, _CHARACTER, _GAP, _MARGIN, _LEGEND = 24, 34, 7.4, 90, 16, 44
_SWEEPS = 12
_BEND = "@"
_LINE = "#90a4ae"
_FONT = "'DejaVu Sans Mono', Menlo, Consolas, monospace"


@dataclass(frozen=True)
class Node:
    """A function or an input of a feature graph.

    kind : a key of the legend: input, step, feature or fitted
    inputs : the names of the nodes that it takes, sorted
    """

    name: str
    kind: str
    description: str
    inputs: tuple[str, ...]


def nodes(table: str) -> dict[str, Node]:
    """The functions that the columns of ``features/<table>`` need, and their inputs, by name.

    Raises FeatureError when there is no such table.
    """
    # Hamilton splits a checked function into the function ("x_raw"), the checks and the result.
    # Neither the split nor the checks are of interest to whoever looks at the picture.
    listed = {
        node.name: node
        for node in graph(table).list_available_variables()
        if IS_DATA_VALIDATOR_TAG not in node.tags
    }
    checked = {name.removesuffix("_raw") for name in listed if name.endswith("_raw")} & set(listed)
    found: dict[str, Node] = {}
    wanted = [name for name, node in listed.items() if "entity" in node.tags] or ["encoders"]
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        node = listed[f"{name}_raw" if name in checked else name]
        tags = listed[name].tags
        if node.is_external_input:
            kind = "input"
        elif "entity" in tags:
            kind = "feature" if tags["fitted"] == "no" else "fitted"
        else:
            kind = "fitted" if name == "encoders" else "step"
        description = "" if node.is_external_input else node.documentation or ""
        inputs = sorted(node.required_dependencies | node.optional_dependencies)
        found[name] = Node(name, kind, " ".join(description.split()), tuple(inputs))
        wanted += inputs
    return {name: found[name] for name in sorted(found)}


def _users(graph_nodes: Mapping[str, Node]) -> dict[str, list[str]]:
    """By name, the nodes that take it."""
    users: dict[str, list[str]] = {name: [] for name in graph_nodes}
    for name, node in graph_nodes.items():
        for given in node.inputs:
            users[given].append(name)
    return users


def _depths(graph_nodes: Mapping[str, Node]) -> dict[str, int]:
    """The layer of each node, from 0: one more than that of the last of its inputs.

    An input moves up to the layer before the first node that takes it, so that lines are short.
    """
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = 1 + max((depth(given) for given in graph_nodes[name].inputs), default=-1)
        return depths[name]

    for name in graph_nodes:
        depth(name)
    users = _users(graph_nodes)
    for name, node in graph_nodes.items():
        if node.kind == "input":
            depths[name] = min(depths[user] for user in users[name]) - 1
    return depths


def _with_bends(graph_nodes: Mapping[str, Node], depths: dict[str, int]) -> dict[str, Node]:
    """The graph with a bend in every layer that a line crosses, so that no box is drawn over it."""
    bent: dict[str, Node] = {}
    for name, node in graph_nodes.items():
        inputs = []
        for given in node.inputs:
            last = given
            for depth in range(depths[given] + 1, depths[name]):
                bend = f"{given}{_BEND}{depth}"
                bent[bend] = Node(bend, "bend", "", (last,))
                depths[bend] = depth
                last = bend
            inputs.append(last)
        bent[name] = replace(node, inputs=tuple(inputs))
    return bent


def _layers(graph_nodes: Mapping[str, Node], depths: Mapping[str, int]) -> list[list[str]]:
    """The names by layer, each layer in drawing order."""
    users = _users(graph_nodes)
    inputs = {name: node.inputs for name, node in graph_nodes.items()}
    layers: list[list[str]] = [[] for _ in range(max(depths.values()) + 1)]
    for name in graph_nodes:
        layers[depths[name]].append(name)
    place: dict[str, float] = {}

    def settle(layer: list[str]) -> None:
        place.update({name: (row + 0.5) / len(layer) for row, name in enumerate(layer)})

    def barycentre(name: str, beside: Mapping[str, Sequence[str]]) -> tuple[float, str]:
        others = beside[name] or [name]
        return sum(place[other] for other in others) / len(others), name

    for layer in layers:
        settle(layer)
    for _ in range(_SWEEPS):
        for layer in reversed(layers):
            layer.sort(key=lambda name: barycentre(name, users))
            settle(layer)
        for layer in layers:
            layer.sort(key=lambda name: barycentre(name, inputs))
            settle(layer)
    return layers


def feature_graph_svg(table: str) -> str:
    """The functions behind ``features/<table>`` as an SVG picture; the same text every time.

    Hovering over a box shows what the function means.

    Raises FeatureError when there is no such table.
    """
    graph_nodes = nodes(table)
    depths = _depths(graph_nodes)
    graph_nodes = _with_bends(graph_nodes, depths)
    layers = _layers(graph_nodes, depths)
    rows = max(len(layer) for layer in layers)
    boxes: dict[str, tuple[float, float, float]] = {}
    left = float(_MARGIN)
    for layer in layers:
        longest = max(len(name) for name in layer if graph_nodes[name].kind != "bend")
        width = longest * _CHARACTER + 18
        top = _MARGIN + (rows - len(layer)) * _ROW / 2
        for row, name in enumerate(layer):
            boxes[name] = (left, top + row * _ROW, width)
        left += width + _GAP
    legend, legend_width = _legend({node.kind for node in graph_nodes.values()}, rows)
    width = max(left - _GAP, legend_width) + _MARGIN
    height = 2 * _MARGIN + rows * _ROW + _LEGEND
    lines = [
        _curve(boxes[given], boxes[name], "encoders" in (given.split(_BEND)[0], name))
        for name, node in graph_nodes.items()
        for given in node.inputs
    ]
    drawn = [_box(node, *boxes[name]) for name, node in graph_nodes.items()]
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FONT}" font-size="12">',
            f"<title>The functions behind features/{escape(table)}</title>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            *lines,
            *drawn,
            *legend,
            "</svg>\n",
        ]
    )


def _curve(start: tuple[float, float, float], end: tuple[float, float, float], fitted: bool) -> str:
    x, y, width = start
    x, y = x + width, y + _BOX_HEIGHT / 2
    to_x, to_y = end[0], end[1] + _BOX_HEIGHT / 2
    middle = (x + to_x) / 2
    colour = _COLOURS["fitted"][1] if fitted else _LINE
    return (
        f'<path d="M{x:.1f} {y:.1f} C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} '
        f'{to_x:.1f} {to_y:.1f}" fill="none" stroke="{colour}" stroke-opacity="0.6"/>'
    )


def _box(node: Node, x: float, y: float, width: float) -> str:
    if node.kind == "bend":
        colour = _COLOURS["fitted"][1] if node.name.split(_BEND)[0] == "encoders" else _LINE
        middle = y + _BOX_HEIGHT / 2
        return (
            f'<path d="M{x:.1f} {middle:.1f} H{x + width:.1f}" fill="none" stroke="{colour}" '
            f'stroke-opacity="0.6"/>'
        )
    fill, line, meaning = _COLOURS[node.kind]
    return (
        f"<g><title>{escape(node.description or meaning)}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_BOX_HEIGHT}" rx="4" '
        f'fill="{fill}" stroke="{line}"/>'
        f'<text x="{x + 9:.1f}" y="{y + 16:.1f}">{escape(node.name)}</text></g>'
    )


def _legend(kinds: set[str], rows: int) -> tuple[list[str], float]:
    """The legend's boxes and where they end."""
    x = float(_MARGIN)
    y = 2.0 * _MARGIN + rows * _ROW
    drawn = []
    for kind, (_, _, meaning) in _COLOURS.items():
        if kind in kinds:
            width = len(meaning) * _CHARACTER + 18
            drawn.append(_box(Node(meaning, kind, "", ()), x, y, width))
            x += width + _MARGIN
    return drawn, x - _MARGIN
