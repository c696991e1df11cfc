import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from report_builders import NAMES, province, scoreboard

from ratings.signals.shares import ALARM, Funnel, funnel
from reports import style
from reports.charts import admissions, discipline, distribution, ladder, outliers, targets
from reports.charts import scoreboard as board
from reports.charts.chart import ChartError
from reports.lint import layout_faults
from reports.units import Coverage, coverage_of, short_names

CHARTS = (board.CHART, distribution.CHART, ladder.CHART, outliers.CHART, discipline.CHART, admissions.CHART)
FULL = Coverage(12, 12)
NINETY = targets.Target(90.0, is_strict=True)
THREE = targets.Target(3.0, is_strict=False)
PROVINCES = {
    "mười hai đơn vị": province(12),
    "thiếu hai đơn vị": province(12, missing=NAMES[6:8]),
    "ba đơn vị": province(3),
    "một đơn vị": province(1),
    "hai mươi tám đơn vị": province(28),
}
every_chart = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.id)
every_province = pytest.mark.parametrize("tables", PROVINCES.values(), ids=PROVINCES.keys())


@every_chart
@every_province
def test_a_chart_has_no_layout_fault(chart, tables):
    figure = chart.figure(chart.read(tables, 2025))

    with style.house():
        assert layout_faults(figure) == []


@every_chart
@every_province
def test_a_title_is_a_short_finding(chart, tables):
    title = chart.title(chart.read(tables, 2025))

    assert 3 <= len(title.split()) <= 19
    assert not title.endswith(".")


@every_chart
def test_a_chart_reads_only_the_tables_it_names(chart):
    tables = PROVINCES["mười hai đơn vị"]

    chart.figure(chart.read({name: tables[name] for name in chart.needs}, 2025))


@every_chart
def test_a_year_without_data_is_drawn_as_missing_and_not_as_nought(chart):
    data = chart.read(PROVINCES["ba đơn vị"], 2031)
    figure = chart.figure(data)

    with style.house():
        assert layout_faults(figure) == []
        assert "Thiếu dữ liệu" in style.svg(figure)
    assert re.search("[Cc]hưa", chart.title(data))
    assert "0" not in chart.title(data)
    assert chart.table(data).rows() == []


@every_chart
def test_a_chart_gives_the_same_bytes_whatever_the_order_of_the_rows(chart):
    tables = PROVINCES["mười hai đơn vị"]
    shuffled = {name: frame.sample(frac=1, random_state=3) for name, frame in tables.items()}

    with style.house():
        first, second = (
            (style.svg(chart.figure(data)), chart.alt(data), chart.table(data).csv())
            for data in (chart.read(tables, 2025), chart.read(shuffled, 2025))
        )

    assert first == second
    assert "<text" in first[0]
    assert "dc:date" not in first[0]


@every_chart
def test_missing_units_are_named_and_called_missing(chart):
    data = chart.read(PROVINCES["thiếu hai đơn vị"], 2025)

    assert "10/12 đơn vị" in chart.source(data)
    if chart.id in {"co-cau-xep-loai", "tu-danh-gia-quyet-dinh", "ket-nap-dang-vien"}:
        rows = {row[0]: row[1:] for row in chart.table(data).rows()}
        assert set(rows["Tuy Đức"]) == {"Thiếu dữ liệu"}


# Bảng mục tiêu


def targets_of(*rows):
    tables = {"target_scoreboard": scoreboard(*rows), "coverage": pd.DataFrame({"year": []})}
    return board.read(tables, 2025)


def good(part, whole, status):
    return ("members_good", "Đảng viên tốt trở lên", "gt", 90, "percent", part, whole, 100 * part / whole, status)


MISSING = ("named_hamlets", "Thôn", "between", 1, "thôn", None, None, None, "missing")


def test_ninety_percent_exactly_does_not_pass_above_ninety():
    reached = targets_of(good(900, 1000, "not_met"))

    assert board.table(reached).rows()[0] == ["Đảng viên tốt trở lên", "trên 90%", "900", "1.000", "90,0%", "Chưa đạt"]
    with pytest.raises(ChartError, match="trái với chính số liệu"):
        targets_of(good(900, 1000, "met"))


