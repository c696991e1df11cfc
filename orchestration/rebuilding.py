"""Builds that nobody publishes: what was known on a day, and a build made again from its manifest."""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pyarrow.parquet as pq

from orchestration import lock, manifests, models, warehouse
from orchestration.field_checks import land_field_checks
from orchestration.judging import land_findings, land_review
from orchestration.manifests import SCHEMA, Manifest, manifest_of
from orchestration.problems import ProblemError
from orchestration.registers import open_register
from orchestration.releases import AUTOMATIC
from orchestration.settings import Folders, dbt_environment, settings
from orchestration.warehouse import INPUTS, Tables, Workshop
from submissions.lists import CALENDAR, NAMES
from submissions.register.deadlines import ZONE, Deadlines, today
from submissions.register.log import Register
from submissions.register.snapshots import export
from submissions.register.states import sendings
from submissions.units import ListError

WRITTEN_ONCE = ("submissions", "counts", "issues", "forms/*")
"""Folders of the store in which a sending's file stays as it is."""

SHOWN = 5
"""Of a list of what is missing, how much is named."""


@dataclass(frozen=True)
class Made:
    """A build that was made beside the published one."""

    build_id: str
    path: Path
    title: str
    said: str


def as_known(folders: Folders, day: date) -> Made:
    """The warehouse of the sendings that were accepted by the end of `day`, as the register has it. Never published.

    Its lists (units, exceptions, successions, days) are those of the last build by then; of a list that no build then
    knew, the earliest version there is, which the answer says.
    """
    if day > today():
        raise ProblemError(f"Ngày {day:%d/%m/%Y} chưa đến.")
    until = datetime.combine(day + timedelta(days=1), time.min, tzinfo=ZONE) - timedelta(microseconds=1)
    with lock.hold(folders.lock, f"dựng kho theo ngày {day:%d/%m/%Y}"), _place(folders) as place:
        with open_register(folders, make=False) as register:
            then = register.as_known(until)
            sent = sendings(then)
            if not sent["is_in_force"].any():
                raise ProblemError(f"Đến hết ngày {day:%d/%m/%Y} chưa có báo cáo nào được tiếp nhận.")
            lists = {name: _list_as_known(versions, until) for name, versions in _lists(folders, register).items()}
            for name, version in lists.items():
                if version.path is not None:
                    target = place.data / name if name in CALENDAR else place.store / f"{Path(name).stem}.parquet"
                    os.symlink(version.path, target)
            try:
                deadlines = Deadlines.read(place.data)
            except ListError as error:
                raise ProblemError(str(error)) from error
            _lay_out(folders.store, place.store, sent["source_hash"], (*WRITTEN_ONCE, *manifests.CHANGEABLE))
            units = pd.read_parquet(place.store / "units.parquet")
            years = sorted({int(year) for year in sent["year"].dropna()})
            export(then, units, years, place.store, today=day, deadlines=deadlines)
        workshop = Workshop(folders, settings().province)
        database = workshop.begin(place.store, as_known=day)
        unknown = _told_of_unknown(lists, until)
        told = workshop.manifest.register | {"lists": manifests.lists_of_days(place.data)}
        manifest = replace(workshop.manifest, register=told, state="as_known", note=unknown)
        kept = folders.builds / database.name
        said = f"{int(sent['is_in_force'].sum())} lần gửi được tính; chỉ để xem, không công bố. {unknown}".rstrip()
        if not kept.exists():
            manifest = manifest.with_tables(_build(place, folders, database))
            manifest.write(folders.builds)
            warehouse.keep(database, folders)
        return Made(manifest.build_id, kept, f"Số liệu đã biết đến hết ngày {day:%d/%m/%Y}", said)


@dataclass(frozen=True)
class _Version:
    """A list as it was at some time."""

    at: datetime
    path: Path | None
    """Where it lies, or a copy of it; None where there was no such list."""

    @property
    def is_empty(self) -> bool:
        """Whether the list said nothing."""
        if self.path is None:
            return True
        return self.path.suffix == ".parquet" and pq.read_metadata(self.path).num_rows == 0


