import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from submissions.register import log
from submissions.register.log import Anchor, Event, Register, RegisterError

pytest_plugins = ("tests.postgres",)

ROOT = Path(__file__).parents[1]
HASH = "ab" * 32


def received(number: int, **details) -> Event:
    return Event("received", f"received:{number}", "67.001", 2025, HASH, {"number": number}, **details)


def numbers(register: Register) -> list[int]:
    return [record.body["number"] for record in register.read()]


def by_hand(place: str, *statements: str) -> None:
    """Run statements as somebody who opens the database without the program."""
    if place.startswith("postgresql"):
        connection = psycopg2.connect(place)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    else:
        connection = sqlite3.connect(place)
        with connection:
            for statement in statements:
                connection.execute(statement)
    connection.close()


def without_guards(place: str, *statements: str) -> None:
    """As somebody who takes the database's guards away first, and puts them back."""
    if place.startswith("postgresql"):
        off, on = (
            [f"ALTER TABLE register_events {word} TRIGGER {guard}" for guard in log.GUARDS["postgresql"]]
            for word in ("DISABLE", "ENABLE ALWAYS")
        )
    else:
        connection = sqlite3.connect(place)
        made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        connection.close()
        off, on = [f"DROP TRIGGER {name}" for name in made], list(made.values())
    by_hand(place, *off, *statements, *on)


def start(code: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


# What is written is what is read


def test_an_event_is_read_as_it_was_appended(register):
    at = datetime(2026, 1, 31, 23, 30, 0, 125, tzinfo=timezone(timedelta(hours=7)))
    event = Event("accepted", "accepted:1", "67.001", 2025, HASH, {"file_name": "Báo cáo “năm”.xlsx", "n": None}, at)

    register.append([event])

    [record] = register.read()
    assert (record.seq, record.kind, record.key) == (1, "accepted", "accepted:1")
    assert (record.unit_code, record.year, record.source_hash) == ("67.001", 2025, HASH)
    assert record.body == {"file_name": "Báo cáo “năm”.xlsx", "n": None}
    assert record.at == at


def test_events_are_chosen_by_kind_unit_and_year(register):
    register.append(
        [
            Event("received", "1", "67.001", 2024, HASH),
            Event("received", "2", "67.002", 2025, HASH),
            Event("refused", "3", "67.001", 2025, HASH),
            Event("dead_letter", "4"),
        ]
    )

    assert list(register.events()["key"]) == ["1", "2", "3", "4"]
    assert list(register.events(kinds=["received"])["key"]) == ["1", "2"]
    assert list(register.events(unit_code="67.001", year=2025)["key"]) == ["3"]
    assert register.events(kinds=["waived"]).empty
    assert list(register.events(kinds=["waived"]).columns) == list(register.events().columns)


def test_an_event_without_time_gets_the_time_of_appending(register):
    before = datetime.now(UTC)

    [added] = register.append([received(1)])

    assert before <= added.at <= datetime.now(UTC)
    assert register.read()[0].at == added.at


def test_the_register_is_there_when_it_is_opened_again(place):
    with Register.open(place) as register:
        register.append([received(1)])
    with Register.open(place) as register:
        register.append([received(2)])
        assert numbers(register) == [1, 2]
        assert register.verify().is_whole


def test_an_event_that_is_known_is_left_out(register):
    register.append([received(1), received(2)])
    again = Event("received", "received:2", "67.009", 1999, HASH, {"number": 99})

    added = register.append([again, received(3)])

    assert [event.key for event in added] == ["received:3"]
    assert numbers(register) == [1, 2, 3]


def test_of_two_events_with_one_key_in_one_call_the_first_counts(register):
    added = register.append([received(1), Event("received", "received:1", source_hash=HASH, body={"number": 9})])

    assert len(added) == 1
    assert numbers(register) == [1]


def test_nothing_is_appended_where_one_event_of_a_call_is_wrong(register):
    for wrong in (
        Event("unheard_of", "x"),
        Event("locked", ""),
        Event("received", "x"),
        received(2, at=datetime(2026, 1, 1)),
        Event("received", "x", "67.001", 20255, HASH),
        Event("locked", "x"),
        Event("extended", "x", "67.001", 2025, body={"reason": "Bão"}),
        Event("extended", "x", "67.001", 2025, body={"until": "31/01/2026"}),
        Event("explained", "x", "67.001", 2025, HASH, {"issue_id": "i", "numbers": "n", "code": "GT01"}),
    ):
        with pytest.raises(ValueError, match=r"kind|key|file|time zone|year|lacks|isoformat"):
            register.append([received(1), wrong])
    with pytest.raises(TypeError, match="cannot stand in an event's body"):
        register.append([received(1), Event("locked", "x", year=2025, body={"what": object()})])

    assert register.append([]) == []
    assert register.anchor() == Anchor(0, log.START)


def test_names_and_codes_out_of_hostile_files_can_be_kept(register):
    half = "t\udcffệp\0.xlsx"

    register.append([Event("received", f"received:{half}", half, 2025, HASH, {"file_name": half, "emoji": "😀"})])

    [record] = register.read()
    assert record.body["file_name"] == "t?ệp\0.xlsx"
    assert record.body["emoji"] == "😀"
    assert record.unit_code == "t?ệp\ufffd.xlsx"
    assert register.append([Event("received", f"received:{half}", source_hash=HASH)]) == []
    assert register.verify().is_whole


# The database itself refuses changes


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE register_events SET body = '{}'",
        "UPDATE register_events SET at = at WHERE seq = 1",
        "DELETE FROM register_events",
        "DELETE FROM register_events WHERE seq = 2",
    ],
)
def test_the_database_refuses_changes(place, register, statement):
    register.append([received(1), received(2)])

    with pytest.raises((sqlite3.IntegrityError, psycopg2.Error), match="append-only"):
        by_hand(place, statement)

    assert numbers(register) == [1, 2]