def test_one_member_more_than_ninety_percent_passes_and_does_not_look_like_ninety():
    reached = targets_of(good(9001, 10000, "met"))

    assert board.table(reached).rows()[0][4:] == ["90,01%", "Đạt"]


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ((), "Chưa có chỉ tiêu nào có số liệu"),
        ((MISSING,), "Chưa đủ số liệu để đánh giá 1 chỉ tiêu"),
        ((good(95, 100, "met"),), "Đạt chỉ tiêu duy nhất"),
        ((good(95, 100, "met"), good(92, 100, "met")), "Đạt cả 2 chỉ tiêu"),
        ((good(95, 100, "met"), good(90, 100, "not_met"), MISSING), "Đạt 1/3 chỉ tiêu; 1 chỉ tiêu chưa đủ số liệu"),
        ((good(90, 100, "not_met"), good(80, 100, "not_met")), "Chưa đạt chỉ tiêu nào trong 2 chỉ tiêu"),
    ],
)
def test_the_scoreboard_counts_what_was_reached(rows, title):
    assert board.title(targets_of(*rows)) == title


def test_a_target_not_in_force_is_attached_but_not_counted():
    old = scoreboard(good(95, 100, "met")).assign(is_in_force=False, target_version=1)
    now = scoreboard(good(90, 100, "not_met"))
    tables = {"target_scoreboard": pd.concat([old, now]), "coverage": pd.DataFrame({"year": []})}
    data = board.read(tables, 2025)

    assert board.title(data) == "Chưa đạt chỉ tiêu nào trong 1 chỉ tiêu"
    assert len(board.table(data).rows()) == 1
    assert board.table(data).csv().count("\r\n") == 3


MOVED = "Chỉ tiêu đã thay đổi: bản 1 «trên 75%» thành bản 2 «trên 90%», áp dụng từ năm 2023."


def of_organisations(target, version, status):
    row = ("orgs_good", "Tổ chức đảng tốt trở lên", "gt", target, "percent", 80, 100, 80.0, status)
    return scoreboard(row).assign(target_version=version, is_in_force=version == 2, is_moved=True, moved_note=MOVED)


@pytest.fixture
def moved_target():
    """A target raised from over 75% to over 90%, of which 80% was reached, before one that did not move."""
    still = scoreboard(good(95, 100, "met")).assign(is_moved=False, moved_note=None)
    rows = pd.concat([of_organisations(90, 2, "not_met"), still, of_organisations(75, 1, "met")])
    return board.read({"target_scoreboard": rows, "coverage": pd.DataFrame({"year": []})}, 2025)


def test_a_moved_target_is_shown_in_both_versions_and_says_how_it_moved(moved_target):
    table = board.table(moved_target)

    assert [column.heading for column in table.columns][:3] == ["Chỉ tiêu", "Bản", "Mục tiêu"]
    assert [row[1:] for row in table.rows()] == [
        ["2", "trên 90%", "80", "100", "80,0%", "Chưa đạt"],
        ["1 (không áp dụng)", "trên 75%", "80", "100", "80,0%", "Đạt"],
        ["2", "trên 90%", "95", "100", "95,0%", "Đạt"],
    ]
    assert table.note == f"Tổ chức đảng tốt trở lên: {MOVED}"
    assert table.csv().count("\r\n") == 4
    assert "theo bản 1, trên 75%: đạt. " + MOVED.rstrip(".") in board.alt(moved_target)


def test_a_moved_target_counts_once_by_the_version_in_force(moved_target):
    assert board.title(moved_target) == "Đạt 1/2 chỉ tiêu"


def test_a_moved_target_is_drawn_with_its_other_version_and_the_move(moved_target):
    figure = board.CHART.figure(moved_target)
    drawing = style_of(figure)

    assert layout_faults(figure) == []
    assert [text for text in ("theo bản 1, không áp dụng", "trên 75%", MOVED) if f">{text}<" not in drawing] == []


