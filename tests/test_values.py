from datetime import date, datetime

import numpy as np
import pytest

from submissions.form_set import Column
from submissions.values import (
    is_blank,
    parse_column,
    parse_date,
    parse_integer,
    parse_mark,
    parse_number,
    parser,
    shown,
)


@pytest.mark.parametrize("cell", [None, "", " ", "\u00a0", "\n \t"])
def test_a_cell_with_nothing_but_spaces_is_blank(cell):
    assert is_blank(cell)


@pytest.mark.parametrize("cell", [0, 0.0, "0", "-", "x", False])
def test_zero_is_not_blank(cell):
    assert not is_blank(cell)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (12.0, 12),
        (0, 0),
        (-3.0, -3),
        ("12", 12),
        (" 1.234 ", 1234),
        ("1.234.567", 1234567),
        ("12,0", 12),
        ("1 234", 1234),
    ],
)
def test_whole_numbers_are_read_in_vietnamese_style(cell, value):
    assert parse_integer(cell) == (value, None)


@pytest.mark.parametrize(
    "cell", [3.5, "3,5", "1,234", "1.23.4", "1.2345", "mười", "12 người", "", True, datetime(2024, 1, 1)]
)
def test_what_is_no_whole_number_is_told(cell):
    assert parse_integer(cell) == (None, "not_integer")


@pytest.mark.parametrize(
    ("cell", "value"),
    [(82.5, 82.5), ("82,5", 82.5), ("82.5", 82.5), ("1.234,5", 1234.5), ("1.234", 1234.0), ("100", 100.0)],
)
def test_numbers_are_read_in_vietnamese_style(cell, value):
    assert parse_number(cell) == (value, None)


@pytest.mark.parametrize("cell", ["1,234,567", "82,5 điểm", "tám", "8,2,5", True])
def test_what_is_no_number_is_told(cell):
    assert parse_number(cell) == (None, "not_number")


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        (datetime(2024, 2, 29), date(2024, 2, 29)),
        (date(1945, 9, 2), date(1945, 9, 2)),
        ("29/02/2024", date(2024, 2, 29)),
        ("2/9/1945", date(1945, 9, 2)),
        (" 02/09/1945\u00a0", date(1945, 9, 2)),
        (45351.0, date(2024, 2, 29)),
        ("2024-02-29", date(2024, 2, 29)),
    ],
)
def test_dates_are_read_as_excel_dates_and_as_text(cell, day):
    assert parse_date(cell) == (day, None)


@pytest.mark.parametrize(
    "cell",
    [
        "31/02/2024",
        "29/02/2023",
        "05/31/2024",
        "12/13/2024",
        "00/01/2024",
        "2024",
        "5/2024",
        "01/02/24",
        2024.0,
        12.5,
        True,
        "không rõ",
    ],
)
def test_a_day_that_no_calendar_has_is_told(cell):
    assert parse_date(cell) == (None, "not_date")


@pytest.mark.parametrize("cell", ["x", "X", " x "])
def test_an_x_is_a_mark(cell):
    assert parse_mark(cell) == (True, None)


@pytest.mark.parametrize("cell", ["có", "v", "xx", 1, 0, True])
def test_anything_else_is_no_mark(cell):
    assert parse_mark(cell) == (None, "not_mark")


def read(cell, year=2024, spellings=None, **column):
    made = Column(key="c", heading="C", **column)
    cells = np.array([cell], dtype=object)
    blanks = np.array([is_blank(cell)])
    values, rules = parse_column(np.array([0]), cells, blanks, parser(made, spellings or {}, year))
    return values[0], rules[0]


@pytest.mark.parametrize(("cell", "rule"), [(0, None), (100, None), ("100,5", "out_of_range"), (-1, "out_of_range")])
def test_the_ends_of_a_range_belong_to_it(cell, rule):
    assert read(cell, type="number", min=0, max=100)[1] == rule


@pytest.mark.parametrize(("cell", "rule"), [(30, None), ("32", None), (31, "not_in_list")])
def test_an_integer_may_be_one_of_a_few(cell, rule):
    assert read(cell, type="integer", allowed=(30, 32))[1] == rule


@pytest.mark.parametrize(
    ("within", "cell", "rule"),
    [
        ("year", "01/01/2024", None),
        ("year", "31/12/2024", None),
        ("year", "31/12/2023", "outside_period"),
        ("year", "01/01/2025", "outside_period"),
        ("year_and_quarter", "31/03/2025", None),
        ("year_and_quarter", "01/04/2025", "outside_period"),
        ("until_year_end", "01/01/1950", None),
        ("until_year_end", "01/01/2025", "outside_period"),
        (None, "01/01/2090", None),
        (None, "01/01/0024", "outside_period"),
    ],
)
def test_a_date_stands_inside_its_period(within, cell, rule):
    assert read(cell, type="date", within=within)[1] == rule


@pytest.mark.parametrize("cell", ["670000000001", " 670000000001\u00a0"])
def test_a_code_keeps_its_digits(cell):
    assert read(cell, type="code", pattern=r"\d{12}") == ("670000000001", None)


def test_a_code_that_became_a_number_may_have_lost_zeros():
    assert read(67.001, type="code") == (None, "code_as_number")
    assert read(70000000001.0, type="code", pattern=r"\d{12}") == (None, "code_as_number")
    assert read(670000000001.0, type="code", pattern=r"\d{12}") == (None, "code_as_number")


def test_a_code_of_another_shape_is_told():
    assert read("67000000001", type="code", pattern=r"\d{12}") == (None, "pattern")
    assert read("67000000000O", type="code", pattern=r"\d{12}") == (None, "pattern")


def test_a_listed_value_is_found_by_all_its_spellings_and_stored_in_one():
    spellings = {"level": {"htxsnv": "Hoàn thành xuất sắc nhiệm vụ"}}
    assert read(" HTXSNV ", spellings=spellings, type="text", list="level") == ("Hoàn thành xuất sắc nhiệm vụ", None)
    assert read("Xuất sắc", spellings=spellings, type="text", list="level") == (None, "not_in_list")


def test_a_blank_cell_has_neither_value_nor_rule():
    assert read(" ", type="integer") == (None, None)


@pytest.mark.parametrize(
    ("cell", "text"), [(None, ""), (12.0, "12"), (82.5, "82,5"), (date(2024, 9, 2), "02/09/2024"), (" a  b ", "a b")]
)
def test_a_cell_is_shown_as_its_sender_reads_it(cell, text):
    assert shown(cell) == text
