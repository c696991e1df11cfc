"""Trace: every figure that is shown can be followed to the cells it was made of, or is not answered."""

import io
import json
import random
import re

import duckdb
import openpyxl
import pandas as pd
import pikepdf
import pytest
from report_builders import NAMES, province
from store_builder import DrawnStore, build_warehouse

from orchestration.settings import Folders
from orchestration.trace import TraceError, tracing
from orchestration.warehouse import NotBuiltError, reading
from reports.packs import PACKS
from reports.sources import sources
from submissions.form_set import load_form_sets
from submissions.store import Store
from submissions.values import shown
from tests.odd_province import draw_odd_province

KEYS = {"formula", "set", "where", "pick", "value", "cells", "of", "each", "part", "by", "cases", "beside", "kept"}
"""What a mart may say of how a figure is found again."""

CARD = re.compile(r"(?<!\d)\d{12}(?!\d)")


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> Folders:
    """The odd province of the warehouse's tests, drawn: no files, but held-back rows, a circle, gaps."""
    folders = Folders(tmp_path_factory.mktemp("odd"))
    draw_odd_province(DrawnStore(folders.store))
    build_warehouse(folders.store, folders.published, tested=False).close()
    return folders


def rows_of(tracer, mart):
    names = tracer.primary_key(mart)
    with reading(tracer._database) as connection:
        found = connection.execute(f"select {', '.join(names)} from marts.{mart} order by all").fetchall()
    return [dict(zip(names, row, strict=True)) for row in found]


def marts_of(tracer):
    with reading(tracer._database) as connection:
        found = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts' order by table_name"
        ).fetchall()
    return [name for (name,) in found]


def test_every_column_of_every_mart_has_a_trace_or_a_reason_why_not(whole):
    with tracing(whole) as tracer:
        for mart in marts_of(tracer):
            figures = set(tracer.columns(mart)) - set(tracer.primary_key(mart))
            traced, reasons = set(tracer.catalogue.get(mart, {})), set(tracer.reasons.get(mart, {}))
            assert figures == traced | reasons - set(tracer.primary_key(mart)), mart
            assert not traced & reasons, mart


def test_every_column_of_every_table_of_the_packs_is_traced(whole):
    with tracing(whole) as tracer:
        for mart in sorted(set().union(*(pack.tables for pack in PACKS.values()))):
            figures = set(tracer.columns(mart)) - set(tracer.primary_key(mart))
            assert figures == set(tracer.catalogue[mart]), mart


def test_a_column_without_a_trace_is_answered_with_the_reason(thucchat, whole):
    with tracing(whole) as tracer:
        day = rows_of(tracer, "dim_date")[0]["date_day"]

    result = thucchat("--data", whole.data, "trace", "dim_date", str(day), "quarter")

    assert result.returncode == 2
    assert "Không truy vết dim_date.quarter: là lịch do kho sinh ra" in result.stderr


def test_every_trace_says_in_vietnamese_what_the_figure_is(whole):
    with tracing(whole) as tracer:
        for mart, figures in tracer.catalogue.items():
            for column, (description, formula, told) in figures.items():
                assert description, (mart, column)
                assert formula or told["rules"], (mart, column)
                assert set(told["how"]) <= KEYS, (mart, column)


def test_figures_of_an_odd_province_are_found_again_from_their_rows(odd):
    draw = random.Random(8)
    traced = 0
    with tracing(odd) as tracer:
        for mart in sorted(set(tracer.catalogue) - {"fct_finding", "rule_result"}):
            keys = rows_of(tracer, mart)
            # What a version says depends on all that was said before and after it.
            for key in keys if mart == "dim_organisation" else draw.sample(keys, min(3, len(keys))):
                for column in tracer.catalogue[mart]:
                    tracer.figure(mart, key, column)
                    traced += 1
    assert traced > 1000


def test_twenty_random_figures_lead_to_the_cells_of_the_workbooks_that_were_sent(whole):
    draw = random.Random(20)
    store = Store(whole.store)
    books: dict[str, openpyxl.Workbook] = {}
    looked_at = 0
    with tracing(whole) as tracer:
        keys = {mart: found for mart in sorted(tracer.catalogue) if (found := rows_of(tracer, mart))}
        for _ in range(20):
            mart = draw.choice(list(keys))
            key, column = draw.choice(keys[mart]), draw.choice(sorted(tracer.catalogue[mart]))

            figure = tracer.look_up(tracer.figure(mart, key, column))

            assert figure.is_proven, (mart, figure.key, column)
            for _, place in figure.every_place():
                if place.source_hash is None or place.value is None:
                    continue
                if place.source_hash not in books:
                    books[place.source_hash] = openpyxl.load_workbook(store.original(place.source_hash), data_only=True)
                cell = books[place.source_hash][place.sheet][place.cell].value
                assert shown(cell)[:200] == place.value, (mart, figure.key, column, place)
                looked_at += 1
    assert looked_at > 100


