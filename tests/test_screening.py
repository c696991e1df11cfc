"""Any tidy table: how it is read, what is refused, and what is answered."""

import re

import numpy as np
import pandas as pd
import pytest
from drawing import table

from ratings.reasons import AGAIN, signal_texts
from ratings.screening import screen
from ratings.signals.battery import SIGNALS
from ratings.signals.checking import check
from ratings.signals.frames import InputError, Ratings, Scale
from ratings.signals.reading import guess, layout_of, read, read_layout

LEVELS = ["XS", "HTT", "HT", "KHT"]


def counts(organisations=60, periods=(2023, 2024, 2025), seed=1, share=0.8):
    """Honest counts by level, in the columns that a clerk would write."""
    random = np.random.default_rng(seed)
    rows = []
    for place in range(organisations):
        size = int(random.integers(15, 60))
        own = np.clip(random.normal(share, 0.06), 0.05, 0.97)
        for period in periods:
            good = random.binomial(size, own)
            top = random.binomial(good, 0.15)
            poor = random.binomial(size - good, 0.2)
            rows.append((f"c{place:03d}", f"h{place % 6}", period, top, good - top, size - good - poor, poor))
    return pd.DataFrame(rows, columns=["don_vi", "cap_tren", "nam", *LEVELS])


def scores(pushed=(), schools=40, pupils=120, seed=2):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "school": np.repeat([f"s{place:02d}" for place in range(schools)], pupils),
            "score": np.clip(np.round(random.normal(60, 14, schools * pupils)), 0, 100),
        }
    )
    lifted = frame["school"].isin(pushed) & frame["score"].between(45, 49)
    frame.loc[lifted, "score"] = 50.0
    return frame


def problems_of(frame, **options):
    with pytest.raises(InputError) as refused:
        screen(frame, **options)
    return " ".join(refused.value.problems)


# Reading


def test_vietnamese_columns_are_understood_without_a_word():
    layout = guess(counts().columns, layout_of())

    assert layout.organisation == ("don_vi",)
    assert (layout.parent, layout.period) == ("cap_tren", "nam")
    assert layout.level_columns == {level: level for level in LEVELS}


def test_levels_written_out_are_the_same_levels():
    written = ["Hoàn thành xuất sắc nhiệm vụ", "Hoàn thành tốt nhiệm vụ", "Hoàn thành nhiệm vụ", "Không hoàn thành"]
    renamed = counts().rename(columns=dict(zip(LEVELS, written, strict=True)))

    pd.testing.assert_frame_equal(
        read(renamed).ratings.organisations.iloc[:, 2:], read(counts()).ratings.organisations.iloc[:, 2:]
    )


def test_of_two_columns_that_fit_none_is_guessed():
    assert guess(["unit", "org", "year"], layout_of()).organisation == ()


def test_a_row_a_subject_counts_up_to_a_row_an_organisation():
    wide = counts(organisations=5, periods=(2024, 2025))
    levels = wide.melt(["don_vi", "nam"], LEVELS, "muc", "so")
    long = levels.loc[levels.index.repeat(levels["so"]), ["don_vi", "nam", "muc"]]

    columns = ["organisation", "period", "rated", "good", "top", "level_4"]
    first, second = (
        read(frame).ratings.organisations[columns].sort_values(columns[:2], ignore_index=True).astype({"rated": float})
        for frame in (wide, long)
    )
    pd.testing.assert_frame_equal(first, second, check_dtype=False)


def test_a_row_a_group_counts_up_and_keeps_the_groups():
    frame = table("""
        unit | cell | year | XS | HTT | HT | KHT
        -----+------+------+----+-----+----+----
        a    | 1    | 2025 | 1  | 5   | 1  | 0
        a    | 2    | 2025 | 0  | 4   | 2  | 1
        b    | 1    | 2025 | 2  | 3   | 0  | 0
    """)

    ratings = read(frame, layout_of(group="cell")).ratings

    assert ratings.organisations["rated"].tolist() == [14, 5]
    assert len(ratings.groups) == 3


