"""Biểu đồ 1, Bảng mục tiêu: how far each target of the programme has been reached."""

from dataclasses import dataclass
from fractions import Fraction

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports import numbers, style
from reports.charts.chart import Chart, ChartError, Column, Table, missing_figure
from reports.numbers import is_missing
from reports.units import Coverage, Tables, coverage_of

STATUSES = {
    "met": ("✓", "Đạt", style.TEAL),
    "not_met": ("▼", "Chưa đạt", style.ORANGE),
    "missing": ("?", "Thiếu dữ liệu", style.QUIET),
}
PERCENTS = {"%", "percent", "pct", "phần trăm"}

ORDER = ("orgs_good", "members_good", "admission_rate", "inspection_coverage", "named_hamlets")
"""The programme's order; other targets follow."""

NAME, BULLET, TARGET, VALUE, STATUS = 0.02, 2.42, 3.9, 4.68, 5.62
"""Left edges of the five columns, in inches."""

BULLET_WIDTH = 1.35
REACH = 1.3
"""The bullet ends at 130% of the target; a longer bar is cut there and marked."""

VERSION_LINE, NOTE_LINE = 0.19, 0.14
"""Heights of a line for another version of a moved target, and of a line that says how it moved."""


@dataclass(frozen=True)
class Scoreboard:
    """Targets in force in a year, with what was reached."""

    year: int
    coverage: Coverage
    targets: pd.DataFrame
    others: pd.DataFrame
    """Versions of targets that are not in force in the year: in the attached data, not in the count.

    Those of a target that moved are shown beside the one in force.
    """

    def beside(self, row: object) -> pd.DataFrame:
        """Other versions of a target in force, where it moved."""
        return self.others[(self.others["target_id"] == row.target_id) & bool(moved(row))]


def read(tables: Tables, year: int) -> Scoreboard:
    """Targets of the year; refuses a status that the figures beside it contradict."""
    rows = tables["target_scoreboard"].query("year == @year")
    place = rows["target_id"].map({target: place for place, target in enumerate(ORDER)}).fillna(len(ORDER))
    rows = rows.assign(place=place).sort_values(["place", "target_id", "target_version"], ignore_index=True)
    rows = rows.drop(columns="place")
    for row in rows.itertuples():
        if row.status not in STATUSES:
            raise ChartError(f"chỉ tiêu '{row.target_name}' có trạng thái lạ: {row.status!r}")
        if contradicts(row):
            raise ChartError(
                f"chỉ tiêu '{row.target_name}' ghi trạng thái '{row.status}' trái với chính số liệu của nó"
            )
    in_force = rows["is_in_force"].astype(bool)
    return Scoreboard(year, coverage_of(tables, year), rows[in_force].reset_index(drop=True), rows[~in_force])


def moved(row: object) -> str:
    """How a target moved, in words; nothing where it did not."""
    note = getattr(row, "moved_note", None)
    return "" if is_missing(note) else str(note)


def contradicts(row: object) -> bool:
    """Whether a target is called met or not met against its own numbers; 'trên 90%' is not met by 90,0% exactly."""
    if row.status == "missing":
        return False
    if is_missing(row.value):
        return True
    value = Fraction(row.value)
    if is_percent(row.unit_of_measure) and not is_missing(row.numerator) and not is_missing(row.denominator):
        if not row.denominator:
            return True
        value = Fraction(row.numerator) * 100 / Fraction(row.denominator)
    target = Fraction(row.target_value)
    reached = value > target if row.comparison == "gt" else value >= target
    if row.comparison == "between":
        return reached != (row.status == "met") and value < target
    return reached != (row.status == "met")


def title(board: Scoreboard) -> str:
    """How many targets were reached, and how many cannot be judged."""
    counts = board.targets["status"].value_counts()
    every, met, missing = len(board.targets), counts.get("met", 0), counts.get("missing", 0)
    if not every:
        return "Chưa có chỉ tiêu nào có số liệu"
    if missing == every:
        return f"Chưa đủ số liệu để đánh giá {every} chỉ tiêu"
    rest = f"; {missing} chỉ tiêu chưa đủ số liệu" if missing else ""
    if met == every:
        return f"Đạt cả {every} chỉ tiêu" if every > 1 else "Đạt chỉ tiêu duy nhất"
    return f"Đạt {met}/{every} chỉ tiêu{rest}" if met else f"Chưa đạt chỉ tiêu nào trong {every} chỉ tiêu{rest}"


def subtitle(board: Scoreboard) -> str:
    """Measure, scope and period."""
    programmes = [name for name in board.targets["programme"].dropna().unique()] if "programme" in board.targets else []
    of = f" của Chương trình số {programmes[0]}" if len(programmes) == 1 else ""
    return f"Thực hiện các chỉ tiêu{of}, toàn Đảng bộ tỉnh, năm {board.year}"


