"""Biểu đồ 3, Tự đánh giá → quyết định: whether superiors really appraise."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import numbers, style
from reports.charts.chart import FEW, FEWEST, Chart, Column, Table, missing_figure
from reports.units import Coverage, Tables, coverage_of, missing_units, unit_names

STEPS = ("self", "appraised", "decided")
MOST_LABELS = 32
"""Of more units only the highlighted ones are named; the table has all."""

HARDLY = 0.25
"""A unit whose cut is under this part of the province's cut has hardly been corrected."""

NEWS = 1.0
"""Percentage points under which the whole is said to be kept as it was."""

MOST_NAMED = 2


@dataclass(frozen=True)
class Ladder:
    """Share of excellent ratings by unit at each step, on the members who have all three."""

    year: int
    coverage: Coverage
    units: pd.DataFrame
    """name, compared, self, appraised, decided (percent), cut = self - decided in points."""
    overall: dict[str, float]
    absent: tuple[str, ...]

    @property
    def cut(self) -> float | None:
        """Points by which all units together were lowered."""
        return self.overall["self"] - self.overall["decided"] if self.overall else None

    @property
    def uncorrected(self) -> pd.DataFrame:
        """Units hardly lowered while the whole was; with enough members to say so."""
        if self.cut is None or self.cut < NEWS:
            return self.units.iloc[:0]
        enough = (self.units["compared"] >= FEW) & (self.units["self"] > 0)
        return self.units[enough & (self.units["cut"] < HARDLY * self.cut)].sort_values("cut")


def read(tables: Tables, year: int) -> Ladder:
    """Excellent ratings of members at the three steps."""
    rows = tables["rating_ladder"].query("year == @year and subject_kind == 'member'")
    compared = rows.groupby("unit_code")["compared"].first().astype(float)
    excellent = rows[rows["level_code"] == "XS"].pivot(index="unit_code", columns="step", values="n")
    counts = excellent.reindex(index=compared.index, columns=STEPS).fillna(0).astype(float)
    names = unit_names(tables)
    units = counts.div(compared.where(compared >= FEWEST), axis=0).mul(100).assign(compared=compared)
    units.insert(0, "name", [names.get(code, code) for code in units.index])
    units["cut"] = units["self"] - units["decided"]
    whole = compared.sum()
    overall = {step: 100 * counts[step].sum() / whole for step in STEPS} if whole >= FEWEST else {}
    units = units.dropna(subset=["self", "decided"]).sort_values(
        ["self", "name"], ascending=[False, True], ignore_index=True
    )
    absent = [name for name in missing_units(tables, year) if name not in set(units["name"])]
    unknown = [names.get(code, code) for code in compared.index[compared < FEWEST]]
    return Ladder(year, coverage_of(tables, year), units, overall, tuple(absent + unknown))


def title(data: Ladder) -> str:
    """What superiors did with the self-assessed level, and where they did not."""
    if data.cut is None:
        return "Chưa đủ số liệu để so tự đánh giá với quyết định"
    if len(data.units) == 1:
        name = data.units.iloc[0]["name"]
        if abs(data.cut) < NEWS:
            return f"{name}: tỉ lệ xuất sắc hầu như giữ nguyên mức tự nhận"
        verb = "hạ" if data.cut > 0 else "nâng"
        return f"{name}: cấp trên {verb} mức tự nhận xuất sắc {numbers.number(abs(data.cut), 1)} điểm %"
    if abs(data.cut) < NEWS:
        return "Cấp trên hầu như giữ nguyên mức tự nhận xuất sắc"
    if data.cut < 0:
        return f"Cấp trên nâng mức tự nhận xuất sắc {numbers.number(-data.cut, 1)} điểm %"
    exceptions = data.uncorrected["name"].tolist()
    text = f"Cấp trên hạ mức tự nhận xuất sắc {numbers.number(data.cut, 1)} điểm %"
    if not exceptions:
        return text
    return f"{text}, trừ {numbers.listed(exceptions) if len(exceptions) <= MOST_NAMED else f'{len(exceptions)} đơn vị'}"


