"""Biểu đồ 6, Kết nạp đảng viên: whether the pace of the target is kept, over the years and unit by unit."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports import numbers, style
from reports.charts.chart import FEWEST, Chart, Column, Table, missing_figure
from reports.charts.targets import Target, target_of
from reports.units import Coverage, Tables, coverage_of, missing_units, unit_names

ALL = "ALL"
MOST_YEARS = 8
MOST_ROWS = 26
ROW = 0.19


@dataclass(frozen=True)
class Admissions:
    """Admissions per hundred members: the province over the years, the units in the year and the one before."""

    year: int
    coverage: Coverage
    target: Target | None
    years: pd.DataFrame
    """year, rate (NaN in a year without data), from the first known year to this one."""
    units: pd.DataFrame
    """name, members, admissions, rate, previous, pupils, non_state; units without data last."""
    total: pd.Series | None

    @property
    def rate(self) -> float | None:
        """The province's rate in the year."""
        return (
            None if self.total is None or numbers.is_missing(self.total["rate_pct"]) else float(self.total["rate_pct"])
        )


def read(tables: Tables, year: int) -> Admissions:
    """Admission rates up to the year."""
    rows = tables["admission_rate"].query("year <= @year")
    province = rows[rows["unit_code"] == ALL].set_index("year")
    names = unit_names(tables)
    now = rows[(rows["unit_code"] != ALL) & (rows["year"] == year)].set_index("unit_code")
    before = rows[(rows["unit_code"] != ALL) & (rows["year"] == year - 1)].set_index("unit_code")
    units = now[["members", "admissions", "rate_pct", "pupils_students", "non_state_enterprise"]].astype(float)
    units["previous"] = before["rate_pct"].astype(float).reindex(units.index)
    units["rate_pct"] = units["rate_pct"].where(units["members"] >= FEWEST)
    units.insert(0, "name", [names.get(code, code) for code in units.index])
    absent = [name for name in missing_units(tables, year) if name not in set(units["name"])]
    parts = [units, pd.DataFrame({"name": absent})] if absent else [units]
    units = pd.concat(parts, ignore_index=True)
    units = units.sort_values(["rate_pct", "name"], ascending=[False, True], na_position="last", ignore_index=True)
    return Admissions(
        year=year,
        coverage=coverage_of(tables, year),
        target=target_of(tables, year, "admission_rate"),
        years=_years(province, year),
        units=units,
        total=province.loc[year] if year in province.index else None,
    )


def title(data: Admissions) -> str:
    """The pace of the year against the target."""
    if data.rate is None:
        return "Chưa đủ số liệu kết nạp đảng viên"
    if data.target is None:
        return f"Kết nạp {numbers.percent(data.rate, 2)} so với tổng số đảng viên"
    rate = numbers.percent_beside(data.rate, data.target.value, 2)
    gap = numbers.gap(data.rate, data.target.value, 2)
    if data.rate > data.target.value:
        return f"Kết nạp {rate}, cao hơn mục tiêu {gap}"
    if data.target.is_met(data.rate):
        return f"Kết nạp {rate}, đạt mục tiêu {data.target}"
    if data.rate < data.target.value:
        return f"Kết nạp {rate}, thấp hơn mục tiêu {gap}"
    return f"Kết nạp {rate}, chưa vượt mục tiêu {data.target}"


def subtitle(data: Admissions) -> str:
    """Measure, scope, period, and how many units keep the pace."""
    text = f"Đảng viên mới kết nạp so với tổng số đảng viên (%), toàn Đảng bộ và theo đơn vị, năm {data.year}"
    known = data.units["rate_pct"].dropna()
    if data.target is None or known.empty:
        return text
    return f"{text}; {sum(data.target.is_met(rate) for rate in known)}/{len(known)} đơn vị đạt mục tiêu {data.target}"


def source(data: Admissions) -> str:
    """Where the figures come from."""
    signs = " ✓ đạt, ▼ chưa đạt mục tiêu." if data.target is not None else ""
    before = f" Vạch cam: năm {data.year - 1}." if data.units["previous"].notna().any() else ""
    return (
        f"Nguồn: Biểu 3 và Biểu 9, báo cáo năm {data.year} của {data.coverage}; "
        f"mẫu số n là tổng số đảng viên cuối năm.{signs}{before}"
    )


