"""A week is served by its model if that passed, and by what served before it if not."""

from __future__ import annotations

from datetime import datetime

import pytest
from dagster import AssetCheckSeverity, AssetKey, build_run_status_sensor_context

from hm_platform import sensors
from hm_platform.alerts import FAILURES_TAG
from hm_platform.assets.serving.publications import DECIDING_JOB
from hm_platform.definitions import build_defs
from hm_platform.notifying import Notice
from tests.assets.serving.shop import (
    AGAIN,
    CHALLENGER,
    CHAMPION,
    CUSTOMERS,
    LAST,
    WEEK,
    Shop,
    said,
)
from tests.modelling.stored import damage, remove
from tests.serving.rows import failed

EVERYBODY = len(CUSTOMERS)


def test_a_model_that_passed_is_published(shop: Shop) -> None:
    shop.judge()
    result = shop.serve()
    assert result.success
    assert shop.published() == ("passed", CHALLENGER, "ranker")
    assert shop.served() == [(CHALLENGER, EVERYBODY)]
    event = result.asset_materializations_for_node("serving__recommendations")[0]
    assert event.metadata["state"].value == "passed"
    assert event.metadata["model_version"].value == CHALLENGER
    assert "passed its behavioural tests" in str(event.metadata["reason"].value)


def test_for_a_model_that_failed_the_last_published_serves_on_and_the_run_is_red(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.fail()
    result = shop.serve()
    # Everybody has recommendations, of the old model, and the week counts as published.
    assert shop.served() == [(CHAMPION, EVERYBODY)]
    assert shop.published() == ("last_published", CHAMPION, "ranker")
    (fingerprint,) = shop.query(
        f"SELECT fingerprint FROM serving.publications WHERE week = DATE '{WEEK}'"
    )[0]
    assert len(fingerprint) == 64
    # And yet somebody is told, and told what failed.
    (check,) = [c for c in result.get_asset_check_evaluations() if c.blocking and not c.passed]
    assert check.check_name == "the_model_passed"
    assert check.severity == AssetCheckSeverity.ERROR
    assert "accuracy, against the last published: -0.05, needs at least -0.01" in said(result)
    assert f"{CHALLENGER} failed 1 behavioural test" in said(result)
    errors = [line for line in capfd.readouterr().err.splitlines() if "ERROR" in line]
    assert any("accuracy" in line and CHAMPION in line for line in errors)


def test_people_are_told_at_once_since_nobody_tries_the_run_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Notice] = []
    monkeypatch.setattr(sensors, "notify", lambda notice, _: told.append(notice))
    shop.fail()
    # As the sensor starts it, whose other failures are told from the third on.
    result = shop.serve(tags={FAILURES_TAG: "0"})
    context = build_run_status_sensor_context(
        "failed_runs", result.get_run_failure_event(), shop.instance, result.dagster_run
    )
    sensors.failed_runs(context.for_run_failure())
    assert [notice.subject for notice in told] == [f"the model of week {WEEK} did not pass"]
    assert "accuracy, against the last published: -0.05" in told[0].text
    assert CHAMPION in told[0].text


def test_other_weeks_are_left_as_they_were(shop: Shop) -> None:
    others = f"week <> DATE '{WEEK}'"
    columns = "week, model_version, recommender, customers, recommendations, fingerprint"
    old = f"SELECT {columns} FROM serving.publications WHERE {others}"
    before = shop.query(old), shop.rows(others)["recommendations"]
    shop.fail()
    shop.serve()
    assert (shop.query(old), shop.rows(others)["recommendations"]) == before
    assert shop.query(f"SELECT DISTINCT state FROM serving.publications WHERE {others}") == [
        (None,)
    ]


def test_the_same_again_gives_the_same(shop: Shop) -> None:
    shop.fail()
    shop.serve()
    before = shop.rows("true")
    shop.serve()
    assert shop.rows("true") == before


def test_what_was_trained_before_for_the_same_week_serves_on(shop: Shop) -> None:
    shop.train(AGAIN)
    shop.judge(version=AGAIN)
    assert shop.serve().success
    shop.train(CHALLENGER)
    shop.fail()
    for _ in range(2):
        shop.serve()
        assert shop.published() == ("last_published", AGAIN, "ranker")


@pytest.mark.parametrize("fault", [remove, damage])
def test_where_no_earlier_model_can_be_opened_a_baseline_stands_in(shop: Shop, fault) -> None:
    fault(shop.models / CHAMPION)
    shop.fail()
    result = shop.serve()
    state, version, recommender = shop.published()
    assert state == "baseline"
    assert version == recommender
    assert recommender in ("repurchase", "co_purchase", "segment_popularity", "popularity")
    assert shop.served() == [(version, EVERYBODY)]
    assert f"{CHAMPION} cannot be opened" in said(result)
    before = shop.rows("true")
    shop.serve()
    assert shop.rows("true") == before


def test_a_first_week_that_fails_is_served_by_a_baseline(shop: Shop) -> None:
    with_none = shop.query("SELECT count(*) FROM serving.publications")
    assert with_none == [(1,)]
    shop.query("DROP TABLE serving.publications")
    shop.query("DROP TABLE serving.recommendations")
    shop.fail()
    shop.serve()
    assert shop.published()[0] == "baseline"


