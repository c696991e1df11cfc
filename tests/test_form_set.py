from datetime import date

import pytest
import yaml

from ratings.tables import read_tables
from submissions.form_set import FOLDER, form_sets_of, load_form_sets, period

FORM = {
    "table": "things",
    "title": "Biểu 1",
    "name": "Vật",
    "sheet": "Biểu 1",
    "row_key": ["code"],
    "columns": [{"key": "code", "heading": "Mã", "type": "code", "required": True}],
}
SET = {
    "form_set": "thu",
    "title": "Thử",
    "kind": "register",
    "total_rows": ["Tổng"],
    "end_of_table": ["KÝ"],
    "forms": [FORM],
}


def load(folder, **parts):
    folder.joinpath("thu.yaml").write_text(yaml.safe_dump(SET | parts, allow_unicode=True), encoding="utf-8")
    return load_form_sets(folder)["thu"]


def form(**parts):
    return {"forms": [FORM | parts]}


def test_the_agreed_form_sets_load():
    form_sets = load_form_sets()

    assert set(form_sets) == {"B12-2021", "B12-2025", "so-ky-luat", "tham-dinh-lai"}
    assert [item.title for item in form_sets["B12-2021"].forms] == [f"Biểu {number}" for number in range(1, 13)]


def test_a_new_version_is_a_new_file_that_says_what_differs(tmp_path):
    for path in FOLDER.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "B12-2030.yaml").write_text(
        yaml.safe_dump(
            {
                "extends": "B12-2025",
                "form_set": "B12-2030",
                "forms": [{"table": "hamlets", "columns": [{"key": "hamlet_name", "heading": "Tên bon"}]}],
            },
            allow_unicode=True,
        ),
        encoding="utf-8",
    )

    hamlets = load_form_sets(tmp_path)["B12-2030"].by_table["hamlets"]

    assert hamlets.by_heading["tên bon"].key == "hamlet_name"
    assert "mã thôn" in hamlets.by_heading


def test_2025_has_points_and_its_own_headings_and_still_knows_the_old_ones():
    new, old = (load_form_sets()[name].by_table["member_assessments"] for name in ("B12-2025", "B12-2021"))

    assert "score" in new.by_key
    assert "score" not in old.by_key
    assert new.by_heading["mức tự xếp loại"].key == new.by_heading["tự xếp loại"].key == "self_level"
    assert "mức tự xếp loại" not in old.by_heading


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (
            form(columns=[*FORM["columns"], {"key": "name", "heading": "MÃ", "type": "text"}]),
            "two columns with the heading",
        ),
        (form(columns=[*FORM["columns"], {"key": "code", "heading": "Khác", "type": "text"}]), "stands twice"),
        (form(row_key=["nothing"]), "no column 'nothing'"),
        (form(columns=[FORM["columns"][0] | {"list": "colours"}]), "no list 'colours'"),
        (
            form(columns=[FORM["columns"][0] | {"reference": {"form": "others", "column": "code", "described": "x"}}]),
            "no form 'others'",
        ),
        (form(columns=[FORM["columns"][0] | {"tpye": "text"}]), "tpye"),
        ({"kind": "unit"}, "cover"),
        ({"form_set": "khac"}, "holds the form set"),
        ({"beside": ["MÃ :"]}, "is also one that is not read"),
        ({"extends": "B12-1999"}, "extends 'B12-1999', which is not there"),
        ({"extends": "thu"}, "extends 'thu', which is not there or extends this one"),
    ],
)
def test_a_form_set_that_contradicts_itself_is_not_loaded(tmp_path, parts, told):
    with pytest.raises(ValueError, match=told) as caught:
        load(tmp_path, **parts)
    assert "thu.yaml" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "bieu_5",
        "Bieu-05",
        "Biểu 5: Xếp loại đảng viên",
        "BIỂU 5. XẾP LOẠI",
        "Biểu 5",
        "Bieu 5",
        "Biểu số 5",
        "BIỂU 5",
        "Biểu 5 ",
        "bieu so 5",
        "Biểu5",
    ],
)
def test_sheet_names_drift(name):
    forms = load_form_sets()["B12-2021"].by_table

    assert forms["member_assessments"].is_sheet(name)
    assert not forms["membership_movements"].is_sheet(name)


@pytest.mark.parametrize("name", ["Biểu 1", "Biểu 15", "Biểu", "5", "Biểu 5 (2)", "Biểu 5 cũ", "Biểu 5 xem lại"])
def test_other_sheets_are_not_biểu_5(name):
    assert not load_form_sets()["B12-2021"].by_table["member_assessments"].is_sheet(name)


def test_keys_references_levels_and_counts_hold_a_row_back_and_descriptions_do_not():
    members = load_form_sets()["B12-2025"].by_table["members"].by_key
    assessments = load_form_sets()["B12-2025"].by_table["member_assessments"].by_key

    assert {members[key].on_error for key in ("card_no", "cell_code", "status")} == {"hold"}
    assert {members[key].on_error for key in ("gender", "school", "theory", "ethnicity", "is_head")} == {"blank"}
    assert {assessments[key].on_error for key in ("final_level", "score", "decided_on", "cell_code")} == {"hold"}


