"""What counts of what was read: copies, wrong units and scant reports are held, whatever came with them."""

import pandas as pd
import pytest

from submissions.intake import take_in
from submissions.register.log import Register
from submissions.register.states import lock, sendings, unlock
from tests.workbooks import unit_forms, write_unit

UNITS = ("67.001", "67.002")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    listed = "".join(f"{unit},Đảng bộ {unit}\n" for unit in UNITS)
    (folder / "units.csv").write_text(f"unit_code,unit_name\n{listed}", encoding="utf-8")
    return folder


def forms_of(unit: str, year: int = 2024) -> dict[str, pd.DataFrame]:
    """Forms whose codes and cards are a unit's own, and with a year of meetings such as no other unit had."""

    def own(cell: object) -> object:
        if isinstance(cell, str) and cell.isdigit() and len(cell) == 12:
            return f"6{unit[-3:]}{cell[4:]}"
        return cell.replace("67.001", unit) if isinstance(cell, str) else cell

    forms = {table: form.map(own).astype(object) for table, form in unit_forms(year).items()}
    cells = sorted(set(forms["cell_meetings"]["cell_code"]))
    salt = 13 * int(unit[-1]) + year
    meetings = [
        {
            "cell_code": cell,
            "month": month,
            "held_on": f"{3 + (month * salt) % 20:02}/{month:02}/{year}",
            "expected": 9,
            "attended": (month * 7 + salt + number) % 9 + 1,
            "points": 50 + (month * salt + number) % 30,
            "band": "Khá",
        }
        for month in range(1, 13)
        for number, cell in enumerate(cells)
    ]
    return forms | {"cell_meetings": pd.DataFrame(meetings).astype(object)}


def send(data, *paths) -> None:
    take_in(paths, data=data, workers=1)


def states(data) -> dict[str, tuple[str, str]]:
    """State and reason of each file."""
    with Register.open(data / "register.sqlite") as register:
        rows = sendings(register)
    pairs = zip(rows["state"], rows["state_reason_code"].fillna(""), strict=True)
    return dict(zip(rows["file_name"], pairs, strict=True))


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("culprit", UNITS)
def test_who_sends_another_units_file_is_held_and_the_other_is_not(data, tmp_path, culprit, together):
    (victim,) = {*UNITS} - {culprit}
    wrong, right = tmp_path / "wrong.xlsx", tmp_path / "right.xlsx"
    write_unit(wrong, forms_of(victim), cover={"unit_code": culprit})
    write_unit(right, forms_of(victim), cover={"unit_code": victim})
    for batch in [(wrong, right)] if together else [(wrong,), (right,)]:
        send(data, *batch)

    assert states(data) == {"wrong.xlsx": ("held", "OTHER_UNIT_FILE"), "right.xlsx": ("accepted", "")}


@pytest.mark.parametrize("together", [True, False])
def test_rows_copied_from_another_unit_are_held_though_the_codes_were_changed(data, tmp_path, together):
    first, second = tmp_path / "first.xlsx", tmp_path / "second.xlsx"
    forms = forms_of(UNITS[0])
    write_unit(first, forms, cover={"unit_code": UNITS[0]})
    recoded = {
        table: form.map(lambda cell: cell.replace(UNITS[0], UNITS[1]) if isinstance(cell, str) else cell)
        for table, form in forms.items()
    }
    write_unit(second, recoded, cover={"unit_code": UNITS[1]})
    for batch in [(first, second)] if together else [(first,), (second,)]:
        send(data, *batch)

    assert states(data) == {"first.xlsx": ("accepted", ""), "second.xlsx": ("held", "COPY_OF_OTHER_UNIT")}


def test_last_years_report_under_a_new_cover_is_held(data, tmp_path):
    last, renamed = tmp_path / "2023.xlsx", tmp_path / "2024.xlsx"
    forms = forms_of(UNITS[0], 2023)
    write_unit(last, forms, year=2023, cover={"unit_code": UNITS[0]})
    write_unit(renamed, forms, year=2024, cover={"unit_code": UNITS[0]})
    send(data, last, renamed)

    assert states(data) == {"2023.xlsx": ("accepted", ""), "2024.xlsx": ("held", "COPY_OF_LAST_YEAR")}


def test_a_report_of_its_own_is_no_copy(data, tmp_path):
    paths = []
    for unit in UNITS:
        for year in (2023, 2024):
            paths.append(tmp_path / f"{unit} {year}.xlsx")
            write_unit(paths[-1], forms_of(unit, year), year=year, cover={"unit_code": unit})
    send(data, *paths)

    assert set(states(data).values()) == {("accepted", "")}


@pytest.mark.parametrize("locked", [False, True])
def test_what_a_lock_held_was_looked_at_before_the_lock_was_taken_off(data, tmp_path, locked):
    full, scant = tmp_path / "full.xlsx", tmp_path / "scant.xlsx"
    write_unit(full)
    forms = unit_forms()
    forms["members"] = forms["members"].iloc[:1]
    forms["member_assessments"] = forms["member_assessments"].iloc[:1]
    write_unit(scant, forms, cover={"sent_no": 2})
    send(data, full)
    with Register.open(data / "register.sqlite") as register:
        if locked:
            lock(register, 2024, by="Ban", reason="chốt số")
    send(data, scant)
    with Register.open(data / "register.sqlite") as register:
        unlock(register, 2024, by="Ban", reason="mở lại")
    send(data)

    with Register.open(data / "register.sqlite") as register:
        rows: pd.DataFrame = sendings(register).set_index("file_name")
    assert rows.loc["scant.xlsx", ["state", "state_reason_code"]].tolist() == ["held", "FAR_FEWER_ROWS"]
    assert rows.loc["full.xlsx", "is_in_force"]
