"""Packs on disk: which year they are of, where they lie, how a failure is told."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from orchestration import releases
from orchestration.problems import ProblemError
from orchestration.settings import Folders
from orchestration.warehouse import PACK_FILE, PACKS_OF_BUILDS, Tables, lay_out_packs, published_build
from reports.catalogue import PACKS, Pack
from submissions.store import write_aside

if TYPE_CHECKING:
    from reports.sources import Ref

PREVIEW_DPI = 45
"""Previews are for a dialog of Dagster's, at most 560 pixels wide."""


MODE = 0o640
"""A pack and the page beside it are for their owner and the group."""


def years_received(tables: Mapping[str, pd.DataFrame]) -> list[int]:
    """Years of which at least one unit's report is in the warehouse."""
    coverage = tables["coverage"]
    return sorted(int(year) for year in coverage.loc[coverage["units_received"] > 0, "year"])


def write(name: str, year: int | None, folders: Folders, province: str) -> Path:
    """Write a pack of `year`, or of the latest year received, from the published warehouse; returns the file."""
    from reports.charts.chart import ChartError
    from reports.packs import PackError, pack_pdf
    from reports.sources import page_name

    build, tables = published_build(folders), Tables(folders.published)
    received = years_received(tables)
    if not received:
        raise ProblemError("Kho đã công bố chưa có báo cáo của năm nào.")
    year = received[-1] if year is None else year
    if year not in received:
        raise ProblemError(f"Kho đã công bố chưa có báo cáo năm {year}; có các năm: {', '.join(map(str, received))}.")
    path = folders.packs / str(year) / f"{name}-{year}-{build}.pdf"
    try:
        page = _sources(name, tables, year, build, folders)
        pdf = pack_pdf(name, tables, year=year, build_id=build, province=province)
    except (ChartError, PackError) as error:
        raise ProblemError(str(error)) from error
    if wrong := releases.what_is_wrong(folders):
        raise ProblemError(f"Không làm tập biểu đồ: {wrong[0]}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path.with_name(page_name(name, year, build)), page.encode(), MODE)
    write_aside(path, pdf, MODE)
    lay_out_packs(folders, published_build(folders))  # another build may have been published meanwhile
    return path


def _sources(name: str, tables: Mapping[str, pd.DataFrame], year: int, build: str, folders: Folders) -> str:
    """The page beside a pack that says of every figure what it was made of.

    Raises `ProblemError` where a figure has no trace, or its rows give another value than the one that is shown.
    """
    from orchestration.trace import told, tracing
    from reports.packs import pack_sources
    from reports.sources import page as page_of

    shown = pack_sources(name, tables, year)
    with tracing(folders, in_brief=True) as tracer:

        @cache
        def traced(ref: "Ref") -> dict[str, object]:
            found = (tracer.total if ref.is_total else tracer.figure)(ref.mart, ref.key, ref.column)
            parts = "" if not found.parts else f" {found.parts[0].formula}"
            return {"value": told(found.value), "formula": found.formula + parts, "lines": tuple(found.every_line())}

        return page_of(PACKS[name].title, year, build, shown, traced)


def follow(folders: Folders, province: str) -> tuple[list[Path], list[str]]:
    """Make each pack that readers had of another build again from the published one.

    Returns what was written, and in words what could not be.
    """
    tables = Tables(folders.published)
    wanted = _packs_in(folders.builds / PACKS_OF_BUILDS) - _packs_in(folders.packs)
    written, problems = [], []
    for name, year in sorted((name, year) for name in PACKS for year in years_received(tables)):
        if f"{name}-{year}" in wanted:
            try:
                written.append(write(name, year, folders, province))
            except ProblemError as problem:
                problems.append(str(problem))
    return written, problems


def _packs_in(root: Path) -> set[str]:
    """Name and year of each pack that lies there, of whatever build."""
    return {match["of"] for path in root.glob("*/*") if (match := PACK_FILE.match(path.name))}


def previews(pack: Pack, tables: Mapping[str, pd.DataFrame], year: int) -> Iterator[tuple[str, bytes]]:
    """Title and small PNG of each chart of a pack."""
    from reports import style
    from reports.charts.chart import ChartError

    for chart in pack.charts:
        try:
            data = chart.read(tables, year)
        except ChartError as error:
            raise ProblemError(str(error)) from error
        with style.house():
            image = style.png(chart.figure(data), dpi=PREVIEW_DPI)
        yield chart.title(data), image
