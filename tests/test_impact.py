import pytest

from submissions.form_set import load_form_sets
from submissions.impact import COLUMNS, rank_repairs
from submissions.issues import issues_frame

FORM_SET = load_form_sets()["B12-2021"]


def issue(rule, form, column, cell, value="", severity="error"):
    return {
        "file": "a.xlsx",
        "rule": rule,
        "form": form,
        "column": column,
        "cell": cell,
        "value": value,
        "severity": severity,
    }


def repairs(*issues, **options):
    return rank_repairs(issues_frame(issues), FORM_SET, **options)


def test_one_wrong_spelling_in_many_cells_is_one_repair():
    found = repairs(
        *[issue("not_in_list", "Biểu 5", "final_level", f"F{row}", "Trong sạch") for row in range(8, 308)],
        *[issue("not_in_list", "Biểu 5", "final_level", f"F{row}", "Tốt") for row in range(400, 410)],
    )

    assert list(found.columns) == list(COLUMNS)
    assert found[["value", "issues", "rows_released"]].to_numpy().tolist() == [
        ["Trong sạch", 300, 300],
        ["Tốt", 10, 10],
    ]
    assert found.at[0, "repair"] == (
        "Biểu 5, cột “Cấp có thẩm quyền quyết định”: thay “Trong sạch” bằng một giá trị của danh mục (300 ô)."
    )


def test_one_missing_organisation_is_one_repair_in_whichever_forms():
    found = repairs(
        issue("unknown_code", "Biểu 3", "cell_code", "F8", "67.001.009"),
        issue("unknown_code", "Biểu 5", "cell_code", "C8", "67.001.009"),
        issue("unknown_code", "Biểu 6", "cell_code", "A8", "67.001.009"),
    )

    assert found[["form", "issues", "rows_released"]].to_numpy().tolist() == [["Biểu 3, Biểu 5, Biểu 6", 3, 3]]
    assert "67.001.009" in found.at[0, "repair"]


def test_a_column_of_codes_typed_as_numbers_is_one_repair():
    found = repairs(*[issue("code_as_number", "Biểu 3", "card_no", f"A{row}", f"67{row:010}") for row in range(8, 48)])

    assert found["issues"].tolist() == [40]
    assert "định dạng cả cột là Text" in found.at[0, "repair"]
    assert found.at[0, "value"] == ""


def test_dates_of_a_wrong_year_are_one_repair_a_year():
    found = repairs(
        *[issue("outside_period", "Biểu 6", "held_on", f"C{row}", f"0{row}/03/2023") for row in range(1, 5)],
        issue("outside_period", "Biểu 6", "held_on", "C9", "01/03/2032"),
    )

    assert found[["value", "issues"]].to_numpy().tolist() == [["2023", 4], ["2032", 1]]


def test_a_row_with_another_error_is_not_released():
    found = repairs(
        *[issue("not_in_list", "Biểu 3", "status", f"D{row}", "Nan") for row in (8, 9)],
        issue("unknown_code", "Biểu 3", "cell_code", "F9", "67.1"),
    )

    assert found.set_index("rule")["rows_released"].to_dict() == {"not_in_list": 1, "unknown_code": 0}


def test_a_cell_that_only_describes_holds_no_row_back():
    found = repairs(
        *[issue("not_in_list", "Biểu 3", "gender", f"D{row}", "Nan") for row in (8, 9)],
        issue("unknown_code", "Biểu 3", "cell_code", "F9", "67.1"),
    )

    assert found.set_index("rule")["rows_released"].to_dict() == {"unknown_code": 1, "not_in_list": 0}


def test_what_releases_most_rows_comes_first_and_five_are_shown():
    columns = ["gender", "school", "qualification", "theory", "occupation", "status"]
    found = repairs(
        *[
            issue("not_in_list", "Biểu 3", key, f"A{10 * place + row}", "?")
            for place, key in enumerate(columns)
            for row in range(place + 1)
        ]
    )

    assert found["column"].tolist() == columns[:0:-1]
    assert len(repairs(*[issue("required", "Biểu 3", key, "A1") for key in columns], top=2)) == 2


@pytest.mark.parametrize(
    "told",
    [
        issue("unknown_code", "Biểu 5", "card_no", "A8", "670000000001"),
        issue("not_in_list", "Biểu 3", "gender", "D8", "Nguyễn Văn Thử"),
        issue("outside_period", "Biểu 3", "born_on", "C8", "31/12/2999"),
    ],
)
def test_no_sentence_quotes_what_tells_a_person(told):
    found = repairs(told)

    assert told["value"] not in found.at[0, "repair"]
    assert told["value"] not in found.at[0, "value"]


def test_queries_and_sound_sendings_call_for_no_repair():
    assert repairs(issue("levels_alike", "Biểu 5", "final_level", "F7", severity="query")).empty
    assert repairs().empty