def test_numbers_may_be_text_with_a_comma_and_what_is_not_known_is_missing():
    frame = table("""
        unit_code | score_no
        ----------+---------
        a         | 7,5
        a         | 8.25
        a         | N/A
        a         |
        a         | 999
    """)

    found = read(frame, layout_of(score="score_no", missing=["999"])).ratings.subjects["score"]

    assert found.tolist()[:2] == [7.5, 8.25]
    assert found.isna().tolist() == [False, False, True, True, True]


def test_times_are_scores_and_their_cutoffs_are_times():
    frame = pd.DataFrame({"race": ["x"] * 3, "time": ["3:59:58", "4:00:02", "59:59"]})

    done = read(frame, layout_of(organisation="race", score="time", cutoffs=["4:00:00"], lower_is_better=True))

    assert done.ratings.subjects["score"].tolist() == [-14398, -14402, -3599]
    assert done.ratings.scale.cutoffs == (-14400,)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (["2023", "2024"], [2023, 2024]),
        (["2024Q1", "2024Q2"], [202401, 202402]),
        (["2023-12", "2024-01"], [202312, 202401]),
        (["Quý 1/2024", "Quý 4/2023"], [202401, 202304]),
        (["2023-05-04", "31/12/2024"], [2023, 2024]),
        (["2022/23", "2023/24"], [2022, 2023]),
        (["2022-2023", "2023-2024"], [2022, 2023]),
    ],
)
def test_periods_are_years_quarters_months_or_days(written, wanted):
    frame = pd.DataFrame({"unit": ["a", "b"], "year": written, "n": [10, 12], "k": [8, 9]})

    assert read(frame).ratings.organisations["period"].tolist() == wanted


def test_several_columns_name_one_organisation():
    frame = pd.DataFrame({"boro": ["X", "X"], "kind": ["first", "second"], "n": [10, 12], "k": [8, 9]})

    done = read(frame, layout_of(organisation=["boro", "kind"]))

    assert done.ratings.organisations["organisation"].tolist() == ["X · first", "X · second"]


def test_how_a_table_was_understood_reads_back_to_the_same(tmp_path):
    layout = read(counts(), layout_of(target=0.9, cap=0.2, cutoffs=[50, 70])).layout
    path = tmp_path / "map.yaml"
    path.write_text(layout.to_yaml(), encoding="utf-8")

    assert layout_of(**read_layout(path)) == layout


def test_an_unknown_key_or_direction_is_told_in_vietnamese():
    with pytest.raises(InputError, match="Không có khóa organisaton"):
        layout_of(organisaton="x")
    with pytest.raises(InputError, match="chiều “nhieu” không rõ"):
        layout_of(evidence={"late": "nhieu"})


# What is refused


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"HTT": -1}, "dòng 4: số mức HTT là số âm"),
        ({"HTT": 2.5}, "dòng 4: số mức HTT không phải là số nguyên"),
        ({"HTT": np.inf}, "dòng 4: số mức HTT không phải là số"),
        ({"don_vi": None}, "Dòng 4: thiếu don_vi"),
        ({"nam": "hai nghìn"}, "Dòng 4: kỳ ở cột nam"),
        ({"nam": 2023}, "dòng 3, 4: một tổ chức có hơn một dòng trong một kỳ"),
    ],
)
def test_a_wrong_row_is_refused_with_its_number(change, told):
    frame = counts().astype(object)
    for column, value in change.items():
        frame.loc[1, column] = value

    assert told in problems_of(frame, first_line=3)


def test_all_problems_are_told_at_once():
    frame = counts().astype(object)
    frame.loc[0, "XS"] = -3
    frame.loc[5, "KHT"] = 0.5
    frame.loc[[7, 9, 11, 13, 15, 17, 19], "HT"] = -1

    told = problems_of(frame)

    assert "dòng 1: số mức XS" in told
    assert "dòng 6: số mức KHT" in told
    assert "dòng 8, 10, 12, 14, 16 và 2 dòng nữa: số mức HT" in told


