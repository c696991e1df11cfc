"""Two builds compared: schema, rows, values, by unit and year, and which sendings or decisions explain what changed.

The warehouse is a pure function of its inputs, so a change is explained where the builds differ in sendings and in the
register alone. Where anything else differs as well (code, seeds, lists, a file of a sending that stayed), nothing can
be told apart: then what changed is unexplained.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import duckdb
import pandas as pd

from orchestration import manifests
from orchestration.ahead import LARGEST_BYTES
from orchestration.manifests import Manifest
from orchestration.warehouse import INPUTS, land, logical_hash, primary_keys
from submissions.register.log import OF_A_BUILD, Recorded
from submissions.register.states import STATES

TRACE = re.compile(r"(^|_)(record_id(_\d)?|source_hash|sheet|row|case_id)$")
"""Columns that say where a fact stands: another file is another place, and no other fact."""

GRAINS: Mapping[str, tuple[str, ...]] = {
    "discipline_case": ("year", "unit_code", "subject", "subject_member_key", "subject_org_code", "decision_no"),
    "discipline_match": ("year", "unit_code", "subject", "subject_member_key", "subject_org_code", "decision_no"),
    "fct_admission": ("year", "unit_code", "member_key"),
    "fct_cell_meeting": ("year", "unit_code", "cell_code", "month"),
    "fct_discipline": ("year", "unit_code", "subject", "subject_member_key", "subject_org_code", "decision_no"),
    "fct_discipline_register": ("year", "unit_code", "subject_member_key", "subject_org_code", "decision_no"),
    "fct_hamlet": ("year", "unit_code", "hamlet_code"),
    "fct_inspection": ("year", "unit_code", "conductor_code", "kind", "subject_org_code", "subject_member_key"),
    "fct_member": ("year", "unit_code", "member_key"),
    "fct_member_assessment": ("year", "unit_code", "member_key"),
    "fct_membership_movement": ("year", "unit_code", "line"),
    "fct_organisation_assessment": ("year", "unit_code", "org_code"),
    "fct_programme_uptake": ("year", "unit_code", "org_code", "document"),
    "fct_training": ("year", "unit_code", "org_code", "topic", "held_on"),
    "held_back_assessment": ("year", "unit_code", "subject_kind", "member_key", "org_code"),
}
"""What tells the rows of a table apart whose primary key is a row's place in a file."""

PERSONAL = re.compile(r"(^|_)(org_code|cell_code|grassroots_code|member_key|record_id|source_hash|finding_id|\w+_key)$")
"""Key columns below the unit: tables that have one hold no published figures, unless they say the level themselves."""

NO_FIGURES = re.compile(
    r"^(dim|fct|bridge)_|_snapshot$|^(cap_exception|organisation_(crosswalk|succession)|structures|succession_step"
    r"|mart_review_list|review_budget|signal_coverage)$"
)
"""Tables that say what figures are of, or how far to trust them, and hold none."""

NO_DATA = {"marts.trace_catalogue"}
"""Tables that say how figures are made: words, which change with the code alone."""

BY_GROUP = {"marts.fct_signal"}
"""Tables in which one report moves a figure in nearly every row: of them it is told where rows differ, not how."""

LEVEL, PUBLISHED_LEVELS = "organisation_level", ("province", "unit")

SCHEMAS = ("marts", "seeds")

BUCKETS = 4096
"""Heaps of rows that are compared by hash before rows are compared one by one."""

KINDS = {"added": "thêm", "gone": "mất", "changed": "đổi"}

DECISIONS = {
    "confirmed": "xác nhận cho tính lần gửi",
    "extended": "gia hạn",
    "locked": "khóa năm",
    "unlocked": "mở khóa năm",
    "waived": "miễn trừ",
    "waiver_ended": "hết miễn trừ",
    "same_person": "xác nhận hai khóa là một đảng viên",
    "same_person_undone": "bỏ xác nhận về hai khóa đảng viên",
    "field_check_drawn": "rút mẫu thẩm định lại tại chỗ",
}
"""Events by which a person changes what counts; other kinds tell of files, or are named as they are."""

MEMBERS_OF_A_DECISION = ("key_a", "key_b")
"""Where a decision about members holds what they are known by."""

ROUTINE = {
    "received", "refused", "held", "accepted", "duplicate", "returned", "dead_letter", "heading_adopted",
    "not_same_person",
}  # fmt: skip
"""Events that the sendings themselves tell of, or that move no figure."""


