from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from drawn_sendings import UNIT, honest_unit, sending

from submissions.queries import find_queries
from submissions.records import Records, read_columns
from submissions.store import write_table


@pytest.fixture
def frame():
    return pd.DataFrame(
        {"row": [8, 9, 10, 11], "code": ["b", None, "a", "b"], "count": [1, 2, None, 4], "note": [None] * 4}
    )


@pytest.fixture(params=["a frame", "a file", "a file read ahead"])
def records(request, frame, tmp_path):
    if request.param == "a frame":
        return Records(frame)
    write_table(pa.Table.from_pandas(frame), tmp_path / "form.parquet")
    return Records(tmp_path / "form.parquet", ["code", "absent"] if "ahead" in request.param else [])


def test_columns_of_texts_are_codes_and_what_they_stand_for(records):
    codes, distinct = records.coded("code")

    assert codes.tolist() == [0, -1, 1, 0]
    assert distinct.tolist() == ["b", "a"]
    assert records.is_in("code", ["b", "c"]).tolist() == [True, False, False, True]


def test_numbers_that_are_missing_are_no_zeros(records):
    assert np.isnan(records.numbers("count")).tolist() == [False, False, True, False]
    assert records.rows.tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize(("column", "blanks"), [("code", 1), ("count", 1), ("row", 0), ("note", 4), ("absent", 4)])
def test_empty_cells_are_counted_and_a_column_that_is_not_there_is_empty(records, column, blanks):
    assert records.blanks(column) == blanks
    assert int((~records.filled(column)).sum()) == blanks
    assert (column in records) == (column != "absent")


def test_values_that_other_records_do_not_have(records, frame):
    others = Records(frame.assign(code=["b", "c", None, None]))

    assert records.absent_from(others, "code").tolist() == [False, False, True, False]
    assert records.absent_from(Records(frame.head(0)), "code").tolist() == [True, False, True, True]


def test_some_columns_of_some_rows(records):
    part = records.frame(["row", "code", "absent"], np.array([True, True, False, False]))

    assert part["row"].tolist() == [8, 9]
    assert part["code"].isna().tolist() == [False, True]
    assert part["absent"].isna().all()


def test_nothing_is_read_of_a_file_that_is_not_there():
    assert read_columns(None, ["form", "rule"]) == {"form": [], "rule": []}


def test_the_same_is_asked_of_records_in_files(tmp_path):
    def in_files(one):
        for table, records in one.forms.items():
            write_table(pa.Table.from_pandas(records, preserve_index=False), tmp_path / f"{one.year} {table}.parquet")
        return replace(one, forms={table: Records(tmp_path / f"{one.year} {table}.parquet") for table in one.forms})

    now, then = honest_unit(2024, 12, 30), honest_unit(2023, 12, 40)
    now["members"]["member_key"] = now["members"]["member_key"].str.replace(f"{UNIT}-1", f"{UNIT}-9", regex=False)
    now["members"].loc[:250, ["school", "theory"]] = None
    now["members"].loc[300:310, ["member_key", "status"]] = None
    now["member_assessments"]["final_level"] = "Hoàn thành nhiệm vụ"
    now["cell_meetings"]["attended"] = now["cell_meetings"]["expected"]
    now["organisations"].loc[3:4, "member_count"] = 77
    now["movements"] = then["membership_movements"].assign(count=3)
    current, previous = sending(now), sending(then, 2023)

    asked = find_queries(current, previous)

    assert asked["rule"].nunique() >= 6
    pd.testing.assert_frame_equal(find_queries(in_files(current), in_files(previous)), asked)
