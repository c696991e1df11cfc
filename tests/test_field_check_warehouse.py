"""The field check in the warehouse: what was drawn, what was found, and what GAP and the estimates make of it."""

from datetime import date

import openpyxl
import pandas as pd
import pytest
from store_builder import build_warehouse

from orchestration.field_checks import results
from orchestration.settings import Folders
from orchestration.warehouse import build_id
from ratings import fieldcheck
from ratings.signals.province import province
from submissions.fieldchecks import FORM_SET, write_workbook
from submissions.form_set import load_form_sets
from submissions.intake import take_in
from submissions.register import fieldchecks
from submissions.register.log import Register
from submissions.store import Store
from tests.workbooks import unit_forms, write_unit

DRAW, YEAR = "TDL-2024-0a1b2c3d", 2024
UNIT, GRASSROOTS, CELL = "67.001", "67.001.001.000.000", "67.001.001.000.001"
GOOD, LOWER = "Hoàn thành tốt nhiệm vụ", "Hoàn thành nhiệm vụ"


def with_more_members(count: int = 4) -> dict[str, pd.DataFrame]:
    """A unit's forms with so many more members of the first cell, all of them rated good."""
    forms = unit_forms(YEAR)
    for form in ("members", "member_assessments"):
        first = forms[form].iloc[[1]]
        more = [first.assign(card_no=f"67000000010{number}", full_name=f"Người {number}") for number in range(count)]
        forms[form] = pd.concat([forms[form], *more], ignore_index=True)
    return forms


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Folders:
    """One unit's report, a draw of five of its members, and what was found of four of them, in two files."""
    folders = Folders(tmp_path_factory.mktemp("field-check"))
    take_in([write_unit(folders.data / "2024.xlsx", with_more_members(), year=YEAR).path], data=folders.data, workers=1)
    store = Store(folders.store)
    [name] = store.received()
    rated = store.form_frame("member_assessments", name)
    rated = rated[(rated["cell_code"] == CELL) & rated["final_level"].notna()].head(5).reset_index(drop=True)
    members = pd.DataFrame(
        {
            "number": rated.index + 1,
            "unit_code": UNIT,
            "org_code": GRASSROOTS,
            "cell_code": CELL,
            "member_key": rated["member_key"],
            "record_id": name[:16] + "/member_assessments/" + rated["row"].astype(str),
            "level_code": ["HTT", "HTT", "HTT", "HT", "HTT"],
        }
    )
    organisations = pd.DataFrame(
        [[UNIT, GRASSROOTS, "random", None, 6, 5, 0.2, 0.3, 0.44]], columns=list(fieldchecks.ORGANISATION)
    )
    settings = dict.fromkeys(fieldchecks.SETTINGS, 1)
    with Register.open(folders.data / "register.sqlite") as register:
        fieldchecks.record(register, DRAW, YEAR, settings, organisations, members, by="Ban Tổ chức")
    take_in([], data=folders.data, workers=1)
    path = folders.data / "mau.xlsx"
    shown = members.assign(org_name="Đảng bộ", listed_in="lần 1", listed_sheet="Biểu 5", listed_row=9)
    write_workbook(path, load_form_sets()[FORM_SET], shown, draw_id=DRAW, year=YEAR, owner="Tỉnh ủy")
    for version, found in enumerate([{1: LOWER}, {1: GOOD, 2: LOWER, 4: LOWER, 5: GOOD}]):
        book = openpyxl.load_workbook(path)
        for number, level in found.items():
            page = book["Phiếu thẩm định lại"]
            page[f"K{8 + number}"], page[f"M{8 + number}"] = level, date(2025, 3, version + 1)
        page["F13"] = CELL if version == 0 else "67.001.009"
        book.save(folders.data / f"{version}.xlsx")
        [file] = take_in([folders.data / f"{version}.xlsx"], data=folders.data, workers=1).files
        assert file.state == "accepted"
    return folders


@pytest.fixture(scope="module")
def warehouse(data):
    with build_warehouse(data.store, data.data / "w.duckdb") as connection:
        yield connection


@pytest.fixture(scope="module")
def facts(warehouse) -> pd.DataFrame:
    return warehouse.execute("select * from marts.fct_field_check order by number").df()


def test_every_member_drawn_has_a_row_and_the_latest_file_s_result(facts):
    assert facts["number"].tolist() == [1, 2, 3, 4, 5]
    assert facts["level_found"].fillna("").tolist() == ["HTT", "HT", "", "HT", ""]
    assert facts["checked_on"].dropna().dt.day.unique().tolist() == [2]
    assert facts["level_submitted"].tolist() == ["HTT", "HTT", "HTT", "HT", "HTT"]


def test_what_is_not_done_or_no_longer_as_drawn_is_no_result(facts):
    assert facts["rechecked"].fillna(-1).tolist() == [1, 1, -1, 1, -1]
    assert facts["lowered"].fillna(-1).tolist() == [0, 1, -1, 0, -1]


def test_gap_and_the_estimates_count_the_same(facts, warehouse):
    tables = {
        name: warehouse.execute(f"select * from marts.{name}").df()
        for (name,) in warehouse.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
        ).fetchall()
    }
    from ratings.rules import load_rules

    looks = province(tables, load_rules()).rechecks
    own = fieldcheck.rechecks(results({"fct_field_check": facts}))
    assert looks[["rechecked", "lowered"]].sum().tolist() == [3, 1]
    assert own[["rechecked", "lowered"]].to_numpy().tolist() == [[3, 1]]
    assert looks["organisation"].nunique() == 1


def test_the_chances_of_the_draw_are_in_the_facts(facts):
    assert facts["probability"].eq(0.44).all()
    assert facts["member_probability"].round(6).eq(round(5 / 6, 6)).all()


def test_nobody_is_named_and_no_free_words_are_kept(warehouse):
    told = warehouse.execute("select * from marts.fct_field_check").df().to_csv()

    assert "Người" not in told
    assert "6700000001" not in told


def test_a_result_changes_the_build(data):
    with_results = build_id(data)
    table = data.store / "forms" / "field_checks"
    [*files] = (path for path in table.glob("*.parquet") if path.stem != "_schema")
    moved = files[0].rename(data.data / files[0].name)
    try:
        assert build_id(data) != with_results
    finally:
        moved.rename(files[0])
    assert build_id(data) == with_results
