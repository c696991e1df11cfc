"""The field check's workbook: what goes out in it, what may come back in it, and what becomes of that."""

from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from submissions.fieldchecks import FORM_SET, TABLE, read_draw, workbook_bytes, write_workbook
from submissions.form_set import load_form_sets
from submissions.intake import take_in
from submissions.register import fieldchecks, states
from submissions.register.log import Register, RegisterError
from submissions.store import Store

DRAW, YEAR = "TDL-2024-0a1b2c3d", 2024
SHEET = "Phiếu thẩm định lại"
FIRST = 9
"""Row of the first member."""

COLUMNS = {"number": "B", "unit": "C", "org": "D", "cell": "F", "member": "G", "level": "K", "reason": "L", "on": "M"}
COLUMNS |= {"by": "N"}
GOOD, LOWER = "Hoàn thành tốt nhiệm vụ", "Hoàn thành nhiệm vụ"
DAY = date(2025, 3, 1)

MEMBERS = pd.DataFrame(
    [
        [1, "67.001", "67.001.001", "67.001.001.000.001", "a" * 32, "ab/member_assessments/9", "HTT"],
        [2, "67.001", "67.001.001", "67.001.001.000.001", "1234567890" * 3 + "12", "ab/member_assessments/10", "XS"],
        [3, "67.001", "67.001.001", "67.001.001.000.002", "0123e56789" + "c" * 22, "ab/member_assessments/11", "HTT"],
        [4, "67.001", "67.001.002", "67.001.002", "d" * 32, "ab/member_assessments/12", "HT"],
    ],
    columns=list(fieldchecks.MEMBER),
)
ORGANISATIONS = pd.DataFrame(
    [
        ["67.001", "67.001.001", "both", 1.5, 20, 3, 0.4, 0.3, 0.58],
        ["67.001", "67.001.002", "random", None, 1, 1, 0.2, 0.3, 0.44],
    ],
    columns=list(fieldchecks.ORGANISATION),
)
SETTINGS = dict.fromkeys(fieldchecks.SETTINGS, 1) | {"difference": 0.15, "power": 0.8}


def enter(register: Register, draw_id: str = DRAW, year: int = YEAR) -> bool:
    return fieldchecks.record(register, draw_id, year, SETTINGS, ORGANISATIONS, MEMBERS, by="Ban Tổ chức")


def placed(members: pd.DataFrame = MEMBERS) -> pd.DataFrame:
    return members.assign(org_name="Đảng bộ xã A", listed_in="lần 1 · tệp abab", listed_sheet="Biểu 5", listed_row=9)


@pytest.fixture
def data(tmp_path) -> Path:
    """A data folder whose register knows one draw."""
    folder = tmp_path / "data"
    folder.mkdir()
    with Register.open(folder / "register.sqlite") as register:
        assert enter(register)
    take_in([], data=folder, workers=1)
    return folder


@pytest.fixture
def sheet(tmp_path) -> Path:
    path = tmp_path / "mau.xlsx"
    write_workbook(path, load_form_sets()[FORM_SET], placed(), draw_id=DRAW, year=YEAR, owner="Tỉnh ủy Đắk Mẫu")
    return path


@pytest.fixture
def fill(sheet, tmp_path):
    """A copy with cells filled in: ``fill({("level", 1): GOOD})``, by column and number of the member."""

    def filled(cells: dict[tuple[str, int], object], cover: dict[str, object] | None = None) -> Path:
        book = openpyxl.load_workbook(sheet)
        for (column, number), value in cells.items():
            book[SHEET][f"{COLUMNS[column]}{FIRST + number - 1}"] = value
        for cell, value in (cover or {}).items():
            book["Thông tin chung"][cell] = value
        path = tmp_path / f"da-dien-{len(list(tmp_path.glob('da-dien-*')))}.xlsx"
        book.save(path)
        return path

    return filled


def taken(data: Path, path: Path):
    [file] = take_in([path], data=data, workers=1).files
    return file


def levels(data: Path, source_hash: str) -> dict[int, str]:
    """By number: what was found, of the rows that load."""
    rows = Store(data / "store").form_frame(TABLE, source_hash)
    rows = rows[~rows["is_held_back"].astype(bool) & rows["level"].notna()]
    return dict(zip(rows["number"].astype(int), rows["level"], strict=True))


def standing(data: Path) -> dict[str, str]:
    with Register.open(data / "register.sqlite") as register:
        found = states.sendings(register)
    return dict(zip(found["source_hash"], found["state"], strict=True))


def done(*numbers: int, level: str = GOOD) -> dict[tuple[str, int], object]:
    return {(column, number): value for number in numbers for column, value in (("level", level), ("on", DAY))}


# --- going out


