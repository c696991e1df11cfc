"""Biểu đồ 5, Kỷ luật đối chiếu xếp loại: who was disciplined and still rated well."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports import numbers, style
from reports.charts.chart import FEWEST, Chart, Column, Table, missing_figure
from reports.units import Coverage, Tables, coverage_of

FORMS = ("Khiển trách", "Cảnh cáo", "Cách chức", "Khai trừ")
TOO_GOOD = ("XS", "HTT", "HT")
"""Levels a disciplined member's rating does not go with; a matter for re-appraisal, not a verdict."""

OTHERS = ("KHT", "not_rated", "unknown")
LEVELS = {
    "XS": "Hoàn thành xuất sắc",
    "HTT": "Hoàn thành tốt",
    "HT": "Hoàn thành",
    "KHT": "Không hoàn thành",
    "not_rated": "Không xếp loại",
    "unknown": "Chưa rõ",
}
SMALL = f"dưới {FEWEST}"
HIDDEN = "ẩn"
DUTY_ONLY = "QD366"
"""Under 366-QĐ/TW only duty-related discipline must lower the rating."""


@dataclass(frozen=True)
class Discipline:
    """Disciplined members by gravest form and decided level, after small cells were hidden."""

    year: int
    coverage: Coverage
    is_duty_only: bool
    cells: pd.DataFrame | None
    """Rows the forms, columns the levels; a count, 'dưới 5' or 'ẩn'. None when the year has no data at all."""

    def at_least(self, levels: tuple[str, ...]) -> int:
        """The smallest number of members the shown cells allow in these levels."""
        values = [value for level in levels for value in self.cells[level]] if self.cells is not None else []
        return sum({SMALL: 1, HIDDEN: FEWEST}.get(value, value) for value in values)

    def is_exact(self, levels: tuple[str, ...]) -> bool:
        """Whether no cell of these levels is hidden."""
        return self.cells is not None and not self.cells[list(levels)].isin([SMALL, HIDDEN]).to_numpy().any()


def read(tables: Tables, year: int) -> Discipline:
    """The province's matrix; the mart's cells by unit never leave this function."""
    rows = tables["discipline_by_level"].query("year == @year")
    coverage = coverage_of(tables, year)
    regimes = tables["dim_year"].query("year == @year")["regime_id"]
    is_duty_only = bool((regimes == DUTY_ONLY).any())
    if rows.empty:
        return Discipline(year, coverage, is_duty_only, None)
    forms = [*FORMS, *sorted(set(rows["form"].dropna()) - set(FORMS))]
    counts = rows.pivot_table(
        index="form", columns="level_code", values="n", aggfunc="sum", fill_value=0, observed=True
    )
    counts = counts.reindex(index=forms, columns=list(LEVELS), fill_value=0).astype(int)
    return Discipline(year, coverage, is_duty_only, suppressed(counts))


def suppressed(counts: pd.DataFrame) -> pd.DataFrame:
    """Counts with 1-4 hidden.

    The findings pages print how many disciplined members are rated too well and how many were looked at, so the
    levels of ``TOO_GOOD`` and the others are two known sums: a lone hidden cell in either could be computed, and the
    smallest shown count there is hidden with it.
    """
    shown = counts.astype(object).mask((counts > 0) & (counts < FEWEST), SMALL)
    for block in (TOO_GOOD, OTHERS):
        levels = [level for level in counts.columns if level in block]
        hidden = [(form, level) for level in levels for form in counts.index if shown.at[form, level] == SMALL]
        others = [
            (counts.at[form, level], form, level)
            for level in levels
            for form in counts.index
            if counts.at[form, level] >= FEWEST
        ]
        if len(hidden) == 1 and others:
            _, form, level = min(others)
            shown.at[form, level] = HIDDEN
    return shown


def title(data: Discipline) -> str:
    """How many disciplined members are rated good or excellent; a lower bound where cells are hidden."""
    if data.cells is None:
        return "Chưa có số liệu kỷ luật đảng viên"
    good = ("XS", "HTT")
    number = data.at_least(good)
    if number == 0:
        return "Không đảng viên bị kỷ luật nào xếp loại tốt trở lên"
    bound = "" if data.is_exact(good) else "Ít nhất "
    members = f"{bound}{numbers.number(number)} đảng viên bị kỷ luật"
    if data.is_duty_only:
        return f"{members} xếp loại tốt trở lên, cần đối chiếu"
    return f"{members} vẫn xếp loại tốt trở lên"


def subtitle(data: Discipline) -> str:
    """Measure, scope and period."""
    return (
        "Đảng viên bị kỷ luật trong năm theo hình thức nặng nhất và mức xếp loại đã quyết định, "
        f"toàn Đảng bộ, năm {data.year} (số đảng viên)"
    )


