"""Signals of how levels came about: copied, filled to the cap, never lowered, left out, not confirmed, by whom."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ratings.signals import caps, copying, excluded, gap, ladder, raters
from ratings.signals.caps import allowed
from ratings.signals.frames import REASONS, SIGNAL_COLUMNS, Ratings, Scale
from ratings.signals.raters import FEWEST_RATERS, favour_of_all
from ratings.simulation import Province, simulate

MODULES = (copying, caps, ladder, excluded, gap, raters)
SIGNALS = {name: signal for module in MODULES for name, signal in module.SIGNALS.items()}
every_signal = pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)

HONEST = {
    "plain": Province(organisations=250, planted=0, rechecked=0.3),
    "one first year": Province(organisations=250, planted=0, periods=1),
    "harsh and mild": Province(organisations=250, planted=0, leniency=1.0, districts=0.7, persistence=0.8),
    "rounding to fives": Province(organisations=250, planted=0, rounders=0.6),
}


def organisations(count=40, periods=(2025,), **columns) -> pd.DataFrame:
    """Organisations o000 … of one kind, every column the same in each period unless given as a list."""
    frame = pd.DataFrame([(f"o{code:03}", period) for code in range(count) for period in periods])
    frame.columns = ["organisation", "period"]
    for name, value in {"parent": "p", "type": "chi bộ", **columns}.items():
        frame[name] = np.repeat(value, len(periods)) if isinstance(value, list) else value
    return frame


def of(answer: pd.DataFrame, organisation: str) -> pd.Series:
    return answer.set_index("organisation").loc[organisation]


class TestEverySignal:
    @pytest.fixture(scope="class", name="province")
    @staticmethod
    def _province():
        return simulate(3, Province(organisations=120, rechecked=0.5))[0]

    @every_signal
    def test_a_row_for_every_organisation_of_the_period_with_p_or_a_reason(self, signal, province):
        answer = signal(province, 2025 if 2025 in set(province.organisations["period"]) else _last(province))

        assert list(answer.columns) == list(SIGNAL_COLUMNS)
        assert answer["organisation"].tolist() == sorted(province.organisations["organisation"].unique())
        assert (answer["p"].notna() == answer["is_testable"]).all()
        assert (answer["reason_code"].notna() == ~answer["is_testable"]).all()
        assert set(answer["reason_code"].dropna()) <= set(REASONS)
        assert all(isinstance(json.loads(text), dict) for text in answer["parameters"])

    @every_signal
    def test_the_order_of_rows_says_nothing(self, signal, province):
        def shuffled(frame):
            return frame.sample(frac=1, random_state=1).reset_index(drop=True)

        frames = ("organisations", "groups", "subjects", "scores", "rechecks")
        mixed = replace(province, **{name: shuffled(getattr(province, name)) for name in frames})

        pd.testing.assert_frame_equal(signal(mixed, _last(province)), signal(province, _last(province)))

    @every_signal
    def test_a_later_period_changes_nothing(self, signal, province):
        year = _last(province) - 1

        pd.testing.assert_frame_equal(signal(province, year), signal(province.until(year), year))

    @every_signal
    def test_only_three_periods_are_read(self, signal, province):
        year = _last(province)
        names = ("organisations", "groups", "subjects", "scores", "rechecks")
        kept = {
            name: frame[frame["period"] > year - 3] for name in names if not (frame := getattr(province, name)).empty
        }

        pd.testing.assert_frame_equal(signal(replace(province, **kept), year), signal(province, year))

    @every_signal
    def test_codes_are_only_names(self, signal, province):
        def renamed(frame):
            return frame if frame.empty else frame.assign(organisation="x" + frame["organisation"])

        frames = ("organisations", "groups", "subjects", "scores", "rechecks")
        other = signal(
            replace(province, **{name: renamed(getattr(province, name)) for name in frames}), _last(province)
        )

        pd.testing.assert_series_equal(other["p"], signal(province, _last(province))["p"])

    @every_signal
    def test_without_anything_to_go_by_nothing_is_tested(self, signal):
        bare = Ratings(organisations(3))

        answer = signal(bare, 2025)

        assert not answer["is_testable"].any()
        assert answer["p"].isna().all()


def _last(ratings: Ratings) -> int:
    return int(ratings.organisations["period"].max())


@pytest.mark.parametrize("province", HONEST.values(), ids=HONEST)
def test_honest_organisations_are_seldom_called(province):
    low, tested = dict.fromkeys(SIGNALS, 0), dict.fromkeys(SIGNALS, 0)
    for seed in range(4):
        ratings, _ = simulate(seed, province)
        for name, signal in SIGNALS.items():
            p = signal(ratings, _last(ratings))["p"].dropna()
            low[name], tested[name] = low[name] + (p <= 0.05).sum(), tested[name] + len(p)

    # .06 is the size that is asked for; four provinces of 250 measure it to about a hundredth.
    assert {name: low[name] / n for name, n in tested.items() if n > 200 and low[name] / n > 0.07} == {}
    assert tested["LADDER"] > 500


class TestCopy:
    @staticmethod
    def honest(count=40, seed=0):
        """Parts of ten with levels drawn anew in each of two years."""
        random = np.random.default_rng(seed)
        rows = [(f"o{code:03}", f"g{part}", period) for code in range(count) for part in range(4) for period in (1, 2)]
        groups = pd.DataFrame(rows, columns=["organisation", "group", "period"])
        counts = random.multinomial(10, [0.15, 0.6, 0.2, 0.05], len(groups))
        return groups.assign(**{f"level_{rank + 1}": counts[:, rank] for rank in range(4)})

    def test_parts_that_repeat_themselves_stand_out(self):
        groups = self.honest()
        columns = Scale().level_columns
        first, second = ((groups["organisation"] == "o007") & (groups["period"] == year) for year in (1, 2))
        groups.loc[second, columns] = groups.loc[first, columns].to_numpy()

        answer = copying.copy(Ratings(organisations(periods=(1, 2)), groups=groups), 2)

        assert answer.loc[answer["p"].idxmin(), "organisation"] == "o007"
        found = of(answer, "o007")
        assert found["p"] < 0.001
        assert (found["n"], found["observed"], json.loads(found["parameters"])["view"]) == (4, 4, "groups")

    def test_what_persistent_people_repeat_is_expected(self):
        # In every organisation eight of ten keep their level, half of them good: chance alone keeps five.
        before = [2] * 5 + [1] * 5
        after = [2] * 4 + [1] + [1] * 4 + [2]
        rows = [
            (f"o{code:03}", f"m{member}", period, level)
            for code in range(40)
            for period, levels in ((1, before), (2, after))
            for member, level in enumerate(levels)
        ]
        subjects = pd.DataFrame(rows, columns=["organisation", "subject", "period", "final"])

        answer = copying.copy(Ratings(organisations(periods=(1, 2)), subjects=subjects), 2)

        assert answer["observed"].tolist() == [8] * 40
        assert answer["expected"].tolist() == pytest.approx([8] * 40)
        assert (answer["p"] > 0.3).all()

    def test_another_organisation_with_the_same_scores_is_named(self):
        random = np.random.default_rng(1)
        drawn = {f"o{code:03}": random.integers(60, 95, 20) for code in range(40)}
        drawn["o021"] = random.permutation(drawn["o004"])
        subjects = pd.DataFrame([(o, 2025, s) for o, scores in drawn.items() for s in scores])
        subjects.columns = ["organisation", "period", "score"]

        answer = copying.copy(Ratings(organisations(), subjects=subjects), 2025)

        assert answer.loc[answer["is_testable"], "organisation"].tolist() == ["o004", "o021"]
        assert json.loads(of(answer, "o004")["parameters"]) == {"view": "twins", "twin": "o021"}
        assert (answer["p"].dropna() < 0.001).all()

    def test_that_everyone_got_the_same_score_makes_no_twins(self):
        subjects = organisations(40).loc[lambda frame: frame.index.repeat(20)].assign(score=80.0)

        assert not copying.copy(Ratings(organisations(), subjects=subjects), 2025)["is_testable"].any()

    @pytest.mark.parametrize(
        ("ratings", "reason"),
        [
            (Ratings(organisations(periods=(1, 2))), "no_groups"),
            (Ratings(organisations(periods=(2,)), groups=honest().query("period == 2")), "no_history"),
            (Ratings(organisations(5, periods=(1, 2)), groups=honest(5)), "too_few_peers"),
        ],
        ids=["no parts", "first year", "five organisations"],
    )
    def test_why_not(self, ratings, reason):
        assert set(copying.copy(ratings, 2)["reason_code"]) == {reason}

    def test_an_organisation_without_a_part_of_equal_size_is_too_small(self):
        groups = self.honest()
        groups.loc[(groups["organisation"] == "o003") & (groups["period"] == 2), "level_2"] += 1

        assert of(copying.copy(Ratings(organisations(periods=(1, 2)), groups=groups), 2), "o003")["reason_code"] == (
            "too_small"
        )


class TestCap:
    @pytest.mark.parametrize(
        ("base", "good", "top", "expected"),
        [("good", 18, 3, 3), ("good", 17, 3, 2), ("good", 15, 0, 3), ("good_or_above", 15, 3, 3), ("rated", 0, 0, 4)],
    )
    def test_the_cap_is_rounded_down_from_its_base(self, base, good, top, expected):
        counts = (np.array([number]) for number in (0.2, 20, good, top))

        assert allowed(Scale(cap_base=base), *counts).tolist() == [expected]

    def test_the_chance_is_how_often_others_of_the_size_meet_it(self):
        # 70 organisations of one size, 14 of them at the cap of 3 (one fifth of 15).
        top = [3] * 14 + [1] * 56
        frame = organisations(70, rated=20, top=top, good=[15 + each for each in top])

        answer = caps.capfill(Ratings(frame, Scale(cap=0.2)), 2025)

        met, others = 13.5 / 70, 14.5 / 70
        z = stats.norm.isf([met / 2, (1 + others) / 2])
        assert of(answer, "o000")["expected"] == pytest.approx(met)
        assert of(answer, "o000")[["observed", "statistic", "n"]].tolist() == [3, 1, 20]
        # the guard moves nothing: most are below the middle, and all those are alike
        assert answer["z"].iloc[[0, -1]].tolist() == pytest.approx(z.tolist())

    def test_to_meet_it_every_year_says_more_than_once(self):
        top = np.full((70, 3), 1)
        top[:14, 0], top[14:28, 1], top[28:42, 2], top[0] = 3, 3, 3, 3
        frame = organisations(70, periods=(1, 2, 3), rated=20)
        frame["top"] = top.ravel()
        frame["good"] = frame["top"] + 15

        answer = caps.capfill(Ratings(frame, Scale(cap=0.2)), 3)

        assert answer.loc[answer["p"].idxmin(), "organisation"] == "o000"
        assert of(answer, "o000")["p"] < of(answer, "o030")["p"] / 2

    def test_where_the_same_always_meet_it_to_meet_it_again_says_little(self):
        by_chance, by_habit = np.full((90, 3), 1), np.full((90, 3), 1)
        for period in range(3):
            by_chance[np.arange(30) + 30 * period, period] = 3
        by_chance[0] = by_habit[:30] = 3

        def smallest(top):
            frame = organisations(90, periods=(1, 2, 3), rated=20)
            frame = frame.assign(top=top.ravel(), good=top.ravel() + 15)
            return of(caps.capfill(Ratings(frame, Scale(cap=0.2)), 3), "o000")["p"]

        assert smallest(by_chance) < 0.05 < smallest(by_habit)

    @pytest.mark.parametrize(
        ("scale", "count", "good", "reason"),
        [(Scale(), 70, 15, "no_cap"), (Scale(cap=0.2), 70, 4, "no_cap"), (Scale(cap=0.2), 30, 15, "too_few_peers")],
        ids=["no cap", "a cap below one", "few organisations"],
    )
    def test_why_not(self, scale, count, good, reason):
        frame = organisations(count, rated=20, top=[1] * (count - 1) + [3], good=good)

        assert set(caps.capfill(Ratings(frame, scale), 2025)["reason_code"]) == {reason}

    def test_excellence_passed_round_is_seen_and_excellence_kept_is_not(self):
        random = np.random.default_rng(0)
        rows = []
        for code in range(60):
            merit = random.normal(size=30)
            for year in (1, 2, 3):
                best = np.argsort(-(merit + random.normal(0, 0.7, 30)))[:6]
                best = (np.arange(6) + 6 * year) % 30 if code == 5 else best
                rows += [(f"o{code:03}", f"m{m}", year, 3 if m in best else 2) for m in range(30)]
        subjects = pd.DataFrame(rows, columns=["organisation", "subject", "period", "final"])

        answer = caps.rotate(Ratings(organisations(60, periods=(1, 2, 3)), subjects=subjects), 3)

        assert answer.loc[answer["p"].idxmin(), "organisation"] == "o005"
        assert of(answer, "o005")[["n", "observed"]].tolist() == [12, 12]
        assert of(answer, "o005")["p"] < 0.001
        assert (answer["p"] <= 0.05).mean() < 0.06


class TestLadder:
    def test_what_is_never_lowered_is_measured_against_all_others(self):
        lowered = [1, 2, 2, 3] * 5
        frame = organisations(20, claims=20, lowered=lowered, raised=0, unappraised=0, rated=20)

        answer = ladder.ladder(Ratings(frame), 2025)

        # Claims are lowered as chance alone would: the beta-binomial is a binomial of 9 in 10.
        kept = 20 - np.array(lowered)
        share = (kept.sum() + 0.5) / (400 + 1)
        mid = stats.binom.sf(kept, 20, share) + stats.binom.pmf(kept, 20, share) / 2
        assert answer["p"].tolist() == pytest.approx(mid.tolist(), rel=0.02)
        assert of(answer, "o000")[["n", "observed", "expected"]].tolist() == pytest.approx([20, 19, 18])

    def test_subjects_are_counted_as_the_columns_would_say(self):
        steps = [(2, 2, 2), (3, 3, 2), (3, 2, 2), (1, 2, 3), (2, None, 2), (None, None, 2), (2, 2, None)]
        claims = organisations(20).loc[lambda frame: frame.index.repeat(5)]
        lowered = np.arange(len(claims)) % 3 == 0
        usual = claims.assign(own=3.0, appraised=3.0, final=np.where(lowered, 2.0, 3.0))
        one = pd.DataFrame(steps * 2, columns=["own", "appraised", "final"], dtype=float)
        one = one.assign(organisation="o003", period=2025)
        subjects = pd.concat([usual[usual["organisation"] != "o003"], usual.iloc[:0], one, usual, usual])

        told = json.loads(of(ladder.ladder(Ratings(organisations(20), subjects=subjects), 2025), "o003")["parameters"])
        missing = of(ladder.unappraised(Ratings(organisations(20), subjects=subjects), 2025), "o003")

        # twice 5 claims decided (2 lowered, 1 raised) and 2 decisions without appraisal, beside 10 usual claims
        own_lowered = 2 * int(lowered[15:20].sum())
        assert (told["lowered"], told["raised"]) == (4 + own_lowered, 2)
        assert missing[["n", "observed"]].tolist() == [12 + 10, 4]

    def test_an_own_rating_that_nobody_appraised_is_seen(self):
        frame = organisations(40, periods=(1, 2, 3), own_level=2, own_self=2.0, own_appraised=2.0)
        frame.loc[frame["organisation"] == "o011", "own_appraised"] = np.nan

        answer = ladder.unappraised(Ratings(frame), 3)

        assert of(answer, "o011")["p"] < 0.01
        assert of(answer, "o011")[["n", "observed"]].tolist() == [3, 3]
        assert (answer["p"] < 0.05).sum() == 1

    def test_missing_appraisals_alone_are_never_surprising_beyond_a_clerks_habit(self):
        frame = organisations(40, claims=200, lowered=20, raised=0, unappraised=2, rated=200)
        frame.loc[frame["organisation"] == "o011", "unappraised"] = 200

        answer = ladder.unappraised(Ratings(frame), 2025)

        assert of(answer, "o011")["p"] == answer["p"].min() == ladder.CLERKS_HABIT

    @pytest.mark.parametrize(
        ("columns", "count", "reason"),
        [
            ({}, 20, "no_claims"),
            ({"claims": 9, "lowered": 1, "raised": 0}, 20, "too_small"),
            ({"claims": 20, "lowered": 1, "raised": 0}, 14, "too_few_peers"),
            ({"claims": 20, "lowered": 0, "raised": 0}, 20, "no_variance"),
        ],
    )
    def test_why_not(self, columns, count, reason):
        assert set(ladder.ladder(Ratings(organisations(count, **columns)), 2025)["reason_code"]) == {reason}


class TestExcluded:
    def test_the_tail_is_that_of_the_type(self):
        out = [0, 1, 2, 3] * 5
        frame = organisations(20, excluded=out, rated=[30 - each for each in out])

        answer = excluded.excluded(Ratings(frame), 2025)

        share = (sum(out) + 0.5) / (600 + 1)
        mid = stats.binom.sf(out, 30, share) + stats.binom.pmf(out, 30, share) / 2
        assert answer["p"].tolist() == pytest.approx(mid.tolist(), rel=0.02)

    def test_one_that_leaves_out_a_third_stands_out_and_its_size_does_not_matter(self):
        out = [2] * 38 + [15, 30]
        frame = organisations(40, excluded=out, rated=[38] * 38 + [30, 60])

        answer = excluded.excluded(Ratings(frame), 2025).sort_values("p")

        assert set(answer["organisation"].head(2)) == {"o038", "o039"}
        assert (answer["p"].head(2) < 0.01).all()

    @pytest.mark.parametrize(
        ("columns", "count", "reason"),
        [
            ({"rated": 30}, 40, "no_excluded"),
            ({"rated": 8, "excluded": 1}, 40, "too_small"),
            ({"rated": 30, "excluded": 1}, 14, "too_few_peers"),
            ({"rated": 30, "excluded": 0}, 40, "no_variance"),
        ],
    )
    def test_why_not(self, columns, count, reason):
        assert set(excluded.excluded(Ratings(organisations(count, **columns)), 2025)["reason_code"]) == {reason}


class TestGap:
    @staticmethod
    def answer(rechecked, lowered, **counts):
        looks = pd.DataFrame({"organisation": ["o000"], "period": 2025, "rechecked": rechecked, "lowered": lowered})
        return of(gap.gap(Ratings(organisations(2, **counts), rechecks=looks), 2025), "o000")

    @pytest.mark.parametrize(("rated", "good", "m", "lowered"), [(40, 36, 10, 0), (40, 36, 10, 2), (12, 5, 9, 1)])
    def test_p_is_the_sum_over_what_may_have_been_looked_at(self, rated, good, m, lowered):
        had = np.arange(m + 1)
        weight = stats.hypergeom.pmf(had, rated, good, m)
        tail = stats.binom.sf(lowered - 1, had, 0.03)

        assert self.answer(m, lowered, rated=rated, good=good)["p"] == pytest.approx((weight * tail).sum())

    @pytest.mark.parametrize("m", [5, 8, 10, 20, 50])
    @pytest.mark.parametrize("good", [20, 45, 60])
    def test_an_honest_organisation_is_called_less_often_than_one_in_twenty(self, m, good):
        p = np.array([gap._upper(60, good, m, lowered) for lowered in range(m + 1)])
        had = np.arange(m + 1)
        chance = stats.hypergeom.pmf(had, 60, good, m) @ np.array([stats.binom.pmf(had, h, 0.03) for h in had])

        assert chance.sum() == pytest.approx(1)
        assert chance[p <= 0.05].sum() <= 0.05

    def test_without_the_counts_all_are_taken_for_good(self):
        assert self.answer(10, 2)["p"] == pytest.approx(stats.binom.sf(1, 10, 0.03))
        assert self.answer(10, 2)["p"] > self.answer(10, 2, rated=40, good=36)["p"]

    def test_why_not(self):
        assert self.answer(4, 1)["reason_code"] == "too_small"
        assert gap.gap(Ratings(organisations(2)), 2025)["reason_code"].tolist() == ["no_recheck"] * 2


class TestRater:
    @staticmethod
    def judges(count=9, objects=40, seed=0, own=None):
        """Judges who differ a little in height, each rating every object; `own` of them of the judge's own side."""
        random = np.random.default_rng(seed)
        height, quality = random.normal(0, 0.3, count), random.normal(0, 1, objects)
        score = quality + height[:, None] + random.normal(0, 0.4, (count, objects))
        frame = pd.DataFrame(
            {"rater": np.repeat([f"j{n}" for n in range(count)], objects), "object": np.tile(np.arange(objects), count)}
        )
        frame["score"] = score.ravel()
        if own:
            frame["is_own"] = (frame["object"] % count) == np.repeat(np.arange(count), objects)
        return frame

    def test_a_difference_is_to_the_median_of_the_others(self):
        frame = pd.DataFrame({"object": [0, 0, 0, 0, 1, 1, 1, 2, 2], "score": [1.0, 2, 4, 9, 5, 5, 8, 3, 4]})

        others = raters._others_median(frame["object"].to_numpy(), frame["score"].to_numpy())

        expected = [
            float(rest.median()) if len(rest := frame.drop(row).query("object == @each")["score"]) >= 2 else np.nan
            for row, each in frame["object"].items()
        ]
        assert FEWEST_RATERS == 3
        assert others.tolist() == pytest.approx(expected, nan_ok=True)

    def test_one_who_stands_out_is_lenient_and_the_highest_of_many_alike_is_not(self):
        usual = self.judges()
        lifted = usual.assign(score=usual["score"].where(usual["rater"] != "j4", usual["score"] + 2))

        assert (raters.raters(usual)["leniency_p"] > 0.01).all()
        found = raters.raters(lifted).set_index("rater")["leniency_p"]
        assert found.idxmin() == "j4"
        assert found["j4"] < 0.01
        assert (found.drop("j4") > 0.2).all()

    def test_favour_to_ones_own_is_not_leniency(self):
        frame = self.judges(objects=90, own=True)
        kind = frame.assign(score=frame["score"] + 0.8 * (frame["is_own"] & (frame["rater"] == "j2")) + 1.0)

        found = raters.raters(kind).set_index("rater")

        assert found["favour_p"].idxmin() == "j2"
        assert found.loc["j2", "favour_p"] < 0.01
        assert found.loc["j2", "favour"] == pytest.approx(0.8, abs=0.4)
        assert found.loc["j2", "own"] == 10

    def test_all_together_favour_their_own_by_so_much(self):
        frame = self.judges(objects=180, own=True)

        nobody, everybody = (
            favour_of_all(frame.assign(score=frame["score"] + extra * frame["is_own"])) for extra in (0, 0.3)
        )

        assert nobody.p > 0.05
        assert everybody.p < 0.001
        assert everybody.effect == pytest.approx(0.3, abs=0.1)

    def test_honest_judges_are_called_as_often_as_promised(self):
        called = []
        for seed in range(100):
            frame = self.judges(seed=seed, own=True, objects=45)
            each = raters.raters(frame)
            called.append(
                [(each["leniency_p"] <= 0.05).mean(), (each["favour_p"] <= 0.05).mean(), favour_of_all(frame).p <= 0.05]
            )

        leniency, favour, together = np.mean(called, axis=0)
        assert max(leniency, favour) <= 0.07
        assert together <= 0.1

    def test_rounding_upwards_only(self):
        frame = self.judges(objects=30).assign(stored=np.nan)
        mine = frame["rater"] == "j1"
        frame.loc[mine, "stored"] = frame.loc[mine, "score"] - np.where(np.arange(30) < 16, 0.3, 0.0)

        found = raters.raters(frame).set_index("rater").loc["j1"]

        assert found[["rounded", "rounded_up"]].tolist() == [16, 16]
        assert found["rounding_p"] == pytest.approx(0.5**16 / 2)

    def test_the_organisation_is_the_one_that_rates(self):
        frame = self.judges()
        frame["score"] += 2 * (frame["rater"] == "j4")
        subjects = frame.rename(columns={"object": "subject"}).assign(organisation=frame["rater"], period=2025)
        codes = pd.DataFrame({"organisation": sorted(frame["rater"].unique()), "period": 2025})

        answer = raters.rater(Ratings(codes, subjects=subjects), 2025)

        assert answer.loc[answer["p"].idxmin(), "organisation"] == "j4"
        assert answer["is_testable"].all()
        assert answer["n"].tolist() == [40] * 9

    @pytest.mark.parametrize(("count", "objects", "reason"), [(2, 40, "no_raters"), (9, 9, "too_small")])
    def test_why_not(self, count, objects, reason):
        frame = self.judges(count, objects)
        subjects = frame.rename(columns={"object": "subject"}).assign(organisation=frame["rater"], period=2025)
        codes = pd.DataFrame({"organisation": sorted(frame["rater"].unique()), "period": 2025})

        assert set(raters.rater(Ratings(codes, subjects=subjects), 2025)["reason_code"]) == {reason}
