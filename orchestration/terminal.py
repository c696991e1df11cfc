"""What the terminal shows: short tables in Vietnamese, never a card number."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.lock import Holder
from orchestration.settings import PROJECT, Folders

if TYPE_CHECKING:
    from orchestration.runs import Outcome, Step
    from submissions.files.inspection import Inspection
    from submissions.intake import IntakeReport
    from submissions.reading import FileResult
    from submissions.replies import Reply


class _Screen(Console):
    """A console whose reader may go away (``thucchat intake … | head``): the work goes on unseen."""

    def on_broken_pipe(self) -> None:
        """Say nothing more."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


console = _Screen(highlight=False, width=None if sys.stdout.isatty() else 150)

SHOWN_ROWS = 30

SHOWN_ISSUES = 200

YEARS = {"Năm", "Từ năm", "Đến năm"}
"""Columns whose numbers are no counts: 2024, not 2.024."""

SHORT = 12
"""Characters."""

LOCAL = "Asia/Ho_Chi_Minh"

CARD_NUMBER = re.compile(r"(?<![\d.])\d(?:[ .]?\d){11}(?![\d.])")
"""Twelve digits, however they are grouped; organisation codes such as 67.002.001.000.015 have more."""

_HASH = re.compile(r"[0-9a-f]{64}")
"""A content's hash, in which twelve digits in a row are no card number: a person has to copy it."""

UNKNOWN = "(chưa rõ)"

STATES = {
    "accepted": "[green]đã nhận[/green]",
    "held": "[yellow]giữ chờ xác nhận[/yellow]",
    "known": "đã biết",
    "refused": "[red]trả lại[/red]",
    "failed": "[red]chưa đọc được[/red]",
}

READ = "[green]đã đọc[/green]"

SEVERITIES = {"error": "cần thẩm định lại", "warning": "cần giải trình", "information": "để biết"}

LEVELS = {"grassroots": "tổ chức cơ sở đảng", "cell": "chi bộ", "unit": "đơn vị"}

LAST_YEAR = {
    "listed": "có",
    "not_listed": "không có",
    "not_testable": "không kiểm tra được",
    "no_report": "chưa có số liệu",
}
"""What became of an organisation a year before."""

ISSUE_SEVERITIES = {"error": "phải sửa", "query": "sửa hoặc giải trình"}

REPLY_STATES = {
    "clean": "[green]không có lỗi[/green]",
    "issues": "[yellow]có ô phải sửa hoặc giải trình[/yellow]",
    "held": "[yellow]sẽ bị giữ chờ xác nhận[/yellow]",
    "refused": "[red]sẽ bị trả lại[/red]",
    "failed": "[red]chưa đọc được[/red]",
}

COLUMN_NAMES = {
    "form": "Biểu", "kind": "Thay đổi", "sheet": "Trang", "cell": "Ô", "key": "Dòng", "column": "Cột",
    "cell_before": "Ô trước", "before": "Trước", "after": "Sau", "unit_code": "Đơn vị",
    "unit_name": "Tên đơn vị", "level": "Cấp", "year": "Năm",
    "due_before": "Gửi trước ngày", "extended_until": "Gia hạn đến hết", "state_name": "Trạng thái",
    "received_on": "Ngày nhận đầu", "reported_on": "Ngày báo cáo", "accepted_on": "Ngày tiếp nhận",
    "days_late": "Muộn (ngày)", "sendings": "Số lần gửi", "number": "Lần", "sent_no": "Lần gửi (bìa)",
    "received_at": "Nhận lúc", "errors": "Lỗi", "queries": "Câu hỏi", "state_reason_code": "Mã lý do",
    "source_hash": "Mã băm", "expected_reports": "Phải gửi", "actual_reports": "Đã gửi",
    "actual_reports_on_time": "Đúng hạn", "reporting_rate": "Tỷ lệ gửi", "on_time_rate": "Tỷ lệ đúng hạn",
    "early_reports": "Gửi sớm", "not_yet_due": "Chưa đến hạn", "form_set": "Bộ biểu", "heading": "Tiêu đề",
    "by": "Người xác nhận", "at": "Lúc", "code": "Mã", "message": "Nội dung", "count": "Số ô", "name": "Tên",
    "file_name": "Tệp", "size_bytes": "Cỡ (byte)", "form_version": "Mẫu", "rows": "Số dòng", "columns": "Số cột",
    "visible": "Hiện", "repair": "Việc sửa", "issues": "Số lỗi hết", "rows_released": "Số dòng được nạp",
}  # fmt: skip
"""What columns of lists are called on the screen."""

