"""What goes into a build, part by part: its id is the hash of its inputs, and its manifest keeps them."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Self

import duckdb

from orchestration.problems import ProblemError
from orchestration.settings import PROJECT, Folders, settings
from submissions.store import hash_bytes, write_aside

CODE = ("dbt_project", "submissions", "ratings", "expectations")
"""Folders whose files decide what is in the warehouse, and what is asked of it."""

SEEDS = "dbt_project/seeds"
"""Seeds are told one by one, and are no part of what is told of the code beside them."""

GENERATED = {"target", "logs", "dbt_packages", "__pycache__", ".user.yml"}

ENGINES = ("duckdb", "dbt-core", "dbt-duckdb", "pandas", "pyarrow")

SCHEMA = "_schema"
"""The stem of the empty file that lies in each folder of the store."""

NOT_READ = {"explanations", "waivers"}
"""Tables of the register that the warehouse does not read."""

CALENDAR = ("deadlines.csv", "holidays.csv")
"""Lists that reach the warehouse through the register's table of obligations alone."""

CHANGEABLE = ("queries",)
"""What is written anew for a sending that stays: questions are asked again when others report."""

ISSUE_COLUMNS = ("source_hash", "form", "sheet", "cell", "rule", "severity")
"""What the warehouse reads of an issue; neither the key nor the value, which may be card numbers."""

MANIFESTS = "*.json"

STATES = {
    "made": "dựng xong, chưa công bố",
    "pending": "chờ chấp nhận",
    "published": "đã công bố",
    "as_known": "theo thời điểm",
}
"""What may have become of a build, with its Vietnamese name."""


@dataclass(frozen=True)
class Manifest:
    """What a build was made of and what came of it; kept for ever."""

    build_id: str
    inputs: dict[str, object]
    """Everything that decides on the content, by kind; the id is its hash."""
    register: dict[str, object]
    """The register as it was then: events, last hash, day, and the lists of days. Told, no part of the id."""
    archive: dict[str, str]
    """Inputs that are written anew in the course of time, by place in the store: which kept copy."""
    made_at: str
    commit: str | None = None
    tables: dict[str, dict[str, object]] = field(default_factory=dict)
    """Per table its logical hash and its rows."""
    state: str = "made"
    note: str = ""
    """Why it was not published."""

    @property
    def as_known(self) -> str | None:
        """The day whose knowledge the build holds, where it is not today's."""
        return self.inputs["as_known"]

    @property
    def sendings(self) -> dict[str, dict[str, object]]:
        """By hash: unit, year, number, state, whether in force, and the hashes of its files."""
        return self.inputs["sendings"]

    @property
    def content(self) -> str:
        """What is in the tables, as one short text: the register keeps it of every build that was served."""
        return hash_bytes(_canonical(self.tables).encode())[:16]

    def with_tables(self, hashes: Mapping[str, str]) -> Self:
        """The same with what `warehouse.logical_hash` says of the finished file."""
        told = {name: text.rstrip(")").split(" (") for name, text in sorted(hashes.items())}
        return replace(self, tables={name: {"hash": short, "rows": int(rows)} for name, (short, rows) in told.items()})

    def write(self, folder: Path) -> Path:
        """Write it into `folder`: aside, made durable, renamed."""
        path = folder / f"{self.build_id}.json"
        write_aside(path, json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True).encode())
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """The manifest at `path`; raises `ProblemError` where it is none, or where its inputs do not give its id."""
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
            is_whole = found.build_id == path.stem == id_of(found.inputs)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ProblemError(f"Hồ sơ dựng {path.name} không đọc được.") from error
        if not is_whole:
            raise ProblemError(f"Hồ sơ dựng {path.name} đã bị sửa: đầu vào ghi ở đó không cho ra mã bản dựng này.")
        return found


def manifest_of(build_id: str, folders: Folders) -> Manifest | None:
    """The manifest of a build, None for one that was made before there were any."""
    path = folders.builds / f"{build_id}.json"
    return Manifest.read(path) if path.exists() else None


def manifests(folders: Folders) -> list[Manifest]:
    """The manifests of all builds that were kept, the oldest first; without those that are damaged."""
    found = (readable(path.stem, folders) for path in folders.builds.glob(MANIFESTS))
    return sorted(filter(None, found), key=lambda one: (one.made_at, one.build_id))


