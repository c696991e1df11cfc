"""The regulations as tables: regimes, levels, bands of points, caps and targets, each with its source and its days.

They are the seeds of the warehouse, and the rules read the same files. What contradicts itself (two regimes for a year,
a gap between them, a target without source) is refused whole, with every row named. ``valid_from`` is the first day,
``valid_to`` the first day after; a year is governed by what is in force on its 31 December, when ratings are decided.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

SEEDS = Path(__file__).resolve().parents[1] / "dbt_project" / "seeds"
"""Where the tables stand."""

OPEN = date.max
"""The end of what has none."""


class TableError(ValueError):
    """Tables that cannot be used; the message is Vietnamese and names file and line of every fault."""


class _Line(BaseModel):
    """A row of a table: what it says, and on what grounds."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, str_min_length=1)

    line: int = Field(exclude=True)
    """Line of the file, for messages."""
    faults: frozenset[str] = Field(default=frozenset(), exclude=True)
    """Columns that cannot be read; in rows that leave `read_tables` there are none."""
    legal_source: str


class _Row(_Line):
    """A row that holds from a day to a day."""

    valid_from: date
    valid_to: date | None = None
    is_confirmed: bool
    note: str | None = None

    @property
    def end(self) -> date:
        """The first day on which the row does not hold any more."""
        return self.valid_to or OPEN

    def covers(self, year: int) -> bool:
        """Whether the row holds for a year assessed."""
        return self.valid_from <= date(year, 12, 31) < self.end

    def meets(self, other: Self) -> bool:
        """Whether both hold on some day."""
        return self.valid_from < other.end and other.valid_from < self.end


class Regime(_Row):
    """A regulation with its guidance, and the years assessed under it."""

    regime_id: str = Field(pattern=r"^QD\d+\w*$")
    version: int = Field(ge=1)
    regime_name: str
    guidance: str

    @property
    def id(self) -> str:
        """Its id."""
        return self.regime_id

    @property
    def name(self) -> str:
        """What the regulation is called."""
        return self.regime_name

    @property
    def last_year(self) -> int:
        """The last year of which a day is its own."""
        return (self.end - timedelta(days=1)).year


class Level(_Row):
    """One of the levels of the yearly rating."""

    level_code: str
    level_name: str
    level_order: int = Field(ge=1)
    is_good_or_above: bool
    version: int = Field(ge=1)


class SchemeLevel(_Row):
    """What a level was called in a time."""

    scheme_id: str
    subject_kind: Literal["organisation", "member"]
    level_code: str
    scheme_level_name: str
    is_former: bool
    version: int = Field(ge=1)


class Band(_Row):
    """From how many points on a subject has which band."""

    band_set: str
    version: int = Field(ge=1)
    band_code: str
    band_name: str
    points_from: Decimal = Field(ge=0, le=100)
    points_below: Decimal | None = Field(default=None, gt=0, le=100)


class Cap(_Row):
    """How many may be rated excellent under a regime."""

    regime_id: str
    version: int = Field(ge=1)
    base: Literal["A", "B", "C"]
    base_is_confirmed: bool
    cap_pct: int = Field(ge=1, le=100)
    exception_cap_pct: int | None = Field(default=None, ge=1, le=100)
    rounding: Literal["floor"]


class Target(_Row):
    """One version of a target."""

    target_id: str
    target_version: int = Field(ge=1)
    target_name: str
    programme: str
    measure: str
    comparison: Literal["gt", "ge", "between"]
    target_value: Decimal = Field(ge=0)
    target_value_to: Decimal | None = Field(default=None, ge=0)
    unit_of_measure: str


class Article(_Line):
    """By which article of the Statute a body conducts a kind of inspection."""

    article: int
    conductor: str
    kind: str


@dataclass(frozen=True)
class Tables:
    """The tables, checked against each other."""

    regimes: tuple[Regime, ...]
    levels: tuple[Level, ...]
    level_schemes: tuple[SchemeLevel, ...]
    score_bands: tuple[Band, ...]
    caps: tuple[Cap, ...]
    targets: tuple[Target, ...]
    inspection_articles: tuple[Article, ...]


KINDS: dict[str, type[_Line]] = {
    "regimes": Regime,
    "levels": Level,
    "level_schemes": SchemeLevel,
    "score_bands": Band,
    "caps": Cap,
    "targets": Target,
    "inspection_articles": Article,
}
"""The tables and what their rows are."""


R = TypeVar("R", bound=_Line)


