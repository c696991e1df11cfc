"""The second source: what is finished there comes into the spool, once, and nothing there is changed."""

import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

from orchestration import backlog, sendings, sources
from orchestration.backlog import ATTEMPTS, Marks
from orchestration.dead_letters import DeadLetters
from orchestration.definitions import defs
from orchestration.defs import store
from orchestration.instance import open_instance
from orchestration.settings import PROJECT, Folders, set_environment
from orchestration.sources import PAUSES, Settings, configured, fetch, safe_path
from submissions.register.log import Register
from submissions.store import Store
from tests.beside import fetched
from tests.killing import begin
from tests.sftp import Server, serving

OLD = 1_700_000_000


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def server(shared_server):
    """The server with an empty folder."""
    subprocess.run(["rm", "-rf", shared_server.files], check=True)
    shared_server.files.mkdir()
    return shared_server


@pytest.fixture
def folders(tmp_path) -> Folders:
    return Folders(tmp_path / "data")


def settings_of(server: Server) -> Settings:
    return Settings(server.url, server.known_hosts, server.key)


def lay(server: Server, name: str, content: bytes = b"content") -> Path:
    path = server.files / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (OLD, OLD))
    return path


def visit(settings, folders, *, seconds=30.0, at=time.time):
    return fetch(settings, folders, Marks(folders.data / "inbox.sqlite"), seconds=seconds, at=at)


def two_visits(settings, folders, **options):
    visit(settings, folders, **options)
    return visit(settings, folders, **options)


def spooled(folders) -> dict[str, bytes]:
    root = folders.data / "spool" / "source"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def state_of(server) -> dict[str, tuple]:
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns, path.lstat().st_mode)
        for path in server.files.rglob("*")
    }


def test_finished_files_come_with_their_unit_folders_at_the_second_look_and_nothing_there_changes(server, folders):
    lay(server, "67.003/Báo cáo 2025.xlsx", b"workbook")
    lay(server, "Sổ UBKT.xlsx", b"register")
    lay(server, "67.003/đang tải.xlsx.filepart")
    lay(server, "~$khóa.xlsx")
    before = state_of(server)
    first = visit(settings_of(server), folders)
    second = visit(settings_of(server), folders)

    assert (first.files, first.problem) == (0, None)
    assert (second.files, second.problem, second.waiting) == (2, None, 1)
    assert spooled(folders) == {"67.003/Báo cáo 2025.xlsx": b"workbook", "Sổ UBKT.xlsx": b"register"}
    assert state_of(server) == before
    marks = Marks(folders.data / "inbox.sqlite")
    seen = backlog.survey(backlog.roots(folders)[1], marks, at=time.time(), patience_seconds=0)
    assert {entry.name: entry.unit_code for entry in seen.ready} == {
        "67.003/Báo cáo 2025.xlsx": "67.003",
        "Sổ UBKT.xlsx": None,
    }


def test_what_was_brought_is_not_brought_again_after_intake_has_cleared_the_spool(server, folders):
    lay(server, "a.xlsx")
    two_visits(settings_of(server), folders)
    (folders.data / "spool" / "source" / "a.xlsx").unlink()

    assert visit(settings_of(server), folders).files == 0
    lay(server, "a.xlsx", b"a later sending of the same name")
    assert two_visits(settings_of(server), folders).files == 1


def test_a_file_that_changes_between_looks_waits(server, folders):
    lay(server, "a.xlsx", b"half")
    visit(settings_of(server), folders)
    lay(server, "a.xlsx", b"half and the rest")

    assert visit(settings_of(server), folders).files == 0
    assert visit(settings_of(server), folders).files == 1
    assert spooled(folders) == {"a.xlsx": b"half and the rest"}


def test_an_earlier_file_of_the_same_name_that_is_not_read_yet_is_not_overwritten(server, folders):
    lay(server, "a.xlsx", b"first")
    two_visits(settings_of(server), folders)
    lay(server, "a.xlsx", b"second")

    assert two_visits(settings_of(server), folders).files == 0
    assert spooled(folders) == {"a.xlsx": b"first"}
    (folders.data / "spool" / "source" / "a.xlsx").unlink()
    assert visit(settings_of(server), folders).files == 1
    assert spooled(folders) == {"a.xlsx": b"second"}