def test_postgresql_refuses_to_truncate_or_to_switch_triggers_off(postgres):
    place = postgres.make_database("truncating")
    with Register.open(place) as register:
        register.append([received(1)])
        for statements in (
            ["TRUNCATE register_events"],
            ["SET session_replication_role = replica", "DELETE FROM register_events"],
            [
                "INSERT INTO register_events SELECT * FROM register_events "
                "ON CONFLICT (seq) DO UPDATE SET body = excluded.body"
            ],
        ):
            with pytest.raises(psycopg2.Error, match="append-only"):
                by_hand(place, *statements)

        assert numbers(register) == [1]


@pytest.mark.parametrize("same", ["seq", "key", "hash"])
@pytest.mark.parametrize("word", ["INSERT OR REPLACE", "REPLACE"])
def test_sqlite_refuses_to_replace_an_event(tmp_path, word, same):
    place = str(tmp_path / "register.sqlite")
    with Register.open(place) as register:
        register.append([received(1)])
        new = {"seq": "7", "key": "'new'", "hash": "'new'"} | {same: same}

        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            by_hand(
                place,
                f"{word} INTO register_events SELECT {new['seq']}, at, kind, {new['key']}, unit_code, year, "
                f"source_hash, '{{\"number\":9}}', {new['hash']} FROM register_events",
            )

        assert numbers(register) == [1]


# The chain tells what somebody changed who took the guards away


def test_a_whole_chain_is_verified(register):
    assert register.verify().is_whole
    register.append([received(number) for number in range(10)])

    verification = register.verify(register.anchor())

    assert verification.is_whole
    assert verification.count == 10


@pytest.mark.parametrize(
    "change",
    [
        "body = '{\"number\":9}'",
        "at = '2020-01-01T00:00:00.000000Z'",
        "kind = 'accepted'",
        "key = 'other'",
        "unit_code = NULL",
        "year = 2020",
        "source_hash = 'cd'",
        "hash = 'ef'",
    ],
)
def test_a_changed_event_is_named(place, register, change):
    register.append([received(number) for number in range(5)])
    without_guards(place, f"UPDATE register_events SET {change} WHERE seq = 3")

    verification = register.verify()

    assert verification.seq == 3
    assert "sự kiện số 3" in verification.fault.lower()


