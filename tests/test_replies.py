"""What goes back to a unit: everything that changed for it, once, whenever the run that found it was cut off."""

from datetime import UTC, date, datetime, timedelta

import pytest

from submissions.intake import take_in
from submissions.register import answers
from submissions.register.log import Register
from submissions.replies import list_issues, write_replies
from submissions.store import Store
from tests.workbooks import UNIT, unit_forms, write_unit

YEAR = 2025
NOW = datetime(2026, 1, 20, tzinfo=UTC)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def send(data, path=None, *, now=NOW):
    """Take a file in."""
    take_in([path] if path else [], data=data, workers=1, now=now)


def reply(data, *, now=NOW) -> list[str]:
    """Write what goes back; the names of what was written."""
    with Register.open(data / "register.sqlite") as register:
        return [path.name for path in write_replies(data, Store(data / "store"), register, now=now, workers=1)]


def told(data, year=YEAR) -> list[int]:
    """How many open queries the unit was told of, each time."""
    with Register.open(data / "register.sqlite") as register:
        return [record.body["queries"] for record in register.read(["returned"]) if record.year == year]


def open_queries(data, year=YEAR) -> int:
    issues = list_issues(data)
    return int(((issues["year"] == year) & (issues["severity"] == "query")).sum())


def two_years(data, folder):
    """A unit's reports of two years, and a second report of the first that makes the second year's doubtful."""
    for year in (YEAR - 1, YEAR):
        path = folder / f"{year}.xlsx"
        write_unit(path, year=year)
        send(data, path)
    forms = unit_forms(YEAR - 1)
    forms["members"] = forms["members"].drop(index=2).reset_index(drop=True)
    forms["members"].loc[1, "status"] = "Từ trần"
    other, back = folder / "other.xlsx", folder / "back.xlsx"
    write_unit(other, forms, cover={"sent_no": 2})
    write_unit(back, cover={"sent_no": 3})
    return other, back


def test_what_another_years_correction_makes_doubtful_is_told_though_the_batch_was_killed_before_it_was(data, tmp_path):
    other, _ = two_years(data, tmp_path)
    reply(data)
    before = open_queries(data)
    send(data, other)  # killed here: nothing is written
    assert open_queries(data) > before

    send(data)
    written = reply(data)

    assert any(name.startswith(f"{UNIT}_{YEAR}") for name in written)
    assert told(data)[-1] == open_queries(data)


def test_numbers_that_change_there_and_back_are_told_each_time(data, tmp_path):
    other, back = two_years(data, tmp_path)
    reply(data)
    counts = [open_queries(data)]
    for path in (other, back):
        send(data, path)
        reply(data)
        counts.append(open_queries(data))

    assert counts[0] == counts[2] != counts[1]
    assert told(data) == counts


def test_nothing_is_told_twice(data, tmp_path):
    other, _ = two_years(data, tmp_path)
    send(data, other)
    assert reply(data)
    with Register.open(data / "register.sqlite") as register:
        before = len(register.read())

    send(data)
    assert reply(data) == []

    with Register.open(data / "register.sqlite") as register:
        assert len(register.read()) == before


def test_a_waiver_that_ran_out_is_told_on_the_day_after_and_not_again(data, tmp_path):
    other, _ = two_years(data, tmp_path)
    send(data, other)
    until = date(2026, 3, 1)
    issues = list_issues(data)
    with Register.open(data / "register.sqlite") as register:
        for rule in set(issues.loc[(issues["year"] == YEAR) & (issues["severity"] == "query"), "rule"]):
            answers.waive(register, UNIT, YEAR, rule, until=until, approver="Ban", reason="vì thế", limit_count=9)
    reply(data)
    assert told(data)[-1] == 0

    last_day = datetime.combine(until, datetime.min.time(), UTC)
    assert reply(data, now=last_day) == []
    reply(data, now=last_day + timedelta(days=1))
    assert told(data)[-1] > 0
    assert reply(data, now=last_day + timedelta(days=2)) == []
