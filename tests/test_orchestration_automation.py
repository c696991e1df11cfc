"""The inbox sensor: whole files only, none twice, none forgotten, and nothing decided by the cursor."""

import os
import sqlite3
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from orchestration import automation, backlog, sendings
from orchestration.automation import PAUSES, look
from orchestration.backlog import Marks
from orchestration.dead_letters import DeadLetters
from orchestration.instance import open_instance
from orchestration.settings import Folders, set_environment
from submissions.store import SUBMISSION, Store, row_table

NOW = 2_000_000_000.0
LONG_AGO = NOW - 3600
CONTRACT = "contract 1"


@pytest.fixture
def folders(tmp_path) -> Folders:
    folders = Folders(tmp_path)
    folders.inbox.mkdir()
    return folders


@pytest.fixture
def marks(folders) -> Marks:
    return Marks(folders.data / "inbox.sqlite")


def drop(folders, name, content=b"a workbook", *, changed=LONG_AGO):
    path = folders.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (changed, changed))
    return path


def know(folders, *contents):
    """Make the store know contents, as intake does when it has read them."""
    store = Store(folders.store)
    store.submissions.mkdir(parents=True, exist_ok=True)
    for content in contents:
        pq.write_table(row_table({"source_hash": content}, SUBMISSION), store.submissions / f"{content}.parquet")


def one_look(folders, marks, *, at=NOW, busy=False, context=CONTRACT):
    return look(folders, marks, context=context, at=at, busy=busy)


def two_looks(folders, marks, *, at=NOW, busy=False, context=CONTRACT):
    """Look twice, as a file needs; the second look."""
    first = one_look(folders, marks, at=at - 15, busy=busy, context=context)
    assert not first.wanted
    return one_look(folders, marks, at=at, busy=busy, context=context)


def hash_of(wanted: str) -> str:
    return wanted.split(":")[0]


def test_a_settled_file_is_asked_for_on_the_second_look(folders, marks):
    drop(folders, "a.xlsx")

    assert len(two_looks(folders, marks).wanted) == 1


def test_a_file_that_changes_between_looks_is_not_asked_for(folders, marks):
    drop(folders, "a.xlsx", b"half")
    one_look(folders, marks, at=NOW - 15)
    drop(folders, "a.xlsx", b"half and the rest", changed=LONG_AGO + 1)
    second = one_look(folders, marks, at=NOW)

    assert (second.wanted, second.waiting) == ((), 1)
    assert len(one_look(folders, marks, at=NOW + 15).wanted) == 1


def test_a_file_that_somebody_has_open_for_writing_is_not_asked_for_though_it_stands_still(folders, marks):
    path = drop(folders, "a.xlsx")
    with path.open("ab"):
        held = two_looks(folders, marks)

    assert (held.wanted, held.waiting) == ((), 1)
    assert len(one_look(folders, marks, at=NOW + 15).wanted) == 1


def test_the_same_content_under_two_names_is_asked_for_once(folders, marks):
    drop(folders, "a.xlsx", b"one content")
    drop(folders, "Bản sao của a.xlsx", b"one content")

    assert len(two_looks(folders, marks).wanted) == 1


def test_changed_content_under_the_same_name_is_asked_for_again(folders, marks):
    drop(folders, "a.xlsx", b"first sending")
    first = two_looks(folders, marks)
    drop(folders, "a.xlsx", b"second sending", changed=LONG_AGO + 5)
    one_look(folders, marks, at=NOW + 15)
    again = one_look(folders, marks, at=NOW + 30)

    assert len(again.wanted) == 1
    assert again.wanted != first.wanted
    assert again.run_key != first.run_key


def test_what_the_store_knows_is_not_asked_for_when_all_marks_are_lost(folders, marks):
    drop(folders, "a.xlsx")
    (wanted,) = two_looks(folders, marks).wanted
    know(folders, hash_of(wanted))
    marks.path.unlink()

    assert two_looks(folders, Marks(marks.path)).wanted == ()


def test_damaged_marks_are_begun_anew(folders, marks):
    drop(folders, "a.xlsx")
    marks.path.write_bytes(b"this is no database" * 1000)

    assert len(two_looks(folders, Marks(marks.path)).wanted) == 1


def test_known_content_under_a_new_name_is_asked_for_so_that_its_sender_is_told(folders, marks):
    drop(folders, "a.xlsx")
    (wanted,) = two_looks(folders, marks).wanted
    know(folders, hash_of(wanted))
    assert one_look(folders, marks, at=NOW + 9_000).wanted == ()
    drop(folders, "67.003/a.xlsx")

    assert two_looks(folders, marks, at=NOW + 10_000).wanted == (f"{hash_of(wanted)}:{CONTRACT}:2",)


def test_nothing_is_asked_for_while_a_run_is_under_way(folders, marks):
    drop(folders, "a.xlsx")

    assert two_looks(folders, marks, busy=True).wanted == ()
    assert len(one_look(folders, marks, at=NOW + 15).wanted) == 1


def test_runs_that_fail_are_asked_for_again_after_growing_pauses_under_new_keys_and_never_forgotten(folders, marks):
    drop(folders, "a.xlsx")
    found = two_looks(folders, marks)
    keys, at = [found.run_key], NOW
    for pause in (*PAUSES, PAUSES[-1]):
        assert one_look(folders, marks, at=at + pause - 1).wanted == ()
        at += pause
        keys.append(one_look(folders, marks, at=at).run_key)

    assert len(set(keys)) == len(PAUSES) + 2