# --- causes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cause:
    """A sending or a decision that differs between two builds."""

    unit_code: str | None
    year: int | None
    text: str
    member_keys: tuple[str, ...] = ()
    """Of a decision about members: by what they are known; their units and years are those of their rows."""


@dataclass(frozen=True)
class Causes:
    """What explains the difference of two builds, and what does not."""

    sendings: tuple[Cause, ...]
    decisions: tuple[Cause, ...]
    calendar: tuple[Cause, ...]
    others: tuple[str, ...]
    """What differs beside sendings and the register: it explains nothing."""
    touched: tuple[Cause, ...]
    """Files that differ though their sending is the same."""
    doubts: tuple[str, ...] = ()
    """Why the files of the builds themselves are not to be relied on."""

    @property
    def can_explain(self) -> bool:
        """Whether the difference can be put down to sendings and decisions at all."""
        return not (self.others or self.touched or self.doubts)

    def inputs(self) -> list[tuple[str, str]]:
        """What of the inputs differs between the builds: of which kind it is, and what, in words."""
        causes = {
            "lần gửi": self.sendings,
            "quyết định": self.decisions,
            "hạn nộp": self.calendar,
            "tệp bị sửa": self.touched,
        }
        told = [(kind, text) for kind, found in causes.items() for text in dict.fromkeys(one.text for one in found)]
        return told + [(kind, text or kind) for one in self.others for kind, _, text in [one.partition(": ")]]

    def of(self, unit_code: str | None, year: int | None) -> tuple[str | None, str]:
        """What explains changes of a unit and year (None: none in particular): (kind, words); kind None: nothing does.

        The nearest counts: the same unit and year, the same unit, the same year, any.
        """
        if not self.can_explain:
            return None, "; ".join([*self.doubts, *(cause.text for cause in self.touched), *self.others])
        for kind, found in (("sending", self.sendings), ("decision", self.decisions), ("calendar", self.calendar)):
            for fits in (_of_both, _of_unit):
                if near := [cause.text for cause in found if fits(cause, unit_code, year)]:
                    return kind, _listed(near)
        every = (("sending", self.sendings), ("decision", self.decisions), ("calendar", self.calendar))
        for of_year in (True, False):
            for kind, found in every:
                if near := [cause.text for cause in found if not of_year or cause.year == year]:
                    return kind, _listed(near)
        return None, "không có lần gửi hay quyết định nào giữa hai bản dựng"


def _of_both(cause: Cause, unit_code: str | None, year: int | None) -> bool:
    return unit_code is not None and cause.unit_code == unit_code and cause.year == year


def _of_unit(cause: Cause, unit_code: str | None, year: int | None) -> bool:
    return unit_code is not None and cause.unit_code == unit_code


def _listed(texts: Iterable[str], most: int = 5) -> str:
    texts = list(dict.fromkeys(texts))
    more = f"; và {len(texts) - most} nguyên nhân khác" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more


def causes(
    before: Manifest | None, after: Manifest | None, events: Sequence[Recorded] = (), copies: Sequence[Path] = ()
) -> Causes:
    """What differs between two builds; `events` is the whole register, `copies` where copies of lists are kept."""
    if before is None or after is None:
        return Causes((), (), (), ("một trong hai bản dựng không có hồ sơ dựng dùng được",), ())
    others = manifests.other_differences(before, after, copies)
    decisions, broken = _decisions(before, after, events)
    touched = defaultdict(list)
    for source_hash, place in manifests.touched_files(before, after):
        touched[source_hash].append(place)
    return Causes(
        sendings=tuple(_changed_sendings(before, after)),
        decisions=tuple(decisions),
        calendar=tuple(_calendar(before, after)),
        others=(*others, *broken),
        touched=tuple(
            Cause(
                sending["unit_code"],
                sending["year"],
                f"tệp {', '.join(places)} của {_named(source_hash, sending)} đã đổi mà không có lần gửi mới",
            )
            for source_hash, places in touched.items()
            for sending in [after.sendings[source_hash]]
        ),
    )


def _changed_sendings(before: Manifest, after: Manifest) -> Iterator[Cause]:
    for source_hash in sorted({*before.sendings, *after.sendings}):
        one, other = (manifest.sendings.get(source_hash, {}) for manifest in (before, after))
        told = other or one
        now, then = _standing(other), _standing(one)
        if now == then:
            continue
        if not one:
            text = f"{_named(source_hash, told)}: mới, {now}"
        elif not other:
            text = f"{_named(source_hash, told)}: không có trong bản sau"
        else:
            text = f"{_named(source_hash, told)}: {then} → {now}"
        yield Cause(told["unit_code"], told["year"], text)


