"""Where the figures of a pack come from: for each cell of its tables, which figure of which mart it shows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.charts.chart import FEWEST, Chart, Table
from reports.numbers import MISSING, is_missing
from reports.units import Tables, unit_names

TEMPLATES = Path(__file__).with_name("templates")

ALL = "Toàn Đảng bộ"

LEVELS = ("XS", "HTT", "HT", "KHT")


@dataclass(frozen=True)
class Ref:
    """A figure of a mart, as ``thucchat trace`` takes it."""

    mart: str
    key: str
    column: str
    is_total: bool = False
    """The key is a part of the mart's: the rows it names are added."""

    @property
    def command(self) -> str:
        """What to type to see its rows and cells."""
        return f'thucchat trace {self.mart} "{self.key}" {self.column}{" --sum" if self.is_total else ""}'


@dataclass(frozen=True)
class Source:
    """A figure that a pack shows, and what it was made of."""

    anchor: str
    chart: str
    row: str
    heading: str
    shown: str
    refs: tuple[Ref, ...]
    is_protected: bool = False
    """Its parts by unit are small numbers of persons, which the pack does not show either."""


def page_name(pack: str, year: int, build: str) -> str:
    """The file beside a pack's PDF that its figures point to."""
    return f"{pack}-{year}-{build}.nguon.html"


def sources(chart: Chart, number: int, table: Table, tables: Tables, year: int) -> list[list[Source | None]]:
    """By row and column of a chart's table: the source of what is shown there; None for words and hidden numbers."""
    refs_of = CHARTS.get(chart.id)
    found = []
    for place, (row, cells) in enumerate(zip(table.frame.to_dict("records"), table.rows(), strict=True), start=1):
        line: list[Source | None] = []
        for position, (column, shown) in enumerate(zip(table.columns, cells, strict=True), start=1):
            value = row[column.field]
            is_hidden = isinstance(value, str) and not column.is_text and column.field != "value"
            is_silent = refs_of is None or is_missing(value) or shown == MISSING or is_hidden
            refs = () if is_silent else tuple(refs_of(tables, year, row, column.field))
            label = str(row[table.columns[0].field])
            line.append(
                Source(
                    f"b{number}-d{place}-c{position}", chart.name, label, column.heading, shown, refs,
                    is_protected=chart.id == "ky-luat-xep-loai",
                )
                if refs
                else None
            )  # fmt: skip
        found.append(line)
    return found


def _codes(tables: Tables) -> dict[str, str]:
    """Codes of units by the names that charts show."""
    return {name: code for code, name in unit_names(tables).items()}


def _scoreboard(tables: Tables, year: int, row: Mapping[str, object], field: str) -> Iterator[Ref]:
    columns = {"target": "target_value", "value": "value", "status": "status", "note": "note"}
    columns |= {"numerator": "numerator", "denominator": "denominator"}
    board = tables["target_scoreboard"].query("year == @year")
    board = board[board["target_name"] == row["name"]]
    if "version" in row:
        board = board[board["target_version"].astype("str") == str(row["version"]).split()[0]]
    else:
        board = board[board["is_in_force"].astype(bool)]
    if field in columns and len(board) == 1 and row[field] != "":
        one = board.iloc[0]
        key = f"year={year},target_id={one['target_id']},target_version={one['target_version']}"
        yield Ref("target_scoreboard", key, columns[field])


def _distribution(tables: Tables, year: int, row: Mapping[str, object], field: str) -> Iterator[Ref]:
    parts = {level: (level,) for level in LEVELS} | {"xs_share": ("XS",), "good_share": ("XS", "HTT")}
    whole = "rated" if field in {"rated", "xs_share", "good_share"} else "not_rated" if field == "not_rated" else ""
    unit = _unit(tables, row)
    if unit is None:
        return
    for level in parts.get(field, ()):
        yield Ref("rating_distribution", f"year={year}{unit},subject_kind=member,level_code={level}", "n", unit == "")
    if whole:
        # The whole stands beside every level: it is added over the units, at one level.
        yield Ref("rating_distribution", f"year={year}{unit},subject_kind=member,level_code=XS", whole, unit == "")