def test_an_event_that_was_taken_out_is_named(place, register):
    register.append([received(number) for number in range(5)])
    without_guards(place, "DELETE FROM register_events WHERE seq = 2")

    verification = register.verify()

    assert (verification.seq, verification.fault) == (2, "Thiếu sự kiện số 2: sau số 1 là số 3.")


def test_an_event_that_was_moved_is_named(place, register):
    register.append([received(number) for number in range(3)])
    without_guards(
        place,
        "UPDATE register_events SET seq = 9 WHERE seq = 2",
        "UPDATE register_events SET seq = 2 WHERE seq = 3",
        "UPDATE register_events SET seq = 3 WHERE seq = 9",
    )

    assert register.verify().seq == 2


def test_a_tail_that_was_cut_is_told_with_an_anchor_kept_elsewhere(place, register):
    register.append([received(number) for number in range(5)])
    anchor = Anchor.parse(str(register.anchor()))
    without_guards(place, "DELETE FROM register_events WHERE seq > 3")

    assert register.verify().is_whole
    verification = register.verify(anchor)

    assert (verification.count, verification.seq) == (3, 4)
    assert verification.fault == "Sổ có 3 sự kiện, điểm neo ghi 5: phần cuối đã bị cắt."


def test_a_log_that_was_written_anew_does_not_fit_its_anchor(place, register):
    register.append([received(number) for number in range(5)])
    anchor = register.anchor()
    without_guards(place, "DELETE FROM register_events WHERE seq > 3")
    register.append([received(77), received(78), received(79)])

    assert register.verify().is_whole
    assert register.verify(anchor).seq == 5


def test_guards_that_were_taken_away_are_told(place, register):
    register.append([received(1)])
    if place.startswith("postgresql"):
        by_hand(place, "ALTER TABLE register_events DISABLE TRIGGER register_events_append_only")
        gone = "register_events_append_only"
    else:
        by_hand(place, "DROP TRIGGER register_events_no_replace")
        gone = "register_events_no_replace"

    assert register.verify().fault == f"Thiếu khóa chống sửa của cơ sở dữ liệu: {gone}."


def test_an_anchor_that_is_none_is_refused():
    for text in ("", "5", "five:" + "0" * 64, "5:00"):
        with pytest.raises(RegisterError, match="Điểm neo"):
            Anchor.parse(text)


# Several processes, and processes that are killed

WRITER = """
import sys
from submissions.register.log import Event, Register

place, writer, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Register.open(place) as register:
    for batch in range(batches):
        own = [Event("received", f"{writer}:{batch}:{n}", source_hash="ab", body={"n": n}) for n in range(5)]
        shared = [Event("received", f"shared:{batch}:{n}", source_hash="ab", body={"n": n}) for n in range(5)]
        register.append(own + shared)
"""