def _lists(folders: Folders, register: Register) -> dict[str, list[_Version]]:
    """The versions of each list, the oldest first: as builds had it, and as it is.

    A build that is made a second time has one manifest; when it was made before, its publication tells.
    """
    real = {one.build_id: one for one in manifests.manifests(folders) if not one.as_known}
    times = [(datetime.fromisoformat(one.made_at), one) for one in real.values()]
    times += [
        (event.at, real[event.body["build"]])
        for event in register.read(["published"])
        if event.body["build"] in real and event.body["by"] == AUTOMATIC
    ]
    times.sort(key=lambda told: told[0])
    now = datetime.now(ZONE)
    found = {}
    for name in NAMES:
        copies = [(at, manifests.copy_of_list(one, name)) for at, one in times]
        versions = [_Version(at, folders.builds / INPUTS / copy if copy else None) for at, copy in copies]
        if name not in CALENDAR:
            versions = [one for one in versions if one.path is not None]  # every build has one, without rows if need be
        current = folders.data / name if name in CALENDAR else folders.store / f"{Path(name).stem}.parquet"
        versions.append(_Version(now, current if current.exists() else None))
        found[name] = [one for one in versions if one.path is None or one.path.exists()]
    return found


def _list_as_known(versions: Sequence[_Version], until: datetime) -> _Version:
    """The last version by then, or the first of all."""
    return next((one for one in reversed(versions) if one.at <= until), versions[0])


def _told_of_unknown(lists: Mapping[str, _Version], until: datetime) -> str:
    """Which lists are of a later day, because no build by then is known that had them; empty where none is."""
    later: dict[str, list[str]] = {}
    for name, version in lists.items():
        if version.at > until and not version.is_empty:
            later.setdefault(f"{version.at.astimezone(ZONE):%d/%m/%Y}", []).append(name)
    return " ".join(
        f"Đến ngày ấy chưa có bản dựng nào giữ {', '.join(names)}: dùng bản sớm nhất còn giữ, của ngày {since}."
        for since, names in later.items()
    )


def again(folders: Folders, build_id: str) -> Made:
    """Make a build again from its manifest; raises `ProblemError` that names what is missing or differs."""
    with lock.hold(folders.lock, f"dựng lại bản {build_id}"):
        return again_alone(folders, build_id)


def again_alone(folders: Folders, build_id: str) -> Made:
    """As `again`, for the holder of the lock; no build may have been begun.

    A file that is no longer as it was when it was built gives way. Readers who have it keep it: it is for
    `releases` to serve another.
    """
    manifest = manifest_of(build_id, folders)
    if manifest is None:
        raise ProblemError(f"Bản dựng {build_id} không có hồ sơ dựng nên không dựng lại được.")
    with _place(folders) as place:
        _check_files(manifest, folders)
        _lay_out(folders.store, place.store, manifest.sendings, WRITTEN_ONCE)
        for where, copy in manifest.archive.items():
            target = place.store / where
            target.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(folders.builds / INPUTS / copy, target)
        workshop = Workshop(folders, settings().province)
        day = date.fromisoformat(manifest.as_known) if manifest.as_known else None
        database = workshop.begin(place.store, as_known=day)
        if workshop.manifest.inputs != manifest.inputs:
            raise ProblemError(_cannot(manifest, _differences(manifest, workshop.manifest)))
        made = manifest.with_tables(_build(place, folders, database))
        kept = folders.builds / database.name
        if differing := sorted(name for name in made.tables if made.tables[name] != manifest.tables.get(name)):
            raise ProblemError(
                f"Dựng lại bản {build_id} ra kết quả khác ở {len(differing)} bảng: {', '.join(differing[:SHOWN])}."
            )
        if not kept.exists() or warehouse.altered(kept, manifest):  # a file that is served keeps its place
            warehouse.keep(database, folders)
        said = f"{len(made.tables)} bảng, giống hệt bản đã dựng lúc {manifest.made_at}."
        return Made(build_id, kept, "Đã dựng lại", said)