def source(board: Scoreboard) -> str:
    """Where the figures come from."""
    return f"Nguồn: báo cáo đánh giá, xếp loại năm {board.year} của {board.coverage}."


def alt(board: Scoreboard) -> str:
    """The board read aloud."""
    lines = [
        f"{row.target_name}: mục tiêu {target_text(row)}, thực hiện {value_text(row)}, "
        f"{STATUSES[row.status][1].lower()}"
        + "".join(
            f"; theo bản {other.target_version}, {target_text(other)}: {STATUSES[other.status][1].lower()}"
            for other in board.beside(row).itertuples()
        )
        + (f". {moved(row).rstrip('.')}" if moved(row) else "")
        for row in board.targets.itertuples()
    ]
    return f"Bảng chỉ tiêu năm {board.year}. {'. '.join(lines) or numbers.MISSING}."


def table(board: Scoreboard) -> Table:
    """Every target with numerator and denominator, a moved one in every version; the attached data has all versions."""
    targets = list(board.targets.itertuples())
    whole = pd.concat([board.targets, board.others]) if len(board.others) else board.targets
    shown = [version for row in targets for version in (row, *board.beside(row).itertuples())]
    rows = pd.DataFrame([version._asdict() for version in shown], columns=board.targets.columns)
    frame = pd.DataFrame(
        {
            "name": rows["target_name"],
            "target": [target_text(row) for row in rows.itertuples()],
            "numerator": rows["numerator"],
            "denominator": rows["denominator"],
            "value": [value_text(row) for row in rows.itertuples()],
            "status": [STATUSES[status][1] for status in rows["status"]],
            "note": rows["note"].fillna("").astype(str) if "note" in rows else "",
            "version": [f"{row.target_version}{'' if row.is_in_force else ' (không áp dụng)'}" for row in shown],
        }
    )
    has_moved = len(shown) > len(targets)
    columns = (
        Column("Chỉ tiêu", "name", is_text=True, wide=3.6),
        *([Column("Bản", "version", is_text=True, wide=1.4)] if has_moved else []),
        Column("Mục tiêu", "target", is_text=True, wide=1.2),
        Column("Tử số", "numerator", numbers.number),
        Column("Mẫu số", "denominator", numbers.number),
        Column("Thực hiện", "value", wide=1.1),
        Column("Trạng thái", "status", is_text=True, wide=1.3),
    )
    if frame["note"].any():
        columns += (Column("Ghi chú", "note", is_text=True, wide=2.2),)
    told = " ".join(f"{row.target_name}: {moved(row)}" for row in targets if moved(row))
    return Table(frame, columns, attachment=whole if len(board.others) else None, note=told)


def draw(board: Scoreboard) -> Figure:
    """Name, bullet, target, figure and status of each target on a line."""
    if board.targets.empty:
        return missing_figure(f"Không có chỉ tiêu nào cho năm {board.year}")
    names = [style.wrapped(name, BULLET - NAME - 0.2, 8.5) for name in board.targets["target_name"]]
    heights = [max(0.44, 0.16 * (name.count("\n") + 1) + 0.14) for name in names]
    notes = [style.wrapped(moved(row), style.WIDTH - 2 * NAME, style.SMALL) for row in board.targets.itertuples()]
    below = [
        VERSION_LINE * len(board.beside(row)) + (NOTE_LINE * (note.count("\n") + 1) + 0.08 if note else 0)
        for row, note in zip(board.targets.itertuples(), notes, strict=True)
    ]
    top = 0.3
    figure, axes = style.canvas(top + sum(heights) + sum(below) + 0.06)
    for left, heading in ((NAME, "Chỉ tiêu"), (BULLET, "So với mục tiêu"), (TARGET, "Mục tiêu"), (VALUE, "Thực hiện")):
        axes.text(left, 0.14, heading, va="center", size=7.5, color=style.QUIET)
    axes.text(STATUS, 0.14, "Trạng thái", va="center", size=7.5, color=style.QUIET)
    for row, name, height, note, more in zip(board.targets.itertuples(), names, heights, notes, below, strict=True):
        axes.plot([0, style.WIDTH], [top, top], color=style.RULE, linewidth=0.8)
        _line(axes, row, name, top + height / 2)
        for place, other in enumerate(board.beside(row).itertuples()):
            _version(axes, row, other, top + height / 2, top + height + VERSION_LINE * (place + 0.3))
        if note:
            end = top + height + more - 0.08
            axes.text(NAME, end, note, va="bottom", size=style.SMALL, color=style.QUIET, linespacing=1.25)
        top += height + more
    axes.plot([0, style.WIDTH], [top, top], color=style.RULE, linewidth=0.8)
    return figure


