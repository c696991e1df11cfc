"""Packs: charts bound into one tagged, archivable PDF; a chart that fails stops the pack."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import typst

from reports import numbers, style
from reports.catalogue import PACKS, Pack
from reports.charts.chart import Chart, ChartError
from reports.findings import findings_in_brief
from reports.sources import Source, csv, page_name, sources
from reports.units import coverage_of

TEMPLATES = Path(__file__).with_name("templates")
VIETNAM = timezone(timedelta(hours=7))
STANDARDS = ["ua-1", "a-3a"]


class PackError(ValueError):
    """A pack that cannot be made; the message is Vietnamese and names the chart or table."""


def pack_pdf(name: str, tables: Mapping[str, pd.DataFrame], *, year: int, build_id: str, province: str) -> bytes:
    """The pack as PDF/UA-1 and PDF/A-3a, dated by the year it is about; the same tables give the same bytes."""
    pack = _pack(name, tables)
    pages = [_page(chart, number, tables, year) for number, chart in enumerate(pack.charts, start=1)]
    page = page_name(name, year, build_id)
    for one in pages:
        traced = one.pop("sources")
        one["links"] = [[f"{page}#{source.anchor}" if source else "" for source in row] for row in traced]
    document = {
        "title": pack.title,
        "province": province,
        "year": year,
        "build": build_id,
        **_standing(tables, year),
        "findings": [asdict(line) for line in findings_in_brief(tables, year)],
        "charts": pages,
        "page": page,
        "traces": csv(pack_sources(name, tables, year)),
    }
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[style.FONTS])
    compiler = typst.Compiler(
        input=TEMPLATES / pack.template,
        root=TEMPLATES,
        font_paths=fonts,
        sys_inputs={"document": json.dumps(document, ensure_ascii=False)},
    )
    try:
        return compiler.compile(
            format="pdf",
            pdf_standards=STANDARDS,
            timestamp=datetime(year, 12, 31, tzinfo=VIETNAM).astimezone(UTC),
        )
    except typst.TypstError as error:
        raise PackError(f"Không đóng được gói '{pack.title}' thành PDF: {error.message}") from error


def _pack(name: str, tables: Mapping[str, pd.DataFrame]) -> Pack:
    if name not in PACKS:
        raise PackError(f"Không có gói báo cáo '{name}'; các gói hiện có: {', '.join(PACKS)}.")
    pack = PACKS[name]
    if absent := [table for table in pack.tables if table not in tables]:
        raise PackError(f"Gói '{pack.title}' thiếu bảng số liệu: {', '.join(absent)}.")
    return pack


def pack_sources(name: str, tables: Mapping[str, pd.DataFrame], year: int) -> list[Source]:
    """Every figure in the tables of a pack, in the order of its pages, with what it was made of.

    Raises `PackError` where there is no such pack, or a table that it needs.
    """
    found = []
    for number, chart in enumerate(_pack(name, tables).charts, start=1):
        table = chart.table(chart.read(tables, year))
        found += [source for row in sources(chart, number, table, tables, year) for source in row if source]
    return found


def _standing(tables: Mapping[str, pd.DataFrame], year: int) -> dict[str, object]:
    """What the figures rest on: regulation, coverage, and why they are provisional."""
    coverage = coverage_of(tables, year)
    reasons = []
    if coverage.expected is None:
        reasons.append("chưa rõ số đơn vị phải báo cáo")
    elif not coverage.is_complete:
        reasons.append(f"thiếu số liệu của {max(coverage.expected - coverage.received, len(coverage.missing))} đơn vị")
    if "grassroots_excellence" in tables and tables["grassroots_excellence"].query("year == @year")["held_back"].sum():
        reasons.append("còn dòng xếp loại đảng viên đang giữ lại chờ đơn vị sửa, chưa tính vào số liệu")
    return {
        "coverage": str(coverage),
        "missing": list(coverage.missing),
        "reasons": reasons,
        "regime": _regime(tables["dim_year"].query("year == @year")),
        "note": _note(tables["dim_year"].query("year == @year")),
    }


def _regime(years: pd.DataFrame) -> str:
    if years.empty or numbers.is_missing(years.iloc[0]["regime_name"]):
        return numbers.MISSING
    row = years.iloc[0]
    guided = "" if numbers.is_missing(row["guidance"]) else f", Hướng dẫn {row['guidance']}"
    doubt = "" if row["is_text_confirmed"] else " (chưa đối chiếu nguyên văn)"
    return f"Quy định {row['regime_name']}{guided}{doubt}"


def _note(years: pd.DataFrame) -> str:
    if years.empty or "structure_note" not in years or numbers.is_missing(years.iloc[0]["structure_note"]):
        return ""
    return str(years.iloc[0]["structure_note"])


def _page(chart: Chart, number: int, tables: Mapping[str, pd.DataFrame], year: int) -> dict[str, object]:
    """One chart as the template takes it."""
    try:
        data = chart.read(tables, year)
        table = chart.table(data)
        with style.house():
            drawing = style.svg(chart.figure(data))
        return {
            "number": number,
            "name": chart.name,
            "title": chart.title(data),
            "subtitle": chart.subtitle(data),
            "alt": chart.alt(data),
            "source": chart.source(data),
            "svg": drawing,
            "headings": [column.heading for column in table.columns],
            "texts": [column.is_text for column in table.columns],
            "widths": [column.wide for column in table.columns],
            "rows": table.rows(),
            "sources": sources(chart, number, table, tables, year),
            "note": table.note,
            "csv": table.csv(),
            "file": f"bieu-do-{number}-{chart.id}.csv",
        }
    except ChartError as error:
        raise PackError(f"Biểu đồ {number} '{chart.name}' không vẽ được: {error}.") from error
    except Exception as error:
        raise PackError(f"Biểu đồ {number} '{chart.name}' không vẽ được ({type(error).__name__}).") from error
