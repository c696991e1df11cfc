"""Files in, store out: nothing lost, nothing read twice, one bad file alone, no names beyond the originals."""

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import unicodedata
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from orchestration.settings import PROJECT
from submissions import drift, intake
from submissions.intake import Claim, find_files, take_in
from submissions.pseudonyms import load_secret, member_keys
from submissions.register.log import Register
from submissions.register.states import sendings
from submissions.replies import list_issues
from submissions.store import Store
from tests.files import row, xlsx
from tests.workbooks import Layout, changed, take_one, unit_forms, write_register, write_unit


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def records(data: Path, table: str) -> pd.DataFrame:
    """Every record of a form in the store, in the order of files and rows."""
    return pd.read_parquet(Store(data / "store").form(table)).sort_values(["source_hash", "row"], ignore_index=True)


def content_of(data: Path) -> dict[str, object]:
    """What the store holds, by file, without the times of receipt."""
    held = {}
    for path in sorted((data / "store").rglob("*")):
        if path.suffix == ".parquet":
            frame = pq.read_table(path).to_pandas()
            frame = frame.drop(columns=["received_at", "decided_at"], errors="ignore")
            held[str(path.relative_to(data))] = frame.to_json()
        elif path.name == "anchor.json":  # its hash is of events with their times
            held[str(path.relative_to(data))] = json.loads(path.read_text(encoding="utf-8"))["count"]
        elif path.is_file():
            held[str(path.relative_to(data))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return held


def test_what_comes_in_is_loaded_or_held_back_and_nothing_is_dropped(inbox, data):
    forms = changed("members", 0, cell_code="67.001.009.000.000", gender="?")
    forms["members"].loc[1, "gender"] = "?"
    write_unit(inbox / "a.xlsx", forms)

    result = take_one(inbox / "a.xlsx", data)

    assert (result.state, result.unit_code, result.year, result.sent_no) == ("accepted", "67.001", 2024, 1)
    counts = result.counts.set_index("form")
    assert (counts["rows_in"] == counts["loaded"] + counts["held_back"]).all()
    assert dict(counts["rows_in"]) == {name: len(form) for name, form in forms.items()}
    assert tuple(counts.loc["members"]) == (5, 4, 1)
    assert counts.drop(index="members")["held_back"].sum() == 0
    pd.testing.assert_frame_equal(
        Store(data / "store").read_counts()[["form", "rows_in", "loaded", "held_back"]], result.counts
    )


def test_every_record_carries_its_file_its_sheet_and_its_row(inbox, data):
    written = write_unit(inbox / "a.xlsx", layout=Layout(sheets={"Biểu 3": "BIỂU 3"}))

    result = take_one(written.path, data)

    members = records(data, "members")
    assert set(members["source_hash"]) == {result.source_hash}
    assert set(members["sheet"]) == {"BIỂU 3"}
    assert [f"B{row}" for row in members["row"]] == [written.cell("members", row, "card_no") for row in range(5)]


def test_values_are_stored_as_what_they_are(inbox, data):
    write_unit(inbox / "a.xlsx")
    take_one(inbox / "a.xlsx", data)

    meetings = records(data, "cell_meetings")
    assert list(meetings["points"])[:2] == [82.5, 90.0]
    assert f"{meetings.loc[0, 'held_on']:%d/%m/%Y}" == "05/01/2024"
    assert list(meetings["thematic"])[:2] == [False, True]
    assert meetings.loc[4, "attended"] == 0
    assert pd.isna(meetings.loc[2, "attended"])
    assert list(records(data, "members")["birth_year"]) == [1970, 1985, 1990, 2001, 1940]
    assert list(records(data, "admissions")["admission_group"]) == ["Khác", "Nông dân"]
    assert records(data, "organisation_assessments").loc[0, "final_level"] == "Hoàn thành tốt nhiệm vụ"


def test_an_unlawful_cell_is_left_empty_and_the_lawful_ones_of_its_row_are_kept(inbox, data):
    write_unit(inbox / "a.xlsx", changed("members", 1, cell_code="67.9", is_head="có"))
    take_one(inbox / "a.xlsx", data)

    row = records(data, "members").loc[1]

    assert row["is_held_back"]
    assert pd.isna(row["cell_code"])
    assert pd.isna(row["is_head"])
    assert (row["gender"], row["birth_year"]) == ("Nữ", 1985)


def test_one_member_has_one_key_in_all_forms_and_an_organisation_keeps_its_code(inbox, data):
    write_unit(inbox / "a.xlsx")
    take_one(inbox / "a.xlsx", data)

    key = member_keys(pd.Series(["670000000002"]), load_secret(data / "secrets"))[0]
    inspected, disciplined = records(data, "inspections"), records(data, "disciplines")

    assert records(data, "members").loc[1, "member_key"] == key
    assert records(data, "member_assessments").loc[1, "member_key"] == key
    assert [inspected.loc[1, "subject_member_key"], disciplined.loc[0, "subject_member_key"]] == [key, key]
    assert inspected.loc[0, "subject_org_code"] == "67.001.001.000.000"
    assert pd.isna(inspected.loc[1, "subject_org_code"])
    assert pd.isna(inspected.loc[0, "subject_member_key"])
    assert pd.isna(records(data, "admissions").loc[1, "member_key"])


def test_readers_find_every_column_before_anything_was_sent(data):
    take_in([], data=data)

    for table in ("members", "member_assessments", "discipline_register"):
        schema = pq.read_schema(Store(data / "store").form(table) / "_schema.parquet")
        assert {"source_hash", "sheet", "row", "is_held_back"} < set(schema.names)
    assert "score" in pq.read_schema(Store(data / "store").form("member_assessments") / "_schema.parquet").names


def test_original_bytes_are_kept_by_their_hash(inbox, data):
    content = write_unit(inbox / "a.xlsx").path.read_bytes()
    (inbox / "b.xlsx").write_bytes(b"khong phai so tinh")

    take_in([inbox], data=data, workers=1)

    originals = {path.name: path.read_bytes() for path in (data / "store" / "originals").iterdir()}
    assert originals == {f"{hashlib.sha256(kept).hexdigest()}.xlsx": kept for kept in (content, b"khong phai so tinh")}


def stamps_of(data):
    """When each file of the store was last written, but for the snapshots of the register, which are made anew."""
    folder = data / "store"
    return {
        path: path.stat().st_mtime_ns
        for path in folder.glob("*/**/*.parquet")
        if path.relative_to(folder).parts[0] != "register"
    }


def events_of(data):
    """What the register says happened, but for the moments."""
    with Register.open(data / "register.sqlite") as register:
        return [(event.kind, event.key, event.unit_code, event.year, event.body) for event in register.read()]


def test_reading_a_known_file_again_does_nothing(inbox, data):
    write_unit(inbox / "a.xlsx")
    (inbox / "b.xlsx").write_bytes(b"khong phai so tinh")
    take_in([inbox], data=data, workers=1)
    before, known = stamps_of(data), events_of(data)

    again = take_in([inbox], data=data, workers=1)

    assert [file.state for file in again.files] == ["known", "refused"]
    assert stamps_of(data) == before
    assert events_of(data) == known


def test_the_same_bytes_under_two_names_are_one_sending(inbox, data):
    content = write_unit(inbox / "a.xlsx").path.read_bytes()
    (inbox / "b.xlsx").write_bytes(content)

    files = take_in([inbox], data=data, workers=1).files

    assert [(file.path.name, file.state) for file in files] == [("a.xlsx", "accepted"), ("b.xlsx", "known")]
    assert "a.xlsx" in files[1].message
    assert len(Store(data / "store").read_submissions()) == 1


def test_a_correction_takes_the_place_of_what_was_sent_before_and_both_are_kept(inbox, data):
    write_unit(inbox / "b.xlsx", changed("members", 1, gender="?"))
    write_unit(inbox / "a.xlsx", cover={"sent_no": 2})

    take_in([inbox], data=data, workers=1)

    sent = Store(data / "store").read_submissions()
    assert list(sent.loc[sent["is_in_force"], "sent_no"]) == [2]
    assert len(sent) == 2
    assert list_issues(data).empty
    assert len(list_issues(data, every_sending=True)) == 1


def test_bad_files_are_refused_one_by_one_and_the_others_go_on(inbox, data):
    content = write_unit(inbox / "tot.xlsx").path.read_bytes()
    (inbox / "cut.xlsx").write_bytes(content[: len(content) // 2])
    (inbox / "html.xls").write_text("<html></html>")
    (inbox / "trong.xlsx").touch()
    write_unit(inbox / "thieu.xlsx", layout=Layout(left_out=("Biểu 5",)))
    write_unit(inbox / "lan.xlsx", cover={"sent_no": "hai"})
    write_register(inbox / "so.xlsx")

    report = take_in([inbox], data=data, workers=2)

    states = {file.path.name: file.state for file in report.files}
    assert {name for name, state in states.items() if state == "accepted"} == {"tot.xlsx", "so.xlsx"}
    assert set(states.values()) == {"accepted", "refused"}
    listed = list_issues(data)
    assert set(listed["file"]) == {"cut.xlsx", "html.xls", "trong.xlsx", "thieu.xlsx", "lan.xlsx"}
    assert (listed["message"] != "").all()
    assert dict(zip(listed["file"], listed["rule"], strict=True))["lan.xlsx"] == "BAD_COVER"


def test_a_file_that_would_kill_its_reader_is_refused_and_the_others_go_on(inbox, data):
    write_unit(inbox / "tot.xlsx")
    with xlsxwriter.Workbook(inbox / "xa.xlsx") as book:
        sheet = book.add_worksheet("Thông tin chung")
        sheet.write(0, 0, "Mẫu biểu")
        sheet.write(1_048_575, 16_383, "x")

    states = {file.path.name: file.state for file in take_in([inbox], data=data, workers=2).files}

    assert states == {"tot.xlsx": "accepted", "xa.xlsx": "refused"}
    assert list(list_issues(data)["rule"]) == ["FAR_CELL"]


def test_a_file_that_takes_longer_than_it_may_is_refused_and_the_others_go_on(inbox, data, monkeypatch):
    monkeypatch.setattr(intake, "SECONDS", 2)
    write_unit(inbox / "tot.xlsx")
    write_slow(inbox / "cham.zip")

    files = take_in([inbox], data=data, workers=2).files

    assert {file.path.name: file.code for file in files} == {"tot.xlsx": "", "cham.zip": "TOO_SLOW"}


def write_slow(path):
    """A zip of CSV files nearly as long as they may be, with no two texts alike and something odd in each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(12):
            odd = (
                f"a\u200b{n:x};\u202eb{n:x};-{n:x};Ða\u0302\u0301{n:x};{n}x;y{n}\n" for n in range(number, 276_000, 12)
            )
            archive.writestr(f"Bieu {number}.csv", "Số thẻ;Họ tên;a;b;c;d\n" + "".join(odd))


@pytest.mark.parametrize("others", [(), ("tot.xlsx",)], ids=["alone", "among others"])
def test_a_reader_that_does_not_hear_that_its_time_is_over_is_killed_and_its_file_told_as_too_slow(
    inbox, data, monkeypatch, others
):
    monkeypatch.setattr(intake, "SECONDS", 0)  # a timer that never goes off
    monkeypatch.setattr(intake, "GRACE_SECONDS", 1.5)
    write_slow(inbox / "cham.zip")
    for name in others:
        write_unit(inbox / name)

    files = take_in([inbox], data=data, workers=2).files

    assert {file.path.name: file.code for file in files} == dict.fromkeys(others, "") | {"cham.zip": "TOO_SLOW"}


@pytest.mark.parametrize("others", [(), ("tot.xlsx",)], ids=["alone", "among others"])
def test_a_reader_that_dies_for_want_of_memory_has_its_file_told_as_that(inbox, data, others):
    # The quick reader, which is no Python, lays a copy of the text into each cell and is aborted.
    cells = "".join(row(line, f'<c r="A{line}" t="s"><v>0</v></c>') for line in range(1, 60_001))
    (inbox / "to.xlsx").write_bytes(xlsx(cells, f"<si><t>{'x' * 30_000}</t></si>"))
    for name in others:
        write_unit(inbox / name)

    files = take_in([inbox], data=data, workers=2).files

    assert {file.path.name: file.code for file in files} == dict.fromkeys(others, "") | {"to.xlsx": "TOO_MUCH_MEMORY"}


READ_WITH_LITTLE_MEMORY = """
import sys
from pathlib import Path
from submissions import intake

intake.MEMORY = 180 * 2**20
inbox, data = Path(sys.argv[1]), Path(sys.argv[2])
for file in intake.take_in([inbox / "tot.xlsx", inbox / "rong.csv"], data=data, workers=2).files:
    print(file.path.name, file.state, file.code)
"""


def test_a_file_that_takes_more_memory_than_it_may_is_refused_and_the_others_go_on(inbox, data):
    write_unit(inbox / "tot.xlsx")
    lines = "".join(f"một chữ rất dài {number};{number}\n" for number in range(290_000))
    (inbox / "rong.csv").write_text(f"Số thẻ;Họ tên\n{lines}", encoding="utf-8")
    # What a reader holds already is counted, and the process of these tests holds a lot.
    command = [sys.executable, "-c", READ_WITH_LITTLE_MEMORY, str(inbox), str(data)]
    told = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, cwd=PROJECT).stdout

    assert sorted(told.splitlines()) == ["rong.csv refused TOO_MUCH_MEMORY", "tot.xlsx accepted "]


def test_a_file_of_a_unit_that_is_not_on_the_list_is_refused_until_the_list_names_it(inbox, data):
    write_unit(inbox / "a.xlsx")
    data.mkdir()
    (data / "units.csv").write_text("unit_code,unit_name\n67.002,Huyện Khác\n", encoding="utf-8")

    refused = take_one(inbox / "a.xlsx", data)
    (data / "units.csv").write_text("unit_code,unit_name\n67.001,Huyện Thử\n67.002,Huyện Khác\n", encoding="utf-8")
    accepted = take_one(inbox / "a.xlsx", data)

    assert refused.state == "refused"
    assert "“67.001” không có trong danh sách 1 đơn vị" in refused.message
    assert accepted.state == "accepted"
    assert list(pd.read_parquet(data / "store" / "units.parquet")["unit_code"]) == ["67.001", "67.002"]


def test_links_and_pipes_are_refused_and_files_that_are_gone_fail_alone_and_nothing_waits_for_them(inbox, data):
    write_unit(inbox / "a.xlsx")
    (inbox / "link.xlsx").symlink_to(inbox / "a.xlsx")
    os.mkfifo(inbox / "pipe.xlsx")
    named = [inbox / name for name in ("a.xlsx", "link.xlsx", "pipe.xlsx", "gone.xlsx")]

    files = take_in(named, data=data, workers=1).files

    assert [file.state for file in files] == ["accepted", "refused", "refused", "failed"]
    assert [file.code for file in files] == ["", "NOT_A_REGULAR_FILE", "NOT_A_REGULAR_FILE", "NO_SUCH_FILE"]
    assert find_files([inbox]) == ([inbox / "a.xlsx"], [inbox / "link.xlsx", inbox / "pipe.xlsx"])


def test_of_a_folder_only_finished_workbooks_are_taken(inbox):
    for name in ("a.xlsx", "B.XLSX", "c.ods", "~$a.xlsx", ".d.xlsx", "e.part", "f.txt"):
        (inbox / name).touch()
    (inbox / "sub").mkdir()
    (inbox / "sub" / "g.xls").touch()

    files, others = find_files([inbox])

    assert {path.name for path in files} == {"a.xlsx", "B.XLSX", "c.ods", "g.xls"}
    assert {path.name for path in others} == {"f.txt"}


def test_an_issue_of_the_cover_leaves_the_sending_readable(inbox, data):
    write_unit(inbox / "a.xlsx", cover={"prepared_on": "31/02/2025"})

    result = take_one(inbox / "a.xlsx", data)

    assert (result.state, result.issues) == ("accepted", 1)
    assert tuple(list_issues(data).loc[0, ["sheet", "cell", "column", "rule"]]) == (
        "Thông tin chung", "B8", "prepared_on", "not_date",
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Reports of four years, one of them sent twice, a file that is no workbook, and what became of them."""
    folder = tmp_path_factory.mktemp("undisturbed")
    inbox, data = folder / "inbox", folder / "data"
    inbox.mkdir()
    for year in (2022, 2023, 2024, 2025):
        write_unit(inbox / f"{year}.xlsx", unit_forms(year), year=year)
    write_unit(inbox / "2025b.xlsx", unit_forms(2025), year=2025, cover={"sent_no": 2})
    (inbox / "x.xlsx").write_bytes(b"khong phai so tinh")
    load_secret(data / "secrets")
    take_in([inbox], data=data, workers=2)
    return inbox, data


@pytest.mark.parametrize("killed_after", [0.0, 0.1, 0.3, 0.7])
def test_a_batch_killed_at_any_moment_is_finished_by_the_next_one_with_the_same_store_and_register(
    undisturbed, tmp_path, killed_after
):
    inbox, whole = undisturbed
    cut = tmp_path / "cut"
    load_secret(cut / "secrets")
    (cut / "secrets" / "member_key").write_bytes((whole / "secrets" / "member_key").read_bytes())

    code = (
        "import sys; from pathlib import Path; from submissions.intake import take_in\n"
        "if __name__ == '__main__':\n"
        "    print('begun', flush=True)\n"
        "    take_in([Path(sys.argv[1])], data=Path(sys.argv[2]), workers=2)"
    )
    for _ in range(2):
        batch = subprocess.Popen(
            [sys.executable, "-c", code, inbox, cut], stdout=subprocess.PIPE, start_new_session=True, text=True
        )
        batch.stdout.readline()
        time.sleep(killed_after)
        os.killpg(batch.pid, signal.SIGKILL)
        batch.wait()
    (cut / "store" / "counts").mkdir(parents=True, exist_ok=True)
    (cut / "store" / "counts" / f".x.parquet.{batch.pid}").write_bytes(b"half")
    take_in([inbox], data=cut, workers=2)

    assert content_of(cut) == content_of(whole)
    assert events_of(cut) == events_of(whole)
    with Register.open(cut / "register.sqlite") as register:
        assert register.verify().is_whole


CANARIES = {
    "full_name": "Nguyễn Thị Hoàng Yến Chim",
    "prepared_by": "Đặng Hoàng Yến Lập",
    "approved_by": "Vũ Hoàng Yến Duyệt",
}


def spellings(text: str) -> set[str]:
    """A text in composed and decomposed letters and without marks, in three cases."""
    plain = unicodedata.normalize("NFD", text.replace("Đ", "D").replace("đ", "d"))
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    forms.add("".join(letter for letter in plain if not unicodedata.combining(letter)))
    return {spelling for form in forms for spelling in (form, form.lower(), form.upper())}


def test_no_name_no_card_and_no_birth_date_leaves_the_originals_and_the_issue_list(inbox, data):
    forms = changed("members", 1, card_no="671234567890", full_name=CANARIES["full_name"], born_on="17/11/1987")
    forms["member_assessments"].loc[1, ["card_no", "full_name"]] = ["671234567890", CANARIES["full_name"]]
    forms["inspections"].loc[1, "subject_code"] = "671234567890"
    forms["disciplines"].loc[0, ["subject_code", "decision_no"]] = ["671234567890", "671234567890"]
    forms["admissions"].loc[0, ["full_name", "born_on"]] = [CANARIES["full_name"], "17/11/1987"]
    forms["cell_meetings"].loc[0, "cell_code"] = "671234567890"
    names = {key: CANARIES[key] for key in ("prepared_by", "approved_by")}
    write_unit(inbox / "a.xlsx", forms, cover=names)
    write_unit(inbox / "b.xlsx", forms, cover=names, layout=Layout(left_out=("Biểu 5",)))
    take_in([inbox], data=data, workers=1)
    wanted = {spelling for name in CANARIES.values() for spelling in spellings(name)}
    wanted |= {"671234567890", "17/11/1987", "1987-11-17", "1987-11", "17.11.1987"}

    leaks = []
    for path in (data / "store").rglob("*"):
        inside = path.relative_to(data / "store").parts[0]
        if path.is_file() and inside not in {"originals", "issues"}:
            text = path.read_bytes().decode("utf-8", "ignore")
            if path.suffix == ".parquet":
                text += pq.read_table(path).to_pandas().to_json(force_ascii=False, date_format="iso")
            leaks += [inside for canary in wanted if canary in text]

    assert leaks == []


def test_only_its_owner_reads_the_store_and_the_secret(inbox, data):
    write_unit(inbox / "a.xlsx")
    take_one(inbox / "a.xlsx", data)

    assert stat.S_IMODE((data / "store").stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "secrets" / "member_key").stat().st_mode) == 0o600


def test_a_correction_that_was_refused_for_its_heading_counts_once_the_heading_is_adopted(inbox, data):
    write_unit(inbox / "a.xlsx")
    second = write_unit(inbox / "b.xlsx", changed("members", 1, school="THCS"), cover={"sent_no": 2}).path
    book = openpyxl.load_workbook(second)
    next(cell for row in book["Biểu 3"].iter_rows() for cell in row if cell.value == "Dân tộc").value = "Tộc người"
    book.save(second)
    refused = take_in([inbox], data=data, workers=1).files[1]
    drift.adopt(data, "B12-2021", "Biểu 3", "ethnicity", "Tộc người", by="BTC", at=datetime.now(UTC))

    take_in([inbox], data=data, workers=1)

    assert refused.code == "MISSING_HEADING"
    with Register.open(data / "register.sqlite") as register:
        sent = sendings(register).sort_values("sent_no")
    assert list(zip(sent["sent_no"], sent["state"], strict=True)) == [(1, "replaced"), (2, "accepted")]


def test_readers_end_with_the_process_that_started_them(inbox, data):
    for year in (2022, 2023, 2024, 2025):
        write_unit(inbox / f"{year}.xlsx", unit_forms(year), year=year)
    code = (
        "import os, signal, sys; from pathlib import Path; from submissions import intake\n"
        "if __name__ == '__main__':\n"
        "    intake.take_in([Path(sys.argv[1])], data=Path(sys.argv[2]), workers=2,\n"
        "                   on_progress=lambda file: os.kill(os.getpid(), signal.SIGKILL))"
    )
    batch = subprocess.Popen([sys.executable, "-c", code, inbox, data], stdout=subprocess.PIPE, start_new_session=True)

    # The pipe ends when nobody holds it open any more.
    assert batch.communicate(timeout=30)[0] == b""
    assert batch.returncode == -signal.SIGKILL


def test_a_file_in_another_units_inbox_is_refused_there_and_taken_in_its_own(inbox, data):
    path = write_unit(inbox / "a.xlsx").path

    (refused,) = take_in([Claim(path, "67.002")], data=data, workers=1).files
    (taken,) = take_in([Claim(path, "67.001")], data=data, workers=1).files

    assert (refused.state, refused.code) == ("refused", "UNIT_MISMATCH")
    assert taken.state == "accepted"


def test_the_same_bytes_in_two_inboxes_at_once_are_taken_in_the_right_one(inbox, data):
    path = write_unit(inbox / "a.xlsx").path
    shutil.copy(path, inbox / "b.xlsx")

    take_in([Claim(path, "67.002"), Claim(inbox / "b.xlsx", "67.001")], data=data, workers=1)

    with Register.open(data / "register.sqlite") as register:
        assert list(sendings(register)["state"].unique()) == ["accepted", "duplicate"]


def test_the_commissions_register_is_no_report_of_a_unit(inbox, data):
    path = write_register(inbox / "so.xlsx")

    (result,) = take_in([Claim(getattr(path, "path", path), "67.001")], data=data, workers=1).files

    assert (result.state, result.code) == ("refused", "UNIT_MISMATCH")
