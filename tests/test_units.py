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
        ("unit_code,unit_name\n67.001,Một\n,Hai\n", "dòng 3: để trống cột unit_code"),
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

    with pytest.raises(ListError, match="dòng 3: để trống cột decision_no"):
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
    with pytest.raises(ListError, match="cột decided_on: cần ngày dạng yyyy-mm-dd"):
        read_cap_exceptions(path)