def readable(build_id: str, folders: Folders) -> Manifest | None:
    """The manifest of a build, None where there is none or it is damaged."""
    try:
        return manifest_of(build_id, folders)
    except ProblemError:
        return None


def id_of(inputs: Mapping[str, object]) -> str:
    """The id of the build that these inputs give."""
    return hashlib.sha256(_canonical(inputs).encode()).hexdigest()[:16]


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def draw_up(folders: Folders, store: Path, *, as_known: date | None = None) -> Manifest:
    """The manifest of the build that `store` gives now; the copies of what changes are for `archive_into`."""
    inputs = gather(folders, store, as_known=as_known)
    return Manifest(
        build_id=id_of(inputs),
        inputs=inputs,
        register=_register_as_told(folders, store),
        archive={},
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
    )


# --- inputs ------------------------------------------------------------------------------------------------------


def gather(folders: Folders, store: Path, *, as_known: date | None = None) -> dict[str, object]:
    """Everything that decides on the content of the warehouse, by kind.

    When a file was received, and under which name, is left out: both differ when a lost run is done again.
    """
    files = _file_hashes(store)
    with duckdb.connect() as connection:
        return {
            "sendings": _sendings(connection, store, files),
            "schemas": {place: told for (place, stem), told in files.items() if stem == SCHEMA},
            "register": _register(connection, store),
            "lists": {path.stem: hash_bytes(path.read_bytes()) for path in sorted(store.glob("*.parquet"))},
            "code": dict(_code()),
            "seeds": dict(_seeds()),
            "engines": {name: version(name) for name in ENGINES},
            "settings": {"province": settings().province},
            "member_key": _member_key_id(folders),
            "as_known": as_known.isoformat() if as_known else None,
        }


def _file_hashes(store: Path) -> dict[tuple[str, str], str]:
    """By folder and stem: the hash of each file that is written once."""
    paths = sorted([*store.glob("forms/*/*.parquet"), *store.glob("counts/*.parquet")])
    with ThreadPoolExecutor(4) as readers:
        hashes = readers.map(lambda path: _file_hash(path, touched(path)), paths)
        return {
            (path.parent.relative_to(store).as_posix(), path.stem): told
            for path, told in zip(paths, hashes, strict=True)
        }


@lru_cache(maxsize=100_000)
def _file_hash(path: Path, _: tuple[int, ...] | None) -> str:
    return hash_bytes(path.read_bytes())


def touched(path: Path) -> tuple[int, ...] | None:
    """What is another as soon as a file is: the kernel keeps the time of its last change. None where there is none."""
    if not path.exists():
        return None
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _sendings(
    connection: duckdb.DuckDBPyConnection, store: Path, files: Mapping[tuple[str, str], str]
) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for source_hash, unit_code, year, *rest in _rows(
        connection, store, "submissions/*.parquet", "source_hash, unit_code, year, * exclude (received_at, file_name)"
    ):
        about = {"unit_code": unit_code, "year": year, "files": {"submissions": hash_bytes(repr(rest).encode())}}
        found[source_hash] = about
    for (place, stem), told in files.items():
        if stem != SCHEMA:
            found.setdefault(stem, {"unit_code": None, "year": None, "files": {}})["files"][place] = told
    for place in ("issues", *CHANGEABLE):
        for source_hash, told in _issues(connection, store, place):
            found.setdefault(source_hash, {"unit_code": None, "year": None, "files": {}})["files"][place] = told
    columns = "source_hash, unit_code, year, number, state, is_in_force"
    for source_hash, unit_code, year, number, state, is_in_force in _rows(
        connection, store, "register/sendings.parquet", columns, "where state <> 'duplicate'"
    ):
        # What was received and not read (yet) is known to the register alone.
        told = found.setdefault(source_hash, {"unit_code": unit_code, "year": year, "files": {}})
        told |= {"number": number, "state": state, "is_in_force": is_in_force}
    return found


def _issues(connection: duckdb.DuckDBPyConnection, store: Path, place: str) -> list[tuple[str, str]]:
    """By sending, a hash of what the warehouse reads of its issues."""
    if not any(store.glob(f"{place}/*.parquet")):
        return []
    line = " || '|' || ".join(f"coalesce({column}, '')" for column in ISSUE_COLUMNS)
    return connection.execute(
        f"select source_hash, sha256(string_agg({line}, chr(10) order by {line})) "
        f"from read_parquet({_quoted(store / place / '*.parquet')}, union_by_name = true) group by 1 order by 1"
    ).fetchall()


