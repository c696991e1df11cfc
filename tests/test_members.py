"""Members with two keys from end to end: the command, the register, the warehouse; and what none of them may show."""
# ruff: noqa: E501  (drawn tables are as wide as the forms)

import re
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from store_builder import DrawnStore, build_warehouse

from orchestration.command import cli
from orchestration.problems import ProblemError
from orchestration.settings import Folders
from submissions.intake import take_in
from submissions.register.identities import confirm, undo
from submissions.register.log import OF_MEMBERS, Register
from submissions.store import Store
from tests.workbooks import unit_forms, write_unit

BY = ("--by", "Ban Tổ chức Tỉnh ủy", "--reason", "đổi thẻ năm 2025")

PERSONAL = {
    "Nguyễn Văn Thử", "670000000001", "670000000007", "02/09/1970", "1970-09-02", "Trần Thị Mẫu", "670000000002",
    "19/05/1985", "1985-05-19",
}  # fmt: skip

# One unit's reports of two years: in the second, a member has another card, and so has another one who is somebody else.


@pytest.fixture(scope="module")
def sent(tmp_path_factory) -> Path:
    data = tmp_path_factory.mktemp("sent")
    forms = unit_forms(2025)
    for form in ("members", "member_assessments"):
        forms[form] = forms[form].replace({"670000000001": "670000000007"})
    paths = [
        write_unit(data / "2024.xlsx", year=2024).path,
        write_unit(data / "2025.xlsx", forms, year=2025).path,
    ]
    report = take_in(paths, data=data, workers=1)
    assert [file.state for file in report.files] == ["accepted", "accepted"]
    return data


@pytest.fixture
def data(sent, tmp_path) -> Path:
    """A copy that a test may change."""
    import shutil

    return Path(shutil.copytree(sent, tmp_path / "data", symlinks=True))


@pytest.fixture
def say(data):
    """Run a command about members; what it printed."""
    printed = []

    def run(*arguments: object) -> str:
        result = CliRunner().invoke(cli, ["--data", str(data), "members", *map(str, arguments)])
        printed.append(result.output)
        if result.exception is not None:
            raise result.exception
        return result.output

    yield run
    told = "\n".join(printed)
    assert not [secret for secret in PERSONAL if secret in told]
    assert not re.search(r"(?<!\d)\d{12}(?!\d)", told)


def keys_of(output: str) -> list[str]:
    return re.search("members confirm ([0-9a-f]+) ([0-9a-f]+)", output).groups()


def test_a_changed_card_is_proposed_with_score_reasons_and_places(say):
    output = say("propose")

    assert "1 cặp khóa" in output
    assert re.search(
        r"\d\d điểm: số thẻ khác một chữ số; trùng họ tên; trùng ngày sinh; trùng ngày vào Đảng; cùng chi bộ", output
    )
    assert "67.001 · chi bộ 67.001.001.000.001 · năm 2024 · xem báo cáo năm 2024, trang “Biểu 3”, dòng 7" in output
    assert "năm 2025 · xem báo cáo năm 2025, trang “Biểu 3”, dòng 7" in output


def test_a_pair_is_confirmed_listed_and_undone(say, data):
    pair = keys_of(say("propose"))
    snapshot = data / "store" / "register" / "member_identities.parquet"
    before = snapshot.read_bytes()

    assert "cùng một người từ lần dựng sau" in say("confirm", *pair, *BY)

    [alias] = pq.read_table(snapshot).to_pylist()
    assert alias["canonical_key"].startswith(pair[0])
    assert alias["member_key"].startswith(pair[1])
    assert "Không có cặp khóa nào" in say("propose")
    listed = say("list")
    assert all(word in listed for word in (*pair, "cùng một người"))

    say("undo", *reversed(pair), *BY)

    assert snapshot.read_bytes() == before
    assert keys_of(say("propose")) == pair
    assert "Chưa có quyết định nào" in say("list")


def test_who_is_confirmed_to_be_one_member_is_asked_for_no_more_until_it_is_undone(say, data):
    def asked() -> list[str]:
        return pd.concat(map(pd.read_parquet, (data / "store" / "queries").glob("*.parquet")))["rule"].tolist()

    before = sorted(asked())
    pair = keys_of(say("propose"))

    say("confirm", *pair, *BY)
    assert sorted([*asked(), "member_gone"]) == before

    say("undo", *pair, *BY)
    assert sorted(asked()) == before


def test_a_pair_said_to_be_two_persons_is_proposed_again_only_after_that_is_undone(say):
    pair = keys_of(say("propose"))

    say("not-same", *pair, *BY)
    assert "Không có cặp khóa nào" in say("propose")

    say("undo", *pair, *BY)
    assert keys_of(say("propose")) == pair


