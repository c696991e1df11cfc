import pytest
from python_calamine import CalamineWorkbook

from submissions.intake import take_in
from submissions.returned.returns import write_returns
from tests.workbooks import Layout, changed, unit_forms, write_unit


@pytest.fixture
def send(tmp_path):
    def send(forms=None, **options):
        written = write_unit(tmp_path / "don vi.xlsx", forms, **options)
        take_in([written.path], data=tmp_path / "data", workers=1)
        return written

    return send


def rows_of(path, sheet):
    return CalamineWorkbook.from_path(path).get_sheet_by_name(sheet).to_python()


def test_every_issue_goes_back_with_its_cell_and_how_to_mend_it(tmp_path, send):
    forms = changed("members", 1, gender="?")
    forms["cell_meetings"].loc[0, "attended"] = 5
    written = send(forms)

    (path,) = write_returns(tmp_path / "data")

    headings, *lines = rows_of(path, "LOI_CAN_SUA")[3:]
    listed = [dict(zip(headings, line, strict=True)) for line in lines]
    assert [line["Ô"] for line in listed] == [
        written.cell("members", 1, "gender"),
        written.cell("cell_meetings", 0, "attended"),
    ]
    assert [(line["Lỗi"], line["Cột"]) for line in listed] == [
        ("Ngoài danh mục", "Giới tính"),
        ("Các ô không khớp nhau", "Số đảng viên dự"),
    ]
    assert listed[0]["Cần có"] == "Nam · Nữ"
    assert all(line["Cách sửa"] for line in listed)


def test_what_was_loaded_and_what_waits_is_told_form_by_form(tmp_path, send):
    send(changed("members", 1, cell_code="67.9"))

    (path,) = write_returns(tmp_path / "data")

    counts = {line[0]: line[1:4] for line in rows_of(path, "TONG_HOP")}
    assert counts["Biểu 3"] == [5, 4, 1]
    assert counts["Biểu 2"] == [4, 4, 0]


def test_a_sending_without_issues_needs_no_answer(tmp_path, send):
    send(unit_forms())

    assert write_returns(tmp_path / "data") == []


def test_a_refused_file_goes_back_with_its_reason(tmp_path, send):
    send(layout=Layout(left_out=("Biểu 5",)))

    (path,) = write_returns(tmp_path / "data")

    told = "\n".join(str(cell) for row in rows_of(path, "LOI_CAN_SUA") for cell in row)
    assert "Tệp chưa đọc được" in told
    assert "“Biểu 5”" in told


def test_what_looks_like_a_formula_goes_back_as_text(tmp_path, send):
    send(changed("members", 1, gender="=1+1"))

    (path,) = write_returns(tmp_path / "data")

    assert any("=1+1" in row for row in rows_of(path, "LOI_CAN_SUA"))


def test_only_the_sending_in_force_is_answered(tmp_path):
    data = tmp_path / "data"
    write_unit(tmp_path / "a.xlsx", changed("members", 1, gender="?"))
    write_unit(tmp_path / "b.xlsx", changed("members", 0, gender="?"), cover={"sent_no": 2})
    take_in([tmp_path / "a.xlsx", tmp_path / "b.xlsx"], data=data, workers=1)

    (path,) = write_returns(data)

    assert "_lan2_" in path.name


def test_the_same_issues_give_the_same_bytes_and_a_name_without_persons(tmp_path, send):
    send(changed("members", 1, gender="?"))
    (path,) = write_returns(tmp_path / "data")
    content = path.read_bytes()
    path.unlink()

    assert write_returns(tmp_path / "data") == [path]
    assert path.read_bytes() == content
    assert path.name.startswith("67.001_2024_lan1_")
