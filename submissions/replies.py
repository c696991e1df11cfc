"""Replies: what a unit is told of a sending, before or after it was sent: issues, what was answered, what to do."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd

from submissions.files.taking import readable_name
from submissions.impact import rank_repairs
from submissions.issues import COLUMNS, identify
from submissions.processes import run_all
from submissions.reading import FileResult
from submissions.register import answers, deadlines
from submissions.register.deadlines import ZONE, BindingDays, Deadlines
from submissions.register.log import Event, Recorded, Register
from submissions.register.states import sendings
from submissions.returned.returns import Returned, write_return
from submissions.store import Store

OPEN = ("open", "asked_again")
"""Statuses of issues that somebody still has to answer."""

EXIT_CODES = {"clean": 0, "issues": 1, "refused": 2, "held": 2, "failed": 3}

_ANSWERS = ("explained", "waived", "waiver_ended", "confirmed", "extended")
"""Events after which a unit and year are told anew."""

_Place = tuple[str | None, int | None]


@dataclass(frozen=True)
class Reply:
    """What a unit is told of one file."""

    about: Returned
    state: str
    """``clean``, ``issues``, ``held``, ``refused``, or ``failed`` (no fault of the file: try again)."""
    file_kind: str | None = None
    issues: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*COLUMNS, "status"]))
    """An issue list with `issue_id`, `numbers`, `status`, `explanation`, `explanation_code`, `status_reason`."""
    hazards: tuple[dict[str, object], ...] = ()

    @property
    def exit_code(self) -> int:
        """0 clean, 1 issues, 2 refused or held, 3 own fault."""
        return EXIT_CODES[self.state]

    def as_json(self) -> dict[str, object]:
        """The reply for programs; keys and values of issues may be card numbers, as in the returned workbook."""
        about = self.about
        counts = about.counts.drop(columns=["source_hash", "letters"], errors="ignore")
        return {
            "file": about.file_name,
            "sha256": about.source_hash,
            "type": self.file_kind,
            "state": self.state,
            "code": about.code,
            "message": about.message,
            "unit_code": about.unit_code,
            "unit_name": about.unit_name,
            "year": about.year,
            "sent_no": about.sent_no,
            "form_version": about.form_version,
            "counts": _records(counts),
            "repairs": _records(about.repairs),
            "issues": _records(self.issues),
            "hazards": list(self.hazards),
        }

    def fingerprint(self) -> str:
        """The same for the same reply: what was returned already need not be returned again."""
        told = json.dumps({**self.as_json(), "due": str(self.about.due_before)}, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    return json.loads(frame.to_json(orient="records", force_ascii=False))


def untold(file: FileResult) -> Reply:
    """The reply to a file that the register was not told of: its bytes could not be taken, or not read this time."""
    about = Returned(file.source_hash, readable_name(file.path), file.state, code=file.code, message=file.message)
    return Reply(about, file.state)


def reply_to(
    store: Store,
    register: Register | None,
    standing: Mapping[str, object],
    today: date,
    due: BindingDays | None = None,
) -> Reply:
    """The reply to a sending; `standing` is its row of the register (`states.sendings`).

    Without a `register` explanations and waivers are not looked up (the caller knows that there are none).
    """
    name = str(standing["source_hash"])
    row = store.submission(name)
    assert row is not None, name
    counts = store.counts_of(name)
    issues = identify(store.issues_of(name).loc[:, list(COLUMNS)])
    rows = counts.assign(unit_code=row["unit_code"], year=row["year"], form=counts["form_title"])
    issues = answers.apply(register, issues, today, rows[["unit_code", "year", "form", "rows_in"]])
    state = str(standing["state"])
    if state not in {"refused", "held"}:
        state = "issues" if issues["status"].isin(OPEN).any() else "clean"
    told = state in {"refused", "held"}
    due_before = None
    if state != "clean" and due is not None and row["unit_code"] and row["year"]:
        due_before = due.last_day(str(row["unit_code"]), int(row["year"])) + timedelta(days=1)
        if due_before <= today:
            due_before = None  # a day that is past tells nobody when to send again
    about = Returned(
        source_hash=name,
        file_name=row["file_name"],
        state=state if told else "accepted",
        unit_code=row["unit_code"],
        unit_name=row["unit_name"],
        year=row["year"],
        sent_no=row["sent_no"],
        form_version=row["form_version"],
        code=_text(standing["state_reason_code"]) if told else None,
        message=_text(standing["state_message"]) if told else None,
        counts=counts,
        repairs=rank_repairs(issues[issues["status"].isin(OPEN)], store.form_sets.get(row["form_version"])),
        due_before=due_before,
    )
    return Reply(about, state, row["file_kind"], issues, tuple(json.loads(row["hazards"] or "[]")))


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)


def write_replies(
    data: Path, store: Store, register: Register, *, now: datetime, workers: int | None = None
) -> list[Path]:
    """Write what goes back to the units into `<data>/returned`, and tell the register; returns the files written now.

    Told are the sendings never told of, those of which something else is found, asked or decided than when they were
    told of, and those about which something was answered, or a waiver ran out, since. All of that stands in store and
    register: what a killed batch had not told, the next one tells.
    """
    standing = sendings(register)
    standing = standing[standing["is_in_force"] | standing["state"].isin(["refused", "held"])]
    told = {record.source_hash: record for record in register.read(["returned"])}
    answered: dict[_Place, int] = {}
    for record in register.read(_ANSWERS):
        answered[record.unit_code, record.year] = record.seq
    today = now.astimezone(ZONE).date()
    ends: dict[_Place, list[date]] = defaultdict(list)
    for waiver in answers.waivers(register).itertuples(index=False):
        if waiver.until < today:
            ends[waiver.unit_code, waiver.year].append(waiver.until)
    due = Deadlines.read(data).binding(register)
    has_answers = bool(answered)
    folder = data / "returned"
    tasks: list[tuple[dict, str, Recorded | None]] = []
    for row in standing.to_dict("records"):
        place = (row["unit_code"], None if pd.isna(row["year"]) else int(row["year"]))
        before = told.get(row["source_hash"])
        grounds = _grounds(store, row)
        if (
            before is not None
            and before.body.get("grounds") == grounds
            and before.seq > answered.get(place, 0)
            and not any(before.at.astimezone(ZONE).date() <= end for end in ends[place])
        ):
            continue
        tasks.append((row, grounds, before))

    def tell(task: tuple[dict, str, Recorded | None]) -> tuple[list[Path], Event] | None:
        row, grounds, before = task
        reply = reply_to(store, register if has_answers else None, row, today, due)
        fingerprint = reply.fingerprint()
        if before is not None and before.body["fingerprint"] == fingerprint and _stand(folder, before.body["files"]):
            return None
        # Nothing goes back for one in which nothing was found.
        is_silent = reply.issues.empty and reply.state not in {"refused", "held"}
        paths = [] if is_silent else write_reply(store, reply, folder)
        status = reply.issues["status"]
        is_open = status.isin(OPEN)
        severity = reply.issues["severity"]
        body = {
            "fingerprint": fingerprint,
            "grounds": grounds,
            "files": [path.name for path in paths],
            "errors": int((is_open & (severity == "error")).sum()),
            "queries": int((is_open & (severity == "query")).sum()),
            "explained": int((status == "explained").sum()),
            "waived": int((status == "waived").sum()),
        }
        about = reply.about
        # What was told once may be told again after something else.
        key = f"returned:{about.source_hash}:{before.seq if before else 0}:{fingerprint}"
        return paths, Event("returned", key, about.unit_code, about.year, about.source_hash, body, at=now)

    done = [one for one in run_all(tell, tasks, workers) if one is not None]
    register.append(event for _, event in done)
    return [path for paths, _ in done for path in paths]


def _grounds(store: Store, row: Mapping[str, object]) -> str:
    """A hash of what a reply to a sending is made of, but for the answers to it."""
    name = str(row["source_hash"])
    made = hashlib.sha256(f"{row['state']}|{row['state_reason_code']}|{row['state_message']}".encode())
    for folder in (store.issues, store.queries):
        path = store.find(folder, name)
        made.update(path.read_bytes() if path else b"")
    return made.hexdigest()[:16]


def _stand(folder: Path, names: Iterable[str]) -> bool:
    return all((folder / name).exists() for name in names)


def write_reply(store: Store, reply: Reply, folder: Path) -> list[Path]:
    """Write the marked copy and the summary of a sending into `folder`; returns the paths."""
    original = store.original(reply.about.source_hash)
    assert original is not None, reply.about.source_hash
    content = original.read_bytes()
    return write_return(folder, content, reply.file_kind or "", reply.about, reply.issues)


def _open_issues(store: Store, register: Register, source_hash: str) -> pd.DataFrame:
    """What a sending's unit still has to answer."""
    issues = store.issues_of(source_hash).loc[:, list(COLUMNS)]
    if issues.empty:
        return issues
    counts = store.counts_of(source_hash)
    place = {"unit_code": issues["unit_code"].iloc[0], "year": issues["year"].iloc[0]}
    rows = counts.assign(form=counts["form_title"], **place)
    told = answers.apply(register, identify(issues), deadlines.today(), rows)
    return told.loc[told["status"].isin(OPEN), list(COLUMNS)]


