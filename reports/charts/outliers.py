"""Biểu đồ 4, Biểu đồ phễu: whether differences between grassroots organisations are real or due to small numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from ratings.signals.shares import ALARM, WARNING, Funnel, funnel
from reports import numbers, style
from reports.charts.chart import FEW, FEWEST, Chart, Column, Table, missing_figure
from reports.units import Coverage, Tables, coverage_of, unit_names

HIGH, LOW = "Cao hơn giới hạn 99,8%", "Thấp hơn giới hạn 99,8%"
HIGHER, LOWER = "Cao hơn giới hạn 95%", "Thấp hơn giới hạn 95%"
INSIDE = "Trong giới hạn"

MOST_LABELS = 6
BY_CHANCE = 0.002
"""The part of all organisations that lies outside the 99,8% limits when nothing is the matter."""


@dataclass(frozen=True)
class Outliers:
    """Grassroots organisations with their distance from the whole."""

    year: int
    coverage: Coverage
    organisations: pd.DataFrame
    """name, unit, rated, xs, share, score, place; only those with enough rated members, farthest above first."""
    funnel: Funnel | None
    too_small: int

    def at(self, place: str) -> pd.DataFrame:
        """Organisations at a place relative to the limits."""
        return self.organisations[self.organisations["place"] == place]


def read(tables: Tables, year: int) -> Outliers:
    """Members' ratings by grassroots organisation, judged against the funnel of all of them."""
    rows = tables["grassroots_excellence"].query("year == @year and rated > 0")
    rows = rows.sort_values(["unit_code", "grassroots_code"], ignore_index=True)
    hidden = too_small(rows)
    kept = rows[~hidden].reset_index(drop=True)
    names = unit_names(tables)
    organisations = pd.DataFrame(
        {
            "name": kept["org_name"].fillna(kept["grassroots_code"]),
            "code": kept["grassroots_code"],
            "unit": [names.get(code, code) for code in kept["unit_code"]],
            "rated": kept["rated"].astype(int),
            "xs": kept["xs"].astype(int),
        }
    )
    organisations["share"] = 100 * organisations["xs"] / organisations["rated"]
    limits = None
    organisations["score"] = 0.0
    if len(organisations) and 0 < organisations["xs"].sum() < organisations["rated"].sum():
        limits = funnel(organisations["xs"], organisations["rated"])
        organisations["score"] = limits.score(organisations["xs"], organisations["rated"])
    organisations["place"] = [_place(score) for score in organisations["score"]]
    organisations = organisations.sort_values(
        ["score", "unit", "code"], ascending=[False, True, True], ignore_index=True
    )
    return Outliers(year, coverage_of(tables, year), organisations, limits, int(hidden.sum()))


def too_small(rows: pd.DataFrame) -> pd.Series:
    """Organisations not to be shown: those with too few rated members.

    The unit's own totals stand on another page, so a unit's hidden organisations must together be enough, and more
    than one: the next smallest is hidden with them.
    """
    hidden = rows["rated"] < FEWEST
    for _, unit in rows.sort_values(["rated", "grassroots_code"]).groupby("unit_code"):
        count = int((unit["rated"] < FEWEST).sum())
        if count:
            while count < len(unit) and (count < 2 or unit["rated"].iloc[:count].sum() < FEWEST):
                count += 1
            hidden[unit.index[:count]] = True
    return hidden


def title(data: Outliers) -> str:
    """How many organisations lie outside the limits, and on which side."""
    every, high, low = len(data.organisations), len(data.at(HIGH)), len(data.at(LOW))
    if not every:
        return "Chưa có số liệu xếp loại theo tổ chức cơ sở đảng"
    if not high and not low:
        return "Không TCCSĐ nào có tỉ lệ xuất sắc ngoài giới hạn 99,8%"
    if not high:
        return f"{low} TCCSĐ có tỉ lệ xuất sắc thấp bất thường"
    text = f"{high}/{numbers.number(every)} TCCSĐ có tỉ lệ xuất sắc cao bất thường"
    return f"{text}, {low} thấp bất thường" if low else text


def subtitle(data: Outliers) -> str:
    """Measure, scope, period and the limits."""
    return (
        "Tỉ lệ đảng viên “hoàn thành xuất sắc nhiệm vụ” theo quy mô tổ chức cơ sở đảng (TCCSĐ), "
        f"giới hạn 95% và 99,8%, năm {data.year}"
    )


def source(data: Outliers) -> str:
    """Where the figures come from, and how to read them."""
    chance = numbers.number(BY_CHANCE * len(data.organisations), 1)
    small = f" Không vẽ {data.too_small} TCCSĐ quá ít đảng viên được xếp loại." if data.too_small else ""
    return (
        f"Nguồn: báo cáo đánh giá, xếp loại năm {data.year} của {data.coverage}. Giới hạn tính cả khác biệt "
        f"thường có giữa các TCCSĐ; khi không có gì khác thường vẫn có khoảng {chance} TCCSĐ ngoài giới hạn 99,8%. "
        f"Nằm ngoài giới hạn là dấu hiệu để thẩm định lại, không phải kết luận.{small}"
    )