def test_a_target_far_from_the_one_in_force_is_written_and_not_marked_on_its_bullet(moved_target):
    near, far = (
        board.CHART.figure(board.Scoreboard(2025, moved_target.coverage, moved_target.targets, others))
        for others in (moved_target.others, moved_target.others.assign(target_value=200.0))
    )

    assert len(near.axes[0].lines) == len(far.axes[0].lines) + 1
    assert layout_faults(far) == []


def test_a_status_is_told_by_a_sign_and_a_word_not_by_colour_alone():
    drawing = style_of(board.CHART.figure(targets_of(good(95, 100, "met"), good(90, 100, "not_met"), MISSING)))

    assert [sign for sign in ("✓", "▼", "?", "Đạt", "Chưa đạt", "Thiếu dữ liệu") if f">{sign}<" not in drawing] == []


# Cơ cấu xếp loại theo đơn vị


B, C = ("B", 150, 800, 50, 0), ("C", 148, 800, 52, 0)
LOW = ("E", 10, 990, 0, 0)
NONE = "không đơn vị nào vượt trội"


def distributed(*rows):
    """Each unit: name, XS, HTT, HT, KHT."""
    units = pd.DataFrame(rows, columns=["name", *distribution.LEVELS]).assign(not_rated=0)
    units["rated"] = units[list(distribution.LEVELS)].sum(axis=1, min_count=4)
    long = units.melt(["name", "rated", "not_rated"], distribution.LEVELS, "level_code", "n")
    names = [f"Huyện {name}" for name in units["name"]]
    tables = {
        "rating_distribution": long.rename(columns={"name": "unit_code"}).assign(year=2025, subject_kind="member"),
        "dim_unit": pd.DataFrame({"unit_code": units["name"], "unit_name": names}),
        "coverage": pd.DataFrame({"year": []}),
        "target_scoreboard": scoreboard(good(9, 10, "not_met")),
    }
    return distribution.read(tables, 2025)


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ([("A", 262, 700, 38, 0), B, C], "A xếp loại xuất sắc 26,2%, gấp 1,4 lần mức chung"),
        ([("A", 160, 800, 40, 0), B], f"Tỉ lệ xuất sắc từ 15,0% đến 16,0%, {NONE}"),
        ([("A", 150, 800, 50, 0), B], "Các đơn vị cùng xếp loại xuất sắc 15,0%"),
        ([("A", 300, 700, 0, 0), ("D", 300, 700, 0, 0), LOW], f"Tỉ lệ xuất sắc từ 1,0% đến 30,0%, {NONE}"),
        ([("A", 0, 10, 10, 0), ("B", 0, 30, 0, 0)], "Các đơn vị cùng xếp loại xuất sắc 0,0%"),
        ([("A", 171, 829, 0, 0)], "A xếp loại xuất sắc 17,1%"),
        ([("A", 1, 2, 1, 0)], "Chưa có số liệu xếp loại đảng viên"),
        ([("Nhỏ", 6, 6, 0, 0), B, C], f"Tỉ lệ xuất sắc từ 14,8% đến 15,0%, {NONE}"),
    ],
    ids=["vượt trội", "đều", "bằng nhau", "hai cùng cao", "không ai", "một đơn vị", "quá ít", "đơn vị nhỏ"],
)  # fmt: skip
def test_the_distribution_names_a_unit_only_when_it_stands_out(rows, title):
    assert distribution.title(distributed(*rows)) == title


def test_a_unit_at_ninety_percent_exactly_does_not_count_as_above():
    data = distributed(("A", 100, 800, 100, 0), ("B", 100, 801, 99, 0))

    assert distribution.subtitle(data).endswith("1/2 đơn vị có trên 90% hoàn thành tốt trở lên")


def test_few_rated_members_are_marked_and_fewer_than_five_give_no_share():
    data = distributed(("Nhỏ", 4, 8, 2, 0), ("Rất nhỏ", 1, 2, 1, 0), ("Lớn", 100, 800, 100, 0))
    drawing = style_of(distribution.CHART.figure(data))

    assert "Nhỏ* (n=14)" in drawing
    assert "dưới 5 đảng viên" in drawing
    assert distribution.table(data).rows()[2][1:] == ["4", "ẩn", "ẩn", "ẩn", "ẩn", "0", "ẩn", "ẩn"]


