"""Packs on disk: which year they are of, where they lie, how a failure is told."""

import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pandas as pd

from orchestration.problems import ProblemError
from orchestration.settings import Folders
from orchestration.warehouse import Tables, published_build
from reports import sources, style
from reports.charts.chart import ChartError
from reports.packs import PACKS, Pack, PackError, pack_sources, write_pack
from reports.sources import Ref, page_name

PREVIEW_DPI = 45
"""Previews are for a dialog of Dagster's, at most 560 pixels wide."""


def years_received(tables: Mapping[str, pd.DataFrame]) -> list[int]:
    """Years of which at least one unit's report is in the warehouse."""
    coverage = tables["coverage"]
    return sorted(int(year) for year in coverage.loc[coverage["units_received"] > 0, "year"])


def write(name: str, year: int | None, folders: Folders, province: str) -> Path:
    """Write a pack of `year`, or of the latest year received, from the published warehouse; returns the file."""
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
        written = write_pack(name, tables, year=year, build_id=build, province=province, path=path)
    except (ChartError, PackError) as error:
        raise ProblemError(str(error)) from error
    _write(page, path.with_name(page_name(name, year, build)))
    return written


def _sources(name: str, tables: Mapping[str, pd.DataFrame], year: int, build: str, folders: Folders) -> str:
    """The page beside a pack that says of every figure what it was made of.

    Raises `ProblemError` where a figure has no trace, or its rows give another value than the one that is shown.
    """
    from orchestration.trace import told, tracing

    shown = pack_sources(name, tables, year)
    with tracing(folders, in_brief=True) as tracer:

        @cache
        def traced(ref: Ref) -> dict[str, object]:
            found = (tracer.total if ref.is_total else tracer.figure)(ref.mart, ref.key, ref.column)
            parts = "" if not found.parts else f" {found.parts[0].formula}"
            return {"value": told(found.value), "formula": found.formula + parts, "lines": tuple(found.every_line())}

        return sources.page(PACKS[name].title, year, build, shown, traced)


def _write(content: str, path: Path) -> None:
    """Write a page aside, and give it its name when it is whole."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(content, encoding="utf-8")
    aside.chmod(0o640)
    os.replace(aside, path)


def previews(pack: Pack, tables: Mapping[str, pd.DataFrame], year: int) -> Iterator[tuple[str, bytes]]:
    """Title and small PNG of each chart of a pack."""
    for chart in pack.charts:
        try:
            data = chart.read(tables, year)
        except ChartError as error:
            raise ProblemError(str(error)) from error
        with style.house():
            image = style.png(chart.figure(data), dpi=PREVIEW_DPI)
        yield chart.title(data), image
