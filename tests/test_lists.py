"""The lists that a province keeps by hand: all that is wrong in any of them, at once, before anything is built."""

import re
from inspect import cleandoc

import pandas as pd
import pytest
from store_builder import DrawnStore

from submissions.lists import check_codes, read_lists
from submissions.units import ListError

HEADING = "succession_id,effective_on,kind,old_code,new_code,share,legal_source"


@pytest.fixture
def store(tmp_path):
    """A store in `data/store`: 67.001 reported on 2024 and 2025, 67.002 on 2024 alone; 67.003 is awaited."""
    drawn = DrawnStore(tmp_path / "store")
    for unit, year in (("67.001", 2024), ("67.001", 2025), ("67.002", 2024)):
        listed = f"""
        org_code     | org_name | org_kind      | parent_code
        ---------------------------------------------------
        {unit}.001   | Một      | Đảng bộ cơ sở | {unit}
        """
        drawn.send(unit, year, organisations=cleandoc(listed))
    (tmp_path / "units.csv").write_text("unit_code\n67.001\n67.002\n67.003\n", encoding="utf-8")
    return drawn.store


def unknown(tmp_path, store, rows: str) -> list[tuple[int, str, str]]:
    """Line, column and code of each code that is refused."""
    (tmp_path / "successions.csv").write_text(f"{HEADING}\n{cleandoc(rows)}\n", encoding="utf-8")
    try:
        check_codes(tmp_path, store)
    except ListError as error:
        told = pd.Series([line for line in str(error).splitlines() if ", cột " in line])
        found = told.str.extract(r"dòng (\d+), cột (\w+): .* mã “([^”]+)”; cần mã có .* Hãy sửa mã")
        return [(int(line), column, code) for line, column, code in found.itertuples(index=False)]
    return []


def test_what_is_wrong_in_several_lists_is_told_at_once(tmp_path):
    written = {
        "units.csv": "unit_code,from_year\n67.001,x\n",
        "cap_exceptions.csv": "unit_code,group_code,year,cap_pct,decision_no\n67.001,G,2025,25,\n",
        "successions.csv": f"{HEADING}\nA,2025-07-01,renamed,67.001,68.001,,\n",
        "deadlines.csv": "unit_code,year,due_before\n*,*,31/13\n",
    }
    for name, text in written.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(ListError) as refused:
        read_lists(tmp_path)

    assert [line.removeprefix(f"{tmp_path}/").split(":")[0] for line in str(refused.value).splitlines()] == [
        "units.csv, dòng 2, cột from_year",
        "cap_exceptions.csv, dòng 2, cột decision_no",
        "successions.csv, dòng 2, cột legal_source",
        "deadlines.csv, dòng 2, cột due_before",
    ]


def test_where_no_list_is_kept_all_are_empty_and_no_code_is_wrong(tmp_path, store):
    (tmp_path / "units.csv").unlink()
    lists = read_lists(tmp_path)

    assert lists.units.empty
    assert lists.cap_exceptions.empty
    assert lists.successions.empty
    check_codes(tmp_path, store)


def test_a_change_of_what_nobody_has_reported_is_refused_with_all_its_lines(tmp_path, store):
    rows = """
        A,2025-07-01,renamed,67.001.001,68.001,,QĐ
        B,2025-07-01,merged,67.001.999,68.001,,QĐ
        C,2025-07-01,dissolved,99.001,,,QĐ
        D,2025-07-01,merged,67.003.001,68.001,,QĐ
        E,2025-10-01,renamed,68.001,68.002,,QĐ
    """
    # 67.003 has not reported: whether 67.003.001 exists is not known yet. 68.001 came of another change.
    assert unknown(tmp_path, store, rows) == [(3, "old_code", "67.001.999"), (4, "old_code", "99.001")]


