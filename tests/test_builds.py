"""Builds with a memory: what they were made of, how two differ and why, what may be published, how to go back."""

import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml

from orchestration import lock, manifests, rebuilding, releases, warehouse
from orchestration.comparison import GRAINS, TRACE, Comparison, compare, grain
from orchestration.manifests import Manifest, id_of, manifest_of
from orchestration.problems import ProblemError
from orchestration.registers import open_register
from orchestration.releases import NotPublishedError, conclude, publish, rollback
from orchestration.settings import PROJECT, Folders
from orchestration.warehouse import Workshop, build_id, published_build, reading
from submissions.register.log import Event
from submissions.register.snapshots import export
from tests.killing import killed_at
from tests.store_builder import DrawnStore

BY, WHY = "Ban Tổ chức Tỉnh ủy", "đã rà soát"

FIRST = {"aaaa": ("67.001", 2025, 1), "bbbb": ("67.002", 2025, 1), "cccc": ("67.001", 2024, 1)}
"""By hash: unit, year and number of what was sent first."""


@pytest.fixture
def folders(tmp_path):
    folders = Folders(tmp_path / "data")
    folders.builds.mkdir(parents=True)
    return folders


def drawn(sendings=FIRST, *, files=None, code="1", register=(0, ""), today="2026-03-01", obligations="1", **more):
    """A manifest; of several sendings of a unit and year the last counts."""
    last = {(unit, year): name for name, (unit, year, _) in sendings.items()}
    told = {
        name: {
            "unit_code": unit,
            "year": year,
            "number": number,
            "state": "accepted" if name in last.values() else "replaced",
            "is_in_force": name in last.values(),
            "files": {"forms/members": (files or {}).get(name, name)},
        }
        for name, (unit, year, number) in sendings.items()
    }
    inputs = {kind: {} for kind in ("seeds", "engines", "settings", "schemas", "lists")}
    inputs |= {"member_key": "k", "code": {"dbt_project": code}, "as_known": None, "sendings": told}
    inputs |= {"register": {"obligations": obligations}, **more}
    count, chained = register
    about = {"count": count, "hash": chained, "today": today}
    return Manifest(id_of(inputs), inputs, about, {}, datetime.now(UTC).isoformat())


LEVELS = "year integer, unit_code varchar, level_code varchar, n integer, primary key (year, unit_code, level_code)"

BEFORE = "(2024, '67.001', 'XS', 3), (2025, '67.001', 'XS', 4), (2025, '67.002', 'XS', 5), (2025, 'ALL', 'XS', 9)"

AFTER = "(2024, '67.001', 'XS', 3), (2025, '67.001', 'XS', 6), (2025, '67.002', 'XS', 5), (2025, 'ALL', 'XS', 11)"

CORRECTED = FIRST | {"dddd": ("67.001", 2025, 2)}
"""The unit has sent once more."""


def database(path, **tables):
    """A DuckDB file of marts; each table is (columns, rows)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        for name, (columns, rows) in tables.items():
            connection.execute(f"create table marts.{name} ({columns})")
            if rows:
                connection.execute(f"insert into marts.{name} values {rows}")
    return path


def compared(tmp_path, before, after, manifests_of_both=None, events=(), **options) -> Comparison:
    """Two warehouses drawn and compared; without manifests, as if a unit had sent once more."""
    paths = [database(tmp_path / f"{name}.duckdb", **tables) for name, tables in (("a", before), ("b", after))]
    return compare(*paths, manifests_of_both or (drawn(), drawn(CORRECTED)), events, **options)


def built(folders, manifest, rows=BEFORE, **tables):
    """A run that has built a warehouse and waits at the gate."""
    place = folders.builds / f"{manifest.build_id}.x.building"
    path = database(place / f"{manifest.build_id}.duckdb", rating_distribution=(LEVELS, rows), **tables)
    return Workshop(folders, "Đắk Mẫu", manifest, path)


def served(folders):
    with reading(folders.published) as connection:
        return connection.execute("select unit_code, n from marts.rating_distribution order by all").fetchall()


def tamper(build):
    """Change a figure in the file itself, behind the gate's back."""
    build.chmod(0o644)
    with duckdb.connect(str(build)) as connection:
        connection.execute("update marts.rating_distribution set n = 99 where unit_code = '67.002'")


def events(folders, *kinds):
    with open_register(folders) as register:
        return register.read(kinds or None)


# --- what a build is made of -------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    """A store of two units, of which one sent nothing, and the folders it lies in."""
    drawn_store = DrawnStore(tmp_path / "data" / "store", received_at=datetime(2025, 1, 10, tzinfo=UTC))
    drawn_store.send(
        "67.001",
        2024,
        members="""
            member_key | cell_code          | status
            -----------+--------------------+-----------
            m1         | 67.001.001.000.001 | Chính thức
        """,
    )
    return drawn_store


def path_in(store, pattern):
    return next(path for path in sorted(store.root.glob(pattern)) if path.stem != "_schema")


def edit(path, **values):
    frame = pd.read_parquet(path)
    frame.assign(**values).to_parquet(path, index=False)


def test_a_figure_changed_by_hand_in_a_form_changes_the_id(store):
    data = Folders(store.root.parent)
    before = build_id(data)
    edit(path_in(store, "forms/members/*.parquet"), status="Dự bị")

    assert build_id(data) != before


@pytest.mark.parametrize("place", ["issues", "queries"])
def test_an_issue_or_a_question_more_changes_the_id_and_the_name_of_the_file_does_not(store, place):
    data = Folders(store.root.parent)
    row = {"source_hash": "a", "form": "members", "sheet": "1", "cell": "A1", "rule": "R", "severity": "error"}
    ids = [build_id(data)]
    for file in ("một.xlsx", "hai.xlsx"):
        pd.DataFrame([row | {"file": file, "value": "x"}]).to_parquet(store.root / place / "a.parquet")
        ids.append(build_id(data))

    assert ids[0] != ids[1] == ids[2]


@pytest.mark.parametrize(
    ("place", "counts"),
    [
        ("successions.parquet", True),
        ("cap_exceptions.parquet", True),
        ("register/member_identities.parquet", True),
        ("register/field_check_draws.parquet", True),
        ("register/explanations.parquet", False),
        ("register/waivers.parquet", False),
    ],
)
def test_a_list_that_the_warehouse_reads_counts_and_what_it_does_not_read_does_not(store, place, counts):
    data = Folders(store.root.parent)
    before = build_id(data)
    pd.DataFrame({"what": ["ever"]}).to_parquet(store.root / place)

    assert (build_id(data) != before) is counts


def test_a_setting_counts(store, monkeypatch):
    data = Folders(store.root.parent)
    before = build_id(data)
    monkeypatch.setenv("THUCCHAT_PROVINCE", "Đắk Thử")

    assert build_id(data) != before


