import pytest

from submissions.units import ListError, read_cap_exceptions, read_units


def test_without_a_list_no_unit_is_expected(tmp_path):
    assert read_units(tmp_path / "units.csv").empty
    assert read_cap_exceptions(tmp_path / "cap_exceptions.csv").empty


def test_the_list_of_units_is_read_with_its_codes_as_text(tmp_path):
    path = tmp_path / "units.csv"
    path.write_text("unit_code,unit_name,from_year\n07.010,Huyện Thử ,2024\n", encoding="utf-8-sig")

    units = read_units(path)

    assert units.loc[0, "unit_code"] == "07.010"
    assert units.loc[0, "unit_name"] == "Huyện Thử"
    assert units.loc[0, "from_year"] == 2024
    assert units["to_year"].isna().all()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("unit_name\nHuyện\n", "thiếu cột unit_code; tìm thấy: unit_name"),
        ("unit_code,unit_name\n67.001,Một\n,Hai\n", "dòng 3, cột unit_code: để trống"),
        ("unit_code,from_year\n67.001,năm ngoái\n", "dòng 2, cột from_year"),
        ("", "không đọc được"),
    ],
)
def test_a_list_that_cannot_be_used_says_where(tmp_path, content, told):
    (tmp_path / "units.csv").write_text(content, encoding="utf-8")

    with pytest.raises(ListError, match=told):
        read_units(tmp_path / "units.csv")


def test_exceptions_to_the_cap_need_a_decision(tmp_path):
    path = tmp_path / "cap_exceptions.csv"
    path.write_text(
        "unit_code,group_code,year,cap_pct,decision_no,decided_on\n"
        "67.001,67.001.001.000.000,2025,25,15-QĐ/TU,2025-12-01\n67.001,67.001.002.000.000,2025,25,,\n"
    )

    with pytest.raises(ListError, match="dòng 3, cột decision_no: để trống"):
        read_cap_exceptions(path)


def test_an_exception_is_read_with_its_day(tmp_path):
    path = tmp_path / "cap_exceptions.csv"
    path.write_text(
        "unit_code,group_code,year,cap_pct,decision_no,decided_on\n67.001,67.001.001.000.000,2025,25,15-QĐ/TU,2025-12-01\n"
    )

    exception = read_cap_exceptions(path).iloc[0]

    assert (exception["year"], exception["cap_pct"]) == (2025, 25)
    assert f"{exception['decided_on']:%d/%m/%Y}" == "01/12/2025"
    path.write_text(path.read_text().replace("2025-12-01", "01/12/2025"))
    with pytest.raises(ListError, match="cột decided_on: “01/12/2025” không phải là ngày; cần ngày dạng yyyy-mm-dd"):
        read_cap_exceptions(path)


def test_everything_wrong_in_a_list_is_told_at_once_with_its_line_in_the_file(tmp_path):
    path = tmp_path / "units.csv"
    path.write_text(
        "unit_code,unit_name,from_year,to_year\n\n"
        '67.001,"Huyện Một, cũ",2022,2023\n'
        "67.001,Huyện Một,2023,\n"
        "67.002,Huyện Hai,hai nghìn,2021.5\n"
        ",Không mã,2025,2024\n",
        encoding="utf-8",
    )

    with pytest.raises(ListError) as error:
        read_units(path)

    assert str(error.value).splitlines() == [
        f"{path}: 5 chỗ sai.",
        f"{path}, dòng 4, cột unit_code: đơn vị 67.001 đã có ở dòng 3 cho cùng năm; mỗi năm chỉ được một dòng.",
        f"{path}, dòng 5, cột from_year: “hai nghìn” không phải là số.",
        f"{path}, dòng 5, cột to_year: “2021.5” không phải là số.",
        f"{path}, dòng 6, cột to_year: năm cuối 2024 trước năm đầu 2025.",
        f"{path}, dòng 6, cột unit_code: để trống.",
    ]


def test_a_comma_that_was_not_quoted_does_not_shift_the_columns(tmp_path):
    path = tmp_path / "units.csv"
    path.write_text("unit_code,unit_name\n67.001,Huyện Một, cũ\n", encoding="utf-8")

    with pytest.raises(ListError, match="dòng 2: có 3 ô mà tiêu đề có 2 cột"):
        read_units(path)


def test_a_unit_may_change_its_name_and_stand_twice_in_the_same_words(tmp_path):
    path = tmp_path / "units.csv"
    path.write_text(
        "unit_code,unit_name,from_year,to_year\n67.001,Cũ,2022,2023\n67.001,Mới,2024,\n67.001,Mới,2024,\n",
        encoding="utf-8",
    )

    assert read_units(path)["unit_name"].tolist() == ["Cũ", "Mới"]


@pytest.mark.parametrize(("cap", "accepted"), [("0", False), ("0.5", True), ("100", True), ("100.5", False)])
def test_a_cap_is_a_share_of_a_hundred(tmp_path, cap, accepted):
    path = tmp_path / "cap_exceptions.csv"
    path.write_text(f"unit_code,group_code,year,cap_pct,decision_no,decided_on\n67.001,G,2025,{cap},1-QĐ/TU,\n")

    if accepted:
        assert read_cap_exceptions(path)["cap_pct"].tolist() == [float(cap)]
    else:
        with pytest.raises(ListError, match="dòng 2, cột cap_pct: phải lớn hơn 0 và không quá 100"):
            read_cap_exceptions(path)


def test_a_year_that_cannot_be_read_overlaps_nothing(tmp_path):
    path = tmp_path / "units.csv"
    path.write_text(
        "unit_code,from_year,to_year\n67.001,2020,2021\n67.001,nay,2025\n67.001,2021,2022\n", encoding="utf-8"
    )

    with pytest.raises(ListError) as error:
        read_units(path)

    assert [line.split(": ")[0] for line in str(error.value).splitlines()[1:]] == [
        f"{path}, dòng 3, cột from_year",
        f"{path}, dòng 4, cột unit_code",
    ]


def test_a_column_that_stands_twice_is_named(tmp_path):
    path = tmp_path / "units.csv"
    path.write_text("unit_code,unit_name,unit_code\n67.001,Một,67.002\n", encoding="utf-8")

    with pytest.raises(ListError, match="cột unit_code có hai lần trong dòng tiêu đề"):
        read_units(path)