def list_issues(data: Path, register: Register | None = None, *, every_sending: bool = False) -> pd.DataFrame:
    """The open issues of the sendings in force (or of all), and why files were refused or are held: `COLUMNS`.

    What was explained or waived is answered and not listed. For the units: `key` and `value` may hold card numbers.
    Without a `register` the one in `data` is read.
    """
    if register is None:
        with Register.open(data / "register.sqlite") as opened:
            return list_issues(data, opened, every_sending=every_sending)
    store = Store(data / "store")
    standing = sendings(register)
    standing = standing[standing["state"] != "duplicate"]
    order = ["unit_code", "year", "receipt_no"]
    stopped = standing[standing["state"].isin(["refused", "held"])].sort_values(order, na_position="last")
    wanted = standing[standing["is_in_force"] | (standing["state"] == "held") | every_sending].sort_values(order)
    parts = [_open_issues(store, register, name) for name in wanted["source_hash"]]
    stops = pd.DataFrame(
        {
            "file": stopped["file_name"],
            "unit_code": stopped["unit_code"],
            "year": stopped["year"],
            "rule": stopped["state_reason_code"],
            "severity": "error",
            "message": stopped["state_message"],
        }
    ).reindex(columns=list(COLUMNS), fill_value="")
    listed = pd.concat([*parts, stops], ignore_index=True)
    return listed.assign(year=listed["year"].astype("Int64"))