@pytest.mark.parametrize(
    ("parent", "on", "is_refused"),
    [
        ("67.002.001", "2025-07-01", False),  # reported
        ("67.003", "2025-07-01", False),  # a unit that is expected
        ("67", "2025-07-01", False),  # the province itself
        ("67.001.888", "2025-07-01", True),  # its unit reported on 2025 without it
        ("67.001.888", "2026-01-01", False),  # its unit has yet to report on 2026
        ("67.002.888", "2025-07-01", False),  # its unit has yet to report on 2025
        ("67.002.888", "2024-12-31", True),
        ("68.001", "2025-07-01", True),  # written as units are, and no list names it
        ("68.001", "2027-01-01", True),
        ("99.001.888", "2025-07-01", True),  # of no unit
        ("99.001.888", "2026-01-01", True),
    ],
)
def test_a_parent_that_does_not_exist_is_refused_once_it_should_have_been_reported(
    tmp_path, store, parent, on, is_refused
):
    refused = [(2, "new_code", parent)] if is_refused else []
    assert unknown(tmp_path, store, f"A,{on},new_parent,67.001.001,{parent},,QĐ") == refused


def test_a_parent_in_a_unit_that_the_list_itself_brings_is_awaited(tmp_path, store):
    rows = """
        A,2025-07-01,renamed,67.001.001,68.001,,QĐ
        B,2025-07-01,new_parent,67.002.001,68.001.007,,QĐ
    """
    assert unknown(tmp_path, store, rows) == []


@pytest.mark.parametrize(
    ("rows", "is_refused"),
    [
        ("B,2025-07-01,renamed,67.002,68.001,,QĐ", False),  # what something else became
        ("B,2025-07-01,new_parent,67.002.001,68.001,,QĐ", False),  # a new unit under which several are put
        ("B,2025-07-01,new_parent,67.002.001,68.002.005,,QĐ\nC,2025-07-01,renamed,67.002,68.002,,QĐ", True),
        ("B,2025-10-01,new_parent,67.001.001,68.001,,QĐ", True),  # the same one twice
    ],
)
def test_a_new_unit_is_known_once_something_else_of_the_list_speaks_of_it(tmp_path, store, rows, is_refused):
    refused = unknown(tmp_path, store, f"A,2025-07-01,new_parent,67.001.001,68.001,,QĐ\n{rows}")
    assert {code for _, _, code in refused} == ({"68.001"} if is_refused else set())


def test_a_new_unit_is_known_by_the_list_of_units(tmp_path, store):
    row = "A,2025-07-01,new_parent,67.001.001,68.001,,QĐ"
    assert unknown(tmp_path, store, row) == [(2, "new_code", "68.001")]
    with (tmp_path / "units.csv").open("a", encoding="utf-8") as file:
        file.write("68.001\n")
    assert unknown(tmp_path, store, row) == []


def test_the_province_of_units_that_the_list_brings_is_known(tmp_path, store):
    rows = "A,2025-07-01,renamed,67.001,68.001,,QĐ\nB,2025-07-01,new_parent,67.002,68,,QĐ"
    assert unknown(tmp_path, store, rows) == []
    assert unknown(tmp_path, store, "B,2025-07-01,new_parent,67.002,68,,QĐ") == [(2, "new_code", "68")]


def test_an_organisation_put_under_one_that_reports_have_below_it_is_refused_with_the_way_up(tmp_path):
    drawn = DrawnStore(tmp_path / "store")
    listed = """
        org_code     | org_name | org_kind            | parent_code
        -----------------------------------------------------------
        67.001.001   | Một      | Đảng bộ cơ sở       | 67.001
        67.001.002   | Hai      | Đảng bộ bộ phận     | 67.001.001
        67.001.003   | Ba       | Chi bộ trực thuộc   | 67.001.002
    """
    drawn.send("67.001", 2024, organisations=cleandoc(listed))
    down = "A,2025-07-01,new_parent,67.001.001,67.001.003,,QĐ"
    (tmp_path / "successions.csv").write_text(f"{HEADING}\n{down}\n", encoding="utf-8")

    with pytest.raises(ListError, match=r"dòng 2, cột new_code: vòng lặp.*67\.001\.003 → 67\.001\.002 → 67\.001\.001 "):
        check_codes(tmp_path, drawn.store)

    away = "B,2025-07-01,new_parent,67.001.002,67.001,,QĐ"  # what lay between goes another way
    (tmp_path / "successions.csv").write_text(f"{HEADING}\n{away}\n{down}\n", encoding="utf-8")
    check_codes(tmp_path, drawn.store)


