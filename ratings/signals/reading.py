"""Any tidy table of ratings as `Ratings`: which column is what, by name, by options or by a small YAML.

A table has one row an organisation and period (counts by level, or rated and good), or a row a part of it (with
`group`), or a row a rated subject (a level, a score, or both; with `rater` a row a rating), or a row a score (with
`count`).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from ratings.signals.checking import LINE, check, rows_named
from ratings.signals.frames import InputError, Ratings, Scale

EVERYTHING = "toàn bảng"
"""What the one organisation is called where a table names none."""

JOINED = " · "
"""Between the parts of an organisation that several columns name."""

FIRST_LINE = 2
"""The line of a table's first row: the heading is line 1."""

LEVEL_NAMES = {
    "XS": ("xs", "htxsnv", "xuatsac", "hoanthanhxuatsac", "hoanthanhxuatsacnhiemvu", "hoan thanh xuat sac"),
    "HTT": ("htt", "httnv", "hoanthanhtot", "hoanthanhtotnhiemvu"),
    "HT": ("ht", "htnv", "hoanthanh", "hoanthanhnhiemvu"),
    "KHT": ("kht", "khtnv", "khonghoanthanh", "khonghoanthanhnhiemvu", "chuahoanthanh"),
}
"""How the four levels of the Party's scale are written."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "organisation": (
        "organisation", "organization", "organisationcode", "organisationid", "org", "orgcode", "unit", "unitcode",
        "matochuc", "tochuc", "madonvi", "donvi", "tochucdang", "school", "hospital", "trust", "provider", "court",
    ),
    "name": ("name", "organisationname", "organizationname", "unitname", "ten", "tentochuc", "tendonvi"),
    "parent": ("parent", "parentcode", "parentid", "district", "region", "captren", "donvicaptren", "macaptren",
               "huyen", "dangbocaptren"),
    "period": ("period", "year", "nam", "ky", "namdanhgia", "quarter", "month", "thang", "quy"),
    "type": ("type", "kind", "organisationtype", "loai", "loaihinh", "nhom", "linhvuc"),
    "group": ("group", "cell", "cellcode", "chibo", "bophan", "machibo"),
    "subject": ("subject", "subjectid", "member", "memberkey", "memberid", "object", "dangvien", "madangvien",
                "doituong", "film", "performance"),
    "rater": ("rater", "judge", "reviewer", "site", "nguoicham", "giamkhao", "hoidong"),
    "level": ("level", "final", "finallevel", "rating", "decided", "muc", "xeploai", "mucxeploai", "ketqua"),
    "own": ("self", "selflevel", "selfrating", "own", "tuxeploai", "tudanhgia", "tunhan", "muctunhan"),
    "appraised": ("appraised", "proposed", "proposedlevel", "denghi", "dexuat", "thamdinh", "mucdenghi"),
    "score": ("score", "points", "mark", "diem", "tongdiem", "diemso"),
    "count": ("count", "freq", "frequency", "n", "soluong", "dem"),
    "stored": ("stored", "raw", "diemgoc"),
    "is_own": ("isown", "home", "phiaminh", "cungphia"),
    "rated": ("rated", "n", "total", "denominator", "tongso", "soduocxeploai", "duocxeploai"),
    "good": ("good", "goodorabove", "k", "numerator", "tot", "tottrolen", "sotot"),
    "top": ("top", "excellent", "k4", "xuatsac", "soxuatsac"),
    "excluded": ("excluded", "notrated", "khongxeploai", "sokhongxeploai"),
    "own_level": ("ownlevel", "organisationlevel", "muctochuc", "xeploaitochuc"),
    "claims": ("claims", "sotunhan"),
    "lowered": ("lowered", "sobiha"),
    "raised": ("raised", "soduocnang"),
    "unappraised": ("unappraised", "khongthamdinh"),
    "rechecked": ("rechecked", "sothamdinhlai"),
    "recheck_lowered": ("rechecklowered", "sobihakhithamdinhlai"),
}  # fmt: skip
"""Names a column is known by, without accents, case and punctuation."""

BETTER = {"more": 1, "better": 1, "+": 1, "tot": 1, "cang nhieu cang tot": 1}
WORSE = {"less": -1, "worse": -1, "-": -1, "xau": -1, "cang nhieu cang xau": -1}

UNKNOWN = ("", " ", "-", ".", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
"""What stands for "not known" in a column of numbers or levels."""


class Layout(BaseModel):
    """What the columns of a table are, and what was set beforehand; the YAML has the same keys.

    Columns: `organisation` (several are joined), `name`, `parent`, `period`, `type`, `group`; counts: `level_columns`
    (level -> column), or `rated`, `good`, `top`; a rated subject: `subject`, `level`, `own`, `appraised`, `score`,
    `stored`, `rater`, `is_own` or `rater_side` with `subject_side`; a histogram: `score`, `count`; of the organisation:
    `own_level`, `excluded`, `claims`, `lowered`, `raised`, `unappraised`, `rechecked`, `recheck_lowered`, and
    `evidence` (column -> more, where more is better, or less).
    The scale: `levels` best first, `good_from` (the lowest that is good), `top_to` (the lowest that a cap limits),
    `target`, `cap`, `cap_base`, `cutoffs`, `placebos`, `score_min`, `score_max`, `score_step`, `lower_is_better`.
    `missing`: values that stand for "not known" (999) in columns of numbers and levels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    organisation: tuple[str, ...] = ()
    name: str | None = None
    parent: str | None = None
    period: str | None = None
    type: str | None = None
    group: str | None = None
    level_columns: dict[str, str] = {}
    rated: str | None = None
    good: str | None = None
    top: str | None = None
    subject: str | None = None
    level: str | None = None
    own: str | None = None
    appraised: str | None = None
    score: str | None = None
    count: str | None = None
    stored: str | None = None
    rater: str | None = None
    is_own: str | None = None
    rater_side: str | None = None
    subject_side: str | None = None
    own_level: str | None = None
    excluded: str | None = None
    claims: str | None = None
    lowered: str | None = None
    raised: str | None = None
    unappraised: str | None = None
    rechecked: str | None = None
    recheck_lowered: str | None = None
    evidence: dict[str, Literal["more", "less"]] = {}
    levels: tuple[str, ...] = ()
    good_from: str | None = None
    top_to: str | None = None
    target: float | None = None
    cap: float | None = None
    cap_base: Literal["good", "good_or_above", "rated"] = "good"
    cutoffs: tuple[float, ...] = ()
    placebos: tuple[float, ...] | None = None
    score_min: float | None = None
    score_max: float | None = None
    score_step: float | None = None
    lower_is_better: bool = False
    missing: tuple[str, ...] = ()

    @field_validator("organisation", "levels", "missing", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list) else value

    @field_validator("cutoffs", "placebos", mode="before")
    @classmethod
    def _marks(cls, value: object) -> object:
        if value is None or (isinstance(value, tuple) and not value):
            return value
        return tuple(number_of(each) for each in (value if isinstance(value, list | tuple) else [value]))

    @field_validator("score_min", "score_max", mode="before")
    @classmethod
    def _mark(cls, value: object) -> object:
        return None if value is None else number_of(value)

    @field_validator("evidence", mode="before")
    @classmethod
    def _directions(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {str(column): direction_of(each) for column, each in value.items()}

    @field_validator("level_columns", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        return {str(level): str(each) for level, each in value.items()} if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.levels and set(self.level_columns) - set(self.levels):
            raise ValueError("level_columns có mức không có trong levels")
        if (self.rater_side is None) != (self.subject_side is None):
            raise ValueError("rater_side và subject_side phải đi cùng nhau")
        return self

    def columns(self) -> dict[str, str]:
        """Every column that is used, by what it is: one entry a column."""
        single = {role: value for role in NAMES if isinstance(value := getattr(self, role), str)}
        single |= {role: value for role in ("rater_side", "subject_side") if (value := getattr(self, role))}
        single |= {
            "organisation" if place == 1 else f"organisation {place}": column
            for place, column in enumerate(self.organisation, start=1)
        }
        single |= {f"mức {level}": column for level, column in self.level_columns.items()}
        return single | {f"số liệu {column}": column for column in self.evidence}

    def to_yaml(self) -> str:
        """The layout as YAML that reads back to the same."""
        given = self.model_dump(mode="json", exclude_defaults=True)
        return yaml.safe_dump(given, allow_unicode=True, sort_keys=False)


@dataclass(frozen=True)
class Read:
    """A table as ratings, how it was understood, and what should be known of it."""

    ratings: Ratings
    layout: Layout
    notes: tuple[str, ...]
    periods: Mapping[int, str]
    """What each period is called in the table"""


def layout_of(**options: object) -> Layout:
    """A layout of options; raises `InputError` in Vietnamese."""
    try:
        return Layout.model_validate({key: value for key, value in options.items() if value is not None})
    except ValidationError as error:
        raise InputError([_option_problem(each) for each in error.errors()]) from error


def read_layout(path: Path) -> dict[str, object]:
    """The options a YAML holds; raises `InputError`."""
    try:
        given = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError([f"Không đọc được tệp ánh xạ {path.name}: không phải YAML (UTF-8)."]) from error
    if not isinstance(given, dict):
        raise InputError([f"Tệp ánh xạ {path.name} phải gồm các dòng khóa: giá trị."])
    return given


def guess(columns: Iterable[str], layout: Layout) -> Layout:
    """The layout with what the names of the other columns tell without doubt; of two that fit none is taken."""
    taken = set(layout.columns().values())
    free = {column: _plain(column) for column in columns if column not in taken}
    found: dict[str, object] = {}

    def take(role: str, names: Iterable[str]) -> None:
        fitting = [column for column, plain in free.items() if plain in names]
        if len(fitting) == 1:
            found[role] = (fitting[0],) if role == "organisation" else fitting[0]
            del free[fitting[0]]

    if not layout.level_columns and layout.level is None:
        wide = _level_columns(free, layout.levels)
        if wide:
            found["level_columns"] = wide
            for column in wide.values():
                del free[column]
    given = {role for role in NAMES if getattr(layout, role)}
    shape = layout.level_columns or found.get("level_columns")
    for role, names in NAMES.items():
        if role in given or (role in ("level", "own", "appraised", "count") and shape):
            continue
        if role == "organisation" and (layout.rater and layout.subject):
            continue
        if role == "count" and (not (layout.score or "score" in found) or layout.good or _named(free, "good")):
            continue
        take(role, names)
    return layout.model_copy(update=found)


def _named(free: Mapping[str, str], role: str) -> bool:
    return any(plain in NAMES[role] for plain in free.values())


def read(table: pd.DataFrame, layout: Layout | None = None, *, first_line: int = FIRST_LINE) -> Read:
    """The ratings of a table, checked (`checking.check`); row i of the table is line `first_line` + i in what is told.

    Columns the layout leaves open are guessed by name. Numbers may be text (decimal point or comma); scores may be
    times (h:mm:ss, in seconds). Where lower is better, scores and cut-offs are turned round; a cut-off then belongs to
    the better side: 13 with "A up to 13". Periods may be years, quarters, months or days (the year is taken).
    Raises `InputError` with all problems.
    """
    if table.empty:
        raise InputError(["Bảng không có dòng nào."])
    table = table.set_axis([str(column) for column in table.columns], axis=1)
    doubled = table.columns[table.columns.duplicated()].unique()
    if len(doubled):
        raise InputError([f"Bảng có hai cột cùng tên: {', '.join(doubled)}."])
    layout = guess(table.columns, layout or Layout())
    unknown = [column for column in layout.columns().values() if column not in table]
    if unknown:
        raise InputError([f"Bảng không có cột {', '.join(unknown)}; các cột: {', '.join(table.columns)}."])
    table = table.set_axis(pd.RangeIndex(first_line, first_line + len(table), name=LINE), axis=0)
    return _Reader(table, layout).read()


def number_of(value: object) -> float:
    """A number as people write it: 0.9, 0,9, 65%, 4:00:00 (in seconds). Raises ValueError."""
    if isinstance(value, int | float):
        return float(value)
    text = str(value).strip().replace("−", "-")
    if re.fullmatch(r"\d+(:\d{1,2}){1,2}", text):
        return _seconds(text)
    if text.endswith("%"):
        return number_of(text[:-1]) / 100
    return float(text.replace(",", "."))


def _number_or_none(text: str) -> float | None:
    try:
        return number_of(text)
    except ValueError:
        return None


def direction_of(value: object) -> str:
    """The word `more` where more is better, `less` where it is worse; raises ValueError."""
    plain = unaccented(str(value)).strip().casefold()
    if plain in BETTER or plain == "1":
        return "more"
    if plain in WORSE or plain == "-1":
        return "less"
    raise ValueError(f"chiều “{value}” không rõ; dùng tot (càng nhiều càng tốt) hoặc xau (càng nhiều càng xấu)")


def unaccented(text: str) -> str:
    """Text without Vietnamese accents."""
    bare = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in bare if unicodedata.category(letter) != "Mn")


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", unaccented(text).casefold())


def _seconds(text: str) -> float:
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def _level_columns(free: Mapping[str, str], levels: tuple[str, ...]) -> dict[str, str]:
    """Level -> column of counts where every level has just one column of its name."""
    wanted = {level: {_plain(level)} for level in levels} or {
        level: {_plain(name) for name in names} for level, names in LEVEL_NAMES.items()
    }
    found = {level: [column for column, plain in free.items() if plain in names] for level, names in wanted.items()}
    if all(len(columns) == 1 for columns in found.values()):
        return {level: columns[0] for level, columns in found.items()}
    numbered = {column: int(match[1]) for column in free if (match := re.fullmatch(r"level_(\d)", column))}
    if not levels and len(numbered) >= 2 and sorted(numbered.values()) == list(range(1, len(numbered) + 1)):
        return dict(sorted(((f"mức {rank}", column) for column, rank in numbered.items())))
    return {}


def _option_problem(error: Mapping[str, object]) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"Không có khóa {place}; các khóa: {', '.join(Layout.model_fields)}."
    told = str(error["msg"]).removeprefix("Value error, ")
    return f"{place or 'Ánh xạ'}: giá trị “{error.get('input')}” không hợp lệ ({told})."


class _Reader:
    """One reading of one table; problems are collected and raised together."""

    def __init__(self, table: pd.DataFrame, layout: Layout) -> None:
        self.table, self.layout = table, layout
        self.problems: list[str] = []
        self.notes: list[str] = []

    def read(self) -> Read:
        layout = self._complete()
        self._stop()
        scale = self._scale()
        key, periods = self._key()
        self._stop()
        counts = layout.level_columns or layout.rated or layout.good
        if layout.count:
            frames = self._of_histogram(key, scale)
        elif counts:
            frames = self._of_counts(key, scale)
        else:
            frames = self._of_subjects(key, scale)
        self._stop()
        ratings = Ratings(
            scale=scale,
            evidence={column: 1 if direction == "more" else -1 for column, direction in layout.evidence.items()},
            **frames,
        )
        return Read(check(ratings), self.layout, tuple(self.notes), periods)

    def _stop(self) -> None:
        if self.problems:
            raise InputError(self.problems)

    def _complete(self) -> Layout:
        """The layout with the scale's levels, and an organisation."""
        layout = self.layout
        if layout.rater and not layout.subject and layout.organisation:
            # "The organisation" that several raters rate is the object; whoever rates is judged.
            self.notes.append(
                f"{layout.organisation[0]} là đối tượng được chấm; {layout.rater} (người chấm) được xem xét."
            )
            layout = layout.model_copy(update={"subject": layout.organisation[0], "organisation": (layout.rater,)})
        if not layout.organisation and layout.rater:
            layout = layout.model_copy(update={"organisation": (layout.rater,)})
        if not any((layout.level_columns, layout.rated, layout.good, layout.level, layout.score)):
            self.problems.append(
                "Không rõ cột xếp loại. Hãy chỉ ra số theo mức (--levels), --n và --k, --level hoặc --score. "
                f"Các cột: {', '.join(self.table.columns)}."
            )
        if not layout.organisation:
            if layout.score or layout.level:
                self.notes.append("Không có cột tổ chức: cả bảng được xem là một.")
            else:
                self.problems.append(
                    f"Không rõ cột tổ chức; hãy dùng --organisation. Các cột: {', '.join(self.table.columns)}."
                )
        if (layout.rated is None) != (layout.good is None) and not layout.level_columns:
            self.problems.append("Số được xếp loại (--n) và số đạt (--k) phải đi cùng nhau.")
        self.layout = layout
        if not layout.levels and not self.problems:
            levels = self._levels_found()
            self.layout = layout.model_copy(update={"levels": levels})
        return self.layout

    def _levels_found(self) -> tuple[str, ...]:
        layout = self.layout
        if layout.level_columns:
            return tuple(layout.level_columns)
        if layout.level is None:
            if layout.good is not None:
                return ("cao nhất", "tốt", "chưa đạt") if layout.top else ("đạt", "chưa đạt")
            return Scale().levels
        values = pd.unique(self.table[layout.level].dropna().astype(str).str.strip())
        named = {_plain(name): level for level, names in LEVEL_NAMES.items() for name in names}
        if all(_plain(value) in named for value in values):
            return tuple(LEVEL_NAMES)
        numeric = pd.to_numeric(pd.Series(values), errors="coerce")
        if numeric.notna().all() and len(values) <= 20:
            order = np.argsort(numeric.to_numpy() * (1 if layout.lower_is_better else -1), kind="stable")
            return tuple(str(values[place]) for place in order)
        if all(re.fullmatch(r"[A-Za-z]", value) for value in values):
            return tuple(sorted(values))
        shown = ", ".join(map(str, sorted(values)[:10]))
        self.problems.append(f"Không rõ thứ tự các mức ở cột {layout.level} ({shown}); hãy dùng --levels, cao trước.")
        return ()

    def _scale(self) -> Scale:
        layout = self.layout
        sign = -1 if layout.lower_is_better else 1
        both = [None if each is None else sign * each for each in (layout.score_min, layout.score_max)]
        low, high = both if sign > 0 else both[::-1]
        good = max(1, len(layout.levels) // 2)
        top = 1
        for role, level in (("good_from", layout.good_from), ("top_to", layout.top_to)):
            if level is not None and level not in layout.levels:
                self.problems.append(f"Mức {level} không có trong thang: {', '.join(layout.levels)}.")
            elif level is not None:
                place = layout.levels.index(level) + 1
                good, top = (place, top) if role == "good_from" else (good, place)
        return Scale(
            levels=layout.levels,
            good_levels=good,
            top_levels=min(top, good),
            target=layout.target,
            cap=layout.cap,
            cap_base=layout.cap_base,
            cutoffs=tuple(sorted(sign * each for each in layout.cutoffs)),
            placebos=None if layout.placebos is None else tuple(sorted(sign * each for each in layout.placebos)),
            score_min=low,
            score_max=high,
            score_step=layout.score_step,
            is_reflected=layout.lower_is_better,
        )

    def _key(self) -> tuple[pd.DataFrame, Mapping[int, str]]:
        """Organisation and period of every row."""
        layout = self.layout
        if layout.organisation:
            parts = [self._text(column) for column in layout.organisation]
            for column, part in zip(layout.organisation, parts, strict=True):
                self._problem(part.isna().to_numpy(), f"thiếu {column}")
            organisation = parts[0]
            for part in parts[1:]:
                organisation = organisation + JOINED + part
        else:
            organisation = pd.Series(EVERYTHING, index=self.table.index, dtype="str")
        period, names = self._periods()
        return pd.DataFrame({"organisation": organisation, "period": period}), names

    def _periods(self) -> tuple[pd.Series, Mapping[int, str]]:
        column = self.layout.period
        if column is None:
            return pd.Series(0, index=self.table.index), {0: "duy nhất"}
        values = self.table[column]
        codes, distinct = pd.factorize(values)
        known: dict[object, int | None] = {value: period_of(value) for value in distinct}
        wrong = np.array([known[value] is None for value in distinct] + [True])[codes]
        self._problem(wrong, f"kỳ ở cột {column} phải là năm, quý (2024Q1), tháng (2024-01) hoặc ngày")
        numbers = np.array([known[value] or 0 for value in distinct] + [0], dtype=np.int64)[codes]
        names = {number: _written(value) for value, number in known.items() if number is not None}
        if any(_is_day(value) for value in distinct[:50]):
            self.notes.append(f"Cột {column} là ngày: lấy năm làm kỳ.")
            names = {number: str(number) for number in names}
        return pd.Series(numbers, index=self.table.index), names

    def _of_counts(self, key: pd.DataFrame, scale: Scale) -> dict[str, pd.DataFrame]:
        layout = self.layout
        columns: dict[str, pd.Series] = {}
        if layout.level_columns:
            missing = [level for level in scale.levels if level not in layout.level_columns]
            if missing:
                self.problems.append(f"Không rõ cột số đếm của mức {', '.join(missing)}.")
                return {}
            for name, level in zip(scale.level_columns, scale.levels, strict=True):
                columns[name] = self._number(layout.level_columns[level])
            counts = pd.DataFrame(columns)
            columns["rated"] = counts.sum(axis=1, skipna=False)
            columns["good"] = counts.iloc[:, : scale.good_levels].sum(axis=1, skipna=False)
            columns["top"] = counts.iloc[:, : scale.top_levels].sum(axis=1, skipna=False)
        for role in ("rated", "good", "top"):
            if column := getattr(layout, role):
                given = self._number(column)
                if role in columns:
                    differs = (given.notna() & (given != columns[role])).to_numpy()
                    self._problem(differs, f"{column} không bằng tổng các mức")
                columns[role] = given
        rows = key.assign(**columns)
        if layout.group:
            groups = rows.assign(group=self._text(layout.group))
            add = [name for name in rows if name not in key]
            whole = self._whole(key)
            sums = _sums(rows, add, whole)
            organisations = self._organisations(whole).assign(**sums)
            return {"organisations": organisations, "groups": groups if layout.level_columns else pd.DataFrame()}
        whole = _Whole(np.arange(len(key)), np.arange(len(key)), key)
        return {"organisations": self._organisations(whole).assign(**columns), **self._rechecks(key)}

    def _of_subjects(self, key: pd.DataFrame, scale: Scale) -> dict[str, pd.DataFrame]:
        layout = self.layout
        subjects = key.copy()
        for role, column in (("final", layout.level), ("own", layout.own), ("appraised", layout.appraised)):
            if column:
                subjects[role] = self._ranks(column, scale)
        if layout.score:
            sign = -1 if layout.lower_is_better else 1
            subjects["score"] = sign * self._number(layout.score, is_score=True)
            if layout.stored:
                subjects["stored"] = sign * self._number(layout.stored, is_score=True)
        for role in ("group", "subject", "rater"):
            if column := getattr(layout, role):
                subjects[role] = self._text(column)
        if layout.rater_side and layout.subject_side:
            sides = [self._text(column) for column in (layout.rater_side, layout.subject_side)]
            subjects["is_own"] = (sides[0] == sides[1]).where(sides[0].notna() & sides[1].notna()).astype("boolean")
        elif layout.is_own:
            subjects["is_own"] = self._flag(layout.is_own)
        whole = self._whole(key)
        organisations = self._organisations(whole)
        if layout.level:
            rank = subjects["final"].to_numpy(float, na_value=np.nan)
            best_first = len(scale.levels) - 1 - rank
            for place, name in enumerate(scale.level_columns):
                organisations[name] = whole.total((best_first == place).astype(float))
            counts = organisations[scale.level_columns]
            organisations["rated"] = counts.sum(axis=1)
            organisations["good"] = counts.iloc[:, : scale.good_levels].sum(axis=1)
            organisations["top"] = counts.iloc[:, : scale.top_levels].sum(axis=1)
            frames = {"groups": self._group_counts(subjects, best_first, scale)} if layout.group else {}
        else:
            organisations["rated"] = whole.total(subjects["score"].notna().to_numpy(float))
            frames = {}
        return {"organisations": organisations, "subjects": subjects, **frames}

    def _of_histogram(self, key: pd.DataFrame, scale: Scale) -> dict[str, pd.DataFrame]:
        layout = self.layout
        if not layout.score:
            self.problems.append("Có cột số lượng (--count) nhưng không rõ cột điểm (--score).")
            return {}
        sign = -1 if layout.lower_is_better else 1
        scores = key.assign(score=sign * self._number(layout.score, is_score=True), count=self._number(layout.count))
        whole = self._whole(key)
        rated = whole.total(scores["count"].fillna(0).to_numpy(float))
        return {"organisations": self._organisations(whole).assign(rated=rated), "scores": scores}

    def _rechecks(self, key: pd.DataFrame) -> dict[str, pd.DataFrame]:
        layout = self.layout
        if not (layout.rechecked and layout.recheck_lowered):
            return {}
        rows = key.assign(rechecked=self._number(layout.rechecked), lowered=self._number(layout.recheck_lowered))
        return {"rechecks": rows[rows["rechecked"].notna()]}

    def _group_counts(self, subjects: pd.DataFrame, best_first: np.ndarray, scale: Scale) -> pd.DataFrame:
        rated = subjects["group"].notna().to_numpy() & np.isfinite(best_first)
        rows = subjects.loc[rated, ["organisation", "group", "period"]]
        whole = _Whole.of(rows)
        counts = {
            name: whole.total((best_first[rated] == place).astype(float))
            for place, name in enumerate(scale.level_columns)
        }
        return rows.iloc[whole.first].reset_index(drop=True).assign(**counts)

    def _whole(self, key: pd.DataFrame) -> "_Whole":
        return _Whole.of(key)

    def _organisations(self, whole: "_Whole") -> pd.DataFrame:
        """One row an organisation and period with what is known of it: the first of its rows, evidence as the mean."""
        layout = self.layout
        frame = whole.key.copy()
        for role in ("name", "parent", "type"):
            if column := getattr(layout, role):
                text = self._text(column)
                frame[role] = text.iloc[whole.first].to_numpy()
                if role != "name" and len(whole.first) < len(text):
                    code = pd.factorize(text)[0]
                    differs = code != code[whole.first][whole.of_row]
                    self._problem(differs, f"{column} khác với dòng trước của cùng tổ chức và kỳ")
        for role in ("own_level", "excluded", "claims", "lowered", "raised", "unappraised"):
            if column := getattr(layout, role):
                if role == "own_level":
                    frame[role] = self._ranks(column, self._scale()).iloc[whole.first].to_numpy()
                else:
                    frame[role] = self._number(column).iloc[whole.first].to_numpy()
        for column in layout.evidence:
            frame[column] = whole.mean(self._number(column).to_numpy(float, na_value=np.nan))
        return frame

    def _text(self, column: str) -> pd.Series:
        values = self.table[column]
        if isinstance(values.dtype, pd.StringDtype) or values.dtype == object:
            text = values.astype("str").where(values.notna()).str.strip()
            return text.where(text != "")
        if pd.api.types.is_float_dtype(values) and values.dropna().mod(1).eq(0).all():
            values = values.astype("Int64")  # codes that became numbers because one was missing
        return values.astype("str").where(values.notna()).astype("str")

    def _known(self, column: str) -> pd.Series:
        """A column with what stands for "not known" emptied."""
        values = self.table[column]
        if pd.api.types.is_numeric_dtype(values):
            codes = [number for text in self.layout.missing if (number := _number_or_none(text)) is not None]
            return values.mask(values.isin(codes)) if codes else values
        return values.mask(values.isin([*UNKNOWN, *self.layout.missing]))

    def _number(self, column: str, *, is_score: bool = False) -> pd.Series:
        values = self._known(column)
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            return values.astype("float64")
        values = values.where(values.notna(), None)
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
        left = numbers.isna().to_numpy() & values.notna().to_numpy()
        if not left.any():
            return numbers
        text = values[left].astype("str").str.strip().str.replace("−", "-", regex=False)
        comma = text.str.fullmatch(r"-?\d+,(\d{1,2}|\d{4,})")
        found = pd.to_numeric(text.where(comma).str.replace(",", ".", regex=False), errors="coerce")
        if is_score:
            time = text.str.fullmatch(r"\d+(:\d{1,2}){1,2}(\.\d+)?").to_numpy()
            found = found.astype("float64")
            found[time] = [_seconds(each) for each in text[time]]
        numbers[left] = found.astype("float64").to_numpy()
        wrong = numbers.isna().to_numpy() & values.notna().to_numpy()
        wrong &= (self.table[column].astype("str").str.strip() != "").to_numpy()
        if wrong.any():
            shown = str(self.table[column][wrong].iloc[0])[:20]
            self._problem(wrong, f"{column} không phải là số (“{shown}”)")
        return numbers

    def _flag(self, column: str) -> pd.Series:
        plain = self._text(column).str.casefold().map(unaccented, na_action="ignore")
        yes, no = plain.isin(["1", "true", "x", "co", "yes", "1.0"]), plain.isin(["0", "false", "khong", "no", "0.0"])
        self._problem((~yes & ~no & plain.notna()).to_numpy(), f"{column} phải là có hoặc không")
        return yes.where(yes | no).astype("boolean")

    def _ranks(self, column: str, scale: Scale) -> pd.Series:
        """Levels as ranks, 0 the lowest."""
        codes, distinct = pd.factorize(self._text(column).where(self._known(column).notna()))
        exact = {level: len(scale.levels) - 1 - place for place, level in enumerate(scale.levels)}
        plain = {_plain(level): rank for level, rank in exact.items()}
        for level, names in LEVEL_NAMES.items():
            if level in exact:
                plain = {**{_plain(name): exact[level] for name in names}, **plain}
        ranks = [exact.get(value, plain.get(_plain(value))) for value in distinct]
        unknown = np.array([*(rank is None for rank in ranks), False])[codes]
        if unknown.any():
            shown = ", ".join(f"“{value}”" for value, rank in zip(distinct, ranks, strict=True) if rank is None)[:80]
            self._problem(unknown, f"{column} có mức {shown} không có trong thang: {', '.join(scale.levels)}")
        values = np.array([*(np.nan if rank is None else float(rank) for rank in ranks), np.nan])[codes]
        return pd.Series(values, index=self.table.index)

    def _problem(self, wrong: np.ndarray, told: str) -> None:
        if wrong.any():
            self.problems.append(f"{rows_named(self.table, wrong).capitalize()}: {told}.")


@dataclass(frozen=True)
class _Whole:
    """Rows put together by their key."""

    first: np.ndarray
    """Of each whole its first row"""
    of_row: np.ndarray
    """Of each row its whole"""
    key: pd.DataFrame

    @classmethod
    def of(cls, key: pd.DataFrame) -> "_Whole":
        """Wholes in the order in which they first come."""
        label = np.zeros(len(key), np.int64)
        for column in key:
            codes, distinct = pd.factorize(key[column])
            label = label * (len(distinct) + 1) + codes
        of_row, distinct = pd.factorize(label)
        first = np.full(len(distinct), len(key))
        np.minimum.at(first, of_row, np.arange(len(key)))
        return cls(first, of_row, key.iloc[first])

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums by whole."""
        return np.bincount(self.of_row, weights=values, minlength=len(self.first))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Means by whole of what is known."""
        known = np.isfinite(values)
        count = np.bincount(self.of_row[known], minlength=len(self.first))
        total = np.bincount(self.of_row[known], weights=values[known], minlength=len(self.first))
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _sums(rows: pd.DataFrame, columns: list[str], whole: _Whole) -> dict[str, np.ndarray]:
    return {name: whole.total(rows[name].to_numpy(float, na_value=np.nan)) for name in columns}


_DAY = re.compile(r"(\d{4})-\d{1,2}-\d{1,2}(?:[ T].*)?|\d{1,2}[/.-]\d{1,2}[/.-](\d{4})(?: .*)?")
_PART = re.compile(r"(\d{4})[-/ ]?(?:[QT](\d)|(0?\d|1[0-2]))", re.IGNORECASE)
_WRITTEN = re.compile(r"(?:q|quý|quy|t|tháng|thang)[ .]?(\d{1,2})[/ -](\d{4})", re.IGNORECASE)


def _is_day(value: object) -> bool:
    return hasattr(value, "year") or (isinstance(value, str) and _DAY.fullmatch(value.strip()) is not None)


def _written(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def period_of(value: object) -> int | None:
    """The number of a period, larger for later ones; None where it is none."""
    if value is None or value is pd.NaT or (not isinstance(value, str) and pd.isna(value)):
        return None
    if hasattr(value, "year"):
        return int(value.year)
    if not isinstance(value, str):
        return int(value) if float(value).is_integer() else None
    text = value.strip()
    if re.fullmatch(r"-?\d{1,9}(\.0)?", text):
        return int(float(text))
    if match := _DAY.fullmatch(text):
        return int(match[1] or match[2])
    if match := _PART.fullmatch(text):
        return int(match[1]) * 100 + int(match[2] or match[3])
    if match := _WRITTEN.fullmatch(text):
        return int(match[2]) * 100 + int(match[1])
    if match := re.fullmatch(r"(\d{4})[-/](\d{2,4})", text):
        return int(match[1])
    return None
