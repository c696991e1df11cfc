"""What became of each file that was received: the fold of the register's events."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from submissions.register.log import OF_A_FILE, YEARS, Event, Recorded, Register, RegisterError

if TYPE_CHECKING:
    from submissions.register.deadlines import Deadlines

STATES = {
    "received": "Đã nhận, chưa đọc xong",
    "refused": "Bị trả lại",
    "held": "Đang giữ chờ xác nhận",
    "accepted": "Đã tiếp nhận",
    "replaced": "Đã được thay bằng lần gửi khác",
    "duplicate": "Trùng tệp đã gửi",
}
"""The states of a sending with their Vietnamese names."""
YEAR_LOCKED = "YEAR_LOCKED"
"""Why a sending is held that was accepted after its year was locked."""

COLUMNS = {
    "receipt_no": "int64",
    "source_hash": "str",
    "source_kind": "str",
    "file_name": "str",
    "size_bytes": "Int64",
    "received_at": "datetime64[us, UTC]",
    "unit_code": "str",
    "year": "Int64",
    "number": "Int64",
    "sent_no": "Int64",
    "prepared_on": "str",
    "form_version": "str",
    "state": "str",
    "state_reason_code": "str",
    "state_message": "str",
    "decided_at": "datetime64[us, UTC]",
    "errors": "Int64",
    "queries": "Int64",
    "counts": "str",
    "replaced_by": "str",
    "days_late": "Int64",
    "is_in_force": "bool",
    "draw_id": "str",
}
"""The columns of `sendings`."""

_READ = ("file_name", "size_bytes", "form_version", "sent_no", "prepared_on", "counts", "errors", "queries", "draw_id")
_NUMBERS = ("size_bytes", "sent_no", "errors", "queries")
_KNOWN_BY_BYTES = (
    "source_kind", "size_bytes", "unit_code", "year", "form_version", "sent_no", "prepared_on", "counts", "draw_id",
)  # fmt: skip
LOCKED_MESSAGE = "Năm {year} đã khóa sổ; lần gửi này chỉ được tính khi có người xác nhận hoặc mở khóa."
OF_NOBODY = frozenset({"register", "field_check"})
"""Kinds of files that no unit sends."""
_Sending = dict[str, object]


class Locks:
    """Which years are locked: of a whole year and of a unit's year, what was decided last counts."""

    def __init__(self) -> None:
        """Nothing is locked."""
        self._last: dict[tuple[int, str | None], tuple[int, bool]] = {}

    def take(self, record: Recorded) -> None:
        """A `locked` or `unlocked` event; without a unit it is about all of them and the Commission's register."""
        self._last[record.year, record.unit_code] = record.seq, record.kind == "locked"

    def hold(self, unit_code: object, year: object) -> bool:
        """Whether a unit's year is locked (the unit is None for the Commission's register)."""
        scopes = {(year, None), (year, unit_code)}
        return max((self._last[scope] for scope in scopes if scope in self._last), default=(0, False))[1]


def is_locked(register: Register, year: int, unit_code: str | None = None) -> bool:
    """Whether new sendings of a unit's year (None: the Commission's register) are held for confirmation."""
    locks = Locks()
    for record in register.read(["locked", "unlocked"], year=year):
        locks.take(record)
    return locks.hold(unit_code, year)


def sendings(register: Register, deadlines: "Deadlines | None" = None) -> pd.DataFrame:
    """One row a file received, in the order of receipt; columns and types of `COLUMNS`.

    `receipt_no` is the number of the event of receipt and the only key: bytes sent twice make two rows, the second a
    "duplicate". `number` counts the sendings of a unit and year as they came, `sent_no` is the cover's. `counts` is
    JSON, by form. `days_late` is 0 for a file in time and empty without `deadlines`, or where unit or year are unknown.
    In force is the last accepted of a unit and year in the order of `submissions.store.Store.read_submissions`
    (`sent_no`, `prepared_on`, `received_at`, `source_hash`), and so of the register's year and of a draw; the accepted
    ones before it are "replaced" by the next.
    """
    rows = _fold(register.read([*OF_A_FILE, "returned", "locked", "unlocked"]))
    _rank(rows)
    for row in rows:
        if row["counts"] is not None:
            row["counts"] = json.dumps(row["counts"], ensure_ascii=False)
    frame = pd.DataFrame([[*row.values()] for row in rows], columns=list(COLUMNS)).astype(COLUMNS)
    if deadlines is not None:
        frame["days_late"] = deadlines.days_late(register, frame)
    return frame