def test_every_kind_of_figure_is_proven_down_to_its_cells(whole):
    draw = random.Random(7)
    with tracing(whole) as tracer:
        for mart in sorted(tracer.catalogue):
            for key in draw.sample(keys := rows_of(tracer, mart), min(1, len(keys))):
                for column in tracer.catalogue[mart]:
                    figure = tracer.look_up(tracer.figure(mart, key, column))
                    assert figure.is_proven, (mart, figure.key, column)


def test_a_figure_that_its_rows_contradict_is_not_answered(thucchat, own):
    own.published.chmod(0o644)
    with duckdb.connect(str(own.published)) as connection:
        connection.execute("update marts.rating_distribution set n = n + 1 where level_code = 'XS'")

    result = thucchat("--data", own.data, "trace", "rating_distribution", "2025/67.012/member/XS", "n")

    assert result.returncode == 1
    assert re.match(
        r"Lỗi: Không trả lời: rating_distribution .* ghi n = \d+, nhưng tính lại từ \d+ dòng", result.stderr
    )
    assert not result.stdout


def test_a_value_changed_by_hand_in_the_store_is_shown_beside_the_cell_that_says_otherwise(thucchat, own):
    with reading(own.published) as connection:
        record, source_hash = connection.execute(
            "select record_id, source_hash from marts.fct_member_assessment where year = 2025 and final_level = 'HTT' "
            "order by row limit 1"
        ).fetchone()
    path = own.store / "forms" / "member_assessments" / f"{source_hash}.parquet"
    frame = pd.read_parquet(path)
    row = int(record.split("/")[-1])
    frame.loc[frame["row"] == row, "final_level"] = "Hoàn thành xuất sắc nhiệm vụ"
    frame.to_parquet(path, index=False)

    result = thucchat("--data", own.data, "trace", "rating_distribution", "2025/67.012/member/HTT", "n", "--json")

    (wrong,) = [one for one in json.loads(result.stdout)["rows"] if not one["agrees"]]
    assert result.returncode == 1
    assert "1 ô không chứng minh được" in result.stderr
    assert wrong["record"] == f"{record}#final_level"
    assert wrong["cell"].endswith(str(row))
    assert wrong["stored"] == "Hoàn thành xuất sắc nhiệm vụ" != wrong["value"]


def test_a_row_taken_away_by_hand_leaves_no_count_of_its_form_proven(own):
    with reading(own.published) as connection:
        (source_hash,) = connection.execute(
            "select source_hash from marts.fct_submission where year = 2025 and is_in_force and source_kind = 'unit'"
        ).fetchone()
    path = own.store / "forms" / "members" / f"{source_hash}.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path, index=False)

    with tracing(own) as tracer:
        figure = tracer.look_up(tracer.figure("admission_rate", "2025/67.012", "members"))

    assert not any(place.agrees for place in figure.places)


