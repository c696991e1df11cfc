"""Receipts: every change of state reaches the unit, once, under a name that nothing hostile can choose."""

import html
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from urllib.parse import unquote

import pytest

from orchestration import outbox
from orchestration.outbox import NOBODY, TITLES, unit_folder, write_receipts
from orchestration.settings import PROJECT, Folders
from submissions.register.deadlines import Deadlines, extend
from submissions.register.log import KINDS, Event, Register

AT = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
UNIT = "67.003"


@pytest.fixture
def folders(tmp_path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def register(folders):
    with Register.open(folders.register) as register:
        yield register


def event(kind, *, source_hash="a" * 64, unit_code=UNIT, year=2025, at=AT, **body) -> Event:
    key = f"{kind}:{source_hash}:{unit_code}:{at.isoformat()}:{body}"
    return Event(kind, key, unit_code, year, source_hash, {"file_name": "Báo cáo.xlsx", "kind": "unit", **body}, at)


def told(folders: Folders, unit_code: str = UNIT) -> list[dict]:
    """What a unit's receipts say, in the order of their names."""
    return [json.loads(path.read_text("utf-8")) for path in sorted((folders.outbox / unit_code).glob("*.json"))]


def files(folders: Folders) -> dict[str, bytes]:
    return {
        str(path.relative_to(folders.outbox)): path.read_bytes()
        for path in sorted(folders.outbox.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_what_was_received_and_refused_is_told_with_code_reason_and_what_to_do(register, folders):
    register.append([event("received"), event("refused", code="PASSWORD_PROTECTED", message="Tệp đặt mật khẩu.")])

    assert write_receipts(register, folders) == 2
    received, refused = told(folders)
    assert received["title"] == "Đã nhận tệp"
    assert (refused["code"], refused["message"]) == ("PASSWORD_PROTECTED", "Tệp đặt mật khẩu.")
    assert refused["advice"]
    names = sorted(path.name for path in (folders.outbox / UNIT).iterdir())
    assert names == [
        "20260105T030000Z_00000001_received.html",
        "20260105T030000Z_00000001_received.json",
        "20260105T030000Z_00000002_refused.html",
        "20260105T030000Z_00000002_refused.json",
    ]


def test_an_acceptance_tells_counts_by_form_open_issues_the_last_day_and_leads_to_the_returned_files(register, folders):
    counts = {"members": {"rows_in": 10, "loaded": 8, "held_back": 2}}
    name = "67.003_2025_aaaaaaaa_TRA_LAI.xlsx"
    folders.returned.mkdir()
    (folders.returned / name).write_bytes(b"")
    register.append([event("accepted", counts=counts, errors=3)])
    register.append([event("returned", files=[name], errors=3, queries=1, explained=0, waived=0)])
    write_receipts(register, folders)

    (accepted,) = told(folders)
    assert (accepted["errors"], accepted["queries"]) == (3, 1)
    assert accepted["counts"] == [{"form": "Biểu 3", "rows_in": 10, "loaded": 8, "held_back": 2}]
    last_day = Deadlines.read(folders.data).binding(register).last_day(UNIT, 2025)
    assert accepted["due"] == last_day.isoformat()
    (link,) = accepted["links"]
    assert (folders.outbox / UNIT / link).resolve() == (folders.returned / name).resolve()
    (page,) = (folders.outbox / UNIT).glob("*.html")
    (href,) = re.findall('href="([^"]*)"', page.read_text("utf-8"))
    assert (page.parent / unquote(href)).resolve() == (folders.returned / name).resolve()
    assert f"{last_day:%d/%m/%Y}" in page.read_text("utf-8")


def test_an_acceptance_without_issues_asks_for_nothing(register, folders):
    register.append([event("accepted", errors=0), event("returned", files=[], errors=0, queries=0)])
    write_receipts(register, folders)

    assert [receipt["advice"] for receipt in told(folders)] == [outbox.NOTHING]


def test_only_what_takes_the_place_of_something_returned_is_told_as_returned(register, folders):
    register.append([event("returned", files=[], errors=2, queries=1, explained=0)])
    register.append([event("returned", files=[], errors=2, queries=0, explained=1)])
    write_receipts(register, folders)

    (receipt,) = told(folders)
    assert (receipt["state"], receipt["explained"]) == ("returned", 1)


def test_a_sending_that_another_replaces_is_told_once_with_its_successor(register, folders):
    first, second = "a" * 64, "b" * 64
    register.append([event("received", sent_no=1), event("accepted", sent_no=1)])
    assert write_receipts(register, folders) == 2
    register.append(
        [event("received", source_hash=second, sent_no=2), event("accepted", source_hash=second, sent_no=2)]
    )

    assert write_receipts(register, folders) == 3
    assert write_receipts(register, folders) == 0
    replaced = [receipt for receipt in told(folders) if receipt["state"] == "replaced"]
    assert [(receipt["source_hash"], receipt["replaced_by"]) for receipt in replaced] == [(first, second)]


def test_an_extension_names_the_new_last_day(register, folders):
    extend(register, UNIT, 2025, date(2026, 3, 2), by="Ban Tổ chức", reason="Bão lũ", deadlines=Deadlines.read())
    write_receipts(register, folders)

    (receipt,) = told(folders)
    assert (receipt["state"], receipt["due"], receipt["reason"]) == ("extended", "2026-03-02", "Bão lũ")


BODY = {
    "code": "CODE",
    "message": "Vì sao",
    "rule": "q1",
    "until": "2026-12-31",
    "by": "Ban Tổ chức",
    "approver": "Ban Tổ chức",
    "reason": "Lý do",
    "limit_count": 3,
}


@pytest.mark.parametrize("kind", sorted(KINDS - {"explained", "heading_adopted", "returned"}))
def test_every_change_of_state_of_a_unit_gives_a_receipt_in_vietnamese(register, folders, kind):
    register.append([event(kind, **BODY)])

    assert write_receipts(register, folders) == 1
    (receipt,) = told(folders)
    assert receipt["title"] == TITLES[kind]
    assert re.search("[ăâđêôơưáàảãạéèẻẽẹíìỉĩịóòỏõọúùủũụýỳỷỹỵ]", receipt["title"].lower())
    assert receipt["advice"]


def test_what_is_of_no_unit_goes_to_a_folder_of_its_own(register, folders):
    register.append([event("refused", unit_code=None, year=None, code="NOT_A_WORKBOOK", message="Không đọc được.")])
    write_receipts(register, folders)

    assert [receipt["state"] for receipt in told(folders, NOBODY)] == ["refused"]


@pytest.mark.parametrize(
    "code",
    ["../../etc", "/etc/cron.d", "..", ".", "67.003/../67.004", "a\0b", "67.003 ", "CON", "x" * 500, "Đ\n", "-rf"],
)
def test_a_hostile_unit_code_makes_one_plain_folder_in_the_outbox(register, folders, code):
    register.append([event("refused", unit_code=code, code="BAD_COVER", message="…")])
    write_receipts(register, folders)

    (place,) = [path for path in folders.outbox.iterdir() if path.is_dir()]
    assert place.parent == folders.outbox
    assert re.fullmatch(r"_[0-9A-Za-z._-]{1,60}", place.name)
    assert len(list(place.iterdir())) == 2


def test_different_codes_never_share_a_folder():
    codes = ["67.003", "67_003", "67/003", "67\\003", "67.003 ", "67.003.", "67.00３", "x" * 41, "x" * 42, "_67.003"]

    assert len({unit_folder(code) for code in codes}) == len(codes)


def test_nothing_in_a_file_name_is_taken_for_markup(register, folders):
    name = "<script>alert(1)</script>\"'&.xlsx"
    register.append([event("received", **{"file_name": name})])
    write_receipts(register, folders)

    (page,) = (folders.outbox / UNIT).glob("*.html")
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert name in html.unescape(text)
    assert told(folders)[0]["file_name"] == name


def test_receipts_that_a_unit_has_taken_away_are_not_written_again(register, folders):
    register.append([event("received")])
    write_receipts(register, folders)
    for path in (folders.outbox / UNIT).iterdir():
        path.unlink()
    register.append([event("refused", code="X", message="…")])

    assert write_receipts(register, folders) == 1
    assert [receipt["state"] for receipt in told(folders)] == ["refused"]


def test_a_receipt_that_is_there_is_never_overwritten(register, folders):
    register.append([event("received")])
    place = folders.outbox / UNIT / "20260105T030000Z_00000001_received.json"
    place.parent.mkdir(parents=True)
    place.write_text("kept")
    write_receipts(register, folders)

    assert place.read_text() == "kept"
    assert place.with_suffix(".html").exists(), "what was missing is written"


@pytest.mark.parametrize("damage", ["", "not a mark", "7 " + "0" * 64])
def test_without_a_good_mark_only_what_is_missing_is_written(register, folders, damage):
    register.append([event("received")])
    write_receipts(register, folders)
    before = files(folders)
    (folders.outbox / ".written").write_text(damage)

    assert write_receipts(register, folders) == 0
    assert files(folders) == before


WORKER = """
import sys
from pathlib import Path
from orchestration.outbox import write_receipts
from orchestration.settings import Folders
from submissions.register.log import Register

folders = Folders(Path(sys.argv[1]))
with Register.open(folders.register) as register:
    print("begun", flush=True)
    write_receipts(register, folders)
"""


def test_writing_that_is_killed_at_random_points_leaves_whole_receipts_and_is_finished_by_the_next_run(tmp_path):
    dice = random.Random(7)
    events = [
        event(kind, source_hash=f"{number:064x}", unit_code=f"67.{number % 40:03}", sent_no=number, errors=number)
        for number in range(300)
        for kind in ("received", "accepted")
    ]
    written = {}
    for name in ("undisturbed", "killed"):
        folders = Folders(tmp_path / name)
        with Register.open(folders.register) as register:
            register.append(events)
        for kill in [True] * 5 * (name == "killed") + [False]:
            process = subprocess.Popen(
                [sys.executable, "-c", WORKER, folders.data], cwd=PROJECT, stdout=subprocess.PIPE
            )
            process.stdout.readline()
            if kill:
                time.sleep(dice.uniform(0, 0.8))
                process.send_signal(signal.SIGKILL)
            process.communicate()
            for path in folders.outbox.glob("*/*.json"):
                json.loads(path.read_text("utf-8"))
        written[name] = files(folders)
        assert not [path for path in folders.outbox.rglob(".*") if path.name != ".written"]

    assert written["killed"] == written["undisturbed"]
    assert len(written["killed"]) > 2 * len(events)


def test_the_outbox_is_not_written_through_a_link_that_somebody_laid(register, folders):
    outside = folders.data / "outside"
    outside.mkdir()
    register.append([event("received")])
    stem = "20260105T030000Z_00000001_received"
    place = folders.outbox / UNIT
    place.mkdir(parents=True)
    os.symlink(outside / "target", place / f"{stem}.json")
    write_receipts(register, folders)

    assert list(outside.iterdir()) == []