def _standing(sending: Mapping[str, object]) -> str:
    if not sending:
        return ""
    state = STATES.get(sending.get("state"), "chưa vào sổ").lower()
    return f"{state}, đang được tính" if sending.get("is_in_force") else state


def _named(source_hash: str, sending: Mapping[str, object]) -> str:
    unit, year, number = sending["unit_code"], sending["year"], sending.get("number")
    book = "kết quả thẩm định lại" if "forms/field_checks" in sending["files"] else "sổ kỷ luật"
    what = f"lần gửi {number} của {unit}" if unit and number else f"báo cáo của {unit}" if unit else book
    return f"{what}{f' năm {year}' if year else ''} ({source_hash[:12]})"


def _decisions(before: Manifest, after: Manifest, events: Sequence[Recorded]) -> tuple[list[Cause], list[str]]:
    """Decisions of persons between two builds; and, where the register is another one, that it is."""
    first, last = sorted(int(manifest.register["count"]) for manifest in (before, after))
    hashes = {event.seq: event.hash for event in events}
    told = [(int(manifest.register["count"]), manifest.register["hash"]) for manifest in (before, after)]
    if any(count and hashes.get(count) != chained for count, chained in told):
        return [], ["sổ đăng ký không còn là sổ đã ghi trong hồ sơ dựng"]
    between = (event for event in events if first < event.seq <= last and event.kind not in {*OF_A_BUILD, *ROUTINE})
    return [
        Cause(
            event.unit_code,
            event.year,
            f"{DECISIONS.get(event.kind, event.kind)} (sổ đăng ký, số {event.seq})",
            tuple(event.body[name] for name in MEMBERS_OF_A_DECISION if name in event.body),
        )
        for event in between
    ], []


def _calendar(before: Manifest, after: Manifest) -> Iterator[Cause]:
    one, other = (manifest.register.get("today") for manifest in (before, after))
    if before.inputs["register"].get("obligations") != after.inputs["register"].get("obligations") and one != other:
        yield Cause(None, None, f"hạn nộp đã đến giữa ngày {one} và ngày {other}")


# --- differences -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TableChange:
    """How a table differs in two builds."""

    table: str
    columns: tuple[str, ...]
    """Columns that came, went or changed their type, in words; of a whole table, that it did."""
    rows_before: int
    rows_after: int
    added: int = 0
    gone: int = 0
    changed: int = 0

    @property
    def rows(self) -> int:
        """Rows that differ."""
        return self.added + self.gone + self.changed


