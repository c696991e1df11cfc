from datetime import date, datetime, timedelta
from datetime import time as clock

import numpy as np
import pytest

from submissions.files.source import ErrorCell, Uncalculated
from submissions.form_set import Column
from submissions.values import (
    find_evidence,
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
        ("012", 12),
        ("+12", 12),
        ("-3", -3),
        ("−3", -3),
        (" 1.234 ", 1234),
        ("1.234.567", 1234567),
        ("1,234,567", 1234567),
        ("12,0", 12),
        ("12.0", 12),
        ("12,00", 12),
        ("1 234", 1234),
        ("1\u00a0234", 1234),
        ("1\u202f234\u202f567", 1234567),
        ("1'234", 1234),
        ("1’234", 1234),
        ("１２", 12),
    ],
)
def test_whole_numbers_are_read_in_every_way_that_has_one_reading(cell, value):
    assert parse_integer(cell) == (value, None)


@pytest.mark.parametrize(
    "cell",
    [3.5, "3,5", "3.5", "1.23.4", "1.2345", "12,3456", "1 23", "12 34", "1.234 567", "mười", "12 người", "12 đv", "",
     True, datetime(2024, 1, 1), "85%", "1e5", "½", "12.", ",5", "--3", "- 3", "(3)", "٣", float("nan"), float("inf")],
)  # fmt: skip
def test_what_is_no_whole_number_is_told(cell):
    assert parse_integer(cell) == (None, "not_integer")


@pytest.mark.parametrize("cell", ["1,234", "12,345", "1,000"])
def test_a_comma_that_may_part_thousands_is_asked_in_a_whole_number(cell):
    assert parse_integer(cell) == (None, "ambiguous_number")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (82.5, 82.5),
        ("82,5", 82.5),
        ("82.5", 82.5),
        ("0.500", 0.5),
        ("0,125", 0.125),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1 234,5", 1234.5),
        ("1.234", 1234.0),
        ("1,234", 1.234),
        ("1234.567", 1234.567),
        ("100", 100.0),
        ("-82,5", -82.5),
    ],
)
def test_a_number_alone_is_read_in_vietnamese_style_where_there_are_two(cell, value):
    assert parse_number(cell) == (value, None)


@pytest.mark.parametrize(
    "cell", ["82,5 điểm", "tám", "8,2,5", True, "85%", "1.23,4.5", "1,23,456", "nan", "inf", "1_000"]
)
def test_what_is_no_number_is_told(cell):
    assert parse_number(cell) == (None, "not_number")


COUNT = {"type": "integer", "min": 0}
POINTS = {"type": "number", "min": 0, "max": 100}
AMBIGUOUS = "ambiguous_number"


@pytest.mark.parametrize(
    ("column", "cells", "read"),
    [
        # A cell that has one reading fixes the style of those that have two.
        (COUNT, ["1.234", "1.234.567"], [1234, 1234567]),
        (COUNT, ["1,234", "1,234,567"], [1234, 1234567]),
        (COUNT, ["1,234", "12.0"], [1234, 12]),
        (COUNT, ["1.234", "12,0"], [1234, 12]),
        # Nothing contradicts the agreed style; without evidence English is not assumed.
        (COUNT, ["1.234", "12", 5.0], [1234, 12, 5]),
        (COUNT, ["1,234", "12", 5.0], [AMBIGUOUS, 12, 5]),
        (COUNT, ["1.000", "2.000"], [1000, 2000]),
        # The style of the column is lawful in no reading of the cell, the other style is.
        (COUNT, ["1.234", "1,234,567"], [AMBIGUOUS, 1234567]),
        (COUNT, ["1,234", "1.234.567"], [AMBIGUOUS, 1234567]),
        # Both styles in one column: what has two readings is asked, what has one is read.
        (COUNT, ["1.234", "1,234", "1.234.567", "1,234,567"], [AMBIGUOUS, AMBIGUOUS, 1234567, 1234567]),
        (POINTS, ["82,5", "82.5", "12.345", "12,345"], [82.5, 82.5, AMBIGUOUS, AMBIGUOUS]),
        # Points of 0 to 100.
        (POINTS, ["82,5", "1,234"], [82.5, 1.234]),
        (POINTS, ["82.5", "1.234"], [82.5, 1.234]),
        (POINTS, ["82,5", "1.234"], [82.5, AMBIGUOUS]),
        (POINTS, ["82.5", "1,234"], [82.5, AMBIGUOUS]),
        (POINTS, ["80", "1.234"], [80.0, AMBIGUOUS]),
        (POINTS, ["80", "12,345"], [80.0, 12.345]),
        (POINTS, ["80", "101.234"], [80.0, "out_of_range"]),
        # Without a range both readings are lawful: the column decides.
        ({"type": "number"}, ["1.234", "1.234,5"], [1234.0, 1234.5]),
        ({"type": "number"}, ["1.234", "1,234.5"], [1.234, 1234.5]),
        ({"type": "number"}, ["1,234", "1,234.5"], [1234.0, 1234.5]),
        # A mistake is no reading, yet it tells the style.
        (COUNT, ["1.234", "82.5"], [AMBIGUOUS, "not_integer"]),
        (COUNT, ["1.234", "82,5"], [1234, "not_integer"]),
    ],
)
def test_the_cells_of_a_column_tell_how_it_writes_numbers(column, cells, read):
    assert read_column(cells, **column) == read


