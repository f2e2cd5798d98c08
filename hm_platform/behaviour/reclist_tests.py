"""The behavioural tests as RecList runs them.

RecList collects the methods marked with ``rec_test``, calls them and keeps their results; a
method's docstring is the description that people read beside the result. RecList's own console
output, clock-stamped folders and plots are switched off: the report and Dagster show the results.
The computing is in ``measures``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import rich
from reclist.charts import CHART_TYPE
from reclist.logs import RecLogger
from reclist.reclist import RecList, rec_test

from hm_platform.behaviour import measures, slices
from hm_platform.behaviour.inputs import BehaviourError, ReportInputs


@dataclass(frozen=True)
class BehavioralResult:
    """One test's outcome.

    result : dicts, lists, strings and numbers only
    display : RecList's chart type for it: ``scalar``, ``bars`` or ``bins``
    """

    name: str
    description: str
    result: Any
    display: str


@dataclass(frozen=True)
class BehavioralResults:
    """All tests of one week, in the order in which they ran."""

    week: date
    tests: tuple[BehavioralResult, ...]

    def __getitem__(self, name: str) -> BehavioralResult:
        for test in self.tests:
            if test.name == name:
                return test
        raise BehaviourError(f"there is no behavioural test {name!r}")

    def as_dict(self) -> dict[str, Any]:
        """Test name -> result, ready for JSON."""
        return {test.name: test.result for test in self.tests}


class _Silent(RecLogger):
    """RecList's logger that logs nothing: the results are read from the RecList itself."""

    def write(self, label: str, value: object) -> None:
        pass

    def save_plot(self, name: str, fig: object, *args: object, **kwargs: object) -> None:
        pass


class BehavioralRecList(RecList):
    """What a list of recommendations must be looked at for, over all test customers."""

    def __init__(self, inputs: ReportInputs) -> None:
        super().__init__(model_name=inputs.published)
        self.inputs = inputs
        self.logger_service = _Silent()

    @rec_test("accuracy", display_type=CHART_TYPE.BARS)
    def test_accuracy(self) -> dict[str, measures.Numbers]:
        """
        How well the lists foresee what customers bought in the test week: averages over every
        customer who bought, each counting the same.
        """
        return measures.accuracy(self.inputs)

    @rec_test("activity", display_type=CHART_TYPE.BARS)
    def test_by_activity(self) -> list[dict[str, Any]]:
        """
        The same accuracy for customers with few and with many purchases before the test week: an
        average over all can hide a group that is served badly.
        """
        return measures.by_group(self.inputs, slices.activity(self.inputs))

    @rec_test("cold_customers", display_type=CHART_TYPE.BARS)
    def test_cold_customers(self) -> dict[str, Any]:
        """
        Accuracy for customers who had never bought anything: only what everybody buys and what is
        known of the customer can help.
        """
        return measures.cold_customers(self.inputs)

    @rec_test("as_if_new", display_type=CHART_TYPE.BARS)
    def test_as_if_new(self) -> dict[str, Any]:
        """
        Customers who had bought before, asked for as if they never had. Their purchases and ids
        are hidden, a quarter of the customers at a time; what else is known of them is not, nor
        what the others buy. Does a list then foresee more than the best sellers of the customer's
        segment? A recommender that needs a history serves just these.
        """
        return measures.as_if_new(self.inputs)

    @rec_test("cold_articles", display_type=CHART_TYPE.BARS)
    def test_cold_articles(self) -> dict[str, Any]:
        """
        Lists never hold an article without a sale: only a sale proves that it can be bought. How
        well could such articles be put in order from their attributes alone? All of them are the
        catalogue, for the customers who then bought one. Percentile is where that one stands: 0
        is the first place, 0.5 is chance, 1 the last.
        """
        return measures.cold_articles(self.inputs)

    @rec_test("repeats", display_type=CHART_TYPE.BARS)
    def test_repeats(self) -> dict[str, measures.Numbers]:
        """
        Repeats are articles that the customer had bought before; discoveries are new to the
        customer. What customers really bought is the measure to hold the lists against.
        """
        return measures.repeats(self.inputs)

    @rec_test("coverage", display_type=CHART_TYPE.BARS)
    def test_coverage(self) -> dict[str, measures.Numbers]:
        """
        How much of the catalogue is recommended to anybody: articles in at least one list, of
        those sold before the test week.
        """
        return measures.coverage(self.inputs)

    @rec_test("popularity", display_type=CHART_TYPE.BARS)
    def test_popularity(self) -> dict[str, measures.Numbers]:
        """
        How much falls on the best sellers: the 1% of articles that sold most in the four weeks
        before the test week.
        """
        return measures.popularity(self.inputs)

    @rec_test("sanity", display_type=CHART_TYPE.BARS)
    def test_sanity(self) -> dict[str, measures.Numbers]:
        """
        What must never happen: a customer without a full list, an article twice in a list, an
        article never sold before the test week, a score that the list contradicts.
        """
        return measures.faults(self.inputs)

    def __call__(self, verbose: bool = True, *args: object, **kwargs: object) -> None:
        """Run the tests; RecList's progress bar goes to rich's shared console, which is muted."""
        console = rich.get_console()
        was_quiet, console.quiet = console.quiet, True
        try:
            super().__call__(verbose, *args, **kwargs)
        finally:
            console.quiet = was_quiet

    def create_data_store(self) -> str:
        """No folder: RecList would name one after the clock."""
        return ""

    def _display_rich_table(self, table_name: str, results: list) -> None:
        pass

    def _generate_report_and_plot(
        self, test_results: list, meta_store_path: str
    ) -> Mapping[str, object]:
        return {}


def run_behavioral_tests(inputs: ReportInputs) -> BehavioralResults:
    """Run every behavioural test through RecList. Prints nothing and writes nothing."""
    rec_list = BehavioralRecList(inputs)
    rec_list()
    tests = zip(rec_list.rec_tests.values(), rec_list._test_results, strict=True)
    return BehavioralResults(
        week=inputs.week,
        tests=tuple(
            BehavioralResult(
                name=outcome["name"],
                description=" ".join(inspect.cleandoc(outcome["description"]).split()),
                result=outcome["result"],
                display=test.display_type.value,
            )
            for test, outcome in tests
        ),
    )
