"""The register of sendings in the warehouse: what came, what is owed, and the rates."""

from datetime import UTC, date, datetime

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from store_builder import DrawnStore, build_warehouse

from submissions.issues import COLUMNS as ISSUE_COLUMNS
from submissions.register.log import Event
from submissions.register.rates import rates
from submissions.store import ISSUES, frame_table, write_table

IN_TIME, LATE = datetime(2025, 1, 20, 3, tzinfo=UTC), datetime(2025, 2, 20, 3, tzinfo=UTC)
# 01/02/2025 lies in the days of Tết and a weekend: what is due before it is in time to the end of Monday 03/02/2025.
DAYS_LATE = 17

MEMBERS = """
    member_key | birth_year | gender | cell_code | status
    -----------------------------------------------------
    {key}      | 1980       | Nữ     | C1        | Chính thức
    """
ORGANISATIONS = """
    org_code | org_name | org_kind     | org_sector | parent_code | member_count
    -----------------------------------------------------------------------------
    C1       | Chi bộ 1 | Chi bộ cơ sở | Xã         | {unit}      | 1
    """


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> DrawnStore:
    """2024, of which all is due: in time and corrected, late, held, refused, nothing; and 2025, of which nothing is."""
    folder = tmp_path_factory.mktemp("so dang ky")
    store = DrawnStore(folder / "store", received_at=IN_TIME, today=date(2025, 6, 1))
    store.list_units(
        """
        unit_code | unit_name | level | from_year
        -----------------------------------------
        67.001    | Huyện Một | Huyện | 2024
        67.002    | Huyện Hai | Huyện | 2024
        67.003    | Huyện Ba  | Huyện | 2024
        67.004    | Huyện Bốn | Huyện | 2024
        67.005    | Đảng ủy A |       | 2024
        """
    )
    first = store.send("67.001", 2024, members=MEMBERS.format(key="withdrawn"))
    store.tell(Event("duplicate", "duplicate:1", "67.001", 2024, first, {"of": first, "kind": "unit"}, IN_TIME))
    store.received_at = LATE
    store.send(
        "67.001",
        2024,
        sent_no=2,
        organisations=ORGANISATIONS.format(unit="67.001"),
        members=MEMBERS.format(key="stands"),
    )
    store.send("67.001", 2024, sent_no=3, state="held", members=MEMBERS.format(key="waits"))
    late = store.send(
        "67.002", 2024, organisations=ORGANISATIONS.format(unit="67.002"), members=MEMBERS.format(key="late")
    )
    store.send("67.003", 2024, state="held", members=MEMBERS.format(key="waits"))
    store.send("67.004", 2024, state="refused")
    store.years.add(2025)
    store.tell()
    ask(store, "issues", late, "error", "error", "warning")
    ask(store, "queries", late, "query")
    return store


def ask(store, folder, source_hash, *severities):
    """Enter what was found in a sending; cells and keys do not matter here."""
    found = pd.DataFrame({"severity": severities, "rule": "required", "source_hash": source_hash})
    found = found.reindex(columns=["source_hash", *ISSUE_COLUMNS])
    write_table(frame_table(found.assign(year=2024), ISSUES), store.root / folder / f"{source_hash}.parquet")


@pytest.fixture(scope="module")
def warehouse(store) -> duckdb.DuckDBPyConnection:
    return build_warehouse(store.root, store.root.with_name("register.duckdb"))


def rows(warehouse, query):
    return warehouse.execute(query).fetchall()


def test_every_receipt_is_a_row_with_what_became_of_it(warehouse):
    assert rows(
        warehouse,
        "select unit_code, number, copy_no, state, days_late, is_in_force from marts.fct_sending "
        "order by unit_code, number nulls last",
    ) == [
        ("67.001", 1, 1, "replaced", 0, False),
        ("67.001", 2, 1, "accepted", DAYS_LATE, True),
        ("67.001", 3, 1, "held", DAYS_LATE, False),
        ("67.001", None, 2, "duplicate", 0, False),
        ("67.002", 1, 1, "accepted", DAYS_LATE, True),
        ("67.003", 1, 1, "held", DAYS_LATE, False),
        ("67.004", 1, 1, "refused", DAYS_LATE, False),
    ]