SHARES = {"reporting_rate", "on_time_rate"}


def hidden(text: object) -> str:
    """Text safe to show: whatever is as long as a card number is covered."""
    shown = "" if pd.isna(text) else str(text)
    return shown if _HASH.fullmatch(shown) else CARD_NUMBER.sub("••••", shown)


def number(value: float) -> str:
    """A count as it is written in Vietnamese: 12.345."""
    return f"{int(value):,}".replace(",", ".")


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; columns whose cells are all numbers stand to the right."""
    table = Table(header_style="bold")
    for position, column in enumerate(columns):
        numeric = all(isinstance(row[position], int | float) for row in rows)
        # A code or a date is not broken over two lines.
        short = max((len(str(row[position])) for row in rows), default=0) <= SHORT
        table.add_column(column, justify="right" if numeric else "left", overflow="fold", no_wrap=short)
    for row in rows:
        cells = zip(columns, row, strict=True)
        table.add_row(
            *(number(cell) if _is_number(cell) and column not in YEARS else escape(str(cell)) for column, cell in cells)
        )
    console.print(f"\n[bold]{escape(title)}[/bold]", soft_wrap=True)
    console.print(table)


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def show_waiting(holder: Holder) -> None:
    """Say for whom we wait."""
    console.print(f"Đang đợi: kho đang được dùng bởi {escape(str(holder))}")


def show_file(file: "FileResult") -> None:
    """One line for a file that was read."""
    about = " · ".join(str(part) for part in (file.unit_code, file.year) if part is not None)
    rows = file.counts[["rows_in", "loaded", "held_back"]].sum()
    told = hidden(file.message)
    if file.state == "accepted":  # of reading; whether it counts is decided when all are read
        told = (
            f"{number(rows['rows_in'])} dòng = {number(rows['loaded'])} nạp + {number(rows['held_back'])} giữ lại"
            f", {number(file.issues)} lỗi"
        )
    state = READ if file.state == "accepted" else STATES[file.state]
    console.print(f"  {state}  {escape(file.path.name)}  {about}  {escape(told)}", soft_wrap=True)


def show_intake(report: "IntakeReport", returned: Sequence[Path]) -> None:
    """What became of a batch: counts by form, then totals."""
    counts = [file.counts for file in report.files if file.state == "accepted"]
    if counts:
        from submissions.form_set import load_form_sets

        names = {form.table: f"{form.title} · {form.name}" for set_ in load_form_sets().values() for form in set_.forms}
        by_form = pd.concat(counts).groupby("form", sort=False)[["rows_in", "loaded", "held_back"]].sum()
        show_table(
            "Đối chiếu số dòng theo biểu",
            ["Biểu", "Đọc vào", "Nạp", "Giữ lại"],
            [(names.get(form, form), *map(int, row)) for form, row in by_form.iterrows()],
        )
    states = pd.Series([file.state for file in report.files], dtype="str").value_counts()
    console.print("Tệp: " + ", ".join(f"{STATES[state]} {count}" for state, count in states.items()))
    for file in report.files:
        if file.state == "held":
            told = f"{escape(file.path.name)}: {escape(hidden(file.message))}"
            console.print(f"  {STATES['held']}  {told}", soft_wrap=True)
    for path in report.ignored:
        console.print(f"  bỏ qua, không phải bảng tính: {escape(path.name)}")
    if returned:
        place = escape(str(returned[0].parent))
        console.print(f"Tệp trả lại đơn vị: {len(returned)} tệp trong {place}", soft_wrap=True)


def show_frame(title: str, frame: pd.DataFrame) -> None:
    """A list as a table, columns named in Vietnamese; nothing as "không có"."""
    if frame.empty:
        console.print(f"\n[bold]{escape(title)}[/bold]: không có.", soft_wrap=True)
        return
    rows = [
        [_cell(column, value) for column, value in zip(frame.columns, row, strict=True)]
        for row in frame.itertuples(index=False, name=None)
    ]
    show_table(title, [COLUMN_NAMES.get(column, column) for column in frame.columns], rows)


def _cell(column: str, value: object) -> object:
    match value:
        case bool():
            return "có" if value else "không"
        case _ if pd.isna(value):
            return ""
        case float() if column in SHARES:
            return f"{value:.1%}".replace(".", ",")
        case pd.Timestamp():
            return f"{value.tz_convert(LOCAL):%d/%m/%Y %H:%M}" if value.tzinfo else f"{value:%d/%m/%Y}"
        case date():
            return f"{value:%d/%m/%Y}"
        case int() | float():
            return value
        case _:
            return hidden(value)


def show_replies(replies: Sequence[tuple["Reply", Sequence[Path]]]) -> None:
    """The reply to each file, and what was written for it: what it is, what to mend first, every issue at its cell."""
    for reply, written in replies:
        sent = reply.about
        about = [sent.unit_code, f"năm {sent.year}" if sent.year else None, sent.form_version]
        told = " · ".join(str(part) for part in about if part)
        console.print(
            f"\n[bold]{escape(sent.file_name)}[/bold]  {REPLY_STATES[reply.state]}  {escape(told)}", soft_wrap=True
        )
        if sent.message:
            console.print(f"  {escape(sent.code or '')}: {escape(hidden(sent.message))}", soft_wrap=True)
        if len(sent.counts):
            rows = sent.counts[["rows_in", "loaded", "held_back"]].sum()
            console.print(
                f"  {number(rows['rows_in'])} dòng = {number(rows['loaded'])} nạp + {number(rows['held_back'])} giữ lại"
            )
        if reply.hazards:
            codes = pd.Series([hazard["code"] for hazard in reply.hazards], dtype="str").value_counts()
            told = ", ".join(f"{code} ({count})" for code, count in codes.items())
            console.print(f"  Điều dễ đọc nhầm (thucchat inspect): {told}", soft_wrap=True)
        if len(sent.repairs):
            show_frame("Sửa gì trước thì hết nhiều lỗi nhất", sent.repairs[["repair", "issues", "rows_released"]])
        _show_reply_issues(reply.issues)
        for path in written:
            console.print(f"  Đã ghi: {escape(str(path))}", soft_wrap=True)


def _show_reply_issues(issues: pd.DataFrame) -> None:
    if issues.empty:
        return
    shown = issues.head(SHOWN_ISSUES)
    counts = issues["severity"].value_counts()
    title = ", ".join(f"{number(counts.get(kind, 0))} {name}" for kind, name in ISSUE_SEVERITIES.items())
    if len(shown) < len(issues):
        title += f" (hiện {len(shown)}; đủ cả: --json hoặc --annotate)"
    statuses = {"explained": "đã giải trình", "waived": "được miễn", "asked_again": "hỏi lại: số liệu đã đổi"}
    show_table(
        title,
        ["Trang › ô", "Mức độ", "Lỗi và cách sửa"],
        [
            (f"{row.sheet} › {row.cell}", statuses.get(row.status, ISSUE_SEVERITIES[row.severity]), hidden(row.message))
            for row in shown.itertuples()
        ],
    )


def show_inspection(found: "Inspection", *, cells: bool) -> None:
    """What a file is: type, sheets, hazards, or why it cannot be read."""
    told = found.to_json(cells=cells)
    console.print(
        f"[bold]{escape(told['file'])}[/bold]  {escape(str(told['type']))}  {number(told['size'] or 0)} byte",
        soft_wrap=True,
    )
    if told["refusal"]:
        console.print(f"  [red]{told['refusal']['code']}[/red]: {escape(told['refusal']['message'])}", soft_wrap=True)
    sheets = pd.DataFrame(
        [{key: sheet[key] for key in ("name", "visible", "rows", "columns")} for sheet in told["sheets"]]
    )
    if len(sheets):
        show_frame("Các trang", sheets)
    hazards = pd.DataFrame(told["hazards"], columns=["code", "sheet", "cell", "count", "message"])
    if len(hazards):
        show_frame("Điều dễ đọc nhầm", hazards)
    for sheet in told["sheets"] if cells else ():
        console.print(f"\n[bold]{escape(sheet['name'])}[/bold]")
        for row in sheet["cells"]:
            console.print(escape(" | ".join("" if cell is None else hidden(cell) for cell in row)), soft_wrap=True)


def show_step(step: "Step") -> None:
    """One line for a step that has ended."""
    mark = "[green]xong[/green]" if step.succeeded else "[red]hỏng[/red]"
    console.print(f"  {mark}  {escape(step.title)}  ({step.seconds:.1f} giây)".replace(".", ",", 1), soft_wrap=True)


def show_outcome(outcome: "Outcome") -> None:
    """Warnings of the run."""
    for warning in outcome.warnings:
        console.print(f"  [yellow]cảnh báo[/yellow]  {escape(hidden(warning))}", soft_wrap=True)


def show_issues(listed: pd.DataFrame) -> None:
    """Issues by unit and year, then the first ones with their place and how to mend them."""
    if listed.empty:
        console.print("Không có lỗi nào.")
        return
    about = ["unit_code", "year", "severity"]
    by_unit = listed[about].astype("str").replace({"<NA>": UNKNOWN, "nan": UNKNOWN, "": UNKNOWN}).groupby(about).size()
    show_table(
        f"{number(len(listed))} lỗi theo đơn vị",
        ["Đơn vị", "Năm", "Mức độ", "Số lỗi"],
        [(unit, year, ISSUE_SEVERITIES[severity], int(count)) for (unit, year, severity), count in by_unit.items()],
    )
    first = listed[["file", "sheet", "cell", "message"]].head(SHOWN_ROWS).fillna("")
    show_table(
        f"{len(first)} lỗi đầu (đủ cả: issues --csv TỆP)",
        ["Tệp › biểu › ô", "Lỗi và cách sửa"],
        [(" › ".join(filter(None, place)), hidden(said)) for *place, said in first.itertuples(index=False)],
    )


def show_findings(tables: Mapping[str, pd.DataFrame]) -> None:
    """Findings by rule and year, what could not be checked, then the gravest ones."""
    from ratings.rules import load_rules

    found, results = tables["fct_finding"], tables["rule_result"]
    names = {rule.id: rule.name for rule in load_rules().rules}
    by_rule = found.groupby(["rule_id", "year", "severity"]).size()
    show_table(
        f"{number(len(found))} phát hiện theo quy tắc",
        ["Quy tắc", "Nội dung", "Năm", "Mức độ", "Số phát hiện"],
        [
            (rule, names.get(rule, ""), int(year), SEVERITIES[severity], int(count))
            for (rule, year, severity), count in by_rule.items()
        ],
    )
    unchecked = results[results["not_checked"] > 0].groupby("rule_id")["not_checked"].sum()
    show_table(
        "Chưa kiểm tra được (không được coi là đạt)",
        ["Quy tắc", "Số trường hợp"],
        [(rule, int(count)) for rule, count in unchecked.items()],
    )
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    gravest = (
        found.assign(gravity=found["severity"].map(order))
        .sort_values(["gravity", "year", "finding_id"], ascending=[True, False, True])
        .head(SHOWN_ROWS)
    )
    show_table(
        f"{len(gravest)} phát hiện đầu, đề nghị thẩm định lại (đủ cả, kèm cách giải thích khác: findings --csv TỆP)",
        ["Quy tắc", "Năm", "Nơi", "Báo cáo", "Nhưng"],
        [
            (row.rule_id, int(row.year), row.org_code if pd.notna(row.org_code) else row.unit_code, *map(hidden, said))
            for row in gravest.itertuples()
            for said in [(row.reported, row.contradicted_by)]
        ],
    )


def show_review(tables: Mapping[str, pd.DataFrame], year: int | None = None, level: str = "grassroots") -> None:
    """The review list of a level and year (the latest): what it costs, then whom to look at again and why."""
    from ratings.reasons import number as figure

    budgets, listed = tables["review_budget"], tables["mart_review_list"]
    budgets, listed = (frame[frame["organisation_level"] == level] for frame in (budgets, listed))
    if budgets.empty:
        console.print("Chưa có năm nào để lập danh sách đề nghị thẩm định lại.")
        return
    year = int(budgets["year"].max()) if year is None else year
    budget = budgets[budgets["year"] == year].squeeze()
    listed = listed[listed["year"] == year].sort_values("rank")
    show_table(
        f"{number(len(listed))} {LEVELS[level]} đề nghị thẩm định lại, năm {year} (đủ cả: review --csv TỆP)",
        ["Thứ tự", "Nhóm", "Nơi", "Lý do", "Mâu thuẫn", "Năm trước"],
        [
            (
                int(row.rank),
                row.band,
                f"{hidden(row.org_name) or ''} {row.org_code}".strip(),
                f"1. {hidden(row.first_reason)}\n2. {hidden(row.second_reason)}",
                row.contradiction_rules if pd.notna(row.contradiction_rules) else "",
                row.last_year_band if pd.notna(row.last_year_band) else LAST_YEAR[row.last_year],
            )
            for row in listed.head(SHOWN_ROWS).itertuples()
        ],
    )
    untested = number(budget["one_reason"] + budget["no_reason"])
    small = f"; {number(budget['too_small'])} chi bộ dưới 10 người không xét riêng" if budget["too_small"] else ""
    both = number(budget["listed_a"] + budget["listed_b"])
    console.print(
        f"Kiểm tra được {number(budget['tested'])} trên {number(budget['organisations'])} {LEVELS[level]} "
        f"({untested} không đủ hai loại dấu hiệu{small}). Nhóm A: {number(budget['listed_a'])}, trong đó nhiều nhất "
        f"khoảng {figure(budget['expected_false_a'])} có thể chỉ do ngẫu nhiên; A và B: {both}, nhiều nhất khoảng "
        f"{figure(budget['expected_false_b'])}. Đây là đề nghị thẩm định lại, không phải kết luận.",
        soft_wrap=True,
    )


def show_published(build: str, tables: Mapping[str, pd.DataFrame]) -> None:
    """What is now published: the build, coverage by year, findings by severity."""
    coverage = tables["coverage"].sort_values("year")
    show_table(
        f"Kho đã công bố · bản dựng {build}",
        ["Năm", "Đơn vị phải gửi", "Đã nhận"],
        [(int(row.year), int(row.units_expected), int(row.units_received)) for row in coverage.itertuples()],
    )
    severities = tables["fct_finding"]["severity"].value_counts()
    told = ", ".join(f"{number(severities.get(key, 0))} {name}" for key, name in SEVERITIES.items())
    console.print(f"Phát hiện: {told}")
    budgets = tables["review_budget"].query("organisation_level == 'grassroots'").sort_values("year").tail(1)
    for budget in budgets.itertuples():
        console.print(
            f"Đề nghị thẩm định lại năm {budget.year}: {number(budget.listed_a)} tổ chức cơ sở đảng ở nhóm A, "
            f"{number(budget.listed_b)} ở nhóm B (xem: thucchat review)"
        )


def show_places(folders: Folders, *, demo: bool) -> None:
    """Where everything lies, and how to go on."""
    packs = sorted(folders.packs.rglob("*.pdf"), key=lambda path: path.stat().st_mtime)
    places = [
        ("Kho đã công bố", folders.published),
        ("Tập biểu đồ", packs[-1] if packs else None),
        ("Phát hiện", folders.findings / "findings.parquet"),
        ("Tệp trả lại đơn vị", folders.returned),
    ]
    here = Path.cwd()
    console.print("\n[bold]Kết quả nằm ở[/bold]")
    for name, path in places:
        if path is not None and path.exists():
            shown = path.relative_to(here) if path.is_relative_to(here) else path
            console.print(f"  {name}: {escape(str(shown))}", soft_wrap=True)
    data = folders.data.relative_to(here) if folders.data.is_relative_to(here) else folders.data
    program = ".venv/bin/thucchat" if here == PROJECT else "thucchat"
    serve = f"make dev THUCCHAT_DATA={data}" if demo and here == PROJECT else f"{program} --data {data} dev"
    console.print(f"  Xem phát hiện: {program} --data {data} findings", soft_wrap=True)
    console.print(f"  Mở giao diện:  {serve}  →  http://127.0.0.1:3000", soft_wrap=True)