def _fold(records: Iterable[Recorded]) -> list[_Sending]:
    files: dict[str, _Sending] = {}
    rows: list[_Sending] = []
    held_by_lock: set[str] = set()
    locks = Locks()

    def begin(record: Recorded, state: str) -> _Sending:
        row = dict.fromkeys(COLUMNS) | {
            "receipt_no": record.seq,
            "source_hash": record.source_hash,
            "received_at": record.at,
            "state": state,
            "is_in_force": False,
        }
        rows.append(row)
        return row

    for record in records:
        if record.kind in {"locked", "unlocked"}:
            locks.take(record)
            for name in sorted(held_by_lock):
                if not locks.hold(files[name]["unit_code"], files[name]["year"]):
                    held_by_lock.discard(name)
                    _decide(files[name], "accepted", record)
            continue
        name, body = record.source_hash, record.body
        if record.kind == "returned":
            # What was told to the unit last: how many errors and queries were open.
            if (told := files.get(name)) is not None:
                told |= {key: body[key] for key in ("errors", "queries") if key in body}
            continue
        if record.kind == "duplicate" and body.get("of", name) == name:
            # The same bytes once more: a receipt of its own, and what is in the file is known.
            row = begin(record, "duplicate")
            if first := files.get(name):
                row |= {key: first[key] for key in _KNOWN_BY_BYTES}
            _learn(row, record)
            _decide(row, "duplicate", record)
            continue
        row = files.get(name)
        if row is None:
            row = files[name] = begin(record, "received")
        _learn(row, record)
        # A field check is no report of the year: it is made when that is over.
        locked = row["draw_id"] is None and locks.hold(row["unit_code"], row["year"])
        says_locked = record.kind == "held" and body.get("code") == YEAR_LOCKED
        if says_locked and row["state"] == "held" and name not in held_by_lock:
            pass  # held for a reason that unlocking does not settle
        elif says_locked and not locked:
            _decide(row, "accepted", record)  # unlocked while intake was at work
        elif says_locked or (record.kind == "accepted" and row["state"] != "accepted" and locked):
            held_by_lock.add(name)
            _decide(row, "held", record, YEAR_LOCKED, LOCKED_MESSAGE.format(year=row["year"]))
        elif record.kind == "confirmed":
            if row["state"] == "held":
                held_by_lock.discard(name)
                _decide(row, "accepted", record)
        elif record.kind != "received":
            held_by_lock.discard(name)
            _decide(row, record.kind, record)
    return rows


def _learn(row: _Sending, record: Recorded) -> None:
    """Take what the event says of the file; a refused file that is read again tells more the second time."""
    body = record.body
    said = {key: body.get(key) for key in _READ}
    # A number of a hostile cover may be of any size.
    said |= {key: None for key in _NUMBERS if not isinstance(said[key], int) or abs(said[key]) >= 2**63}
    said |= {"unit_code": record.unit_code, "year": record.year, "source_kind": body.get("kind")}
    row |= {key: value for key, value in said.items() if value is not None}


def _decide(row: _Sending, state: str, record: Recorded, code: str | None = None, message: str | None = None) -> None:
    told = record.kind in {"refused", "held"}
    row["state"] = state
    row["state_reason_code"] = code or (record.body.get("code") if told else None)
    row["state_message"] = message or (record.body.get("message") if told else None)
    row["decided_at"] = record.at
    if state == "duplicate":
        row["replaced_by"] = record.body.get("of", record.source_hash)


def _rank(rows: list[_Sending]) -> None:
    """Number the sendings of each unit and year, and tell which of the accepted ones is in force."""
    of_unit_and_year: dict[tuple, list[_Sending]] = defaultdict(list)
    for row in rows:
        of_nobody = row["source_kind"] if row["source_kind"] in OF_NOBODY else None
        if row["year"] is not None and (row["unit_code"] is not None or of_nobody):
            of_unit_and_year[of_nobody, row["draw_id"], row["unit_code"], row["year"]].append(row)
    for group in of_unit_and_year.values():
        own = [row for row in group if row["replaced_by"] is None or row["replaced_by"] != row["source_hash"]]
        for number, row in enumerate(own, start=1):
            row["number"] = number
        accepted = sorted((row for row in group if row["state"] == "accepted"), key=order)
        for row, later in pairwise(accepted):
            row["state"] = "replaced"
            row["replaced_by"] = later["source_hash"]
        if accepted:
            accepted[-1]["is_in_force"] = True


def order(row: Mapping[str, object]) -> tuple:
    """What sendings of a unit and year are ranked by, from `sent_no`, `prepared_on`, `received_at`, `source_hash`."""
    # What the cover does not say stands first, as in the store.
    return (
        (row["sent_no"] is not None, row["sent_no"] or 0),
        row["prepared_on"] or "",
        row["received_at"],
        row["source_hash"],
    )


def confirm(register: Register, source_hash: str, *, by: str, reason: str) -> Event:
    """Let a held sending count. Raises `RegisterError` where it is not held, or nobody or no reason is given."""
    found = sendings(register)
    found = found[(found["source_hash"] == source_hash) & (found["state"] != "duplicate")]
    if found.empty or found["state"].iloc[0] != "held":
        state = STATES[found["state"].iloc[0]] if len(found) else "chưa từng nhận"
        raise RegisterError(f"Tệp {source_hash[:12]}… không chờ xác nhận (trạng thái: {state}).")
    unit_code, year = (None if pd.isna(value) else value for value in found.iloc[0][["unit_code", "year"]])
    return decide(register, "confirmed", unit_code, year, source_hash=source_hash, by=by, reason=reason)


def lock(register: Register, year: int, *, by: str, reason: str, unit_code: str | None = None) -> Event:
    """From now on hold what is sent for a year, of one unit or of all."""
    return decide(register, "locked", unit_code, year, by=by, reason=reason)


def unlock(register: Register, year: int, *, by: str, reason: str, unit_code: str | None = None) -> Event:
    """Open a year again, of one unit or of all; what was held because of the lock counts."""
    return decide(register, "unlocked", unit_code, year, by=by, reason=reason)


def decide(
    register: Register,
    kind: str,
    unit_code: str | None,
    year: int | None,
    *,
    by: str,
    reason: str,
    source_hash: str | None = None,
    **body: object,
) -> Event:
    """Append what a person decided: each time an event of its own, with who (an office) and why.

    Raises `RegisterError` where either is missing.
    """
    if not by.strip() or not reason.strip():
        raise RegisterError("Phải ghi rõ người (cơ quan) quyết định và lý do.")
    if year is not None and year not in YEARS:
        raise RegisterError(f"Năm {year} không hợp lệ.")
    body |= {"by": by.strip(), "reason": reason.strip()}
    key = f"{kind}:{unit_code or '*'}:{year or '*'}:{uuid.uuid4()}"
    [event] = register.append([Event(kind, key, unit_code, year, source_hash, body)])
    return event