def test_a_trace_whose_original_is_gone_or_altered_says_so(own):
    store = Store(own.store)
    with tracing(own) as tracer:
        figure = tracer.figure("control_totals", "2025/67.012", "movement_d")
    original = store.original(figure.places[0].source_hash)
    original.chmod(0o644)
    for prepare, told in (
        (lambda: original.write_bytes(original.read_bytes() + b" "), "đã bị thay đổi"),
        (original.unlink, "không còn tệp gốc"),
    ):
        prepare()
        with tracing(own) as tracer:
            (place,) = tracer.look_up(tracer.figure("control_totals", "2025/67.012", "movement_d")).places
        assert not place.agrees
        assert told in place.problem


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing", "2025", "n"), r"Không truy vết được bảng “nothing”.*rating_distribution"),
        (("rating_distribution", "2025/67.012/member/XS", "m"), r"Cột “m” không có trong bảng.*n, not_rated, rated"),
        (("rating_distribution", "2025/67.012/member/XS", "year"), r"Cột “year” là khóa của dòng"),
        (
            ("rating_distribution", "2025/67.999/member/XS", "n"),
            r"Không có dòng nào.*không có unit_code “67.999”.*2025/67.012/grassroots/HT;",
        ),
        (
            ("fct_signal", "grassroots/1999/67.012/FUNNEL", "p"),
            r"Không có dòng nào.*không có year “1999”.*grassroots/20",
        ),
        (
            ("fct_signal", "organisation_level=grassroots, signal=NOTHING", "p"),
            r"Không có dòng nào.*không có signal “NOTHING”",
        ),
        (("rating_distribution", "2025/67.012", "n"), r"viết chưa đúng.*year, unit_code, subject_kind, level_code"),
        (("rating_distribution", "nam=2025", "n"), r"viết chưa đúng"),
        (("rating_distribution", "year=2025,unit_code=67.012", "n"), r"Có hơn một dòng"),
    ],
)
def test_what_there_is_not_is_answered_by_what_there_is(whole, arguments, told):
    with tracing(whole) as tracer, pytest.raises(TraceError, match=told) as problem:
        tracer.figure(*arguments)
    assert problem.value.exit_code == 2


def test_a_key_is_typed_as_the_nearest_rows_are_told(whole):
    with tracing(whole) as tracer:
        with pytest.raises(TraceError) as refused:
            tracer.figure("fct_signal", "grassroots/1999/67.012/FUNNEL", "p")
        nearest = re.search(r"các dòng gần nhất: ([^;]+);", str(refused.value))[1]
        assert nearest.count("/") == 4
        with pytest.raises(TraceError, match=r"Không truy vết fct_signal\.p: tính bằng thống kê"):
            tracer.figure("fct_signal", nearest, "p")


def test_a_key_is_typed_by_columns_or_by_values_alone(whole):
    with tracing(whole) as tracer:
        one = tracer.figure("rating_distribution", "2025/67.012/member/XS", "share")
        other = tracer.figure(
            "rating_distribution", "level_code=XS, subject_kind=member, unit_code=67.012, year=2025", "share"
        )

    assert one == other
    assert [part.column for part in one.parts] == ["n", "rated"]
    assert one.value == one.parts[0].value / one.parts[1].value


def test_names_and_card_numbers_are_told_by_their_address_alone(whole, thucchat, tmp_path):
    personal = {
        column.heading
        for form_set in load_form_sets().values()
        for form in form_set.forms
        for column in form.columns
        if column.privacy
    }
    with tracing(whole) as tracer:
        key = next(key for key in rows_of(tracer, "fct_finding"))
        figure = tracer.look_up(tracer.figure("fct_finding", key, "message"))
        members = tracer.figure("discipline_by_level", rows_of(tracer, "discipline_by_level")[0], "n")
    path = tmp_path / "vết.csv"
    written = thucchat("--data", whole.data, "trace", "discipline_by_level", members.key, "n", "--csv", path)

    assert figure.places
    assert all(place.value is None and place.stored is None for place in figure.places)
    assert written.returncode == 0, written.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    listed = pd.read_csv(path, dtype="str")
    assert set(listed["column"]).isdisjoint(personal)
    assert not CARD.search(path.read_text("utf-8"))
    assert "member_key" not in path.read_text("utf-8")


def test_the_screen_shows_the_chain_and_any_kept_build_traces_itself(thucchat, whole):
    (build,) = {path.stem for path in whole.builds.glob("*.duckdb")}
    result = thucchat("--data", whole.data, "trace", "rating_distribution", "2025/67.012/member/XS", "share",
                      "--build", build)  # fmt: skip
    unknown = thucchat("--data", whole.data, "trace", "coverage", "2025", "units_expected", "--build", "0000")

    assert result.returncode == 0, result.stderr
    assert "n chia cho rated" in result.stdout
    assert re.search(r"│ [A-Z]{1,2}\d+ +│", result.stdout)
    assert "khớp" in result.stdout
    assert not CARD.search(result.stdout)
    assert unknown.returncode == 2
    assert build in unknown.stderr


def test_a_build_from_before_the_catalogue_and_no_build_say_what_to_do(tmp_path):
    folders = Folders(tmp_path)
    with pytest.raises(NotBuiltError, match="thucchat build"), tracing(folders):
        pass
    with duckdb.connect(str(folders.published)) as connection:
        connection.execute("create schema marts")
    with tracing(folders) as tracer, pytest.raises(TraceError, match="danh mục truy vết"):
        tracer.figure("coverage", "2025", "units_expected")