def _register(connection: duckdb.DuckDBPyConnection, store: Path) -> dict[str, str]:
    told = {}
    for path in sorted(store.glob("register/*.parquet")):
        if path.stem in NOT_READ:
            continue
        columns = "* exclude (receipt_no, received_at, decided_at)" if path.stem == "sendings" else "*"
        rows = _rows(connection, store, f"register/{path.name}", columns)
        told[path.stem] = hash_bytes("\n".join(map(repr, rows)).encode())
    return told


def _rows(
    connection: duckdb.DuckDBPyConnection, store: Path, pattern: str, columns: str, condition: str = ""
) -> list[tuple]:
    if not any(store.glob(pattern)):
        return []
    source = f"read_parquet({_quoted(store / pattern)}, union_by_name = true)"
    return connection.execute(f"select {columns} from {source} {condition} order by all").fetchall()


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


@cache
def _code() -> tuple[tuple[str, str], ...]:
    return tuple((room, _hash_of_files(set(source_files(room)) - set(_seed_files()))) for room in CODE)


@cache
def _seeds() -> tuple[tuple[str, str], ...]:
    return tuple((path.stem, hash_bytes(path.read_bytes())) for path in _seed_files())


def _seed_files() -> list[Path]:
    return [path for path in source_files(SEEDS) if path.suffix == ".csv"]


def _hash_of_files(paths: Iterable[Path]) -> str:
    lines = (f"{path.relative_to(PROJECT).as_posix()} {hash_bytes(path.read_bytes())}" for path in sorted(paths))
    return hash_bytes("\n".join(lines).encode())


def source_files(*folders: str) -> Iterator[Path]:
    """Files of code and data under `folders` of the repository, in a fixed order, without what tools generate."""
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*")):
            if path.is_file() and GENERATED.isdisjoint(path.relative_to(PROJECT).parts) and path.suffix != ".pyc":
                yield path


def _member_key_id(folders: Folders) -> str:
    """The secret shows in every `member_key`; a hash of it under a label gives nothing away."""
    path = folders.data / "secrets" / "member_key"
    return hashlib.sha256(b"key id|" + path.read_bytes()).hexdigest() if path.exists() else ""


def _register_as_told(folders: Folders, store: Path) -> dict[str, object]:
    anchor = store / "register" / "anchor.json"
    told = json.loads(anchor.read_text(encoding="utf-8")) if anchor.exists() else {"count": 0, "hash": "", "today": ""}
    return {**told, "lists": lists_of_days(folders.data)}


def lists_of_days(data: Path) -> dict[str, str]:
    """The hash of each list of days that the folder has, by its name."""
    return {name: hash_bytes((data / name).read_bytes()) for name in CALENDAR if (data / name).exists()}


def _commit() -> str | None:
    """The commit that is checked out, where the program runs from a repository."""
    try:
        head = (PROJECT / ".git" / "HEAD").read_text(encoding="utf-8").strip()
        name = head.removeprefix("ref: ")
        return head if name == head else (PROJECT / ".git" / name).read_text(encoding="utf-8").strip()
    except OSError:
        return None


# --- what changes, kept ------------------------------------------------------------------------------------------


def archive_into(folder: Path, store: Path, data: Path) -> dict[str, str]:
    """Copy what is written anew in the course of time into `folder`, by content; returns place and name of each.

    Of questions only what the warehouse reads of them is copied. The lists of days, which lie in `data` and reach the
    warehouse through the register alone, are found again by their hash (`copy_of_list`).
    """
    folder.mkdir(mode=0o700)
    for name, told in lists_of_days(data).items():
        (folder / _copy_of_days(told)).write_bytes((data / name).read_bytes())
    kept = {}
    for path in sorted([*store.glob("*.parquet"), *store.glob("register/*.parquet")]):
        content = path.read_bytes()
        kept[path.relative_to(store).as_posix()] = name = f"{hash_bytes(content)[:32]}.parquet"
        (folder / name).write_bytes(content)
    for place in CHANGEABLE:
        if any(store.glob(f"{place}/*.parquet")):
            aside = folder / f"{place}.parquet"
            source = f"read_parquet({_quoted(store / place / '*.parquet')}, union_by_name = true)"
            with duckdb.connect() as connection:
                connection.execute(
                    f"copy (select {', '.join(ISSUE_COLUMNS)} from {source} order by all) to {_quoted(aside)}"
                )
            kept[f"{place}/{place}.parquet"] = name = f"{hash_bytes(aside.read_bytes())[:32]}.parquet"
            aside.replace(folder / name)
    return kept


