import shutil
from datetime import timedelta

import openpyxl
import pandas as pd
import pytest
from drawn_sendings import FIRST_ROW, UNIT, honest_unit, sending

from submissions.copies import Fingerprint, Known, find_copies, fingerprint, unit_mismatch
from submissions.intake import take_in
from submissions.queries import read_sending
from submissions.store import Store
from tests.provinces import PROJECT

OTHER = "67.002"


def drawn(forms, year=2024, unit=UNIT):
    return fingerprint(sending(forms, year, unit).forms, unit)


def shown(findings):
    return [(one.kind, one.other_unit, one.other_year) for one in findings]


def renamed(forms, unit):
    """The same records with another unit's codes, as find-and-replace makes them."""
    return {
        table: records.apply(
            lambda column: (
                column.str.replace(UNIT, unit, regex=False)
                if column.name.endswith("_code") and pd.api.types.is_string_dtype(column)
                else column
            )
        )
        for table, records in forms.items()
    }


class TestHonestSendings:
    def test_the_same_members_year_after_year_are_no_copy(self):
        others = [(UNIT, year, drawn(honest_unit(year), year)) for year in (2022, 2023)]

        assert find_copies(drawn(honest_unit()), others, UNIT, 2024) == []

    def test_the_same_levels_year_after_year_are_no_copy_of_the_file(self):
        then, now = honest_unit(2023), honest_unit(2024)
        now["member_assessments"] = then["member_assessments"]

        assert find_copies(drawn(now), [(UNIT, 2023, drawn(then, 2023))], UNIT, 2024) == []

    def test_a_correction_repeats_what_was_sent_before(self):
        forms = honest_unit()
        corrected = honest_unit()
        corrected["members"].loc[0, "theory"] = "Trung cấp"

        assert find_copies(drawn(corrected), [(UNIT, 2024, drawn(forms))], UNIT, 2024) == []

    def test_a_member_who_moved_stands_with_two_units(self):
        here, there = honest_unit(), honest_unit(unit=OTHER)
        here["members"].loc[4, "status"] = "Chuyển đi"
        there["members"].loc[7, "member_key"] = here["members"].at[4, "member_key"]
        others = [(OTHER, 2024, drawn(there, unit=OTHER))]

        assert find_copies(drawn(here), others, UNIT, 2024) == []
        assert Known(others).members_beside(UNIT)([f"{UNIT}-4", f"{UNIT}-5"]) == {f"{UNIT}-4"}

    def test_a_few_rows_prove_nothing(self):
        few = {table: records.head(4) for table, records in honest_unit(2023).items()}

        assert find_copies(drawn(few), [(UNIT, 2023, drawn(few, 2023))], UNIT, 2024) == []


class TestCopiedFiles:
    def test_last_years_file_with_another_cover(self):
        then = honest_unit(2023)

        assert shown(find_copies(drawn(then), [(UNIT, 2023, drawn(then, 2023))], UNIT, 2024)) == [
            ("last_year", UNIT, 2023)
        ]

    def test_with_dates_moved_by_a_year_or_unlawful(self):
        then, now = honest_unit(2023), honest_unit(2023)
        now["cell_meetings"]["held_on"] = [
            day and day + timedelta(days=365)
            for day in now["cell_meetings"]["held_on"].where(lambda days: days.notna(), None)
        ]
        now["organisation_assessments"]["decided_on"] = None

        (found,) = find_copies(drawn(now), [(UNIT, 2023, drawn(then, 2023))], UNIT, 2024)

        assert (found.kind, found.share) == ("last_year", 1.0)

    def test_with_some_cells_edited(self):
        then, now = honest_unit(2023), honest_unit(2023)
        now["cell_meetings"].loc[::3, "attended"] -= 1

        (found,) = find_copies(drawn(now), [(UNIT, 2023, drawn(then, 2023))], UNIT, 2024)

        assert found.kind == "last_year"
        assert 0.5 < found.share < 0.8

    def test_one_units_file_under_anothers_name(self):
        forms = honest_unit()
        under_another_name = fingerprint(sending(forms, unit=OTHER).forms, OTHER)

        findings = find_copies(under_another_name, [(UNIT, 2024, drawn(forms))], OTHER, 2024)

        assert shown(findings) == [("other_unit", UNIT, 2024)]
        assert (
            unit_mismatch(
                sending(forms, unit=OTHER).forms["organisations"]["org_code"], OTHER, [UNIT, OTHER]
            ).other_unit
            == UNIT
        )

    def test_with_the_codes_replaced_too(self):
        forms = honest_unit()
        replaced = renamed(forms, OTHER)

        findings = find_copies(drawn(replaced, unit=OTHER), [(UNIT, 2024, drawn(forms))], OTHER, 2024)

        assert shown(findings) == [("other_unit", UNIT, 2024)]

    def test_one_form_of_last_year_in_a_new_file(self):
        then, now = honest_unit(2023, size=40, cells=60), honest_unit(2024, size=40, cells=60)
        now["organisation_assessments"] = then["organisation_assessments"]

        (found,) = find_copies(drawn(now), [(UNIT, 2023, drawn(then, 2023))], UNIT, 2024)

        assert (found.kind, found.forms) == ("same_tables", ("organisation_assessments",))