def test_what_goes_out_has_no_decided_level_and_nothing_that_tells_a_person(sheet):
    book = openpyxl.load_workbook(sheet)
    cells = [str(cell) for page in book for row in page.iter_rows(values_only=True) for cell in row if cell is not None]
    rows = [row for row in book[SHEET].iter_rows(min_row=FIRST, values_only=True) if row[1] is not None]

    assert [row[10:] for row in rows] == [(None,) * 4] * len(MEMBERS)
    assert not [cell for cell in cells if any(key in cell for key in MEMBERS["member_key"])]
    assert not set(MEMBERS["level_code"]) & set(cells)
    assert DRAW in cells
    assert rows[1][6] == "ĐV-1234567890"
    assert [tuple(row[7:10]) for row in rows] == [("lần 1 · tệp abab", "Biểu 5", 9)] * len(MEMBERS)


def test_the_levels_are_chosen_from_a_list(sheet):
    rules = openpyxl.load_workbook(sheet)[SHEET].data_validations.dataValidation

    [level] = [rule for rule in rules if f"K{FIRST}" in rule.cells]
    assert level.type == "list"
    assert level.errorStyle in (None, "stop")


def test_the_same_draw_gives_the_same_bytes_and_is_never_written_over(sheet):
    form_set = load_form_sets()[FORM_SET]
    again = workbook_bytes(form_set, placed(), draw_id=DRAW, year=YEAR, owner="Tỉnh ủy Đắk Mẫu")

    assert again == sheet.read_bytes()
    assert sheet.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_workbook(sheet, form_set, placed(), draw_id=DRAW, year=YEAR, owner="Tỉnh ủy Đắk Mẫu")


# --- the register


def test_a_draw_is_entered_once_with_every_chance(data):
    with Register.open(data / "register.sqlite") as register:
        assert not enter(register)
        found = fieldchecks.draws(register)

    assert found["number"].tolist() == [1, 2, 3, 4]
    assert found["probability"].tolist() == [0.58, 0.58, 0.58, 0.44]
    assert found["t"].isna().tolist() == [False, False, False, True]
    told = pq.read_table(data / "store" / "register" / "field_check_draws.parquet").to_pylist()
    assert [row["member_key"] for row in told] == MEMBERS["member_key"].tolist()


def test_nobody_draws_without_saying_who(tmp_path):
    with Register.open(tmp_path / "r.sqlite") as register, pytest.raises(RegisterError, match="cơ quan rút mẫu"):
        fieldchecks.record(register, DRAW, YEAR, SETTINGS, ORGANISATIONS, MEMBERS, by=" ")


def test_what_was_known_before_the_draw_knows_no_draw(data):
    with Register.open(data / "register.sqlite") as register:
        before = register.as_known(datetime(2020, 1, 1, tzinfo=UTC))

        assert fieldchecks.draws(before).empty
        assert list(fieldchecks.draws(before).columns) == list(fieldchecks.COLUMNS)


def test_a_store_of_before_there_were_draws_gets_an_empty_table(tmp_path):
    store = Store(tmp_path / "store")
    store.prepare()

    assert pq.read_table(store.register / "field_check_draws.parquet").num_rows == 0
    assert read_draw(store, DRAW).empty


# --- coming back


def test_what_was_found_is_read_and_a_blank_is_not_done(data, fill):
    file = taken(data, fill(done(1) | done(2, level="HTNV") | {("by", 1): "UBKT"}))

    assert (file.state, file.year, file.issues) == ("accepted", YEAR, 0)
    assert levels(data, file.source_hash) == {1: GOOD, 2: LOWER}


def test_what_was_written_in_free_words_stays_in_the_original(data, fill):
    file = taken(data, fill(done(1) | {("reason", 1): "Canary Văn Thử nói"}))

    rows = Store(data / "store").form_frame(TABLE, file.source_hash)
    assert "Canary" not in rows.to_csv()
    assert Store(data / "store").original(file.source_hash) is not None


def test_all_that_is_wrong_is_told_at_its_cell_at_once_and_only_those_rows_are_left_out(data, fill):
    cells = done(1, 3) | {("level", 2): "Giỏi"}
    cells |= {("cell", 3): "67.001.009", ("member", 4): "ĐV-ffffffffff", ("level", 4): GOOD}
    extra = {("number", 5): 9, ("unit", 5): "67.001", ("org", 5): "67.001.002", ("cell", 5): "67.001.002"}
    double = {("number", 6): 1, ("unit", 6): "67.001", ("org", 6): "67.001.001", ("cell", 6): "67.001.001.000.001"}
    extra |= {("member", 5): "ĐV-eeeeeeeeee", ("member", 6): "ĐV-aaaaaaaaaa"} | done(5, 6)
    file = taken(data, fill(cells | extra | double))

    issues = Store(data / "store").issues_of(file.source_hash)
    found = set(zip(issues["cell"], issues["rule"], strict=True))
    assert found == {
        ("K10", "not_in_list"),
        ("F11", "changed_from_draw"),
        ("G12", "changed_from_draw"),
        ("M12", "checked_on_missing"),
        ("B13", "not_drawn"),
        ("B14", "duplicate"),
    }
    assert issues["message"].str.contains("Hãy").all()
    assert levels(data, file.source_hash) == {1: GOOD}


