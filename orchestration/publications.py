"""Packs on disk: which year they are of, where they lie, how a failure is told."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from orchestration.problems import ProblemError
from orchestration.settings import Folders
from orchestration.warehouse import Tables, published_build
from reports import style
from reports.charts.chart import ChartError
from reports.packs import Pack, PackError, write_pack

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
        return write_pack(name, tables, year=year, build_id=build, province=province, path=path)
    except PackError as error:
        raise ProblemError(str(error)) from error


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
