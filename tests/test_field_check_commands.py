"""`thucchat field-check`: from a published warehouse to a workbook, and from a filled one to the store."""

import json
from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from orchestration.command import cli
from orchestration.field_checks import land_field_checks, members, risk
from orchestration.problems import ProblemError
from orchestration.settings import Folders
from orchestration.warehouse import Tables
from ratings.fieldcheck import PRECISION_COLUMNS, PROVINCE_COLUMNS
from submissions.form_set import load_form_sets

YEAR, ORGANISATIONS, EACH = 2024, 45, 12
BY = ("--by", "Ban Tổ chức Tỉnh ủy")


def marts() -> dict[str, pd.DataFrame]:
    """What a draw reads of a warehouse: organisations with twelve rated members and one that is not rated."""
    place = np.repeat(np.arange(ORGANISATIONS), EACH + 1)
    seat = np.tile(np.arange(EACH + 1), ORGANISATIONS)
    units = pd.Series(np.where(place % 2, "67.001", "67.002"))
    org = pd.Series([f"{unit}.{number:03}" for unit, number in zip(units, place, strict=True)])
    assessments = pd.DataFrame(
        {
            "record_id": [f"{number:016x}/member_assessments/{9 + number}" for number in range(len(place))],
            "source_hash": np.where(place % 2, "ab" * 32, "cd" * 32),
            "sheet": "Biểu 5",
            "row": np.arange(len(place)) + 9,
            "year": YEAR,
            "unit_code": units,
            "member_key": [f"{number * 7919:032x}"[::-1] for number in range(1, len(place) + 1)],
            "cell_code": org + np.where(seat % 2, ".001", ".002"),
            "grassroots_code": org,
            "final_level": np.where(seat == EACH, None, np.where(seat % 5, "HTT", "XS")),
        }
    )
    codes = assessments[["unit_code", "grassroots_code"]].drop_duplicates().reset_index(drop=True)
    names = codes.rename(columns={"grassroots_code": "org_code"}).assign(year=YEAR, org_name="Đảng bộ xã Thử")
    signals = pd.concat(
        [
            names.assign(
                organisation_level="grassroots", signal=signal, family=family, is_testable=True, reason_code=None,
                p=np.where(np.arange(len(names)) < 5, 1e-5, 0.5), observed=1.0, expected=1.0,
            )
            for signal, family in {"OWN": "own", "LADDER": "ladder"}.items()
        ],
        ignore_index=True,
    )  # fmt: skip
    sent = pd.DataFrame({"source_hash": ["ab" * 32, "cd" * 32], "sent_no": [1, 2]})
    return {
        "fct_member_assessment": assessments,
        "organisation_snapshot": names,
        "fct_signal": signals,
        "fct_submission": sent,
    }


def publish(folders: Folders, tables: dict[str, pd.DataFrame]) -> None:
    folders.published.parent.mkdir(parents=True, exist_ok=True)
    folders.published.unlink(missing_ok=True)
    with duckdb.connect(str(folders.published)) as connection:
        connection.execute("create schema marts")
        for name, frame in tables.items():
            connection.register("given", frame)
            connection.execute(f"create table marts.{name} as select * from given")
            connection.unregister("given")


@pytest.fixture
def folders(tmp_path) -> Folders:
    made = Folders(tmp_path / "data")
    publish(made, marts())
    return made


