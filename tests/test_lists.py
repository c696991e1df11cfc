"""The lists that a province keeps by hand: all that is wrong in any of them, at once, before anything is built."""

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
        ("68.001", "2025-07-01", False),  # written as units are: a new one
        ("99.001.888", "2025-07-01", True),  # of no unit, and others have reported on 2025
        ("99.001.888", "2026-01-01", False),  # nobody has reported on 2026
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