@dataclass(frozen=True)
class Comparison:
    """How build `after` differs from build `before`, and why."""

    before: str
    after: str
    tables: tuple[TableChange, ...]
    """Only those that differ."""
    causes: Causes
    groups: pd.DataFrame
    """Rows that differ by table, kind, unit_code and year (`n`), with `cause_kind` (None: unexplained) and `cause`."""
    changes: pd.DataFrame
    """Value by value: table, kind, figure, unit_code, year, column, before, after, is_figure, cause_kind, cause."""

    @property
    def is_empty(self) -> bool:
        """Whether readers would find everything as it was."""
        return not self.tables

    @cached_property
    def unexplained(self) -> int:
        """Rows that changed, and schemas and files that did, for which nothing accounts."""
        rows = self.groups.loc[self.groups["cause_kind"].isna(), "n"].sum()
        schemas = sum(len(table.columns) for table in self.tables)
        return int(rows) + schemas + len(self.causes.touched) + len(self.causes.doubts)

    @cached_property
    def digest(self) -> str:
        """A hash of all that differs."""
        lines = [repr((table.table, table.columns)) for table in self.tables]
        lines += sorted(map(repr, self.changes.astype(object).itertuples(index=False, name=None)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def figures(self) -> pd.DataFrame:
        """Published figures of units and the province that changed or went; those that came were not published."""
        found = self.changes[self.changes["is_figure"] & (self.changes["kind"] != "added")]
        return found[found["before"].notna() | (found["kind"] == "changed")]

    def reasons(self) -> list[str]:
        """Why it needs to be accepted, in words; nothing where all is explained."""
        told = [*self.causes.doubts, *(cause.text for cause in self.causes.touched)]
        if schema := [f"{table.table}: {', '.join(table.columns)}" for table in self.tables if table.columns]:
            told.append(f"cấu trúc đổi ở {len(schema)} bảng ({_listed(schema, 3)})")
        rows = self.groups[self.groups["cause_kind"].isna()]
        if len(rows):
            tables = ", ".join(sorted(rows["table"].unique())[:4])
            told.append(f"{int(rows['n'].sum())} dòng đổi không do lần gửi hay quyết định nào ({tables}…)")
            told += [f"đầu vào cũng đã khác: {other}" for other in self.causes.others]
            if known := len(self.causes.sendings) + len(self.causes.decisions):
                told.append(f"không tách được phần do {known} lần gửi và quyết định mới giữa hai bản")
        return told

    def write(self, folder: Path) -> Path:
        """Write `changes` as Parquet into `folder`; returns the file."""
        path = folder / f"{self.before}..{self.after}.parquet"
        land(self.changes, path)
        return path


COLUMNS = ("table", "kind", "figure", "unit_code", "year", "column", "before", "after", "is_figure")


def compare(
    before: Path,
    after: Path,
    manifests_of_both: tuple[Manifest | None, Manifest | None],
    events: Sequence[Recorded] = (),
    *,
    only: str | None = None,
    doubts: Sequence[str] = (),
) -> Comparison:
    """Compare two finished warehouses, table by table (`only` one), by what their rows are about.

    `doubts` say of the files themselves why they are not to be relied on: then nothing is explained.
    """
    why = causes(*manifests_of_both, events, [path.parent / INPUTS for path in (before, after)])
    paths = zip(manifests_of_both, (before, after), strict=True)
    ids = tuple(one.build_id if one else path.stem for one, path in paths)
    with _both(before, after, manifests_of_both) as connection:
        decisions = tuple(placed for one in why.decisions for placed in _where_its_members_are(one, connection))
        why = replace(why, decisions=decisions, doubts=tuple(doubts))
        columns, keys = _columns(connection), primary_keys(connection, "after")
        one, other = (logical_hash(path) for path in (before, after))
        names = [
            name
            for name in _table_names(connection)
            if only in (None, name.split(".")[1], name) and (name not in one or one[name] != other.get(name))
        ]

        def compared(name: str) -> TableChange | None:
            with connection.cursor() as own:
                return _compare_table(own, name, columns["before", name], columns["after", name], keys.get(name, []))

        with ThreadPoolExecutor(1 if before.stat().st_size > LARGEST_BYTES else 4) as pool:
            tables = list(filter(None, pool.map(compared, names)))
        groups = connection.execute("select * from groups order by all").df()
        changes = connection.execute("select * from changes order by all").df()
    groups, changes = (_typed(frame) for frame in (groups, changes))
    return Comparison(*ids, tuple(tables), why, _explained(groups, why), _explained(changes, why))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"year": "Int64"}).astype({"unit_code": object}).where(frame.notna(), None)


def _explained(frame: pd.DataFrame, why: Causes) -> pd.DataFrame:
    about = ["unit_code", "year"]
    places = frame[about].drop_duplicates(ignore_index=True)
    told = [
        why.of(None if pd.isna(unit) else unit, None if pd.isna(year) else int(year))
        for unit, year in places.itertuples(index=False, name=None)
    ]
    found = {"cause_kind": [kind for kind, _ in told], "cause": [text for _, text in told]}
    return frame.merge(places.assign(**pd.DataFrame(found, index=places.index, dtype=object)), on=about, how="left")


@contextmanager
def _both(
    before: Path, after: Path, manifests_of_both: tuple[Manifest | None, Manifest | None]
) -> Iterator[duckdb.DuckDBPyConnection]:
    sendings = [
        (source_hash, told["unit_code"], told["year"])
        for source_hash, told in {
            source_hash: told for one in manifests_of_both if one for source_hash, told in one.sendings.items()
        }.items()
    ]
    with duckdb.connect() as connection:
        for name, path in (("before", before), ("after", after)):
            connection.execute(f"""attach '{str(path).replace("'", "''")}' as "{name}" (read_only)""")
        connection.execute("create table sent (source_hash varchar, unit_code varchar, year integer)")
        if sendings:
            connection.executemany("insert into sent values (?, ?, ?)", sendings)
        connection.execute(
            'create table groups ("table" varchar, kind varchar, unit_code varchar, year integer, n bigint)'
        )
        connection.execute(
            'create table changes ("table" varchar, kind varchar, figure varchar, unit_code varchar, year integer, '
            '"column" varchar, before varchar, after varchar, is_figure boolean)'
        )
        yield connection