@pytest.fixture
def say(folders):
    def run(*arguments: object, code: int = 0) -> str:
        result = CliRunner().invoke(cli, ["--data", str(folders.data), "field-check", *map(str, arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return run


def drawn(say, path: Path, *more: object) -> dict:
    return json.loads(say("draw", "--year", YEAR, "--seed", 7, *BY, "--out", path, "--json", *more))


def rows_of(path: Path) -> list[tuple]:
    page = openpyxl.load_workbook(path)["Phiếu thẩm định lại"]
    return [row for row in page.iter_rows(min_row=9, values_only=True) if row[1] is not None]


def test_a_draw_is_a_workbook_and_an_entry_in_the_register(say, folders, tmp_path):
    told = drawn(say, tmp_path / "mau.xlsx")

    rows = rows_of(tmp_path / "mau.xlsx")
    kept = pq.read_table(folders.store / "register" / "field_check_draws.parquet").to_pandas()
    assert told["is_new"]
    assert len(rows) == told["members"] == len(kept) == 10 * len(told["organisations"])
    assert set(kept["draw_id"]) == {told["draw_id"]}
    assert kept["level_code"].isin(["XS", "HTT"]).all()
    assert kept["rated"].eq(EACH).all()
    assert [row[6].removeprefix("ĐV-") for row in rows] == kept["member_key"].str[:10].tolist()


def test_the_workbook_leads_to_the_row_of_the_unit_s_own_file(say, folders, tmp_path):
    drawn(say, tmp_path / "mau.xlsx")
    kept = pq.read_table(folders.store / "register" / "field_check_draws.parquet").to_pandas()
    place = marts()["fct_member_assessment"].set_index("record_id").loc[kept["record_id"]]

    rows = rows_of(tmp_path / "mau.xlsx")
    assert [row[9] for row in rows] == place["row"].tolist()
    assert [row[7][-12:] for row in rows] == place["source_hash"].str[:12].tolist()
    assert {row[4] for row in rows} == {"Đảng bộ xã Thử"}


def test_the_same_seed_on_the_same_warehouse_is_the_same_draw(say, tmp_path):
    first, second = drawn(say, tmp_path / "một.xlsx"), drawn(say, tmp_path / "hai.xlsx")

    assert (first["draw_id"], first["is_new"], second["is_new"]) == (second["draw_id"], True, False)
    assert (tmp_path / "một.xlsx").read_bytes() == (tmp_path / "hai.xlsx").read_bytes()


def test_the_order_of_the_review_list_weighs(folders):
    tables = Tables(folders.published)
    t = risk(tables, YEAR)

    assert len(t) == ORGANISATIONS
    assert (t.iloc[:5] > 5).all()
    assert t.iloc[5:].max() < 1
    assert members(tables, YEAR)["level_code"].notna().all()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--year", 2019, "--seed", 1), "Các năm có trong kho: 2024"),
        (("--year", YEAR, "--seed", 1, "--difference", 0), "Chênh lệch cần thấy phải lớn hơn 0"),
        (("--year", YEAR, "--seed", 1, "--members", 3), "ít nhất 5 đảng viên"),
    ],
)
def test_a_draw_that_cannot_be_says_why(say, more, said, folders):
    with pytest.raises(ProblemError, match=said):
        say("draw", *more, *BY)
    assert not (folders.store / "register" / "field_check_draws.parquet").exists()


def test_a_file_that_is_there_is_not_written_over_and_nothing_is_entered(say, folders, tmp_path):
    path = tmp_path / "mau.xlsx"
    path.write_text("đã điền", encoding="utf-8")

    with pytest.raises(ProblemError, match="đã có; hãy chọn tên khác"):
        say("draw", "--year", YEAR, "--seed", 7, *BY, "--out", path)
    assert path.read_text(encoding="utf-8") == "đã điền"
    assert not (folders.data / "register.sqlite").exists()


def test_a_draw_says_its_size_and_what_to_do_next(say, tmp_path):
    said = say("draw", "--year", YEAR, "--seed", 7, *BY, "--out", tmp_path / "mau.xlsx", "--difference", 0.01)

    assert f"trên {ORGANISATIONS} tổ chức" in said
    assert "lực chưa đến 0,8" in said
    assert "thucchat field-check read" in said


def test_what_was_filled_in_is_read_and_told(say, tmp_path):
    path = tmp_path / "mau.xlsx"
    told = drawn(say, path)
    book = openpyxl.load_workbook(path)
    page = book["Phiếu thẩm định lại"]
    for row in range(9, 29):
        page[f"K{row}"], page[f"M{row}"] = "Hoàn thành nhiệm vụ", "05/03/2025"
    page["F9"] = "67.009"
    book.save(path)

    assert f"Mẫu {told['draw_id']}: 19 trên {told['members']} phiếu có kết quả, 1 dòng không tính được" in say(
        "read", path
    )


def test_a_file_that_is_not_there_and_one_of_another_province_are_said(say, tmp_path):
    with pytest.raises(ProblemError, match="Không tìm thấy"):
        say("read", tmp_path / "không-có.xlsx")

    path = tmp_path / "mau.xlsx"
    drawn(say, path)
    book = openpyxl.load_workbook(path)
    book["Phiếu thẩm định lại"]["K9"] = "Hoàn thành nhiệm vụ"
    book["Thông tin chung"]["B8"] = "TDL-2024-ffffffff"
    book.save(path)
    told = say("read", path, code=1)
    assert "chưa từng được rút" in told
    assert "đã đọc" not in told


# --- report


def facts(is_good: object) -> pd.DataFrame:
    """Every organisation drawn at random with five members, found as said."""
    place = np.repeat(np.arange(ORGANISATIONS), 5)
    frame = pd.DataFrame({"draw_id": "TDL-2024-00000000", "year": YEAR, "org_code": [f"67.001.{n:03}" for n in place]})
    frame = frame.assign(unit_code="67.001", arm="random", probability=0.4, rated=20, was_good=True, is_good=is_good)
    return frame.astype({"was_good": "boolean", "is_good": "boolean"})


def landed(folder: Path, found: pd.DataFrame, indicators: tuple[str, ...] = ("OWN",)) -> dict[str, pd.DataFrame]:
    """The estimates as they come back out of the warehouse."""
    codes = [f"67.001.{number:03}" for number in range(10)]
    signals = pd.DataFrame({"organisation_level": "grassroots", "unit_code": "67.001", "org_code": codes})
    folder.mkdir(parents=True)
    told = [signals.assign(year=YEAR, signal=name, p=0.01) for name in indicators]
    pd.concat(told).to_parquet(folder / "signals.parquet")
    land_field_checks({"fct_field_check": found}, folder)
    return {
        name: pd.read_parquet(folder / f"{name}.parquet") for name in ("field_check_province", "field_check_precision")
    }


def test_what_was_found_is_told_with_its_interval_and_how_right_every_indicator_was(say, folders, tmp_path):
    found = facts(np.arange(ORGANISATIONS * 5) >= 50)
    publish(folders, landed(tmp_path / "f", found))

    said = say("report")
    assert "có kết quả 225 trên 225 đảng viên" in said
    assert "Đã quyết định từ tốt trở lên: 100,0%. Thẩm định lại tại chỗ: 77,8%" in said
    assert "không phải kết luận" in said
    told = json.loads(say("report", "--json"))
    assert told["indicators"][0]["share"] == 1
    assert told["indicators"][0]["elsewhere_share"] == 0
    assert say("report", "--csv", tmp_path / "do-dung.csv")
    assert pd.read_csv(tmp_path / "do-dung.csv")["signal"].tolist() == ["OWN"]


def test_too_little_to_estimate_from_is_said_with_the_reason(say, folders, tmp_path):
    publish(folders, landed(tmp_path / "f", facts(np.where(np.arange(ORGANISATIONS * 5) < 100, True, None))))

    assert "Không ước lượng được cho toàn tỉnh: nhánh ngẫu nhiên có kết quả ở dưới 30 tổ chức" in say("report")


def test_one_reason_of_many_indicators_is_said_once(say, folders, tmp_path):
    names = ("FUNNEL", "LADDER", "OWN")
    found = facts(np.where(np.arange(ORGANISATIONS * 5) < 100, True, None))
    publish(folders, landed(tmp_path / "f", found, names))

    told = say("report")
    assert all(name in told for name in names)
    assert told.count("Không ước lượng được khoảng của mọi chỉ báo: ") == 1
    assert told.count("Không ước lượng được khoảng") == 1


def test_no_draw_yet_and_a_warehouse_of_before_are_said(say, folders, tmp_path):
    with pytest.raises(ProblemError, match="Hãy chạy: thucchat build"):
        say("report")

    publish(folders, landed(tmp_path / "f", facts(True).head(0)))
    assert "Chưa có mẫu thẩm định lại nào" in say("report")
    publish(folders, {name: frame for name, frame in marts().items() if name != "fct_signal"})
    with pytest.raises(ProblemError, match="Hãy chạy: thucchat build"):
        say("draw", "--year", YEAR, "--seed", 7, *BY)


def test_estimates_are_landed_with_all_columns_where_nothing_was_drawn(tmp_path):
    told = landed(tmp_path / "f", facts(True).head(0))

    assert {name: list(frame.columns) for name, frame in told.items()} == {
        "field_check_province": list(PROVINCE_COLUMNS),
        "field_check_precision": list(PRECISION_COLUMNS),
    }


def test_the_form_has_the_levels_of_the_units_forms():
    sets = load_form_sets()

    assert [one.value for one in sets["tham-dinh-lai"].lists["level"]] == [
        one.value for one in sets["B12-2025"].lists["level"]
    ]