@pytest.fixture
def owing(store):
    """As `store`, with a unit on the list that has sent nothing for 2024."""
    store.list_units("unit_code | unit_name | from_year\n---\n67.001 | Một | 2024\n67.009 | Chín | 2024\n")
    return store


def tell(owing, day):
    export(owing.register, owing.units, [2024], owing.root, today=day)
    return build_id(Folders(owing.root.parent))


def test_a_unit_that_goes_on_owing_changes_nothing_from_day_to_day_and_a_deadline_that_passes_does(owing):
    before, due = tell(owing, date(2025, 1, 30)), tell(owing, date(2025, 2, 20))

    assert before != due
    assert {tell(owing, date(2025, 2, 20) + timedelta(days)) for days in (1, 30, 300)} == {due}


def test_the_manifest_tells_the_parts_and_how_far_the_register_had_come(owing):
    told = manifests.draw_up(Folders(owing.root.parent), owing.root)
    ((source_hash, sending),) = told.sendings.items()

    assert told.build_id == id_of(told.inputs) == build_id(Folders(owing.root.parent))
    assert (sending["unit_code"], sending["year"], sending["is_in_force"]) == ("67.001", 2024, True)
    assert {"submissions", "counts", "forms/members"} <= sending["files"].keys()
    assert (owing.root / "counts" / f"{source_hash}.parquet").exists()
    assert set(told.inputs["code"]) == {"dbt_project", "submissions", "ratings", "expectations"}
    assert {path.stem for path in (PROJECT / "dbt_project/seeds").glob("*.csv")} == set(told.inputs["seeds"])
    assert told.register["count"] == owing.register.anchor().count
    assert told.register["hash"] == owing.register.anchor().hash


def test_a_manifest_is_read_as_it_was_written_and_a_damaged_one_is_told(folders):
    manifest = replace(drawn(), state="pending", note="vì sao").with_tables({"marts.t": "0123456789abcdef (7)"})
    path = manifest.write(folders.builds)

    assert Manifest.read(path) == manifest
    assert manifest.tables == {"marts.t": {"hash": "0123456789abcdef", "rows": 7}}
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ProblemError, match="không đọc được"):
        manifest_of(manifest.build_id, folders)


def test_what_is_kept_of_questions_holds_neither_keys_nor_values(store, tmp_path):
    row = {"source_hash": "a", "form": "members", "sheet": "1", "cell": "A1", "rule": "R", "severity": "query"}
    pd.DataFrame([row | {"key": "670000000001", "value": "x", "message": "y"}]).to_parquet(
        store.root / "queries" / "a.parquet"
    )
    kept = manifests.archive_into(tmp_path / "kept", store.root, tmp_path)

    questions = pd.read_parquet(tmp_path / "kept" / kept["queries/queries.parquet"])
    assert questions.to_dict("records") == [row]
    assert {"units.parquet", "register/sendings.parquet", "register/obligations.parquet"} <= kept.keys()


# --- two builds compared -----------------------------------------------------------------------------------------

MEMBERS = (
    "record_id varchar primary key, source_hash varchar, year integer, unit_code varchar, member_key varchar, "
    "status varchar"
)


def test_the_same_facts_in_another_file_are_no_change_and_a_changed_one_is_told_by_what_it_is_about(tmp_path):
    before = {"fct_member": (MEMBERS, "('a/8','a',2025,'67.001','m1','x'), ('a/9','a',2025,'67.001','m2','x')")}
    after = {"fct_member": (MEMBERS, "('d/9','d',2025,'67.001','m1','x'), ('d/8','d',2025,'67.001','m2','y')")}
    found = compared(tmp_path, before, after)

    (table,) = found.tables
    assert (table.added, table.gone, table.changed) == (0, 0, 1)
    (change,) = found.changes.to_dict("records")
    assert (change["figure"], change["column"], change["before"], change["after"]) == (
        "year=2025,unit_code=67.001,member_key=m2",
        "status",
        "x",
        "y",
    )


def test_rows_that_share_what_they_are_about_are_counted_and_not_multiplied(tmp_path):
    columns = "record_id varchar primary key, year integer, unit_code varchar, org_code varchar, invited integer"
    before = {"fct_training": (columns, "('a/1',2025,'67.001','o',5), ('a/2',2025,'67.001','o',5)")}
    after = {
        "fct_training": (
            columns,
            "('d/1',2025,'67.001','o',5), ('d/2',2025,'67.001','o',5), ('d/3',2025,'67.001','o',5)",
        )
    }
    (table,) = compared(tmp_path, before, after).tables

    assert (table.rows_before, table.rows_after, table.added, table.gone, table.changed) == (2, 3, 1, 0, 0)


def test_keys_that_came_and_went_are_told(tmp_path):
    found = compared(
        tmp_path,
        {"rating_distribution": (LEVELS, "(2025, '67.001', 'XS', 1), (2025, '67.001', 'HT', 2)")},
        {"rating_distribution": (LEVELS, "(2025, '67.001', 'XS', 1), (2025, '67.001', 'KHT', 2)")},
    )
    (table,) = found.tables

    assert (table.added, table.gone, table.changed) == (1, 1, 0)
    assert found.figures[["figure", "before"]].to_numpy().tolist() == [
        ["year=2025,unit_code=67.001,level_code=HT", "2"]
    ]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("year integer, unit_code varchar, n integer, more integer", "thêm cột more"),
        ("year integer, unit_code varchar", "bỏ cột n"),
        ("year integer, unit_code varchar, n bigint", "cột n: INTEGER → BIGINT"),
    ],
)
def test_another_schema_is_told_and_explained_by_no_sending(tmp_path, columns, told):
    found = compared(tmp_path, {"t": ("year integer, unit_code varchar, n integer", "")}, {"t": (columns, "")})

    assert found.tables[0].columns == (told,)
    assert found.unexplained == 1
    assert told in found.reasons()[0]


def test_a_table_that_came_or_went_is_told(tmp_path):
    found = compared(tmp_path, {"old": ("n integer", "(1)")}, {"new": ("n integer", "(1), (2)")})

    assert {table.table: (table.columns, table.rows_before, table.rows_after) for table in found.tables} == {
        "marts.new": (("bảng mới",), 0, 2),
        "marts.old": (("bảng không còn",), 1, 0),
    }


def distributions(tmp_path, *manifests_of_both, events=(), after=AFTER, **options):
    tables = [{"rating_distribution": (LEVELS, rows)} for rows in (BEFORE, after)]
    return compared(tmp_path, *tables, manifests_of_both, events, **options)


