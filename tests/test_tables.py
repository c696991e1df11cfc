"""The tables of the regulations: what they say, and that what contradicts itself is refused with its rows named."""

import csv
import shutil

import pytest

from ratings import __main__ as command
from ratings.levels import LEVEL_NAMES
from ratings.rules import SEED, check_tables, load_rules, seed
from ratings.tables import KINDS, SEEDS, TableError, read_tables

TABLES = read_tables()


@pytest.fixture
def changed(tmp_path):
    """A copy of the shipped tables with one of them changed: rows go in as dicts, in order."""
    for name in (*KINDS, SEED.removesuffix(".csv")):
        shutil.copy(SEEDS / f"{name}.csv", tmp_path)

    def change(name, edit):
        path = tmp_path / f"{name}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        headings = list(rows[0])
        edit(rows)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, headings, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return tmp_path

    return change


def row(rows, **wanted):
    return next(row for row in rows if all(row[name] == value for name, value in wanted.items()))


def test_every_row_of_every_table_has_its_source_and_its_days():
    for name in KINDS:
        for each in getattr(TABLES, name):
            assert each.legal_source
            assert not hasattr(each, "end") or each.valid_from < each.end


def test_what_could_not_be_confirmed_is_marked():
    assert [regime.id for regime in TABLES.regimes if not regime.is_confirmed] == ["QD124"]
    assert {band.band_set for band in TABLES.score_bands if not band.is_confirmed} == {"cell_meeting"}
    assert not any(cap.base_is_confirmed for cap in TABLES.caps)
    assert all(target.is_confirmed for target in TABLES.targets)


def test_rules_of_a_regime_that_is_not_confirmed_only_warn_but_for_what_is_counted():
    rules = load_rules()
    severities = {rule.id: rule.severity["QD124"] for rule in rules.rules}

    assert {rule for rule, severity in severities.items() if severity == "error"} == {
        *("R16", "R18", "R24"),
        *("R29", "R30", "R31"),
    }


def test_levels_are_those_that_the_rules_speak_of():
    assert {level.level_code: level.level_name for level in TABLES.levels if level.valid_to is None} == LEVEL_NAMES


def test_more_than_ninety_percent_is_strict_in_both_versions_and_what_moved_is_the_organisations():
    told = [(t.target_id, t.target_version, t.comparison, t.target_value) for t in TABLES.targets]

    assert [each for each in told if each[0] == "orgs_good"] == [("orgs_good", 1, "gt", 75), ("orgs_good", 2, "gt", 90)]
    assert {each[2:] for each in told if each[0] == "members_good"} == {("gt", 90)}


def test_the_seed_of_rules_is_that_of_the_catalogue():
    assert (SEEDS / SEED).read_text(encoding="utf-8") == seed(load_rules())


def remove(**wanted):
    return lambda rows: rows.remove(row(rows, **wanted))


def put(column, value, **wanted):
    return lambda rows: row(rows, **wanted).update({column: value})


def double(**changes):
    """One row more: the last one with other values."""
    return lambda rows: rows.append({**rows[-1], **changes})