def test_a_list_of_proposals_is_written_for_its_owner_alone_and_names_nobody(say, tmp_path):
    path = tmp_path / "de-xuat.csv"
    say("propose", "--csv", path)

    told = path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "số thẻ khác một chữ số" in told
    assert not [secret for secret in PERSONAL if secret in told]


def test_the_register_holds_score_and_reasons_and_nothing_personal(say, data):
    say("confirm", *keys_of(say("propose")), *BY)

    with Register.open(data / "register.sqlite") as register:
        [event] = register.read(sorted(OF_MEMBERS))
    assert event.body["score"] >= 50
    assert "card_one_digit" in event.body["reasons"]
    assert (event.body["first_a"], event.body["first_b"]) == (2024, 2025)
    assert (event.unit_code, event.year) == (None, None)
    assert not [secret for secret in PERSONAL if secret in repr(event)]


def test_no_file_of_the_product_learns_who_was_compared(say, data):
    """Beside the originals, the unit's own lists and its returned workbooks, which hold what the unit itself wrote."""
    say("confirm", *keys_of(say("propose")), *BY)

    own = ("store/originals/", "store/issues/", "returned/", "2024.xlsx", "2025.xlsx")
    looked_at = 0
    for path in data.rglob("*"):
        place = path.relative_to(data).as_posix()
        if not path.is_file() or place.startswith(own):
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += repr(pq.read_table(path).to_pylist()).encode()
        assert not [secret for secret in PERSONAL if secret.encode() in content], place
        looked_at += 1
    assert looked_at > 20


def test_two_members_of_one_roll_cannot_be_confirmed(say, data):
    keys = pq.read_table(next(path for path in (data / "store/forms/members").glob("*") if "_schema" not in path.name))
    first, second = sorted(keys["member_key"].to_pylist())[:2]

    with pytest.raises(ProblemError, match=r"Không thể là một người: cả hai khóa có trong danh sách của 67\.001 năm"):
        say("confirm", first, second, *BY)

    assert "Chưa có quyết định nào" in say("list")


@pytest.mark.parametrize(
    ("pair", "message"),
    [(("", ""), "cần ít nhất"), (("12345", "abcdef"), "cần ít nhất"), (("zzzzzz", "zzzzzz"), "không có khóa nào")],
)
def test_a_key_that_names_nobody_is_refused(say, pair, message):
    with pytest.raises(ProblemError, match=message) as error:
        say("confirm", *pair, *BY)

    assert error.value.exit_code == 2


def test_a_key_is_not_the_same_person_as_itself(say):
    first, _ = keys_of(say("propose"))

    with pytest.raises(ProblemError, match="hai khóa khác nhau"):
        say("not-same", first, first, *BY)


def test_an_original_that_is_gone_is_told_and_the_others_are_compared(say, data):
    for path in Store(data / "store").originals.glob("*"):
        path.unlink()

    output = say("propose")

    assert "2 tệp gốc không đọc lại được" in output


# The warehouse


KEYS = "a1", "b2"

DRAWN = (
    "dim_member", "fct_member", "fct_member_assessment", "fct_admission", "fct_inspection", "fct_discipline",
    "fct_discipline_register", "held_back_assessment",
)  # fmt: skip
"""What knows members; built with all it is made of, and without tests that ask for more."""


def draw_member_with_two_keys(root: Path) -> DrawnStore:
    """Listed as a1 in 2022 and 2023, as b2 in 2024; c3 beside."""
    store = DrawnStore(root)
    organisations = """
        org_code | org_name  | org_kind          | org_sector | parent_code
        -------------------------------------------------------------------
        G1       | Đảng bộ 1 | Đảng bộ cơ sở     | Xã         | 67.001
        C1       | Chi bộ 1  | Chi bộ trực thuộc | Xã         | G1
        """
    for year, key in ((2022, "a1"), (2023, "a1"), (2024, "b2")):
        store.send(
            "67.001",
            year,
            organisations=organisations,
            members=f"""
            member_key | cell_code | status     | gender | qualification
            -----------------------------------------------------------
            {key}      | C1        | Chính thức | Nam    | Đại học
            c3         | C1        | Chính thức | Nữ     |
            """,
            member_assessments=f"""
            member_key | cell_code | final_level                  | held
            ------------------------------------------------------------
            {key}      | C1        | Hoàn thành tốt nhiệm vụ      | {str(year == 2024).lower()}
            c3         | C1        | Hoàn thành tốt nhiệm vụ      | false
            """,
            admissions=f"""
            member_key | cell_code | admitted_on
            ------------------------------------
            {key}      | C1        | {year}-05-01
            """,
            inspections=f"""
            conductor_code | kind               | subject   | subject_member_key
            -------------------------------------------------------------------
            67.001         | Kiểm tra chấp hành | Đảng viên | {key}
            """,
            disciplines=f"""
            subject   | subject_member_key | org_code | form        | decided_on | decision_no
            -----------------------------------------------------------------------------------
            Đảng viên | {key}              | C1       | Khiển trách | {year}-06-01 | {year}-QĐ
            """,
        )
    store.send(
        None,
        2024,
        discipline_register="""
        subject   | subject_member_key | org_code | form        | decided_on | decision_no
        -----------------------------------------------------------------------------------
        Đảng viên | b2                 | C1       | Khiển trách | 2024-06-01 | 2024-QĐ
        """,
    )
    return store


