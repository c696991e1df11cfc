"""Numbers and dates written in every way of the forms' agreement read the same."""

import unicodedata
from datetime import date, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from submissions.form_set import Column
from submissions.values import find_evidence, parse_column, parse_date, parse_integer, parse_mark, parse_number

WHOLE = st.integers(min_value=0, max_value=9_999_999)
TENTHS = st.integers(min_value=0, max_value=9_999_999)
DAYS = st.dates(min_value=date(1900, 3, 1), max_value=date(2100, 12, 31))
SPACE = st.sampled_from(["", " ", "\u00a0", "  ", "\t", "\u200b"])


def grouped(number: int, sign: str) -> str:
    return f"{number:,}".replace(",", sign)


def read(cells: list[object], **column: object) -> list[object]:
    """Each cell's value, or the rule it breaks."""
    made = Column(key="c", heading="C", **column)
    distinct = np.empty(len(cells), dtype=object)
    distinct[:] = cells
    blanks = np.zeros(len(cells), dtype=bool)
    values, rules = parse_column(made, {}, 2024, distinct, blanks, find_evidence(made, distinct))
    return [value if rule is None else rule for value, rule in zip(values, rules, strict=True)]


@given(WHOLE, SPACE, SPACE)
def test_a_whole_number_reads_the_same_in_every_way(number, before, after):
    ways = [number, float(number), str(number), f"{number},0", f"{number}.0", f"+{number}"]
    ways += [grouped(number, sign) for sign in (".", " ", "\u00a0", "\u202f", "’", "'")]
    for way in ways:
        text = f"{before}{way}{after}" if isinstance(way, str) else way
        assert parse_integer(text) == (number, None), way
        assert parse_number(text) == (float(number), None) or "." in str(way), way


@given(TENTHS, SPACE)
def test_a_decimal_number_reads_the_same_in_every_way(tenths, space):
    whole, digit = divmod(tenths, 10)
    number = tenths / 10
    ways = [f"{whole},{digit}", f"{grouped(whole, '.')},{digit}", f"{whole},{digit}0", f"{whole}.{digit}"]
    ways += [f"{grouped(whole, sign)},{digit}" for sign in (" ", "\u00a0")] + [f"{grouped(whole, ',')}.{digit}"]
    for way in ways:
        assert parse_number(f"{space}{way}") == (number, None), way
    assert parse_number(number) == (number, None)


@given(st.lists(TENTHS, min_size=1, max_size=20), st.sampled_from([(".", ","), (",", ".")]))
def test_a_column_in_one_style_is_read_in_it(numbers, style):
    thousands, decimal = style
    # The last one can be read in this style only.
    numbers = [*numbers, 12_345]
    cells = [f"{grouped(number // 10, thousands)}{decimal}{number % 10}" for number in numbers]
    assert read(cells, type="number") == [number / 10 for number in numbers]


@given(st.lists(st.integers(1_000, 999_999), min_size=1, max_size=20), st.sampled_from(".,"))
def test_a_column_of_whole_numbers_in_one_style_is_read_in_it(numbers, sign):
    cells = [*(grouped(number, sign) for number in numbers), grouped(1_234_567, sign)]
    assert read(cells, type="integer", min=0) == [*numbers, 1_234_567]


@given(st.lists(st.integers(1_000, 999_999), min_size=1, max_size=20))
def test_whole_numbers_that_can_be_read_in_two_ways_are_never_guessed(numbers):
    asked = read([grouped(number, ",") for number in numbers], type="integer", min=0)
    assert asked == ["ambiguous_number"] * len(numbers)
    mixed = [*(grouped(number, ".") for number in numbers), "1.234,5", "1,234.5"]
    assert read(mixed, type="number")[: len(numbers)] == ["ambiguous_number"] * len(numbers)


@given(st.text(alphabet="0123456789.,", min_size=1, max_size=12))
def test_a_number_in_text_is_read_only_as_its_digits_stand(text):
    value, rule = parse_number(text)
    if rule is None:
        read_digits = np.format_float_positional(value).replace(".", "")
        assert read_digits.strip("0") == text.replace(".", "").replace(",", "").strip("0")


@given(DAYS, SPACE)
def test_a_date_reads_the_same_in_every_way(day, space):
    midnight = datetime(day.year, day.month, day.day)
    ways = [day, midnight, f"{day:%d/%m/%Y}", f"{day.day}/{day.month}/{day.year}", f"{day:%d-%m-%Y}", f"{day:%d.%m.%Y}"]
    ways += [f"{day:%Y-%m-%d}", f"{midnight:%Y-%m-%d %H:%M:%S}", f"{day:%d/%m/%Y} 00:00:00", f"{day:%d / %m / %Y}"]
    ways += [f"ngày {day.day} tháng {day.month} năm {day.year}", f"Ngày {day:%d} tháng {day:%m} năm {day.year}"]
    for way in ways:
        for form in ("NFC", "NFD"):
            text = f"{space}{unicodedata.normalize(form, way)}{space}" if isinstance(way, str) else way
            assert parse_date(text) == (day, None), way


@given(DAYS.filter(lambda day: day >= date(1927, 5, 18)))
def test_a_date_that_lost_its_format_is_read_from_its_number_and_from_no_text(day):
    serial = (day - date(1899, 12, 30)).days
    expected = (day, None) if serial < 80_000 else (None, "not_date")
    assert parse_date(float(serial)) == expected
    assert parse_date(str(serial)) == (None, "not_date")


@given(st.lists(DAYS, min_size=1, max_size=20), st.sampled_from(["%d/%m/%Y", "%m/%d/%Y"]))
def test_no_date_of_a_column_is_read_with_its_month_first(days, form):
    values = read([f"{day:{form}}" for day in days], type="date")

    told = len({day for day in days if day.day > 12}) > 1
    for day, value in zip(days, values, strict=True):
        if form == "%d/%m/%Y":
            assert value == day
        elif told:
            assert value == ("not_date" if day.day > 12 else day if day.day == day.month else "ambiguous_date")


@given(
    st.one_of(st.text(max_size=12), st.floats(), st.integers(), st.booleans(), st.dates(), st.datetimes(), st.times())
)
def test_any_cell_has_a_value_or_a_rule(cell):
    for column in ("integer", "number", "date", "mark", "text", "code"):
        (value,) = read([cell], type=column)
        assert value is not None
    assert parse_mark(cell)[1] in {None, "not_mark", "error_cell"}