FAULTS = [
    # regimes: two for a day, two for a year, a gap
    (
        "regimes",
        put("valid_to", "2024-01-01", regime_id="QD132"),
        "regimes.csv, dòng 3 và dòng 4: năm 2023 có hai quy định (QD132 và QD124), từ ngày 01/01/2023",
    ),
    (
        "regimes",
        double(regime_id="QD367"),
        "regimes.csv, dòng 5 và dòng 6: năm 2025 có hai quy định (QD366 và QD367), từ ngày 01/01/2025",
    ),
    (
        "regimes",
        lambda rows: (
            row(rows, regime_id="QD124").update(valid_to="2025-08-30"),
            row(rows, regime_id="QD366").update(valid_from="2025-08-30"),
        ),
        "regimes.csv, dòng 4 và dòng 5: năm 2025 có hai quy định (QD124 và QD366), từ ngày 30/08/2025",
    ),
    (
        "regimes",
        remove(regime_id="QD124"),
        "regimes.csv, dòng 3 và dòng 4: không có quy định nào từ ngày 01/01/2023 đến ngày 31/12/2024",
    ),
    (
        "regimes",
        put("legal_source", " ", regime_id="QD132"),
        "regimes.csv, dòng 3, cột legal_source: để trống",
    ),
    (
        "regimes",
        put("valid_to", "2018-12-31", regime_id="QD132"),
        "regimes.csv, dòng 3: hết hiệu lực (31/12/2018) không sau ngày có hiệu lực",
    ),
    (
        "regimes",
        put("valid_from", "1/1/2019", regime_id="QD132"),
        "regimes.csv, dòng 3, cột valid_from: “1/1/2019” không phải là ngày dạng yyyy-mm-dd",
    ),
    # targets
    (
        "targets",
        put("legal_source", "", target_id="admission_rate"),
        "targets.csv, dòng 6, cột legal_source: để trống",
    ),
    (
        "targets",
        put("valid_to", "", target_id="orgs_good", target_version="1"),
        "targets.csv, dòng 2 và dòng 3: hai bản của chỉ tiêu orgs_good cùng có hiệu lực từ ngày 01/01/2023",
    ),
    (
        "targets",
        put("comparison", ">=", target_id="members_good", target_version="2"),
        "targets.csv, dòng 5, cột comparison: “>=” không phải là một trong: 'gt', 'ge', 'between'",
    ),
    (
        "targets",
        put("target_version", "1", target_id="orgs_good", target_version="2"),
        "targets.csv, dòng 2 và dòng 3: trùng khóa (orgs_good, 1)",
    ),
    (
        "targets",
        put("target_value_to", "", target_id="named_hamlets"),
        "targets.csv, dòng 8, cột target_value_to: chỉ và phải có khi comparison là between",
    ),
    (
        "targets",
        put("target_value", "chín mươi", target_id="members_good", target_version="2"),
        "targets.csv, dòng 5, cột target_value: “chín mươi” không phải là số",
    ),
    # bands
    (
        "score_bands",
        remove(band_set="rating", band_code="KHT"),
        "score_bands.csv, dòng 4: thang rating, bản 1 không bắt đầu từ 0 điểm",
    ),
    (
        "score_bands",
        put("points_from", "75", band_set="rating", band_code="HTT"),
        "score_bands.csv, dòng 4 và dòng 3: thang rating, bản 1 hở từ 70 đến 75 điểm",
    ),
    (
        "score_bands",
        put("points_below", "95", band_set="rating", band_code="HTT"),
        "score_bands.csv, dòng 3 và dòng 2: thang rating, bản 1 chồng nhau từ 95 đến 90 điểm",
    ),
    (
        "score_bands",
        put("points_below", "99", band_set="rating", band_code="XS"),
        "score_bands.csv, dòng 2: thang rating, bản 1 không phủ hết đến 100 điểm",
    ),
    (
        "score_bands",
        put("points_from", "120", band_set="rating", band_code="XS"),
        "score_bands.csv, dòng 2, cột points_from: “120” phải không lớn hơn 100",
    ),
    # caps and levels
    (
        "levels",
        double(version="2", valid_from="2026-01-01"),
        "levels.csv, dòng 5 và dòng 6: hai bản của mức KHT cùng có hiệu lực từ ngày 01/01/2026",
    ),
    (
        "caps",
        put("base", "D", regime_id="QD366"),
        "caps.csv, dòng 4, cột base: “D” không phải là một trong: 'A', 'B', 'C'",
    ),
    (
        "caps",
        put("cap_pct", "20.5", regime_id="QD366"),
        "caps.csv, dòng 4, cột cap_pct: “20.5” không phải là số nguyên",
    ),
    (
        "caps",
        put("exception_cap_pct", "10", regime_id="QD366"),
        "caps.csv, dòng 4, cột exception_cap_pct: nhỏ hơn cap_pct",
    ),
    (
        "caps",
        put("regime_id", "QD999", regime_id="QD366"),
        "caps.csv, dòng 4, cột regime_id: không có quy định QD999",
    ),
    (
        "level_schemes",
        put("level_code", "TSVM", scheme_level_name="Trong sạch, vững mạnh"),
        "level_schemes.csv, dòng 2, cột level_code: không có mức TSVM trong levels.csv",
    ),
    (
        "levels",
        put("level_order", "5", level_code="KHT"),
        "levels.csv, dòng 2 và dòng 3 và dòng 4 và dòng 5: thứ tự",
    ),
]


@pytest.mark.parametrize(
    ("name", "edit", "told"), FAULTS, ids=[f"{name}-{place}" for place, (name, _, _) in enumerate(FAULTS)]
)
def test_a_table_that_contradicts_itself_is_refused_with_its_rows(changed, name, edit, told):
    with pytest.raises(TableError) as refused:
        read_tables(changed(name, edit))

    assert told in str(refused.value)


def test_all_faults_are_told_at_once(changed):
    changed("targets", put("legal_source", "", target_id="admission_rate"))
    folder = changed("caps", put("base", "D", regime_id="QD366"))

    with pytest.raises(TableError) as refused:
        read_tables(folder)

    assert len(str(refused.value).splitlines()) == 3