def copy_of_list(manifest: Manifest, name: str) -> str | None:
    """The name of the copy of a list (``units.csv``) that a build had; None where it had none."""
    if name not in CALENDAR:
        return manifest.archive.get(f"{Path(name).stem}.parquet")
    told = manifest.register.get("lists", {}).get(name)
    return _copy_of_days(told) if told else None


def _copy_of_days(content: str) -> str:
    return f"{content[:32]}.csv"


# --- two manifests side by side ----------------------------------------------------------------------------------

TOLD = {
    "code": "mã nguồn",
    "seeds": "bảng tham chiếu (seed)",
    "engines": "thư viện",
    "settings": "thiết đặt",
    "schemas": "bộ biểu",
    "lists": "danh sách",
    "member_key": "khóa giả danh",
    "calendar": "danh sách ngày",
}
"""Kinds of inputs, other than sendings and the register, with their Vietnamese names."""

IN_WORDS = ("settings", "engines")
"""Kinds whose values can be told as they are; of the others there are hashes."""


def other_differences(before: Manifest, after: Manifest, copies: Sequence[Path] = ()) -> list[str]:
    """What differs in the inputs beside sendings and the register, in words, a line a kind.

    `copies` are folders in which the kept copies of lists lie: with them it is told which rows of a list differ.
    """
    pairs = [
        *((kind, before.inputs.get(kind), after.inputs.get(kind)) for kind in TOLD if kind != "calendar"),
        ("calendar", before.register.get("lists", {}), after.register.get("lists", {})),
    ]
    told = []
    for kind, one, other in pairs:
        if one == other:
            continue
        if not isinstance(one, dict) or not isinstance(other, dict):
            told.append(TOLD[kind])
            continue
        names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
        if kind in IN_WORDS:
            names = [f"{name} {one.get(name, 'không có')} → {other.get(name, 'không có')}" for name in names]
        elif kind == "lists":
            names = [f"{name}.csv {_rows_that_differ(f'{name}.parquet', before, after, copies)}" for name in names]
        commits = [manifest.commit[:12] for manifest in (before, after) if manifest.commit]
        of_commits = f" (commit {' → '.join(commits)})" if kind == "code" and len(set(commits)) == 2 else ""
        told.append(f"{TOLD[kind]}: {', '.join(names)}{of_commits}")
    return told


def _rows_that_differ(place: str, before: Manifest, after: Manifest, copies: Sequence[Path], most: int = 3) -> str:
    """How a list differs in two builds, its rows named by their first column."""
    kept = [
        next((path for folder in copies if (path := folder / manifest.archive.get(place, "")).is_file()), None)
        for manifest in (before, after)
    ]
    if None in kept:
        return "đã đổi"
    gone, came = (_first_of_rows_only_in(one, other) for one, other in (kept, kept[::-1]))
    ways = {"thêm": came - gone, "bớt": gone - came, "đổi": came & gone}
    return (
        ", ".join(
            f"{way} {len(names)} dòng ({', '.join(sorted(map(str, names))[:most])}{'…' if len(names) > most else ''})"
            for way, names in ways.items()
            if names
        )
        or "đã đổi thứ tự hoặc kiểu cột"
    )


def _first_of_rows_only_in(one: Path, other: Path) -> set[object]:
    with duckdb.connect() as connection:
        source, target = (f"select columns(*)::varchar from read_parquet({_quoted(path)})" for path in (one, other))
        return {row[0] for row in connection.execute(f"{source} except {target}").fetchall()}


def touched_files(before: Manifest, after: Manifest) -> list[tuple[str, str]]:
    """(hash of sending, place) of each file that differs though the sending is the same."""
    return [
        (source_hash, place)
        for source_hash in sorted(before.sendings.keys() & after.sendings.keys())
        for one, other in [(before.sendings[source_hash]["files"], after.sendings[source_hash]["files"])]
        for place in sorted({*one, *other} - set(CHANGEABLE))
        # What could not be read before may have been read since.
        if one.get(place) != other.get(place) and any(known.startswith("forms/") for known in one)
    ]
