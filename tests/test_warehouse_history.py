"""Versions of organisations and members, the dated hierarchy, and the facts' way to them, on drawn reports."""
# ruff: noqa: E501  (drawn tables are as wide as the forms)

from inspect import cleandoc
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from drawing import table
from store_builder import DrawnStore, build_warehouse

from expectations.suites import suite
from expectations.validation import validate
from orchestration.settings import Folders
from orchestration.trace import tracing
from submissions.store import SUCCESSIONS, frame_table, write_table


def draw_organisations(store: DrawnStore) -> None:
    """Three years of Huyện Một, two of Huyện Hai, which was silent between; Huyện Ba never sent, Huyện Tư was to end."""
    store.list_units(
        """
        unit_code | unit_name | from_year | to_year
        -------------------------------------------
        67.001    | Huyện Một | 2022      |
        67.002    | Huyện Hai | 2022      |
        67.003    | Huyện Ba  | 2022      |
        67.004    | Huyện Tư  | 2021      | 2022
        """
    )
    successions = table(
        """
        succession_id | effective_on | kind       | old_code | new_code | legal_source
        ------------------------------------------------------------------------------
        1             | 2024-07-01   | new_parent | MOVED    | G2       | 1-QĐ/TU
        2             | 2024-07-01   | new_parent | BACK     | G1       | 1-QĐ/TU
        3             | 2024-04-01   | merged     | OLD      | HEIR     | 2-QĐ/TU
        """
    )
    successions["effective_on"] = pd.to_datetime(successions["effective_on"]).dt.date
    write_table(frame_table(successions.assign(share=None), SUCCESSIONS), store.root / "successions.parquet")
    store.send(
        "67.001",
        2022,
        organisations="""
        org_code | org_name    | org_kind          | org_sector | parent_code | founded_on | closed_on
        -----------------------------------------------------------------------------------------------
        67.001   | Huyện Một   | Đảng bộ cơ sở     | Khác       | 67.001      | 2005-03-15 |
        G1       | Đảng bộ 1   | Đảng bộ cơ sở     | Xã         | 67.001      | 2005-03-15 |
        RENAMED  | Tên cũ      | Chi bộ trực thuộc | Xã         | G1          |            |
        BLANK    |             | Chi bộ trực thuộc | Xã         | G1          |            |
        LATER    | Sau         | Chi bộ trực thuộc | Xã         | G1          | 2023-02-01 |
        BACK     | Trở lại     | Chi bộ trực thuộc | Xã         | G1          |            |
        CLOSED   | Kết thúc    | Chi bộ trực thuộc | Xã         | G1          |            |
        TOLDLATE | Báo muộn    | Chi bộ trực thuộc | Xã         | G1          |            |
        TOLDNEW  | Tên cũ      | Chi bộ trực thuộc | Xã         | G1          |            |
        REOPENED | Mở lại      | Chi bộ trực thuộc | Xã         | G1          |            | 2022-06-30
        OLD      | Cũ          | Đảng bộ cơ sở     | Xã         | 67.001      |            |
        BELOW    | Đi theo     | Chi bộ trực thuộc | Xã         | OLD         |            |
        LOST     | Thôi        | Chi bộ trực thuộc | Xã         | OLD         |            |
        GONE     | Không còn   | Chi bộ trực thuộc | Xã         | G1          |            |
        UNLISTED | Quên ghi    | Chi bộ trực thuộc | Xã         | G1          |            |
        HELD     | Giữ lại     | Chi bộ trực thuộc | Xã         | G1          |            |
        MOVED    | Đổi cấp     | Chi bộ trực thuộc | Xã         | G1          |            |
        UNDER    | Dưới        | Chi bộ trực thuộc | Xã         | CLOSED      |            |
        SHARED   | Trùng mã    | Chi bộ cơ sở      | Xã         | 67.001      |            |
        GUEST    | Sang huyện  | Chi bộ cơ sở      | Xã         | 67.001      | 2010-01-01 |
        X1       | Vòng 1      | Chi bộ trực thuộc | Xã         | X2          |            |
        X2       | Vòng 2      | Chi bộ trực thuộc | Xã         | X1          |            |
        """,
    )
    store.send(
        "67.001",
        2023,
        organisations="""
        org_code | org_name    | org_kind          | org_sector | parent_code | founded_on | closed_on  | held
        ------------------------------------------------------------------------------------------------------
        G1       | Đảng bộ 1   | Đảng bộ cơ sở     | Xã         | 67.001      | 2005-03-15 |            |
        RENAMED  | Tên mới     | Chi bộ trực thuộc | Xã         | G1          |            |            |
        BLANK    | Có tên      | Chi bộ trực thuộc |            | G1          |            |            |
        LATER    | Sau         | Chi bộ trực thuộc | Xã         | G1          | 2023-02-01 |            |
        CLOSED   | Kết thúc    | Chi bộ trực thuộc | Xã         | G1          |            | 2023-09-30 |
        TOLDLATE | Báo muộn    | Chi bộ trực thuộc | Xã         | G1          |            |            |
        TOLDNEW  | Tên mới     | Chi bộ trực thuộc | Xã         | G1          |            | 2022-11-30 |
        REOPENED | Mở lại      | Chi bộ trực thuộc | Xã         | G1          |            |            |
        OLD      | Cũ          | Đảng bộ cơ sở     | Xã         | 67.001      |            |            |
        BELOW    | Đi theo     | Chi bộ trực thuộc | Xã         | OLD         |            |            |
        LOST     | Thôi        | Chi bộ trực thuộc | Xã         | OLD         |            |            |
        HELD     |             |                   |            |             |            |            | true
        MOVED    | Đổi cấp     | Chi bộ trực thuộc | Xã         | G1          |            |            |
        UNDER    | Dưới        | Chi bộ trực thuộc | Xã         | CLOSED      |            |            |
        NEW      | Mới         | Chi bộ trực thuộc | Xã         | G1          | 2023-05-10 |            |
        SHARED   | Trùng mã    | Chi bộ cơ sở      | Xã         | 67.001      |            |            |
        GUEST    | Sang huyện  | Chi bộ cơ sở      | Xã         | 67.001      | 2010-01-01 |            |
        """,
        members="""
        member_key | cell_code | status
        --------------------------------
        living     | UNLISTED  | Chính thức
        """,
        cell_meetings="""
        cell_code | month | held_on
        ---------------------------
        NEW       | 2     | 2023-02-05
        NEW       | 4     |
        NEW       | 6     | 2023-06-05
        CLOSED    | 9     | 2023-09-30
        CLOSED    | 10    | 2023-10-05
        """,
    )
    store.send(
        "67.001",
        2024,
        organisations="""
        org_code | org_name    | org_kind          | org_sector | parent_code | founded_on | closed_on
        -----------------------------------------------------------------------------------------------
        G1       | Đảng bộ 1   | Đảng bộ cơ sở     | Phường     | 67.001      | 2005-03-15 |
        G2       | Đảng bộ 2   | Đảng bộ cơ sở     | Xã         | 67.001      | 2024-03-01 |
        RENAMED  | Tên mới     | Chi bộ trực thuộc | Xã         | G1          |            |
        BLANK    | Có tên      | Chi bộ trực thuộc | Xã         | G1          |            |
        LATER    | Sau         | Chi bộ trực thuộc | Xã         | G1          | 2023-02-01 |
        BACK     | Trở lại     | Chi bộ trực thuộc | Xã         | G1          |            |
        TOLDLATE | Báo muộn    | Chi bộ trực thuộc | Xã         | G1          |            | 2023-12-15
        REOPENED | Mở lại      | Chi bộ trực thuộc | Xã         | G1          |            |
        HELD     | Giữ lại     | Chi bộ trực thuộc | Xã         | G1          |            |
        MOVED    | Đổi cấp     | Chi bộ trực thuộc | Xã         | G2          |            |
        NEW      | Mới         | Chi bộ trực thuộc | Xã         | G1          | 2023-05-10 |
        SHARED   | Trùng mã    | Chi bộ cơ sở      | Xã         | 67.001      |            |
        """,
        disciplines="""
        subject      | subject_org_code | org_code | form        | decided_on
        ----------------------------------------------------------------------
        Tổ chức đảng | GONE             | GONE     | Khiển trách | 2024-04-04
        Tổ chức đảng | CLOSED           | CLOSED   | Khiển trách | 2023-08-08
        Tổ chức đảng | RENAMED          | RENAMED  | Khiển trách | 2022-12-12
        Tổ chức đảng | MOVED            | MOVED    | Khiển trách | 2024-06-30
        Tổ chức đảng | MOVED            | MOVED    | Cảnh cáo    | 2024-07-01
        Tổ chức đảng | G1               | 67.001   | Cảnh cáo    | 2024-07-01
        """,
    )
    organisations = """
        org_code | org_name   | org_kind     | org_sector | parent_code
        -------------------------------------------------------------
        STAYS    | Còn nguyên | Chi bộ cơ sở | Xã         | 67.002
        SHARED   | Trùng mã   | Chi bộ cơ sở | Xã         | 67.002
    """
    store.send("67.002", 2022, organisations=organisations)
    store.send(
        "67.002",
        2024,
        organisations=f"""{organisations}
        GUEST    | Sang huyện | Chi bộ cơ sở      | Xã | 67.002
        HEIR     | Kế thừa    | Đảng bộ cơ sở     | Xã | 67.002
        BELOW    | Đi theo    | Chi bộ trực thuộc | Xã | HEIR
        """,
    )