def test_processes_that_append_at_once_make_one_whole_chain(place):
    if place.startswith("postgresql"):
        # A server may be set up so that a transaction sees what was there when it began to wait.
        name = psycopg2.extensions.parse_dsn(place)["dbname"]
        by_hand(place, f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    writers = [start(WRITER, place, str(writer), "12") for writer in range(3)]

    assert [writer.wait(timeout=120) for writer in writers] == [0] * 3

    with Register.open(place) as register:
        keys = [record.key for record in register.read()]
        assert len(keys) == len(set(keys)) == 3 * 12 * 5 + 12 * 5
        assert register.verify().is_whole


ENDLESS = """
import sys
from submissions.register.log import Event, Register

place, writer = sys.argv[1:]
with Register.open(place) as register:
    batch = 0
    while True:
        register.append([Event("received", f"{writer}:{batch}:{n}", source_hash="ab") for n in range(200)])
        print(batch, flush=True)
        batch += 1
"""


def test_a_writer_that_is_killed_leaves_whole_calls_and_loses_none(place):
    chance = random.Random(2025)
    acknowledged = {}
    for writer in range(4):
        process = start(ENDLESS, place, str(writer))
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        acknowledged[writer] = 1 + len([line for line in process.stdout.read().splitlines() if line])
        process.wait()

    with Register.open(place) as register:
        whole = {}
        for record in register.read():
            writer, batch, _ = record.key.split(":")
            whole.setdefault((int(writer), int(batch)), []).append(record)
        assert {len(call) for call in whole.values()} == {200}
        for writer, count in acknowledged.items():
            kept = sum(1 for of_writer, _ in whole if of_writer == writer)
            assert kept in {count, count + 1}
        assert register.verify().is_whole
        assert register.append([received(1)])


def test_a_postgresql_that_was_restarted_is_met_again(tmp_path):
    from tests.postgres import serve

    with serve() as server, Register.open(server.make_database("restarted")) as register:
        register.append([received(1)])
        server.stop()
        with pytest.raises(RegisterError, match="Không mở được sổ đăng ký"):
            register.append([received(2)])
        server.start()
        register.append([received(2)])

        assert numbers(register) == [1, 2]
        assert register.verify().is_whole


FULL = """
import resource, signal, sys
from submissions.register.log import Event, Register, RegisterError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Register.open(sys.argv[1]) as register:
    register.append([Event("locked", "first", year=2025)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        register.append([Event("locked", f"k{n}", year=2025, body={"text": "x" * 1000}) for n in range(2000)])
    except RegisterError as error:
        print(error)
"""


def test_a_full_disk_is_told_and_leaves_the_register_as_it_was(tmp_path):
    place = str(tmp_path / "register.sqlite")

    told, _ = start(FULL, place).communicate(timeout=60)

    assert told.startswith(place)
    with Register.open(place) as register:
        assert [record.key for record in register.read()] == ["first"]
        assert register.verify().is_whole


# Places that cannot be used


def test_the_file_is_for_its_owner_only(tmp_path):
    path = tmp_path / "new" / "register.sqlite"
    with Register.open(path) as register:
        register.append([received(1)])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}


def test_a_register_that_others_could_read_is_closed_to_them(tmp_path):
    path = tmp_path / "register.sqlite"
    Register.open(path).close()
    path.chmod(0o644)

    Register.open(path).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_path_may_be_given_as_url(tmp_path):
    with Register.open(f"sqlite:///{tmp_path}/thư mục/register.sqlite") as register:
        register.append([received(1)])

    assert numbers(Register.open(tmp_path / "thư mục" / "register.sqlite")) == [1]


def test_a_register_newer_than_the_program_is_left_alone(place):
    Register.open(place).close()
    by_hand(place, "UPDATE register_version SET version_num = '9999'")

    with pytest.raises(RegisterError, match="mới hơn chương trình"):
        Register.open(place)


def test_a_register_without_its_table_is_told(place):
    Register.open(place).close()
    by_hand(place, "DROP TABLE register_events")

    with Register.open(place) as register, pytest.raises(RegisterError, match="thiếu bảng"):
        register.append([received(1)])


@pytest.mark.parametrize("content", [b"day khong phai la so dang ky" * 400, os.urandom(5000)])
def test_a_file_that_is_no_register_is_told_and_kept(tmp_path, content):
    path = tmp_path / "register.sqlite"
    path.write_bytes(content)

    with pytest.raises(RegisterError, match="hỏng hoặc không phải là sổ đăng ký"):
        Register.open(path)

    assert path.read_bytes() == content


def test_a_damaged_page_is_told(tmp_path):
    path = tmp_path / "register.sqlite"
    with Register.open(path) as register:
        register.append([received(number) for number in range(2000)])
    damaged = bytearray(path.read_bytes())
    damaged[20_000:60_000] = bytes(40_000)
    path.write_bytes(damaged)

    with Register.open(path) as register, pytest.raises(RegisterError, match="đã hỏng"):
        register.verify()