def alt(data: Admissions) -> str:
    """Line and bars read aloud."""
    years = [f"{int(row.year)}: {numbers.percent(row.rate, 2)}" for row in data.years.itertuples()]
    units = [
        f"{row.name} {numbers.percent(row.rate_pct, 2)}"
        for row in data.units[["name", "rate_pct"]].itertuples(index=False)
    ]
    target = f" Mục tiêu {data.target}." if data.target else ""
    return (
        f"Tỉ lệ kết nạp theo năm: {'; '.join(years) or numbers.MISSING}.{target} "
        f"Theo đơn vị năm {data.year}: {'; '.join(units) or numbers.MISSING}."
    )


def table(data: Admissions) -> Table:
    """Members, admissions and rate by unit, with the two groups the programme asks about."""
    frame = data.units
    if data.total is not None:
        before = data.years.set_index("year")["rate"].get(data.year - 1)
        total = data.total.to_frame().T.assign(name="Toàn Đảng bộ", previous=before)
        frame = pd.concat([frame, total[[column for column in frame.columns]]], ignore_index=True)
    columns = (
        Column("Đơn vị", "name", is_text=True, wide=2.4),
        Column("Tổng số đảng viên", "members", numbers.number),
        Column("Kết nạp", "admissions", numbers.number),
        Column("Tỉ lệ (%)", "rate_pct", _two),
        Column("Năm trước (%)", "previous", _two),
        Column("Học sinh, sinh viên", "pupils_students", numbers.number),
        Column("DN ngoài nhà nước", "non_state_enterprise", numbers.number),
    )
    if frame["previous"].isna().all():
        columns = tuple(column for column in columns if column.field != "previous")
    return Table(frame, columns)


def draw(data: Admissions) -> Figure:
    """Above the province over the years, below the units of the year; the target runs through both."""
    if data.total is None and data.units.empty:
        return missing_figure(f"Không có số liệu kết nạp năm {data.year}")
    rows = _page(data.units)
    line, gap = 1.55 if len(data.years) > 1 else 0.8, 0.62
    height = 0.3 + line + gap + ROW * max(len(rows), 1) + 0.2
    figure = Figure(figsize=(style.WIDTH, height))
    labels = [_label(row) if row is not None else "…" for row in rows]
    left = min(max([style.width_of(label, 8) for label in labels], default=0.5) + 0.12, 2.4)
    upper = style.panel(figure, left=0.5, right=0.95, top=0.3, bottom=height - 0.3 - line)
    _head(upper, "Toàn Đảng bộ, theo năm", 0.5)
    _line(upper, data)
    lower = style.panel(figure, left=left, right=0.95, top=0.3 + line + gap, bottom=0.2)
    _head(lower, f"Theo đơn vị, năm {data.year}", left)
    _bars(lower, data, rows, labels, left)
    return figure


def _head(axes: Axes, text: str, left: float) -> None:
    axes.annotate(
        text,
        (0, 1),
        xycoords="axes fraction",
        xytext=(-72 * left + 2, 6),
        textcoords="offset points",
        weight="bold",
        va="bottom",
    )


def _years(province: pd.DataFrame, year: int) -> pd.DataFrame:
    first = max(int(province.index.min()), year - MOST_YEARS + 1) if len(province) else year
    years = list(range(first, year + 1))
    return pd.DataFrame({"year": years, "rate": province["rate_pct"].astype(float).reindex(years).to_numpy()})


def _line(axes: Axes, data: Admissions) -> None:
    years = data.years
    known = years["rate"].dropna()
    low = min([*known, data.target.value if data.target else 3.0])
    high = max([*known, data.target.value if data.target else 3.0])
    room = max(0.35 * (high - low), 0.25)
    axes.set(
        xlim=(years["year"].min() - 0.35, years["year"].max() + 0.35), ylim=(max(0, low - room), high + room), yticks=[]
    )
    axes.set_xticks(years["year"], [str(year) for year in years["year"]])
    axes.plot(years["year"], years["rate"], color=style.NAVY, linewidth=2, marker="o", markersize=5, clip_on=False)
    if data.target:
        axes.axhline(data.target.value, color=style.INK, linewidth=1.1, linestyle=(0, (3, 2)))
        axes.annotate(
            f"Mục tiêu {data.target}",
            (1, data.target.value),
            xycoords=axes.get_yaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            size=7.5,
            weight="bold",
            annotation_clip=False,
        )
    for row in years.itertuples():
        if numbers.is_missing(row.rate):
            axes.text(
                row.year,
                sum(axes.get_ylim()) / 2,
                f"?\n{numbers.MISSING}",
                ha="center",
                va="center",
                size=7.5,
                color=style.QUIET,
            )
            continue
        near = data.target is not None and 0 <= data.target.value - row.rate < 0.28 * (high - low + 2 * room)
        is_now = row.year == data.year
        axes.annotate(
            numbers.percent(row.rate, 2),
            (row.year, row.rate),
            xytext=(0, -7 if near else 7),
            textcoords="offset points",
            ha="center",
            va="top" if near else "bottom",
            size=9 if is_now else 8,
            weight="bold" if is_now else "normal",
            color=style.NAVY,
        )


