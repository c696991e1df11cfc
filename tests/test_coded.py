import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from submissions.coded import Values


@pytest.fixture
def column():
    return Values.of(pd.Series(["Nam", None, "Nữ", "Nam", float("nan")], dtype=object))


def test_each_value_is_kept_once_and_stands_where_it_stood(column):
    assert list(column.items()) == ["Nam", None, "Nữ", "Nam", None]
    assert list(column.distinct) == [None, "Nam", "Nữ"]
    assert list(column.filled) == [True, False, True, True, False]


def test_cells_that_were_written_differently_and_mean_the_same_are_one_value():
    column = Values.of(["Nam", None, "Nam"], codes=np.array([0, 2, 1, 0]))

    assert list(column.items()) == ["Nam", "Nam", None, "Nam"]
    assert column.present() == {"Nam"}


def test_no_value_is_among_no_values(column):
    assert list(column.among({"Nam"})) == [True, False, False, True, False]
    assert not column.among(set()).any()
    assert not column.such(lambda value: value is None).any()


def test_a_value_that_was_let_go_of_is_not_present_any_more(column):
    column.drop([0, 3])

    assert column.present() == {"Nữ"}
    assert list(column.counts()) == [4, 0, 1]


def test_what_is_made_of_a_column_leaves_it_as_it_was(column):
    assert list(column.changed(str.upper).items()) == ["NAM", None, "NỮ", "NAM", None]
    assert list(column.only(np.array([True, True, False, False, True])).items()) == ["Nam", None, None, None, None]
    assert list(column.filled_with("?", ~column.filled).items()) == ["Nam", "?", "Nữ", "Nam", "?"]
    assert list(column.take(np.array([2, 1])).items()) == ["Nữ", None]
    assert list(column.items()) == ["Nam", None, "Nữ", "Nam", None]


def test_a_column_is_stored_as_its_rows_stand(column):
    assert column.to_arrow(pa.string()).to_pylist() == ["Nam", None, "Nữ", "Nam", None]
    assert Values.of(pd.Series([2, None])).to_arrow(pa.int64()).to_pylist() == [2, None]
    assert Values.of([]).to_arrow(pa.date32()).to_pylist() == []