def test_the_sheet_tells_where_the_column_does_not():
    assert read_column(["1,234"], evidence={"en"}, **COUNT) == [1234]
    assert read_column(["1.234"], evidence={"en"}, **POINTS) == [1.234]


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        (datetime(2024, 2, 29), date(2024, 2, 29)),
        (datetime(2024, 2, 29, 0, 0), date(2024, 2, 29)),
        (datetime(2024, 2, 29, 14, 30), date(2024, 2, 29)),
        (date(1945, 9, 2), date(1945, 9, 2)),
        ("29/02/2024", date(2024, 2, 29)),
        ("2/9/1945", date(1945, 9, 2)),
        ("02-09-1945", date(1945, 9, 2)),
        ("2.9.1945", date(1945, 9, 2)),
        (" 02/09/1945\u00a0", date(1945, 9, 2)),
        ("02 / 09 / 1945", date(1945, 9, 2)),
        ("02/09/1945 00:00:00", date(1945, 9, 2)),
        ("02/09/1945 14:30", date(1945, 9, 2)),
        ("02/09/1945 12:00:00 AM", date(1945, 9, 2)),
        (45351.0, date(2024, 2, 29)),
        (45351, date(2024, 2, 29)),
        ("2024-02-29", date(2024, 2, 29)),
        ("2024-02-29 00:00:00", date(2024, 2, 29)),
        ("2024-02-29T00:00:00Z", date(2024, 2, 29)),
        ("2024/2/29", date(2024, 2, 29)),
        ("ngày 5 tháng 3 năm 2024", date(2024, 3, 5)),
        ("Ngày 05 tháng 03 năm 2024", date(2024, 3, 5)),
        ("ngày 05/03/2024", date(2024, 3, 5)),
        ("5 tháng ba, năm 2024", date(2024, 3, 5)),
        ("5 tháng mười hai năm 2024", date(2024, 12, 5)),
        ("5-Mar-2024", date(2024, 3, 5)),
        ("5 December 2024", date(2024, 12, 5)),
    ],
)
def test_dates_are_read_as_excel_dates_and_as_text(cell, day):
    assert parse_date(cell) == (day, None)


@pytest.mark.parametrize(
    "cell",
    [
        "31/02/2024",
        "29/02/2023",
        "29/02/1900",
        "31/04/2024",
        "05/31/2024",
        "12/13/2024",
        "00/01/2024",
        "01/00/2024",
        "2024",
        2024,
        "5/2024",
        "tháng 3 năm 2024",
        "01/02/24",
        "1/2/198",
        2024.0,
        60.0,
        12.5,
        "45351",
        20240305.0,
        "20240305",
        "2024-13-01",
        "2024-31-01",
        "5 tháng mười ba năm 2024",
        True,
        clock(14, 30),
        "14:30",
        "không rõ",
        "٠١/٠٢/٢٠٢٤",
    ],
)
def test_a_day_that_no_calendar_has_is_told(cell):
    assert parse_date(cell) == (None, "not_date")


