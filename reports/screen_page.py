"""A screened table as one HTML page that needs no network: the list, its reasons, what could not be tested, charts."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from ratings.combination import LISTED, NOT_TESTED
from ratings.reasons import family_names, number, percent, signal_texts
from ratings.screening import Screened, risk_told
from ratings.signals.frames import Ratings, has
from ratings.signals.scores import histogram
from ratings.signals.shares import ALARM, WARNING, funnel
from reports import style

TEMPLATES = Path(__file__).with_name("templates")

MOST_POINTS = 1_500
"""Dots of a funnel; of more organisations every so-many-th is drawn, and all that are listed."""

MOST_LINES = 60
MOST_LABELS = 8
LABEL_WIDE, LABEL_HIGH = 0.14, 0.07
"""Of a chart's width and height: so far apart are dots whose names are both written."""
MOST_BARS = 200
FEWEST_DRAWN = 5
MOST_SHOWN = 200
"""Rows of a table on the page, so that a nation's can still be opened; the CSV has all."""

HEIGHT = 3.2
"""Inches."""


@dataclass(frozen=True)
class Drawing:
    """A chart on the page: its question, its picture, and what it shows in words."""

    title: str
    svg: Markup
    note: str


def screen_page(screened: Screened, table_name: str) -> str:
    """The page of a screened table; the same answer gives the same bytes. Raises nothing where a chart does not fit."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    budget = screened.budget
    real = ~screened.bunching["is_placebo"].astype(bool) if len(screened.bunching) else None
    return environment.get_template("screen.html").render(
        table=table_name,
        screened=screened,
        budget=budget,
        columns=screened.layout.columns(),
        mapping=screened.layout.to_yaml(),
        listed=_listed(screened),
        single=_records(screened.single),
        cutoffs=_records(screened.bunching[real].sort_values("p", kind="stable")) if real is not None else [],
        placebos=_placebos(screened.bunching),
        raters=_records(screened.raters),
        not_testable=_records(screened.not_testable),
        not_tested=[(NOT_TESTED[code], count) for code, count in budget.not_tested.items()],
        counted=_counted(screened),
        drawings=list(_drawings(screened)),
        number=number,
        risk_told=risk_told,
    )


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    return frame.head(MOST_SHOWN).to_dict("records")


def _listed(screened: Screened) -> list[dict[str, object]]:
    """The listed, each with its reasons."""
    names = family_names()
    by = {code: rows.to_dict("records") for code, rows in screened.reasons.groupby("organisation", sort=False)}
    return [
        row
        | {
            "reasons": by.get(row["organisation"], []),
            "certainty": percent(row["certainty"]) if row["band"] in LISTED else "–",
            "families": [names[row["first_family"]], names[row["second_family"]]],
            "above": "–" if pd.isna(row["members_above"]) else number(row["members_above"]),
        }
        for row in screened.listed.head(MOST_SHOWN).to_dict("records")
    ]


def _placebos(bunching: pd.DataFrame) -> tuple[int, int]:
    """How many placebos were tested, and how many of them have p <= .05."""
    if bunching.empty:
        return 0, 0
    rows = bunching[bunching["is_placebo"].astype(bool) & bunching["is_testable"].astype(bool)]
    return len(rows), int((rows["p"] <= 0.05).sum())


def _counted(screened: Screened) -> list[dict[str, object]]:
    texts = signal_texts()
    return [row | {"text": texts[row["signal"]]} for row in screened.budget.signals.to_dict("records") if row["tested"]]


def _drawings(screened: Screened) -> Iterator[Drawing]:
    charts: tuple[Callable[[Screened], tuple[str, Figure, str] | None], ...] = (_funnel, _histogram, _ladder)
    for place, chart in enumerate(charts):
        with style.house():
            if (drawn := chart(screened)) is not None:
                title, figure, note = drawn
                yield Drawing(title, _inline(style.svg(figure), f"hinh{place}", f"{title} {note}"), note)


def _inline(svg: str, name: str, told: str) -> Markup:
    """A picture as it may stand inside a page: no prolog, no metadata, names of its own, and what it shows in words."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\1{name}-", svg)
    label = Markup.escape(told)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1))