class TestCopiedRows:
    def test_members_organisations_and_meetings_that_another_unit_reports_too(self):
        here, there = honest_unit(), honest_unit(unit=OTHER)
        there["members"].loc[[3, 9], "member_key"] = here["members"].loc[[4, 5], "member_key"].tolist()
        there["organisations"].loc[2, "org_code"] = here["organisations"].at[2, "org_code"]
        columns = ["month", "held_on", "expected", "attended", "points"]
        there["cell_meetings"].loc[12:23, columns] = here["cell_meetings"].loc[24:35, columns].to_numpy()

        (found,) = find_copies(drawn(here), [(OTHER, 2024, drawn(there, unit=OTHER))], UNIT, 2024)

        assert (found.kind, found.other_unit, found.count) == ("rows", OTHER, 4)
        assert found.rows == {
            "members": (FIRST_ROW + 4, FIRST_ROW + 5),
            "organisations": (FIRST_ROW + 2,),
            "cell_meetings": (FIRST_ROW + 24,),
        }

    def test_not_those_of_another_year(self):
        here, there = honest_unit(), honest_unit(2023, unit=OTHER)
        there["members"].loc[3, "member_key"] = here["members"].at[4, "member_key"]

        assert find_copies(drawn(here), [(OTHER, 2023, drawn(there, 2023, OTHER))], UNIT, 2024) == []


def test_a_fingerprint_is_kept_as_a_table():
    one = drawn(honest_unit())

    again = Fingerprint.from_table(one.to_table("a1"))

    assert again.hashes.keys() == one.hashes.keys()
    assert all((again.hashes[key] == one.hashes[key]).all() for key in one.hashes)
    assert all((again.rows[key] == one.rows[key]).all() for key in one.rows)
    assert Fingerprint.from_table(Fingerprint({}, {}).to_table("a1")).hashes == {}


def test_a_fingerprint_is_the_same_for_whole_numbers_of_any_type():
    forms = sending(honest_unit()).forms
    as_objects = {table: records.astype(object).where(records.notna(), None) for table, records in forms.items()}

    one, other = fingerprint(forms, UNIT), fingerprint(as_objects, UNIT)

    assert all((one.hashes[key] == other.hashes[key]).all() for key in one.hashes)


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ([f"{OTHER}.001", f"{OTHER}.002", f"{UNIT}.003"], (OTHER, 2 / 3)),
        ([f"{UNIT}.001", f"{UNIT}.002", f"{OTHER}.003"], None),
        (["A1", "A2"], None),
        ([], None),
    ],
)
def test_the_unit_that_most_organisations_belong_to(codes, told):
    found = unit_mismatch(codes, UNIT, ["67", UNIT, OTHER])

    assert (found and (found.other_unit, found.share)) == told


def written_over(path, target, **labels):
    """A copy of a workbook with other values beside some labels of its cover."""
    book = openpyxl.load_workbook(path)
    for row in book["Thông tin chung"].iter_rows():
        if row[0].value in labels:
            row[1].value = labels[row[0].value]
    book.save(target)


def test_real_workbooks_are_told_from_copies_of_them(tmp_path):
    first, later = (PROJECT / "demo" / f"Đảng_ủy_Bộ_đội_Biên_phòng_tỉnh_{year}_final.xlsx" for year in (2022, 2024))
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    shutil.copy(first, inbox / "a.xlsx")
    shutil.copy(later, inbox / "b.xlsx")
    written_over(first, inbox / "c.xlsx", **{"Kỳ báo cáo": "Năm 2023"})
    written_over(
        later, inbox / "d.xlsx", **{"Mã đơn vị báo cáo": "67.011", "Tên đơn vị báo cáo": "Đảng ủy Quân sự tỉnh"}
    )

    files = take_in([inbox], data=tmp_path / "data", workers=1).files

    store = Store(tmp_path / "data" / "store")
    places = [("67.012", 2022), ("67.012", 2024), ("67.012", 2023), ("67.011", 2024)]
    prints = [
        fingerprint(read_sending(store, file.source_hash).forms, unit)
        for file, (unit, _) in zip(files, places, strict=True)
    ]
    honest = [(*place, one) for place, one in zip(places[:2], prints[:2], strict=True)]
    found = [shown(find_copies(one, honest, *place)) for place, one in zip(places, prints, strict=True)]
    assert found == [[], [], [("last_year", "67.012", 2022)], [("other_unit", "67.012", 2024)]]


def test_what_is_known_grows_and_can_be_looked_at_in_part():
    then, now = honest_unit(2023), honest_unit(2023)
    known = Known([(OTHER, 2023, drawn(honest_unit(2023, unit=OTHER), 2023, OTHER))])

    assert find_copies(drawn(now), known, UNIT, 2024) == []
    known.add([(UNIT, 2023, drawn(then, 2023))])

    assert shown(find_copies(drawn(now), known, UNIT, 2024)) == [("last_year", UNIT, 2023)]
    assert find_copies(drawn(now), known, UNIT, 2024, known.units == OTHER) == []