def alt(data: Outliers) -> str:
    """The funnel read aloud: the middle, the counts, the farthest."""
    if data.funnel is None:
        return f"Biểu đồ phễu theo tổ chức cơ sở đảng, năm {data.year}. {title(data)}."
    far = pd.concat([data.at(HIGH).head(MOST_LABELS), data.at(LOW).head(MOST_LABELS)])
    rows = [
        f"{row.name} {numbers.percent(row.share)} của {row.rated} đảng viên"
        for row in far[["name", "share", "rated"]].itertuples(index=False)
    ]
    return (
        f"Biểu đồ phễu {numbers.number(len(data.organisations))} tổ chức cơ sở đảng, năm {data.year}; "
        f"mức chung {numbers.percent(100 * data.funnel.centre)}. "
        f"Ngoài giới hạn 99,8%: {len(data.at(HIGH))} cao, {len(data.at(LOW))} thấp. {'; '.join(rows)}"
    ).strip()


def table(data: Outliers) -> Table:
    """The organisations outside the 99,8% limits, or the units when there is none; all organisations attached."""
    every = data.organisations
    columns = (
        Column("Tổ chức cơ sở đảng", "name", is_text=True, wide=2.6),
        Column("Đơn vị", "unit", is_text=True, wide=2),
        Column("Được xếp loại", "rated", numbers.number),
        Column("Xuất sắc", "xs", numbers.number),
        Column("Tỉ lệ (%)", "share", numbers.one_decimal),
        Column("Vị trí", "place", is_text=True, wide=2.4),
    )
    headings = {column.field: column.heading for column in columns} | {"code": "Mã", "score": "Số độ lệch chuẩn"}
    attachment = every.round({"share": 4, "score": 4}).rename(columns=headings)
    between = len(data.at(HIGHER)) + len(data.at(LOWER))
    note = (
        f"{numbers.number(between)} TCCSĐ nằm giữa giới hạn 95% và 99,8%; "
        f"toàn bộ {numbers.number(len(every))} TCCSĐ có trong tệp CSV đính kèm."
    )
    far = pd.concat([data.at(HIGH), data.at(LOW)])
    if len(far) or every.empty:
        return Table(far, columns, attachment=attachment, note=note if len(every) else "")
    units = every.groupby("unit", as_index=False).agg(
        organisations=("code", "size"), rated=("rated", "sum"), xs=("xs", "sum")
    )
    units["share"] = 100 * units["xs"] / units["rated"]
    by_unit = (
        Column("Đơn vị", "unit", is_text=True, wide=2.4),
        Column("Số TCCSĐ", "organisations", numbers.number),
        Column("Được xếp loại", "rated", numbers.number),
        Column("Xuất sắc", "xs", numbers.number),
        Column("Tỉ lệ (%)", "share", numbers.one_decimal),
    )
    return Table(units, by_unit, attachment=attachment, note=note)


def draw(data: Outliers) -> Figure:
    """Shares against size on a logarithmic scale, with limits; organisations outside are named."""
    if data.organisations.empty:
        return missing_figure(f"Không TCCSĐ nào có từ {FEWEST} đảng viên được xếp loại năm {data.year}")
    points = data.organisations
    figure = Figure(figsize=(style.WIDTH, 4.6))
    axes = style.panel(figure, left=0.48, right=0.86, top=0.12, bottom=0.5)
    sizes = np.geomspace(FEWEST * 0.9, max(points["rated"].max() * 1.15, 40), 200)
    ceiling = points["share"].max()
    if data.funnel is not None:
        ceiling = max(ceiling, 100 * data.funnel.limit(max(points["rated"].median(), FEW), ALARM))
    _scales(axes, sizes, min(100.0, ceiling * 1.08 + 1))
    if data.funnel is not None:
        _limits(axes, data.funnel, sizes)
    inside = points[~points["place"].isin([HIGH, LOW])]
    axes.scatter(inside["rated"], inside["share"], s=11, color=style.NAVY, alpha=0.45, linewidths=0, clip_on=False)
    mark = {"s": 30, "linewidths": 0.5, "edgecolors": "white", "zorder": 5, "clip_on": False}
    for place, colour, marker in ((HIGH, style.ORANGE, "D"), (LOW, style.TEAL, "v")):
        far = data.at(place)
        axes.scatter(far["rated"], far["share"], color=colour, marker=marker, **mark)
    _names(figure, axes, data)
    return figure


