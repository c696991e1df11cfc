"""The outbox: every change of state reaches the unit as a receipt in its folder, written from the register's events."""

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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
"""Up to which event receipts were written; a unit may take its receipts away, and gets none of them twice. A line of
its own for each folder that could not be written into: up to which event its receipts were."""

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
    "received": "Chưa phải làm gì. Tệp được chấp nhận hay không, phải sửa gì: xem ở phiếu tiếp theo của tệp này.",
    "refused": "Hãy sửa theo lý do nêu trên rồi gửi lại cả tệp.",
    "held": "Số liệu đã gửi trước vẫn giữ nguyên. Nếu báo cáo đúng, hãy đề nghị cơ quan tổng hợp xác nhận; nếu sai, "
    "hãy sửa rồi gửi lại.",
    "confirmed": "Không phải làm gì.",
    "replaced": "Không phải làm gì nếu lần gửi sau là bản đúng.",
    "extended": "Hãy gửi báo cáo trước khi hết hạn mới.",
    "locked": "Báo cáo gửi từ nay cho năm này được giữ lại chờ xác nhận.",
    "unlocked": "Có thể gửi lại báo cáo của năm này.",
    "waived": "Không phải làm gì.",
    "waiver_ended": "Từ nay quy tắc này lại áp dụng: hãy sửa hoặc giải trình.",
    "returned": "Hãy dùng tệp trả lại mới thay cho tệp cũ.",
    "dead_letter": "Tệp chưa được tính và không có bản sao nào được giữ. Hãy làm theo lý do nêu trên rồi gửi lại tệp.",
}
KEPT = "Tệp chưa được tính; một bản sao được giữ riêng để xem xét. Hãy mở tệp, lưu lại rồi gửi lại."
"""Advice on a dead letter of which a copy is kept."""
_HEADINGS = (
    "Hãy ghi lại tiêu đề theo đúng mẫu biểu rồi gửi lại cả tệp. Nếu tiêu đề mới là đúng (mẫu biểu đã được đổi), hãy "
    "báo Ban Tổ chức xác nhận tiêu đề đó; khi đã xác nhận, tệp còn trong hộp nhận sẽ được đọc lại."
)
ADVICE_BY_CODE = {
    "UNIT_NOT_ON_LIST": "Hãy kiểm tra mã đơn vị ở trang bìa. Nếu mã sai, hãy sửa rồi gửi lại cả tệp. Nếu mã đúng, sửa "
    "tệp không giải quyết được: hãy đề nghị Ban Tổ chức thêm đơn vị vào danh sách; khi đã thêm, tệp còn trong hộp "
    "nhận sẽ được đọc lại.",
    "UNIT_MISMATCH": "Hãy kiểm tra xem đã để nhầm hộp nhận hay ghi nhầm trang bìa. Nếu là báo cáo của nơi khác, hãy "
    "chuyển tệp vào đúng hộp nhận và gửi báo cáo của chính đơn vị; nếu trang bìa ghi sai mã, hãy sửa rồi gửi lại cả "
    "tệp.",
    "UNKNOWN_FORM_VERSION": "Hãy ghi đúng tên mẫu biểu đã thống nhất, hoặc xin Ban Tổ chức tệp mẫu của năm này, rồi "
    "gửi lại cả tệp. Nếu đó là mẫu mới ban hành, hãy báo Ban Tổ chức đưa mẫu vào hệ thống.",
    "MISSING_HEADING": _HEADINGS,
    "DOUBLED_HEADING": _HEADINGS,
    "HEADINGS_SWAPPED": _HEADINGS,
    "RETURNED_COPY": "Không gửi lại bản này. Hãy sửa trong tệp của chính đơn vị rồi gửi tệp đó.",
    "UNTOUCHED_TEMPLATE": "Hãy điền số liệu vào tệp mẫu rồi gửi lại.",
    "YEAR_LOCKED": "Năm này đã khóa sổ: sửa và gửi lại thì tệp vẫn bị giữ. Số liệu đã gửi trước vẫn giữ nguyên. Nếu "
    "lần gửi này cần được tính, hãy đề nghị Ban Tổ chức xác nhận hoặc mở khóa.",
    "YEAR_AHEAD": "Hãy kiểm tra “Kỳ báo cáo” ở trang bìa. Nếu ghi sai năm, hãy sửa rồi gửi lại cả tệp; nếu đúng, hãy "
    "đề nghị Ban Tổ chức xác nhận.",
    "OTHER_UNIT_FILE": "Hãy kiểm tra xem có phải tệp của đơn vị khác không. Nếu nhầm, hãy gửi báo cáo của chính đơn "
    "vị; nếu đúng (sáp nhập, chia tách), hãy đề nghị Ban Tổ chức xác nhận. Số liệu đã gửi trước vẫn giữ nguyên.",
}
"""What to do about a code of `docs/report-codes.md` where to mend the file and send it again is not all, or no help."""
AGAIN = {
    "received": "Chưa phải làm gì: tệp cùng nội dung đã nhận và đang được đọc; kết quả ở phiếu của lần gửi đó.",
    "accepted": "Không phải gửi lại: tệp cùng nội dung đã được tiếp nhận; lỗi và câu hỏi (nếu có) ở phiếu của lần gửi "
    "đó. Nếu định gửi bản đã sửa thì đây chưa phải là bản đã sửa: hãy kiểm tra rồi gửi đúng tệp.",
    "replaced": "Tệp này không được tính: tệp cùng nội dung đã được thay bằng một lần gửi khác. Nếu nay bản này mới "
    "đúng, hãy ghi “Lần gửi” ở trang bìa lớn hơn rồi gửi lại.",
    "elsewhere": "Tệp này không được tính cho đơn vị: cùng nội dung đã được gửi và xử lý ở hộp nhận của nơi khác. Hãy "
    "kiểm tra xem có lấy nhầm tệp không và gửi báo cáo của chính đơn vị.",
}
"""What to do about bytes that came before, by what became of them then; refused or held ones have the same advice as
then."""
WITH_RETURNED = frozenset({"accepted", "refused", "held", "confirmed", "returned"})
"""Kinds whose receipt leads to the files that went back."""
JUDGED = ("errors", "queries", "explained", "waived")
"""Numbers of what was found in a sending; a file that was not judged has none, and nought would say "no error"."""
_DECIDED = frozenset({"refused", "held", "accepted", "confirmed"})
_CLOSED = {errno.ELOOP, errno.ENOTDIR, errno.EACCES, errno.EPERM}
WITH_DAY = frozenset({"accepted", "refused", "held", "extended"})
"""Kinds whose receipt names the last day in time."""
TO_MEND = (
    "Hãy sửa trong tệp của đơn vị theo trang LOI_CAN_SUA của tệp trả lại, ghi giải trình ở trang đó, rồi gửi tệp đã "
    "sửa kèm tệp trả lại."
)
NOTHING = "Không phải làm gì: không có lỗi hay câu hỏi."

