"""Scores beside cut-offs: of organisations among their peers, and of whole tables against all other places."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ratings.signals.frames import REASONS, SIGNAL_COLUMNS, Ratings, Scale
from ratings.signals.scores import BUNCHING_COLUMNS, Steps, bunch, bunching, placebos_of
from ratings.simulation import SCALE, Province, simulate


def province(seed=0, organisations=60, members=60, rounders=0.2, pushes="o007", step=0.5) -> Ratings:
    """Scores of 0 to 100 in half points; some organisations round to fives, one lifts what is just below a cut-off."""
    random = np.random.default_rng(seed)
    codes = [f"o{code:03}" for code in range(organisations)]
    rows = []
    for code in codes:
        score = np.clip(random.normal(random.normal(76, 3), 9, members), 0, 100)
        coarse = (random.random(members) < 0.6) & (random.random() < rounders)
        score = np.where(coarse, np.round(score / 5) * 5, np.round(score / step) * step)
        if code == pushes:
            for cutoff in (70, 90):
                score = np.where(
                    (score < cutoff) & (score >= cutoff - 4), cutoff + random.integers(0, 2, members), score
                )
        rows.append(pd.DataFrame({"organisation": code, "period": 2025, "score": score}))
    frame = pd.DataFrame({"organisation": codes, "period": 2025, "type": "chi bộ"})
    return Ratings(frame, SCALE, subjects=pd.concat(rows, ignore_index=True))


def p_of(answer: pd.DataFrame) -> list[float]:
    return answer["p"].astype(float).tolist()


class TestOrganisations:
    def test_one_that_lifts_scores_over_the_cut_off_stands_out(self):
        answer = bunch(province(), 2025)

        assert list(answer.columns) == list(SIGNAL_COLUMNS)
        assert answer.loc[answer["p"].idxmin(), "organisation"] == "o007"
        assert answer["p"].min() < 0.001
        found = answer.set_index("organisation").loc["o007"]
        assert found["observed"] - found["expected"] == pytest.approx(found["statistic"])
        assert json.loads(found["parameters"])["cutoffs"] == [50.0, 70.0, 90.0]

    def test_who_rounds_everywhere_does_so_at_the_placebos_too(self):
        honest = [bunch(province(seed, pushes=None, rounders=0.6), 2025)["p"].dropna() for seed in range(10)]

        assert (pd.concat(honest) <= 0.05).mean() <= 0.06

    @pytest.mark.parametrize("scenario", [Province(planted=0), Province(planted=0, rounders=0.6)], ids=["few", "many"])
    def test_honest_organisations_are_seldom_called(self, scenario):
        p = pd.concat([bunch(ratings, ratings.organisations["period"].max())["p"].dropna()
                       for seed in range(4) for ratings in [simulate(seed, scenario)[0]]])  # fmt: skip

        assert len(p) > 800
        assert (p <= 0.05).mean() <= 0.07

    def test_a_histogram_says_what_its_subjects_say(self):
        ratings = province()
        counted = ratings.subjects.groupby(["organisation", "period", "score"]).size().reset_index(name="count")

        answer = bunch(replace(ratings, subjects=pd.DataFrame(), scores=counted), 2025)

        pd.testing.assert_frame_equal(answer, bunch(ratings, 2025))

    @pytest.mark.parametrize(("factor", "shift"), [(0.1, 0), (10, 0), (1, 100)], ids=["of ten", "of 1000", "moved"])
    def test_the_unit_of_the_scale_does_not_matter(self, factor, shift):
        ratings = province()
        scale = replace(
            SCALE,
            cutoffs=tuple(each * factor + shift for each in SCALE.cutoffs),
            score_min=shift,
            score_max=100 * factor + shift,
            score_step=0.5 * factor,
        )
        subjects = ratings.subjects.assign(score=ratings.subjects["score"] * factor + shift)

        answer = bunch(replace(ratings, scale=scale, subjects=subjects), 2025)

        assert p_of(answer) == pytest.approx(p_of(bunch(ratings, 2025)), nan_ok=True)

    def test_the_order_of_rows_and_a_later_period_say_nothing(self):
        ratings = province()
        later = ratings.subjects.assign(period=2026, score=70.0)
        organisations = pd.concat([ratings.organisations, ratings.organisations.assign(period=2026)])
        mixed = replace(
            ratings,
            organisations=organisations.sample(frac=1, random_state=2),
            subjects=pd.concat([later, ratings.subjects]).sample(frac=1, random_state=3),
        )

        pd.testing.assert_frame_equal(bunch(mixed, 2025), bunch(ratings, 2025))

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"subjects": pd.DataFrame()}, "no_scores"),
            ({"scale": replace(SCALE, cutoffs=())}, "no_cutoff"),
            ({"organisations": province(organisations=14).organisations}, "too_few_peers"),
        ],
        ids=["no scores", "no cut-offs", "fourteen organisations"],
    )
    def test_why_not(self, changed, reason):
        assert set(bunch(replace(province(), **changed), 2025)["reason_code"]) == {reason}

    def test_an_organisation_with_nothing_beside_a_cut_off_is_too_small(self):
        ratings = province()
        own = ratings.subjects["organisation"] == "o003"
        ratings.subjects.loc[own, "score"] = 80.0

        answer = bunch(ratings, 2025).set_index("organisation")

        assert answer.loc["o003", "reason_code"] == "too_small"
        assert answer["is_testable"].sum() == 59

    def test_placebos_are_clear_of_the_cut_offs(self):
        chosen = placebos_of(Scale(cutoffs=(50, 70, 90)), Steps(0.5, 0, 100))

        assert {65, 75, 80, 85, 60} <= set(chosen)
        assert not {50, 70, 90, 0, 100} & set(chosen)
        assert placebos_of(Scale(cutoffs=(50,), placebos=(33, 44)), Steps(1, 0, 100)) == (33, 44)

    @pytest.mark.parametrize(
        ("cutoffs", "steps", "apart"),
        [
            ((13, 27), Steps(1, 0, 70), 5),
            ((32,), Steps(1, 0, 40), 2),
            ((240,), Steps(1, 30, 600), 20),
            ((620,), Steps(1, 480, 820), 20),
            ((4 * 3600,), Steps(1, 9000, 25000), 900),
            ((0.65,), Steps(0.01, 0, 1), 0.05),
        ],
        ids=["violations", "phonics", "minutes", "credit", "marathon", "shares"],
    )
    def test_placebos_stand_at_round_numbers(self, cutoffs, steps, apart):
        chosen = np.array(placebos_of(Scale(cutoffs=cutoffs), steps))

        assert len(chosen) >= 8
        assert chosen / apart == pytest.approx(np.round(chosen / apart))


def drawn(shape: str, seed=0, moved=False, count=20_000) -> tuple[pd.DataFrame, list[float], list[float]]:
    """Scores of a kind that the world knows, their cut-off and places that are as round; with some moved or not."""
    random = np.random.default_rng(seed)
    if shape == "pass mark":
        score = np.round(np.clip(random.normal(54, 18, count), 0, 100))
        lifted = (score < 30) & (score >= 22) & (random.random(count) < 0.6)
        return _frame(np.where(lifted & moved, 30, score)), [30.0], [20.0, 40.0, 50.0, 60.0, 70.0]
    if shape == "twenty points":
        score = np.round(np.clip(random.normal(10.5, 3.5, count), 0, 20))
        lifted = (score < 10) & (score >= 8) & (random.random(count) < 0.4)
        return _frame(np.where(lifted & moved, 10, score)), [10.0], [4.0, 5.0, 13.0, 14.0]
    if shape == "waiting minutes":
        wait = np.where(random.random(count) < 0.3, 5.0, 1.0)
        minutes = random.lognormal(4.9, 0.6, count)
        late = (minutes > 240) & (minutes < 300) & (random.random(count) < 0.5)
        minutes = np.where(late & moved, 240 - random.exponential(8, count), minutes)
        return _frame(-np.ceil(minutes / wait) * wait), [-240.0], [-120.0, -180.0, -200.0, -300.0]
    if shape == "credit":
        score = np.round(np.clip(random.normal(680, 70, 5 * count), 450, 850))
        gone = (score < 620) & (random.random(5 * count) < 0.4)
        return _frame(score[~(gone & moved)]), [620.0], [580.0, 600.0, 640.0, 660.0, 700.0]
    seconds = random.lognormal(np.log(4.4 * 3600), 0.22, 5 * count)
    over = (seconds > 14400) & (seconds < 14760) & (random.random(5 * count) < 0.35)
    seconds = np.where(over & moved, 14400 - random.exponential(60, 5 * count), seconds)
    return _frame(-np.round(seconds, 1)), [-14400.0], [-13500.0, -15300.0, -16200.0]


def _frame(score: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"score": score})


SHAPES = ("pass mark", "twenty points", "waiting minutes", "credit", "run times")
every_shape = pytest.mark.parametrize("shape", SHAPES)


class TestWholeTables:
    @every_shape
    def test_what_was_moved_is_found_at_the_cut_off_alone(self, shape):
        scores, cutoffs, placebos = drawn(shape, moved=True)

        found = bunching(scores, cutoffs, placebos=placebos)

        assert list(found.columns) == list(BUNCHING_COLUMNS)
        assert (found.loc[~found["is_placebo"], "p"] < 0.001).all()
        assert (found.loc[found["is_placebo"], "p"] > 0.05).all()
        assert (found.loc[~found["is_placebo"], "moved"] > 100).all()

    @every_shape
    def test_a_smooth_table_is_seldom_called(self, shape):
        found = pd.concat([bunching(scores, cutoffs, placebos=placebos) for seed in range(8)
                           for scores, cutoffs, placebos in [drawn(shape, seed)]])  # fmt: skip

        assert found["is_testable"].all()
        assert (found["p"] <= 0.05).mean() <= 0.06
        assert found["p"].min() > 0.001

    @pytest.mark.parametrize("share", [0.2, 0.6])
    def test_round_numbers_are_no_cut_offs(self, share):
        random = np.random.default_rng(0)
        exact = random.normal(72, 10, 20_000)
        score = np.where(random.random(20_000) < share, np.round(exact / 5) * 5, np.round(exact))
        pushed = np.where((score < 70) & (score >= 66) & (random.random(20_000) < 0.5), 70, score)

        p = [
            bunching(_frame(each), [70.0, 80.0], scale=Scale(score_min=0, score_max=100))["p"]
            for each in (score, pushed)
        ]

        assert (p[0] > 0.05).all()
        assert (p[1] < 0.05).tolist() == [True, False]

    def test_the_unit_of_the_scale_does_not_matter(self):
        scores, cutoffs, placebos = drawn("pass mark", moved=True)

        found = bunching(scores * 0.25, [each * 0.25 for each in cutoffs], placebos=[each * 0.25 for each in placebos])

        assert p_of(found) == pytest.approx(p_of(bunching(scores, cutoffs, placebos=placebos)))

    def test_gaps_of_a_scale_at_its_thin_end_are_no_finding(self):
        # Marks of 70 points as percent leave gaps; below 20 hardly anyone has one.
        random = np.random.default_rng(3)
        points = np.round(70 * random.beta(9, 4, 30_000))
        marks = pd.DataFrame({"score": np.round(points / 70 * 100)})

        found = bunching(marks, [50], placebos=range(5, 100, 5), scale=Scale(score_min=0, score_max=100))

        assert found.loc[found["is_testable"], "p"].min() > 0.01
        thin = found[found["above"] + found["below"] < 150]
        assert len(thin) > 2
        assert not thin["is_testable"].any()

    def test_units_are_judged_one_by_one_and_counts_are_scores_repeated(self):
        moved, cutoffs, _ = drawn("pass mark", moved=True)
        smooth, _, _ = drawn("pass mark", seed=1)
        both = pd.concat([moved.assign(unit="B"), smooth.assign(unit="A")])
        counted = both.groupby(["unit", "score"]).size().reset_index(name="count").sample(frac=1, random_state=0)

        found = bunching(counted, cutoffs)

        assert found["unit"].tolist() == ["A", "B"]
        assert found["p"].iloc[0] > 0.05 > found["p"].iloc[1]
        pd.testing.assert_frame_equal(found, bunching(both, cutoffs))

    @pytest.mark.parametrize(
        ("score", "reason"),
        [
            (np.round(np.random.default_rng(0).normal(50, 15, 199)), "too_small"),
            (np.round(np.random.default_rng(0).normal(80, 4, 2_000)), "too_small"),
            (np.random.default_rng(0).integers(1, 6, 5_000), "too_few_peers"),
        ],
        ids=["199 scores", "none near the cut-off", "five stars"],
    )
    def test_why_not(self, score, reason):
        found = bunching(_frame(score), [4.0 if reason == "too_few_peers" else 50.0])

        assert found["reason_code"].tolist() == [reason]
        assert reason in REASONS
        assert found[["z", "p", "moved"]].isna().all().all()

    def test_no_scores_and_no_cut_offs_give_no_rows(self):
        for found in (bunching(_frame(np.array([])), [50.0]), bunching(_frame(np.array([1.0])), [])):
            assert list(found.columns) == list(BUNCHING_COLUMNS)
            assert found.empty