def subtitle(data: Ladder) -> str:
    """Measure, scope and period."""
    return (
        f"Tỉ lệ đảng viên “hoàn thành xuất sắc nhiệm vụ”: tự đánh giá so với kết quả quyết định, năm {data.year}, "
        f"trên cùng {numbers.number(data.units['compared'].sum())} đảng viên có đủ các bước"
    )


def source(data: Ladder) -> str:
    """Where the figures come from, and who is not in them."""
    few = " Dấu *: dưới 20 đảng viên so sánh được." if (data.units["compared"] < FEW).any() else ""
    absent = f" Thiếu dữ liệu: {numbers.listed(data.absent)}." if data.absent else ""
    return f"Nguồn: báo cáo đánh giá, xếp loại năm {data.year} của {data.coverage}.{few}{absent}"


def alt(data: Ladder) -> str:
    """The slopes read aloud."""
    rows = [
        f"{row.name}: tự đánh giá {numbers.percent(row.self)}, quyết định {numbers.percent(row.decided)}"
        for row in data.units[["name", "self", "decided"]].itertuples(index=False)
    ]
    return f"Biểu đồ dốc theo đơn vị, năm {data.year}. {'; '.join(rows) or numbers.MISSING}."


def table(data: Ladder) -> Table:
    """The three steps by unit, and all together."""
    total = pd.DataFrame(
        [{"name": "Toàn Đảng bộ", "compared": data.units["compared"].sum(), **data.overall, "cut": data.cut}]
    )
    absent = pd.DataFrame({"name": list(data.absent)})
    parts = [part for part in (data.units, absent, total if data.overall else absent.iloc[:0]) if len(part)]
    frame = pd.concat(parts, ignore_index=True) if parts else data.units
    frame = frame.assign(change=-frame["cut"].astype(float))
    columns = (
        Column("Đơn vị", "name", is_text=True, wide=2.4),
        Column("Số đảng viên so sánh được", "compared", numbers.number),
        Column("Tự đánh giá (%)", "self", numbers.one_decimal),
        Column("Đề xuất (%)", "appraised", numbers.one_decimal),
        Column("Quyết định (%)", "decided", numbers.one_decimal),
        Column("Thay đổi (điểm %)", "change", _signed),
    )
    return Table(frame, columns)


def draw(data: Ladder) -> Figure:
    """A line for each unit from what members gave themselves to what was decided."""
    if data.units.empty:
        return missing_figure(f"Không đơn vị nào có đủ hai bước năm {data.year}")
    units = data.units
    named = len(units) <= MOST_LABELS
    height = min(max(3.6, 0.6 + 0.18 * (len(units) if named else 24)), 6.4)
    looks = _looks(data)
    names = [
        f"{row.name}{'*' if row.compared < FEW else ''}" for row in units[["name", "compared"]].itertuples(index=False)
    ]
    widest = max(style.width_of(name, 8, "bold") for name in names) + style.width_of("  100,0%", 8, "bold")
    margin = min(max(widest, 1.2) + 0.3, 2.75)
    beyond = max(
        [
            style.width_of(f"100,0%  {name} (không đổi điểm %)", 8, "bold")
            for name, kind in zip(names, looks, strict=True)
            if kind[2]
        ],
        default=0,
    )
    figure = Figure(figsize=(style.WIDTH, height))
    axes = style.panel(figure, left=margin, right=min(max(margin, beyond + 0.25), 3.1), top=0.5, bottom=0.1)
    low, high = _range(units)
    axes.set(xlim=(0, 1), ylim=(low, high), xticks=[], yticks=[])
    axes.spines["bottom"].set_visible(False)
    points = (high - low) / (height - 0.6)
    for side, head, align in ((0, "Tự đánh giá", "right"), (1, "Cấp có thẩm quyền\nquyết định", "left")):
        axes.annotate(
            head,
            (side, 1),
            xycoords="axes fraction",
            xytext=(-3 if side == 0 else 3, 12),
            textcoords="offset points",
            ha=align,
            va="bottom",
            size=8.5,
            weight="bold",
        )
    for index in sorted(range(len(units)), key=lambda index: looks[index][1]):
        row, (colour, width, _) = units.iloc[index], looks[index]
        axes.plot(
            [0, 1],
            [row["self"], row["decided"]],
            color=colour,
            linewidth=width,
            marker="o",
            markersize=3 + width,
            clip_on=False,
            solid_capstyle="round",
            zorder=2 + width,
        )
    shown = [index for index in range(len(units)) if named or looks[index][2]]
    _labels(axes, units, names, looks, shown, (low, high), points)
    return figure