def test_changes_are_grouped_by_unit_and_year_and_explained_by_the_sending_that_caused_them(tmp_path):
    found = distributions(tmp_path, drawn(), drawn(CORRECTED))

    causes = {(row.unit_code, row.year): (row.n, row.cause_kind, row.cause) for row in found.groups.itertuples()}
    assert causes.keys() == {("67.001", 2025), ("ALL", 2025)}
    rows, kind, cause = causes["67.001", 2025]
    assert (rows, kind) == (1, "sending")
    assert "lần gửi 2 của 67.001 năm 2025 (dddd): mới, đã tiếp nhận, đang được tính" in cause
    assert causes["ALL", 2025][1:] == (kind, cause)  # the province's figure moved with it
    assert found.unexplained == 0
    assert found.reasons() == []


def test_another_year_of_the_unit_that_sent_is_explained_by_it(tmp_path):
    after = BEFORE.replace("(2024, '67.001', 'XS', 3)", "(2024, '67.001', 'XS', 8)")
    found = distributions(tmp_path, drawn(), drawn(CORRECTED), after=after)

    (group,) = found.groups.to_dict("records")
    assert (group["unit_code"], group["year"], group["cause_kind"]) == ("67.001", 2024, "sending")
    assert "dddd" in group["cause"]


def test_a_change_for_which_nothing_was_sent_or_decided_is_unexplained(tmp_path):
    found = distributions(tmp_path, drawn(), drawn())

    assert found.unexplained == 2
    assert found.groups["cause_kind"].isna().all()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"code": "2"}, "mã nguồn: dbt_project"),
        ({"seeds": {"targets": "2"}}, "bảng tham chiếu (seed): targets"),
        ({"lists": {"units": "2"}}, "danh sách: units.csv đã đổi"),
        ({"settings": {"province": "khác"}}, "thiết đặt: province không có → khác"),
        ({"engines": {"duckdb": "3"}}, "thư viện: duckdb không có → 3"),
        ({"member_key": "khác"}, "khóa giả danh"),
    ],
)
def test_where_code_seeds_lists_or_settings_changed_too_a_new_sending_explains_nothing(tmp_path, more, told):
    found = distributions(tmp_path, drawn(), drawn(CORRECTED, **more))

    assert found.unexplained == 2
    assert f"đầu vào cũng đã khác: {told}" in found.reasons()


def kept_list(place, **lists):
    """Copies of lists as builds keep them, beside a warehouse; returns the manifest's word of them."""
    folder = place / warehouse.INPUTS
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in lists.items():
        pd.DataFrame(rows, columns=["code", "name"]).to_parquet(folder / f"{name}.parquet")
    return {"units.parquet": f"{next(iter(lists))}.parquet"}


def test_a_list_that_changed_is_told_with_the_rows_that_did(tmp_path):
    one = kept_list(tmp_path, former=[("67.001", "Một"), ("67.002", "Hai"), ("67.003", "Ba")])
    other = kept_list(tmp_path, later=[("67.001", "Một"), ("67.002", "HAI"), ("67.004", "Bốn")])
    found = distributions(
        tmp_path,
        replace(drawn(lists={"units": "1"}), archive=one),
        replace(drawn(lists={"units": "2"}), archive=other),
    )

    told = "danh sách: units.csv thêm 1 dòng (67.004), bớt 1 dòng (67.003), đổi 1 dòng (67.002)"
    assert f"đầu vào cũng đã khác: {told}" in found.reasons()
    assert set(found.groups["cause"]) == {told}
    assert found.groups["cause_kind"].isna().all()
    assert ("danh sách", told.removeprefix("danh sách: ")) in found.causes.inputs()


def test_of_new_code_the_commits_are_told_and_that_new_sendings_cannot_be_told_apart(tmp_path):
    found = distributions(
        tmp_path, replace(drawn(), commit="a" * 40), replace(drawn(CORRECTED, code="2"), commit="b" * 40)
    )

    assert f"đầu vào cũng đã khác: mã nguồn: dbt_project (commit {'a' * 12} → {'b' * 12})" in found.reasons()
    assert "không tách được phần do 2 lần gửi và quyết định mới giữa hai bản" in found.reasons()


def test_a_seed_that_changed_is_no_change_of_the_code_beside_it(store, monkeypatch, tmp_path):
    monkeypatch.setattr(manifests, "PROJECT", tmp_path)
    seed, model = (tmp_path / "dbt_project" / name for name in ("seeds/targets.csv", "models/t.sql"))
    told = []
    for content in ("1", "2"):
        for path in (seed, model):
            path.parent.mkdir(parents=True, exist_ok=True)
        model.write_text("select 1", encoding="utf-8")
        seed.write_text(content, encoding="utf-8")
        for cached in (manifests._code, manifests._seeds):
            cached.cache_clear()
        told.append(manifests.gather(Folders(store.root.parent), store.root))
    for cached in (manifests._code, manifests._seeds):
        cached.cache_clear()

    assert told[0]["code"] == told[1]["code"]
    assert told[0]["seeds"].keys() == {"targets"}
    assert told[0]["seeds"] != told[1]["seeds"]


def test_new_code_that_changes_no_figure_is_no_reason_to_stop(tmp_path):
    found = distributions(tmp_path, drawn(), drawn(code="2"), after=BEFORE)

    assert found.is_empty
    assert (found.unexplained, found.reasons()) == (0, [])


def test_a_file_of_a_sending_that_stayed_and_is_another_now_is_told_even_beside_a_new_sending(tmp_path):
    touched = drawn(CORRECTED, files={"bbbb": "edited"})
    found = distributions(tmp_path, drawn(), touched)
    nowhere = distributions(tmp_path / "same", drawn(), drawn(files={"bbbb": "edited"}), after=BEFORE)

    assert found.unexplained == 3
    expected = "tệp forms/members của lần gửi 1 của 67.002 năm 2025 (bbbb) đã đổi mà không có lần gửi mới"
    assert found.reasons()[0] == expected
    assert nowhere.is_empty
    assert nowhere.reasons() == [expected]


def entered(folders, *new):
    """Enter events; returns the register's anchor before and after, and all its events."""
    with open_register(folders) as register:
        anchors = [register.anchor()]
        register.append(new)
        anchors.append(register.anchor())
        return [(anchor.count, anchor.hash) for anchor in anchors], register.read()


EXTENDED = Event("extended", "e1", "67.001", 2025, body={"until": "2026-03-31", "by": BY, "reason": WHY})


def test_a_decision_in_the_register_explains(tmp_path, folders):
    (before, after), log = entered(folders, EXTENDED)
    found = distributions(tmp_path, drawn(register=before), drawn(register=after), events=log)

    assert found.unexplained == 0
    assert set(found.groups["cause_kind"]) == {"decision"}
    assert set(found.groups["cause"]) == {"gia hạn (sổ đăng ký, số 1)"}