def test_more_good_than_rated_is_refused():
    frame = pd.DataFrame({"unit": ["a", "b"], "year": 2025, "n": [10, 10], "k": [8, 11]})

    assert "dòng 2: số từ mức tốt trở lên lớn hơn số được xếp loại" in problems_of(frame)


def test_counts_without_end_are_refused_without_a_warning(recwarn):
    levels = {"level_1": np.inf, "level_2": -np.inf, "level_3": 1.0, "level_4": 0.0}
    frame = pd.DataFrame({"organisation": ["a", "b"], "period": 2025, "rated": 3.0, **levels})

    with pytest.raises(InputError, match="không phải là số"):
        check(Ratings(frame))
    assert not [each for each in recwarn if issubclass(each.category, RuntimeWarning)]


def test_a_level_that_is_not_of_the_scale_is_refused():
    frame = pd.DataFrame({"unit": ["a"] * 3, "level": ["XS", "HTT", "giỏi"]})

    assert "Dòng 3: level có mức “giỏi” không có trong thang" in problems_of(frame, levels=LEVELS)
    assert "Không rõ thứ tự các mức" in problems_of(frame)


@pytest.mark.parametrize("value", [-1, 101, "abc"])
def test_a_score_outside_the_scale_is_refused(value):
    frame = scores().astype(object)
    frame.loc[3, "score"] = value

    assert "òng 4:" in problems_of(frame, score_min=0, score_max=100)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"target": 90}, "Chỉ tiêu phải là một tỷ lệ"),
        ({"cap": 0}, "Trần phải là một tỷ lệ"),
        ({"good_from": "tốt"}, "Mức tốt không có trong thang"),
        ({"organisation": "khong_co"}, "Bảng không có cột khong_co"),
        ({"at": 1999}, "Bảng không có kỳ 1999"),
    ],
)
def test_what_was_set_beforehand_must_fit_the_table(options, told):
    assert told in problems_of(counts(), **options)


def test_a_cutoff_outside_the_scale_is_refused():
    told = problems_of(scores(), score_min=0, score_max=100, cutoffs=[650])

    assert "Ngưỡng ngoài thang điểm: 650" in told


def test_an_empty_table_and_one_without_ratings_are_refused():
    assert "không có dòng nào" in problems_of(counts().iloc[:0])
    assert "Không rõ cột xếp loại" in problems_of(pd.DataFrame({"unit": ["a"], "year": [2025]}))


def test_frames_of_ratings_are_checked_like_tables():
    organisations = pd.DataFrame({"organisation": ["a"], "period": [2025], "rated": [5], "own_level": [7]})
    subjects = pd.DataFrame({"organisation": ["z"], "period": [2025], "final": [1.0]})

    with pytest.raises(InputError, match="mức của tổ chức không có trong thang"):
        check(Ratings(organisations))
    with pytest.raises(InputError, match="tổ chức không có trong bảng tổ chức"):
        check(Ratings(organisations.drop(columns="own_level"), subjects=subjects))
    with pytest.raises(InputError, match="ít nhất hai mức"):
        check(Ratings(organisations.drop(columns="own_level"), Scale(levels=("đạt",))))


# What is answered


@pytest.mark.parametrize("organisations", [1, 3, 15])
def test_few_units_and_one_period_are_answered_and_never_with_a_certainty(organisations):
    screened = screen(counts(organisations, periods=(2025,)))

    assert len(screened.organisations) == organisations
    assert not screened.listed["band"].eq("A").any()
    assert screened.signals["p"].isna().equals(~screened.signals["is_testable"].astype(bool))
    assert not screened.not_testable.empty


def test_one_level_everywhere_is_not_testable():
    frame = counts().assign(XS=0, HTT=20, HT=0, KHT=0)

    signals = screen(frame, target=0.9, cap=0.2).signals

    assert not signals.loc[signals["signal"].isin(["EVIDENCE", "TOP", "FUNNEL"]), "is_testable"].any()


