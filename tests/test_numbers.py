from datetime import date as Date

import pandas as pd
import pytest

from reports import numbers


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        (1716, 0, "1.716"),
        (27310.4, 0, "27.310"),
        (1234567.891, 2, "1.234.567,89"),
        (0, 0, "0"),
        (-0.04, 1, "0,0"),
        (-3.25, 1, "−3,3"),
        (2.5, 0, "3"),
        (0.125, 2, "0,13"),
        (1.005, 2, "1,01"),
    ],
)
def test_a_number_has_decimal_commas_thousands_dots_and_halves_go_up(value, decimals, expected):
    assert numbers.number(value, decimals) == expected


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT])
def test_an_unknown_figure_is_called_missing_and_never_nought(value):
    shown = (
        numbers.number(value), numbers.percent(value), numbers.points(value),
        numbers.percent_beside(value, 90), numbers.date(value), numbers.trimmed(value),
    )  # fmt: skip

    assert set(shown) == {"Thiếu dữ liệu"}


def test_a_percentage_has_one_decimal_unless_told():
    assert numbers.percent(91.24) == "91,2%"
    assert numbers.percent(2.314, 2) == "2,31%"


@pytest.mark.parametrize(
    ("value", "expected"), [(90.0, "90,0%"), (90.04, "90,04%"), (89.96, "89,96%"), (89.996, "89,996%"), (88.4, "88,4%")]
)
def test_a_percentage_that_misses_or_passes_a_target_does_not_look_like_the_target(value, expected):
    assert numbers.percent_beside(value, 90) == expected


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(1.5, "tăng 1,5 điểm %"), (-0.4, "giảm 0,4 điểm %"), (0.04, "không đổi"), (-0.04, "không đổi")],
)
def test_a_difference_of_percentages_is_said_in_points(difference, expected):
    assert numbers.points(difference) == expected


def test_a_gap_is_not_rounded_away():
    assert numbers.gap(2.31, 3, 2) == "0,69 điểm %"
    assert numbers.gap(2.9991, 3, 2) == "0,001 điểm %"
    assert numbers.gap(3, 3, 2) == "0,00 điểm %"


def test_a_day_is_day_month_year():
    assert numbers.date(Date(2026, 2, 5)) == "05/02/2026"


@pytest.mark.parametrize(
    ("value", "expected"), [(3.0, "3"), (2.5, "2,5"), (0.75, "0,75"), (100, "100"), (1200, "1.200")]
)
def test_a_target_is_written_without_needless_noughts(value, expected):
    assert numbers.trimmed(value) == expected


def test_nine_tenths_are_ninety_percent_exactly():
    assert numbers.share(27, 30) == 90.0
    assert numbers.share(1, 0) is None
    assert numbers.share(None, 3) is None


def test_names_are_listed_with_a_last_and():
    assert numbers.listed([]) == ""
    assert numbers.listed(["Đắk Mil"]) == "Đắk Mil"
    assert numbers.listed(["Cư Jút", "Đắk Mil", "Tuy Đức"]) == "Cư Jút, Đắk Mil và Tuy Đức"
