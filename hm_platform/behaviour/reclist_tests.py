"""The behavioural tests as RecList runs them.

RecList collects the methods marked with ``rec_test``, calls them and keeps their results; a
method's docstring is the description that people read beside the result. The computing is in the
modules beside this one; what results must be is in ``thresholds.toml``.
"""

from __future__ import annotations

import inspect

from reclist.charts import CHART_TYPE
from reclist.reclist import rec_test

from hm_platform.behaviour import (
    beyond,
    cold,
    comparing,
    less_wrong,
    measures,
    provenance,
    slices,
    stability,
)
from hm_platform.behaviour import groups as divided
from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.effects import Effect, Outcome
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.results import BehavioralResult, BehavioralResults
from hm_platform.behaviour.silent import SilentRecList


class BehavioralRecList(SilentRecList):
    """What a list of recommendations must be looked at for, over all test customers."""

    def __init__(self, inputs: ReportInputs) -> None:
        super().__init__(model_name=inputs.challenger)
        self.inputs = inputs
        self.bootstrap = Bootstrap(inputs.n, inputs.seed)

    @rec_test("accuracy", display_type=CHART_TYPE.BARS)
    def test_accuracy(self) -> Outcome:
        """
        How well the lists foresee what customers bought in the test week: averages over every
        customer who bought, each counting the same.
        """
        return Outcome(
            comparing.accuracy(self.inputs, self.bootstrap), measures.accuracy(self.inputs)
        )

    @rec_test("baselines", display_type=CHART_TYPE.BARS)
    def test_against_baselines(self) -> Outcome:
        """
        By how much the lists foresee more than what a shop has without a model, each baseline on
        the same customers.
        """
        return Outcome(comparing.against_baselines(self.inputs, self.bootstrap))

    @rec_test("last_published", display_type=CHART_TYPE.BARS)
    def test_against_last_published(self) -> Outcome:
        """
        By how much the lists foresee more than those of what serves now, asked with today's data
        for the same customers.
        """
        return Outcome(comparing.against_last_published(self.inputs, self.bootstrap))

    @rec_test("activity", display_type=CHART_TYPE.BARS)
    def test_by_activity(self) -> Outcome:
        """
        The same accuracy for customers with few and with many purchases before the test week: an
        average over all can hide a group that is served badly.
        """
        return self._customers(slices.activity(self.inputs))

    @rec_test("age", display_type=CHART_TYPE.BARS)
    def test_by_age(self) -> Outcome:
        """The same accuracy for customers of each age band."""
        return self._customers(slices.age(self.inputs))

    @rec_test("club_status", display_type=CHART_TYPE.BARS)
    def test_by_club_status(self) -> Outcome:
        """The same accuracy for customers of each standing in the membership club."""
        return self._customers(slices.club_status(self.inputs))

    @rec_test("channel", display_type=CHART_TYPE.BARS)
    def test_by_channel(self) -> Outcome:
        """The same accuracy for customers of stores and for those who buy online."""
        return self._customers(slices.channel(self.inputs))

    @rec_test("product_group", display_type=CHART_TYPE.BARS)
    def test_by_product_group(self) -> Outcome:
        """
        Of what was bought of each product group, the share that had been recommended: a group that
        is never recommended sells less and is recommended even less.
        """
        return self._articles(slices.product_group(self.inputs))

    @rec_test("article_popularity", display_type=CHART_TYPE.BARS)
    def test_by_article_popularity(self) -> Outcome:
        """
        Of the best sellers, the middle and the long tail of the catalogue that were bought, the
        share that had been recommended.
        """
        return self._articles(slices.popularity(self.inputs))

    @rec_test("article_age", display_type=CHART_TYPE.BARS)
    def test_by_article_age(self) -> Outcome:
        """
        Of the articles that are new in the catalogue and were bought, the share that had been
        recommended, beside that of older ones.
        """
        return self._articles(slices.article_age(self.inputs))

    @rec_test("cold_customers", display_type=CHART_TYPE.BARS)
    def test_cold_customers(self) -> Outcome:
        """
        Accuracy for customers who had never bought anything: only what everybody buys and what is
        known of the customer can help.
        """
        return Outcome(
            cold.customers(self.inputs, self.bootstrap), measures.cold_customers(self.inputs)
        )

    @rec_test("as_if_new", display_type=CHART_TYPE.BARS)
    def test_as_if_new(self) -> Outcome:
        """
        Customers who had bought before, asked for as if they never had. Their purchases and ids
        are hidden, a quarter of the customers at a time; what else is known of them is not, nor
        what the others buy. Does a list then foresee more than the best sellers of the customer's
        segment? A recommender that needs a history serves just these.
        """
        leads = cold.leads(self.inputs, self.bootstrap)
        return Outcome(cold.as_if_new(self.inputs, leads), measures.as_if_new(self.inputs, leads))

    @rec_test("cold_articles", display_type=CHART_TYPE.BARS)
    def test_cold_articles(self) -> Outcome:
        """
        Lists never hold an article without a sale: only a sale proves that it can be bought. How
        well could such articles be put in order from their attributes alone? All of them are the
        catalogue, for the customers who then bought one. Percentile is where that one stands: 0
        is the first place, 0.5 is chance, 1 the last.
        """
        found = cold.articles(self.inputs, self.bootstrap)
        return Outcome(list(found.values()), measures.cold_articles(self.inputs, found))

    @rec_test("repeats", display_type=CHART_TYPE.BARS)
    def test_repeats(self) -> Outcome:
        """
        Repeats are articles that the customer had bought before; discoveries are new to the
        customer. What customers really bought is the measure to hold the lists against.
        """
        return Outcome(beyond.repeats(self.inputs, self.bootstrap), measures.repeats(self.inputs))

    @rec_test("coverage", display_type=CHART_TYPE.BARS)
    def test_coverage(self) -> Outcome:
        """
        How much of the catalogue is recommended to anybody: articles in at least one list, of
        those sold before the test week.
        """
        return Outcome(beyond.coverage(self.inputs, self.bootstrap), measures.coverage(self.inputs))

    @rec_test("concentration", display_type=CHART_TYPE.BARS)
    def test_concentration(self) -> Outcome:
        """
        How unevenly the places in lists are divided among the articles: the Gini index is 0 where
        all are recommended alike and 1 where it is always the same.
        """
        return Outcome(beyond.concentration(self.inputs, self.bootstrap))

    @rec_test("popularity", display_type=CHART_TYPE.BARS)
    def test_popularity(self) -> Outcome:
        """
        How much falls on the best sellers: the 1% of articles that sold most in the four weeks
        before the test week.
        """
        return Outcome(
            beyond.popularity(self.inputs, self.bootstrap), measures.popularity(self.inputs)
        )

    @rec_test("novelty", display_type=CHART_TYPE.BARS)
    def test_novelty(self) -> Outcome:
        """
        How surprising a recommendation is: the bits of information in hearing that somebody bought
        it. A best seller that makes up 1% of all sales has 6.6 bits.
        """
        return Outcome(beyond.novelty(self.inputs, self.bootstrap))

    @rec_test("diversity", display_type=CHART_TYPE.BARS)
    def test_diversity(self) -> Outcome:
        """How different the articles of a list are from each other, by their product types."""
        return Outcome(beyond.diversity(self.inputs, self.bootstrap))

    @rec_test("price_fit", display_type=CHART_TYPE.BARS)
    def test_price_fit(self) -> Outcome:
        """
        Whether what is recommended costs what the customer is used to pay: the distance of the
        logarithms, so that 0.7 is half or double, beside that of what customers then bought.
        """
        return Outcome(beyond.price_fit(self.inputs, self.bootstrap))

    @rec_test("agreement", display_type=CHART_TYPE.BARS)
    def test_agreement(self) -> Outcome:
        """
        How much of a list customers were already shown: what is in common with the lists that were
        published for the same week, made by the model of the week before.
        """
        return Outcome(beyond.agreement(self.inputs, self.bootstrap))

    @rec_test("near_misses", display_type=CHART_TYPE.BARS)
    def test_near_misses(self) -> Outcome:
        """
        Customers whose list held nothing that they bought: how often the first recommendation was
        at least of the same product, type, department or price band as something they bought.
        """
        return Outcome(less_wrong.near_misses(self.inputs, self.bootstrap))

    @rec_test("stability", display_type=CHART_TYPE.BARS)
    def test_stability(self) -> Outcome:
        """
        Small changes must change a list little: the last purchase that a customer made is
        forgotten, one piece of one article, or the articles of a day are put in another order. The
        same customers asked again, with others and in another order, must get the very same lists.
        """
        return Outcome(stability.effects(self.inputs.stability, self.inputs.seed))

    @rec_test("sanity", display_type=CHART_TYPE.BARS)
    def test_sanity(self) -> Outcome:
        """
        What must never happen: a customer without a full list, an article twice in a list, an
        article never sold before the test week, a score that the list contradicts.
        """
        found = measures.faults(self.inputs)
        counts = found[self.inputs.challenger].items()
        return Outcome(
            [Effect(fault.replace("_", " "), float(n), self.inputs.n) for fault, n in counts], found
        )

    @rec_test("leakage", display_type=CHART_TYPE.BARS)
    def test_leakage(self) -> Outcome:
        """
        Signs that the model has seen the week that it is tested on: days past the cut-off in its
        data or features, splits that are not those it was trained on, and a score that rose much
        more since the validation week than that of a baseline.
        """
        return Outcome(provenance.signs_of_leakage(self.inputs, self.bootstrap))

    def _customers(self, groups: slices.Slice) -> Outcome:
        return Outcome(
            divided.of_customers(self.inputs, groups, self.bootstrap),
            measures.by_group(self.inputs, groups),
        )

    def _articles(self, groups: slices.Slice) -> Outcome:
        return Outcome(divided.of_articles(self.inputs, groups, self.bootstrap))


def run_behavioral_tests(inputs: ReportInputs) -> BehavioralResults:
    """Run every behavioural test through RecList. Prints nothing and writes nothing."""
    rec_list = BehavioralRecList(inputs)
    rec_list()
    return BehavioralResults(
        week=inputs.week,
        tests=tuple(
            BehavioralResult(
                name=outcome["name"],
                description=" ".join(inspect.cleandoc(outcome["description"]).split()),
                effects=tuple(outcome["result"].effects),
                result=outcome["result"].detail,
            )
            for outcome in rec_list._test_results
        ),
        board={r.name: comparing.metrics(r, rec_list.bootstrap) for r in inputs.recommenders},
    )