def test_a_folder_of_csv_files_comes_whole(server, folders):
    lay(server, "67.003/báo cáo/Bieu 1.csv", b"a")
    lay(server, "67.003/báo cáo/Bieu 2.csv", b"b")

    assert two_visits(settings_of(server), folders).files == 1
    assert spooled(folders) == {"67.003/báo cáo/Bieu 1.csv": b"a", "67.003/báo cáo/Bieu 2.csv": b"b"}


def test_links_and_special_files_there_are_dead_letters_and_never_followed(server, folders):
    (server.files / "67.003").mkdir()
    (server.files / "67.003" / "link.xlsx").symlink_to("/etc/hostname")
    (server.files / "folder").symlink_to("/etc")
    os.mkfifo(server.files / "pipe.xlsx")

    assert two_visits(settings_of(server), folders).files == 0
    letters = DeadLetters(folders.data / "dead_letters").all()
    assert {(letter.file_name, letter.code, letter.unit_code) for letter in letters} == {
        ("link.xlsx", "SYMLINK", "67.003"),
        ("folder", "SYMLINK", None),
        ("pipe.xlsx", "SPECIAL_FILE", None),
    }


def test_what_time_does_not_suffice_for_is_gone_on_with_at_the_next_visit(server, folders):
    content = random.Random(1).randbytes(8 * 1024 * 1024)
    lay(server, "large.xlsx", content)
    visit(settings_of(server), folders)
    marks = Marks(folders.data / "inbox.sqlite")
    with sources._opened(settings_of(server)) as (system, root):
        entry = sources.listing(system, root, time.monotonic() + 60).entries[0]
        aside = folders.data / "spool" / "fetching" / sources._mark(settings_of(server), entry)
        aside.mkdir(parents=True)
        (aside / "0").write_bytes(content[: 3 * 1024 * 1024])
        half = sources._Visit(settings_of(server), folders, marks, time.monotonic(), time.time)
        assert not half._copy(system, f"{root}/large.xlsx", aside / "0", entry.stamps[0])
    assert (aside / "0").stat().st_size >= 3 * 1024 * 1024

    assert visit(settings_of(server), folders).files == 1
    assert hashlib.sha256(spooled(folders)["large.xlsx"]).digest() == hashlib.sha256(content).digest()
    assert not aside.exists()


def test_a_file_that_may_not_be_read_becomes_a_dead_letter_and_the_others_come(server, folders, monkeypatch):
    """As root sshd may read everything: another file is asked for in the bad one's place, and the server says no."""
    lay(server, "bad.xlsx")
    lay(server, "good.xlsx")
    real = sources._Visit._copy

    def refuse(self, system, source, target, stamp):
        if source.endswith("bad.xlsx"):
            source += ".absent"
        return real(self, system, source, target, stamp)

    monkeypatch.setattr(sources._Visit, "_copy", refuse)
    brought = [visit(settings_of(server), folders).files for _ in range(ATTEMPTS + 3)]

    assert sum(brought) == 1
    assert spooled(folders) == {"good.xlsx": b"content"}
    (letter,) = DeadLetters(folders.data / "dead_letters").all()
    assert (letter.code, letter.file_name) == ("SOURCE_UNREADABLE", "bad.xlsx")


# --- what the source may do ----------------------------------------------------------------------------------------