def test_a_decision_about_members_explains_the_years_of_the_units_in_which_they_are(tmp_path, folders):
    decided = Event("same_person", "s1", body={"key_a": "m1", "key_b": "m2", "by": BY, "reason": WHY})
    (before, after), log = entered(folders, decided, EXTENDED)
    members = "year integer, unit_code varchar, member_key varchar, primary key (year, unit_code, member_key)"
    found = compared(
        tmp_path,
        {"fct_member": (members, "(2024,'67.002','m2'), (2025,'67.001','m1'), (2025,'67.003','m3')")},
        {"fct_member": (members, "(2024,'67.002','m1'), (2025,'67.001','m1'), (2025,'67.003','m4')")},
        (drawn(register=before), drawn(register=after)),
        log,
    )

    told = {(row.unit_code, row.year): row.cause for row in found.groups.itertuples()}
    assert told["67.002", 2024] == "xác nhận hai khóa là một đảng viên (sổ đăng ký, số 1)"
    assert "gia hạn" in told["67.003", 2025]  # where they never were, what else there is explains as well
    assert found.unexplained == 0


def test_a_decision_that_the_build_knew_already_explains_nothing(tmp_path, folders):
    (_, after), log = entered(folders, EXTENDED)
    found = distributions(tmp_path, drawn(register=after), drawn(register=after), events=log)

    assert found.unexplained == 2


def test_a_register_that_is_not_the_one_of_the_build_explains_nothing(tmp_path, folders):
    (_, after), log = entered(folders, EXTENDED)
    found = distributions(tmp_path, drawn(register=(1, "f" * 64)), drawn(CORRECTED, register=after), events=log)

    assert found.unexplained == 2
    assert any("sổ đăng ký không còn là sổ" in reason for reason in found.reasons())


def test_a_deadline_that_passed_explains_and_a_day_alone_does_not(tmp_path):
    passed = distributions(tmp_path / "1", drawn(), drawn(today="2026-03-05", obligations="2"))
    day = distributions(tmp_path / "2", drawn(), drawn(today="2026-03-05"))

    assert (passed.unexplained, set(passed.groups["cause_kind"])) == (0, {"calendar"})
    assert day.unexplained == 2


def test_only_figures_of_units_and_of_the_province_are_published_figures(tmp_path):
    of_organisations = (
        "year integer, unit_code varchar, org_code varchar, n integer, primary key (year, unit_code, org_code)"
    )
    leveled = (
        "year integer, organisation_level varchar, organisation_key varchar, n integer, "
        "primary key (year, organisation_key)"
    )
    tables = {
        "rating_distribution": (LEVELS, "(2025, '67.001', 'XS', {0})"),
        "organisation_year": (of_organisations, "(2025, '67.001', 'o', {0})"),
        "fct_membership_movement": (LEVELS, "(2025, '67.001', 'A', {0})"),
        "dim_unit": ("unit_code varchar primary key, n integer", "('67.001', {0})"),
        "indicator_year": (leveled, "(2025, 'unit', 'u', {0}), (2025, 'province', 'p', {0}), (2025, 'cell', 'c', {0})"),
    }
    before, after = (
        {name: (columns, rows.format(value)) for name, (columns, rows) in tables.items()} for value in (1, 2)
    )
    found = compared(tmp_path, before, after)

    assert len(found.tables) == 5
    assert found.figures[["table", "figure"]].to_numpy().tolist() == [
        ["marts.indicator_year", "year=2025,organisation_key=p"],
        ["marts.indicator_year", "year=2025,organisation_key=u"],
        ["marts.rating_distribution", "year=2025,unit_code=67.001,level_code=XS"],
    ]


