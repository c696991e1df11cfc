from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pyarrow.parquet as pq
import pytest

from submissions.register import identities, snapshots
from submissions.register.answers import apply, end_waiver, explanation, explanations, waive, waivers
from submissions.register.deadlines import Deadlines
from submissions.register.log import Event, Register, RegisterError
from submissions.register.snapshots import export
from submissions.register.states import STATES, confirm, is_locked, lock, sendings, unlock
from submissions.store import SUBMISSION, Store, row_table, write_table

pytest_plugins = ("tests.postgres",)

START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def got(name: str, unit="67.001", year=2025, sent_no=1, day=0, **body) -> Event:
    """The receipt of a file; `name` stands for its bytes."""
    body = {"file_name": f"{name}.xlsx", "size_bytes": 1000, "kind": "unit", "sent_no": sent_no} | body
    return Event("received", f"received:{name}", unit, year, name, body, START + timedelta(days=day))


def became(kind: str, name: str, unit="67.001", year=2025, day=0, again="", **body) -> Event:
    """What was decided on a file."""
    return Event(kind, f"{kind}:{name}{again}", unit, year, name, body, START + timedelta(days=day))


def states(register: Register) -> dict[str, str]:
    frame = sendings(register)
    return dict(zip(frame["source_hash"], frame["state"], strict=True))


def in_force(register: Register) -> list[str]:
    frame = sendings(register)
    return list(frame.loc[frame["is_in_force"], "source_hash"])


# Each sending and its state


def test_a_register_without_sendings_has_every_column(register):
    frame = sendings(register, Deadlines.read())

    assert frame.empty
    assert {"receipt_no", "state", "number", "days_late", "is_in_force"} <= set(frame.columns)


def test_what_is_known_of_a_file_stands_in_its_row(register):
    counts = {"members": {"rows_in": 10, "loaded": 9, "held_back": 1}}
    register.append(
        [
            got("a", form_version="B12-2025", prepared_on="2026-01-04", errors=3, queries=1, counts=counts),
            became("accepted", "a", day=1),
        ]
    )

    row = sendings(register).iloc[0]

    assert (row["file_name"], row["size_bytes"], row["form_version"]) == ("a.xlsx", 1000, "B12-2025")
    assert (row["unit_code"], row["year"], row["number"], row["sent_no"]) == ("67.001", 2025, 1, 1)
    assert (row["errors"], row["queries"], row["prepared_on"]) == (3, 1, "2026-01-04")
    assert row["counts"] == '{"members": {"held_back": 1, "loaded": 9, "rows_in": 10}}'
    assert (row["received_at"], row["decided_at"]) == (START, START + timedelta(days=1))
    assert (row["state"], row["is_in_force"]) == ("accepted", True)


@pytest.mark.parametrize(
    ("decided", "state"),
    [([], "received"), (["refused"], "refused"), (["held"], "held"), (["held", "confirmed"], "accepted")],
)
def test_the_state_is_what_was_decided_last(register, decided, state):
    register.append([got("a"), *(became(kind, "a") for kind in decided)])

    assert states(register) == {"a": state}
    assert in_force(register) == (["a"] if state == "accepted" else [])
    assert state in STATES


def test_why_a_file_was_refused_or_held_is_kept_until_it_is_decided_otherwise(register):
    register.append([got("a"), became("held", "a", code="FEW_ROWS", message="Ít dòng hơn năm trước.")])
    row = sendings(register).iloc[0]
    assert (row["state_reason_code"], row["state_message"]) == ("FEW_ROWS", "Ít dòng hơn năm trước.")

    confirm(register, "a", by="Ban Tổ chức", reason="Đơn vị giải thể một chi bộ")

    row = sendings(register).iloc[0]
    assert row[["state_reason_code", "state_message"]].isna().all()
    assert row["state"] == "accepted"