def read_tables(folder: Path = SEEDS) -> Tables:
    """All tables; raises `TableError` that names every faulty row of all of them.

    What rows say together is told of all that can be read: what rests on a row that is lacking only where none is.
    """
    problems: list[str] = []
    tables = Tables(**{name: _read(folder / f"{name}.csv", kind, problems) for name, kind in KINDS.items()})
    problems += [problem for check in _CHECKS for problem in check(tables)]
    if problems:
        raise TableError("Bảng quy định không dùng được:\n" + "\n".join(f"- {problem}" for problem in problems))
    return tables


def _sound(rows: Sequence[R], *columns: str) -> Sequence[R]:
    """The rows that can be read in all of these columns."""
    return [row for row in rows if row.faults.isdisjoint(columns)]


def _whole(rows: Sequence[R], *columns: str) -> Sequence[R]:
    """The rows if all of them can be read in all of these columns, else none."""
    sound = _sound(rows, *columns)
    return sound if len(sound) == len(rows) else []


def _read(path: Path, kind: type[R], problems: list[str]) -> tuple[R, ...]:
    """The rows of a table; of what cannot be read at all, one of which nothing is known."""
    unread = (_known(kind, {}, 0, kind.model_fields),)
    if not path.exists():
        problems.append(f"{path.name}: không tìm thấy tệp trong {path.parent}")
        return unread
    rows = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            wanted = [name for name in kind.model_fields if name not in _OURS]
            headings = reader.fieldnames or []
            needed = [name for name in wanted if kind.model_fields[name].is_required() or name == "valid_to"]
            wrong = [f"thiếu cột {name}" for name in needed if name not in headings]
            wrong += [f"cột lạ “{name}”" for name in headings if name not in wanted]
            wrong += [f"cột {name} có hai lần" for name in sorted({*headings}) if headings.count(name) > 1]
            if wrong:
                problems.append(f"{path.name}, dòng 1: {'; '.join(wrong)}")
                return unread
            for row in reader:
                told, faults = _row(row, kind, reader.line_num)
                rows.append(told)
                problems += [f"{path.name}, dòng {reader.line_num}{fault}" for fault in faults]
    except (UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{path.name}: không đọc được như tệp CSV (UTF-8, dấu phẩy): {type(error).__name__}")
        return (*rows, *unread)
    if not rows:
        problems.append(f"{path.name}: không có dòng nào")
    return tuple(rows) or unread


_OURS = ("line", "faults")
"""Fields of a row that are no columns."""


def _row(row: dict, kind: type[R], line: int) -> tuple[R, list[str]]:
    """The row, None where a cell cannot be read, and what is wrong with it."""
    if None in row or None in row.values():
        return _known(kind, {}, line, kind.model_fields), [": số ô khác số cột"]
    cells = {name: value for name, value in row.items() if value.strip()}
    try:
        return kind.model_validate(cells | {"line": line}), []
    except ValidationError as error:
        faults = {str(fault["loc"][0]): _fault(fault) for fault in error.errors()}
        return _known(kind, cells, line, faults), [f", cột {name}: {what}" for name, what in faults.items()]


def _known(kind: type[R], cells: Mapping[str, str], line: int, faults: Iterable[str]) -> R:
    """What is known of a row of which some columns cannot be read."""
    faults = frozenset(faults)
    read = {name: cell for name, cell in cells.items() if name not in faults}
    return _of_some_cells(kind).model_validate(read | {"line": line, "faults": faults})


@cache
def _of_some_cells(kind: type[R]) -> type[R]:
    """Rows of a table in which any cell may lack."""
    columns = {name: (field.annotation | None, None) for name, field in kind.model_fields.items() if name not in _OURS}
    return create_model(f"Some{kind.__name__}", __base__=kind, **columns)


def _fault(fault: dict) -> str:
    """What pydantic found, in Vietnamese."""
    found = f"“{fault['input']}” "
    context = fault.get("ctx", {})
    match fault["type"]:
        case "missing":
            return "để trống"
        case "literal_error":
            return f"{found}không phải là một trong: {str(context['expected']).replace(' or ', ', ')}"
        case kind if kind.startswith("date"):
            return f"{found}không phải là ngày dạng yyyy-mm-dd"
        case kind if kind.startswith("bool"):
            return f"{found}không phải là true hoặc false"
        case kind if kind.startswith(("int", "decimal")):
            return f"{found}không phải là số{' nguyên' if kind.startswith('int') else ''}"
        case "greater_than_equal" | "greater_than" | "less_than_equal":
            sign = {"greater_than_equal": "ge", "greater_than": "gt", "less_than_equal": "le"}[fault["type"]]
            words = {"ge": "không nhỏ hơn", "gt": "lớn hơn", "le": "không lớn hơn"}
            return f"{found}phải {words[sign]} {context[sign]}"
        case _:
            return f"{found}không đúng khuôn"


# --- checks between rows ---------------------------------------------------------------------------------------------


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"


def _at(name: str, *rows: _Line) -> str:
    return f"{name}.csv, " + " và ".join(f"dòng {row.line}" for row in rows)


def _backwards(tables: Tables) -> Iterator[str]:
    dated = [name for name, kind in KINDS.items() if issubclass(kind, _Row)]
    for name in dated:
        for row in _sound(getattr(tables, name), *_DAYS):
            if row.end <= row.valid_from:
                yield f"{_at(name, row)}: hết hiệu lực ({_day(row.end)}) không sau ngày có hiệu lực"


_DAYS = ("valid_from", "valid_to")


def _doubled(tables: Tables) -> Iterator[str]:
    """Two rows with one key."""
    keys: dict[str, Sequence[str]] = {
        "regimes": ["regime_id"],
        "levels": ["level_code", "version"],
        "level_schemes": ["scheme_id", "subject_kind", "scheme_level_name"],
        "score_bands": ["band_set", "version", "band_code"],
        "caps": ["regime_id", "version"],
        "targets": ["target_id", "target_version"],
        "inspection_articles": ["article", "conductor", "kind"],
    }
    for name, key in keys.items():
        for one, other in combinations(_sound(getattr(tables, name), *key), 2):
            if all(getattr(one, part) == getattr(other, part) for part in key):
                told = ", ".join(str(getattr(one, part)) for part in key)
                yield f"{_at(name, one, other)}: trùng khóa ({told})"


def _regimes(tables: Tables) -> Iterator[str]:
    """One regime a year: none has two, none between two has none."""

    def in_order(rows: Iterable[Regime]) -> list[Regime]:
        return sorted(rows, key=lambda regime: (regime.valid_from, regime.end))

    for one, other in combinations(in_order(_sound(tables.regimes, *_DAYS)), 2):
        if other.valid_from.year <= one.last_year:
            yield (
                f"{_at('regimes', one, other)}: năm {other.valid_from.year} có hai quy định "
                f"({one.id or '?'} và {other.id or '?'}), từ ngày {_day(other.valid_from)}"
            )
    for one, other in pairwise(in_order(_whole(tables.regimes, *_DAYS))):
        if one.end < other.valid_from:
            last = _day(other.valid_from - timedelta(days=1))
            yield (
                f"{_at('regimes', one, other)}: không có quy định nào từ ngày {_day(one.end)} đến ngày {last} "
                f"(giữa {one.id or '?'} và {other.id or '?'})"
            )


def _overlaps(name: str, rows: Iterable[_Row], of: Sequence[str], what: str) -> Iterator[str]:
    """Rows of one thing that hold on the same day; a thing is what the columns `of` say."""
    for one, other in combinations(_sound(rows, *of, *_DAYS), 2):
        thing = [getattr(one, part) for part in of]
        if thing == [getattr(other, part) for part in of] and one.meets(other):
            first = _day(max(one.valid_from, other.valid_from))
            told = ", ".join(map(str, thing))
            yield f"{_at(name, one, other)}: hai bản của {what} {told} cùng có hiệu lực từ ngày {first}"


def _targets(tables: Tables) -> Iterator[str]:
    yield from _overlaps("targets", tables.targets, ["target_id"], "chỉ tiêu")
    versions = _sound(tables.targets, "target_id", "target_version", "valid_from")
    for one, other in pairwise(sorted(versions, key=lambda row: (row.target_id, row.target_version))):
        if one.target_id == other.target_id and other.valid_from < one.valid_from:
            yield f"{_at('targets', one, other)}: bản sau của chỉ tiêu {one.target_id} có hiệu lực trước bản trước"
    for row in _sound(tables.targets, "comparison", "target_value", "target_value_to"):
        if (row.comparison == "between") != (row.target_value_to is not None):
            yield f"{_at('targets', row)}, cột target_value_to: chỉ và phải có khi comparison là between"
        elif row.target_value_to is not None and row.target_value_to < row.target_value:
            yield f"{_at('targets', row)}, cột target_value_to: nhỏ hơn target_value"
    for row in _sound(tables.targets, "unit_of_measure", "target_value"):
        if row.unit_of_measure == "%" and row.target_value > 100:
            yield f"{_at('targets', row)}, cột target_value: tỷ lệ quá 100%"


def _bands(tables: Tables) -> Iterator[str]:
    scale = ("band_set", "version")
    sets: dict[tuple[str, int], list[Band]] = {}
    for row in _sound(tables.score_bands, *scale):
        sets.setdefault((row.band_set, row.version), []).append(row)
    of_unknown = len(_sound(tables.score_bands, *scale)) < len(tables.score_bands)
    for (name, version), bands in sets.items():
        ordered = sorted(_whole(bands, "points_from", "points_below"), key=lambda band: band.points_from)
        if ordered and not of_unknown:
            yield from _holes(f"thang {name}, bản {version}", ordered)
        dated = sorted(_sound(bands, *_DAYS), key=lambda band: band.line)
        if len({(band.valid_from, band.valid_to) for band in dated}) > 1:
            told = f"các mức của thang {name}, bản {version} không cùng thời gian hiệu lực"
            yield f"{_at('score_bands', *dated)}: {told}"
    firsts = [bands[0] for bands in sets.values()]
    yield from _overlaps("score_bands", firsts, ["band_set"], "thang")


def _holes(scale: str, ordered: Sequence[Band]) -> Iterator[str]:
    """Points of a scale that no band has, or two have."""
    if ordered[0].points_from != 0:
        yield f"{_at('score_bands', ordered[0])}: {scale} không bắt đầu từ 0 điểm"
    if ordered[-1].points_below is not None:
        yield f"{_at('score_bands', ordered[-1])}: {scale} không phủ hết đến 100 điểm (points_below phải để trống)"
    for one, other in pairwise(ordered):
        if one.points_below != other.points_from:
            until = "100" if one.points_below is None else f"{one.points_below:f}"
            fault = "hở" if one.points_below is not None and one.points_below < other.points_from else "chồng nhau"
            yield f"{_at('score_bands', one, other)}: {scale} {fault} từ {until} đến {other.points_from:f} điểm"


def _caps(tables: Tables) -> Iterator[str]:
    regimes = {regime.id: regime for regime in _whole(tables.regimes, "regime_id")}
    yield from _overlaps("caps", tables.caps, ["regime_id"], "trần xuất sắc của")
    for row in _sound(tables.caps, "regime_id") if regimes else []:
        regime = regimes.get(row.regime_id)
        if regime is None:
            yield f"{_at('caps', row)}, cột regime_id: không có quy định {row.regime_id} trong regimes.csv"
        elif not (row.faults | regime.faults).isdisjoint(_DAYS):
            continue
        elif row.valid_from < regime.valid_from or row.end > regime.end:
            yield f"{_at('caps', row)}: ngoài thời gian áp dụng của {row.regime_id} trong regimes.csv"
    for row in _sound(tables.caps, "cap_pct", "exception_cap_pct"):
        if row.exception_cap_pct is not None and row.exception_cap_pct < row.cap_pct:
            yield f"{_at('caps', row)}, cột exception_cap_pct: nhỏ hơn cap_pct"


def _levels(tables: Tables) -> Iterator[str]:
    codes = {row.level_code for row in _whole(tables.levels, "level_code")}
    for row in _sound(tables.level_schemes, "level_code") if codes else []:
        if row.level_code not in codes:
            yield f"{_at('level_schemes', row)}, cột level_code: không có mức {row.level_code} trong levels.csv"
    yield from _overlaps("levels", tables.levels, ["level_code"], "mức")
    rows = _whole(tables.levels, "level_order", "is_good_or_above", "valid_to")
    ordered = sorted((row for row in rows if row.valid_to is None), key=lambda row: row.level_order)
    if [row.level_order for row in ordered] != list(range(1, len(ordered) + 1)):
        yield f"{_at('levels', *ordered)}: thứ tự mức (level_order) phải là 1, 2, 3, ... mỗi số một lần"
    for one, other in pairwise(ordered):
        if other.is_good_or_above and not one.is_good_or_above:
            yield f"{_at('levels', one, other)}: mức kém hơn được tính là tốt trở lên mà mức trên thì không"


_CHECKS: tuple[Callable[[Tables], Iterator[str]], ...] = (
    _backwards,
    _doubled,
    _regimes,
    _targets,
    _bands,
    _caps,
    _levels,
)
"""The checks between rows."""