DAY = {"type": "date"}
ASKED = "ambiguous_date"


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["05/03/2024", "31/03/2024"], [date(2024, 3, 5), date(2024, 3, 31)]),
        (["05/03/2024", "04/04/2024"], [date(2024, 3, 5), date(2024, 4, 4)]),
        (["05/03/2024", "03/31/2024"], [date(2024, 3, 5), "not_date"]),
        (["05/03/2024", "03/31/2024", "12/13/2024"], [ASKED, "not_date", "not_date"]),
        (["04/04/2024", "03/31/2024", "12/13/2024"], [date(2024, 4, 4), "not_date", "not_date"]),
        (
            ["05/03/2024", "03/31/2024", "12/13/2024", "31/03/2024", "30/03/2024"],
            [date(2024, 3, 5), "not_date", "not_date", date(2024, 3, 31), date(2024, 3, 30)],
        ),
        (["05/03/2024", "03/31/2024", "31/03/2024"], [date(2024, 3, 5), "not_date", date(2024, 3, 31)]),
        (["05/03/2024", "03/31/2024", "31/02/2024"], [date(2024, 3, 5), "not_date", "not_date"]),
        (["2024-03-05", date(2024, 5, 6), "03/31/2024"], [date(2024, 3, 5), date(2024, 5, 6), "not_date"]),
        (["05/03/2024", "19/19/2024"], [date(2024, 3, 5), "not_date"]),
    ],
)
def test_the_cells_of_a_column_tell_whether_the_month_stands_first(cells, read):
    assert read_column(cells, **DAY) == read


def test_the_sheet_tells_that_months_stand_first_where_the_column_does_not():
    assert read_column(["05/03/2024"], evidence={"md"}, **DAY) == [ASKED]


def test_dates_that_a_program_turned_are_asked():
    turned = [date(2024, month, day) for month, day in zip(range(1, 10), range(3, 12), strict=True)]
    left = [f"{day}/03/2024" for day in range(13, 22)]

    read = read_column([*turned, *left], **DAY)

    assert read[: len(turned)] == [ASKED] * len(turned)
    assert read[len(turned) :] == [date(2024, 3, day) for day in range(13, 22)]


@pytest.mark.parametrize(
    ("dates", "texts"),
    [
        ([date(2024, month, 3) for month in range(1, 13) if month != 3], [f"{day}/03/2024" for day in range(13, 22)]),
        ([date(2024, 1, day) for day in range(3, 12)], [f"{day}/03/2024" for day in range(12, 22)]),
        ([date(2024, 1, day) for day in range(5, 14)], [f"{day}/03/2024" for day in range(13, 22)]),
        ([date(2024, 1, day) for day in range(3, 6)], [f"{day}/03/2024" for day in range(13, 22)]),
    ],
)
def test_dates_of_which_one_tells_otherwise_or_that_are_few_are_read(dates, texts):
    assert read_column([*dates, *texts], **DAY)[: len(dates)] == dates


@pytest.mark.parametrize("cell", ["x", "X", " x ", "x\u200b", "ｘ"])
def test_an_x_is_a_mark(cell):
    assert parse_mark(cell) == (True, None)


@pytest.mark.parametrize("cell", ["có", "v", "xx", "×", "✓", "✗", "o", "x.", 1, 0, True])
def test_anything_else_is_no_mark(cell):
    assert parse_mark(cell) == (None, "not_mark")


def read_cells(cells, evidence=frozenset(), year=2024, spellings=None, **column):
    """(value, rule) of each cell of a column."""
    made = Column(key="c", heading="C", **column)
    distinct = np.empty(len(cells), dtype=object)
    distinct[:] = cells
    blanks = np.array([is_blank(cell) for cell in cells])
    found = find_evidence(made, distinct[~blanks]) or frozenset(evidence)
    return list(zip(*parse_column(made, spellings or {}, year, distinct, blanks, found), strict=True))


