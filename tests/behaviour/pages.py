"""Pages read back: their tags in order, their tables as texts."""

from __future__ import annotations

from html.parser import HTMLParser

from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.reclist_tests import run_behavioral_tests
from hm_platform.behaviour.report import render_html

VOID = {"meta", "link", "img", "br"}


def page(inputs: ReportInputs) -> str:
    return render_html(inputs, run_behavioral_tests(inputs))


class Checked(HTMLParser):
    """Refuses tags that are not closed in order; collects tags, attributes and tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute twice in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"th", "td"}:
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


def table(inputs: ReportInputs, first_head: str) -> list[list[str]]:
    return next(t for t in Checked(page(inputs)).tables if t[0][0] == first_head)