def test_a_host_that_is_not_known_is_refused(server, folders, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # where no known_hosts lies
    lay(server, "a.xlsx")
    empty = tmp_path / "known_hosts"
    empty.touch()
    for known_hosts in (None, empty):
        fetched = visit(Settings(server.url, known_hosts, server.key), Folders(tmp_path / str(known_hosts).strip("/")))
        assert "known_hosts" in fetched.problem
        assert "chưa có" in fetched.problem
    assert empty.read_text() == "", "and it is not added"


def test_a_host_whose_key_has_changed_is_refused(tmp_path, folders):
    with serving(tmp_path / "sshd") as server:
        lay(server, "a.xlsx")
        server.stop()
        server.change_host_key()
        server.start()
        fetched = visit(settings_of(server), folders)

    assert "KHÁC" in fetched.problem
    assert spooled(folders) == {}


def test_a_key_that_the_server_does_not_take_is_one_clear_warning(server, folders, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    fetched = visit(Settings(server.url, server.known_hosts, tmp_path / "other"), folders)

    assert "không chấp nhận" in fetched.problem


def test_no_password_is_shown_or_kept_anywhere(server, folders, caplog):
    url = server.url.replace("@", ":mat-khau-bi-mat@")
    settings = Settings(url, server.known_hosts, None)
    fetched = visit(settings, folders)

    assert fetched.problem
    kept = b"".join(path.read_bytes() for path in folders.data.rglob("*") if path.is_file()).decode("utf-8", "replace")
    for shown in (str(fetched), repr(fetched), fetched.problem, caplog.text, settings.place, kept):
        assert "mat-khau" not in shown


def test_a_source_that_is_down_is_warned_of_once_left_alone_for_growing_pauses_and_used_again(tmp_path, folders):
    now = [1_800_000_000.0]
    with serving(tmp_path / "sshd") as server:
        lay(server, "a.xlsx")
        server.stop()
        first = visit(settings_of(server), folders, at=lambda: now[0])
        again = visit(settings_of(server), folders, at=lambda: now[0] + PAUSES[0] - 1)
        now[0] += PAUSES[0]
        second = visit(settings_of(server), folders, at=lambda: now[0])
        now[0] += PAUSES[0]
        longer = visit(settings_of(server), folders, at=lambda: now[0])
        server.start()
        now[0] += PAUSES[1]
        well = two_visits(settings_of(server), folders, at=lambda: now[0])

    assert "không nhận kết nối" in first.problem
    assert (first.is_news, again.is_news, second.is_news, longer.is_news) == (True, False, True, False)
    assert (well.problem, well.files) == (None, 1)


def test_a_server_that_says_nothing_is_given_up(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"sftp://someone@127.0.0.1:{silent.getsockname()[1]}/dir"
        fetched = visit(Settings(url), folders)

    assert fetched.problem
    assert fetched.is_news


@pytest.mark.parametrize("url", ["sftp://", "gibberish", "nosuch://host/dir", "file:///absent/folder", "s3://bucket/x"])
def test_an_address_that_cannot_be_used_is_a_warning_and_no_failure(folders, url, monkeypatch):
    if url.startswith("s3"):
        monkeypatch.setitem(sys.modules, "s3fs", None)  # as where the extra is not installed
    fetched = visit(Settings(url), folders)

    assert fetched.problem.startswith("Nguồn thứ hai")
    assert "Hộp nhận tại chỗ vẫn hoạt động" in fetched.problem


def test_a_mounted_folder_is_a_source_too_and_its_links_are_not_followed(tmp_path, folders):
    mount = tmp_path / "mount"
    (mount / "67.003").mkdir(parents=True)
    (mount / "67.003" / "a.xlsx").write_bytes(b"content")
    os.utime(mount / "67.003" / "a.xlsx", (OLD, OLD))
    (mount / "link.xlsx").symlink_to("/etc/hostname")
    (mount / "folder").symlink_to("/etc")

    assert two_visits(Settings(f"file://{mount}"), folders).files == 1
    assert spooled(folders) == {"67.003/a.xlsx": b"content"}
    assert {letter.code for letter in DeadLetters(folders.data / "dead_letters").all()} == {"SYMLINK"}


@pytest.mark.parametrize("name", ["../../etc/passwd", "67.003/../../x.xlsx", "/absolute.xlsx", "a//b.xlsx", "x" * 250])
def test_no_name_of_the_source_leads_out_of_the_spool(tmp_path, name):
    path = tmp_path / safe_path(name)

    assert ".." not in path.parts
    assert path.resolve().is_relative_to(tmp_path)
    assert all(len(os.fsencode(part)) <= 255 for part in path.parts)


def test_the_source_is_read_from_the_environment(monkeypatch):
    monkeypatch.delenv("THUCCHAT_SOURCE", raising=False)
    assert configured() is None
    monkeypatch.setenv("THUCCHAT_SOURCE", "")
    assert configured() is None
    monkeypatch.setenv("THUCCHAT_SOURCE", "sftp://a:b@c:1/d")
    monkeypatch.setenv("THUCCHAT_SOURCE_KNOWN_HOSTS", "/k")
    told = configured()
    assert (told.known_hosts, told.key_file, told.place) == (Path("/k"), None, "sftp://c:1/d")


def test_two_processes_do_not_fetch_at_once(server, folders):
    lay(server, "a.xlsx")
    visit(settings_of(server), folders)
    results = []
    threads = [threading.Thread(target=lambda: results.append(visit(settings_of(server), folders))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(result.files for result in results) == 1
    assert all(result.problem is None for result in results)


def test_fetching_that_is_killed_at_random_points_brings_every_file_whole(server, folders):
    dice = random.Random(3)
    sent = {f"67.{number:03}/Báo cáo.xlsx": dice.randbytes(300_000) for number in range(30)}
    for name, content in sent.items():
        lay(server, name, content)
    visit(settings_of(server), folders)
    for kill in (True, True, True, True, False):
        fetching = begin(fetched, folders.data, settings_of(server))
        if not kill:
            fetching.end()
            break
        time.sleep(dice.uniform(0.2, 0.9))
        fetching.kill()
        root = folders.data / "spool" / "source"
        whole = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
        assert all(path.read_bytes() == sent[name] for name, path in whole.items())

    assert spooled(folders) == sent
    assert list((folders.data / "spool" / "fetching").iterdir()) == []


def test_what_comes_from_the_source_goes_through_the_same_intake_as_the_inbox_and_is_answered(server, folders):
    """The step of a real run, on a real instance: a link in the inbox, a report in it, and reports at the source."""
    reports = sorted((PROJECT / "demo").glob("*Biên_phòng*"))
    lay(server, f"67.012/{reports[0].name}", reports[0].read_bytes())
    lay(server, "67.008/no workbook.xlsx", b"no workbook")
    folders.inbox.mkdir(parents=True)
    shutil.copy2(reports[1], folders.inbox)
    os.utime(folders.inbox / reports[1].name, (OLD, OLD))
    (folders.inbox / "link.xlsx").symlink_to("/etc/hostname")
    os.environ |= {"THUCCHAT_SOURCE": server.url, "THUCCHAT_SOURCE_KEY": str(server.key)}
    os.environ["THUCCHAT_SOURCE_KNOWN_HOSTS"] = str(server.known_hosts)
    set_environment(folders)
    with open_instance(folders) as instance:
        for run in range(2):
            result = (
                defs()
                .resolve_job_def("whole")
                .execute_in_process(
                    instance=instance,
                    asset_selection=list(store.store.keys),
                )
            )
            assert result.success
            told = {path.parent.name: path.name for path in folders.outbox.glob("*/*.json")}
            assert {"67.012", "67.008"} <= told.keys()
            key = dg.AssetCheckKey(store.DEAD_LETTERS, "khong_con_thu_chet")
            (check,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
            assert not check.event.dagster_event.asset_check_evaluation_data.passed
            reported = instance.get_materialized_partitions(sendings.KEY)
            assert len(reported) == 2, run
    kept = Store(folders.store).read_submissions()
    assert sorted(kept["state"]) == ["accepted", "accepted", "refused"]
    assert spooled(folders) == {}, "what was read is in the store; the spool is cleared"
    with Register.open(folders.register) as register:
        kinds = Counter(event.kind for event in register.read())
    assert (kinds["received"], kinds["accepted"], kinds["refused"], kinds["dead_letter"]) == (3, 2, 1, 1)
    assert kinds["duplicate"] == 0