def read_column(cells, **column):
    """The value of each cell of a column, or the rule that it breaks."""
    return [value if rule is None else rule for value, rule in read_cells(cells, **column)]


def read(cell, **column):
    """(value, rule) of a single cell."""
    return read_cells([cell], **column)[0]


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
    assert read("٦70000000001", type="code", pattern=r"\d{12}") == (None, "pattern")


@pytest.mark.parametrize("cell", ["6.7E+11", "6,7E+11", "6.70000000001e+11"])
def test_a_code_that_was_a_number_before_it_was_text_is_told(cell):
    assert read(cell, type="code", pattern=r"\d{12}") == (None, "code_as_number")
    assert read(cell, type="code") == (None, "code_as_number")


COLUMNS = [
    {"type": "integer"},
    {"type": "number"},
    {"type": "date"},
    {"type": "mark"},
    {"type": "text"},
    {"type": "code"},
    {"type": "code", "pattern": r"\d{12}"},
    {"type": "text", "list": "level", "spellings": {"level": {"a": "A"}}},
]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        (ErrorCell("#REF!"), "error_cell"),
        (ErrorCell("#DIV/0!"), "error_cell"),
        ("#N/A", "error_cell"),
        (Uncalculated("=A1+B1"), "uncalculated"),
    ],
)
def test_a_cell_without_a_value_is_told_as_what_it_is(column, cell, rule):
    assert read(cell, **column) == (None, rule)


@pytest.mark.parametrize(
    "text", ["Hoµn thµnh tèt", "Nguyeãn Vaên Nam", "HoÃ\xa0n thÃ\xa0nh nhiá»‡m vá»¥", "Nguy?n V?n A"]
)
def test_text_of_an_old_encoding_that_could_not_be_converted_is_not_loaded(text):
    assert read(text, type="text") == (None, "legacy_text")
    assert read(text, type="text", list="level", spellings={"level": {"a": "A"}}) == (None, "legacy_text")
    assert parser(Column(key="c", heading="C", type="text"), {}, 2024)(text) == (None, "legacy_text")


def test_text_is_stored_in_one_spelling():
    assert read(" Hoà  Bình ", type="text") == ("Hòa Bình", None)
    assert read(12.0, type="text") == ("12", None)


def test_a_name_of_former_years_has_a_value_and_is_asked_about_where_it_is_known():
    made = Column(key="x", heading="X", type="text", list="level")
    parse = parser(made, {"level": {"htxsnv": "Xuất sắc"}}, 2017, former={"trong sạch, vững mạnh": "Xuất sắc"})

    assert parse(" Trong sạch,  VỮNG MẠNH ") == ("Xuất sắc", "former_name")
    assert parse("HTXSNV") == ("Xuất sắc", None)
    assert parse("Trong sạch") == (None, "not_in_list")
    assert parser(made, {"level": {}}, 2018)("Trong sạch, vững mạnh") == (None, "not_in_list")


def test_a_listed_value_is_found_by_all_its_spellings_and_stored_in_one():
    spellings = {"level": {"htxsnv": "Hoàn thành xuất sắc nhiệm vụ"}}
    assert read(" HTXSNV ", spellings=spellings, type="text", list="level") == ("Hoàn thành xuất sắc nhiệm vụ", None)
    assert read("Xuất sắc", spellings=spellings, type="text", list="level") == (None, "not_in_list")


def test_a_blank_cell_has_neither_value_nor_rule():
    assert read(" ", type="integer") == (None, None)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (12.0, "12"),
        (82.5, "82,5"),
        (date(2024, 9, 2), "02/09/2024"),
        (" a  b ", "a b"),
        (timedelta(hours=36), "36:00"),
        (timedelta(days=38426, minutes=5, seconds=7), "922224:05:07"),
        (-timedelta(hours=1, minutes=30), "-1:30"),
    ],
)
def test_a_cell_is_shown_as_its_sender_reads_it(cell, text):
    assert shown(cell) == text
