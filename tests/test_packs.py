import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pikepdf
import pytest
from report_builders import NAMES, province

from reports.findings import findings_in_brief
from reports.packs import PACKS, PackError, pack_pdf

NAME = "kiem-diem-cuoi-nam"
FONTS = {"BeVietnamPro", "Tinos", "DejaVuSans"}
HERE = {"year": 2025, "build_id": "20260115-a1b2c3", "province": "Đắk Nông"}


def write_pack(tables, path):
    path.write_bytes(pack_pdf(NAME, tables, **HERE))
    return path


@pytest.fixture(scope="module")
def tables():
    return province(12)


@pytest.fixture(scope="module")
def pack(tables, tmp_path_factory):
    return write_pack(tables, tmp_path_factory.mktemp("packs") / f"{NAME}.pdf")


@pytest.fixture(scope="module")
def incomplete(tmp_path_factory):
    tables = province(12, missing=NAMES[10:12])
    return write_pack(tables, tmp_path_factory.mktemp("packs") / "tam-tinh.pdf")


@pytest.fixture
def poppler():
    if shutil.which("pdftotext") and shutil.which("pdffonts"):
        return
    if os.environ.get("CI"):
        pytest.fail("pdftotext and pdffonts are missing: apt-get install poppler-utils")
    pytest.skip("pdftotext and pdffonts are not installed (poppler-utils)")


def pages_of(path):
    text = subprocess.run(["pdftotext", "-layout", str(path), "-"], check=True, capture_output=True, text=True).stdout
    return text.split("\f")[:-1]


def elements(node):
    """Every element of the structure tree."""
    if isinstance(node, pikepdf.Array):
        for child in node:
            yield from elements(child)
    elif isinstance(node, pikepdf.Dictionary):
        if "/S" in node:
            yield node
        if "/K" in node:
            yield from elements(node.K)


def test_the_pack_says_it_is_accessible_and_archivable(pack):
    with pikepdf.open(pack) as pdf:
        metadata = pdf.open_metadata()

        assert metadata["pdfuaid:part"] == "1"
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "A")
        assert metadata["dc:title"] == "Kiểm điểm cuối năm năm 2025, Đảng bộ tỉnh Đắk Nông"
        assert pdf.Root.MarkInfo.Marked
        assert str(pdf.Root.Lang).startswith("vi")
        assert pdf.Root.ViewerPreferences.DisplayDocTitle


def test_every_chart_has_a_description_and_every_table_real_heads(pack):
    with pikepdf.open(pack) as pdf:
        tree = list(elements(pdf.Root.StructTreeRoot.K))
        alts = [str(element.Alt) for element in tree if "/Alt" in element and element.S == "/Figure"]
        kinds = [str(element.S) for element in tree]

    assert len(alts) == 6
    assert any("Tuy Đức: xuất sắc" in alt for alt in alts)
    assert kinds.count("/Table") == 7
    assert kinds.count("/TH") >= 7 * 5
    assert {"/H1", "/H2"} <= set(kinds)


def test_every_chart_has_a_bookmark_with_its_finding(pack):
    with pikepdf.open(pack) as pdf, pdf.open_outline() as outline:
        titles = {item.title: [child.title for child in item.children] for item in outline.root}

    assert list(titles)[2:4] == ["Biểu đồ 1. Bảng mục tiêu", "Biểu đồ 2. Cơ cấu xếp loại theo đơn vị"]
    assert titles["Biểu đồ 1. Bảng mục tiêu"] == ["Đạt 2/6 chỉ tiêu; 1 chỉ tiêu chưa đủ số liệu"]
    assert len(titles) == 8


def test_every_charts_data_travel_inside_the_pack(pack, tables):
    chart = PACKS[NAME].charts[1]
    with pikepdf.open(pack) as pdf:
        files = {name: bytes(spec.get_file().read_bytes()) for name, spec in pdf.attachments.items()}

    assert len(files) == 7
    assert files["bieu-do-2-co-cau-xep-loai.csv"] == chart.table(chart.read(tables, 2025)).csv().encode()


