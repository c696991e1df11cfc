from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from submissions.register.deadlines import COLUMNS, STATES, ZONE, Deadlines, extend, obligations
from submissions.register.log import KINDS, Event, Register, RegisterError
from submissions.register.rates import rates
from submissions.register.states import STATES as SENDING_STATES
from submissions.register.states import confirm, sendings
from submissions.units import ListError

pytest_plugins = ("tests.postgres",)

# Of 2025, before 01/02/2026: the last day, 31/01, is a Saturday, so Monday 02/02 is in time and 03/02 is late.
LAST_DAY = date(2026, 2, 2)
UNITS = pd.DataFrame({"unit_code": ["67.001"], "unit_name": ["Huyện Thử"], "level": ["Huyện ủy"]})


def deadlines(folder: Path, deadlines: str = "", holidays: str = "") -> Deadlines:
    """The province's lists, a line each."""
    if deadlines:
        (folder / "deadlines.csv").write_text(f"unit_code,year,due_before\n{deadlines}", encoding="utf-8")
    if holidays:
        (folder / "holidays.csv").write_text(f"day,name,working\n{holidays}", encoding="utf-8")
    return Deadlines.read(folder)


def at(day: date, clock: str = "10:00") -> datetime:
    """An instant by the clock of the province."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE)


def came(name: str, when: datetime, *decided: str, unit="67.001", year=2025, later: int = 0) -> list[Event]:
    body = {"file_name": f"{name}.xlsx", "size_bytes": 1, "kind": "unit", "sent_no": 1}
    events = [Event("received", f"received:{name}", unit, year, name, body, when)]
    decided_at = when + timedelta(days=later)
    return events + [Event(kind, f"{kind}:{name}", unit, year, name, {}, decided_at) for kind in decided]


def owed(register: Register, today: date, units: pd.DataFrame = UNITS, years=(2025,), **lists) -> dict:
    [row] = obligations(register, units, years, today, **lists).to_dict("records")
    return row


# Days


@pytest.mark.parametrize(
    ("year", "due_before"),
    [
        (2022, date(2023, 2, 1)),  # 31/01/2023, a Tuesday
        (2024, date(2025, 2, 4)),  # 31/01/2025 is the third day of Tết, then a weekend: Monday 03/02
        (2025, date(2026, 2, 3)),  # 31/01/2026, a Saturday
    ],
)
def test_reports_are_due_before_the_first_of_february_or_the_working_day_after(year, due_before):
    told, source = Deadlines.read().due_before("67.001", year)

    assert told == due_before
    assert source == "Hướng dẫn 43-HD/BTCTW ngày 31/10/2025, mục 4.2"


def test_tet_weekends_and_the_provinces_own_days_are_no_working_days(tmp_path):
    days = deadlines(tmp_path, holidays="2026-01-02,Nghỉ thêm theo công bố,\n2026-01-10,Làm bù,x\n")

    assert not days.is_working(date(2026, 1, 1))
    assert not days.is_working(date(2026, 2, 17))  # the first day of Tết Bính Ngọ
    assert not days.is_working(date(2026, 1, 11))
    assert not days.is_working(date(2026, 1, 2))
    assert days.is_working(date(2026, 1, 10))
    assert days.is_working(date(2026, 1, 5))


def test_what_is_more_particular_in_the_provinces_list_counts(tmp_path):
    own = deadlines(
        tmp_path,
        "*,*,15/01 năm sau\n*,2025,2026-01-21\n67.002,*,31/12\n67.002,2025,2025-12-24\n",
    )

    assert own.due_before("67.001", 2023) == (date(2024, 1, 16), "deadlines.csv")  # 14/01/2024 is a Sunday
    assert own.due_before("67.001", 2025)[0] == date(2026, 1, 21)
    assert own.due_before("67.002", 2024)[0] == date(2024, 12, 31)
    assert own.due_before("67.002", 2025)[0] == date(2025, 12, 24)


def test_a_deadline_is_moved_past_the_provinces_own_holidays(tmp_path):
    own = deadlines(tmp_path, "*,2025,2026-01-15\n", "2026-01-14,Ngày nghỉ của tỉnh,\n2026-01-15,Ngày nghỉ của tỉnh,\n")

    assert own.due_before("67.001", 2025)[0] == date(2026, 1, 17)


def test_the_end_of_february_is_a_day_of_every_year(tmp_path):
    own = deadlines(tmp_path, "*,*,29/02 năm sau\n")

    assert own.due_before("67.001", 2025)[0] == date(2026, 2, 28)
    assert own.due_before("67.001", 2027)[0] == date(2028, 2, 29)


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        ({"deadlines": "67.001,2025,31/13\n"}, "dòng 2, cột due_before: “31/13” không phải là ngày"),
        ({"deadlines": "67.001,2025,2026-02-30\n"}, "dòng 2, cột due_before: “2026-02-30”"),
        ({"deadlines": "67.001,2025,\n"}, "dòng 2, cột due_before: để trống"),
        ({"deadlines": "67.001,năm nay,31/12\n"}, "dòng 2, cột year: “năm nay” không phải là năm"),
        ({"deadlines": "*,*,2026-01-15\n"}, "dòng 2, cột due_before: “2026-01-15” chỉ của một năm"),
        ({"deadlines": "*,2025,31/12\n*,2025,15/01 năm sau\n"}, "dòng 3: \\*, 2025 đã có hạn"),
        ({"holidays": "01/01/2026,Tết,\n"}, "dòng 2, cột day: “01/01/2026” không phải là ngày"),
        ({"holidays": "2026-01-01,Tết,có\n"}, "dòng 2, cột working: “có”"),
    ],
)
def test_a_list_that_cannot_be_used_says_where(tmp_path, lists, told):
    with pytest.raises(ListError, match=told):
        deadlines(tmp_path, **lists)


# What is owed


def test_before_its_day_nothing_is_late(register):
    row = owed(register, LAST_DAY)

    assert (row["state"], row["state_name"], row["is_due"]) == ("not_yet_due", "Chưa đến hạn", False)
    assert pd.isna(row["days_late"])
    assert row["received_on"] is None
    assert row["sendings"] == 0


def test_after_its_day_what_did_not_come_is_late_by_the_days_so_far(register):
    assert owed(register, LAST_DAY + timedelta(days=1))["days_late"] == 1
    row = owed(register, LAST_DAY + timedelta(days=10))

    assert (row["state"], row["days_late"], row["is_due"]) == ("overdue", 10, True)


@pytest.mark.parametrize(
    ("when", "state", "days_late"),
    [
        (at(LAST_DAY - timedelta(days=30)), "on_time", 0),
        (at(LAST_DAY, "23:59"), "on_time", 0),
        (at(LAST_DAY + timedelta(days=1), "00:00"), "late", 1),
        (datetime(2026, 2, 2, 17, 30, tzinfo=UTC), "late", 1),  # half past midnight in the province
        (at(LAST_DAY + timedelta(days=7)), "late", 7),
    ],
)
def test_a_report_is_in_time_to_the_end_of_the_last_day_in_vietnam(register, when, state, days_late):
    register.append(came("a", when, "accepted"))

    row = owed(register, date(2026, 3, 1))

    assert (row["state"], row["days_late"]) == (state, days_late)
    assert sendings(register, Deadlines.read())["days_late"].tolist() == [days_late]


def test_the_first_accepted_sending_decides_and_later_corrections_do_not_make_it_late(register):
    register.append(came("a", at(date(2026, 1, 5)), "refused"))
    register.append(came("b", at(date(2026, 1, 20)), "accepted", later=1))
    register.append(came("c", at(date(2026, 3, 1)), "accepted"))

    row = owed(register, date(2026, 4, 1))

    assert (row["state"], row["days_late"], row["sendings"]) == ("on_time", 0, 3)
    assert row["received_on"] == date(2026, 1, 5)
    assert row["reported_on"] == date(2026, 1, 20)
    assert row["accepted_on"] == date(2026, 1, 21)
    assert sendings(register, Deadlines.read())["days_late"].tolist() == [0, 0, 27]


def test_a_file_that_was_refused_is_no_report(register):
    register.append(came("a", at(date(2026, 1, 5)), "refused"))

    before, after = (owed(register, LAST_DAY + timedelta(days=days)) for days in (0, 3))

    assert before["state"] == after["state"] == "refused"
    assert pd.isna(before["days_late"])
    assert after["days_late"] == 3
    register.append(came("b", at(LAST_DAY + timedelta(days=5)), "accepted"))
    assert owed(register, date(2026, 4, 1))["state"] == "late"


def test_a_held_file_does_not_grow_later_while_it_waits_and_counts_from_its_receipt(register):
    register.append(came("a", at(LAST_DAY), "held"))
    row = owed(register, date(2026, 3, 1))
    assert (row["state"], row["days_late"], row["reported_on"]) == ("held", 0, None)

    confirm(register, "a", by="Ban Tổ chức", reason="Đã hỏi đơn vị")

    row = owed(register, date(2026, 3, 1))
    assert (row["state"], row["reported_on"]) == ("on_time", LAST_DAY)
    assert row["accepted_on"] >= LAST_DAY


def test_a_file_that_was_not_decided_yet_is_told_as_such(register):
    register.append(came("a", at(LAST_DAY)))

    assert owed(register, date(2026, 3, 1))["state"] == "received"


def test_a_unit_owes_the_years_of_its_list(register):
    units = pd.DataFrame(
        {
            "unit_code": ["67.001", "67.002", "67.003"],
            "from_year": pd.array([2024, None, None], dtype="Int64"),
            "to_year": pd.array([None, 2023, None], dtype="Int64"),
        }
    )

    told = obligations(register, units, [2023, 2024], date(2025, 1, 1))

    assert list(zip(told["unit_code"], told["year"], strict=True)) == [
        ("67.001", 2024),
        ("67.002", 2023),
        ("67.003", 2023),
        ("67.003", 2024),
    ]
    assert told["level"].isna().all()


def test_without_a_list_the_units_that_ever_reported_are_expected(register):
    register.append(came("a", at(date(2025, 1, 5)), "accepted", unit="67.001", year=2024))
    register.append(came("b", at(date(2025, 1, 5)), "refused", unit="67.002", year=2024))

    told = obligations(register, pd.DataFrame({"unit_code": []}), [2024, 2025], date(2026, 5, 1))

    assert list(told["unit_code"]) == ["67.001", "67.001"]
    assert list(told["state"]) == ["on_time", "overdue"]


def test_the_commissions_register_is_no_report_of_a_unit(register):
    body = {"file_name": "so.xlsx", "size_bytes": 1, "kind": "register"}
    register.append([Event("received", "r", None, 2025, "r", body), Event("accepted", "ra", None, 2025, "r")])

    assert owed(register, LAST_DAY)["sendings"] == 0
    assert sendings(register, Deadlines.read())["days_late"].isna().all()


def test_states_and_columns_are_those_that_are_described(register):
    told = obligations(register, UNITS, [2025], LAST_DAY)

    assert list(told.columns) == list(COLUMNS)
    assert set(told["state"]) <= set(STATES)


# Extensions


def test_an_extension_binds_to_the_end_of_its_day_whatever_day_it_is(register):
    sunday = date(2026, 2, 15)
    extend(register, "67.001", 2025, sunday, by="Ban Tổ chức", reason="Bão", deadlines=Deadlines.read())

    assert owed(register, sunday)["state"] == "not_yet_due"
    row = owed(register, sunday + timedelta(days=2))
    assert (row["state"], row["days_late"], row["extended_until"]) == ("overdue", 2, sunday)
    assert row["due_before"] == LAST_DAY + timedelta(days=1)
    register.append(came("a", at(sunday, "23:00"), "accepted"))
    assert owed(register, date(2026, 3, 1))["state"] == "on_time"


def test_an_extension_is_of_its_unit_and_year_or_of_all_units(register):
    units = pd.DataFrame({"unit_code": ["67.001", "67.002"]})
    shipped = Deadlines.read()
    extend(register, "67.001", 2025, date(2026, 2, 20), by="Ban Tổ chức", reason="Bão", deadlines=shipped)
    extend(register, None, 2025, date(2026, 2, 10), by="Ban Tổ chức", reason="Mất điện", deadlines=shipped)

    told = obligations(register, units, [2024, 2025], date(2026, 2, 15), shipped)

    assert told["extended_until"].tolist() == [None, date(2026, 2, 20), None, date(2026, 2, 10)]
    assert told["state"].tolist() == ["overdue", "not_yet_due", "overdue", "overdue"]


def test_of_two_extensions_of_a_unit_the_later_decision_counts(register):
    for day in (25, 12):
        extend(
            register,
            "67.001",
            2025,
            date(2026, 2, day),
            by="Ban Tổ chức",
            reason="Bão",
            deadlines=Deadlines.read(),
        )

    assert owed(register, LAST_DAY)["extended_until"] == date(2026, 2, 12)


def test_an_extension_that_gives_no_more_time_is_refused(register):
    with pytest.raises(RegisterError, match="không dài hơn"):
        extend(register, "67.001", 2025, LAST_DAY, by="Ban Tổ chức", reason="Bão", deadlines=Deadlines.read())
    with pytest.raises(RegisterError, match="lý do"):
        extend(register, "67.001", 2025, date(2026, 2, 9), by="Ban Tổ chức", reason="", deadlines=Deadlines.read())

    assert register.read() == []


# Rates


def table(rows: str) -> pd.DataFrame:
    """Obligations: unit, level, state, is_due."""
    told = pd.DataFrame(
        [line.split() for line in rows.strip().splitlines()], columns=["unit_code", "level", "state", "is_due"]
    )
    return told.assign(unit_name=told["unit_code"], year=2025, is_due=told["is_due"] == "due")


FOUR = """
67.001 district on_time due
67.002 district late    due
67.003 district refused due
67.004 district overdue due
67.005 district not_yet_due open
67.006 army     on_time open
67.007 army     held    open
"""


def test_rates_count_the_reports_that_are_due():
    [army, district] = rates(table(FOUR)).to_dict("records")

    assert (district["expected_reports"], district["actual_reports"], district["actual_reports_on_time"]) == (4, 2, 1)
    assert (district["reporting_rate"], district["on_time_rate"]) == (2 / 4, 1 / 4)
    assert (district["early_reports"], district["not_yet_due"]) == (0, 1)
    assert (army["expected_reports"], army["actual_reports"], army["early_reports"], army["not_yet_due"]) == (
        0,
        0,
        1,
        1,
    )


def test_where_nothing_is_due_there_is_no_rate():
    army = rates(table(FOUR)).iloc[0]

    assert pd.isna(army["reporting_rate"])
    assert pd.isna(army["on_time_rate"])
    assert rates(table(FOUR).iloc[:0]).empty
    everyone = rates(table(FOUR).iloc[:0], by=[]).iloc[0]
    assert everyone["expected_reports"] == 0
    assert pd.isna(everyone["reporting_rate"])


def test_rates_are_told_by_unit_by_year_and_for_all():
    by_unit = rates(table(FOUR), by="unit").set_index("unit_code")
    assert by_unit["reporting_rate"].fillna(-1).tolist() == [1, 1, 0, 0, -1, -1, -1]

    two_years = pd.concat([table(FOUR), table(FOUR).assign(year=2024, is_due=True)])
    by_year = rates(two_years, by=["level", "year"])
    assert by_year[["level", "year"]].to_numpy().tolist() == [
        ["army", 2024],
        ["army", 2025],
        ["district", 2024],
        ["district", 2025],
    ]
    assert by_year["expected_reports"].tolist() == [2, 0, 5, 4]

    everyone = rates(two_years, by=[])
    assert everyone["expected_reports"].tolist() == [11]
    with pytest.raises(ValueError, match="No rates by"):
        rates(two_years, by="province")


def test_units_without_a_level_stand_together():
    told = rates(table(FOUR).assign(level=None))

    assert len(told) == 1
    assert told["expected_reports"].tolist() == [4]


def test_the_manual_names_every_kind_of_event_and_every_state():
    manual = (Path(__file__).parents[1] / "docs" / "register.md").read_text(encoding="utf-8")

    assert [name for name in {*KINDS, *STATES, *SENDING_STATES} if f"`{name}`" not in manual] == []
