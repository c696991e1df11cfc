"""What goes back to a unit: its own workbook with the marks in it, and a one-page summary."""

import os
import re
import tempfile
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from submissions.files.source import Source
from submissions.form_set import load_form_sets
from submissions.issues import COLUMNS as ISSUE_COLUMNS
from submissions.returned.copying import bare_workbook, copy_of
from submissions.returned.listing import (
    COLUMNS,
    LIST_SHEET,
    SEPARATOR,
    SEVERITIES,
    STATES,
    add_sheets,
    sheet_parts,
)
from submissions.returned.marking import Mark, Place, mark_sheet, place
from submissions.returned.package import Package
from submissions.returned.styles import Styles
from submissions.returned.summary import summary_json, summary_page
from submissions.rules import load_rules
from submissions.text import fold

_LONGEST_COMMENT = 1_500
"""Characters; the list tells the rest."""
_ADDED = ("issue_id", "numbers", "status", "explanation_code", "explanation", "status_reason")
"""What a list of issues has here beside its own columns."""
_SETTLED = ("explained", "waived")


@dataclass(frozen=True)
class Returned:
    """What an answer is about: one sending, and what became of it."""

    source_hash: str
    file_name: str
    state: str
    """``accepted``, ``refused`` or ``held``."""
    unit_code: str | None = None
    unit_name: str | None = None
    year: int | None = None
    sent_no: int | None = None
    form_version: str | None = None
    code: str | None = None
    """Why it was refused or is held; `message` says it in Vietnamese."""
    message: str | None = None
    counts: pd.DataFrame = field(default_factory=pd.DataFrame)
    """A row a form: form_title, rows_in, loaded, held_back (rows)."""
    repairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What clears most, best first: repair, issues, rows_released."""
    due_before: date | None = None
    """The unit is to send again before this day."""


def write_return(
    folder: Path,
    original: bytes,
    kind: str,
    about: Returned,
    issues: pd.DataFrame,
    source: Source | None = None,
) -> list[Path]:
    """Write ``<stem>_TRA_LAI.xlsx``, ``<stem>_TOM_TAT.html`` and ``….json`` into `folder`; returns the paths.

    `original` are the bytes as they were sent, `kind` what they are (`Source.kind`); `source` is what was read of them,
    where that is at hand already (other kinds than .xlsx need it). `issues` has the columns of
    `submissions.issues.identify`, and ``status`` (``open``, ``explained``, ``waived``, ``asked_again``),
    ``explanation_code``, ``explanation`` and ``status_reason``. Each file appears whole, mode 0600; the same
    input gives the same bytes.
    """
    book = _returned_workbook(original, kind, about, issues, source)
    facts = summary_facts(about, issues)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    contents = {"TRA_LAI.xlsx": book, "TOM_TAT.html": summary_page(facts), "TOM_TAT.json": summary_json(facts)}
    return [_put(folder / f"{stem(about)}_{name}", content) for name, content in contents.items()]


def annotate(original: bytes, issues: pd.DataFrame, about: Returned, source: Source | None = None) -> bytes:
    """The marked copy of a workbook, as `write_return` writes it: the bytes of an .xlsx."""
    return _returned_workbook(original, source.kind if source else None, about, issues, source)


def stem(about: Returned) -> str:
    """A file name of codes alone: the unit's own file name may hold a person's name."""
    unit = about.unit_code or about.form_version or "khong-ro"
    year = "" if about.year is None else f"_{about.year}"
    number = "" if about.sent_no is None else f"_lan{about.sent_no}"
    return f"{re.sub(r'[^A-Za-z0-9.-]', '-', unit)[:40]}{year}{number}_{about.source_hash[:8]}"


def summary_facts(about: Returned, issues: pd.DataFrame) -> dict[str, object]:
    """What the summary says, as plain values: the numbers of issues and rows, what to do, by when."""
    listed = _listed(issues, about)
    is_open = ~listed["state_level"].isin(_SETTLED)
    open_issues = listed[is_open]
    by_form = open_issues.groupby(["form", "severity_level"]).size()
    counts = [
        {
            "form": str(line.form_title),
            "rows_in": int(line.rows_in),
            "loaded": int(line.loaded),
            "held_back": int(line.held_back),
            "errors": int(by_form.get((line.form_title, "error"), 0)),
            "queries": int(by_form.get((line.form_title, "query"), 0)),
        }
        for line in about.counts.itertuples()
    ]
    told = {line["form"] for line in counts}
    counts += [
        {"form": form, "rows_in": 0, "loaded": 0, "held_back": 0, "errors": 0, "queries": 0}
        | {f"{'errors' if level == 'error' else 'queries'}": int(number) for level, number in levels.items()}
        for form in by_form.index.get_level_values(0).unique()
        if form not in told and counts
        for levels in [by_form[form]]
    ]
    repairs = [
        {"repair": str(one.repair), "issues": int(one.issues), "rows_released": int(one.rows_released)}
        for one in about.repairs.head(5).itertuples()
    ]
    levels = open_issues["severity_level"].value_counts()
    errors, queries = int(levels.get("error", 0)), int(levels.get("query", 0))
    return {
        "unit_code": about.unit_code,
        "unit_name": about.unit_name,
        "year": about.year,
        "sent_no": about.sent_no,
        "form_version": about.form_version,
        "file_name": about.file_name,
        "source_hash": about.source_hash,
        "state": about.state,
        "code": about.code,
        "message": about.message,
        "errors": errors,
        "queries": queries,
        "settled": int((~is_open).sum()),
        "due_before": about.due_before.isoformat() if about.due_before else None,
        "last_day": _last_day(about),
        "todo": _todo(about, errors, queries),
        "repairs": repairs,
        "counts": counts,
    }


def _todo(about: Returned, errors: int, queries: int) -> list[str]:
    """What the unit is asked to do, step by step."""
    if about.state == "refused":
        return ["Sửa theo hướng dẫn trên trong tệp của đơn vị rồi gửi lại."]
    steps = []
    if errors:
        steps.append("Ô màu đỏ: sửa trong tệp của đơn vị (không sửa trong bản trả lại) theo cột Cách sửa.")
    if queries:
        steps.append(
            "Ô màu vàng: sửa nếu sai; nếu số liệu đúng, chọn Mã giải trình và ghi Giải trình ở trang "
            f"{LIST_SHEET} của bản trả lại."
        )
    if steps:
        number = f"ghi Lần gửi là {about.sent_no + 1}, " if about.sent_no else ""
        attached = ", kèm bản trả lại này nếu có giải trình" if queries else ""
        steps.append(f"Trong tệp của đơn vị, {number}rồi gửi tệp đã sửa{attached}.")
    return steps


def _returned_workbook(
    original: bytes, kind: str | None, about: Returned, issues: pd.DataFrame, source: Source | None
) -> bytes:
    """The unit's own workbook, marked; a copy of its cells where it cannot be; where it was refused, the reason."""
    listed = _listed(issues, about)
    if about.state == "refused":
        return _mark(bare_workbook(), about, listed, {}, ())
    if kind == "xlsx" or (not kind and original[:2] == b"PK"):
        try:
            return _mark(original, about, listed, None, ())
        except (ValueError, LookupError):
            # Of a part that says what no part may say (a style "x"), the cells were read all the same.
            note = "Sổ tính này không ghi thêm được vào bên trong, nên dưới đây là bản chép các ô đã đọc."
    else:
        note = "Tệp đã gửi không phải .xlsx, nên dưới đây là bản chép các ô đã đọc, lưu thành .xlsx."
    if source is None:
        from submissions.files.source import open_source

        source = open_source(original, about.file_name)
    content, names = copy_of(source)
    return _mark(content, about, listed, names, (note,))