def test_of_very_many_units_the_ends_are_drawn_and_the_table_has_all():
    data = distributed(*((f"Xã số {i}", 100 + i, 800, 50, 2) for i in range(90)))
    figure = distribution.CHART.figure(data)

    with style.house():
        assert layout_faults(figure) == []
    assert "62 đơn vị ở giữa" in style_of(figure)
    assert len(distribution.table(data).rows()) == 91


# Từ tự đánh giá đến quyết định


def climbed(*rows):
    """Each unit: name, compared, excellent at self, appraised, decided."""
    long = pd.DataFrame(
        [
            {"unit_code": name, "subject_kind": "member", "level_code": "XS", "step": step, "n": n, "compared": of}
            for name, of, *counts in rows
            for step, n in zip(ladder.STEPS, counts, strict=True)
        ]
    ).assign(year=2025)
    names = [name for name, *_ in rows]
    units = pd.DataFrame({"unit_code": names, "unit_name": names})
    return ladder.read({"rating_ladder": long, "dim_unit": units, "coverage": pd.DataFrame({"year": []})}, 2025)


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ([("A", 100, 30, 25, 15), ("B", 100, 32, 20, 15)], "Cấp trên hạ mức tự nhận xuất sắc 16,0 điểm %"),
        ([("A", 100, 30, 20, 10), ("B", 100, 30, 30, 29)], "Cấp trên hạ mức tự nhận xuất sắc 10,5 điểm %, trừ B"),
        (
            [("A", 300, 90, 30, 30), ("B", 100, 30, 30, 30), ("C", 100, 20, 20, 21)],
            "Cấp trên hạ mức tự nhận xuất sắc 11,8 điểm %, trừ C và B",
        ),
        ([("A", 100, 20, 20, 20), ("B", 100, 21, 21, 21)], "Cấp trên hầu như giữ nguyên mức tự nhận xuất sắc"),
        ([("A", 100, 10, 12, 15), ("B", 100, 10, 12, 15)], "Cấp trên nâng mức tự nhận xuất sắc 5,0 điểm %"),
        ([("A", 100, 30, 20, 15)], "A: cấp trên hạ mức tự nhận xuất sắc 15,0 điểm %"),
        ([("A", 100, 15, 15, 15)], "A: tỉ lệ xuất sắc hầu như giữ nguyên mức tự nhận"),
        ([("A", 3, 3, 3, 3)], "Chưa đủ số liệu để so tự đánh giá với quyết định"),
        ([("A", 100, 30, 20, 10), ("Nhỏ", 10, 3, 3, 3)], "Cấp trên hạ mức tự nhận xuất sắc 18,2 điểm %"),
    ],
)
def test_the_ladder_says_what_superiors_did_and_where_they_did_not(rows, title):
    assert ladder.title(climbed(*rows)) == title


def test_the_ladder_shows_a_unit_without_any_excellent_member():
    data = climbed(("A", 100, 30, 20, 10), ("B", 50, 0, 0, 0))

    assert ladder.table(data).rows()[1] == ["B", "50", "0,0", "0,0", "0,0", "0,0"]


# Biểu đồ phễu


def cells(*rows):
    """Each organisation: code, rated, excellent."""
    frame = pd.DataFrame(rows, columns=["grassroots_code", "rated", "xs"])
    frame = frame.assign(year=2025, unit_code="67.001", org_name="Chi bộ " + frame["grassroots_code"])
    units = pd.DataFrame({"unit_code": ["67.001"], "unit_name": ["Huyện Cư Jút"]})
    return outliers.read(
        {"grassroots_excellence": frame, "dim_unit": units, "coverage": pd.DataFrame({"year": []})}, 2025
    )


