"""Pages: a template of this package, filled in and with its style sheet inside."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hm_platform.behaviour.charts import Chart


def page(template: str, view: Mapping[str, Any]) -> str:
    """The HTML document that ``template`` makes of ``view``; what comes from data is escaped."""
    environment = Environment(
        loader=PackageLoader("hm_platform.behaviour"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    css = resources.files("hm_platform.behaviour").joinpath("templates/report.css")
    styled = {**view, "css": Markup(css.read_text("utf-8"))}  # noqa: S704 -- our own file
    return environment.get_template(template).render(styled)


def drawn(chart: Chart) -> dict[str, Any]:
    """A chart as the templates take it."""
    return {
        "title": chart.title,
        "legend": chart.legend,
        "svg": Markup(chart.inline()),  # noqa: S704 -- charts escape what comes from data
    }