def test_rows_that_were_sorted_or_deleted_change_nothing_for_the_others(data, sheet, tmp_path):
    book = openpyxl.load_workbook(sheet)
    page = book[SHEET]
    rows = [[cell.value for cell in row] for row in page.iter_rows(min_row=FIRST, max_row=FIRST + 3)]
    page.delete_rows(FIRST, 4)
    for place, row in enumerate([rows[2], rows[0]]):
        for column, value in enumerate([*row[:10], GOOD, None, DAY, None], start=1):
            page.cell(FIRST + place, column, value)
    book.save(tmp_path / "xep-lai.xlsx")

    file = taken(data, tmp_path / "xep-lai.xlsx")
    assert (file.state, file.issues) == ("accepted", 0)
    assert levels(data, file.source_hash) == {1: GOOD, 3: GOOD}


@pytest.mark.parametrize(
    ("cover", "code", "said"),
    [
        ({"B8": "TDL-2024-ffffffff"}, "UNKNOWN_DRAW", "chưa từng được rút"),
        ({"B8": None}, "BAD_COVER", "cần mã mẫu như khi rút"),
        ({"B8": "mẫu năm ngoái"}, "BAD_COVER", "cần mã mẫu như khi rút"),
        ({"B9": "Năm 2023"}, "UNKNOWN_DRAW", "rút cho năm 2024, trang bìa ghi năm 2023"),
    ],
)
def test_a_file_of_no_known_draw_is_refused(data, fill, cover, code, said):
    file = taken(data, fill(done(1), cover))

    assert (file.state, file.code) == ("refused", code)
    assert said in file.message


def test_a_file_whose_draw_became_known_is_read_when_it_comes_again(tmp_path, fill):
    data, path = tmp_path / "other", fill(done(1))
    data.mkdir()
    assert taken(data, path).code == "UNKNOWN_DRAW"

    with Register.open(data / "register.sqlite") as register:
        enter(register)
    take_in([], data=data, workers=1)

    assert taken(data, path).state == "accepted"


def test_a_file_in_which_nothing_was_filled_in_is_refused(data, sheet):
    assert taken(data, sheet).code == "UNTOUCHED_TEMPLATE"


def test_the_same_file_again_changes_nothing(data, fill):
    path = fill(done(1))
    first = taken(data, path)
    before = standing(data)

    assert taken(data, path).state == "known"
    assert standing(data) == before == {first.source_hash: "accepted"}


def test_a_later_file_replaces_the_earlier_which_is_kept(data, fill):
    first = taken(data, fill(done(1)))
    second = taken(data, fill(done(1, 2, level=LOWER)))

    assert standing(data) == {first.source_hash: "replaced", second.source_hash: "accepted"}
    assert levels(data, first.source_hash) == {1: GOOD}
    assert Store(data / "store").original(first.source_hash) is not None


def test_a_later_file_that_would_lose_results_is_held_until_a_person_confirms_it(data, fill):
    first = taken(data, fill(done(1, 2)))
    second = taken(data, fill(done(2, 3)))

    assert (second.state, second.code) == ("held", "FEWER_RESULTS")
    assert "phiếu số 1)" in second.message
    assert standing(data)[first.source_hash] == "accepted"

    with Register.open(data / "register.sqlite") as register:
        states.confirm(register, second.source_hash, by="Ban Tổ chức", reason="phiếu 1 ghi nhầm")
    assert standing(data) == {first.source_hash: "replaced", second.source_hash: "accepted"}


def test_two_draws_of_a_year_and_the_discipline_register_stand_beside_each_other(data, fill):
    with Register.open(data / "register.sqlite") as register:
        enter(register, "TDL-2024-00000000")
    take_in([], data=data, workers=1)

    files = [taken(data, fill(done(1), {"B8": draw_id})) for draw_id in (DRAW, "TDL-2024-00000000")]
    assert set(standing(data).values()) == {"accepted"}
    assert len({file.source_hash for file in files}) == 2


def test_a_field_check_is_taken_after_its_year_was_locked(data, fill):
    with Register.open(data / "register.sqlite") as register:
        states.lock(register, YEAR, by="Ban Tổ chức", reason="hết hạn")

    file = taken(data, fill(done(1)))
    assert file.state == "accepted"
    assert standing(data) == {file.source_hash: "accepted"}