ORDINARY = [(f"C{i:02d}", 50, 6 + i % 5) for i in range(40)]


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        (ORDINARY, "Không TCCSĐ nào có tỉ lệ xuất sắc ngoài giới hạn 99,8%"),
        ([*ORDINARY, ("X", 60, 40)], "1/41 TCCSĐ có tỉ lệ xuất sắc cao bất thường"),
        ([*ORDINARY, ("X", 60, 40), ("Y", 200, 2)], "1/42 TCCSĐ có tỉ lệ xuất sắc cao bất thường, 1 thấp bất thường"),
        ([*ORDINARY, ("Y", 200, 2)], "1 TCCSĐ có tỉ lệ xuất sắc thấp bất thường"),
        ([("X", 60, 40)], "Không TCCSĐ nào có tỉ lệ xuất sắc ngoài giới hạn 99,8%"),
        ([("X", 60, 0), ("Y", 30, 0)], "Không TCCSĐ nào có tỉ lệ xuất sắc ngoài giới hạn 99,8%"),
        ([("X", 60, 60), ("Y", 30, 30)], "Không TCCSĐ nào có tỉ lệ xuất sắc ngoài giới hạn 99,8%"),
        ([("X", 4, 4), ("Y", 40, 4)], "Chưa có số liệu xếp loại theo tổ chức cơ sở đảng"),
    ],
)
def test_the_funnel_counts_only_what_lies_outside_its_limits(rows, title):
    data = cells(*rows)

    assert outliers.title(data) == title
    with style.house():
        assert layout_faults(outliers.CHART.figure(data)) == []


def test_a_small_organisation_all_excellent_is_hidden_and_counted():
    data = cells(*ORDINARY, ("NHO", 4, 4))

    assert "Không vẽ 2 TCCSĐ quá ít đảng viên" in outliers.source(data)
    assert "NHO" not in outliers.table(data).csv()


def test_a_units_total_does_not_give_away_its_one_small_organisation():
    rows = pd.DataFrame(
        [
            ("A", "A1", 3),
            ("A", "A2", 9),
            ("A", "A3", 40),
            ("B", "B1", 1),
            ("B", "B2", 2),
            ("B", "B3", 7),
            ("C", "C1", 9),
        ],
        columns=["unit_code", "grassroots_code", "rated"],
    )

    hidden = rows[outliers.too_small(rows)]

    assert hidden["grassroots_code"].tolist() == ["A1", "A2", "B1", "B2", "B3"]


def test_the_point_that_is_judged_outside_is_drawn_outside():
    limits = Funnel(0.12, 0.003)
    sizes = np.arange(5, 400)

    for deviations in (ALARM, -ALARM):
        edge = limits.limit(sizes, deviations)
        inner = (edge > 0) & (edge < 1)
        assert limits.score(edge[inner] * sizes[inner], sizes[inner]) == pytest.approx(deviations)


@pytest.mark.parametrize("clustering", [0.0, 0.02])
def test_false_alarms_stay_near_two_in_a_thousand_with_or_without_over_dispersion(clustering):
    random = np.random.default_rng(1)
    alarms = 0
    for _ in range(50):
        rated = pd.Series(np.maximum(5, random.lognormal(3.8, 0.9, 440).round()))
        share = 0.12 if not clustering else random.beta(0.12 / clustering, 0.88 / clustering, 440)
        excellent = pd.Series(random.binomial(rated.astype(int), share))
        alarms += int((np.abs(funnel(excellent, rated).score(excellent, rated)) > ALARM).sum())

    assert alarms / (50 * 440) < 0.004


def test_outliers_do_not_widen_the_limits_that_judge_them():
    rated = pd.Series([80] * 200)
    honest = pd.Series(np.random.default_rng(2).binomial(80, 0.12, 200))
    inflated = honest.where(honest.index >= 12, 50)

    assert (funnel(inflated, rated).score(inflated, rated)[:12] > ALARM).all()


# Kỷ luật đối chiếu xếp loại