def _mark(
    content: bytes, about: Returned, listed: pd.DataFrame, names: dict[str, str] | None, notes: tuple[str, ...]
) -> bytes:
    """A workbook with colours, comments, the list and the hidden sheet.

    `names` gives the name of each sheet of the sending in this workbook; None where they are the same.
    """
    package = Package(content)
    parts = sheet_parts(package)
    # A list may name a sheet in cleaned spelling; the exact name goes first.
    own = {fold(name): name for name in parts} | {name: name for name in parts} if names is None else names
    listed = listed.assign(target=[own.get(name, own.get(fold(name))) for name in listed["sheet"]]).astype(object)
    styles = Styles(package)
    unsaid = []
    for name, marks in _marks(listed).items():
        if not mark_sheet(package, parts[name], marks, styles):
            unsaid.append(name)
    if unsaid:
        notes = (
            *notes,
            f"Không ghi được chú thích vào trang {', '.join(f'“{name}”' for name in unsaid)}: hãy xem ở đây.",
        )
    codes = [f"{entry.code} – {entry.text}" for entry in load_rules().explanations]
    facts = {
        "unit_code": about.unit_code,
        "year": about.year,
        "sent_no": about.sent_no,
        "source_hash": about.source_hash,
        "state": about.state,
    }
    has_table = len(listed) > 0 or about.state != "refused"
    add_sheets(
        package,
        styles,
        lines=_lines(about, listed, notes),
        issues=listed if has_table else pd.DataFrame(),
        codes=codes if has_table else [],
        facts=facts,
    )
    _forget_old_facts(package)
    return package.to_bytes()