def _panel() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(style.WIDTH, HEIGHT))
    return figure, style.panel(figure, left=0.62, right=0.15, top=0.15, bottom=0.5)


def _marked(screened: Screened) -> set[str]:
    bands = screened.organisations
    return set(bands.loc[bands["band"].isin(list(LISTED)), "organisation"])


def _funnel(screened: Screened) -> tuple[str, Figure, str] | None:
    """Shares of good ratings by size, with the limits of chance."""
    rows = screened.ratings.organisations
    rows = rows[rows["period"] == screened.period]
    if not has(rows, "rated", "good"):
        return None
    rows = rows[(rows["rated"] > 0) & rows["good"].notna()].sort_values("organisation", kind="stable")
    part, whole = (rows[name].to_numpy(float) for name in ("good", "rated"))
    if len(rows) < FEWEST_DRAWN or not 0 < part.sum() < whole.sum():
        return None
    limits = funnel(part, whole)
    marked = rows["organisation"].isin(_marked(screened)).to_numpy()
    drawn = marked | (np.arange(len(rows)) % -(-len(rows) // MOST_POINTS) == 0)
    figure, axes = _panel()
    sizes = np.geomspace(max(whole.min(), 1), whole.max() * 1.1 + 1, 200)
    for deviations, dashes in ((WARNING, (0, (4, 2))), (ALARM, "solid")):
        for side in (-1, 1):
            axes.plot(sizes, 100 * limits.limit(sizes, side * deviations), color=style.FAINT, linestyle=dashes, lw=0.8)
    axes.axhline(100 * limits.centre, color=style.QUIET, linewidth=0.8)
    quiet = drawn & ~marked
    axes.scatter(whole[quiet], 100 * part[quiet] / whole[quiet], s=9, color=style.BLUE, alpha=0.6, linewidths=0)
    axes.scatter(whole[marked], 100 * part[marked] / whole[marked], s=26, color=style.ORANGE, linewidths=0)
    names = screened.organisations.set_index("organisation")["name"]
    for place in _apart(np.flatnonzero(marked), np.log(whole), part / whole):
        name = str(names[rows["organisation"].iloc[place]])[:28]
        axes.annotate(
            name,
            (whole[place], 100 * part[place] / whole[place]),
            xytext=(4, 3),
            textcoords="offset points",
            size=style.SMALL,
            color=style.ORANGE,
        )
    axes.set(xscale="log", xlabel="Số được xếp loại (thang log)", ylabel="Tỷ lệ từ mức tốt trở lên (%)")
    axes.xaxis.set_major_formatter(lambda value, _: number(value))
    # A few units may all lie between two powers of ten.
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if sizes[-1] > 10 * sizes[0] else MaxNLocator(6))
    axes.minorticks_off()
    note = (
        f"Mỗi chấm là một tổ chức; đường nét đứt là giới hạn 95%, nét liền 99,8%; màu cam là nhóm A và B. "
        f"Tỷ lệ chung {percent(limits.centre)}."
    )
    return "Tỷ lệ tốt có cao hơn mức mà quy mô cho phép không?", figure, note


def _apart(places: np.ndarray, across: np.ndarray, up: np.ndarray) -> list[int]:
    """The first few of these dots whose names do not cover one another."""
    wide, high = np.ptp(across) or 1.0, np.ptp(up) or 1.0
    kept: list[int] = []
    for place in places:
        free = all(
            abs(across[place] - across[other]) > LABEL_WIDE * wide or abs(up[place] - up[other]) > LABEL_HIGH * high
            for other in kept
        )
        if free and len(kept) < MOST_LABELS:
            kept.append(int(place))
    return kept


def _histogram(screened: Screened) -> tuple[str, Figure, str] | None:
    """All scores of the period, with cut-offs and placebos."""
    scores, scale = histogram(screened.ratings), screened.ratings.scale
    if scores.empty:
        return None
    scores = scores[scores["period"] == screened.period]
    value = scores["score"].to_numpy(float)
    value, count = -value if scale.is_reflected else value, scores["count"].to_numpy(float)
    if count.sum() < FEWEST_DRAWN:
        return None
    order = np.argsort(value, kind="stable")
    ends = np.searchsorted(np.cumsum(count[order]), count.sum() * np.array([0.001, 0.999]))
    low, high = value[order][np.minimum(ends, len(order) - 1)]
    distinct = np.unique(value[(value >= low) & (value <= high)])
    steps = np.diff(distinct)
    width = max(float(steps.min()), (high - low) / MOST_BARS) if len(steps) else 0.0
    edges = np.arange(low - width / 2, high + width, width) if width > 0 else np.array([low - 0.5, high + 0.5])
    heights, edges = np.histogram(value, edges, weights=count)
    figure, axes = _panel()
    axes.bar(edges[:-1], heights, np.diff(edges), align="edge", color=style.BLUE, edgecolor="white", linewidth=0.2)
    shift = width / 2 if scale.is_reflected else -width / 2  # a line stands between the last below and the first above
    for cutoff in scale.cutoffs:
        place = scale.shown(cutoff) + shift
        axes.axvline(place, color=style.ORANGE, linewidth=1.4)
        axes.annotate(
            number(scale.shown(cutoff), 2),
            (place, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -8),
            textcoords="offset points",
            size=8,
            color=style.ORANGE,
            weight="bold",
        )
    if len(screened.bunching):
        rows = screened.bunching[screened.bunching["is_placebo"].astype(bool)]
        for place in np.unique(rows["cutoff"].to_numpy(float)):
            if low <= place <= high:
                axes.axvline(place + shift, color=style.FAINT, linewidth=0.7, linestyle=(0, (2, 2)))
    axes.set(xlabel="Điểm", ylabel="Số lượng", xlim=(edges[0], edges[-1]))
    axes.yaxis.set_major_formatter(lambda value, _: number(value))
    note = (
        f"{number(count.sum())} điểm của kỳ {screened.period_name}; màu cam là ngưỡng, nét đứt xám là điểm đối chứng."
    )
    return "Điểm có dồn lại ngay trên ngưỡng không?", figure, note


def _ladder(screened: Screened) -> tuple[str, Figure, str] | None:
    """Shares of good at each step from what was claimed to what was decided."""
    shares = _steps(screened.ratings, screened.period)
    if shares is None:
        return None
    whole, by = shares
    marked = _marked(screened)
    kept = [code for code in by.index if code in marked][:MOST_LINES]
    others = [code for code in by.index if code not in marked]
    others = others[:: max(1, -(-len(others) // MOST_LINES))]
    figure, axes = _panel()
    for code in others:
        axes.plot(by.columns, by.loc[code], color=style.LIGHT, linewidth=0.7)
    for code in kept:
        axes.plot(by.columns, by.loc[code], color=style.ORANGE, linewidth=1.1)
    axes.plot(by.columns, whole, color=style.NAVY, linewidth=2.4, marker="o")
    axes.set(ylabel="Tỷ lệ từ mức tốt trở lên (%)")
    note = (
        "Đường đậm là toàn bảng, màu cam là nhóm A và B, xám là một số tổ chức khác; chỉ tính đối tượng có đủ các bước."
    )
    return "Từ tự nhận đến quyết định, có ai bị hạ không?", figure, note


def _steps(ratings: Ratings, period: int) -> tuple[pd.Series, pd.DataFrame] | None:
    """Per cent rated good at every step: all together, and by organisation."""
    names = {"own": "Tự nhận", "appraised": "Thẩm định", "final": "Quyết định"}
    known = [name for name in names if has(ratings.subjects, name)]
    if "final" not in known or len(known) < 2:
        return None
    rows = ratings.subjects[ratings.subjects["period"] == period].dropna(subset=known)
    if len(rows) < FEWEST_DRAWN:
        return None
    least = len(ratings.scale.levels) - ratings.scale.good_levels
    good = (rows[known] >= least).astype(float).mul(100).rename(columns=names)
    return good.mean(), good.groupby(rows["organisation"].to_numpy()).mean()