def decide(store: DrawnStore, *pair: str) -> None:
    confirm(store.register, *pair, by="Ban Tổ chức", reason="đổi thẻ", first=(2022, 2024))
    store.tell()


@pytest.fixture(scope="module")
def joined(tmp_path_factory) -> duckdb.DuckDBPyConnection:
    folder = tmp_path_factory.mktemp("joined")
    store = draw_member_with_two_keys(folder / "store")
    decide(store, *KEYS)
    with build_warehouse(folder / "store", folder / "joined.duckdb", only=DRAWN, tested=False) as warehouse:
        yield warehouse


def test_a_member_with_two_keys_is_one_member_with_one_history(joined):
    assert joined.execute(
        "select member_key, first_year, last_year, version from marts.dim_member order by all"
    ).fetchall() == [("a1", 2022, 2024, 1), ("c3", 2022, 2024, 1)]


@pytest.mark.parametrize(
    ("fact", "column", "rows"),
    [
        ("fct_member", "member_key", 3),
        ("fct_member_assessment", "member_key", 2),
        ("held_back_assessment", "member_key", 1),
        ("fct_admission", "member_key", 3),
        ("fct_inspection", "subject_member_key", 3),
        ("fct_discipline", "subject_member_key", 3),
        ("fct_discipline_register", "subject_member_key", 1),
    ],
)
def test_every_fact_knows_the_member_by_the_key_listed_first(joined, fact, column, rows):
    found = joined.execute(f"select {column}, count(*) from marts.{fact} where {column} <> 'c3' group by 1").fetchall()

    assert found == [("a1", rows)]


def test_every_fact_of_the_member_finds_his_version(joined):
    assert joined.execute(
        "select distinct members.member_key from marts.fct_member as facts "
        "inner join marts.dim_member as members using (member_version_key) order by 1"
    ).fetchall() == [("a1",), ("c3",)]


@pytest.mark.parametrize(
    ("form", "column"),
    [
        ("members", "member_key"),
        ("member_assessments", "member_key"),
        ("admissions", "member_key"),
        ("inspections", "subject_member_key"),
        ("disciplines", "subject_member_key"),
        ("discipline_register", "subject_member_key"),
    ],
)
def test_the_key_that_was_sent_stays_beside(joined, form, column):
    [(told, sent)] = joined.execute(
        f"select distinct {column}, {column}_as_sent from staging.stg_{form} where year = 2024 and {column} <> 'c3'"
    ).fetchall()

    assert (told, sent) == ("a1", "b2")


def test_every_staging_model_with_a_member_reads_him_by_one_key():
    """A form that comes to name members later must not be forgotten."""
    models = Path(__file__).parents[1] / "dbt_project" / "models" / "staging"
    naming = [path for path in models.glob("stg_*.sql") if re.search(r"records\.\w*member_key\b", path.read_text())]

    assert len(naming) == 6
    for path in naming:
        assert "canonical_member_key" in path.read_text(), path.name
        assert "join_member_identities" in path.read_text(), path.name


def test_a_correction_that_lists_both_keys_stops_the_build_by_name(tmp_path):
    """When it was confirmed they stood in different years; then a corrected report names both in one."""
    store = draw_member_with_two_keys(tmp_path / "store")
    decide(store, *KEYS)
    store.send(
        "67.001",
        2023,
        sent_no=2,
        members="""
        member_key | cell_code | status
        -------------------------------
        a1         | C1        | Chính thức
        b2         | C1        | Chính thức
        """,
    )

    check = ("stg_members", "member_statuses", "assert_identities_are_one_person")
    with pytest.raises(AssertionError, match="FAIL 1 assert_identities_are_one_person"):
        build_warehouse(tmp_path / "store", tmp_path / "clash.duckdb", only=check)

    undo(store.register, *KEYS, by="Ban Tổ chức", reason="hai người")
    store.tell()
    build_warehouse(tmp_path / "store", tmp_path / "apart.duckdb", only=check).close()


def test_an_older_store_gets_an_empty_list_of_identities(tmp_path):
    folders = Folders(tmp_path)
    Store(folders.store).prepare()

    assert pq.read_table(folders.store / "register" / "member_identities.parquet").num_rows == 0