def test_every_mart_whose_key_is_a_place_in_a_file_says_what_its_rows_are_about():
    for path in sorted((PROJECT / "dbt_project/models/marts").rglob("*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", ()):
            keys = [one["columns"] for one in model.get("constraints", ()) if one["type"] == "primary_key"]
            columns = [column["name"] for column in model["columns"]]
            for key in keys:
                about = grain(model["name"], columns, key)
                assert about, model["name"]
                if about != key:
                    assert model["name"] in GRAINS, f"{model['name']}: {key}"
                    assert set(about) == set(GRAINS[model["name"]]), model["name"]
                    assert not any(TRACE.search(column) for column in about)


# --- the gate ----------------------------------------------------------------------------------------------------


def test_the_first_build_is_published_and_entered(folders):
    release = conclude(built(folders, drawn()))

    assert published_build(folders) == release.manifest.build_id
    assert manifest_of(release.manifest.build_id, folders).state == "published"
    (told,) = events(folders)
    assert (told.kind, told.body["build"], told.body["base"]) == ("published", release.manifest.build_id, None)
    assert release.manifest.tables["marts.rating_distribution"]["rows"] == 4


def test_what_a_sending_explains_is_published_and_every_published_figure_that_moved_is_entered(folders):
    first = conclude(built(folders, drawn())).manifest.build_id
    second = conclude(built(folders, drawn(CORRECTED), AFTER)).manifest.build_id

    assert published_build(folders) == second
    found = releases.restatements(folders)
    assert found[["unit_code", "year", "figure", "column", "from", "to", "base", "build"]].to_numpy().tolist() == [
        ["67.001", 2025, "year=2025,unit_code=67.001,level_code=XS", "n", "4", "6", first, second],
        ["ALL", 2025, "year=2025,unit_code=ALL,level_code=XS", "n", "9", "11", first, second],
    ]
    assert found["cause"].str.contains("lần gửi 2 của 67.001 năm 2025").all()
    assert set(found["by"]) == {releases.AUTOMATIC}
    assert found["at"].notna().all()
    assert releases.restatements(folders, unit="67.001")["unit_code"].tolist() == ["67.001"]
    assert (folders.builds / f"{first}..{second}.parquet").exists()


@pytest.fixture
def stopped(folders):
    """A build that changes figures without a sending: (folders, what is served, what waits)."""
    first = conclude(built(folders, drawn())).manifest.build_id
    with pytest.raises(NotPublishedError, match="2 dòng đổi không do lần gửi"):
        conclude(built(folders, drawn(code="2"), AFTER))
    return folders, first, releases.pending(folders)


def test_what_no_sending_explains_stops_publication_and_is_kept(stopped):
    folders, first, waiting = stopped

    assert published_build(folders) == first
    assert ("67.001", 4) in served(folders)
    assert (folders.builds / f"{waiting}.duckdb").exists()
    assert "mã nguồn: dbt_project" in manifest_of(waiting, folders).note
    assert [event.kind for event in events(folders)] == ["published"]
    assert releases.listed(folders)[["build", "state"]].to_numpy().tolist() == [
        [first, "đang phục vụ"],
        [waiting, "chờ chấp nhận"],
    ]


def test_somebody_accepts_it_with_a_reason_and_is_entered_with_it(stopped):
    folders, first, waiting = stopped
    release = publish(None, folders, by=BY, reason=WHY)

    assert published_build(folders) == release.manifest.build_id == waiting
    _, accepted, published, *restated = events(folders)
    assert (accepted.kind, published.kind, {one.kind for one in restated}) == (
        "changes_accepted",
        "published",
        {"restated"},
    )
    assert (accepted.body["unexplained"], accepted.body["base"], accepted.body["by"]) == (2, first, BY)
    assert accepted.body["diff"] == release.comparison.digest
    assert {one.body["by"] for one in restated} == {BY}
    assert all(one.body["cause"].startswith(f"được chấp nhận: {WHY}") for one in restated)


@pytest.mark.parametrize(("by", "reason"), [("", WHY), (BY, " ")])
def test_nobody_accepts_without_a_name_and_a_reason(stopped, by, reason):
    folders, first, _ = stopped
    with pytest.raises(ProblemError, match="lý do"):
        publish(None, folders, by=by, reason=reason)

    assert published_build(folders) == first


def test_a_published_file_that_was_changed_since_is_told(folders):
    tamper(conclude(built(folders, drawn())).build)

    with pytest.raises(NotPublishedError, match=r"không còn như khi dựng \(marts\.rating_distribution\)"):
        conclude(built(folders, drawn(CORRECTED), AFTER))


def test_going_back_serves_the_former_build_and_holds_readers_to_it(folders):
    first = conclude(built(folders, drawn())).manifest.build_id
    second = conclude(built(folders, drawn(CORRECTED), AFTER)).manifest.build_id
    rollback(None, folders, by=BY, reason=WHY)

    assert published_build(folders) == first
    assert releases.pin(events(folders)).body["build"] == first
    back = releases.restatements(folders).tail(2)
    assert back[["from", "to"]].to_numpy().tolist() == [["6", "4"], ["11", "9"]]
    assert back["cause"].str.contains(f"khôi phục bản dựng {first}: {WHY}").all()

    third = CORRECTED | {"eeee": ("67.002", 2025, 2)}
    with pytest.raises(NotPublishedError, match=f"kho đang ghim ở bản {first}"):
        conclude(built(folders, drawn(third), AFTER.replace("'67.002', 'XS', 5", "'67.002', 'XS', 7")))
    assert published_build(folders) == first

    publish(second, folders, by=BY, reason=WHY)
    assert published_build(folders) == second
    assert releases.pin(events(folders)) is None


def test_publishing_after_going_back_without_naming_a_build_takes_the_one_that_was_left(folders):
    conclude(built(folders, drawn()))
    second = conclude(built(folders, drawn(CORRECTED), AFTER)).manifest.build_id
    rollback(None, folders, by=BY, reason=WHY)
    publish(None, folders, by=BY, reason=WHY)

    assert published_build(folders) == second


def test_there_is_no_going_back_to_what_was_never_published_or_is_no_more(stopped):
    folders, first, waiting = stopped
    with pytest.raises(ProblemError, match="chưa từng được công bố"):
        rollback(waiting, folders, by=BY, reason=WHY)
    with pytest.raises(ProblemError, match="Chưa có bản nào"):
        rollback(None, folders, by=BY, reason=WHY)
    publish(None, folders, by=BY, reason=WHY)
    (folders.builds / f"{first}.duckdb").unlink()
    with pytest.raises(ProblemError, match=f"thucchat build --from {first[:8]}"):
        rollback(first, folders, by=BY, reason=WHY)

    assert published_build(folders) == waiting


def test_what_was_known_on_a_day_is_never_published(folders):
    conclude(built(folders, drawn()))
    then = replace(drawn(as_known="2026-02-01"), state="as_known")
    workshop = built(folders, then, AFTER)
    then.with_tables(warehouse.finish(workshop.database)).write(folders.builds)
    warehouse.keep(workshop.database, folders)

    with pytest.raises(ProblemError, match="đã biết đến ngày 2026-02-01"):
        publish(then.build_id, folders, by=BY, reason=WHY)


def test_an_id_may_be_shortened_as_long_as_it_is_the_only_one(stopped):
    folders, first, _ = stopped

    assert releases.full_id(first[:8], folders) == first
    for begin in (first[:2], "zzzz"):
        with pytest.raises(ProblemError, match="thucchat builds"):
            releases.full_id(begin, folders)


def test_a_kill_between_register_and_file_is_made_good(folders):
    conclude(built(folders, drawn()))
    second = conclude(built(folders, drawn(CORRECTED), AFTER))
    first = folders.builds / f"{second.comparison.before}.duckdb"
    warehouse.serve(first, folders)  # as if the kill had come before the new one was served
    releases.heal(folders, events(folders))

    assert published_build(folders) == second.manifest.build_id


def test_a_kill_between_register_and_file_of_going_back_is_made_good_and_the_pin_holds(two):
    folders, first, second = two
    rollback(None, folders, by=BY, reason=WHY)
    warehouse.serve(
        folders.builds / f"{second}.duckdb", folders
    )  # as if the kill had come before the old one was served

    third = CORRECTED | {"eeee": ("67.002", 2025, 2)}
    with pytest.raises(NotPublishedError, match=f"kho đang ghim ở bản {first}"):
        conclude(built(folders, drawn(third), AFTER))
    assert published_build(folders) == first


def test_a_kill_at_any_moment_at_the_gate_leaves_a_whole_warehouse_and_a_register_that_agrees(folders):
    conclude(built(folders, drawn()))
    before = published_build(folders)
    killed = 0
    while True:
        sendings = FIRST | {f"d{killed:03}": ("67.001", 2025, killed + 2)}
        manifest = drawn(sendings)
        rows = AFTER.replace("'67.001', 'XS', 6", f"'67.001', 'XS', {killed + 100}")
        workshop = built(folders, manifest, rows)
        ended = killed_at(killed + 1, conclude, workshop)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        assert published_build(folders) in {before, manifest.build_id}
        assert len(served(folders)) == 4
        releases.heal(folders, events(folders))
        assert published_build(folders) == releases.last_release(events(folders)).body["build"]
        Workshop(folders, "").clear()
        before = published_build(folders)
        killed += 1

    assert killed >= 10
    assert published_build(folders) == manifest.build_id
    assert not list(folders.builds.glob("*.building"))
    assert not [path for path in folders.builds.iterdir() if path.name.startswith(".")]
    assert {one.state for one in manifests.manifests(folders)} <= {"published", "made"}


# --- changed behind the gate's back ------------------------------------------------------------------------------


@pytest.fixture
def two(folders):
    """Two builds of which the second is served: (folders, the first, the second)."""
    first = conclude(built(folders, drawn())).manifest.build_id
    return folders, first, conclude(built(folders, drawn(CORRECTED), AFTER)).manifest.build_id


def lose_a_table(build):
    build.chmod(0o644)
    with duckdb.connect(str(build)) as connection:
        connection.execute("drop table marts.rating_distribution")


def scribble(build):
    build.chmod(0o644)
    build.write_bytes(b"no database")


@pytest.mark.parametrize(
    ("harm", "told"),
    [(tamper, "marts.rating_distribution"), (lose_a_table, "marts.rating_distribution"), (scribble, "không mở được")],
)
def test_a_build_whose_file_was_changed_is_told_and_is_not_given_to_readers(two, harm, told):
    folders, first, _ = two
    harm(folders.builds / f"{first}.duckdb")

    (wrong,) = releases.listed(folders)["wrong"].dropna()
    assert told in wrong
    assert f"thucchat build --from {first[:8]}" in wrong
    with pytest.raises(ProblemError, match=told):
        rollback(None, folders, by=BY, reason=WHY)


def edit_manifest(folders, build, change):
    path = folders.builds / f"{build}.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    change(told)
    path.write_text(json.dumps(told), encoding="utf-8")


def test_a_build_whose_manifest_was_changed_with_its_file_is_told_by_the_register(two):
    folders, first, _ = two
    build = folders.builds / f"{first}.duckdb"
    tamper(build)
    hashes = drawn().with_tables(warehouse.logical_hash(build)).tables
    edit_manifest(folders, first, lambda told: told.update(tables=hashes))

    (wrong,) = releases.listed(folders)["wrong"].dropna()
    assert "không khớp với sổ đăng ký" in wrong


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: path.unlink(), "không còn"),
        (lambda path: path.write_text("{", encoding="utf-8"), "không đọc được"),
        (
            lambda path: path.write_text(path.read_text().replace('"unit_code": "67.001"', '"unit_code": "67.002"')),
            "sửa",
        ),
    ],
)
def test_a_manifest_that_is_gone_or_damaged_is_told_and_stops_no_other_build(two, harm, told):
    folders, first, _ = two
    harm(folders.builds / f"{first}.json")

    wrong = releases.listed(folders).set_index("build")["wrong"].dropna()
    assert list(wrong.index) == [first]
    assert told in wrong[first]
    third = CORRECTED | {"eeee": ("67.002", 2025, 2)}
    rows = AFTER.replace("'67.002', 'XS', 5", "'67.002', 'XS', 7")
    assert conclude(built(folders, drawn(third), rows)).comparison.unexplained == 0