def _forget_old_facts(package: Package) -> None:
    """The properties list the sheets, and a shared workbook logs its changes; neither knows of the new sheets."""
    for link in package.linked(""):
        if link.get("Type", "").endswith("/extended-properties"):
            root = package.tree(package.target("", link))
            for name in ("HeadingPairs", "TitlesOfParts"):
                for part in [part for part in root if part.tag.rpartition("}")[2] == name]:
                    root.remove(part)
    for link in package.linked(package.workbook_name):
        if link.get("Type", "").endswith(("/revisionHeaders", "/usernames")):
            headers = package.target(package.workbook_name, link)
            for log in package.linked(headers):
                package.remove(package.target(headers, log))
            package.remove(headers)
            link.getparent().remove(link)


def _marks(listed: pd.DataFrame) -> dict[str, dict[Place, Mark]]:
    """By sheet and cell what is to be seen there; what is explained or waived is not marked."""
    found: dict[str, dict[Place, list[tuple[str, str]]]] = {}
    wanted = listed[listed["target"].notna() & ~listed["state_level"].isin(_SETTLED)]
    for issue in wanted.itertuples():
        at = place(issue.cell)
        if at is not None:
            said = f"{issue.severity.upper()}: {issue.rule}."
            said += f"\nVì sao / cần có: {issue.expected}" if issue.expected else ""
            said += f"\nCách sửa: {issue.message}" if issue.message else ""
            found.setdefault(issue.target, {}).setdefault(at, []).append((issue.severity_level, said))
    marks: dict[str, dict[Place, Mark]] = {}
    for sheet, cells in found.items():
        marks[sheet] = {}
        for at, told in cells.items():
            comment = "\n\n".join(said for _, said in told)
            if len(comment) > _LONGEST_COMMENT:
                comment = f"{comment[:_LONGEST_COMMENT]}… (xem trang {LIST_SHEET})"
            level = "error" if any(level == "error" for level, _ in told) else "query"
            marks[sheet][at] = Mark(level, comment)
    return marks


def _listed(issues: pd.DataFrame, about: Returned) -> pd.DataFrame:
    """The issues as the list shows them: `COLUMNS` as texts, ``sheet``, ``severity_level`` and ``state_level``.

    What must be mended comes first, then what must be mended or explained, then what is settled; within, as found.
    """
    frame = issues.reindex(columns=list(dict.fromkeys([*ISSUE_COLUMNS, *_ADDED]))).reset_index(drop=True)
    frame = frame.astype(object).where(frame.notna(), "")
    frame["severity_level"] = frame["severity"].where(frame["severity"] == "error", "query")
    frame["state_level"] = frame["status"].where(frame["status"] != "", "open")
    settled = frame["state_level"].isin(_SETTLED)
    frame = frame.iloc[(settled * 2 + (frame["severity_level"] == "query")).argsort(kind="stable")].reset_index(
        drop=True
    )
    rules, texts = load_rules(), load_rules().explanation_texts
    headings = _form_headings(about.form_version)
    listed = pd.DataFrame(index=frame.index)
    listed["number"] = range(1, len(frame) + 1)
    listed["severity"] = frame["severity_level"].map(SEVERITIES)
    listed["rule"] = frame["rule"].map(rules.name)
    for column in ("form", "sheet", "cell", "key", "value", "expected", "message"):
        listed[column] = frame[column].astype("str").astype(object)
    places = zip(frame["form"], frame["column"], strict=True)
    listed["column"] = [headings.get(at, str(at[1])) for at in places]
    codes = frame["explanation_code"].map(lambda code: f"{code} – {texts[code]}" if code in texts else str(code))
    again = frame["state_level"] == "asked_again"
    # A former explanation is shown beside, not filled in: sent back unread it would explain new numbers.
    listed["code"] = codes.where(~again, "")
    listed["text"] = frame["explanation"].where(~again, "")
    listed["state"] = [
        STATES["open"][level] if state == "open" else STATES[state]
        for state, level in zip(frame["state_level"], frame["severity_level"], strict=True)
    ]
    former = [f"Lần trước: {code}: {said}" for code, said in zip(codes, frame["explanation"], strict=True)]
    listed["state"] = [
        ". ".join(filter(None, (state, told if asked else "", str(reason))))
        for state, asked, told, reason in zip(listed["state"], again, former, frame["status_reason"], strict=True)
    ]
    identity = ["issue_id", "numbers", "severity_level", "rule", "column"]
    listed["identity"] = [
        SEPARATOR.join(map(str, parts)) if parts[0] else ""
        for parts in frame[identity].itertuples(index=False, name=None)
    ]
    listed["severity_level"] = frame["severity_level"]
    listed["state_level"] = frame["state_level"]
    return listed.loc[:, [*COLUMNS, "sheet", "severity_level", "state_level"]]


