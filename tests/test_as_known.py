"""What was known on a day: with the sendings that were accepted by then, and the lists that were in use."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime

import pandas as pd
import pytest

from orchestration import manifests, rebuilding, warehouse
from orchestration.settings import Folders
from orchestration.warehouse import INPUTS, Workshop
from submissions.register.log import Event
from tests.store_builder import DrawnStore

REPORT = """
    org_code | org_name | org_kind      | parent_code
    -------------------------------------------------
    67.001.1 | Một      | Đảng bộ cơ sở | 67.001
"""


class Province:
    """Its lists change from build to build; one report came on 5 January."""

    def __init__(self, data):
        self.folders = Folders(data)
        self.drawn = DrawnStore(self.folders.store, datetime(2026, 1, 5, tzinfo=UTC))
        self.drawn.send("67.001", 2025, organisations=REPORT)
        self.enter()

    def enter(self, *events: Event) -> None:
        self.drawn.tell(*events)
        shutil.copy(self.drawn.root.with_name("store.register.db"), self.folders.register)

    def lists(self, *units: str, due_before: str = "") -> None:
        rows = "".join(f"{unit} | Đơn vị {unit} |\n" for unit in units)
        self.drawn.list_units(f"unit_code | unit_name | from_year\n---\n{rows}")
        days = self.folders.data / "deadlines.csv"
        days.unlink(missing_ok=True)
        if due_before:
            days.write_text(f"unit_code,year,due_before\n*,2025,{due_before}\n", encoding="utf-8")

    def build(self, made_at: datetime) -> str:
        """Draw up and keep a build, without tables."""
        workshop = Workshop(self.folders, "T")
        database = workshop.begin()
        database.touch()
        replace(workshop.manifest, made_at=made_at.isoformat(), state="published").write(self.folders.builds)
        warehouse.keep(database, self.folders)
        workshop.clear()
        return workshop.build_id

    def as_known(self, day: date) -> tuple[pd.DataFrame, rebuilding.Made]:
        """Who owed what by when, as the build of a day has it, and what was said of it."""
        made = rebuilding.as_known(self.folders, day)
        owed = manifests.manifest_of(made.build_id, self.folders).archive["register/obligations.parquet"]
        found = pd.read_parquet(self.folders.builds / INPUTS / owed).set_index("unit_code")
        return found["due_before"].astype(str), made


@pytest.fixture
def province(tmp_path, monkeypatch):
    def build(_place, _folders, database):
        database.touch()
        return {}

    monkeypatch.setattr(rebuilding, "_build", build)  # what dbt makes of it is tried with whole builds
    return Province(tmp_path / "data")


def on(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def test_a_past_day_has_the_lists_of_the_last_build_by_then(province):
    province.lists("67.001", "67.002", due_before="2026-01-20")
    province.build(on(1, 10))
    province.lists("67.001", due_before="2026-02-12")
    province.build(on(2, 10))
    province.lists("67.001", "67.003")

    owed, made = province.as_known(date(2026, 1, 31))
    assert owed.to_dict() == {"67.001": "2026-01-20", "67.002": "2026-01-20"}
    assert "67.002" in set(pd.read_parquet(copy_of(province, made, "units.csv"))["unit_code"])
    assert "dùng bản sớm nhất" not in made.said
    owed, made = province.as_known(date(2026, 2, 10))
    assert owed.to_dict() == {"67.001": "2026-02-12"}
    assert "dùng bản sớm nhất" not in made.said


def test_today_has_the_lists_of_today_and_their_absence(province):
    province.lists("67.001", due_before="2026-01-20")
    province.build(on(1, 10))
    province.lists("67.001", "67.003")

    owed, made = province.as_known(rebuilding.today())
    # By 31 January, a Saturday: by the end of Monday.
    assert owed.to_dict() == {"67.001": "2026-02-03", "67.003": "2026-02-03"}
    assert "dùng bản sớm nhất" not in made.said


def test_a_day_before_the_first_build_has_the_earliest_lists_and_says_which(province):
    province.lists("67.001", "67.002", due_before="2026-01-20")
    province.build(on(1, 10))
    province.lists("67.001")
    province.build(on(2, 10))

    owed, made = province.as_known(date(2026, 1, 8))
    assert set(owed.index) == {"67.001", "67.002"}
    assert "giữ units.csv, deadlines.csv: dùng bản sớm nhất còn giữ, của ngày 10/01/2026" in made.said
    assert manifests.manifest_of(made.build_id, province.folders).note in made.said


def test_lists_that_a_later_build_of_the_same_id_had_before_are_known_by_its_publication(province):
    province.lists("67.001", "67.002")
    first = province.build(on(1, 10))
    body = {"build": first, "base": None, "by": rebuilding.AUTOMATIC, "reason": "", "content": ""}
    province.drawn.register.append([Event("published", "published:1", body=body, at=on(1, 10))])
    province.lists("67.001")
    province.build(on(2, 10))
    province.lists("67.001", "67.002")
    assert province.build(on(3, 10)) == first
    province.enter()

    known = [set(province.as_known(day)[0].index) for day in (date(2026, 1, 20), date(2026, 2, 20), date(2026, 3, 20))]
    assert known == [{"67.001", "67.002"}, {"67.001"}, {"67.001", "67.002"}]


def test_what_was_looked_at_as_known_on_a_day_is_no_version_of_the_lists(province):
    province.lists("67.001")
    province.build(on(1, 10))
    province.lists("67.001", "67.002")
    province.as_known(rebuilding.today())
    province.lists("67.001", "67.003")

    owed, _ = province.as_known(date(2026, 1, 20))
    assert set(owed.index) == {"67.001"}
    assert set(pd.read_parquet(province.folders.store / "units.parquet")["unit_code"]) == {"67.001", "67.003"}


def copy_of(province: Province, made: rebuilding.Made, name: str):
    manifest = manifests.manifest_of(made.build_id, province.folders)
    return province.folders.builds / INPUTS / manifests.copy_of_list(manifest, name)