def test_the_store_has_no_column_for_a_name_and_none_for_a_birth_date():
    for form_set in load_form_sets().values():
        for agreed in form_set.forms:
            stored = {name for column in agreed.columns for name, _ in column.stored_columns}
            assert not stored & {"full_name", "born_on", "card_no", "subject_code"}


def test_a_year_has_its_first_and_its_last_day():
    assert period("year", 2024) == (date(2024, 1, 1), date(2024, 12, 31))
    assert period("year_and_quarter", 2024) == (date(2024, 1, 1), date(2025, 3, 31))
    assert period("until_year_end", 2024) == (None, date(2024, 12, 31))


def write_yaml(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")


def alias(**parts):
    return {
        "form_set": "B12-2021",
        "form": "members",
        "column": "ethnicity",
        "heading": "DT",
        "action": "adopted",
    } | parts


def test_a_province_lays_its_own_form_sets_beside_the_agreed_ones(tmp_path):
    own = {
        "extends": "B12-2025",
        "form_set": "X07-2026",
        "forms": [{"table": "hamlets", "columns": [{"key": "hamlet_name", "heading": "Tên bản"}]}],
    }
    write_yaml(tmp_path / "form_sets" / "X07-2026.yaml", own)

    form_sets = form_sets_of(tmp_path)

    assert set(form_sets) == {*load_form_sets(), "X07-2026"}
    assert form_sets["X07-2026"].by_table["hamlets"].column_of("Tên bản").key == "hamlet_name"


def test_a_provinces_form_set_may_not_take_the_name_of_an_agreed_one(tmp_path):
    write_yaml(tmp_path / "form_sets" / "B12-2025.yaml", {"extends": "B12-2021", "form_set": "B12-2025"})

    with pytest.raises(ValueError, match="there is a form set 'B12-2025' already"):
        form_sets_of(tmp_path)


def test_without_data_of_its_own_a_province_has_the_agreed_form_sets(tmp_path):
    assert form_sets_of(tmp_path) == load_form_sets()


def test_what_is_adopted_in_the_data_is_read_at_once_and_the_last_word_counts(tmp_path):
    def is_known():
        return form_sets_of(tmp_path)["B12-2021"].by_table["members"].column_of("DT") is not None

    path = tmp_path / "form_sets" / "aliases.yaml"
    seen = [is_known()]
    for records in ([alias()], [alias(), alias(heading="dt:", action="removed")], [alias(action="removed"), alias()]):
        write_yaml(path, records)
        seen.append(is_known())

    assert seen == [False, True, False, True]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (alias(column="nation"), "no column members.nation"),
        (alias(form="people"), "no column people.ethnicity"),
        (alias(form_set="B12-1999"), "no form set B12-1999"),
        (alias(heading="Họ tên"), "two columns with the heading 'họ tên'"),
        ({"form_set": "B12-2021"}, "needs form_set, form, column and heading"),
        ("DT", "needs form_set, form, column and heading"),
    ],
)
def test_an_adopted_heading_that_fits_no_form_is_not_passed_over(tmp_path, record, told):
    write_yaml(tmp_path / "form_sets" / "aliases.yaml", [record])

    with pytest.raises(ValueError, match=told):
        form_sets_of(tmp_path)


def former(**parts):
    """A form whose code is of a list with one former name."""
    name = {"name": "Cũ", "forms": ["things"], "years": {"first": 2008, "last": 2017}} | parts
    return {
        "lists": {"level": [{"value": "Mới", "also": ["M"], "former": [name]}]},
        "forms": [
            FORM | {"columns": [*FORM["columns"], {"key": "level", "heading": "Mức", "type": "text", "list": "level"}]}
        ],
    }


@pytest.mark.parametrize(("year", "names"), [(2007, {}), (2008, {"cũ": "Mới"}), (2017, {"cũ": "Mới"}), (2018, {})])
def test_a_former_name_is_read_in_its_years(tmp_path, year, names):
    form_set = load(tmp_path, **former())
    code, level = form_set.by_table["things"].columns

    assert form_set.former_names("things", level, year) == names
    assert form_set.former_names("things", code, year) == {}
    assert form_set.spellings["level"] == {"mới": "Mới", "m": "Mới"}


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"name": "M"}, "the former name 'M' is also a spelling"),
        ({"forms": ["others"]}, "is of no column of 'others'"),
        ({"until": 2017}, "until"),
    ],
)
def test_a_former_name_that_fits_nothing_is_not_loaded(tmp_path, parts, told):
    with pytest.raises(ValueError, match=told):
        load(tmp_path, **former(**parts))


def test_former_names_of_levels_are_those_of_the_regulations_in_their_years():
    form_set = load_form_sets()["B12-2021"]
    kinds = {"organisation_assessments": "organisation", "member_assessments": "member"}
    read = {
        (kinds[table], former.name, item.value, former.years.first, former.years.last)
        for item in form_set.lists["level"]
        for former in item.former
        for table in former.forms
    }
    tables = read_tables()
    names = {level.level_code: level.level_name for level in tables.levels}

    assert read == {
        (row.subject_kind, row.scheme_level_name, names[row.level_code], row.valid_from.year, row.end.year - 1)
        for row in tables.level_schemes
        if row.is_former
    }
