from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from benchmarks.quality.protocol import BACKTEST, VALIDATION, WEEK, Dataset, read_dataset
from tests.benchmarks.quality.shops import CUTOFF, TARGET, everything


def test_nothing_from_the_target_week_on_is_in_its_history() -> None:
    planted = [(0, 1, -1), (0, 2, 0), (1, 3, 6), (1, 4, -8)]
    target = Dataset(everything(planted, 2, 5)).target(TARGET)
    assert target.history.cutoff == CUTOFF
    assert target.history.articles.tolist() == [4, 1]
    assert target.history.sold.tolist() == [1, 4]
    assert target.bought.customers.tolist() == [0, 1]
    assert target.bought.articles.tolist() == [2, 3]


def test_an_article_counts_once_and_only_customers_who_bought_are_scored() -> None:
    target = Dataset(everything([(2, 1, 0), (2, 1, 3), (0, 1, -1)], 3, 2)).target(TARGET)
    assert target.bought.customers.tolist() == [2]
    assert target.bought.articles.tolist() == [1]


def test_an_earlier_history_is_that_of_its_own_day() -> None:
    known = everything([(0, 0, -9), (0, 1, -8), (0, 2, -7)], 1, 3).before(CUTOFF)
    earlier = known.before(CUTOFF - WEEK)
    assert earlier.cutoff == CUTOFF - WEEK
    assert earlier.articles.tolist() == [0, 1]
    assert known.last(7).articles.tolist() == [2]


def test_a_history_is_not_extended() -> None:
    known = everything([(0, 0, -1)], 1, 1).before(CUTOFF)
    with pytest.raises(ValueError, match="past its cut-off"):
        known.before(CUTOFF + 1)


@pytest.mark.parametrize("weeks", [1, -2])
def test_a_week_that_is_not_there_is_said(weeks: int) -> None:
    with pytest.raises(ValueError, match="week of 20"):
        Dataset(everything([(0, 0, -1), (0, 0, 1)], 1, 1)).target(TARGET + timedelta(weeks=weeks))


def test_settings_are_chosen_before_the_reported_weeks() -> None:
    assert max(VALIDATION) + timedelta(weeks=1) <= min(BACKTEST)
    assert [*BACKTEST] == [date(2017, 11, 6) + timedelta(weeks=i) for i in range(8)]


def test_the_warehouse_is_read_with_articles_that_are_in_no_list(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute(
            """CREATE SCHEMA raw;
            CREATE TABLE raw.customers AS SELECT 'x' AS customer_id, 30 AS age;
            CREATE TABLE raw.articles AS
                SELECT '01' AS article_id, 'milk' AS product_type_name, NULL AS department_name;
            CREATE TABLE raw.transactions AS SELECT * FROM (VALUES
                (DATE '2020-03-03', 'y', '02', 1.5), (DATE '2020-03-01', 'x', '01', 2.0),
                (DATE '2020-03-08', 'x', '02', 1.0)
            ) t(t_dat, customer_id, article_id, price);"""
        )
    target = read_dataset(tmp_path / "w.duckdb").target(TARGET)
    assert target.history.catalogue.article_ids.tolist() == ["01", "02"]
    assert target.history.catalogue.ages.tolist() == [30, -1]
    assert target.history.articles.tolist() == [0]
    np.testing.assert_array_equal(target.bought.articles, [1, 1])
