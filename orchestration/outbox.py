"""The outbox: every change of state reaches the unit as a receipt in its folder, written from the register's events."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.settings import Folders

if TYPE_CHECKING:
    import pandas as pd

    from submissions.register.deadlines import Deadlines
    from submissions.register.log import Recorded, Register

NOBODY = "_khong_ro"
"""The folder of what cannot be told to be of any unit."""

VIETNAM = timezone(timedelta(hours=7))

_WRITTEN = ".written"
"""Up to which event receipts were written; a unit may take its receipts away, and gets none of them twice."""

TITLES = {
    "received": "Đã nhận tệp",
    "refused": "Tệp bị trả lại",
    "held": "Báo cáo đang được giữ, chờ xác nhận",
    "accepted": "Báo cáo đã được tiếp nhận",
    "confirmed": "Báo cáo được giữ nay đã được xác nhận",
    "duplicate": "Tệp trùng với tệp đã gửi",
    "replaced": "Báo cáo đã được thay bằng lần gửi khác",
    "extended": "Hạn gửi đã được gia hạn",
    "locked": "Năm báo cáo đã khóa sổ",
    "unlocked": "Năm báo cáo đã được mở lại",
    "waived": "Được miễn trừ một quy tắc",
    "waiver_ended": "Miễn trừ đã hết hiệu lực",
    "dead_letter": "Tệp không xử lý được",
    "returned": "Tệp trả lại đã được cập nhật",
}
"""Kinds of event of which a unit gets a receipt, and what it says; "replaced" follows from another's acceptance, and of
what was returned only that which takes the place of something returned before."""

ADVICE = {
    "received": "Không phải làm gì. Kết quả đọc tệp sẽ có ở phiếu sau.",
    "refused": "Hãy sửa theo lý do nêu trên rồi gửi lại cả tệp.",
    "held": "Số liệu đã gửi trước vẫn giữ nguyên. Nếu báo cáo đúng, hãy đề nghị cơ quan tổng hợp xác nhận; "
    "nếu sai, hãy sửa rồi gửi lại.",
    "confirmed": "Không phải làm gì.",
    "duplicate": "Không phải làm gì: tệp này đã được xử lý. Nếu định gửi bản đã sửa, hãy kiểm tra lại tệp rồi gửi.",
    "replaced": "Không phải làm gì nếu lần gửi sau là bản đúng.",
    "extended": "Hãy gửi báo cáo trước khi hết hạn mới.",
    "locked": "Báo cáo gửi từ nay cho năm này được giữ lại chờ xác nhận.",
    "unlocked": "Có thể gửi lại báo cáo của năm này.",
    "waived": "Không phải làm gì.",
    "waiver_ended": "Từ nay quy tắc này lại áp dụng: hãy sửa hoặc giải trình.",
    "returned": "Hãy dùng tệp trả lại mới thay cho tệp cũ.",
    "dead_letter": "Tệp được lưu riêng để xem xét. Hãy lưu lại tệp rồi gửi lại.",
}
WITH_RETURNED = frozenset({"accepted", "refused", "held", "confirmed", "returned"})
"""Kinds whose receipt leads to the files that went back."""
WITH_DAY = frozenset({"accepted", "refused", "held", "extended"})
"""Kinds whose receipt names the last day in time."""
TO_MEND = (
    "Hãy sửa trong tệp của đơn vị theo trang LOI_CAN_SUA của tệp trả lại, ghi giải trình ở trang đó, "
    "rồi gửi tệp đã sửa kèm tệp trả lại."
)
NOTHING = "Không phải làm gì: không có lỗi hay câu hỏi."

LABELS = {
    "file_name": "Tệp",
    "unit_code": "Đơn vị",
    "year": "Năm",
    "sent_no": "Lần gửi",
    "code": "Mã",
    "message": "Lý do",
    "errors": "Lỗi phải sửa",
    "queries": "Câu hỏi (sửa hoặc giải trình)",
    "explained": "Câu hỏi đã giải trình",
    "waived": "Được miễn trừ",
    "due": "Hạn cuối",
    "until": "Gia hạn đến hết ngày",
    "rule": "Quy tắc",
    "by": "Người (cơ quan) quyết định",
    "approver": "Người duyệt",
    "reason": "Vì sao",
    "replaced_by": "Được thay bằng tệp có mã",
    "source_hash": "Mã tệp (SHA-256)",
}

PAGE = """<!doctype html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 "Be Vietnam Pro", "Segoe UI", "Noto Sans", sans-serif; max-width: 44rem; margin: 2rem auto; }
h1 { font-size: 1.4rem; } table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left;
vertical-align: top; overflow-wrap: anywhere; } td.n { text-align: right; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ at }} · phiếu số {{ seq }}</p>
<table>
{% for label, value in facts %}<tr><th>{{ label }}</th><td>{{ value }}</td></tr>
{% endfor %}</table>
{% if counts %}<h2>Số dòng theo biểu</h2>
<table><tr><th>Biểu</th><th>Đọc vào</th><th>Đã nạp</th><th>Giữ lại</th></tr>
{% for row in counts %}<tr><td>{{ row[0] }}</td>{% for n in row[1:] %}<td class="n">{{ n }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% endif %}<p><strong>Việc cần làm:</strong> {{ advice }}</p>
{% if links %}<p>Tệp trả lại:</p>
<ul>
{% for link in links %}<li><a href="{{ link | urlencode }}">{{ link }}</a></li>
{% endfor %}</ul>
{% endif %}</body>
</html>
"""


@dataclass(frozen=True)
class Receipt:
    """One receipt: of which event, in which state, what it says."""

    seq: int
    at: datetime
    state: str
    unit_code: str | None
    facts: Mapping[str, object]
    counts: Sequence[Mapping[str, object]]
    links: Sequence[str]

    @property
    def stem(self) -> str:
        """Name of its files without the ending: the same for the same event, and in the order of time."""
        return f"{self.at:%Y%m%dT%H%M%SZ}_{self.seq:08d}_{self.state}"

    @property
    def advice(self) -> str:
        """What the unit is to do."""
        if self.state == "accepted":
            return TO_MEND if self.facts.get("errors") or self.facts.get("queries") else NOTHING
        return ADVICE[self.state]

    def as_json(self) -> bytes:
        """For machines."""
        told = {
            "state": self.state,
            "title": TITLES[self.state],
            "receipt": self.seq,
            "at": self.at.isoformat(),
            **self.facts,
            "counts": list(self.counts),
            "advice": self.advice,
            "links": list(self.links),
        }
        return json.dumps(told, ensure_ascii=False, indent=1, default=str).encode("utf-8", "replace")

    def as_html(self) -> bytes:
        """For the clerk; nothing in it is taken for markup, and nothing is loaded from anywhere."""
        from jinja2 import Environment

        page = (
            Environment(autoescape=True)
            .from_string(PAGE)
            .render(
                title=TITLES[self.state],
                at=f"{self.at.astimezone(VIETNAM):%H:%M ngày %d/%m/%Y}",
                seq=self.seq,
                facts=[(LABELS[name], _shown(value)) for name, value in self.facts.items()],
                counts=[
                    [row.get(name, "") for name in ("form", "rows_in", "loaded", "held_back")] for row in self.counts
                ],
                advice=self.advice,
                links=self.links,
            )
        )
        return page.encode("utf-8", "replace")


def _shown(value: object) -> str:
    return f"{value:%d/%m/%Y}" if isinstance(value, date) else str(value)


def unit_folder(unit_code: str | None) -> str:
    """The folder of a unit in the outbox. Codes come out of files: what is no plain name gets a mark instead."""
    if not unit_code:
        return NOBODY
    plain = re.sub(r"[^0-9A-Za-z.-]", "_", unit_code)[:40].strip(".")
    if plain == unit_code and re.fullmatch(r"[0-9][0-9A-Za-z.-]*", plain):
        return plain
    return f"_{plain}_{hashlib.sha256(unit_code.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def write_receipts(register: "Register", folders: Folders, deadlines: "Deadlines | None" = None) -> int:
    """Write the receipts of all events that have none yet; returns how many were written.

    A receipt is named by its event, written aside and never over another: whoever is killed and runs again writes the
    rest, nothing twice.
    """
    events = register.read()
    written = _written(folders.outbox, events)
    if not events or events[-1].seq <= written:
        return 0
    if deadlines is None:
        from submissions.register.deadlines import Deadlines

        deadlines = Deadlines.read(folders.data)
    sweep(folders.outbox)
    count = 0
    for receipt in receipts(register, events, folders, deadlines, after=written):
        folder = folders.outbox / unit_folder(receipt.unit_code)
        folder.mkdir(parents=True, exist_ok=True)
        made = [
            _place(folder / f"{receipt.stem}{ending}", content)
            for ending, content in ((".json", receipt.as_json()), (".html", receipt.as_html()))
        ]
        count += any(made)
    _place_over(folders.outbox / _WRITTEN, f"{events[-1].seq} {events[-1].hash}\n".encode())
    return count


def receipts(
    register: "Register", events: Sequence["Recorded"], folders: Folders, deadlines: "Deadlines", *, after: int
) -> Iterator[Receipt]:
    """The receipts of the events whose number is above `after`, in the order of the log."""
    from submissions.register.states import sendings

    replaced = _replaced(sendings(register), events)
    last = {event.source_hash: event for event in events if event.kind == "returned"}
    first = {event.source_hash: event.seq for event in reversed(events) if event.kind == "returned"}
    binding = deadlines.binding(register)
    for event in events:
        if event.seq <= after:
            continue
        if _is_told(event, first):
            body, links = dict(event.body), ()
            if event.kind in WITH_RETURNED and (returned := last.get(event.source_hash)):
                body |= {name: returned.body.get(name) for name in ("errors", "queries", "explained", "waived")}
                links = _links(folders, event.unit_code, returned.body.get("files", ()))
            facts = _facts(event, body)
            if event.kind in WITH_DAY and event.unit_code and event.year:
                facts["due"] = binding.last_day(event.unit_code, event.year)
            counts = _counts(body.get("counts")) if event.kind in {"accepted", "confirmed"} else []
            yield Receipt(event.seq, event.at, event.kind, event.unit_code, facts, counts, links)
        for row in replaced.get(event.seq, []):
            names = ("file_name", "unit_code", "year", "sent_no", "replaced_by", "source_hash")
            facts = _present({name: row[name] for name in names})
            yield Receipt(event.seq, event.at, "replaced", row["unit_code"], facts, [], [])


def _is_told(event: "Recorded", first_returned: Mapping[str | None, int]) -> bool:
    if event.kind == "returned":
        return event.seq > first_returned[event.source_hash]
    return event.kind in TITLES and bool(event.unit_code or event.kind not in {"locked", "unlocked", "waived"})


def _links(folders: Folders, unit_code: str | None, names: Iterable[str]) -> list[str]:
    """Relative paths, from the unit's folder, of files that went back."""
    here = folders.outbox / unit_folder(unit_code)
    return [os.path.relpath(folders.returned / name, here).replace(os.sep, "/") for name in names]