def test_an_organisation_with_two_reasons_is_listed_and_told_in_words():
    frame = counts(organisations=120).set_index("don_vi")
    for code, sizes in (("c007", (0, 40, 0, 0)), ("c011", (0, 52, 0, 0))):
        frame.loc[code, LEVELS] = [sizes] * 3

    screened = screen(frame.reset_index())

    assert set(screened.listed.head(2)["organisation"]) == {"c007", "c011"}
    told = screened.reasons[screened.reasons["organisation"] == "c007"]
    assert len(told) >= 2
    assert told["place"].tolist() == [*range(1, len(told) + 1)]
    assert "40 trên 40" in " ".join(told["sentence"])
    assert screened.budget.listed["A"] >= 2


def test_every_sentence_asks_for_a_second_look_and_accuses_nobody():
    frame = counts(organisations=120).set_index("don_vi")
    frame.loc["c007", LEVELS] = [(0, 40, 0, 0)] * 3
    screened = screen(frame.reset_index(), target=0.8, cap=0.2)
    pushed = screen(scores(pushed=["s03", "s05"]), cutoffs=[50], organisation="school")

    sentences = pd.concat([screened.reasons["sentence"], screened.single["sentence"], pushed.single["sentence"]])

    assert len(sentences) > 20
    assert sentences.str.endswith(AGAIN).all()
    assert not sentences.str.contains("gian dối|không rõ|nan", case=False).any()
    assert not sentences.str.contains(r"[{}]").any()


def test_every_signal_has_its_words():
    texts = signal_texts()

    assert set(texts) == set(SIGNALS)
    for text in texts.values():
        assert not re.search("gian|dối|bịa", " ".join([*text.reported.values(), *text.usual.values(), text.name]))


def test_a_later_period_does_not_change_what_was_answered_of_an_earlier_one():
    frame = counts()

    pd.testing.assert_frame_equal(
        screen(frame, at=2024).organisations, screen(frame[frame["nam"] <= 2024]).organisations
    )


def test_the_column_of_periods_may_be_named_and_another_period_judged_than_the_last():
    frame = counts().rename(columns={"nam": "lần"})

    named = screen(frame, period="lần", at=2024)

    assert named.layout.period == "lần"
    assert named.period == 2024
    pd.testing.assert_frame_equal(named.organisations, screen(counts(), at=2024).organisations)


def test_the_order_of_rows_does_not_matter():
    frame = counts()

    first, second = screen(frame), screen(frame.sample(frac=1, random_state=5))

    pd.testing.assert_frame_equal(first.organisations, second.organisations)
    pd.testing.assert_frame_equal(first.signals, second.signals)


def test_scores_moved_over_a_cutoff_are_found_at_it_and_nowhere_else():
    screened = screen(scores(pushed=[f"s{place:02d}" for place in range(40)]), cutoffs=[50], organisation="school")

    whole = screened.bunching[screened.bunching["kind"] == "all"]
    assert whole.loc[whole["cutoff"] == 50, "q"].iloc[0] < 0.01
    assert whole.loc[whole["is_placebo"].astype(bool), "p"].min() > 0.01
    assert AGAIN in whole.loc[whole["cutoff"] == 50, "sentence"].iloc[0]


def finishers(kept_up: float, seed=5, count=40_000):
    """Times of runners, some of whom reach a whole hour that they would have missed by minutes."""
    random = np.random.default_rng(seed)
    time = random.lognormal(np.log(15_300), 0.2, count)
    for hour in range(10_800, 21_600, 3600):
        late = (time >= hour) & (time < hour + 300) & (random.random(count) < kept_up)
        time = np.where(late, hour - random.exponential(60, count), time)
    return pd.DataFrame({"race": random.integers(0, 8, count).astype(str), "year": 2013, "time": np.floor(time)})


@pytest.mark.parametrize(("kept_up", "found"), [(0.4, True), (0.0, False)])
def test_times_gather_before_whole_hours_where_runners_aim_at_them_and_at_no_quarter(kept_up, found):
    hours = ["3:00:00", "4:00:00", "5:00:00"]

    screened = screen(
        finishers(kept_up), organisation="race", period="year", score="time", cutoffs=hours, lower_is_better=True
    )

    whole = screened.bunching[screened.bunching["kind"] == "all"]
    is_placebo = whole["is_placebo"].to_numpy(bool)
    assert ((whole.loc[~is_placebo, "p"] < 0.05) == found).all()
    assert (whole.loc[is_placebo & whole["is_testable"].to_numpy(bool), "p"] > 0.01).all()
    assert (whole.loc[is_placebo, "cutoff"] % 900 == 0).all()