def disciplined(year=2022, **rows):
    """Each form: counts at XS, HTT, HT, KHT, not rated, unknown, shared out over two units."""
    long = pd.DataFrame(
        [
            {"year": year, "unit_code": unit, "form": form.replace("_", " "), "level_code": level, "n": part}
            for form, counts in rows.items()
            for level, n in zip(discipline.LEVELS, counts, strict=True)
            for unit, part in (("67.001", n // 2), ("67.002", n - n // 2))
        ]
    )
    regimes = pd.DataFrame({"year": [2022, 2025], "regime_id": ["QD132", "QD366"]})
    return discipline.read(
        {"discipline_by_level": long, "dim_year": regimes, "coverage": pd.DataFrame({"year": []})}, year
    )


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ({"A": (0, 12, 3, 4, 0, 0), "B": (0, 0, 2, 9, 0, 0)}, "12 đảng viên bị kỷ luật vẫn xếp loại tốt trở lên"),
        ({"Khiển_trách": (2, 12, 3, 40, 0, 0)}, "Ít nhất 13 đảng viên bị kỷ luật vẫn xếp loại tốt trở lên"),
        ({"Khiển_trách": (0, 3, 0, 40, 0, 0)}, "Ít nhất 1 đảng viên bị kỷ luật vẫn xếp loại tốt trở lên"),
        ({"Khiển_trách": (0, 0, 9, 40, 0, 0)}, "Không đảng viên bị kỷ luật nào xếp loại tốt trở lên"),
    ],
)  # fmt: skip
def test_the_matrix_counts_the_disciplined_who_are_rated_good(rows, title):
    assert discipline.title(disciplined(**rows)) == title


def test_one_to_four_members_are_never_shown_and_nought_and_five_are():
    data = disciplined(Khiển_trách=(0, 5, 1, 4, 3, 2), Cảnh_cáo=(1, 9, 6, 12, 0, 0))
    shown = [row[1:] for row in discipline.table(data).rows()[:2]]

    assert shown == [["0", "5", "dưới 5", "dưới 5", "dưới 5", "dưới 5"], ["dưới 5", "9", "6", "12", "0", "0"]]


def test_a_lone_small_cell_is_not_given_away_by_the_count_of_findings():
    counts = pd.DataFrame(
        [[0, 12, 3, 40, 0, 0], [0, 7, 8, 9, 0, 0]], index=["Khiển trách", "Cảnh cáo"], columns=list(discipline.LEVELS)
    )

    shown = discipline.suppressed(counts)

    assert shown.loc["Khiển trách"].tolist() == [0, 12, "dưới 5", 40, 0, 0]
    assert shown.loc["Cảnh cáo"].tolist() == [0, "ẩn", 8, 9, 0, 0]


def test_no_small_cell_can_be_computed_from_what_the_pack_prints():
    random = np.random.default_rng(5)
    for _ in range(200):
        counts = pd.DataFrame(
            random.poisson(4, (4, 6)) * random.integers(0, 2, (4, 6)),
            index=discipline.FORMS,
            columns=list(discipline.LEVELS),
        )
        shown = discipline.suppressed(counts)
        for block in (discipline.TOO_GOOD, discipline.OTHERS):
            hidden = shown[list(block)].isin([discipline.SMALL, discipline.HIDDEN]).to_numpy()
            small = (shown[list(block)] == discipline.SMALL).to_numpy()
            alone = counts[list(block)].to_numpy().sum() < discipline.FEWEST
            assert not small.any() or hidden.sum() >= 2 or alone


def test_from_2025_on_the_shaded_cells_are_to_be_compared_and_not_called_wrong():
    before, after = (disciplined(year, Khiển_trách=(0, 12, 6, 40, 0, 0)) for year in (2022, 2025))

    assert "Chưa phù hợp" in style_of(discipline.CHART.figure(before))
    assert "Chưa phù hợp" not in style_of(discipline.CHART.figure(after))
    assert discipline.title(after) == "12 đảng viên bị kỷ luật xếp loại tốt trở lên, cần đối chiếu"
    assert "chỉ chưa phù hợp khi kỷ luật liên quan chức trách" in discipline.source(after)


# Kết nạp


def admitted(*rates, target=THREE, year=2025):
    years = pd.DataFrame({"year": range(year - len(rates) + 1, year + 1), "rate": rates}).astype({"rate": float})
    total = pd.Series(
        {"members": 1000, "admissions": 10, "rate_pct": rates[-1], "pupils_students": 1, "non_state_enterprise": 0}
    )
    units = pd.DataFrame(
        columns=["name", "members", "admissions", "rate_pct", "previous", "pupils_students", "non_state_enterprise"]
    )
    return admissions.Admissions(year, FULL, target, years, units, total)


