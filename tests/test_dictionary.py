"""The dictionary: what readers of the warehouse find without a network, written from what is there."""

import csv
import json
import os
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import pytest
import yaml
from click.testing import CliRunner, Result

from orchestration import described, dictionary
from orchestration.command import cli
from orchestration.semantics import read_indicators, read_questions
from orchestration.settings import Folders
from reports.packs import PACKS
from submissions.form_set import load_form_sets

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""Tags that make a browser fetch something."""


class Loads(HTMLParser):
    """What a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._style = tag == "style"
        given = dict(attrs)
        if tag in LOADED and given.get(LOADED[tag]):
            self.found.append(str(given[LOADED[tag]]))
        self.found += re.findall(r"url\(([^)]*)\)", given.get("style") or "")

    def handle_data(self, data: str) -> None:
        if self._style:
            self.found += re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", data)


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> tuple[Result, Path]:
    """What the command answers in an empty data directory, and where that lies."""
    data = tmp_path_factory.mktemp("từ điển")
    with mock.patch.dict(os.environ):
        return CliRunner().invoke(cli, ["--data", str(data), "docs"]), data


@pytest.fixture(scope="module")
def pages(command) -> Path:
    """The dictionary of an empty data directory: it tells of the code, not of what was sent."""
    _, data = command
    return data / "docs"