LABELS = {
    "file_name": "Tệp",
    "unit_code": "Đơn vị",
    "year": "Năm",
    "sent_no": "Lần gửi",
    "code": "Mã",
    "message": "Lý do",
    "first": "Tệp cùng nội dung gửi trước",
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
    counts: Sequence[Mapping[str, object]] = ()
    links: Sequence[str] = ()
    standing: str = ""
    """What the advice follows from where that is not the state: of a duplicate what became of the first, of a dead
    letter whether a copy is kept."""

    @property
    def stem(self) -> str:
        """Name of its files without the ending: the same for the same event, and in the order of time."""
        return f"{self.at:%Y%m%dT%H%M%SZ}_{self.seq:08d}_{self.state}"

    @property
    def advice(self) -> str:
        """What the unit is to do."""
        if self.state == "accepted":
            return TO_MEND if self.facts.get("errors") or self.facts.get("queries") else NOTHING
        if self.standing == "kept":
            return KEPT
        if self.standing in AGAIN:
            return AGAIN[self.standing]
        state = self.standing or self.state
        by_code = ADVICE_BY_CODE.get(str(self.facts.get("code"))) if state in {"refused", "held"} else None
        return by_code or ADVICE[state]

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
    rest, nothing twice. A unit's folder that is none, or into which we may not write, keeps its receipts waiting and
    nobody else's: `closed_folders` names it.
    """
    events = register.read()
    mark = _Mark.read(folders.outbox, events)
    if not events or (events[-1].seq <= mark.seq and not mark.behind):
        return 0
    if deadlines is None:
        from submissions.register.deadlines import Deadlines

        deadlines = Deadlines.read(folders.data)
    sweep(folders.outbox)
    count = 0
    behind: dict[str, int] = {}
    for receipt in receipts(register, events, folders, deadlines, after=min([mark.seq, *mark.behind.values()])):
        name = unit_folder(receipt.unit_code)
        before = mark.behind.get(name, mark.seq)
        if receipt.seq <= before or name in behind:
            continue
        try:
            with _opened(folders.outbox / name) as folder:
                made = [
                    _place(folder, f"{receipt.stem}{ending}", content)
                    for ending, content in ((".json", receipt.as_json()), (".html", receipt.as_html()))
                ]
        except _ClosedError:
            behind[name] = max(before, receipt.seq - 1)
            continue
        count += any(made)
    _Mark(events[-1].seq, events[-1].hash, behind).write(folders.outbox)
    return count


def closed_folders(folders: Folders) -> list[Path]:
    """The folders of units in the outbox in which receipts could not be written the last time; they still wait."""
    try:
        lines = (folders.outbox / _WRITTEN).read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ValueError):
        return []
    return [folders.outbox / line.split()[0] for line in lines[1:] if line.strip()]


def closed_warning(folders: Folders) -> str:
    """What to tell whoever runs the intake of `closed_folders`; empty where there are none."""
    closed = ", ".join(str(path) for path in closed_folders(folders))
    return closed and (
        f"Chưa ghi được phiếu vào: {closed}. Nơi này phải là một thư mục thật (không phải liên kết) và cho phép ghi. "
        "Hãy sửa; phiếu sẽ được ghi ở lần tiếp nhận sau."
    )


def receipts(
    register: "Register", events: Sequence["Recorded"], folders: Folders, deadlines: "Deadlines", *, after: int
) -> Iterator[Receipt]:
    """The receipts of the events whose number is above `after`, in the order of the log."""
    from submissions.register.states import sendings

    sent = sendings(register)
    replaced = _replaced(sent, events)
    firsts = sent[sent["state"] != "duplicate"].drop_duplicates("source_hash", keep="last").set_index("source_hash")
    last = {event.source_hash: event for event in events if event.kind == "returned"}
    first = {event.source_hash: event.seq for event in reversed(events) if event.kind == "returned"}
    binding = deadlines.binding(register)
    named: dict[str | None, dict[str, object]] = {}
    unjudged: set[str | None] = set()
    for event in events:
        if event.kind in _DECIDED:
            (unjudged.add if event.kind == "refused" else unjudged.discard)(event.source_hash)
        if event.kind in {*_DECIDED, "received"}:
            about = named.setdefault(event.source_hash, {})
            about |= {name: event.body[name] for name in ("file_name", "sent_no") if event.body.get(name) is not None}
        if event.seq <= after:
            continue
        if _is_told(event, first):
            body, links, standing = dict(event.body), [], ""
            if event.kind in WITH_RETURNED:
                body = named.get(event.source_hash, {}) | body
                if returned := last.get(event.source_hash):
                    body |= {name: returned.body.get(name) for name in JUDGED}
                    links = _links(folders, event.unit_code, returned.body.get("files", ()))
            if event.kind == "received" or event.source_hash in unjudged:
                body |= dict.fromkeys(JUDGED)
            if event.kind == "duplicate":
                standing, about = _of_the_first(event, firsts)
                body |= about
            elif event.kind == "dead_letter" and body.get("copied"):
                standing = "kept"
            facts = _facts(event, body)
            if event.kind in WITH_DAY and event.unit_code and event.year:
                facts["due"] = binding.last_day(event.unit_code, event.year)
            counts = _counts(body.get("counts")) if event.kind in {"accepted", "confirmed"} else []
            yield Receipt(event.seq, event.at, event.kind, event.unit_code, facts, counts, links, standing)
        for row in replaced.get(event.seq, []):
            names = ("file_name", "unit_code", "year", "sent_no", "replaced_by", "source_hash")
            facts = _present({name: row[name] for name in names})
            yield Receipt(event.seq, event.at, "replaced", row["unit_code"], facts)


def _of_the_first(event: "Recorded", firsts: "pd.DataFrame") -> tuple[str, dict[str, object]]:
    """What became of the bytes when they came first, as far as it is this unit's affair: what to advise, and facts.

    Of another unit's sending no reason is told, and of the Commission's register neither.
    """
    from submissions.register.states import OF_NOBODY, STATES

    name = str(event.body.get("of", event.source_hash))
    if name not in firsts.index:
        return "received", {}
    row = firsts.loc[name].to_dict()
    whose = None if row["unit_code"] != row["unit_code"] else row["unit_code"]
    if whose != event.unit_code and (whose is not None or row["source_kind"] in OF_NOBODY):
        what = "bị trả lại" if row["state"] == "refused" else "được xử lý"
        return "elsewhere", {"first": f"Đã {what} ở hộp nhận của nơi khác"}
    told = {"first": STATES[row["state"]]}
    if row["state"] in {"refused", "held"}:
        told |= {"code": row["state_reason_code"], "message": row["state_message"]}
    return row["state"], told


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


@dataclass(frozen=True)
class _Mark:
    """Up to which event receipts were written: of all folders, and of those that were closed."""

    seq: int = 0
    hash: str = ""
    behind: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, outbox: Path, events: Sequence["Recorded"]) -> "_Mark":
        """The mark; none where it is damaged or was another register's."""
        try:
            (seq, chained), *rest = (
                line.split() for line in (outbox / _WRITTEN).read_text(encoding="ascii").splitlines()
            )
            mark = cls(int(seq), chained, {name: int(number) for name, number in rest})
        except (FileNotFoundError, ValueError):
            return cls()
        return mark if any(event.seq == mark.seq and event.hash == mark.hash for event in events) else cls()

    def write(self, outbox: Path) -> None:
        outbox.mkdir(parents=True, exist_ok=True)
        lines = [f"{self.seq} {self.hash}", *(f"{name} {seq}" for name, seq in self.behind.items())]
        descriptor = os.open(outbox, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            draft = f"{_WRITTEN}.{os.getpid()}"
            _write(descriptor, draft, "".join(f"{line}\n" for line in lines).encode())
            os.replace(draft, _WRITTEN, src_dir_fd=descriptor, dst_dir_fd=descriptor)
        finally:
            os.close(descriptor)


class _ClosedError(Exception):
    """A unit's folder is none (a link, a file), or we may not write into it."""


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A unit's folder, made where there is none, as a descriptor; it is never a link's target."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with suppress(FileExistsError):
            folder.mkdir()
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _CLOSED:
            raise _ClosedError from error
        raise
    try:
        yield descriptor
    except PermissionError as error:
        raise _ClosedError from error
    finally:
        os.close(descriptor)


def _place(folder: int, name: str, content: bytes) -> bool:
    """Put a file there if none is; a file that has its name is whole. A link that somebody laid there goes."""
    with suppress(FileNotFoundError):
        if not stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return False
        os.unlink(name, dir_fd=folder)
    draft = f".{name}.{os.getpid()}"
    _write(folder, draft, content)
    try:
        os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        return True
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links; only the holder of the build lock writes here
        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
        return True
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)


def _write(folder: int, name: str, content: bytes) -> None:
    """Write a new file; whatever has its name (a draft of a killed writer, a link that leads elsewhere) goes first."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o666, dir_fd=folder), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sweep(outbox: Path) -> None:
    """Remove what killed writers left behind."""
    for folder in outbox.glob("*/"):
        if folder.is_symlink():
            continue
        for draft in folder.glob(".*"):
            pid = draft.suffix.removeprefix(".")
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                with suppress(FileNotFoundError, PermissionError):
                    draft.unlink()
