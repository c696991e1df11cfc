"""The budget of the review list, on three made-up provinces of each kind; and the yardsticks it is measured with.

Tolerances follow from the counts: a bound is missed where chance would exceed it once in a thousand times only.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, poisson

from benchmarks import detection
from ratings.simulation import MECHANISMS, Province

RARE = 0.001

SEEDS = range(3)
SHOWN = ("ordinary", "hard", "empty", "empty_hard", "empty_rounders", "empty_habits", "empty_small")


def scenario(name: str) -> detection.Scenario:
    return next(each for each in detection.SCENARIOS if each.name == name)


@pytest.fixture(scope="module")
def provinces() -> dict[str, list[pd.DataFrame]]:
    return {
        name: [detection.judged(*detection.simulate(seed, scenario(name).province)) for seed in SEEDS] for name in SHOWN
    }


def listed(frame: pd.DataFrame) -> pd.Series:
    return frame["band"].isin(["A", "B"])


@pytest.mark.parametrize("name", [name for name in SHOWN if name.startswith("empty")])
def test_an_empty_province_lists_hardly_anyone(provinces, name):
    falsely = sum(listed(frame).sum() for frame in provinces[name])

    assert falsely <= poisson.isf(RARE, detection.MOST_LISTED_IN_EMPTY * len(SEEDS))


@pytest.mark.parametrize("name", [name for name in SHOWN if name.startswith("empty")])
def test_no_signal_calls_more_of_the_honest_surprising_than_it_says(provinces, name):
    for column in [each for each in provinces[name][0] if each.startswith("p_")]:
        p = pd.concat([frame[column] for frame in provinces[name]]).dropna()
        assert (p <= 0.05).sum() <= binom.isf(RARE, len(p), detection.LARGEST_SIZE), column


@pytest.mark.parametrize("name", ["ordinary", "hard"])
@pytest.mark.parametrize("nominal", detection.NOMINAL)
def test_no_more_of_the_listed_are_honest_than_the_list_says(provinces, name, nominal):
    chosen = [frame[frame["q"] <= nominal] for frame in provinces[name]]
    honest = sum((~detection.inflates(frame)).sum() for frame in chosen)

    assert sum(map(len, chosen)) > 0
    assert honest <= poisson.isf(RARE, nominal * sum(map(len, chosen)))


@pytest.mark.parametrize("name", ["ordinary", "hard"])
@pytest.mark.parametrize("other", ["share", "forest", "flags"])
def test_the_list_ranks_the_planted_higher_than_simpler_ways_do(provinces, name, other):
    for frame in provinces[name]:
        figures = detection.measured(frame)
        assert figures["of_list"]["auroc"] > figures[f"of_{other}"]["auroc"]
        assert figures["of_list"]["precision_25"] > figures[f"of_{other}"]["precision_25"]


@pytest.mark.parametrize("name", ["copy_forward", "evidence_gap", "own_level", "unappraised", "score_pushing"])
def test_what_leaves_a_trace_of_its_own_stands_above_most_of_the_honest(provinces, name):
    scores = [detection.measured(frame)["mechanisms"][name]["auroc_list"] for frame in provinces["ordinary"]]

    assert np.mean(scores) > 0.8


def test_real_reformers_are_not_listed(provinces):
    reformers = [frame[frame["is_reformer"] & frame["mechanism"].isna()] for frame in provinces["ordinary"]]

    count = sum(map(len, reformers))
    assert count > 0
    assert sum(listed(frame).sum() for frame in reformers) <= binom.isf(RARE, count, 0.01)


def test_who_had_nothing_to_tamper_with_is_not_to_be_found(provinces):
    for frame in provinces["ordinary"]:
        figures = detection.measured(frame)
        assert figures["planted"] + figures["idle"] == 75
        assert figures["idle"] > 0
        assert sum(told["organisations"] for told in figures["mechanisms"].values()) == figures["planted"]


@pytest.fixture(scope="module")
def parts() -> dict[str, list[pd.DataFrame]]:
    """Cells and units of two provinces of each kind, through the marts."""
    return {
        name: [detection.judged_parts(kind.level, seed, kind.province) for seed in range(2)]
        for name in ("cells", "cells_empty", "units_many", "units_empty_many")
        for kind in [next(each for each in detection.PARTS if each.name == name)]
    }


@pytest.mark.parametrize("name", ["cells_empty", "units_empty_many"])
def test_where_nobody_inflates_hardly_a_cell_or_a_unit_is_listed(parts, name):
    assert sum(listed(frame).sum() for frame in parts[name]) <= poisson.isf(RARE, detection.MOST_LISTED_IN_EMPTY * 2)


@pytest.mark.parametrize("name", ["cells_empty", "units_empty_many"])
def test_no_signal_calls_more_of_the_honest_cells_and_units_surprising_than_it_says(parts, name):
    for column in [each for each in parts[name][0] if each.startswith("p_")]:
        p = pd.concat([frame[column] for frame in parts[name]]).dropna()
        assert (p <= 0.05).sum() <= binom.isf(RARE, len(p), detection.LARGEST_SIZE), column


@pytest.mark.parametrize("name", ["cells", "units_many"])
def test_cells_and_units_that_inflate_stand_above_the_others(parts, name):
    figures = [detection.measured(frame) for frame in parts[name]]

    assert all(each["planted"] > 0 for each in figures)
    assert np.mean([each["of_list"]["auroc"] for each in figures]) > 0.6
    assert all(each["fdr_10"] == 0 or each["listed_10"] > 1 for each in figures)


def test_a_unit_is_planted_where_everybody_in_it_inflates(parts):
    assert [detection.inflates(frame).sum() for frame in parts["units_many"]] == [6, 6]
    assert all(len(frame) == 60 for frame in parts["units_many"])


def test_cells_are_judged_from_ten_rated_on(parts):
    assert min(frame["rated"].min() for frame in parts["cells"]) == 10


def test_every_kind_of_province_plants_every_mechanism_or_none():
    for each in (*detection.SCENARIOS, *detection.PARTS):
        assert each.province.mechanisms == ()
        assert each.is_empty == ("empty" in each.name)
    assert {each.province.strength for each in detection.SCENARIOS} == {1.0, 0.5}


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    score = np.array([3.0, 1.0, 2.0, 2.0, np.nan])
    found, honest = np.array([1, 0, 1, 0, 0], bool), np.array([0, 1, 0, 1, 1], bool)

    assert detection.auroc(score, found, honest) == pytest.approx((3 + 2.5) / 6)
    assert np.isnan(detection.auroc(score, np.zeros(5, bool), honest))


def test_recall_is_counted_above_all_but_the_allowed_honest():
    score = np.r_[np.arange(100.0), 93.5, 94.5]
    found = np.arange(102) >= 100

    assert detection.recall_at(score, found, ~found) == 0.5
    assert detection.recall_at(score, found, ~found, rate=0.0) == 0.0


def test_an_isolation_forest_finds_what_stands_apart():
    columns = np.random.default_rng(1).standard_normal((400, 3))
    columns[7] = 6.0

    stranger = detection.isolation_forest(columns)
    assert stranger.argmax() == 7
    assert ((stranger > 0) & (stranger < 1)).all()


def test_the_page_is_written_between_its_markers_only(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{detection.BEGIN}\nold\n{detection.END}\nafter\n")

    detection.write_page(page, "new")
    assert page.read_text() == f"before\n{detection.BEGIN}\n\nnew\n{detection.END}\nafter\n"

    page.write_text("no markers")
    with pytest.raises(ValueError, match="measured: begin"):
        detection.write_page(page, "new")


def test_a_page_can_be_made_of_any_kinds_of_provinces():
    small = [
        detection.Scenario("ordinary", "small", Province(organisations=80)),
        detection.Scenario("empty", "small", Province(organisations=80, planted=0)),
    ]
    result = {"machine": "m", "input": "i", "scenarios": detection.run(small, [1], 1)}
    result["time"] = {"simulate": 1.0, "signals": 1.0, "combine": 1.0, "seconds": 2.0, "subjects": 1.0}

    told = detection.page(result)
    assert "Cells and reporting units" not in told
    smaller = Province(organisations=60, parents=5)
    kinds = [
        detection.Scenario("cells", "small", smaller, "cell"),
        detection.Scenario("units_empty", "small", replace(smaller, planted=0), "unit"),
    ]

    text = detection.page(result | {"parts": detection.run(kinds, [1], 1)})
    assert "`cells`: the defaults" in text
    assert "`units_empty`: twelve" in text
    assert all(f"`{name}`" in text for name in MECHANISMS)
    assert "A province takes 2.00 s" in text
    assert "nan" not in text