def source(data: Discipline) -> str:
    """Where the figures come from, and what the shading means."""
    hatched = "kỷ luật và mức xếp loại có dấu hiệu chưa phù hợp, đề nghị thẩm định lại."
    if data.is_duty_only:
        hatched = (
            "đề nghị đối chiếu; theo Quy định 366-QĐ/TW, mức xếp loại chỉ chưa phù hợp "
            "khi kỷ luật liên quan chức trách, nhiệm vụ."
        )
    hidden = (
        " Ô từ 1 đến 4 người ghi “dưới 5”; ô ghi “ẩn” để không suy ra được ô nhỏ."
        if not data.is_exact(tuple(LEVELS)) and data.cells is not None
        else ""
    )
    return (
        f"Nguồn: báo cáo kỷ luật của {data.coverage} và sổ kỷ luật của Ủy ban Kiểm tra, năm {data.year}. "
        f"Ô gạch chéo: {hatched}{hidden}"
    )


def alt(data: Discipline) -> str:
    """The matrix read aloud."""
    if data.cells is None:
        return f"Bảng đối chiếu kỷ luật và xếp loại năm {data.year}: thiếu dữ liệu."
    rows = [
        f"{form}: {', '.join(f'{name.lower()} {_shown(data.cells.at[form, level])}' for level, name in LEVELS.items())}"
        for form in data.cells.index
    ]
    return f"Bảng đối chiếu hình thức kỷ luật và mức xếp loại, năm {data.year}. {'; '.join(rows)}."


def table(data: Discipline) -> Table:
    """The same cells as in the drawing."""
    columns = (
        Column("Hình thức kỷ luật", "form", is_text=True, wide=1.4),
        *(Column(name, level, _shown) for level, name in LEVELS.items()),
    )
    if data.cells is None:
        return Table(pd.DataFrame(columns=["form", *LEVELS]), columns)
    return Table(data.cells.rename_axis("form").reset_index(), columns)


def draw(data: Discipline) -> Figure:
    """Cells of forms by levels; those that contradict are hatched, the stronger the better the level."""
    if data.cells is None:
        return missing_figure(f"Không có số liệu kỷ luật năm {data.year}")
    left, top, tall = 1.25, 0.72, 0.5
    wide = (style.WIDTH - left) / len(LEVELS)
    figure, axes = style.canvas(top + tall * len(data.cells) + 0.05)
    axes.text(0.02, top - 0.12, "Hình thức\nkỷ luật", va="bottom", size=7.5, color=style.QUIET)
    contradicted = left + wide * len(TOO_GOOD)
    axes.text(
        (left + contradicted) / 2,
        0.12,
        "Cần đối chiếu" if data.is_duty_only else "Chưa phù hợp với việc bị kỷ luật",
        ha="center",
        va="center",
        size=7.5,
        color=style.ORANGE,
        weight="bold",
    )
    axes.plot([left + 0.03, contradicted - 0.03], [0.24, 0.24], color=style.ORANGE, linewidth=1.2)
    for column, (level, name) in enumerate(LEVELS.items()):
        x = left + column * wide
        axes.text(
            x + wide / 2,
            top - 0.07,
            style.wrapped(name, wide - 0.1, 7.5, "bold"),
            ha="center",
            va="bottom",
            size=7.5,
            weight="bold",
        )
        for line, form in enumerate(data.cells.index):
            _cell(axes, x, top + line * tall, wide, tall, level, data.cells.at[form, level])
    for line, form in enumerate(data.cells.index):
        axes.text(0.02, top + (line + 0.5) * tall, style.wrapped(str(form), left - 0.15, 8.5), va="center")
    return figure


def _cell(axes: Axes, x: float, y: float, wide: float, tall: float, level: str, value: object) -> None:
    wrong = level in TOO_GOOD and value != 0
    fill = {"XS": "#F3C3A1", "HTT": "#F7D5BC", "HT": "#FBE8DB"}[level] if wrong else "white"
    axes.add_patch(
        Rectangle((x + 0.02, y + 0.02), wide - 0.04, tall - 0.04, facecolor=fill, edgecolor=style.RULE, linewidth=0.8)
    )
    if wrong:
        axes.add_patch(
            Rectangle(
                (x + 0.02, y + 0.02),
                wide - 0.04,
                tall - 0.04,
                fill=False,
                hatch="////",
                edgecolor="#E0905C",
                linewidth=0,
            )
        )
        text = _shown(value)
        half = style.width_of(text, 10.5, "bold") / 2 + 0.07
        axes.add_patch(
            Rectangle((x + wide / 2 - half, y + tall / 2 - 0.12), 2 * half, 0.24, facecolor=fill, linewidth=0)
        )
    weight, colour = ("bold", style.INK) if value != 0 else ("normal", style.QUIET)
    size = 10.5 if not isinstance(value, str) else 9
    axes.text(
        x + wide / 2, y + tall / 2, _shown(value), ha="center", va="center", size=size, weight=weight, color=colour
    )


def _shown(value: object) -> str:
    return value if isinstance(value, str) else numbers.number(value)


CHART = Chart(
    id="ky-luat-xep-loai",
    name="Kỷ luật đối chiếu xếp loại",
    needs=("discipline_by_level", "dim_year", "coverage"),
    read=read,
    title=title,
    subtitle=subtitle,
    alt=alt,
    source=source,
    table=table,
    draw=draw,
)