def test_a_difference_to_a_build_that_was_changed_is_explained_by_nothing(two):
    folders, first, second = two
    tamper(folders.builds / f"{second}.duckdb")

    found = releases.difference(first, second, folders)
    assert found.groups["cause_kind"].isna().all()
    assert found.reasons()[0].startswith(f"nội dung tệp kho {second}.duckdb không còn như khi dựng")


def made_again(folders, manifest, rows):
    """The next run: it finds what is wrong, and builds where that cannot be put right; returns what was said."""
    told = []
    standing = releases.nothing_to_build(folders, tell=told.append)
    if standing is None:
        conclude(built(folders, manifest, rows))
    return told


@pytest.fixture
def now(folders, monkeypatch):
    """Says that nothing was sent since the second build."""
    monkeypatch.setattr(warehouse, "build_id", lambda _: drawn(CORRECTED).build_id)


@pytest.mark.usefixtures("now")
def test_a_served_build_that_was_changed_is_built_again_and_the_figures_that_readers_had_are_entered(two):
    folders, _, second = two
    tamper(folders.builds / f"{second}.duckdb")
    assert releases.nothing_to_build(folders) is None
    told = made_again(folders, drawn(CORRECTED), AFTER)

    assert "marts.rating_distribution" in told[0]
    assert ("67.002", 5) in served(folders)
    assert published_build(folders) == second
    assert releases.listed(folders)["wrong"].isna().all()
    last = releases.restatements(folders).iloc[-1]
    assert (last["from"], last["to"]) == ("99", "5")
    assert releases.BEHIND in last["cause"]
    assert releases.last_release(events(folders)).body["by"] == releases.MENDED
    assert releases.nothing_to_build(folders).is_published


@pytest.mark.usefixtures("now")
def test_a_pinned_build_that_was_changed_is_built_again_and_stays_pinned(two, monkeypatch):
    folders, first, second = two
    rollback(None, folders, by=BY, reason=WHY)
    tamper(folders.builds / f"{first}.duckdb")
    monkeypatch.setattr(warehouse, "build_id", lambda _: first)
    made_again(folders, drawn(), BEFORE)

    assert ("67.002", 5) in served(folders)
    assert releases.pin(events(folders)).body["build"] == first
    assert releases.pin(events(folders)).body["base"] == second  # what publish without a name goes back to


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize("harm", [tamper, scribble])
def test_in_a_copy_a_published_file_that_was_changed_gives_way_to_the_build_it_was(two, harm):
    folders, _, second = two
    folders.published.unlink()
    folders.published.write_bytes((folders.builds / f"{second}.duckdb").read_bytes())
    harm(folders.published)
    told = made_again(folders, None, None)

    assert "không phải là bản" in told[0]
    assert folders.published.samefile(folders.builds / f"{second}.duckdb")
    assert ("67.002", 5) in served(folders)


@pytest.mark.usefixtures("now")
def test_a_build_whose_file_was_taken_away_gets_it_back_from_the_readers(two):
    folders, _, second = two
    (folders.builds / f"{second}.duckdb").unlink()

    assert made_again(folders, None, None) == []
    assert published_build(folders) == second


@pytest.mark.usefixtures("now")
def test_a_published_file_that_was_taken_away_is_served_again(two):
    folders, _, second = two
    folders.published.unlink()

    assert made_again(folders, None, None) == []
    assert published_build(folders) == second


@pytest.mark.usefixtures("now")
def test_a_build_whose_manifest_is_gone_is_built_again_and_has_one(two):
    folders, _, second = two
    (folders.builds / f"{second}.json").unlink()
    made_again(folders, drawn(CORRECTED), AFTER)

    assert manifest_of(second, folders).state == "published"
    assert releases.listed(folders)["wrong"].isna().all()


def test_a_build_without_its_manifest_or_without_the_files_it_was_made_of_cannot_be_made_again(two):
    folders, first, second = two
    (folders.builds / f"{first}.json").unlink()

    with pytest.raises(ProblemError, match="không có hồ sơ dựng"):
        rebuilding.again(folders, first)
    with pytest.raises(ProblemError, match="thiếu tệp forms/members/"):
        rebuilding.again(folders, second)


@pytest.mark.usefixtures("now")
def test_a_build_that_waits_and_was_changed_is_built_again(stopped, standing):
    folders, _, waiting = stopped
    assert standing(drawn(code="2")) is not None
    tamper(folders.builds / f"{waiting}.duckdb")

    assert standing(drawn(code="2")) is None