def _where_its_members_are(cause: Cause, connection: duckdb.DuckDBPyConnection) -> list[Cause]:
    """A decision about members once for each unit and year that has rows of theirs; any other as it is."""
    if not cause.member_keys:
        return [cause]
    held = connection.execute(
        "select database_name, schema_name, table_name from duckdb_columns() "
        "where schema_name = 'marts' and column_name in ('member_key', 'unit_code', 'year') "
        "group by all having count(*) = 3 order by all"
    ).fetchall()
    places = set()
    for table in held:
        name = ".".join(_quote(table))
        condition = f"member_key in ({', '.join('?' * len(cause.member_keys))}) and unit_code is not null"
        places |= set(
            connection.execute(
                f"select distinct unit_code, try_cast(year as integer) from {name} where {condition}",
                list(cause.member_keys),
            ).fetchall()
        )
    return [replace(cause, unit_code=unit_code, year=year) for unit_code, year in sorted(places, key=repr)] or [cause]


def _table_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    schemas = ", ".join(f"'{schema}'" for schema in SCHEMAS)
    return [
        name
        for (name,) in connection.execute(
            "select distinct schema_name || '.' || table_name from duckdb_tables() "
            f"where database_name in ('before', 'after') and schema_name in ({schemas}) order by 1"
        ).fetchall()
        if name not in NO_DATA
    ]


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], dict[str, str]]:
    """By build and table: its columns with their types; nothing for a table that is not there."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for build, name, column, kind in connection.execute(
        "select database_name, schema_name || '.' || table_name, column_name, data_type from duckdb_columns() "
        "where database_name in ('before', 'after') order by column_index"
    ).fetchall():
        found[build, name][column] = kind
    return found


def _compare_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    before: Mapping[str, str],
    after: Mapping[str, str],
    primary_key: Sequence[str],
) -> TableChange | None:
    rows = [_count(connection, build, name) if told else 0 for build, told in (("before", before), ("after", after))]
    if not before or not after:
        return TableChange(name, ("bảng mới" if after else "bảng không còn",), *rows)
    schema = [
        *(f"thêm cột {column}" for column in after if column not in before),
        *(f"bỏ cột {column}" for column in before if column not in after),
        *(
            f"cột {column}: {before[column]} → {after[column]}"
            for column in after
            if column in before and before[column] != after[column]
        ),
    ]
    shared = [column for column in after if before.get(column) == after[column]]
    counts = _compare_rows(connection, name, shared, primary_key)
    if not schema and not counts:
        return None
    return TableChange(name, tuple(schema), *rows, **counts)


def _count(connection: duckdb.DuckDBPyConnection, build: str, name: str) -> int:
    return connection.execute(f"select count(*) from {_table(build, name)}").fetchone()[0]


def _table(build: str, name: str) -> str:
    schema, table = name.split(".")
    return f'"{build}"."{schema}"."{table}"'


def grain(table: str, columns: Sequence[str], primary_key: Sequence[str]) -> list[str]:
    """What tells rows apart: the primary key, unless that is a place in a file; without one, whatever names things."""
    if primary_key and set(primary_key) <= set(columns) and not any(_is_place(c, primary_key) for c in primary_key):
        return list(primary_key)
    if table in GRAINS:
        return [column for column in GRAINS[table] if column in columns]
    about = re.compile(r"^(year|month|subject_kind)$|_(code|key|id|on|no)$")
    return [column for column in columns if about.search(column) and not TRACE.search(column)]


def _is_place(column: str, primary_key: Sequence[str]) -> bool:
    # A table of sendings is about them: there the hash is no place.
    return bool(TRACE.search(column)) and not column.endswith("source_hash")


def _compare_rows(
    connection: duckdb.DuckDBPyConnection, name: str, shared: Sequence[str], primary_key: Sequence[str]
) -> dict[str, int]:
    """Enter the rows that differ into `groups` and `changes`; returns how many of each kind."""
    table = name.split(".")[1]
    key = grain(table, shared, primary_key)
    compared = [column for column in shared if column in key or not TRACE.search(column)]
    if not compared:
        return {}
    listed = ", ".join(f'"{column}"' for column in compared)
    if not _differing_buckets(connection, name, listed):
        return {}
    sides = {"gone": ("before", "after"), "came": ("after", "before")}
    for side, (here, there) in sides.items():
        rows = (
            f"select {listed} from {_table(build, name)} "
            f"where {_bucket(listed)} in (select bucket from differing_buckets)"
            for build in (here, there)
        )
        connection.execute(f"create or replace temp table {side} as {' except all '.join(rows)}")
    values = [column for column in compared if column not in key]
    _match(connection, key, values, compared)
    figures = _holds_figures(name, key, compared)
    connection.execute(f"insert into groups select '{name}', kind, unit_code, year, count(*) from matched group by all")
    if name in BY_GROUP:
        connection.execute(
            f"insert into changes select '{name}', kind, '', unit_code, year, null, null, "
            "count(*)::varchar || ' dòng', false from matched group by all"
        )
        return dict(connection.execute("select kind, count(*) from matched group by kind").fetchall())
    for column in values:
        connection.execute(
            f"""
            insert into changes
            select '{name}', kind, figure, unit_code, year, '{column}', "b_{column}"::varchar, "a_{column}"::varchar,
                {figures}
            from matched
            where (kind = 'changed' and "b_{column}" is distinct from "a_{column}") or (kind <> 'changed' and {figures})
            """
        )
    connection.execute(
        f"insert into changes select '{name}', kind, figure, unit_code, year, null, null, null, false "
        f"from matched where kind <> 'changed' and not {figures}"
    )
    return dict(connection.execute("select kind, count(*) from matched group by kind").fetchall())


def _bucket(listed: str) -> str:
    """Which of many small heaps a row falls into: the same row, the same heap."""
    return f"hash({listed}) % {BUCKETS}"


def _differing_buckets(connection: duckdb.DuckDBPyConnection, name: str, listed: str) -> int:
    """Put the heaps that hold other rows in one build than in the other into `differing_buckets`; returns how many."""
    heaps = (
        f"select {_bucket(listed)} as bucket, count(*), sum(hash({listed})::hugeint) "
        f"from {_table(build, name)} group by all"
        for build in ("before", "after")
    )
    one, other = heaps
    connection.execute(
        "create or replace temp table differing_buckets as select distinct bucket from "
        f"(({one} except {other}) union all ({other} except {one}))"
    )
    return connection.execute("select count(*) from differing_buckets").fetchone()[0]


def _match(
    connection: duckdb.DuckDBPyConnection, key: Sequence[str], values: Sequence[str], compared: Sequence[str]
) -> None:
    """Put the rows that differ side by side into `matched`: by grain, and those that share one in a fixed order."""
    order = ", ".join(f'"{column}"' for column in values) or "1"
    part = f"partition by {', '.join(_quote(key))}" if key else ""
    for side in ("gone", "came"):
        connection.execute(
            f"create or replace temp table {side}_numbered as "
            f"select *, row_number() over ({part} order by {order}) as copy from {side}"
        )
    same = " and ".join([*(f'g."{c}" is not distinct from c."{c}"' for c in key), "g.copy = c.copy"])
    either = {column: f'case when c.copy is null then g."{column}" else c."{column}" end' for column in compared}
    figure = " || ',' || ".join(f"'{column}=' || coalesce({either[column]}::varchar, '')" for column in key) or "''"
    unit, year = ((either[c] if c in compared else "null") for c in ("unit_code", "year"))
    if "source_hash" in compared and "unit_code" not in compared:
        unit = f"(select unit_code from sent where source_hash = {either['source_hash']})"
        year = f"(select year from sent where source_hash = {either['source_hash']})"
    sides = ", ".join(f'g."{column}" as "b_{column}", c."{column}" as "a_{column}"' for column in compared)
    connection.execute(
        f"""
        create or replace temp table matched as
        select
            case when g.copy is null then 'added' when c.copy is null then 'gone' else 'changed' end as kind,
            {figure} || case when coalesce(c.copy, g.copy) > 1 then ' (' || coalesce(c.copy, g.copy) || ')' else '' end
                as figure,
            {unit} as unit_code,
            try_cast({year} as integer) as year,
            {sides}
        from gone_numbered as g
        full join came_numbered as c on {same}
        """
    )


def _quote(columns: Iterable[str]) -> list[str]:
    return [f'"{column}"' for column in columns]


def _holds_figures(name: str, key: Sequence[str], columns: Sequence[str]) -> str:
    """A condition on rows of `matched`: whether they hold figures of a unit or of the province."""
    schema, table = name.split(".")
    if schema != "marts" or NO_FIGURES.search(table) or not key:
        return "false"
    if LEVEL in columns:
        levels = ", ".join(f"'{level}'" for level in PUBLISHED_LEVELS)
        return f"""(coalesce("a_{LEVEL}", "b_{LEVEL}") in ({levels}))"""
    return "false" if any(PERSONAL.search(column) for column in key) else "true"