def _looks(data: Ladder) -> list[tuple[str, float, bool]]:
    """Colour, width and whether highlighted, by unit: orange the hardly corrected, navy the most corrected."""
    orange = set(data.uncorrected["name"].head(MOST_NAMED + 1))
    most = data.units["cut"].idxmax() if len(data.units) > 1 and data.units["cut"].max() > NEWS else None
    found = []
    for index, name in data.units["name"].items():
        if name in orange:
            found.append((style.ORANGE, 2.4, True))
        elif index == most:
            found.append((style.NAVY, 2.4, True))
        else:
            found.append((style.FAINT, 1.1, False))
    return found


def _range(units: pd.DataFrame) -> tuple[float, float]:
    values = pd.concat([units["self"], units["decided"]])
    room = max(0.06 * (values.max() - values.min()), 1.0)
    return max(values.min() - room, -1.0), values.max() + room


def _labels(
    axes: Axes,
    units: pd.DataFrame,
    names: list[str],
    looks: list[tuple[str, float, bool]],
    shown: list[int],
    bounds: tuple[float, float],
    points: float,
) -> None:
    """Names and figures at both ends, spread so that none covers another, tied to their points by a fine line."""
    for side, column in ((0, "self"), (1, "decided")):
        values = [units.iloc[index][column] for index in shown]
        keyed = [value - 1e-6 * rank for rank, value in enumerate(values)]
        places = style.spread(keyed, 0.15 * points, *bounds)
        for index, value, place in zip(shown, values, places, strict=True):
            colour, _, is_high = looks[index]
            figure = numbers.percent(value)
            change = f" ({numbers.points(-units.iloc[index]['cut'])})" if is_high and side == 1 else ""
            text = f"{names[index]}  {figure}" if side == 0 else f"{figure}  {names[index]}{change}"
            fits = style.width_of(text, 8) < 2.6
            if abs(place - value) > 0.02 * points:
                axes.annotate(
                    "",
                    (side, value),
                    xytext=((-9 if side == 0 else 9), (place - value) / points * 72),
                    textcoords="offset points",
                    annotation_clip=False,
                    arrowprops={"arrowstyle": "-", "color": style.RULE, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2},
                )
            axes.annotate(
                text,
                (side, place),
                xytext=((-11 if side == 0 else 11), 0),
                textcoords="offset points",
                ha="right" if side == 0 else "left",
                va="center",
                size=8 if fits else 7,
                annotation_clip=False,
                color=colour if is_high else style.INK,
                weight="bold" if is_high else "normal",
            )


def _signed(value: object) -> str:
    text = numbers.number(value, 1)
    return text if text.startswith("−") or text == "0,0" else f"+{text}"


CHART = Chart(
    id="tu-danh-gia-quyet-dinh",
    name="Từ tự đánh giá đến quyết định",
    needs=("rating_ladder", "dim_unit", "coverage"),
    read=read,
    title=title,
    subtitle=subtitle,
    alt=alt,
    source=source,
    table=table,
    draw=draw,
)