def _ladder(tables: Tables, year: int, row: Mapping[str, object], field: str) -> Iterator[Ref]:
    steps = {"self": ("self",), "appraised": ("appraised",), "decided": ("decided",), "change": ("self", "decided")}
    unit = _unit(tables, row)
    if unit is None:
        return
    for step in steps.get(field, ()):
        key = f"year={year}{unit},subject_kind=member,step={step},level_code=XS"
        yield Ref("rating_ladder", key, "n", unit == "")
    if field in {*steps, "compared"}:
        key = f"year={year}{unit},subject_kind=member,step=decided,level_code=XS"
        yield Ref("rating_ladder", key, "compared", unit == "")


def _outliers(tables: Tables, year: int, row: Mapping[str, object], field: str) -> Iterator[Ref]:
    columns = {"rated": ("rated",), "xs": ("xs",), "share": ("xs", "rated")}
    unit = _codes(tables).get(str(row["unit"]))
    if unit is None or "code" not in row:
        return
    for column in columns.get(field, ()):
        yield Ref("grassroots_excellence", f"year={year},unit_code={unit},grassroots_code={row['code']}", column)


def _discipline(tables: Tables, year: int, row: Mapping[str, object], field: str) -> Iterator[Ref]:
    # The mart has rows for members alone: nothing stands behind a count of none.
    if field != "form" and row[field]:
        yield Ref("discipline_by_level", f"year={year},form={row['form']},level_code={field}", "n", is_total=True)


def _admissions(tables: Tables, year: int, row: Mapping[str, object], field: str) -> Iterator[Ref]:
    columns = {name: name for name in ("members", "admissions", "rate_pct", "pupils_students", "non_state_enterprise")}
    unit = _unit(tables, row)
    if unit is None:
        return
    unit = unit or ",unit_code=ALL"
    if field == "previous":
        yield Ref("admission_rate", f"year={year - 1}{unit}", "rate_pct")
    elif field in columns:
        yield Ref("admission_rate", f"year={year}{unit}", columns[field])


def _unit(tables: Tables, row: Mapping[str, object]) -> str | None:
    """What a key says of a row's unit: nothing for all together; None where the row is of no unit that is known."""
    if row["name"] == ALL:
        return ""
    code = _codes(tables).get(str(row["name"]))
    return f",unit_code={code}" if code else None


CHARTS: Mapping[str, Callable[[Tables, int, Mapping[str, object], str], Iterator[Ref]]] = {
    "bang-muc-tieu": _scoreboard,
    "co-cau-xep-loai": _distribution,
    "tu-danh-gia-quyet-dinh": _ladder,
    "bieu-do-pheu": _outliers,
    "ky-luat-xep-loai": _discipline,
    "ket-nap-dang-vien": _admissions,
}
"""What each chart's table shows, by the chart's id."""


def csv(found: list[Source]) -> str:
    """Every figure of a pack with what ``thucchat trace`` needs, for a spreadsheet."""
    rows = [
        (one.anchor, one.chart, one.row, one.heading, one.shown, ref.mart, ref.key, ref.column, ref.command)
        for one in found
        for ref in one.refs
    ]
    names = ["Vị trí", "Biểu đồ", "Dòng", "Cột", "Giá trị", "Bảng", "Khóa", "Cột của bảng", "Lệnh truy vết"]
    return "\ufeff" + pd.DataFrame(rows, columns=names).to_csv(index=False, lineterminator="\r\n")


def page(title: str, year: int, build: str, found: list[Source], told: Callable[[Ref], Mapping[str, object]]) -> str:
    """The page that a pack's figures point to; `told` gives a figure's `value`, `formula` and `lines`.

    Of fewer than five rows no place is told: it would lead to single persons.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template("source.html").render(
        title=title,
        year=year,
        build=build,
        sources=found,
        told=told,
        fewest=FEWEST,
        few=[str(count) for count in range(1, FEWEST)],
    )