def draw_members(store: DrawnStore) -> None:
    """One thing happens to each of the members; the unit has two cells, and another unit is beside it."""
    organisations = """
        org_code | org_name | org_kind     | org_sector | parent_code
        -----------------------------------------------------------
        A        | Chi bộ A | Chi bộ cơ sở | Xã         | 67.001
        B        | Chi bộ B | Chi bộ cơ sở | Xã         | 67.001
    """
    store.send(
        "67.001",
        2022,
        organisations=organisations,
        members="""
        member_key | cell_code | status     | qualification | theory | gender | admitted_on
        ---------------------------------------------------------------------------------
        stays      | A         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        moves      | A         | Chính thức | Đại học       | Sơ cấp | Nữ     | 2001-01-01
        learns     | A         | Chính thức |               | Sơ cấp | Nam    | 2001-01-01
        blank      | A         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        joined     | A         | Dự bị      | Đại học       | Sơ cấp | Nữ     | 2022-05-19
        transfers  | A         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        hands over | A         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        died       | A         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        expelled   | A         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        unproved   | A         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        vanishes   | A         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        returns    | A         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        held       | A         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        """,
    )
    store.send(
        "67.001",
        2023,
        organisations=organisations,
        members="""
        member_key | cell_code | status     | qualification | theory     | gender | admitted_on | held
        ---------------------------------------------------------------------------------------------
        stays      | A         | Chính thức | Đại học       | Sơ cấp     | Nam    | 2001-01-01  |
        moves      | B         | Chính thức | Đại học       | Sơ cấp     |        | 2001-01-01  |
        learns     | A         | Chính thức | Đại học       | Trung cấp  | Nam    | 2001-01-01  |
        blank      | A         | Chính thức |               | Sơ cấp     | Nam    | 2001-01-01  |
        joined     | A         | Chính thức | Đại học       | Sơ cấp     | Nữ     | 2022-05-19  |
        transfers  | A         | Chuyển đi  | Đại học       | Sơ cấp     | Nam    | 2001-01-01  |
        hands over | A         | Chuyển đi  | Đại học       | Sơ cấp     | Nam    | 2001-01-01  |
        died       | A         | Từ trần    | Đại học       | Sơ cấp     | Nam    | 2001-01-01  |
        expelled   | A         | Khai trừ   | Đại học       | Sơ cấp     | Nam    | 2001-01-01  |
        unproved   | A         | Khai trừ   | Đại học       | Sơ cấp     | Nam    | 2001-01-01  |
        held       |           |            |               |            |        |             | true
        """,
        member_assessments="""
        member_key | cell_code | final_level
        -----------------------------------
        died       | A         | Hoàn thành nhiệm vụ
        """,
        disciplines="""
        subject   | subject_member_key | org_code | form        | decided_on
        ------------------------------------------------------------------
        Đảng viên | expelled           | A        | Khai trừ    | 2023-06-10
        Đảng viên | died               | A        | Khiển trách | 2023-06-10
        Đảng viên | stranger           | A        | Khiển trách | 2023-06-10
        Đảng viên | unproved           | A        | Cảnh cáo    | 2023-06-10
        """,
        admissions="""
        member_key | cell_code | admitted_on
        -----------------------------------
        joined     | A         | 2022-05-19
        """,
    )
    store.send(
        "67.001",
        2024,
        organisations=organisations,
        members="""
        member_key | cell_code | status     | qualification | theory     | gender | admitted_on
        ---------------------------------------------------------------------------------------
        stays      | A         | Chính thức | Đại học       | Sơ cấp     | Nam    | 2001-01-01
        moves      | B         | Chính thức | Đại học       | Sơ cấp     | Nữ     | 2001-01-01
        learns     | A         | Chính thức | Đại học       | Trung cấp  | Nam    | 2001-01-01
        blank      | A         | Chính thức | Đại học       | Sơ cấp     | Nam    | 2001-01-01
        joined     | A         | Chính thức | Đại học       | Sơ cấp     | Nữ     | 2022-05-19
        returns    | A         | Chính thức | Đại học       | Sơ cấp     | Nam    | 2001-01-01
        held       | A         | Chính thức | Đại học       | Sơ cấp     | Nam    | 2001-01-01
        """,
    )
    store.send(
        "67.002",
        2023,
        organisations="""
        org_code | org_name | org_kind     | org_sector | parent_code
        -----------------------------------------------------------
        K        | Chi bộ K | Chi bộ cơ sở | Xã         | 67.002
        """,
        members="""
        member_key | cell_code | status     | qualification | theory | gender | admitted_on
        ---------------------------------------------------------------------------------
        transfers  | K         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        """,
    )
    store.send(
        "67.002",
        2024,
        members="""
        member_key | cell_code | status     | qualification | theory | gender | admitted_on
        ---------------------------------------------------------------------------------
        transfers  | K         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        hands over | K         | Chính thức | Đại học       | Sơ cấp | Nam    | 2001-01-01
        """,
    )