def test_numbers_of_a_hostile_cover_do_not_stop_the_list(register, tmp_path):
    register.append([got("a", sent_no=10**30, prepared_on="9999-12-31"), became("refused", "a", code="BAD_COVER")])

    row = sendings(register).iloc[0]
    export(register, pd.DataFrame({"unit_code": []}), [], tmp_path, today=TODAY)

    assert pd.isna(row["sent_no"])
    assert pq.read_table(tmp_path / "register" / "sendings.parquet")["prepared_on"].to_pylist() == [date(9999, 12, 31)]


def test_a_refused_file_that_is_read_again_tells_what_was_found_then(register):
    register.append(
        [
            Event("received", "received:a", None, None, "a", {"file_name": "a.xlsx", "size_bytes": 5}, START),
            Event("refused", "refused:a", None, None, "a", {"code": "UNKNOWN_FORM", "message": "Không rõ mẫu."}),
            Event("accepted", "accepted:a", "67.001", 2025, "a", {"kind": "unit", "sent_no": 1, "errors": 2}),
        ]
    )

    [row] = sendings(register).to_dict("records")

    assert (row["unit_code"], row["year"], row["number"], row["errors"]) == ("67.001", 2025, 1, 2)
    assert (row["state"], row["file_name"], row["received_at"]) == ("accepted", "a.xlsx", START)
    assert pd.isna(row["state_reason_code"])


def test_the_latest_accepted_sending_is_in_force_and_names_what_it_replaced(register):
    for number, name in enumerate("abc", start=1):
        register.append([got(name, sent_no=number, day=number), became("accepted", name)])
    register.append([got("d", sent_no=4, day=4), became("refused", "d", code="X", message="…")])

    frame = sendings(register).set_index("source_hash")

    assert dict(frame["state"]) == {"a": "replaced", "b": "replaced", "c": "accepted", "d": "refused"}
    assert list(frame["replaced_by"].dropna().items()) == [("a", "b"), ("b", "c")]
    assert list(frame["number"]) == [1, 2, 3, 4]
    assert in_force(register) == ["c"]


def test_a_held_sending_counts_only_once_it_is_confirmed(register):
    register.append([got("a"), became("accepted", "a"), got("b", sent_no=2), became("held", "b", code="FEW_ROWS")])
    assert in_force(register) == ["a"]

    confirm(register, "b", by="Ban Tổ chức", reason="Đã hỏi đơn vị")

    assert in_force(register) == ["b"]
    assert states(register)["a"] == "replaced"


def test_only_what_is_held_can_be_confirmed(register):
    register.append([got("a"), became("refused", "a"), got("b", year=2024), became("held", "b")])

    with pytest.raises(RegisterError, match="trạng thái: Bị trả lại"):
        confirm(register, "a", by="Ban Tổ chức", reason="…")
    with pytest.raises(RegisterError, match="chưa từng nhận"):
        confirm(register, "unknown", by="Ban Tổ chức", reason="…")
    with pytest.raises(RegisterError, match="lý do"):
        confirm(register, "b", by="Ban Tổ chức", reason=" ")
    assert states(register) == {"a": "refused", "b": "held"}