def test_another_contract_asks_again_at_once(folders, marks):
    drop(folders, "a.xlsx")
    first = two_looks(folders, marks)

    assert one_look(folders, marks, at=NOW + 1).wanted == ()
    second = one_look(folders, marks, at=NOW + 2, context="contract 2")
    assert len(second.wanted) == 1
    assert second.run_key != first.run_key


def test_the_marks_name_no_file(folders, marks):
    drop(folders, "Danh sách của Nguyễn Văn A.xlsx")
    two_looks(folders, marks)

    with sqlite3.connect(marks.path) as connection:
        assert "Nguy" not in "\n".join(connection.iterdump())


def test_a_file_that_vanishes_between_looks_is_forgotten(folders, marks):
    drop(folders, "a.xlsx")
    one_look(folders, marks, at=NOW - 15)
    assert marks.of(str(folders.inbox))
    (folders.inbox / "a.xlsx").unlink()

    assert one_look(folders, marks, at=NOW).wanted == ()
    assert marks.of(str(folders.inbox)) == {}


def test_a_file_from_a_clock_ahead_of_ours_is_asked_for_once_it_stood_still_by_our_clock(folders, marks):
    drop(folders, "a.xlsx", changed=NOW + 3600)
    one_look(folders, marks, at=NOW)

    assert one_look(folders, marks, at=NOW + 9).wanted == ()
    assert len(one_look(folders, marks, at=NOW + 11).wanted) == 1


def test_a_link_is_asked_for_until_there_is_a_notice_of_it(folders, marks):
    (folders.inbox / "a.xlsx").symlink_to("/etc/hostname")
    found = one_look(folders, marks)
    assert len(found.wanted) == 1

    (odd,) = backlog.survey(folders.inbox, marks, at=NOW).found.odd
    DeadLetters(folders.data / "dead_letters").put_odd(odd)
    assert one_look(folders, marks, at=NOW + 10_000).wanted == ()


def test_a_thousand_known_files_stand_in_no_cursor_and_are_not_hashed_again(folders, marks, monkeypatch):
    for number in range(1_000):
        drop(folders, f"67.{number % 70:03}/Báo cáo {number}.xlsx", str(number).encode())
    found = two_looks(folders, marks)
    know(folders, *map(hash_of, found.wanted))
    assert len(found.wanted) == 1_000
    seen = backlog.survey(folders.inbox, marks, at=NOW)
    waiting, _ = backlog.sendings(seen, marks, lambda *_: False)
    backlog._handled(marks, waiting)
    for path in folders.inbox.rglob("*.xlsx"):
        path.chmod(0)
    monkeypatch.setattr(backlog, "read", lambda *_: pytest.fail("a file that stands still was read again"))

    assert one_look(folders, marks, at=NOW + 100_000).wanted == ()


def test_a_tick_asks_dagster_for_one_run_and_leaves_a_cursor_of_a_few_bytes(folders, tmp_path):
    set_environment(folders)
    for number in range(300):
        drop(folders, f"Báo cáo {number}.xlsx", str(number).encode(), changed=1_700_000_000)
    with open_instance(folders) as instance:
        first = automation.watch_inbox(dg.build_sensor_context(instance=instance))
        second = automation.watch_inbox(dg.build_sensor_context(instance=instance, cursor=first.cursor))
        third = automation.watch_inbox(dg.build_sensor_context(instance=instance, cursor=None))

    assert not first.run_requests
    (request,) = second.run_requests
    assert request.tags == {"thucchat/new_files": "300"}
    assert not third.run_requests, "a lost cursor changes nothing"
    assert len(second.cursor) < 100


def test_a_tick_says_when_the_list_of_units_cannot_be_used_and_asks_for_nothing(folders):
    set_environment(folders)
    drop(folders, "a.xlsx", changed=1_700_000_000)
    (folders.data / "units.csv").write_text("mã,tên\n", encoding="utf-8")
    with open_instance(folders) as instance:
        for _ in range(2):
            result = automation.watch_inbox(dg.build_sensor_context(instance=instance))
            assert not result.run_requests
            assert "units.csv" in result.skip_reason.skip_message


def test_each_year_of_a_unit_shows_its_numbers_as_a_trend_and_leads_to_what_went_back(whole):
    with open_instance(whole) as instance:
        records = instance.fetch_materializations(sendings.KEY, limit=100).records
    assert records
    for record in records:
        shown = record.asset_materialization.metadata
        for label in sendings.NUMBERS.values():
            assert isinstance(shown[label].value, int), label
        files = [value for label, value in shown.items() if label.startswith("Tệp trả lại")]
        assert bool(files) == bool(shown["Lỗi"].value + shown["Câu hỏi"].value + shown["Đã giải trình"].value)
        for value in files:
            assert Path(value.path).is_file()


def test_each_year_of_a_unit_has_a_check_of_its_own_that_passes_when_nothing_is_left(whole):
    with open_instance(whole) as instance:
        key = dg.AssetCheckKey(sendings.KEY, sendings.CHECK)
        told = instance.event_log_storage.get_asset_check_partition_info([key])
        shown = {
            record.partition_key: record.asset_materialization.metadata
            for record in instance.fetch_materializations(sendings.KEY, limit=100).records
        }
    assert {info.partition_key for info in told} == set(shown)
    for info in told:
        clean = not (shown[info.partition_key]["Lỗi"].value or shown[info.partition_key]["Câu hỏi"].value)
        assert (info.latest_execution_status.value == "SUCCEEDED") == clean