def test_a_number_for_a_period_is_the_one_judged_and_a_text_is_its_column():
    frame = counts().rename(columns={"nam": "when"})

    assert screen(frame, period="when").period == 2025
    assert screen(counts(), at=2024).period == 2024


def test_where_lower_is_better_the_mirror_image_gives_the_same_answer():
    frame = scores(pushed=["s01", "s02"])
    mirrored = frame.assign(score=100 - frame["score"])
    options = {"organisation": "school", "score_min": 0, "score_max": 100}

    up = screen(frame, cutoffs=[50], **options)
    down = screen(mirrored, cutoffs=[50], lower_is_better=True, **options)

    pd.testing.assert_series_equal(up.signals["p"], down.signals["p"])
    of_all = [each.bunching[each.bunching["kind"] == "all"] for each in (up, down)]
    assert of_all[0]["z"].iloc[0] == pytest.approx(of_all[1]["z"].iloc[0])
    assert of_all[1]["cutoff"].iloc[0] == 50


def test_a_histogram_is_judged_like_its_scores():
    frame = scores(pushed=["s01", "s02"])
    counted = frame.groupby(["school", "score"], as_index=False).size().rename(columns={"size": "count"})
    options = {"organisation": "school", "cutoffs": [50]}

    first, second = screen(frame, **options), screen(counted, **options)

    pd.testing.assert_series_equal(first.signals["p"], second.signals["p"])
    pd.testing.assert_frame_equal(first.bunching, second.bunching)


def ratings_by_judges(lenient=None, home=0.0, seed=3):
    random = np.random.default_rng(seed)
    quality, judges = random.normal(7, 1, 60), [f"j{place}" for place in range(9)]
    rows = pd.DataFrame(
        [(judge, f"e{entry:02d}", quality[entry]) for judge in judges for entry in range(60)],
        columns=["judge", "entry", "mark"],
    )
    rows["judge_land"] = rows["judge"].map({judge: f"land{place % 3}" for place, judge in enumerate(judges)})
    rows["entry_land"] = [f"land{int(entry[1:]) % 5}" for entry in rows["entry"]]
    rows["mark"] += random.normal(0, 0.3, len(rows)) + 0.8 * (rows["judge"] == lenient)
    rows["mark"] += home * (rows["judge_land"] == rows["entry_land"])
    return rows


def test_the_lenient_of_several_raters_is_found():
    screened = screen(ratings_by_judges(lenient="j4"), rater="judge", subject="entry", score="mark")

    assert screened.raters["rater"].iloc[0] == "j4"
    assert screened.raters["q"].iloc[0] < 0.05 < screened.raters["q"].iloc[1]
    assert screened.raters["sentence"].iloc[0].endswith(AGAIN)
    assert screened.single["organisation"].tolist() == ["j4"]


def test_what_raters_give_their_own_side_is_told():
    options = {"rater": "judge", "subject": "entry", "score": "mark"}
    sides = {"rater_side": "judge_land", "subject_side": "entry_land"}

    fond, fair = (screen(ratings_by_judges(home=home), **options, **sides).favour for home in (0.5, 0.0))

    assert fond.effect == pytest.approx(0.5, abs=0.15)
    assert fond.p < 1e-4 < 0.01 < fair.p


def test_the_rated_may_be_called_the_organisation_and_the_raters_are_judged_all_the_same():
    screened = screen(ratings_by_judges(lenient="j4"), organisation="entry", rater="judge", score="mark")

    assert set(screened.organisations["organisation"]) == {f"j{place}" for place in range(9)}
    assert "người chấm" in screened.notes[0]


def test_ratings_take_no_layout():
    with pytest.raises(TypeError, match="layout"):
        screen(read(counts()).ratings, target=0.9)