def _line(axes: Axes, row: object, name: str, middle: float) -> None:
    sign, word, colour = STATUSES[row.status]
    axes.text(NAME, middle, name, va="center", size=8.5, linespacing=1.25)
    _bullet(axes, row, middle, colour)
    axes.text(TARGET, middle, target_text(row), va="center")
    below = _fraction(row)
    axes.text(
        VALUE,
        middle - (0.07 if below else 0),
        value_text(row) if row.status != "missing" else "–",
        va="center",
        weight="bold",
    )
    if below:
        axes.text(VALUE, middle + 0.1, below, va="center", size=style.SMALL, color=style.QUIET)
    axes.text(
        STATUS,
        middle,
        sign,
        va="center",
        color=colour,
        family="DejaVu Sans" if sign != "?" else None,
        weight="normal" if sign != "?" else "bold",
    )
    axes.text(STATUS + 0.17, middle, word, va="center", color=colour, weight="bold")


def _version(axes: Axes, row: object, other: object, middle: float, line: float) -> None:
    """Another version of a moved target: a dotted mark on the bullet at `middle`, and its own judgement on a `line`."""
    same_unit = other.unit_of_measure == row.unit_of_measure
    if row.target_value and same_unit and other.target_value <= REACH * row.target_value:
        mark = BULLET + BULLET_WIDTH * other.target_value / row.target_value / REACH
        axes.plot([mark, mark], [middle - 0.14, middle + 0.14], color=style.INK, linewidth=1.2, linestyle=(0, (1, 1)))
    sign, word, colour = STATUSES[other.status]
    told = {"va": "center", "size": style.SMALL, "color": style.QUIET}
    axes.text(BULLET, line, f"theo bản {other.target_version}, không áp dụng", **told)
    axes.text(TARGET, line, target_text(other), **told)
    family = "DejaVu Sans" if sign != "?" else None
    axes.text(STATUS, line, sign, va="center", size=style.SMALL, color=colour, family=family)
    axes.text(STATUS + 0.17, line, word, va="center", size=style.SMALL, color=colour)


def _bullet(axes: Axes, row: object, middle: float, colour: str) -> None:
    mark = BULLET + BULLET_WIDTH / REACH
    if row.status == "missing":
        axes.add_patch(
            Rectangle(
                (BULLET, middle - 0.085),
                mark - BULLET,
                0.17,
                fill=False,
                edgecolor=style.QUIET,
                linewidth=0.8,
                linestyle=(0, (2, 2)),
            )
        )
    else:
        ratio = row.value / row.target_value if row.target_value else REACH
        axes.add_patch(
            Rectangle(
                (BULLET, middle - 0.085), BULLET_WIDTH * min(ratio, REACH) / REACH, 0.17, color=colour, linewidth=0
            )
        )
        if ratio > REACH:
            cut = BULLET + BULLET_WIDTH - 0.1
            axes.plot([cut - 0.03, cut + 0.03], [middle + 0.11, middle - 0.11], color="white", linewidth=2.5)
    axes.plot([mark, mark], [middle - 0.14, middle + 0.14], color=style.INK, linewidth=1.8, solid_capstyle="butt")


def is_percent(unit: str) -> bool:
    """Whether a target is a percentage and not a count."""
    return str(unit).strip().lower() in PERCENTS


def target_text(row: object) -> str:
    """'trên 90%', 'từ 3%', '1–2 thôn'."""
    low = numbers.trimmed(row.target_value)
    unit = "%" if is_percent(row.unit_of_measure) else f" {row.unit_of_measure}"
    if row.comparison == "between":
        return f"{low}–{numbers.trimmed(row.target_value_to)}{unit}"
    if row.comparison == "ge" and is_percent(row.unit_of_measure) and row.target_value == 100:
        return "100%"
    return f"{'trên' if row.comparison == 'gt' else 'từ'} {low}{unit}"


def value_text(row: object) -> str:
    """What was reached, with enough decimals not to look like a target it missed."""
    if row.status == "missing" or is_missing(row.value):
        return numbers.MISSING
    if is_percent(row.unit_of_measure):
        return numbers.percent_beside(row.value, row.target_value, 2 if row.target_value < 10 else 1)
    return f"{numbers.trimmed(row.value)} {row.unit_of_measure}"


def _fraction(row: object) -> str:
    if row.status == "missing" or is_missing(row.numerator) or is_missing(row.denominator):
        return ""
    return f"{numbers.number(row.numerator)}/{numbers.number(row.denominator)}"


CHART = Chart(
    id="bang-muc-tieu",
    name="Bảng mục tiêu",
    needs=("target_scoreboard", "coverage"),
    read=read,
    title=title,
    subtitle=subtitle,
    alt=alt,
    source=source,
    table=table,
    draw=draw,
)
