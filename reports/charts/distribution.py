"""Biểu đồ 2, Cơ cấu xếp loại theo đơn vị: who rates unusually high."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Affine2D, Transform

from ratings.signals.shares import wilson
from reports import numbers, style
from reports.charts.chart import FEW, FEWEST, Chart, Column, Table, missing_figure
from reports.charts.targets import Target, target_of
from reports.units import Coverage, Tables, coverage_of, missing_units, unit_names

LEVELS = ("XS", "HTT", "HT", "KHT")
LEVEL_NAMES = {
    "XS": "Hoàn thành xuất sắc",
    "HTT": "Hoàn thành tốt",
    "HT": "Hoàn thành",
    "KHT": "Không hoàn thành",
}

ALL = "Toàn Đảng bộ"

MOST_ROWS = 30
"""Rows that fit a page; of more units the highest and the lowest are drawn, the table has all."""

NOTABLE = 1.3
"""A unit's share of excellent ratings is news from this many times the province's."""

ROW = 0.235


@dataclass(frozen=True)
class Distribution:
    """Ratings of members by unit, highest share of excellent first; units without data last."""

    year: int
    coverage: Coverage
    target: Target | None
    units: pd.DataFrame
    """name, the four levels, rated, not_rated, xs and good shares; NaN where nothing is known."""

    @property
    def known(self) -> pd.DataFrame:
        """Units whose shares may be shown."""
        return self.units[self.units["rated"] >= FEWEST]

    @property
    def overall(self) -> float | None:
        """Share of excellent ratings of all units together."""
        return numbers.share(self.units["XS"].sum(), self.units["rated"].sum())

    @property
    def total(self) -> pd.Series:
        """All units together, as a row like theirs."""
        sums = self.units[[*LEVELS, "rated", "not_rated"]].sum(min_count=1).to_dict()
        good = numbers.share(sums["XS"] + sums["HTT"], sums["rated"])
        return pd.Series({"name": ALL, **sums, "xs_share": self.overall, "good_share": good})


def read(tables: Tables, year: int) -> Distribution:
    """Members' ratings of the year, with a row for each unit that has not sent any."""
    rows = tables["rating_distribution"].query("year == @year and subject_kind == 'member'")
    counts = rows.pivot(index="unit_code", columns="level_code", values="n").reindex(columns=LEVELS).fillna(0)
    wholes = rows.groupby("unit_code")[["rated", "not_rated"]].first()
    names = unit_names(tables)
    units = counts.join(wholes).astype(float).reset_index()
    units.insert(0, "name", [names.get(code, code) for code in units["unit_code"]])
    absent = pd.DataFrame({"name": [name for name in missing_units(tables, year) if name not in set(units["name"])]})
    units = pd.concat([units, absent], ignore_index=True) if len(absent) else units
    shown = units["rated"].where(units["rated"] >= FEWEST)
    units["xs_share"] = 100 * units["XS"] / shown
    units["good_share"] = 100 * (units["XS"] + units["HTT"]) / shown
    units = units.sort_values(["xs_share", "name"], ascending=[False, True], na_position="last", ignore_index=True)
    return Distribution(year, coverage_of(tables, year), target_of(tables, year, "members_good"), units)


def title(data: Distribution) -> str:
    """The unit that stands out, or that none does."""
    known = data.known
    if known.empty:
        return "Chưa có số liệu xếp loại đảng viên"
    first = known.iloc[0]
    if len(known) == 1:
        return f"{first['name']} xếp loại xuất sắc {numbers.percent(first['xs_share'])}"
    tied = known[known["xs_share"] == first["xs_share"]]
    if len(tied) == len(known):
        return f"Các đơn vị cùng xếp loại xuất sắc {numbers.percent(first['xs_share'])}"
    times = first["xs_share"] / data.overall
    certain = first["rated"] >= FEW and wilson(first["XS"], first["rated"])[0] * 100 > data.overall
    if len(tied) == 1 and times >= NOTABLE and certain:
        high = numbers.percent(first["xs_share"])
        return f"{first['name']} xếp loại xuất sắc {high}, gấp {numbers.number(times, 1)} lần mức chung"
    solid = known[known["rated"] >= FEW]
    solid = solid if len(solid) > 1 else known
    low, high = (numbers.percent(value) for value in (solid["xs_share"].min(), solid["xs_share"].max()))
    return f"Tỉ lệ xuất sắc từ {low} đến {high}, không đơn vị nào vượt trội"