def _facts(event: "Recorded", body: Mapping[str, object]) -> dict[str, object]:
    said = {**body, "unit_code": event.unit_code, "year": event.year, "source_hash": event.source_hash}
    return _present({name: said.get(name) for name in LABELS})


def _present(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value is not None and value == value and value != ""}


def _counts(told: object) -> list[dict[str, object]]:
    """Counts by form, the forms by their titles."""
    from submissions.form_set import load_form_sets

    titles = {form.table: form.title for form_set in load_form_sets().values() for form in form_set.forms}
    return [{"form": titles.get(form, form), **row} for form, row in told.items()] if isinstance(told, Mapping) else []


def _replaced(sent: "pd.DataFrame", events: Iterable["Recorded"]) -> dict[int, list[dict[str, object]]]:
    """By the number of the event that decided it: the sendings that another has replaced."""
    decided: dict[str, int] = {}
    for event in events:
        if event.kind in {"accepted", "confirmed"} and event.source_hash:
            decided[event.source_hash] = event.seq
    found: dict[int, list[dict[str, object]]] = {}
    for row in sent[sent["state"] == "replaced"].astype(object).to_dict("records"):
        row = {name: None if value != value else value for name, value in row.items()}
        ends = [decided.get(row[name], 0) for name in ("source_hash", "replaced_by")]
        found.setdefault(max(ends), []).append(row)
    return found


def _written(outbox: Path, events: Sequence["Recorded"]) -> int:
    """The number of the last event whose receipts were all written; 0 where that was another register's."""
    try:
        seq, chained = (outbox / _WRITTEN).read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):
        return 0
    if not seq.isdigit():
        return 0
    return int(seq) if any(event.seq == int(seq) and event.hash == chained for event in events) else 0


def _place(path: Path, content: bytes) -> bool:
    """Put a file there if none is; a file that has its name is whole."""
    if path.exists():
        return False
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    _write(draft, content)
    try:
        os.link(draft, path)
        return True
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links; only the holder of the build lock writes here
        draft.replace(path)
        return True
    finally:
        draft.unlink(missing_ok=True)


def _place_over(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    _write(draft, content)
    draft.replace(path)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sweep(outbox: Path) -> None:
    """Remove what killed writers left behind."""
    for draft in outbox.glob("*/.*"):
        pid = draft.suffix.removeprefix(".")
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with suppress(FileNotFoundError):
                draft.unlink()