def test_a_register_that_is_not_the_one_of_the_builds_is_told(folders):
    (_, after), _ = entered(folders, EXTENDED)
    drawn(register=after).write(folders.builds)
    assert releases.fault_of_register(folders) is None
    folders.register.unlink()
    entered(folders, replace(EXTENDED, year=2024))

    assert "đã được viết lại" in releases.fault_of_register(folders)


# --- packs -------------------------------------------------------------------------------------------------------


def packs_of(folders):
    return {path.name for path in folders.packs.glob("*/*")}


def put_pack(folders, build, year=2025):
    for name in (f"kiem-diem-{year}-{build}.pdf", f"kiem-diem-{year}-{build}.nguon.html"):
        path = folders.packs / str(year) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(build.encode())


def test_readers_find_packs_of_what_is_served_alone_and_those_of_a_former_build_come_back_with_it(folders):
    first = conclude(built(folders, drawn())).manifest.build_id
    put_pack(folders, first)
    note = folders.packs / "2025" / "ghi chú.docx"
    note.write_bytes(b"a person's own")
    of_the_first = packs_of(folders)
    second = conclude(built(folders, drawn(CORRECTED), AFTER)).manifest.build_id
    assert packs_of(folders) == {note.name}
    put_pack(folders, second)

    rollback(None, folders, by=BY, reason=WHY)
    assert packs_of(folders) == of_the_first
    publish(None, folders, by=BY, reason=WHY)
    assert all(second in name for name in packs_of(folders) - {note.name})
    assert len(packs_of(folders)) == 3


def test_packs_that_a_kill_left_behind_a_release_follow_it(two):
    folders, first, _ = two
    put_pack(folders, first)
    releases.heal(folders, events(folders))

    assert packs_of(folders) == set()


# --- one at a time -----------------------------------------------------------------------------------------------


def test_whoever_decides_while_a_run_is_at_work_waits_and_is_compared_with_what_it_has_published(stopped):
    folders, _, waiting = stopped
    with ThreadPoolExecutor() as others:
        with lock.hold(folders.lock, "một lần chạy"):
            decision = others.submit(publish, waiting, folders, by=BY, reason=WHY)
            wait([decision], timeout=0.5)
            assert not decision.done()
            second = conclude(built(folders, drawn(CORRECTED), AFTER)).manifest.build_id
        assert decision.result().comparison.before == second
    assert published_build(folders) == waiting


# --- nothing new -------------------------------------------------------------------------------------------------


@pytest.fixture
def standing(folders, monkeypatch):
    """Says what the inputs now are."""

    def now(manifest):
        monkeypatch.setattr(warehouse, "build_id", lambda _: manifest.build_id)
        return releases.nothing_to_build(folders)

    return now


def test_there_is_something_to_build_where_nothing_is_published_or_the_inputs_are_others(folders, standing):
    assert standing(drawn()) is None
    conclude(built(folders, drawn()))
    assert standing(drawn(CORRECTED)) is None


def test_there_is_nothing_to_build_where_the_inputs_are_those_of_the_published_build(folders, standing):
    conclude(built(folders, drawn()))

    assert standing(drawn()).message.startswith("Không có gì mới so với bản đang công bố")


def test_a_build_that_waits_is_not_built_again_and_says_what_it_waits_for(stopped, standing):
    told = standing(drawn(code="2"))

    assert not told.is_published
    assert "chưa công bố: 2 dòng đổi" in told.message
    assert "thucchat publish" in told.message


def test_a_build_that_was_rolled_back_is_not_published_again_by_itself(folders, standing):
    first = conclude(built(folders, drawn())).manifest.build_id
    conclude(built(folders, drawn(CORRECTED), AFTER))
    rollback(None, folders, by=BY, reason=WHY)

    assert f"ghim ở bản {first}" in standing(drawn(CORRECTED)).message


# --- the whole path ----------------------------------------------------------------------------------------------


def send_corrected(folders, level="Không hoàn thành nhiệm vụ"):
    """The unit's report of 2024 once more, as its second sending, with one member's level changed."""
    import openpyxl

    (former,) = folders.inbox.glob("*2024_final.xlsx")
    book = openpyxl.load_workbook(former)
    for row in book.worksheets[0].iter_rows(max_col=2):
        if row[0].value == "Lần gửi":
            row[1].value = 2
    row = next(row for row in book.worksheets[5].iter_rows(min_row=8) if row[6].value == "HTTNV")
    row[6].value = level
    path = folders.inbox / "2024 lần hai.xlsx"
    book.save(path)
    os.utime(path, (1_700_000_000, 1_700_000_000))


def stamp(folders):
    return folders.published.stat().st_ino, folders.published.stat().st_mtime_ns


def test_with_nothing_new_the_command_publishes_nothing_and_says_so(own, thucchat):
    before, log = stamp(own), len(events(own))
    result = thucchat("--data", own.data, "build")

    assert result.returncode == 0, result.stderr
    assert f"Không có gì mới so với bản đang công bố {published_build(own)}" in result.stdout
    assert (stamp(own), len(events(own))) == (before, log)


def test_with_nothing_new_a_run_builds_and_publishes_nothing_and_succeeds(own):
    from orchestration.instance import open_instance
    from orchestration.runs import run_job

    before, packs = stamp(own), {path: path.stat().st_mtime_ns for path in own.packs.rglob("*.pdf")}
    outcome = run_job("whole", own)

    assert outcome.succeeded, outcome.errors
    assert (stamp(own), {path: path.stat().st_mtime_ns for path in own.packs.rglob("*.pdf")}) == (before, packs)
    with open_instance(own) as instance:
        skipped = {
            entry.dagster_event.step_key
            for entry in instance.all_logs(outcome.run_id)
            if entry.is_dagster_event and entry.dagster_event.is_step_skipped
        }
    assert {"findings", "findings_marts", "published"} <= skipped


KILLED_AFTER = ["Tiếp nhận báo cáo vào kho gốc", "Đưa phát hiện vào kho"]
"""A kill right after these hits dbt at work, and the moment before publication; what lies between writes nothing."""