@pytest.mark.parametrize(
    ("units", "rows", "told"),
    [
        # 67.001 reports for 2025 at the latest; in 2026 nobody would.
        (
            "68.001,2027,",
            "A,2025-07-01,renamed,67.001,68.001,,QĐ",
            "dòng 2, cột new_code: hở: 67.001 được tính đến hết ",
        ),
        ("68.001,2026,", "A,2025-07-01,renamed,67.001,68.001,,QĐ", None),
        ("68.001,2025,", "A,2025-07-01,renamed,67.001,68.001,,QĐ", None),
        ("68.001,,", "A,2025-07-01,renamed,67.001,68.001,,QĐ", None),
        # 67.001 is expected until 2023 alone, whenever it ends.
        ("67.001,,2023\n68.001,2025,", "A,2025-07-01,merged,67.001,68.001,,QĐ", "năm 2024 không có đơn vị nào"),
        ("67.001,,2023\n68.001,2020,", "A,2025-07-01,merged,67.001,68.001,,QĐ", None),
        ("68.001,2020,2021\n68.001,2027,", "A,2025-07-01,merged,67.001,68.001,,QĐ", None),
        # A part of what is divided, and who is put under a unit that is not there yet.
        (
            "68.001,2025,\n68.002,2028,",
            "A,2025-07-01,split,67.001,68.001,0.5,QĐ\nA,2025-07-01,split,67.001,68.002,0.5,QĐ",
            "dòng 3, cột new_code: hở: .* năm 2026 đến 2027 không có đơn vị nào",
        ),
        ("68.001,2027,", "A,2025-07-01,new_parent,67.001.001,68.001,,QĐ", "68.001 chỉ từ năm 2027: năm 2026 không"),
        # A year that cannot be read says nothing.
        ("68.001,hai,", "A,2025-07-01,renamed,67.001,68.001,,QĐ", None),
    ],
)
def test_a_successor_expected_only_years_later_leaves_a_gap(tmp_path, units, rows, told):
    (tmp_path / "units.csv").write_text(f"unit_code,from_year,to_year\n{units}\n", encoding="utf-8")
    (tmp_path / "successions.csv").write_text(f"{HEADING}\n{rows}\n", encoding="utf-8")
    said = ""
    try:
        read_lists(tmp_path)
    except ListError as error:
        said = str(error)
    if told:
        assert re.search(told, said)
        assert "units.csv (dòng " in said
    else:
        assert "hở" not in said


def test_rows_with_a_cell_too_many_hide_no_fault_of_the_others(tmp_path):
    (tmp_path / "units.csv").write_text("unit_code,unit_name\n67.001,Một, cũ\n,Hai\n", encoding="utf-8")
    rows = "A,2025-07-01,renamed,67.001,68.001,,QĐ 1, ngày 2\nB,2025-07-01,merged,67.002,68.001,0.5,QĐ"
    (tmp_path / "successions.csv").write_text(f"{HEADING}\n{rows}\n", encoding="utf-8")

    with pytest.raises(ListError) as refused:
        read_lists(tmp_path)

    told = [line.split(": ")[0].removeprefix(f"{tmp_path}/") for line in str(refused.value).splitlines()]
    assert [one for one in told if ", dòng" in one] == [
        "units.csv, dòng 2",
        "units.csv, dòng 3, cột unit_code",
        "successions.csv, dòng 2",
        "successions.csv, dòng 3, cột share",
    ]


def test_a_missing_source_hides_no_other_fault_of_the_same_rows(tmp_path):
    rows = """
        A,2025-07-01,merged,67.001,67.002,,
        B,2025-10-01,merged,67.002,67.001,,QĐ
    """
    (tmp_path / "successions.csv").write_text(f"{HEADING}\n{cleandoc(rows)}\n", encoding="utf-8")

    with pytest.raises(ListError) as refused:
        read_lists(tmp_path)

    assert "dòng 2, cột legal_source: để trống: thiếu căn cứ pháp lý" in str(refused.value)
    assert "vòng lặp trong chuỗi kế thừa: 67.001, 67.002" in str(refused.value)