def test_all_fonts_are_embedded_and_shipped_with_the_package(pack):
    with pikepdf.open(pack) as pdf:
        fonts = [
            item
            for item in pdf.objects
            if isinstance(item, pikepdf.Dictionary) and item.get("/Type") == "/FontDescriptor"
        ]
        names = {str(font.FontName).split("+")[-1].split("-")[0] for font in fonts}

        assert fonts
        assert all("/FontFile2" in font or "/FontFile3" in font for font in fonts)
    assert names <= FONTS
    assert {"BeVietnamPro", "Tinos"} <= names


def test_the_same_tables_give_the_same_bytes_in_any_process_and_any_row_order(pack, tables):
    shuffled = {name: frame.sample(frac=1, random_state=11) for name, frame in tables.items()}
    code = (
        "import sys; from report_builders import province; from reports.packs import pack_pdf;"
        f"sys.stdout.buffer.write(pack_pdf({NAME!r}, province(12), **{HERE!r}))"
    )
    roots = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(roots), "PYTHONHASHSEED": "7", "TZ": "America/Lima"},
    )

    assert pack_pdf(NAME, shuffled, **HERE) == pack.read_bytes()
    assert elsewhere.stdout == pack.read_bytes()


def test_nothing_of_a_member_is_in_the_pack(pack):
    with pikepdf.open(pack) as pdf:
        attached = b"".join(spec.get_file().read_bytes() for spec in pdf.attachments.values())
        drawn = b"".join(
            item.read_bytes() for item in pdf.objects if isinstance(item, pikepdf.Stream) and "/Subtype" not in item
        )

    assert b"MEMBERKEY" not in attached + drawn + pack.read_bytes()


@pytest.mark.parametrize("table", ["rating_ladder", "discipline_by_level", "admission_rate"])
def test_a_chart_that_fails_stops_the_pack(tables, table):
    chart = next(chart for chart in PACKS[NAME].charts if chart.needs[0] == table)

    with pytest.raises(PackError, match=f"Biểu đồ . '{chart.name}' không vẽ được"):
        pack_pdf(NAME, {**tables, table: tables[table].drop(columns="year")}, **HERE)


def test_a_status_its_own_numbers_contradict_stops_the_pack(tables):
    lie = tables["target_scoreboard"].replace({"status": {"not_met": "met"}})

    with pytest.raises(PackError, match=r"'Bảng mục tiêu' không vẽ được: .* trái với chính số liệu"):
        pack_pdf(NAME, {**tables, "target_scoreboard": lie}, **HERE)


def test_a_missing_table_and_an_unknown_pack_are_named(tables):
    with pytest.raises(PackError, match="thiếu bảng số liệu: coverage"):
        pack_pdf(NAME, {name: frame for name, frame in tables.items() if name != "coverage"}, **HERE)
    with pytest.raises(PackError, match="Không có gói báo cáo 'thang'; các gói hiện có: kiem-diem-cuoi-nam"):
        pack_pdf("thang", tables, **HERE)


@pytest.mark.usefixtures("poppler")
def test_every_page_says_year_build_and_coverage(pack, incomplete):
    for page in pages_of(pack):
        assert "Năm 2025 · Bản dựng 20260115-a1b2c3 · Số liệu của 12/12 đơn vị" in page
        assert "tạm tính" not in page
    for page in pages_of(incomplete):
        assert "10/12 đơn vị · tạm tính" in page


@pytest.mark.usefixtures("poppler")
def test_the_cover_names_what_is_missing(pack, incomplete):
    cover, complete = pages_of(incomplete)[0], pages_of(pack)[0]

    assert "TẠM TÍNH" in cover
    assert "Đảng ủy Quân sự tỉnh; Đảng ủy Bộ đội Biên phòng tỉnh" in cover
    assert "Quy định 366-QĐ/TW, Hướng dẫn 43-HD/BTCTW" in cover
    assert "TẠM TÍNH" not in complete
    assert "còn thiếu" not in complete