def test_a_target_without_source_hides_no_fault_between_its_row_and_another(changed):
    def edit(rows):
        row(rows, target_id="orgs_good", target_version="1").update(valid_to="", legal_source="")

    with pytest.raises(TableError) as refused:
        read_tables(changed("targets", edit))

    assert str(refused.value).splitlines()[1:] == [
        "- targets.csv, dòng 2, cột legal_source: để trống",
        "- targets.csv, dòng 2 và dòng 3: hai bản của chỉ tiêu orgs_good cùng có hiệu lực từ ngày 01/01/2023",
    ]


def test_two_regimes_of_a_year_are_told_beside_a_third_that_cannot_be_read_and_a_gap_is_not(changed):
    def edit(rows):
        row(rows, regime_id="QD366").update(valid_from="2024-01-01")
        row(rows, regime_id="QD132").update(valid_from="đầu năm")

    with pytest.raises(TableError) as refused:
        read_tables(changed("regimes", edit))

    told = str(refused.value)
    assert "regimes.csv, dòng 3, cột valid_from: “đầu năm” không phải là ngày dạng yyyy-mm-dd" in told
    assert "dòng 4 và dòng 5: năm 2024 có hai quy định (QD124 và QD366), từ ngày 01/01/2024" in told
    assert "không có quy định nào" not in told  # the third may fill it


@pytest.mark.parametrize("name", KINDS)
def test_of_sound_tables_only_the_cell_that_was_spoiled_is_told(changed, name):
    fields = {column: field for column, field in KINDS[name].model_fields.items() if column not in ("line", "faults")}
    rows = len(getattr(TABLES, name))
    for place, (column, field) in enumerate(fields.items()):
        is_text = field.annotation in (str, str | None)
        if is_text and not field.is_required():
            continue
        line = place % rows + 2
        folder = changed(
            name, lambda rows, at=line - 2, to=column, text="" if is_text else "??": rows[at].update({to: text})
        )
        with pytest.raises(TableError) as refused:
            read_tables(folder)
        _, *told = str(refused.value).splitlines()
        assert [one.split(":")[0] for one in told] == [f"- {name}.csv, dòng {line}, cột {column}"]
        shutil.copy(SEEDS / f"{name}.csv", folder)


def test_a_row_that_cannot_be_read_hides_no_fault_between_the_rows_of_another_table(changed):
    changed("targets", put("legal_source", "", target_id="admission_rate"))
    folder = changed("regimes", put("valid_from", "2024-01-01", regime_id="QD366"))

    with pytest.raises(TableError) as refused:
        read_tables(folder)

    assert "targets.csv, dòng 6, cột legal_source: để trống" in str(refused.value)
    assert "năm 2024 có hai quy định (QD124 và QD366)" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("target_id,target_version\n", "targets.csv, dòng 1: thiếu cột legal_source; thiếu cột valid_from"),
        (None, "targets.csv: không tìm thấy tệp"),
        ('"a', "targets.csv: không đọc được như tệp CSV"),
        (b"\xff\xfe", "targets.csv: không đọc được như tệp CSV"),
        ("", "targets.csv, dòng 1: thiếu cột"),
    ],
)
def test_a_file_that_is_no_table_is_told_by_name(changed, text, told):
    path = changed("targets", lambda rows: None) / "targets.csv"
    path.unlink() if text is None else path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(TableError) as refused:
        read_tables(path.parent)

    assert told in str(refused.value)


def test_a_row_with_more_cells_than_the_heading_is_told(changed):
    path = changed("targets", lambda rows: None) / "targets.csv"
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + ",thừa\n", encoding="utf-8")

    with pytest.raises(TableError, match=r"targets\.csv, dòng 10: số ô khác số cột"):
        read_tables(path.parent)


def test_a_build_begins_with_the_tables_as_they_are_now(changed):
    folder = changed("caps", put("cap_pct", "19", regime_id="QD366"))
    check_tables(folder)
    with (folder / SEED).open("a", encoding="utf-8") as file:
        file.write("R99\n")

    with pytest.raises(TableError, match=r"rules\.csv không khớp với rules\.yaml"):
        check_tables(folder)


def test_the_command_checks_and_says_so(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["ratings"])

    assert command.main() == 0
    assert capsys.readouterr().out == "Các bảng quy định dùng được.\n"


def test_the_command_tells_what_is_wrong(capsys, monkeypatch, changed):
    folder = changed("targets", put("legal_source", "", target_id="admission_rate"))
    monkeypatch.setattr("sys.argv", ["ratings"])
    monkeypatch.setattr(command, "check_tables", lambda: check_tables(folder))

    assert command.main() == 1
    assert "targets.csv, dòng 6, cột legal_source: để trống" in capsys.readouterr().err
