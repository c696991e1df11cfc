from datetime import date

import pandas as pd
from drawn_sendings import FIRST_ROW, UNIT, honest_unit, sending

from submissions.changes import COLUMNS, HIDDEN, find_changes


def changes(before, after):
    return find_changes(sending(before), sending(after))


def test_two_sendings_with_the_same_rows_in_another_order_differ_in_nothing():
    before, after = honest_unit(), honest_unit()
    after["members"] = after["members"].sample(frac=1, random_state=1)
    after["cell_meetings"] = after["cell_meetings"].iloc[::-1]

    found = changes(before, after)

    assert found.empty
    assert list(found.columns) == list(COLUMNS)


def test_a_changed_cell_is_told_with_both_values_and_both_places():
    before, after = honest_unit(), honest_unit()
    after["organisations"] = after["organisations"].iloc[::-1].reset_index(drop=True)
    after["organisations"].loc[0, "member_count"] = 15

    (change,) = changes(before, after).to_dict("records")

    assert change == {
        "form": "Biểu 2",
        "key": f"{UNIT}.001.000.004",
        "column": "member_count",
        "kind": "changed",
        "before": "12",
        "after": "15",
        "cell": f"I{FIRST_ROW}",
        "cell_before": f"I{FIRST_ROW + 4}",
    }


def test_values_are_shown_as_the_unit_writes_them():
    before, after = honest_unit(), honest_unit()
    after["cell_meetings"].loc[1, "held_on"] = date(2024, 2, 29)
    after["cell_meetings"].loc[2, "points"] = 82.5
    after["cell_meetings"].loc[3, "band"] = None
    before["members"]["is_head"] = False
    after["members"]["is_head"] = [True] + [False] * 47

    found = changes(before, after).set_index("column")["after"]

    assert found.to_dict() == {"held_on": "29/02/2024", "points": "82,5", "band": "", "is_head": "x"}


def test_rows_that_came_and_went_are_told_once_each():
    before, after = honest_unit(), honest_unit()
    after["members"] = after["members"].drop(index=[0])
    after["organisations"] = pd.concat(
        [after["organisations"], after["organisations"].tail(1).assign(org_code=f"{UNIT}.001.000.009")]
    )

    found = changes(before, after)

    assert found[["form", "key", "kind", "cell", "cell_before"]].to_dict("split")["data"] == [
        ["Biểu 2", f"{UNIT}.001.000.009", "added", f"A{FIRST_ROW + 5}", ""],
        ["Biểu 3", "", "removed", "", f"A{FIRST_ROW}"],
    ]


def test_no_pseudonym_of_a_member_is_shown():
    before, after = honest_unit(), honest_unit()
    case = {"subject": "Đảng viên", "decision_no": "21-QĐ", "form": "Cảnh cáo"}
    before["disciplines"] = pd.DataFrame([{**case, "subject_member_key": f"{UNIT}-1"}])
    after["disciplines"] = pd.DataFrame([{**case, "subject_member_key": f"{UNIT}-2"}])
    after["members"].loc[3, "theory"] = "Trung cấp"

    found = changes(before, after)

    assert found["key"].tolist() == ["", "21-QĐ"]
    assert found.loc[1, ["column", "before", "after"]].tolist() == ["subject_code", HIDDEN, HIDDEN]
    assert not found.map(lambda text: f"{UNIT}-" in text).to_numpy().any()


def test_rows_without_a_key_are_told_by_all_they_hold():
    row = {"cell_code": f"{UNIT}.001.000.001", "admitted_on": date(2024, 5, 19), "birth_year": 2000}
    before, after = honest_unit(), honest_unit()
    before["admissions"] = pd.DataFrame([row, row])
    after["admissions"] = pd.DataFrame([row, row, {**row, "birth_year": 2001}])

    found = changes(before, after)

    assert found["kind"].tolist() == ["added"]
    assert found["cell"].str.endswith(str(FIRST_ROW + 2)).all()


def test_several_rows_of_one_key_are_told_apart():
    event = {"org_code": f"{UNIT}.001.000.000", "topic": "Nghiệp vụ", "held_on": date(2024, 5, 19), "invited": 9}
    before, after = honest_unit(), honest_unit()
    before["trainings"] = pd.DataFrame([{**event, "attended": 8}, {**event, "attended": 7}])
    after["trainings"] = pd.DataFrame([{**event, "attended": 8}, {**event, "attended": 6}, {**event, "attended": 5}])

    found = changes(before, after)

    assert found[["kind", "before", "after"]].to_dict("split")["data"] == [["added", "", ""], ["changed", "7", "6"]]


def test_a_member_whose_card_number_was_mended_stays_one_row_once_both_are_confirmed_to_be_one():
    before, after = honest_unit(), honest_unit()
    before["members"].loc[0, "member_key"] = "mistyped"
    after["members"].loc[0, "member_key"] = "right"
    after["members"].loc[0, "status"] = "Dự bị"

    apart = changes(before, after)
    as_one = find_changes(sending(before), sending(after), {"mistyped": "right"})

    assert sorted(apart.loc[apart["form"] == "Biểu 3", "kind"]) == ["added", "removed"]
    assert set(zip(as_one["column"], as_one["kind"], as_one["before"], as_one["after"], strict=True)) == {
        ("card_no", "changed", HIDDEN, HIDDEN),
        ("status", "changed", "Chính thức", "Dự bị"),
    }