@pytest.mark.parametrize("tested", [None, AGAIN], ids=["no table", "another version"])
def test_a_model_that_was_not_tested_is_an_error_and_what_was_published_stays(
    shop: Shop, tested: str | None
) -> None:
    shop.judge()
    shop.serve()
    before = shop.rows("true")
    # Trained again, after its report.
    if tested is None:
        shop.query("DROP TABLE evaluation.behavioral_tests")
    else:
        shop.judge(version=tested)
    result = shop.serve()
    assert "materialise evaluation/behavioral_report first" in said(result)
    assert CHALLENGER in said(result)
    assert shop.rows("true") == before


def test_publications_do_not_name_another_model_than_the_recommendations(shop: Shop) -> None:
    shop.judge()
    shop.serve()
    before = shop.rows("true")
    shop.fail()
    result = shop.serve(["serving/publications"])
    assert "materialise serving/recommendations first" in said(result)
    assert shop.rows("true") == before


def decide(shop: Shop, kind: str, version: str, reason: str = "", week: str = "", **other: str):
    """The job that anyone can start in the UI."""
    job = build_defs(overrides=shop.resources).resolve_job_def(DECIDING_JOB)
    config = {"kind": kind, "version": version, "reason": reason, "week": week, **other}
    return job.execute_in_process(
        partition_key=str(WEEK),
        instance=shop.instance,
        run_config={"ops": {"serving__decisions": {"config": config}}},
        raise_on_error=False,
    )


def test_who_is_promoted_serves_and_goes_on_to_when_the_week_is_built_again(shop: Shop) -> None:
    shop.fail()
    shop.serve()
    (built,) = shop.query(f"SELECT fingerprint FROM serving.publications WHERE week = '{WEEK}'")
    shop.query("UPDATE marts.loaded_weeks SET fingerprint = 'changed since'")
    result = decide(shop, "promote", CHALLENGER, "a known gap")
    assert result.success
    assert shop.published() == ("promoted", CHALLENGER, "ranker")
    assert shop.served() == [(CHALLENGER, EVERYBODY)]
    after = shop.query(
        f"SELECT fingerprint, reason FROM serving.publications WHERE week = '{WEEK}'"
    )
    # The week is not built of what has changed since, and does not say that it is.
    assert after == [(built[0], "a known gap")]
    assert shop.serve().success
    assert shop.published() == ("promoted", CHALLENGER, "ranker")


def test_a_rollback_serves_the_old_model_on_the_data_of_today(shop: Shop) -> None:
    shop.judge()
    shop.serve()
    result = decide(shop, "rollback", CHAMPION, week=str(WEEK))
    assert result.success
    assert shop.published() == ("rolled_back", CHAMPION, "ranker")
    assert shop.served() == [(CHAMPION, EVERYBODY)]
    # And back again: the newest decision holds.
    assert decide(shop, "promote", CHALLENGER, "it was not the model").success
    assert shop.published() == ("promoted", CHALLENGER, "ranker")
    kept = shop.query(
        "SELECT week, kind, model_version, reason, decided_at FROM serving.decisions "
        "ORDER BY decided_at"
    )
    assert [row[:4] for row in kept] == [
        (WEEK, "rollback", CHAMPION, ""),
        (WEEK, "promote", CHALLENGER, "it was not the model"),
    ]
    assert all(isinstance(row[4], datetime) for row in kept)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"kind": "promote", "version": CHAMPION}, "Give a reason"),
        ({"kind": "promote", "version": "nonsense", "reason": "x"}, "no stored model 'nonsense'"),
        ({"kind": "rollback", "version": CHALLENGER}, "serves week 2020-09-16 already"),
        ({"kind": "rollback", "version": AGAIN}, "was never published"),
        ({"kind": "vote", "version": CHAMPION}, "'vote' is no decision"),
        ({"kind": "rollback", "version": CHAMPION, "week": str(LAST)}, "and the run is one of"),
        ({"kind": "rollback", "version": CHAMPION, "week": "soon"}, "'soon' is not a week"),
    ],
)
def test_a_decision_that_makes_no_sense_is_not_kept_and_nothing_changes(
    shop: Shop, config: dict[str, str], says: str
) -> None:
    shop.judge()
    shop.serve()
    before = shop.rows("true")
    assert says in said(decide(shop, **config))
    assert shop.rows("true") == before
    assert (
        shop.query("SELECT * FROM information_schema.tables WHERE table_name = 'decisions'") == []
    )


def test_a_model_that_cannot_be_opened_is_not_decided_for(shop: Shop) -> None:
    shop.judge()
    shop.serve()
    before = shop.rows("true")
    damage(shop.models / CHAMPION)
    assert "is damaged or was changed" in said(decide(shop, "rollback", CHAMPION))
    assert shop.rows("true") == before


def test_a_run_that_decides_nothing_leaves_the_decisions_as_they_are(shop: Shop) -> None:
    shop.judge()
    everything = ("serving/decisions", "serving/recommendations", "serving/publications")
    assert shop.serve(everything).success
    assert shop.query("SELECT * FROM serving.decisions") == []
    decide(shop, "rollback", CHAMPION)
    before = shop.query("SELECT * FROM serving.decisions")
    assert len(before) == 1
    assert shop.serve(everything).success
    assert shop.query("SELECT * FROM serving.decisions") == before
    assert shop.published()[0] == "rolled_back"


def test_a_warning_stops_nothing(shop: Shop) -> None:
    shop.judge(failed(severity="warn"))
    result = shop.serve()
    assert result.success
    checks = {c.check_name: c.passed for c in result.get_asset_check_evaluations()}
    assert checks == {"everyone_has_a_whole_list": True, "the_model_passed": True}
    assert result.asset_value(AssetKey(["serving", "publications"])) is not None