def _limits(axes: Axes, limits: Funnel, sizes: np.ndarray) -> None:
    """The share of all together and the limits round it, named at their right ends."""
    centre = 100 * limits.centre
    axes.axhline(centre, color=style.INK, linewidth=1.2)
    ends = [(centre, f"Chung {numbers.percent(centre)}", style.INK, "bold")]
    for deviations, name, dashes in ((WARNING, "95%", (0, (4, 2))), (ALARM, "99,8%", "solid")):
        for side in (deviations, -deviations):
            axes.plot(sizes, 100 * limits.limit(sizes, side), color=style.QUIET, linewidth=0.9, linestyle=dashes)
        ends.append((100 * float(limits.limit(sizes[-1], deviations)), name, style.QUIET, "normal"))
    top = axes.get_ylim()[1]
    inches = axes.get_figure().get_size_inches()[1] * axes.get_position().height
    places = style.spread([end for end, *_ in ends], 0.145 * top / inches, 0, top)
    for place, (_, name, colour, weight) in zip(places, ends, strict=True):
        axes.annotate(
            name,
            (1, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            size=7.5,
            color=colour,
            weight=weight,
            annotation_clip=False,
        )


def _scales(axes: Axes, sizes: np.ndarray, top: float) -> None:
    axes.set_xscale("log")
    step = next((step for step in (1, 2, 5, 10, 20, 25) if top / step <= 7), 25)
    ticks = np.arange(0, top + 1e-9, step)
    axes.set(xlim=(sizes[0], sizes[-1]), ylim=(0, top), yticks=ticks)
    axes.set_yticklabels([numbers.percent(tick, 0) for tick in ticks])
    axes.grid(axis="y")
    marks = [size for size in (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if sizes[0] <= size <= sizes[-1]]
    axes.set_xticks(marks, [numbers.number(size) for size in marks])
    axes.set_xticks([], minor=True)
    axes.tick_params(axis="x", which="major", size=3)
    axes.set_xlabel("Số đảng viên được xếp loại của TCCSĐ (thang lô-ga-rít)")


def _names(figure: Figure, axes: Axes, data: Outliers) -> None:
    """Name the farthest organisations where there is room: right, left, above or below the mark."""
    far = pd.concat([data.at(HIGH), data.at(LOW).iloc[::-1]])
    far = far.reindex(far["score"].abs().sort_values(ascending=False, kind="stable").index).head(MOST_LABELS)
    width, height = figure.get_size_inches()
    box = axes.get_position()
    frame = Bbox.from_extents(box.x0 * width, box.y0 * height, box.x1 * width + 0.02, box.y1 * height + 0.1)
    to_inches = axes.transData + figure.dpi_scale_trans.inverted()
    dots = data.organisations[["rated", "share"]].to_numpy(dtype=float)
    curves = [np.column_stack([line.get_xdata(), line.get_ydata()]) for line in axes.lines if len(line.get_xdata()) > 2]
    everywhere = to_inches.transform(np.concatenate([dots, *curves]))
    taken: list[Bbox] = []
    for row in far[["name", "rated", "share", "place"]].itertuples(index=False):
        x, y = to_inches.transform((row.rated, row.share))
        text = style.wrapped(
            f"{row.name}: {numbers.percent(row.share)}{'*' if row.rated < FEW else ''}", 1.75, 7.5, "bold"
        )
        wide, tall = style.width_of(text, 7.5, "bold"), 0.14 * (text.count("\n") + 1)
        spots = [
            (x + 0.09, y - tall / 2),
            (x - 0.11 - wide, y - tall / 2),
            (x - wide / 2, y + 0.08),
            (x - wide / 2, y - 0.08 - tall),
        ]
        boxes = [Bbox.from_extents(left, bottom, left + wide, bottom + tall) for left, bottom in spots]
        free = [
            spot
            for spot in boxes
            if frame.x0 <= spot.x0
            and spot.x1 <= frame.x1
            and frame.y0 <= spot.y0
            and spot.y1 <= frame.y1
            and not any(spot.overlaps(other) for other in taken)
        ]
        if not free:
            continue
        best = min(free, key=lambda spot: _covered(spot, everywhere))
        taken.append(best.padded(0.03))
        figure.text(
            best.x0 / width,
            (best.y0 + best.y1) / 2 / height,
            text,
            size=7.5,
            weight="bold",
            va="center",
            color=style.ORANGE if row.place == HIGH else style.TEAL,
            linespacing=1.1,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5},
        )


def _covered(spot: Bbox, points: np.ndarray) -> int:
    inside = (points[:, 0] > spot.x0) & (points[:, 0] < spot.x1) & (points[:, 1] > spot.y0) & (points[:, 1] < spot.y1)
    return int(inside.sum())


def _place(score: float) -> str:
    if abs(score) > ALARM:
        return HIGH if score > 0 else LOW
    if abs(score) > WARNING:
        return HIGHER if score > 0 else LOWER
    return INSIDE


CHART = Chart(
    id="bieu-do-pheu",
    name="Biểu đồ phễu tổ chức cơ sở đảng",
    needs=("grassroots_excellence", "dim_unit", "coverage"),
    read=read,
    title=title,
    subtitle=subtitle,
    alt=alt,
    source=source,
    table=table,
    draw=draw,
)