def test_only_what_the_register_has_in_force_reaches_the_facts(warehouse):
    assert rows(warehouse, "select member_key from marts.fct_member order by all") == [("late",), ("stands",)]
    assert rows(warehouse, "select unit_code from marts.fct_submission where is_in_force order by all") == [
        ("67.001",),
        ("67.002",),
    ]


def test_a_held_sending_is_neither_accepted_nor_refused(warehouse):
    found = rows(warehouse, "select state, count(*) from marts.fct_submission group by state order by state")
    assert found == [("accepted", 3), ("held", 2), ("refused", 1)]


def test_errors_and_queries_are_counted_apart_and_former_warnings_are_queries(warehouse):
    found = rows(warehouse, "select issues, errors, queries from marts.fct_submission where issues > 0")
    assert found == [(4, 2, 2)]
    assert rows(warehouse, "select errors, queries from marts.fct_sending where unit_code = '67.002'") == [(2, 2)]


def test_a_unit_owes_its_report_until_one_is_accepted(warehouse):
    assert rows(
        warehouse,
        "select unit_code, state, is_due, days_late, sendings from marts.reporting_obligation "
        "where year = 2024 order by all",
    ) == [
        ("67.001", "on_time", True, 0, 4),
        ("67.002", "late", True, DAYS_LATE, 1),
        ("67.003", "held", True, DAYS_LATE, 1),
        # Nothing came: how late it is grows day by day, and is for the register to say, not for a build.
        ("67.004", "refused", True, None, 1),
        ("67.005", "overdue", True, None, 0),
    ]


def test_what_is_not_due_yet_is_not_late(warehouse):
    found = rows(
        warehouse,
        "select distinct state, is_due, days_late from marts.reporting_obligation where year = 2025",
    )
    assert found == [("not_yet_due", False, None)]


def test_rates_have_their_numbers_beside_them_and_none_where_nothing_is_due(warehouse):
    assert rows(
        warehouse,
        "select year, level, expected_reports, actual_reports, actual_reports_on_time, reporting_rate, on_time_rate, "
        "not_yet_due from marts.reporting_rate order by year, level",
    ) == [
        (2024, "Chưa phân cấp", 1, 0, 0, 0.0, 0.0, 0),
        (2024, "Huyện", 4, 2, 1, 0.5, 0.25, 0),
        (2025, "Chưa phân cấp", 0, 0, 0, None, None, 1),
        (2025, "Huyện", 0, 0, 0, None, None, 4),
    ]


def test_the_warehouse_and_the_register_count_the_same_rates(warehouse, store):
    obligations = pq.read_table(store.root / "register" / "obligations.parquet").to_pandas()

    told = rates(obligations.assign(level=obligations["level"].fillna("Chưa phân cấp")), ["level", "year"])

    shown = warehouse.execute("select * from marts.reporting_rate").df()
    columns = list(told.columns)
    assert sorted(columns) == sorted(shown.columns)
    key = ["level", "year"]
    pd.testing.assert_frame_equal(
        shown[columns].sort_values(key, ignore_index=True).astype(object).where(lambda cells: cells.notna(), None),
        told.sort_values(key, ignore_index=True).astype(object).where(lambda cells: cells.notna(), None),
        check_dtype=False,
    )


def test_what_the_register_was_not_told_of_waits(store, tmp_path):
    """A killed intake may leave a file that was read and is not yet in the register."""
    untold = DrawnStore(tmp_path / "store", received_at=IN_TIME, today=date(2025, 6, 1))
    untold.send("67.001", 2024, organisations=ORGANISATIONS.format(unit="67.001"), members=MEMBERS.format(key="m1"))
    before = {path: path.read_bytes() for path in (tmp_path / "store" / "register").iterdir()}
    untold.send("67.001", 2024, sent_no=2, members=MEMBERS.format(key="m2"))
    for path, content in before.items():
        path.write_bytes(content)

    warehouse = build_warehouse(tmp_path / "store", tmp_path / "untold.duckdb", tested=False)

    assert rows(warehouse, "select sent_no, state, is_in_force from marts.fct_submission order by all") == [
        (1, "accepted", True),
        (2, "received", False),
    ]
    assert rows(warehouse, "select member_key from marts.fct_member") == [("m1",)]


def test_no_file_name_and_no_moment_of_arrival_gets_in(warehouse):
    found = {name for (name,) in rows(warehouse, "select distinct column_name from information_schema.columns")}
    assert not found & {"file_name", "received_at", "decided_at", "receipt_no", "state_message"}