@pytest.mark.parametrize(
    ("rates", "target", "title"),
    [
        ((2.31,), THREE, "Kết nạp 2,31%, thấp hơn mục tiêu 0,69 điểm %"),
        ((2.9991,), THREE, "Kết nạp 2,999%, thấp hơn mục tiêu 0,001 điểm %"),
        ((3.0,), THREE, "Kết nạp 3,00%, đạt mục tiêu 3%"),
        ((3.0,), targets.Target(3.0, is_strict=True), "Kết nạp 3,00%, chưa vượt mục tiêu trên 3%"),
        ((3.4,), THREE, "Kết nạp 3,40%, cao hơn mục tiêu 0,40 điểm %"),
        ((2.8,), None, "Kết nạp 2,80% so với tổng số đảng viên"),
        ((2.8, None), THREE, "Chưa đủ số liệu kết nạp đảng viên"),
    ],
)
def test_admissions_are_told_against_the_target(rates, target, title):
    assert admissions.title(admitted(*rates, target=target)) == title


def test_the_first_year_has_no_column_for_the_year_before():
    tables = PROVINCES["ba đơn vị"]
    first, second = (admissions.table(admissions.read(tables, year)) for year in (2022, 2023))

    assert [column.heading for column in second.columns if column not in first.columns] == ["Năm trước (%)"]
    with style.house():
        assert layout_faults(admissions.CHART.figure(admissions.read(tables, 2022))) == []


def test_a_year_without_admission_data_is_a_gap_in_the_line():
    drawing = style_of(admissions.CHART.figure(admitted(2.1, None, 2.4)))

    assert "Thiếu dữ liệu" in drawing
    assert ">0,00%<" not in drawing


# Tên đơn vị, dữ liệu đính kèm, soi bố cục


def test_short_names_stay_whole_where_they_would_be_the_same():
    names = ["Huyện Đắk Mil", "Xã Đắk Mil", "Thành phố Gia Nghĩa", "Đảng ủy Khối các cơ quan và doanh nghiệp tỉnh"]

    assert short_names(names) == ["Huyện Đắk Mil", "Xã Đắk Mil", "Gia Nghĩa", "Khối CQ&DN tỉnh"]


@pytest.mark.parametrize(
    ("missing", "names"),
    [(None, ()), ("", ()), ("Huyện A, Huyện B", ("Huyện A", "Huyện B")), (np.array(["Huyện A"]), ("Huyện A",))],
)
def test_missing_units_are_read_from_text_or_from_a_list(missing, names):
    rows = pd.DataFrame({"year": [2025], "units_expected": 3, "units_received": 2, "units_missing": [missing]})

    assert coverage_of({"coverage": rows}, 2025).missing == names


def test_attached_data_never_run_as_a_formula():
    tables = dict(PROVINCES["ba đơn vị"])
    tables["grassroots_excellence"] = tables["grassroots_excellence"].assign(org_name="=HYPERLINK(1)")

    text = outliers.table(outliers.read(tables, 2025)).csv()

    assert text.startswith("\ufeff")
    assert "'=HYPERLINK(1)" in text
    assert ",=HYPERLINK" not in text


def test_the_lint_finds_what_a_reader_would_stumble_over():
    with style.house():
        figure = Figure(figsize=(4, 2))
        axes = figure.subplots()
        axes.set(xlim=(0, 1), xticks=[0.1, 0.9])
        axes.set_xticklabels(["4%", "4%"])
        axes.text(0.5, 0.5, "chữ này")
        axes.text(0.52, 0.5, "đè chữ kia")
        axes.text(0.98, 0.2, "chữ chạy ra khỏi khung hình")
        axes.text(0.1, 0.2, "nhỏ", size=6)
        axes.text(0.1, 0.8, "✓ đạt")
        faults = layout_faults(figure)

    for kind in (
        "chồng chữ: 'chữ này'",
        "ra ngoài khung: 'chữ chạy",
        "nhãn trục lặp: '4%'",
        "chữ nhỏ 6 pt",
        "thiếu nét chữ '✓'",
    ):
        assert any(fault.startswith(kind) for fault in faults), kind


def style_of(figure):
    with style.house():
        return style.svg(figure)