@pytest.fixture(scope="module")
def lines(pages) -> list[dict[str, str]]:
    with (pages / "bieu-vao-kho.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_no_page_of_the_dictionary_loads_anything_from_the_net(pages):
    written = sorted(path.name for path in pages.iterdir())
    assert written == ["bieu-vao-kho.csv", "bieu-vao-kho.html", "chi-so.html", "index.html", "kho.html"]
    for page in pages.glob("*.html"):
        loads = Loads()
        loads.feed(page.read_text("utf-8"))
        outside = [found for found in loads.found if not str(found).strip("'\"").startswith(("data:", "#"))]
        assert not outside, (page.name, outside[:3])


def test_the_first_page_leads_to_every_other(pages):
    links = set(re.findall(r'href="([^"]+)"', (pages / "index.html").read_text("utf-8")))
    assert links == {path.name for path in pages.iterdir()} - {"index.html"}


def inside(pages: Path, name: str) -> dict:
    """What dbt's page was given: its manifest or its catalogue."""
    text = (pages / "kho.html").read_text("utf-8")
    start = {"manifest": '{"metadata": {"dbt_schema_version"', "catalogue": '{"metadata": {}, "nodes"'}[name]
    told, _ = json.JSONDecoder().raw_decode(text, text.index(start))
    return told


def test_every_column_of_every_table_has_its_type(pages):
    shown, known = inside(pages, "catalogue"), inside(pages, "manifest")
    for kind in ("nodes", "sources"):
        for unique_id, node in shown[kind].items():
            described = set(known[kind][unique_id]["columns"])
            assert described <= set(node["columns"]), unique_id
            assert not [name for name, column in node["columns"].items() if not column["type"]], unique_id
    types = {name: column["type"] for name, column in shown["nodes"]["model.thucchat.fct_member"]["columns"].items()}
    assert (types["birth_year"], types["admitted_on"], types["is_local"]) == ("integer", "date", "boolean")
    assert shown["nodes"]["model.thucchat.stg_members"]["columns"]["admitted_on"]["type"] == "date"
    assert shown["nodes"]["seed.thucchat.indicators"]["columns"]["scale"]["type"] == "integer"
    assert shown["sources"]["source.thucchat.store.members"]["columns"]["birth_year"]["type"] == "bigint"


def test_how_a_figure_is_found_again_is_told_in_words(pages):
    known = inside(pages, "manifest")
    assert not [one for one in known["nodes"].values() if "trace" in {**one["meta"], **one["config"].get("meta", {})}]
    mart = known["nodes"]["model.thucchat.admission_rate"]
    assert "thucchat trace admission_rate year/unit_code CỘT" in mart["description"]
    assert "Cách tính: " in mart["columns"]["rate_pct"]["description"]
    assert "select " not in known["nodes"]["model.thucchat.indicator_part"]["columns"]["numerator"]["description"]
    shown = {name for kind in ("nodes", "metrics") for node in known[kind].values() for name in node["meta"]}
    assert shown <= set(described.META.values())


def test_what_the_article_asks_is_told_with_the_indicators_that_answer_it(pages):
    text = unescape((pages / "chi-so.html").read_text("utf-8"))
    for question in read_questions():
        assert question["question_vi"] in text
        assert question["no_number_because"] in text
    for indicator in read_indicators():
        assert f"<code>{indicator['indicator_id']}</code>" in text
        assert indicator["definition"] in text


def test_every_heading_of_every_form_is_told_with_where_it_goes_or_why_not(lines):
    told = {(line["Bộ biểu"], line["Biểu"], line["Tiêu đề"]) for line in lines}
    assert told == {
        (form_set.form_set, f"{form.title}. {form.name}", column.heading)
        for form_set in load_form_sets().values()
        for form in form_set.forms
        for column in form.columns
    }
    assert all(bool(line["Cột"]) != bool(line["Ghi chú"]) for line in lines)
    assert all(line["Heading"].isascii() and line["Column"].isascii() for line in lines)
    assert all(line["Ý nghĩa"] for line in lines if line["Cột"])


@pytest.mark.parametrize(
    ("form", "heading", "column"),
    [
        ("Biểu 5. Xếp loại đảng viên", "Cấp có thẩm quyền quyết định", "fct_member_assessment.final_level"),
        ("Biểu 5. Xếp loại đảng viên", "Cấp có thẩm quyền quyết định", "grassroots_excellence.xs"),
        ("Biểu 2. Danh sách tổ chức đảng", "Mã cấp trên trực tiếp", "organisation_year.parent_code"),
        ("Biểu 6. Sinh hoạt chi bộ", "Sinh hoạt chuyên đề", "organisation_year.meetings_thematic"),
        ("Biểu 3. Danh sách đảng viên", "Ngày sinh", "fct_member.birth_year"),
    ],
)
def test_a_heading_feeds_the_columns_that_the_sql_makes_of_it(lines, form, heading, column):
    fed = {
        f"{line['Bảng']}.{line['Cột']}"
        for line in lines
        if line["Bộ biểu"] == "B12-2021" and (line["Biểu"], line["Tiêu đề"]) == (form, heading)
    }
    assert column in fed


def test_names_of_persons_feed_nothing(lines):
    names = [line for line in lines if line["Tiêu đề"] == "Họ và tên"]
    assert names
    assert not any(line["Cột"] or line["Lưu trong kho gốc"] for line in names)


def test_the_exposures_are_those_of_the_packs_as_they_are_now():
    written = dictionary.EXPOSURES.read_text(encoding="utf-8")

    assert written == dictionary.exposures(), "chạy: make docs"
    told = {one["name"]: one["depends_on"] for one in yaml.safe_load(written)["exposures"]}
    for pack in PACKS.values():
        name = pack.name.replace("-", "_")
        assert told[name] == [f"ref('{table}')" for table in pack.tables]
        assert len([one for one in told if one.startswith(f"{name}__")]) == len(pack.charts)


def test_the_command_writes_the_dictionary_into_the_data_directory(command):
    result, data = command

    assert result.exit_code == 0, result.output
    assert str(data / "docs" / "index.html") in result.stdout
    assert (data / "docs" / "kho.html").stat().st_size > 100_000


def test_a_project_that_dbt_cannot_read_is_told_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(dictionary, "DBT", tmp_path)
    before = dict(os.environ)
    with pytest.raises(dictionary.ProblemError, match="dbt không lập được từ điển"):
        dictionary.write(Folders(tmp_path / "data"), tmp_path / "docs")
    assert not (tmp_path / "docs").exists()
    assert dict(os.environ) == before