def build_and_kill(folders, after):
    """Start a build as a user does and kill it without warning, together with nothing else, once a step has ended."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "orchestration.command", "--data", folders.data, "build"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=PROJECT,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    for line in process.stdout:
        if after in line:
            os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def built_in_packs(folders):
    return {path.name.split("-")[-1].split(".")[0] for path in folders.packs.glob("*/*")}


@pytest.mark.timeout(1800)
def test_a_corrected_workbook_goes_through_kills_is_explained_gone_back_from_and_put_back_when_it_is_changed(
    own, thucchat
):
    first, before = published_build(own), stamp(own)
    send_corrected(own)
    for step in KILLED_AFTER:
        build_and_kill(own, step)
        assert (published_build(own), stamp(own)) == (first, before)
    result = thucchat("--data", own.data, "build")
    assert result.returncode == 0, result.stderr
    second = published_build(own)
    assert second != first
    assert not list(own.builds.glob("*.building"))
    assert lock.holder(own.lock) is None

    told = thucchat("--data", own.data, "diff", first[:8], second[:8], "--csv", own.data / "d.csv")
    assert told.returncode == 0, told.stderr
    changes = pd.read_csv(own.data / "d.csv", dtype=str)
    of_the_unit = changes[(changes["unit_code"] == "67.012") & (changes["year"] == "2024")]
    assert of_the_unit["cause"].str.contains("lần gửi 2 của 67.012 năm 2024").all()
    assert changes["cause_kind"].eq("sending").all()
    members = changes[(changes["table"] == "marts.fct_member_assessment") & (changes["kind"] == "changed")]
    assert members[["column", "before", "after"]].to_numpy().tolist() == [["final_level", "HTT", "KHT"]]
    figures = releases.restatements(own, unit="67.012", year=2024)
    assert {"marts.rating_distribution"} <= set(figures["table"])
    assert figures["cause"].str.contains("lần gửi 2").all()
    shown = thucchat("--data", own.data, "restatements", "--unit", "67.012")
    assert "Số liệu đã công bố bị đổi" in shown.stdout

    back = thucchat("--data", own.data, "rollback", "--by", BY, "--reason", WHY)
    assert back.returncode == 0, back.stderr
    assert (published_build(own), built_in_packs(own)) == (first, {first})
    quiet = thucchat("--data", own.data, "build")
    assert (quiet.returncode, published_build(own)) == (0, first)
    assert f"ghim ở bản {first}" in quiet.stdout
    forth = thucchat("--data", own.data, "publish", "--by", BY, "--reason", WHY)
    assert forth.returncode == 0, forth.stderr
    assert (published_build(own), built_in_packs(own)) == (second, {second})

    # Made again from its manifest, undisturbed, it is table by table what came out after the kills.
    hashes = manifest_of(second, own).tables
    build = own.builds / f"{second}.duckdb"
    build.chmod(0o644)
    with duckdb.connect(str(build)) as connection:
        connection.execute("update marts.rating_distribution set n = n + 1 where unit_code = '67.012'")
    listed = thucchat("--data", own.data, "builds")
    assert listed.returncode == 1
    assert "marts.rating_distribution" in listed.stdout
    mended = thucchat("--data", own.data, "build")
    assert mended.returncode == 0, mended.stderr
    assert "đã dựng lại từ hồ sơ" in mended.stdout
    assert published_build(own) == second
    assert manifest_of(second, own).with_tables(warehouse.logical_hash(own.published)).tables == hashes
    assert releases.listed(own)["wrong"].isna().all()


def test_a_figure_changed_by_hand_in_a_copy_of_the_store_stops_publication(own, thucchat):
    before = stamp(own)
    path = max((own.store / "forms" / "member_assessments").glob("*.parquet"), key=lambda path: path.stat().st_size)
    frame = pd.read_parquet(path)
    row = frame.index[frame["final_level"] == "Hoàn thành tốt nhiệm vụ"][0]
    frame.loc[row, "final_level"] = "Hoàn thành xuất sắc nhiệm vụ"
    frame.to_parquet(path, index=False)
    workshop = Workshop(own, "Đắk Mẫu")
    database = workshop.begin()
    # What a run makes of it, without the run: one rating more, one less.
    shutil.copyfile(own.published, database)
    with duckdb.connect(str(database)) as connection:
        connection.execute("update marts.rating_distribution set n = n + 1 where unit_code = '67.012' and year = 2025")
    with pytest.raises(NotPublishedError, match=f"{path.stem[:12]}. đã đổi mà không có lần gửi mới"):
        conclude(workshop)

    assert stamp(own) == before
    told = thucchat("--data", own.data, "diff")
    assert told.returncode == 1
    assert "KHÔNG RÕ" in told.stdout
    assert "marts.rating_distribution" in told.stdout
    again = thucchat("--data", own.data, "build")
    assert again.returncode == 1
    assert "đã dựng, chưa công bố" in again.stderr


def test_a_run_that_nobody_asked_for_publishes_nothing_over_a_pin(own):
    from orchestration.runs import run_job
    from orchestration.taking_in import take_in_alone

    first = published_build(own)
    (own.data / "cap_exceptions.csv").write_text(
        "unit_code,group_code,year,cap_pct,decision_no,decided_on\n67.012,A,2025,25,1-QĐ,2025-11-01\n", encoding="utf-8"
    )
    take_in_alone([], own)
    workshop = Workshop(own, "Đắk Mẫu")
    shutil.copyfile(own.published, workshop.begin())  # a list that changed no figure stops nothing
    second = conclude(workshop).manifest.build_id
    rollback(None, own, by=BY, reason=WHY)
    before = stamp(own)
    outcome = run_job("whole", own)

    assert outcome.succeeded, outcome.errors
    assert (published_build(own), stamp(own)) == (first, before)
    assert second != first


@pytest.mark.timeout(900)
def test_what_was_known_on_a_day_is_built_from_the_sendings_accepted_by_then(own, thucchat):
    first = published_build(own)
    today, yesterday = (datetime.now(UTC) - timedelta(days=days) for days in (0, 1))
    refused = thucchat("--data", own.data, "build", "--as-known", f"{yesterday - timedelta(days=2):%Y-%m-%d}")
    assert refused.returncode == 1
    assert "chưa có báo cáo nào được tiếp nhận" in refused.stderr

    made = thucchat("--data", own.data, "build", "--as-known", f"{today + timedelta(hours=7):%d/%m/%Y}")
    assert made.returncode == 0, made.stderr
    (then,) = [one for one in manifests.manifests(own) if one.as_known]
    now = manifest_of(first, own)
    assert published_build(own) == first
    assert {name: table["hash"] for name, table in then.tables.items()} == {
        name: table["hash"] for name, table in now.tables.items()
    }


def test_no_name_and_no_card_number_is_in_a_manifest_or_beside_it(whole):
    from tests.provinces import CANARY

    told = b"".join(path.read_bytes() for path in (*whole.builds.glob("*.json"), *whole.builds.glob("inputs/*")))
    cards = pd.concat(map(pd.read_parquet, (whole.store / "issues").glob("*.parquet")))["key"].dropna().unique()
    long = [card for card in cards if str(card).isdigit() and len(str(card)) == 12]

    assert json.dumps(CANARY).encode() not in told
    assert CANARY.encode() not in told
    assert long
    assert not [card for card in long if str(card).encode() in told]


def test_the_folder_of_kept_inputs_is_for_its_owner_alone(whole):
    assert (whole.builds / warehouse.INPUTS).stat().st_mode & 0o777 == 0o700
    assert Path(whole.builds / warehouse.INPUTS).is_dir()