def subtitle(data: Distribution) -> str:
    """Measure, scope, period, and how many units pass the target."""
    text = f"Cơ cấu xếp loại chất lượng đảng viên theo đảng bộ trực thuộc, năm {data.year} (% số được xếp loại)"
    if data.target is None or data.known.empty:
        return text
    passed = sum(data.target.is_met(value) for value in data.known["good_share"])
    return f"{text}; {passed}/{len(data.known)} đơn vị có {data.target} hoàn thành tốt trở lên"


def source(data: Distribution) -> str:
    """Where the figures come from, and how to read them."""
    few = " Dấu *: dưới 20 đảng viên được xếp loại, đọc thận trọng." if (data.known["rated"] < FEW).any() else ""
    hidden = " Đơn vị dưới 5 đảng viên được xếp loại không nêu tỉ lệ." if (data.units["rated"] < FEWEST).any() else ""
    return (
        f"Nguồn: báo cáo đánh giá, xếp loại năm {data.year} của {data.coverage}; "
        f"n là số đảng viên được xếp loại, không gồm đảng viên chưa xếp loại.{few}{hidden}"
    )


def alt(data: Distribution) -> str:
    """The bars read aloud."""
    rows = [
        f"{row.name}: xuất sắc {numbers.percent(row.xs_share)}, tốt trở lên {numbers.percent(row.good_share)}"
        for row in data.known[["name", "xs_share", "good_share"]].itertuples(index=False)
    ]
    unknown = [f"{name}: thiếu dữ liệu" for name in data.units.loc[data.units["rated"].isna(), "name"]]
    return f"Thanh ngang chồng 100% theo đơn vị, năm {data.year}. {'; '.join([*rows, *unknown]) or numbers.MISSING}."


def table(data: Distribution) -> Table:
    """Counts and shares by unit, and all units together."""
    frame = pd.concat([data.units, data.total.to_frame().T], ignore_index=True) if len(data.known) else data.units
    small = pd.to_numeric(frame["rated"]) < FEWEST
    frame[[*LEVELS, "xs_share", "good_share"]] = frame[[*LEVELS, "xs_share", "good_share"]].astype(object)
    frame.loc[small, [*LEVELS, "xs_share", "good_share"]] = "ẩn"
    columns = (
        Column("Đơn vị", "name", is_text=True, wide=2.4),
        Column("Được xếp loại", "rated", numbers.number),
        *(Column(LEVEL_NAMES[level], level, _count) for level in LEVELS),
        Column("Chưa xếp loại", "not_rated", numbers.number),
        Column("Xuất sắc (%)", "xs_share", _share),
        Column("Tốt trở lên (%)", "good_share", _share),
    )
    return Table(frame, columns)


def draw(data: Distribution) -> Figure:
    """Stacked bars of 100%, ordered; the target as a line."""
    if data.known.empty and data.units.empty:
        return missing_figure(f"Không có số liệu xếp loại đảng viên năm {data.year}")
    rows, skipped = _page(data.units)
    if len(data.known) > 1:
        rows.append(data.total)
    labels = [_label(row) if row is not None else f"… {skipped} đơn vị ở giữa: xem bảng" for row in rows]
    left = min(max(style.width_of(label, 8, "bold") for label in labels) + 0.1, 2.5)
    is_long = [style.width_of(label, 8) > left - 0.08 for label in labels]
    labels = [style.wrapped(text, left - 0.1, 7) if long else text for text, long in zip(labels, is_long, strict=True)]
    top, bottom = 0.34, 0.46
    figure = Figure(figsize=(style.WIDTH, top + bottom + ROW * len(rows)))
    axes = style.panel(figure, left=left, right=0.36, top=top, bottom=bottom)
    axes.set(xlim=(0, 100), ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)), xticks=range(0, 101, 25))
    axes.set_yticklabels(labels, size=8, color=style.INK, linespacing=0.95)
    for tick, long in zip(axes.get_yticklabels(), is_long, strict=True):
        tick.set_fontsize(7 if long else 8)
    if len(data.known) > 1:
        axes.get_yticklabels()[-1].set_fontweight("bold")
        axes.axhline(len(rows) - 1.5, color=style.FAINT, linewidth=0.8)
    axes.set_xticklabels([f"{tick}%" for tick in range(0, 101, 25)])
    axes.spines["bottom"].set_visible(False)
    scale = 100 / (style.WIDTH - left - 0.36)
    for place, row in enumerate(rows):
        if row is not None:
            _bar(axes, row, place, data.target, scale)
    _heads(axes, scale)
    if data.target is not None:
        _target(axes, data.target, len(rows))
    return figure


