"""The inbox sensor: whole files only, none twice, none forgotten."""

import os
import time

import pytest

from orchestration.automation import ATTEMPTS, Watch, look
from submissions.intake import take_in
from submissions.store import Store

NOW = 2_000_000_000.0
LONG_AGO = NOW - 3600


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def drop(inbox, name, content=b"a workbook", *, changed=LONG_AGO):
    path = inbox / name
    path.write_bytes(content)
    os.utime(path, (changed, changed))


def two_looks(inbox, store, *, at=NOW, busy=False):
    """Look twice, as a file needs; the second look."""
    first = look(inbox, store, Watch(), at=at - 15, busy=busy)
    assert not first.wanted
    return look(inbox, store, first.watch, at=at, busy=busy)


def test_a_settled_file_is_asked_for_on_the_second_look(inbox, store):
    drop(inbox, "a.xlsx")

    assert len(two_looks(inbox, store).wanted) == 1


def test_a_file_that_changes_between_looks_is_not_asked_for(inbox, store):
    drop(inbox, "a.xlsx", b"half")
    first = look(inbox, store, Watch(), at=NOW, busy=False)
    drop(inbox, "a.xlsx", b"half and the rest", changed=LONG_AGO + 1)
    second = look(inbox, store, first.watch, at=NOW + 15, busy=False)

    assert second.wanted == ()
    assert second.waiting == 1
    assert len(look(inbox, store, second.watch, at=NOW + 30, busy=False).wanted) == 1


@pytest.mark.parametrize("name", ["~$a.xlsx", "a.xlsx.tmp", "a.xlsx.part", ".a.xlsx"])
def test_partial_names_are_never_asked_for(inbox, store, name):
    drop(inbox, name)

    assert two_looks(inbox, store).wanted == ()


def test_the_same_content_under_two_names_is_asked_for_once(inbox, store):
    drop(inbox, "a.xlsx", b"one content")
    drop(inbox, "Bản sao của a.xlsx", b"one content")

    assert len(two_looks(inbox, store).wanted) == 1


def test_changed_content_under_the_same_name_is_asked_for_again(inbox, store):
    drop(inbox, "a.xlsx", b"first sending")
    first = two_looks(inbox, store)
    drop(inbox, "a.xlsx", b"second sending", changed=LONG_AGO + 5)
    settling = look(inbox, store, first.watch, at=NOW + 15, busy=False)
    again = look(inbox, store, settling.watch, at=NOW + 30, busy=False)

    assert len(again.wanted) == 1
    assert again.wanted != first.wanted
    assert again.run_key != first.run_key


def test_what_the_store_knows_is_not_asked_for_even_when_the_cursor_is_lost(tmp_path, inbox, store):
    drop(inbox, "a.xlsx", b"not a workbook, so it is refused; but it is known")
    take_in([inbox / "a.xlsx"], data=tmp_path)

    assert two_looks(inbox, store).wanted == ()


def test_nothing_is_asked_for_while_a_run_is_under_way(inbox, store):
    drop(inbox, "a.xlsx")
    waiting = two_looks(inbox, store, busy=True)

    assert waiting.wanted == ()
    assert len(look(inbox, store, waiting.watch, at=NOW + 15, busy=False).wanted) == 1


def test_a_file_whose_runs_failed_is_asked_for_again_under_a_new_key_and_then_left_to_a_person(inbox, store):
    drop(inbox, "a.xlsx")
    found = two_looks(inbox, store)
    keys = [found.run_key]
    for tick in range(1, ATTEMPTS):
        found = look(inbox, store, found.watch, at=NOW + 15 * tick, busy=False)
        keys.append(found.run_key)

    assert len(set(keys)) == ATTEMPTS
    assert look(inbox, store, found.watch, at=NOW + 600, busy=False).wanted == ()


def test_two_looks_from_the_same_cursor_ask_under_the_same_key(inbox, store):
    drop(inbox, "a.xlsx")
    first = look(inbox, store, Watch(), at=NOW - 15, busy=False)

    assert (
        look(inbox, store, first.watch, at=NOW, busy=False).run_key
        == look(inbox, store, first.watch, at=NOW + 1, busy=False).run_key
    )


def test_the_watch_survives_the_cursor_and_names_no_file(inbox, store):
    drop(inbox, "Danh sách của Nguyễn Văn A.xlsx")
    watch = two_looks(inbox, store).watch
    written = watch.written()

    assert Watch.read(written) == watch
    assert "Nguyễn" not in written
    assert Watch.read(None) == Watch()


def test_a_file_that_vanishes_between_looks_is_forgotten(inbox, store):
    drop(inbox, "a.xlsx")
    first = look(inbox, store, Watch(), at=NOW, busy=False)
    (inbox / "a.xlsx").unlink()

    assert look(inbox, store, first.watch, at=NOW + 15, busy=False).watch == Watch()


def test_a_file_from_a_clock_ahead_of_ours_waits(inbox, store):
    drop(inbox, "a.xlsx", changed=NOW + 3600)

    assert two_looks(inbox, store, at=NOW).wanted == ()
    assert time.time() < NOW  # the clock of these looks is drawn, not the machine's