@contextmanager
def _place(folders: Folders) -> Iterator[Folders]:
    """A folder in which a store of its own can be laid out, as folders; it is gone afterwards."""
    place = Folders(folders.builds / f"view.{uuid4().hex[:8]}.building")
    place.store.mkdir(parents=True)
    try:
        yield place
    finally:
        Workshop(folders, "").clear()


def _lay_out(store: Path, view: Path, hashes: Iterable[str], patterns: Sequence[str]) -> None:
    """Links to the files of some sendings, and to the empty ones that show the columns."""
    for pattern in patterns:
        for folder in store.glob(pattern):
            target = view / folder.relative_to(store)
            target.mkdir(parents=True, exist_ok=True)
            for stem in (SCHEMA, *hashes):
                path = folder / f"{stem}.parquet"
                if path.exists() and not (target / path.name).exists():
                    os.symlink(path, target / path.name)


def _check_files(manifest: Manifest, folders: Folders) -> None:
    missing = [
        f"{place}/{source_hash[:12]}…"
        for source_hash, sending in manifest.sendings.items()
        for place in sending["files"]
        if place not in manifests.CHANGEABLE and not (folders.store / place / f"{source_hash}.parquet").exists()
    ]
    missing += [where for where, copy in manifest.archive.items() if not (folders.builds / INPUTS / copy).exists()]
    if missing:
        more = f" và {len(missing) - SHOWN} tệp khác" if len(missing) > SHOWN else ""
        raise ProblemError(_cannot(manifest, [f"thiếu tệp {', '.join(missing[:SHOWN])}{more}"]))


def _differences(wanted: Manifest, found: Manifest) -> list[str]:
    calendar = {**found.register, "lists": wanted.register.get("lists", {})}  # days reach a build by the register alone
    told = manifests.other_differences(wanted, replace(found, register=calendar))
    told += [
        f"tệp {place} của lần gửi {name[:12]} đã đổi" for name, place in manifests.touched_files(wanted, found)[:SHOWN]
    ]
    return told or ["sổ đăng ký hoặc các lần gửi"]


def _cannot(manifest: Manifest, reasons: Sequence[str]) -> str:
    told = f"Không dựng lại được bản {manifest.build_id}: {'; '.join(reasons)}."
    if manifest.commit and any(reason.startswith(manifests.TOLD["code"]) for reason in reasons):
        told += f" Bản đó dựng bằng mã nguồn ở commit {manifest.commit[:12]}."
    return told


def _build(place: Folders, folders: Folders, database: Path) -> dict[str, str]:
    """Build the warehouse of the store at `place`, with findings and signals, tested; returns its logical hash."""
    _run_dbt(place, folders, database, "--exclude", models.FINDINGS)
    tables = Tables(database)
    land_findings(tables, place.findings)
    land_review(tables, place.findings)
    land_field_checks(tables, place.findings)
    _run_dbt(place, folders, database, "--select", models.FINDINGS)
    return warehouse.finish(database)


def _run_dbt(place: Folders, folders: Folders, database: Path, *selection: str) -> None:
    target = folders.dagster / "dbt" / "beside"
    target.mkdir(parents=True, exist_ok=True)
    command = [models.EXECUTABLE, "build", "--project-dir", models.FOLDER, "--profiles-dir", models.FOLDER]
    command += ["--target-path", target, "--log-path", target / "logs", "--exclude-resource-type", "unit_test"]
    result = subprocess.run(
        [*command, *selection],
        env={**os.environ, **dbt_environment(place, database)},
        cwd=models.FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise ProblemError(f"dbt không dựng được kho ({_failed(target)}); nhật ký nằm trong {target / 'logs'}.")


def _failed(target: Path) -> str:
    """Names of the nodes that failed."""
    path = target / "run_results.json"
    if not path.exists():
        return "không chạy được"
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    names = [one["unique_id"].split(".")[2] for one in results if one["status"] in ("error", "fail")]
    return ", ".join(names[:SHOWN]) or "không rõ"
