"""What the terminal shows: short tables in Vietnamese, never a card number."""

import re
from collections.abc import Mapping, Sequence
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
    from submissions.intake import FileResult, IntakeReport

console = Console(highlight=False)

SHOWN_ROWS = 30

CARD_NUMBER = re.compile(r"(?<![\d.])\d(?:[ .]?\d){11}(?![\d.])")
"""Twelve digits, however they are grouped; organisation codes such as 67.002.001.000.015 have more."""

UNKNOWN = "(chưa rõ)"

STATES = {
    "accepted": "[green]đã nhận[/green]",
    "known": "đã biết",
    "refused": "[red]trả lại[/red]",
    "failed": "[red]chưa đọc được[/red]",
}

SEVERITIES = {"error": "cần thẩm định lại", "warning": "cần giải trình", "information": "để biết"}

ISSUE_SEVERITIES = {"error": "phải sửa", "warning": "cần xem"}


def hidden(text: object) -> str:
    """Text safe to show: whatever is as long as a card number is covered."""
    return CARD_NUMBER.sub("••••", "" if pd.isna(text) else str(text))


def number(value: float) -> str:
    """A count as it is written in Vietnamese: 12.345."""
    return f"{int(value):,}".replace(",", ".")


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; columns whose cells are all numbers stand to the right."""
    table = Table(header_style="bold")
    for position, column in enumerate(columns):
        numeric = all(isinstance(row[position], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(number(cell) if _is_count(cell) else escape(str(cell)) for cell in row))
    console.print(f"\n[bold]{escape(title)}[/bold]", soft_wrap=True)
    console.print(table)


def _is_count(cell: object) -> bool:
    return isinstance(cell, int | float) and not 1900 <= cell <= 2100


def show_waiting(holder: Holder) -> None:
    """Say for whom we wait."""
    console.print(f"Đang đợi: kho đang được dùng bởi {escape(str(holder))}")


def show_file(file: "FileResult") -> None:
    """One line for a file that was read."""
    about = " · ".join(str(part) for part in (file.unit_code, file.year) if part is not None)
    rows = file.counts[["rows_in", "loaded", "held_back"]].sum()
    told = hidden(file.message)
    if file.state == "accepted":
        told = (
            f"{number(rows['rows_in'])} dòng = {number(rows['loaded'])} nạp + {number(rows['held_back'])} giữ lại"
            f", {number(file.issues)} lỗi"
        )
    console.print(f"  {STATES[file.state]}  {escape(file.path.name)}  {about}  {escape(told)}", soft_wrap=True)


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
            [(names[form], int(row.rows_in), int(row.loaded), int(row.held_back)) for form, row in by_form.iterrows()],
        )
    states = pd.Series([file.state for file in report.files], dtype="str").value_counts()
    console.print("Tệp: " + ", ".join(f"{STATES[state]} {count}" for state, count in states.items()))
    for path in report.ignored:
        console.print(f"  bỏ qua, không phải bảng tính: {escape(path.name)}")
    if returned:
        place = escape(str(returned[0].parent))
        console.print(f"Tệp trả lại đơn vị: {len(returned)} tệp trong {place}", soft_wrap=True)


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
        f"{len(first)} lỗi đầu (đủ cả: issues --csv FILE)",
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
        f"{len(gravest)} phát hiện đầu, đề nghị thẩm định lại (đủ cả, kèm cách giải thích khác: findings --csv FILE)",
        ["Quy tắc", "Năm", "Nơi", "Báo cáo", "Nhưng"],
        [
            (row.rule_id, int(row.year), row.org_code if pd.notna(row.org_code) else row.unit_code, *map(hidden, said))
            for row in gravest.itertuples()
            for said in [(row.reported, row.contradicted_by)]
        ],
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