@pytest.mark.usefixtures("poppler")
def test_rows_held_back_make_the_figures_provisional(tables, tmp_path):
    held = tables["grassroots_excellence"].assign(held_back=1)

    path = write_pack({**tables, "grassroots_excellence": held}, tmp_path / "a.pdf")

    assert all("12/12 đơn vị · tạm tính" in page for page in pages_of(path))
    assert "chưa tính vào số liệu" in pages_of(path)[0]


@pytest.mark.usefixtures("poppler")
def test_findings_are_asked_about_and_never_accused(pack):
    summary = pages_of(pack)[1]

    assert "Dấu hiệu cần thẩm định lại" in summary
    assert "không phải kết luận vi phạm" in " ".join(summary.split())
    assert "R10" in summary
    assert "Chưa kiểm tra" in summary
    for page in pages_of(pack):
        assert not any(word in page.lower() for word in ("gian lận", "gian dối", "sai phạm", "chạy theo thành tích"))


@pytest.mark.usefixtures("poppler")
def test_a_long_table_runs_over_pages_with_its_heads_repeated(tmp_path):
    pages = pages_of(write_pack(province(28), tmp_path / "dai.pdf"))
    begins = next(number for number, page in enumerate(pages) if "Biểu đồ 2. Cơ cấu" in page and number > 1)

    for page in pages[begins - 1 :]:
        assert ("Biểu đồ" in page) == ("Nguồn:" in page)
    assert "Biểu đồ" not in pages[begins + 1]
    assert "Đơn vị" in pages[begins + 1]
    assert "Toàn Đảng bộ" in pages[begins + 1]


@pytest.mark.usefixtures("poppler")
def test_every_vietnamese_sentence_of_a_chart_can_be_searched(pack):
    text = " ".join(
        subprocess.run(["pdftotext", str(pack), "-"], check=True, capture_output=True, text=True).stdout.split()
    )

    for words in ("Cấp có thẩm quyền quyết định", "Khối CQ&DN tỉnh", "Đắk R’lấp", "Mục tiêu: trên 90%", "Chưa đạt"):
        assert words in text


@pytest.mark.usefixtures("poppler")
def test_a_year_without_data_gives_a_pack_that_says_so(tables, tmp_path):
    path = tmp_path / "trong.pdf"
    path.write_bytes(pack_pdf(NAME, tables, **HERE | {"year": 2031}))

    assert "chưa rõ số đơn vị" in pages_of(path)[0]
    assert sum("Thiếu dữ liệu" in page for page in pages_of(path)) >= 6


def test_members_of_one_to_four_findings_are_not_counted_out():
    findings = pd.DataFrame(
        [{"year": 2025, "rule_id": rule, "severity": "error", "subject_kind": kind} for rule, kind, n in
         (("R01", "member", 4), ("R04", "organisation", 4), ("R16", "group", 6)) for _ in range(n)]
    )  # fmt: skip
    results = pd.DataFrame(
        [{"year": 2025, "rule_id": rule, "tested": tested, "not_checked": skipped, "status": status}
         for rule, tested, skipped, status in
         (("R01", 90, 2, "found"), ("R10", 0, 40, "not_checked"), ("R30", 12, 0, "passed"))]
    )  # fmt: skip

    lines = findings_in_brief({"fct_finding": findings, "rule_result": results}, 2025)

    assert [(line.rule_id, line.severity, line.found, line.tested, line.not_checked) for line in lines] == [
        ("R01", "Cần thẩm định lại", "dưới 5", "90", "2"),
        ("R04", "Cần thẩm định lại", "4", "–", "0"),
        ("R10", "–", "Chưa kiểm tra", "–", "40"),
        ("R16", "Cần thẩm định lại", "6", "–", "0"),
        ("R30", "–", "0", "12", "0"),
    ]


@pytest.mark.parametrize(("module", "heavy"), [("reports.catalogue", "matplotlib"), ("ratings.review", "scipy.stats")])
def test_what_every_build_imports_leaves_out_what_takes_long(module, heavy):
    asked = f"import sys, {module}; print([name for name in sys.modules if name.startswith({heavy!r})])"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