def drawn(warehouse: duckdb.DuckDBPyConnection, query: str) -> str:
    """The rows of an answer, one a line; nothing stands for null."""
    rows = warehouse.execute(query).fetchall()
    return "\n".join(" | ".join("" if cell is None else str(cell) for cell in row).strip() for row in rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lịch sử")


@pytest.fixture(scope="module")
def organisations(folder: Path) -> duckdb.DuckDBPyConnection:
    draw_organisations(DrawnStore(folder / "store"))
    return build_warehouse(folder / "store", folder / "organisations.duckdb")


@pytest.fixture(scope="module")
def members(folder: Path) -> duckdb.DuckDBPyConnection:
    draw_members(DrawnStore(folder / "members"))
    return build_warehouse(folder / "members", folder / "members.duckdb")


def test_every_figure_of_every_version_is_found_again_from_what_was_reported(folder, organisations):
    """Of names that came late, cells left empty, closings told with another name, and units that never reported."""
    with tracing(Folders(folder), folder / "organisations.duckdb", in_brief=True) as tracer:
        versions = [
            key
            for (key,) in organisations.execute(
                "select organisation_version_key from marts.dim_organisation"
            ).fetchall()
        ]
        figures = [
            tracer.figure("dim_organisation", key, column)
            for key in versions
            for column in tracer.catalogue["dim_organisation"]
        ]

    assert {figure.key.split("=")[1] for figure in figures} == set(versions)
    assert all(figure.value == figure.recomputed for figure in figures)


def test_the_gravest_decision_of_an_organisation_is_found_again_where_it_has_several(folder, organisations):
    several = (
        organisations.execute(
            "select year, unit_code, subject_org_code as org_code from marts.discipline_case "
            "where subject_org_code is not null group by all having count(*) > 1"
        )
        .df()
        .to_dict("records")
    )
    assert several
    with tracing(Folders(folder), folder / "organisations.duckdb", in_brief=True) as tracer:
        for key in several:
            for column in tracer.catalogue["disciplined_organisation"]:
                tracer.figure("disciplined_organisation", key, column)


class TestOrganisations:
    @pytest.mark.parametrize(
        ("org_code", "versions"),
        [
            (
                "G1",
                """
                2005-03-15 | 2024-01-01 | founded_on |  | 2005-03-15
                2024-01-01 |  | year | 2023-12-31 | 2024-12-31
                """,
            ),
            ("G2", "2024-03-01 |  | founded_on |  | 2024-03-01"),
            (
                "RENAMED",
                """
                2022-01-01 | 2023-01-01 | first_listed |  | 2022-12-31
                2023-01-01 |  | year | 2022-12-31 | 2023-12-31
                """,
            ),
            ("BLANK", "2022-01-01 |  | first_listed |  | 2022-12-31"),
            ("LATER", "2022-01-01 |  | first_listed |  | 2022-12-31"),
            ("NEW", "2023-05-10 |  | founded_on |  | 2023-05-10"),
            (
                "BACK",
                """
                2022-01-01 | 2023-01-01 | first_listed |  | 2022-12-31
                2024-01-01 |  | year | 2022-12-31 | 2024-12-31
                """,
            ),
            ("CLOSED", "2022-01-01 | 2023-10-01 | first_listed |  | 2022-12-31"),
            ("TOLDLATE", "2022-01-01 | 2023-12-16 | first_listed |  | 2022-12-31"),
            ("TOLDNEW", "2022-01-01 | 2022-12-01 | first_listed |  | 2022-12-31"),
            ("OLD", "2022-01-01 | 2024-04-01 | first_listed |  | 2022-12-31"),
            ("LOST", "2022-01-01 | 2024-04-01 | first_listed |  | 2022-12-31"),
            (
                "BELOW",
                """
                2022-01-01 | 2024-04-01 | first_listed |  | 2022-12-31
                2024-04-01 |  | succession | 2023-12-31 | 2024-04-01
                """,
            ),
            ("HEIR", "2024-04-01 |  | succession |  | 2024-04-01"),
            (
                "REOPENED",
                """
                2022-01-01 | 2022-07-01 | first_listed |  | 2022-12-31
                2023-01-01 |  | year | 2022-12-31 | 2023-12-31
                """,
            ),
            ("GONE", "2022-01-01 | 2023-01-01 | first_listed |  | 2022-12-31"),
            ("UNLISTED", "2022-01-01 | 2024-01-01 | first_listed |  | 2022-12-31"),
            ("HELD", "2022-01-01 |  | first_listed |  | 2022-12-31"),
            (
                "MOVED",
                """
                2022-01-01 | 2024-07-01 | first_listed |  | 2022-12-31
                2024-07-01 |  | succession | 2023-12-31 | 2024-07-01
                """,
            ),
            ("STAYS", "2022-01-01 |  | first_listed |  | 2022-12-31"),
        ],
    )
    def test_a_version_begins_and_ends_when_the_reports_say(self, organisations, org_code, versions):
        assert cleandoc(versions) == drawn(
            organisations,
            "select valid_from, valid_to, valid_from_basis, changed_after, changed_by from marts.dim_organisation "
            f"where org_code = '{org_code}' order by version",
        )

    def test_what_is_not_divided_goes_whole_though_its_list_tells_no_share(self, organisations):
        told = organisations.execute(
            "select share, count(*) > 0 from marts.organisation_crosswalk where successions is not null group by share"
        ).fetchall()
        assert told == [(1, True)]

    def test_an_empty_cell_takes_what_is_known_of_another_year(self, organisations):
        query = "select org_name, org_sector from marts.dim_organisation where org_code = 'BLANK'"
        assert drawn(organisations, query) == "Có tên | Xã"

    def test_an_organisation_that_moves_to_another_unit_is_the_same_and_two_with_one_code_are_two(self, organisations):
        assert drawn(
            organisations,
            "select organisation_key, unit_code, version, valid_from, valid_to, is_current from marts.dim_organisation "
            "where org_code in ('GUEST', 'SHARED') order by all",
        ) == cleandoc(
            """
            67.001/GUEST | 67.001 | 1 | 2010-01-01 | 2024-01-01 | False
            67.001/GUEST | 67.002 | 2 | 2024-01-01 |  | True
            67.001/SHARED | 67.001 | 1 | 2022-01-01 |  | True
            67.002/SHARED | 67.002 | 1 | 2022-01-01 |  | True
            """
        )

    def test_units_and_the_province_are_organisations_and_there_as_long_as_any_below_them(self, organisations):
        assert drawn(
            organisations,
            "select organisation_version_key, organisation_level, org_name, parent_code, valid_to, valid_from_basis, "
            "is_inferred from marts.dim_organisation where organisation_level in ('unit', 'province') order by all",
        ) == cleandoc(
            """
            67.001@2005-03-15 | unit | Đơn vị 67.001 | ALL |  | organisations | False
            67.002@2022-01-01 | unit | Đơn vị 67.002 | ALL |  | first_listed | False
            67.003@2022-01-01 | unit | Huyện Ba | ALL |  | first_listed | False
            67.004@2021-01-01 | unit | Huyện Tư | ALL | 2023-01-01 | first_listed | False
            ALL@2005-03-15 | province | Toàn tỉnh |  |  | organisations | False
            """
        )

    def test_every_organisation_leads_to_its_unit_by_who_is_there_on_the_day(self, organisations):
        assert drawn(
            organisations,
            "select org_code, ancestor_code, distance, valid_from, valid_to from marts.bridge_organisation_hierarchy "
            "where org_code in ('MOVED', 'UNDER', 'X1') order by org_code, valid_from, distance",
        ) == cleandoc(
            """
            MOVED | MOVED | 0 | 2022-01-01 | 2024-07-01
            MOVED | G1 | 1 | 2022-01-01 | 2024-01-01
            MOVED | 67.001 | 2 | 2022-01-01 | 2024-07-01
            MOVED | ALL | 3 | 2022-01-01 | 2024-07-01
            MOVED | G1 | 1 | 2024-01-01 | 2024-07-01
            MOVED | MOVED | 0 | 2024-07-01 |
            MOVED | G2 | 1 | 2024-07-01 |
            MOVED | 67.001 | 2 | 2024-07-01 |
            MOVED | ALL | 3 | 2024-07-01 |
            UNDER | UNDER | 0 | 2022-01-01 | 2024-01-01
            UNDER | CLOSED | 1 | 2022-01-01 | 2023-10-01
            UNDER | G1 | 2 | 2022-01-01 | 2023-10-01
            UNDER | 67.001 | 3 | 2022-01-01 | 2023-10-01
            UNDER | ALL | 4 | 2022-01-01 | 2023-10-01
            UNDER | 67.001 | 1 | 2023-10-01 | 2024-01-01
            UNDER | ALL | 2 | 2023-10-01 | 2024-01-01
            X1 | X1 | 0 | 2022-01-01 | 2023-01-01
            X1 | X2 | 1 | 2022-01-01 | 2023-01-01
            X1 | 67.001 | 2 | 2022-01-01 | 2023-01-01
            X1 | ALL | 3 | 2022-01-01 | 2023-01-01
            """
        )

    def test_by_the_structure_of_a_day_nobody_stands_twice_and_nobody_apart_from_what_he_is_below(self, organisations):
        assert drawn(
            organisations,
            "select org_code, ancestor_code, hierarchy.valid_from, hierarchy.valid_to "
            "from marts.bridge_organisation_hierarchy as hierarchy "
            "where org_code in ('OLD', 'HEIR', 'BELOW') and distance = 1 order by all",
        ) == cleandoc(
            """
            BELOW | HEIR | 2024-04-01 |
            BELOW | OLD | 2022-01-01 | 2024-04-01
            HEIR | 67.002 | 2024-04-01 |
            OLD | 67.001 | 2022-01-01 | 2024-04-01
            """
        )

    def test_a_meeting_before_the_founding_and_one_after_the_closing_have_the_nearest_version(self, organisations):
        assert drawn(
            organisations,
            "select cell_code, month, organisation_version_key, is_version_clamped from marts.fct_cell_meeting "
            "order by all",
        ) == cleandoc(
            """
            CLOSED | 9 | 67.001/CLOSED@2022-01-01 | False
            CLOSED | 10 | 67.001/CLOSED@2022-01-01 | True
            NEW | 2 | 67.001/NEW@2023-05-10 | True
            NEW | 4 | 67.001/NEW@2023-05-10 | True
            NEW | 6 | 67.001/NEW@2023-05-10 | False
            """
        )

    def test_a_decision_has_the_version_of_its_day_within_the_year_that_reports_it(self, organisations):
        assert drawn(
            organisations,
            "select org_code, decided_on, organisation_version_key, subject_organisation_version_key, "
            "is_version_clamped from marts.fct_discipline order by all",
        ) == cleandoc(
            """
            67.001 | 2024-07-01 | 67.001@2005-03-15 | 67.001/G1@2024-01-01 | False
            CLOSED | 2023-08-08 | 67.001/CLOSED@2022-01-01 | 67.001/CLOSED@2022-01-01 | False
            GONE | 2024-04-04 | 67.001/GONE@2022-01-01 | 67.001/GONE@2022-01-01 | True
            MOVED | 2024-06-30 | 67.001/MOVED@2022-01-01 | 67.001/MOVED@2022-01-01 | False
            MOVED | 2024-07-01 | 67.001/MOVED@2024-07-01 | 67.001/MOVED@2024-07-01 | False
            RENAMED | 2022-12-12 | 67.001/RENAMED@2023-01-01 | 67.001/RENAMED@2023-01-01 | True
            """
        )

    def test_the_suite_of_the_table_finds_what_is_wrong_and_takes_what_is_right(self, organisations):
        frame = organisations.execute("select * from marts.dim_organisation order by all").df()
        broken = frame.assign(valid_to=frame["valid_from"])

        sound = validate(frame, suite("dim_organisation"))
        assert not sound.is_blocking
        # The circle is for somebody to look at.
        assert {outcome.columns for outcome in sound.having("failed")} == {("grassroots_code", "organisation_level")}
        assert validate(broken, suite("dim_organisation")).is_blocking


class TestMembers:
    @pytest.mark.parametrize(
        ("member_key", "versions"),
        [
            ("stays", "67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 |  | first_listed"),
            (
                "moves",
                """
                67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 | 2023-01-01 | first_listed
                67.001 | B | Chính thức | Đại học | Sơ cấp | 2023-01-01 |  | year
                """,
            ),
            (
                "learns",
                """
                67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 | 2023-01-01 | first_listed
                67.001 | A | Chính thức | Đại học | Trung cấp | 2023-01-01 |  | year
                """,
            ),
            ("blank", "67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 |  | first_listed"),
            (
                "joined",
                """
                67.001 | A | Dự bị | Đại học | Sơ cấp | 2022-05-19 | 2023-01-01 | admitted_on
                67.001 | A | Chính thức | Đại học | Sơ cấp | 2023-01-01 |  | year
                """,
            ),
            (
                "transfers",
                """
                67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 | 2023-01-01 | first_listed
                67.002 | K | Chính thức | Đại học | Sơ cấp | 2023-01-01 |  | year
                """,
            ),
            (
                "hands over",
                """
                67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 | 2023-12-31 | first_listed
                67.001 | A | Chuyển đi | Đại học | Sơ cấp | 2023-12-31 | 2024-01-01 | year_end
                67.002 | K | Chính thức | Đại học | Sơ cấp | 2024-01-01 |  | year
                """,
            ),
            (
                "died",
                """
                67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 | 2023-12-31 | first_listed
                67.001 | A | Từ trần | Đại học | Sơ cấp | 2023-12-31 | 2024-01-01 | year_end
                """,
            ),
            (
                "expelled",
                """
                67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 | 2023-06-10 | first_listed
                67.001 | A | Khai trừ | Đại học | Sơ cấp | 2023-06-10 | 2024-01-01 | decision
                """,
            ),
            (
                "unproved",
                """
                67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 | 2023-12-31 | first_listed
                67.001 | A | Khai trừ | Đại học | Sơ cấp | 2023-12-31 | 2024-01-01 | year_end
                """,
            ),
            ("vanishes", "67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 | 2023-01-01 | first_listed"),
            (
                "returns",
                """
                67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 | 2023-01-01 | first_listed
                67.001 | A | Chính thức | Đại học | Sơ cấp | 2024-01-01 |  | year
                """,
            ),
            ("held", "67.001 | A | Chính thức | Đại học | Sơ cấp | 2022-01-01 |  | first_listed"),
            ("stranger", "|  |  |  |  | 2023-01-01 |  | mentioned"),
        ],
    )
    def test_a_version_begins_and_ends_when_the_rolls_say(self, members, member_key, versions):
        assert cleandoc(versions) == drawn(
            members,
            "select unit_code, cell_code, status, qualification, theory, valid_from, valid_to, valid_from_basis "
            f"from marts.dim_member where member_key = '{member_key}' order by version",
        )

    def test_an_attribute_without_versions_is_the_latest_that_was_lawful(self, members):
        query = "select version, gender from marts.dim_member where member_key = 'moves' order by version"
        assert drawn(members, query) == "1 | Nữ\n2 | Nữ"

    def test_what_is_told_of_a_year_is_told_at_its_end_and_a_decision_on_its_day(self, members):
        assert drawn(
            members,
            "select 'roll', year, unit_code, member_version_key from marts.fct_member "
            "where member_key in ('died', 'transfers') and year = 2023 union all "
            "select 'assessment', year, unit_code, member_version_key from marts.fct_member_assessment union all "
            "select 'discipline', year, unit_code, member_version_key from marts.fct_discipline union all "
            "select 'admission', year, unit_code, member_version_key from marts.fct_admission order by all",
        ) == cleandoc(
            """
            admission | 2023 | 67.001 | joined@2023-01-01
            assessment | 2023 | 67.001 | died@2023-12-31
            discipline | 2023 | 67.001 | died@2022-01-01
            discipline | 2023 | 67.001 | expelled@2023-06-10
            discipline | 2023 | 67.001 | stranger@2023-01-01
            discipline | 2023 | 67.001 | unproved@2022-01-01
            roll | 2023 | 67.001 | died@2023-12-31
            roll | 2023 | 67.001 | transfers@2023-01-01
            roll | 2023 | 67.002 | transfers@2023-01-01
            """
        )


def test_a_province_that_sent_nothing_is_the_province_alone(folder):
    DrawnStore(folder / "empty")
    empty = build_warehouse(folder / "empty", folder / "empty.duckdb", tested=False)
    assert drawn(empty, "select organisation_key, organisation_level, valid_to from marts.dim_organisation") == (
        "ALL | province |"
    )
    assert drawn(empty, "select org_code, ancestor_code, distance from marts.bridge_organisation_hierarchy") == (
        "ALL | ALL | 0"
    )
    assert drawn(empty, "select count(*) from marts.dim_member") == "0"