def test_a_folder_is_no_register(tmp_path):
    with pytest.raises(RegisterError, match="không mở được sổ đăng ký"):
        Register.open(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://clerk:s3cr%40t@/nowhere?host=/nonexistent",
        "postgresql://clerk:s3cr%40t@127.0.0.1:1/register",
        "postgresql://clerk@127.0.0.1:1/register?password=s3cr%40t",
        "postgresql://clerk:s3cr@t@127.0.0.1:1/register",
        "postgresql://clerk:s3cr@t/x@127.0.0.1/register",
        "postgresql://clerk:s3cr%40t@127.0.0.1:port/register",
        "mysql://clerk:s3cr%40t@127.0.0.1/register",
        "postgresql+asyncpg://clerk:s3cr%40t@127.0.0.1/register",
        "s3cr%40t://",
    ],
)
def test_a_place_that_cannot_be_reached_is_told_without_its_password(url):
    with pytest.raises(RegisterError) as told:
        Register.open(url)

    shown = [str(told.value), repr(told.value)]
    cause = told.value.__cause__ or (None if told.value.__suppress_context__ else told.value.__context__)
    assert cause is None
    assert "sổ đăng ký" in shown[0].lower()
    if not url.startswith("s3cr"):
        assert not any("s3cr" in text for text in shown)


def test_a_database_that_does_not_exist_is_told(postgres):
    with pytest.raises(RegisterError, match="Không tìm thấy cơ sở dữ liệu"):
        Register.open(postgres.url("nowhere", password="s3cr"))


@pytest.mark.parametrize("right", ["CREATE", "ALL"])
def test_a_user_who_may_not_make_tables_is_told(postgres, right):
    place = postgres.make_database(database := f"closed_{right.lower()}")
    by_hand(place, f"CREATE USER reader_{right}", f"REVOKE {right} ON SCHEMA public FROM public")

    with pytest.raises(RegisterError, match="Không có quyền ghi"):
        Register.open(postgres.url(database, user=f"reader_{right.lower()}"))


# Migrations


def test_the_program_names_its_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(log.MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [log.REVISION]


OPENER = """
import sys
from submissions.register.log import Register

Register.open(sys.argv[1]).close()
"""


def test_processes_that_open_a_new_register_at_once_make_it_once(place):
    openers = [start(OPENER, place) for _ in range(4)]

    assert [opener.wait(timeout=120) for opener in openers] == [0] * 4
    assert Register.open(place).verify().is_whole


def test_the_database_may_be_shared_with_another_programs_migrations(place):
    if not place.startswith("postgresql"):
        Path(place).parent.mkdir()
    by_hand(
        place,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('of dagster')",
    )

    with Register.open(place) as register:
        register.append([received(1)])
        assert register.verify().is_whole


def test_the_body_of_an_event_is_canonical_json(place, register):
    register.append([Event("locked", "x", year=2025, body={"b": [1, 2.5], "a": "Đ"})])

    if place.startswith("postgresql"):
        connection = psycopg2.connect(place)
        cursor = connection.cursor()
        cursor.execute("SELECT body FROM register_events")
    else:
        cursor = (connection := sqlite3.connect(place)).execute("SELECT body FROM register_events")
    [(body,)] = cursor.fetchall()
    connection.close()

    assert body == '{"a":"\\u0110","b":[1,2.5]}'
    assert json.loads(body) == {"a": "Đ", "b": [1, 2.5]}


HOLDER = """
import sys, time
from submissions.register import log
from submissions.register.log import Register

with Register.open(sys.argv[1]) as register, register._transaction(write=True):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_register_that_another_holds_too_long_is_told_as_busy(place, register, monkeypatch):
    monkeypatch.setattr(log, "_BUSY_SECONDS", 1)
    holder = start(HOLDER, place)
    assert holder.stdout.readline() == "held\n"
    try:
        with Register.open(place) as waiting, pytest.raises(RegisterError, match="đang bận"):
            waiting.append([received(1)])
        assert register.read() == []  # readers do not wait
    finally:
        holder.kill()
        holder.wait()
    assert register.append([received(1)])