def _lines(about: Returned, listed: pd.DataFrame, notes: tuple[str, ...]) -> list[tuple[str, str]]:
    """What stands above the list."""
    is_open = ~listed["state_level"].isin(_SETTLED)
    levels = listed["severity_level"][is_open].value_counts()
    errors, queries = int(levels.get("error", 0)), int(levels.get("query", 0))
    settled = int((~is_open).sum())
    if about.state == "refused":
        title = "Tệp bị từ chối, chưa đọc được"
    elif about.state == "held":
        title = "Lần gửi được giữ lại, chờ xác nhận"
    else:
        numbers = {
            "chỗ phải sửa": errors,
            "chỗ sửa hoặc giải trình": queries,
            "chỗ đã giải trình hoặc được miễn": settled,
        }
        title = " · ".join(f"{_dotted(number)} {what}" for what, number in numbers.items() if number)
        title = title or "Không có gì phải sửa"
    whose = " ".join(part for part in (about.unit_code, about.unit_name) if part)
    parts = [f"Đơn vị: {whose}" if whose else "", f"Năm {about.year}" if about.year else ""]
    parts += [f"Lần gửi {about.sent_no}" if about.sent_no else "", f"Tệp đã gửi: {about.file_name}"]
    lines = [("title", title), ("text", " · ".join(part for part in parts if part))]
    if about.message:
        lines.append(("strong", f"{about.message}{f' (mã {about.code})' if about.code else ''}"))
    if len(about.counts) and about.state != "refused":
        rows, loaded, held = (int(about.counts[column].sum()) for column in ("rows_in", "loaded", "held_back"))
        lines.append(
            ("text", f"Số dòng nhận {_dotted(rows)} = đã nạp {_dotted(loaded)} + giữ lại chờ sửa {_dotted(held)}")
        )
    steps = _todo(about, errors, queries)
    if steps:
        lines.append(("text", "Cần làm: " + " ".join(f"({n}) {step}" for n, step in enumerate(steps, start=1))))
    if last_day := _last_day(about):
        lines.append(("strong", f"Hạn gửi lại: hết ngày {last_day}"))
    return [*lines, *(("text", note) for note in notes)]


def _last_day(about: Returned) -> str | None:
    return f"{about.due_before - timedelta(days=1):%d/%m/%Y}" if about.due_before else None


def _dotted(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def _form_headings(version: str | None) -> dict[tuple[str, str], str]:
    """Headings of a form set's columns by form title and column key, as the unit knows them."""
    form_set = load_form_sets().get(version) if version else None
    if form_set is None:
        return {}
    headings = {(form.title, column.key): column.heading for form in form_set.forms for column in form.columns}
    if form_set.cover is not None:
        headings |= {(form_set.cover.sheet, item.key): item.heading for item in form_set.cover.fields}
    return headings


def _put(path: Path, content: bytes) -> Path:
    """Write a file aside and rename it, so that nobody opens half a file."""
    descriptor, draft = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(content)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return path