def _page(units: pd.DataFrame) -> tuple[list[pd.Series | None], int]:
    rows: list[pd.Series | None] = [row for _, row in units.iterrows()]
    if len(rows) <= MOST_ROWS:
        return rows, 0
    half = (MOST_ROWS - 1) // 2
    return [*rows[:half], None, *rows[-half:]], len(rows) - 2 * half


def _label(row: pd.Series) -> str:
    if numbers.is_missing(row["rated"]):
        return str(row["name"])
    return f"{row['name']}{'*' if row['rated'] < FEW else ''} (n={numbers.number(row['rated'])})"


def _bar(axes: Axes, row: pd.Series, place: int, target: Target | None, scale: float) -> None:
    if numbers.is_missing(row["xs_share"]):
        axes.add_patch(
            Rectangle(
                (0, place - 0.36), 100, 0.72, fill=False, edgecolor=style.FAINT, linewidth=0.8, linestyle=(0, (2, 2))
            )
        )
        reason = numbers.MISSING if numbers.is_missing(row["rated"]) else "dưới 5 đảng viên được xếp loại"
        axes.text(1.5, place, f"?  {reason}", va="center", size=7.5, color=style.QUIET)
        return
    start = 0.0
    for level in LEVELS:
        percent = 100 * row[level] / row["rated"]
        axes.barh(
            place, percent, left=start, height=0.74, color=style.LEVEL_COLOURS[level], edgecolor="white", linewidth=0.6
        )
        text = numbers.number(percent, 1)
        if level == "KHT":
            axes.text(101, place, text, va="center", size=7.5, color=style.ORANGE)
        elif percent > (width := (style.width_of(text, 7.5) + 0.06) * scale):
            middle = start + percent / 2
            if target is not None and abs(middle - target.value) < width / 2:
                right = target.value + width / 2
                middle = (
                    right if right + width / 2 <= start + percent else max(target.value - width / 2, start + width / 2)
                )
            axes.text(middle, place, text, va="center", ha="center", size=7.5, color=style.LEVEL_INKS[level])
        start += percent


def _heads(axes: Axes, scale: float) -> None:
    """Names of the levels above the bars instead of a legend, each in its colour and beside a swatch of it."""
    names = [LEVEL_NAMES[level] for level in LEVELS]
    widths = [(style.width_of(name, 7.5, "bold") + 0.15) * scale for name in names]
    end = 100 + 0.3 * scale
    start = min(0.0, end - sum(widths) - 0.14 * scale * (len(names) - 1))
    free = (end - start - sum(widths)) / (len(names) - 1)
    for level, name, width in zip(LEVELS, names, widths, strict=True):
        swatch = 0.1 * scale
        axes.add_patch(
            Rectangle(
                (start, 1.075),
                swatch,
                0.09,
                transform=_above(axes),
                color=style.LEVEL_COLOURS[level],
                linewidth=0,
                clip_on=False,
            )
        )
        axes.text(
            start + 0.15 * scale,
            1.12,
            name,
            transform=_above(axes),
            size=7.5,
            weight="bold",
            va="center",
            color=style.INK,
        )
        start += width + free


def _above(axes: Axes) -> Transform:
    """Data along the bars, inches upwards from the axes' top (1 is the top, 2 is one inch above it)."""
    inches = axes.figure.get_size_inches()[1] * axes.get_position().height
    return Affine2D().translate(0, -1).scale(1, 1 / inches).translate(0, 1) + axes.get_xaxis_transform()


def _target(axes: Axes, target: Target, rows: int) -> None:
    axes.plot(
        [target.value] * 2, [-0.5, rows - 0.4], color=style.INK, linewidth=1.1, linestyle=(0, (3, 2)), clip_on=False
    )
    axes.annotate(
        f"Mục tiêu: {target} hoàn thành tốt trở lên",
        (target.value, 0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, -19),
        textcoords="offset points",
        ha="right",
        va="top",
        size=7.5,
        weight="bold",
    )


def _count(value: object) -> str:
    return value if isinstance(value, str) else numbers.number(value)


def _share(value: object) -> str:
    return value if isinstance(value, str) else numbers.number(value, 1)


CHART = Chart(
    id="co-cau-xep-loai",
    name="Cơ cấu xếp loại theo đơn vị",
    needs=("rating_distribution", "dim_unit", "coverage", "target_scoreboard"),
    read=read,
    title=title,
    subtitle=subtitle,
    alt=alt,
    source=source,
    table=table,
    draw=draw,
)
