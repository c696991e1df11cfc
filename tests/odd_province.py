"""A small province in which everything that can be odd is odd."""
# ruff: noqa: E501  (drawn tables are as wide as the forms)

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.store_builder import DrawnStore


def draw_odd_province(store: DrawnStore) -> None:
    """Two years; a correction, a transfer, a refused file, a cycle, a missing row, an unlisted cell, two books."""
    store.list_units(
        """
        unit_code | unit_name      | from_year
        ----------------------------------------
        67.001    | Huyện Một      | 2021
        67.002    | Huyện Hai      | 2021
        67.003    | Huyện Ba       | 2021
        67.004    | Huyện Mới      | 2025
        """
    )
    store.send(
        "67.001",
        2023,
        organisations="""
        org_code | org_name  | org_kind         | org_sector | parent_code | member_count
        -------------------------------------------------------------------------------
        G2       | Đảng bộ 2 | Đảng bộ cơ sở    | Xã         | 67.001      | 1
        C2       | Chi bộ 2  | Chi bộ trực thuộc | Xã         | G2          | 1
        """,
        members="""
        member_key | birth_year | gender | cell_code | status     | school
        ------------------------------------------------------------------
        m2         | 1980       | Nữ     | C2        | Chính thức | THPT
        """,
    )
    store.send(
        "67.001",
        2024,
        members="""
        member_key | birth_year | gender | cell_code | status
        -----------------------------------------------------
        withdrawn  | 1970       | Nam    | C1        | Chính thức
        """,
    )
    store.send(
        "67.001",
        2024,
        sent_no=2,
        membership_movements="""
        line | label   | count
        ----------------------
        D    | Cuối kỳ | 5
        """,
        organisations="""
        org_code | org_name  | org_kind          | org_sector | parent_code | member_count | held
        ---------------------------------------------------------------------------------------
        G1       | Đảng bộ 1 | Đảng bộ cơ sở     | Xã         | 67.001      | 2            |
        P1       | Bộ phận 1 | Đảng bộ bộ phận   | Xã         | G1          | 2            |
        C1       | Chi bộ 1  | Chi bộ trực thuộc | Xã         | P1          | 2            |
        G2       |           |                   |            |             |              | true
        C2       | Chi bộ 2  | Chi bộ trực thuộc | Xã         | G2          | 1            |
        X1       | Vòng 1    | Chi bộ trực thuộc | Xã         | X2          | 0            |
        X2       | Vòng 2    | Chi bộ trực thuộc | Xã         | X1          | 0            |
        """,
        members="""
        member_key | birth_year | gender | cell_code | status     | is_head | held
        --------------------------------------------------------------------
        m1         | 1990       | Nam    | C1        | Chính thức | true    |
        m2         | 1980       |        | C2        | Chính thức | false   |
        m3         | 1985       | Nam    | C1        | Chuyển đi  | false   |
        m4         | 1995       | Nam    | X1        | Dự bị      | false   |
        m5         | 1975       | Nữ     | U9        | Chính thức | false   |
                   | 1960       | Nam    | C1        | Chính thức | false   | true
        """,
        organisation_assessments="""
        org_code | self_level              | final_level             | tasks_assigned | held
        --------------------------------------------------------------------------------
        C1       | Hoàn thành tốt nhiệm vụ | Hoàn thành tốt nhiệm vụ | 10             |
        P1       | Hoàn thành tốt nhiệm vụ | Hoàn thành nhiệm vụ     |                | true
        """,
        member_assessments="""
        member_key | cell_code | self_level              | proposed_level          | final_level         | held
        ---------------------------------------------------------------------------------------------------------
        m1         |           | Hoàn thành tốt nhiệm vụ | Hoàn thành tốt nhiệm vụ |                     | true
        m2         | C2        | Hoàn thành tốt nhiệm vụ | Hoàn thành tốt nhiệm vụ | Hoàn thành nhiệm vụ |
        m4         | X1        |                         | Hoàn thành tốt nhiệm vụ | Hoàn thành nhiệm vụ |
        """,
        cell_meetings="""
        cell_code | month | held_on    | expected | attended | thematic | points
        ----------------------------------------------------------------
        C1        | 1     | 2024-01-05 | 10       | 9        | true     | 90.5
        C1        | 2     |            | 10       |          | false    |
        C2        | 1     | 2024-01-06 | 4        | 4        | false    | 80.5
        """,
        disciplines="""
        subject      | subject_org_code | subject_member_key | org_code | form        | duty_related | corruption | decided_on | decision_no | self_reported | held
        -------------------------------------------------------------------------------------------------------------------------------------
        Đảng viên    |                  | m1                 | C1       | Cảnh cáo    | false        | false      |            | 1-QĐ        | true          | true
        Đảng viên    |                  | m2                 | C2       | Khiển trách | false        | false      | 2024-04-04 | 2-QĐ        | false         |
        Tổ chức đảng | P1               |                    | P1       | Khiển trách | true         | false      | 2024-05-05 | 3-QĐ        | false         |
        """,
    )
    store.send(
        "67.002",
        2024,
        organisations="""
        org_code | org_name | org_kind      | org_sector | parent_code | member_count
        -------------------------------------------------------------------------
        K        | Chi bộ K | Chi bộ cơ sở  | Quân đội   | 67.002      | 1
        """,
        members="""
        member_key | birth_year | gender | cell_code | status
        ----------------------------------------------------
        m3         | 1985       | Nam    | K         | Chính thức
        """,
    )
    store.send("67.003", 2024, state="refused")
    store.send(
        None,
        2024,
        discipline_register="""
        decision_no | decided_on | subject      | subject_org_code | subject_member_key | org_code | form        | duty_related | corruption
        ---------------------------------------------------------------------------------------------------------------
        1-QĐ        | 2024-03-03 | Đảng viên    |                  | m1                 | C1       | Cảnh cáo    | true         | false
        9-QĐ        | 2024-09-09 | Đảng viên    |                  | m9                 | 67.003.5 | Khai trừ    |              | true
        3-QĐ        | 2024-05-05 | Tổ chức đảng | P1               |                    | P1       | Khiển trách | true         | false
        """,
    )