ORDERS = [
    # sent_no, prepared_on, day of receipt; the last is in force
    [(1, "2026-01-09", 9), (2, "2026-01-01", 1)],
    [(1, "2026-01-01", 9), (1, "2026-01-02", 1)],
    [(1, None, 9), (1, "2026-01-02", 1)],
    [(1, "2026-01-01", 1), (1, "2026-01-01", 2)],
    [(None, "2026-01-01", 9), (1, None, 1)],
    [(1, "2026-01-01", 1), (1, "2026-01-01", 1)],
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("turn", [1, -1])
def test_the_order_of_sendings_is_that_of_the_store(tmp_path, order, turn):
    """Whatever comes first, register and store agree on what is in force."""
    register = Register.open(tmp_path / "register.sqlite")
    store = Store(tmp_path / "store")
    store.prepare()
    named = list(zip("ab", order, strict=True))
    for name, (sent_no, prepared_on, day) in named[::turn]:
        register.append([got(name, sent_no=sent_no, prepared_on=prepared_on, day=day), became("accepted", name)])
        row = {
            "source_hash": name,
            "source_kind": "unit",
            "unit_code": "67.001",
            "year": 2025,
            "sent_no": sent_no,
            "prepared_on": prepared_on and date.fromisoformat(prepared_on),
            "received_at": START + timedelta(days=day),
            "state": "accepted",
        }
        write_table(row_table(row, SUBMISSION), store.submissions / f"{name}.parquet")

    export(register, pd.DataFrame({"unit_code": []}), [], store.root, today=TODAY)
    stored = store.read_submissions()

    assert in_force(register) == ["b"]
    assert list(stored["source_hash"]) == ["a", "b"]
    assert list(stored["is_in_force"]) == [False, True]


def test_units_years_and_the_commissions_register_stand_apart(register):
    files = [("a", "67.001", 2024), ("b", "67.001", 2025), ("c", "67.002", 2025)]
    for name, unit, year in files:
        register.append([got(name, unit, year), became("accepted", name, unit, year)])
    for name, day in (("r", 1), ("s", 2)):
        register.append(
            [got(name, None, 2025, sent_no=None, kind="register", day=day), became("accepted", name, None, 2025)]
        )

    frame = sendings(register).set_index("source_hash")

    assert in_force(register) == ["a", "b", "c", "s"]
    assert list(frame.loc[["r", "s"], "number"]) == [1, 2]
    assert frame.loc["s", "source_kind"] == "register"


def test_the_same_bytes_again_are_a_duplicate_of_their_own(register):
    register.append([got("a"), became("accepted", "a")])
    register.append([became("duplicate", "a", day=3, again=":b.xlsx", file_name="b.xlsx", of="a")])

    frame = sendings(register)

    assert list(frame["state"]) == ["accepted", "duplicate"]
    assert list(frame["file_name"]) == ["a.xlsx", "b.xlsx"]
    assert list(frame["replaced_by"].isna()) == [True, False]
    assert list(frame["receipt_no"]) == [1, 3]
    again = frame.iloc[1]
    assert (again["unit_code"], again["year"], again["received_at"]) == ("67.001", 2025, START + timedelta(days=3))
    assert pd.isna(again["number"])
    assert in_force(register) == ["a"]


def test_other_bytes_that_say_the_same_are_a_duplicate_of_the_first(register):
    register.append([got("a"), became("accepted", "a"), got("b", sent_no=2), became("duplicate", "b", of="a")])

    frame = sendings(register).set_index("source_hash")

    assert dict(frame["state"]) == {"a": "accepted", "b": "duplicate"}
    assert frame.loc["b", "replaced_by"] == "a"
    assert frame.loc["b", "number"] == 2


def test_events_appended_twice_change_nothing(register):
    events = [
        got("a"),
        became("held", "a", code="FEW_ROWS"),
        became("confirmed", "a"),
        got("b"),
        became("refused", "b"),
    ]
    register.append(events)
    before = sendings(register)

    assert register.append(events) == []

    pd.testing.assert_frame_equal(sendings(register), before)


# Locked years


def test_after_the_year_is_locked_a_new_sending_is_held(register):
    register.append([got("a"), became("accepted", "a")])
    lock(register, 2025, by="Ban Tổ chức", reason="Đã báo cáo Trung ương")
    register.append(
        [got("b", sent_no=2), became("accepted", "b"), got("c", year=2024), became("accepted", "c", year=2024)]
    )

    row = sendings(register).set_index("source_hash").loc["b"]

    assert (row["state"], row["state_reason_code"]) == ("held", "YEAR_LOCKED")
    assert "Năm 2025 đã khóa sổ" in row["state_message"]
    assert in_force(register) == ["a", "c"]


def test_what_was_held_by_the_lock_counts_once_it_is_confirmed(register):
    lock(register, 2025, by="Ban Tổ chức", reason="Khóa sổ")
    register.append([got("a"), became("accepted", "a"), got("b", sent_no=2), became("accepted", "b")])

    confirm(register, "a", by="Ban Tổ chức", reason="Đính chính theo công văn")

    assert states(register) == {"a": "accepted", "b": "held"}


def test_what_was_held_by_the_lock_counts_once_the_year_is_unlocked_and_stays_when_it_is_locked_again(register):
    lock(register, 2025, by="Ban Tổ chức", reason="Khóa sổ")
    register.append([got("a"), became("accepted", "a"), got("b", sent_no=2), became("held", "b", code="FEW_ROWS")])
    register.append([got("c", unit="67.002"), became("held", "c", unit="67.002", code="YEAR_LOCKED")])

    unlock(register, 2025, by="Ban Tổ chức", reason="Còn đơn vị chưa gửi")
    lock(register, 2025, by="Ban Tổ chức", reason="Khóa sổ")

    assert states(register) == {"a": "accepted", "b": "held", "c": "accepted"}


def test_a_unit_can_be_locked_and_unlocked_by_itself(register):
    lock(register, 2025, by="Ban Tổ chức", reason="Khóa sổ")
    unlock(register, 2025, by="Ban Tổ chức", reason="Sửa số liệu", unit_code="67.002")

    assert is_locked(register, 2025, "67.001")
    assert is_locked(register, 2025)
    assert not is_locked(register, 2025, "67.002")
    assert not is_locked(register, 2024, "67.001")

    lock(register, 2025, by="Ban Tổ chức", reason="Hết thời gian sửa")
    assert is_locked(register, 2025, "67.002")


def test_confirming_settles_both_the_lock_and_another_reason(register):
    lock(register, 2025, by="Ban Tổ chức", reason="Khóa sổ")
    register.append(
        [got("a"), became("held", "a", code="FEW_ROWS"), became("held", "a", again="2", code="YEAR_LOCKED")]
    )
    unlock(register, 2025, by="Ban Tổ chức", reason="Mở lại")
    assert states(register) == {"a": "held"}

    confirm(register, "a", by="Ban Tổ chức", reason="Đã hỏi đơn vị")

    assert states(register) == {"a": "accepted"}


# Explanations and waivers


def issue_list(rows: str) -> pd.DataFrame:
    """Issues of unit 67.001 in 2025: issue_id, numbers, rule, severity, form."""
    told = [line.split() for line in rows.strip().splitlines()]
    frame = pd.DataFrame(told, columns=["issue_id", "numbers", "rule", "severity", "form"])
    return frame.assign(unit_code="67.001", year=2025, message="…")


def explain(issue_id: str, numbers: str, source: str = "a", text: str = "Đã đối chiếu hồ sơ") -> Event:
    return explanation("67.001", 2025, source, issue_id, numbers, "GT01", text)


TODAY = date(2026, 2, 1)


def test_without_answers_every_issue_is_open(register):
    issues = issue_list("i1 n1 R1 query members")

    for answered in (apply(register, issues, TODAY), apply(None, issues, TODAY)):
        assert list(answered["status"]) == ["open"]
        assert answered[["explanation", "explanation_code", "status_reason"]].isna().all(axis=None)
    assert list(apply(register, issues.iloc[:0], TODAY)["status"]) == []


def test_an_explanation_holds_while_its_numbers_are_the_same(register):
    register.append([explain("i1", "n1"), explain("i2", "n2")])
    issues = issue_list("i1 n1 R1 query members\ni2 changed R1 query members\ni3 n3 R1 query members")

    answered = apply(register, issues, TODAY)

    assert list(answered["status"]) == ["explained", "asked_again", "open"]
    assert list(answered["explanation"].fillna("")) == ["Đã đối chiếu hồ sơ", "Đã đối chiếu hồ sơ", ""]
    assert list(answered["explanation_code"].fillna("")) == ["GT01", "GT01", ""]
    assert list(answered.index) == list(issues.index)
    assert list(answered.columns[: len(issues.columns)]) == list(issues.columns)


def test_an_error_cannot_be_explained_away(register):
    register.append([explain("i1", "n1")])

    assert list(apply(register, issue_list("i1 n1 R1 error members"), TODAY)["status"]) == ["open"]


def test_the_latest_explanation_counts_and_others_units_stay_theirs(register):
    register.append([explain("i1", "n1"), explain("i1", "n2", source="b", text="Chuyển sinh hoạt")])
    register.append([explanation("67.002", 2025, "c", "i1", "n1", "GT02", "Sáp nhập")])

    assert list(explanations(register, "67.001", 2025)["text"]) == ["Chuyển sinh hoạt"]
    assert len(explanations(register)) == 2
    assert list(apply(register, issue_list("i1 n2 R1 query members"), TODAY)["status"]) == ["explained"]


def test_the_same_answer_of_the_same_sending_is_kept_once(register):
    register.append([explain("i1", "n1")])

    assert register.append([explain("i1", "n1")]) == []


def test_a_list_of_several_units_keeps_its_order_and_index(register):
    register.append([explain("i1", "n1")])
    other = issue_list("i1 n1 R1 query members").assign(unit_code="67.002")
    refused = issue_list("i9 n9 UNREADABLE error -").assign(unit_code=None, year=pd.NA)
    issues = pd.concat([refused, other, issue_list("i1 n1 R1 query members")]).set_index(pd.Index([7, 7, 3]))

    answered = apply(register, issues, TODAY)

    assert list(answered["status"]) == ["open", "open", "explained"]
    assert list(answered.index) == [7, 7, 3]


FIVE = "\n".join(f"i{number} n{number} R1 query members" for number in range(5)) + "\ni9 n9 R2 query members"


def grant(register: Register, **limit) -> None:
    waive(
        register,
        "67.001",
        2025,
        "R1",
        until=date(2026, 2, 28),
        approver="Ban Thường vụ",
        reason="Đang số hóa hồ sơ",
        **limit,
    )


@pytest.mark.parametrize(("limit", "status"), [(5, "waived"), (4, "open")])
def test_a_waiver_holds_up_to_its_count_and_lapses_whole_beyond(register, limit, status):
    grant(register, limit_count=limit)

    answered = apply(register, issue_list(FIVE), TODAY)

    assert list(answered["status"]) == [status] * 5 + ["open"]
    assert pd.isna(answered["status_reason"].iloc[5])
    if status == "open":
        assert answered["status_reason"].iloc[0] == "Miễn trừ mất hiệu lực: có 5 trường hợp, tối đa 4 trường hợp."


@pytest.mark.parametrize(("share", "status"), [(0.05, "waived"), (0.049, "open")])
def test_a_waiver_by_share_counts_the_rows_of_the_form(register, share, status):
    grant(register, limit_share=share)
    rows = pd.DataFrame(
        {
            "unit_code": "67.001",
            "year": [2025, 2025, 2024],
            "form": ["members", "cells", "members"],
            "rows_in": [100, 9, 9],
        }
    )

    answered = apply(register, issue_list(FIVE), TODAY, rows)

    assert list(answered["status"]) == [status] * 5 + ["open"]


def test_a_waiver_by_share_does_not_hold_where_rows_are_unknown(register):
    grant(register, limit_share=1.0)

    answered = apply(register, issue_list(FIVE), TODAY)

    assert set(answered["status"]) == {"open"}
    assert "không biết số dòng" in answered["status_reason"].iloc[0]


@pytest.mark.parametrize(("today", "status"), [(date(2026, 2, 28), "waived"), (date(2026, 3, 1), "open")])
def test_a_waiver_holds_to_the_end_of_its_day(register, today, status):
    grant(register, limit_count=5)

    answered = apply(register, issue_list(FIVE), today)

    assert answered["status"].iloc[0] == status
    assert "28/02/2026" in answered["status_reason"].iloc[0]


def test_a_waiver_that_was_ended_holds_no_more_until_it_is_granted_again(register):
    grant(register, limit_count=5)
    end_waiver(register, "67.001", 2025, "R1", by="Ban Thường vụ", reason="Đã số hóa xong")
    assert apply(register, issue_list(FIVE), TODAY)["status"].iloc[0] == "open"
    assert list(waivers(register)["is_ended"]) == [True]

    grant(register, limit_count=5)

    assert apply(register, issue_list(FIVE), TODAY)["status"].iloc[0] == "waived"


def test_what_is_explained_stays_so_when_the_waiver_lapses(register):
    register.append([explain("i0", "n0")])
    grant(register, limit_count=4)

    assert list(apply(register, issue_list(FIVE), TODAY)["status"]) == ["explained", *["open"] * 5]


@pytest.mark.parametrize(
    "limit",
    [{}, {"limit_count": 1, "limit_share": 0.1}, {"limit_count": 0}, {"limit_share": 0.0}, {"limit_share": 1.1}],
)
def test_a_waiver_without_one_lawful_limit_is_refused(register, limit):
    with pytest.raises(RegisterError, match="iới hạn"):
        grant(register, **limit)
    assert waivers(register).empty


# Tables for the warehouse


def test_the_tables_for_the_warehouse_hold_no_names_and_no_free_text(register, tmp_path):
    register.append([got("Danh sách của Canary", prepared_on="2026-01-04"), explain("i1", "n1", text="Canary nói")])
    register.append([became("refused", "Danh sách của Canary", code="BAD_COVER", message="ô B2: Canary")])
    waive(register, "67.001", 2025, "R1", until=TODAY, approver="Canary", reason="Canary", limit_count=3)
    identities.confirm(register, "k1", "k2", by="Canary", reason="Canary", first=(2024, 2025))
    units = pd.DataFrame({"unit_code": ["67.001"], "unit_name": ["Huyện Thử"], "level": ["Huyện ủy"]})

    export(register, units, [2025], tmp_path, today=TODAY)

    tables = {path.stem: pq.read_table(path) for path in (tmp_path / "register").glob("*.parquet")}
    assert sorted(tables) == [
        "explanations", "field_check_draws", "member_identities", "obligations", "sendings", "waivers",
    ]  # fmt: skip
    rows = {name: table.to_pylist() for name, table in tables.items()}
    assert rows["sendings"][0].pop("source_hash") == "Danh sách của Canary"  # stands for a hash in this test
    assert "Canary" not in str(rows)
    assert rows["sendings"][0]["prepared_on"] == date(2026, 1, 4)
    assert rows["sendings"][0]["state_reason_code"] == "BAD_COVER"
    assert rows["obligations"][0]["unit_name"] == "Huyện Thử"
    assert rows["waivers"][0]["limit_count"] == 3
    assert rows["explanations"][0]["code"] == "GT01"
    assert rows["member_identities"] == [{"member_key": "k2", "canonical_key": "k1"}]


def test_the_tables_have_their_columns_also_when_nothing_happened(register, tmp_path):
    export(register, pd.DataFrame({"unit_code": pd.Series(dtype="str")}), [2025], tmp_path, today=TODAY)

    for name in ("sendings", "obligations", "explanations", "waivers", "member_identities", "field_check_draws"):
        table = pq.read_table(tmp_path / "register" / f"{name}.parquet")
        assert table.schema == getattr(snapshots, name.upper())
        assert table.num_rows == 0


def test_the_same_events_give_the_same_bytes_from_both_databases(tmp_path, postgres):
    written = []
    for folder, place in (("s", tmp_path / "r.sqlite"), ("p", postgres.make_database("bytes"))):
        with Register.open(place) as register:
            for number in range(20):
                unit = f"67.{number:03}"
                register.append([got(f"f{number}", unit, day=number), became("accepted", f"f{number}", unit)])
                register.append([replace(explanation(unit, 2025, f"f{number}", "i", "n", "GT01", "…"), at=START)])
            export(register, pd.DataFrame({"unit_code": []}), [2024, 2025], tmp_path / folder, today=TODAY)
        written.append({path.name: path.read_bytes() for path in (tmp_path / folder / "register").iterdir()})

    assert written[0] == written[1]
    # The tables, and up to which event they tell.
    assert sorted(written[0]) == [
        "anchor.json", "explanations.parquet", "field_check_draws.parquet", "member_identities.parquet",
        "obligations.parquet", "sendings.parquet", "waivers.parquet",
    ]  # fmt: skip
