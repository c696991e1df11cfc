"""All signals together: what they answer hangs on the ratings alone, not on how their tables are held in memory."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.nation import Size, counted, judge, make, read
from ratings.combination import combine
from ratings.signals import battery, statistics
from ratings.simulation import Province, simulate

OF_SINGLE_MEMBERS = {"COPY", "ROTATE"}
CODES = ["organisation", "group", "subject"]


@pytest.fixture(scope="module", name="province")
def _province():
    return simulate(4, Province(organisations=150, rechecked=0.3))[0]


@pytest.fixture(scope="module", name="answer")
def _answer(province):
    return battery.signals(province)


def with_frames(ratings, change):
    """The ratings with what `change` makes of their groups and subjects."""
    return replace(ratings, groups=change(ratings.groups), subjects=change(ratings.subjects))


def recoded(frame, kind):
    return frame.astype({name: kind for name in CODES if name in frame})


@pytest.mark.parametrize("kind", ["object", "category", "str"])
def test_codes_may_be_text_or_categories(kind, province, answer):
    pd.testing.assert_frame_equal(battery.signals(with_frames(province, lambda each: recoded(each, kind))), answer)


def test_categories_may_stand_in_any_order_and_some_may_be_of_nobody(province, answer):
    def backwards(frame):
        names = {name: [*sorted(frame[name].unique(), reverse=True), "không ai"] for name in CODES if name in frame}
        return frame.astype({name: pd.CategoricalDtype(categories) for name, categories in names.items()})

    pd.testing.assert_frame_equal(battery.signals(with_frames(province, backwards)), answer)


def test_labels_of_rows_say_nothing(province, answer):
    relabelled = with_frames(province, lambda each: each.set_axis(np.arange(len(each))[::-1] // 2))

    pd.testing.assert_frame_equal(battery.signals(relabelled), answer)


def test_members_without_a_code_are_nobodys_second_year(province):
    def without(rows):
        return rows.assign(subject=rows["subject"].mask(rows["period"] == rows["period"].max()))

    rows = battery.signals(replace(province, subjects=without(province.subjects)), only=["ROTATE"])
    known = battery.signals(province, only=["ROTATE"])

    assert rows["n"].fillna(0).sum() < known["n"].sum()


def test_the_tables_that_were_given_stay_as_they_were(province):
    before = {name: getattr(province, name).copy() for name in ("organisations", "groups", "subjects")}

    battery.signals(province)

    for name, frame in before.items():
        pd.testing.assert_frame_equal(getattr(province, name), frame)


def test_what_was_made_shorter_once_is_not_made_shorter_again(province, answer):
    period = battery.latest_period(province)

    pd.testing.assert_frame_equal(battery.signals(battery.recent(province, period), period), answer)


@pytest.mark.parametrize("table", [1, 50_000])
def test_the_size_of_the_parts_in_which_exact_chances_are_made_says_nothing(table, province, answer, monkeypatch):
    monkeypatch.setattr(statistics, "TABLE", table)

    pd.testing.assert_frame_equal(battery.signals(province), answer)


def test_counts_say_what_their_members_say_but_who_they_are(province, answer):
    of_counts = battery.signals(counted(province))

    for name in set(battery.SIGNALS) - OF_SINGLE_MEMBERS:
        mine, theirs = (rows[rows["signal"] == name].reset_index(drop=True) for rows in (of_counts, answer))
        pd.testing.assert_frame_equal(mine, theirs)
    assert of_counts.loc[of_counts["signal"] == "ROTATE", "p"].isna().all()


def test_the_bench_judges_the_country_that_was_made(tmp_path):
    size = Size("small", 80, 2, 6, has_members=False, planted=0.3)
    _, truth = simulate(1, Province(80, 2, 0.3, parents=6))

    make(size, tmp_path)
    found = judge(tmp_path, 1)

    assert found["rows"]["organisations"] == 160
    assert found["rows"]["subjects"] == 0 < found["rows"]["scores"]
    assert found["inflate"] == (truth["mechanism"].notna() & truth["is_tampered"]).sum()
    listed = combine(battery.signals(read(tmp_path))).budget.listed
    assert {band: found["listed"][band] for band in "ABC"} == listed