def _label(row: pd.Series) -> str:
    return row["name"] if numbers.is_missing(row["members"]) else f"{row['name']} (n={numbers.number(row['members'])})"


def _page(units: pd.DataFrame) -> list[pd.Series | None]:
    rows: list[pd.Series | None] = [row for _, row in units.iterrows()]
    half = (MOST_ROWS - 1) // 2
    return rows if len(rows) <= MOST_ROWS + 2 else [*rows[:half], None, *rows[-half:]]


def _bars(axes: Axes, data: Admissions, rows: list[pd.Series | None], labels: list[str], left: float) -> None:
    values = pd.concat([data.units["rate_pct"], data.units["previous"]]).dropna()
    high = max([*values, data.target.value if data.target else 0.0]) * 1.02 or 1.0
    axes.set(xlim=(0, high), ylim=(max(len(rows), 1) - 0.5, -0.5), xticks=[], yticks=range(len(rows)))
    sizes = [8.0 if style.width_of(label, 8) <= left - 0.08 else 6.8 for label in labels]
    axes.set_yticklabels(
        [
            style.wrapped(label, left - 0.1, size) if size < 8 else label
            for label, size in zip(labels, sizes, strict=True)
        ],
        color=style.INK,
        linespacing=0.95,
    )
    for tick, size in zip(axes.get_yticklabels(), sizes, strict=True):
        tick.set_fontsize(size)
    axes.spines["bottom"].set_visible(False)
    for place, row in enumerate(rows):
        if row is None:
            continue
        if numbers.is_missing(row["rate_pct"]):
            axes.add_patch(
                Rectangle(
                    (0, place - 0.33),
                    high,
                    0.66,
                    fill=False,
                    edgecolor=style.FAINT,
                    linewidth=0.8,
                    linestyle=(0, (2, 2)),
                )
            )
            axes.text(high * 0.015, place, f"?  {numbers.MISSING}", va="center", size=7.5, color=style.QUIET)
            continue
        met = data.target is None or data.target.is_met(row["rate_pct"])
        sign = "" if data.target is None else "✓" if met else "▼"
        axes.barh(place, row["rate_pct"], height=0.66, color=style.NAVY if met else style.BLUE, linewidth=0)
        if not numbers.is_missing(row["previous"]):
            axes.plot([row["previous"]] * 2, [place - 0.4, place + 0.4], color="white", linewidth=3, zorder=3)
            axes.plot([row["previous"]] * 2, [place - 0.4, place + 0.4], color=style.ORANGE, linewidth=1.6, zorder=4)
        for text, right, family in ((sign, 5, "DejaVu Sans"), (numbers.percent(row["rate_pct"], 2), 16, None)):
            axes.annotate(
                text,
                (1, place),
                xycoords=axes.get_yaxis_transform(),
                xytext=(right, 0),
                textcoords="offset points",
                va="center",
                size=7.5,
                family=family,
                color=style.INK,
                annotation_clip=False,
            )
    if data.target is not None and len(rows):
        axes.axvline(data.target.value, color=style.INK, linewidth=1.1, linestyle=(0, (3, 2)), zorder=5)


def _two(value: object) -> str:
    return numbers.number(value, 2)


CHART = Chart(
    id="ket-nap-dang-vien",
    name="Kết nạp đảng viên",
    needs=("admission_rate", "dim_unit", "coverage", "target_scoreboard"),
    read=read,
    title=title,
    subtitle=subtitle,
    alt=alt,
    source=source,
    table=table,
    draw=draw,
)