def links_of(path):
    """Where the links of a PDF lead."""
    with pikepdf.open(path) as pdf:
        notes = [note for page in pdf.pages for note in page.get("/Annots", []) if "/A" in note]
        return [str(note.A.URI) for note in notes if "/URI" in note.A]


def test_every_number_of_a_pack_points_to_its_entry_on_the_page_beside_it(whole):
    (pdf,) = whole.packs.rglob("*.pdf")
    page = pdf.with_suffix(".nguon.html")
    text = page.read_text("utf-8")
    anchors = re.findall(r'<section id="([^"]+)"', text)
    linked = [link for link in links_of(pdf) if "#" in link]

    assert len(anchors) == len(set(anchors)) > 20
    assert {link.split("#")[0] for link in linked} == {page.name}
    assert {link.split("#")[1] for link in linked} == set(anchors)
    assert page.stat().st_mode & 0o777 == 0o640
    assert not re.search(r"<(script|link|img|iframe)|url\(|@import", text)


def test_the_page_beside_a_pack_names_no_file_and_no_person_and_leads_to_no_few_persons(whole):
    (page,) = whole.packs.rglob("*.nguon.html")
    text = page.read_text("utf-8")

    for name in Store(whole.store).read_submissions()["file_name"]:
        assert name not in text
    assert not CARD.search(text)
    for rows, cells in re.findall(r"<td>([^<]*)</td>(?:<td>|<td class=\"quiet\">)([^<]*)</td></tr>", text):
        assert (rows == "dưới 5") == (cells == "không chỉ chỗ")
        assert rows == "dưới 5" or int(rows) >= 5


def test_what_a_pack_attaches_is_enough_to_trace_each_of_its_figures(whole):
    (path,) = whole.packs.rglob("*.pdf")
    with pikepdf.open(path) as pdf:
        content = pdf.attachments["vet-so-lieu.csv"].get_file().read_bytes().decode("utf-8-sig")
    listed = pd.read_csv(io.StringIO(content), dtype="str")

    assert len(listed) > 20
    with tracing(whole, in_brief=True) as tracer:
        for one in listed.itertuples(index=False):
            ask = tracer.total if one[-1].endswith("--sum") else tracer.figure
            figure = ask(one[5], one[6], one[7])
            if listed["Vị trí"].eq(one[0]).sum() == 1 and one[4].replace(".", "").isdigit():
                assert figure.value == int(one[4].replace(".", "")), one


def test_a_pack_whose_figures_their_rows_contradict_is_not_written(thucchat, own):
    for path in [*own.packs.rglob("*.pdf"), *own.packs.rglob("*.html")]:
        path.unlink()
    own.published.chmod(0o644)
    with duckdb.connect(str(own.published)) as connection:
        connection.execute("update marts.admission_rate set admissions = admissions + 1")

    result = thucchat("--data", own.data, "pack", "kiem-diem-cuoi-nam", "--year", "2025")

    assert result.returncode == 1
    assert "Không trả lời: admission_rate" in result.stderr
    assert not [path for path in own.packs.rglob("*") if path.is_file()]


def test_a_total_is_the_sum_of_rows_that_are_each_found_again(whole):
    with tracing(whole) as tracer:
        total = tracer.total("rating_distribution", "subject_kind=member,level_code=HTT", "n")
        assert total.value == sum(part.value for part in total.parts) == total.recomputed
        assert len(total.parts) == 4
        assert total.key == "subject_kind=member,level_code=HTT"
        with pytest.raises(TraceError, match="không phải số đếm"):
            tracer.total("rating_distribution", "subject_kind=member", "share")


def test_every_number_that_a_pack_shows_has_a_source():
    tables = province(12, missing=NAMES[10:12])
    for pack in PACKS.values():
        for number, chart in enumerate(pack.charts, start=1):
            table = chart.table(chart.read(tables, 2025))
            assert len(table.frame), chart.name
            for row, found in zip(table.rows(), sources(chart, number, table, tables, 2025), strict=True):
                for column, text, source in zip(table.columns, row, found, strict=True):
                    if re.fullmatch(r"[−+-]?[\d.,]+( ?%)?", text) and text != "0":
                        assert source is not None, (chart.name, column.heading, text)
                        assert source.shown == text
                    if text in {"dưới 5", "ẩn", "Thiếu dữ liệu", ""}:
                        assert source is None, (chart.name, column.heading, text)
