"""The made-up province: what is planted is in the tables and nothing else is, and the truth tells it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ratings.signals.frames import Ratings
from ratings.simulation import EVIDENCE, HTT, MECHANISMS, SCALE, Province, simulate, simulate_cells

SMALL = Province(organisations=150, slips=0.0)
SEED = 11

COUNTS = ["rated", "excluded"]
LEVELS = ["level_1", "level_2", "level_3", "level_4"]

TOUCHED = {
    "cap_filling": {"levels", "scores"},
    "contradiction": {"levels", "scores", "discipline"},
    "copy_forward": {"people", "levels", "scores"},
    "evidence_gap": {"levels", "scores", "evidence", "own"},
    "leaving_out": {"people", "levels"},
    "own_level": {"own"},
    "rotation": {"levels", "scores"},
    "score_pushing": {"levels", "scores"},
    "target_by_leaving_out": {"people", "levels", "scores"},
    "target_chasing": {"levels", "scores"},
    "unappraised": {"levels", "scores", "appraisals"},
    "uniform": {"levels", "scores"},
}


def province(*mechanisms: str, planted: float = 0.4, **fields: float) -> Province:
    return replace(SMALL, planted=planted, mechanisms=mechanisms, **fields)


def twins(*mechanisms: str, **fields: float) -> tuple[Ratings, pd.DataFrame, Ratings]:
    """A province, its truth, and the same province if nobody inflated."""
    ratings, truth = simulate(SEED, province(*mechanisms, **fields))
    return ratings, truth, simulate(SEED, province(planted=0.0, **fields))[0]


def rows_of(ratings: Ratings, name: str, organisations: pd.Series) -> pd.DataFrame:
    frame = getattr(ratings, name)
    return frame[frame["organisation"].isin(organisations)].reset_index(drop=True)


def same(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    return first.reset_index(drop=True).equals(second.reset_index(drop=True))


def differing(ratings: Ratings, other: Ratings, organisations: pd.Series) -> set[str]:
    """What is not the same of these organisations in two provinces."""
    mine, others = (rows_of(each, "organisations", organisations) for each in (ratings, other))
    key = ["organisation", "group", "period", "subject"]
    members = rows_of(ratings, "subjects", organisations).merge(
        rows_of(other, "subjects", organisations), on=key, suffixes=("", "_other")
    )
    parts = {
        "people": same(mine[COUNTS], others[COUNTS]),
        "levels": same(mine[LEVELS], others[LEVELS]),
        "evidence": same(mine[list(EVIDENCE)], others[list(EVIDENCE)]),
        "discipline": same(mine[["discipline"]], others[["discipline"]]),
        "own": same(mine[["own_level"]], others[["own_level"]]),
        "scores": same(members[["score"]], members[["score_other"]].set_axis(["score"], axis=1)),
        "appraisals": (members["appraised"].isna() == members["appraised_other"].isna()).all()
        and same(mine[["own_appraised"]].isna(), others[["own_appraised"]].isna()),
    }
    return {name for name, unchanged in parts.items() if not unchanged}


def test_one_seed_is_one_province():
    first, again, other = (simulate(seed, SMALL) for seed in (3, 3, 4))

    for name in ("organisations", "groups", "subjects"):
        pd.testing.assert_frame_equal(getattr(first[0], name), getattr(again[0], name))
        assert not getattr(first[0], name).equals(getattr(other[0], name))
    pd.testing.assert_frame_equal(first[1], again[1])


def test_in_an_empty_province_nobody_inflates():
    _, truth = simulate(SEED, replace(SMALL, planted=0.0))

    assert truth["mechanism"].isna().all()
    assert not truth[["raised", "left_out", "own_raised", "is_tampered"]].to_numpy().any()


def test_the_planted_are_as_many_as_asked_and_equally_of_every_mechanism():
    _, truth = simulate(SEED, Province(organisations=240, planted=0.2))

    planted = truth["mechanism"].value_counts()
    assert planted.sum() == 48
    assert set(planted.index) == set(MECHANISMS)
    assert set(planted) == {4}


def test_the_honest_are_the_same_whether_or_not_others_inflate():
    ratings, truth, empty = twins(*MECHANISMS, slips=0.002, rechecked=0.5)

    honest = truth.loc[truth["mechanism"].isna(), "organisation"]
    for name in ("organisations", "groups", "subjects", "rechecks"):
        pd.testing.assert_frame_equal(rows_of(ratings, name, honest), rows_of(empty, name, honest))


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_mechanism_changes_only_what_it_says(mechanism):
    ratings, truth, empty = twins(mechanism)

    planted = truth.loc[truth["mechanism"].notna(), "organisation"]
    assert differing(ratings, empty, planted) == TOUCHED[mechanism]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_mechanism_is_told_by_the_truth(mechanism):
    _, truth = simulate(SEED, province(mechanism))

    planted = truth["mechanism"].notna()
    done = truth[["raised", "left_out", "own_raised"]].sum(axis=1)
    assert done[planted].mean() > 1
    assert not done[~planted].any()
    assert not truth.loc[~planted, "is_tampered"].any()
    assert truth.loc[done > 0, "is_tampered"].all()


def test_a_chaser_that_stands_above_the_target_by_itself_has_not_tampered():
    ratings, truth, empty = twins("target_chasing")

    now, honest = (each.organisations.set_index("organisation") for each in (ratings, empty))
    changed = (now[LEVELS] != honest[LEVELS]).any(axis=1).groupby(level=0).any()
    idle = truth["mechanism"].notna() & ~truth["is_tampered"]
    assert idle.any()
    assert truth["is_tampered"].tolist() == changed.reindex(truth["organisation"]).tolist()


@pytest.mark.parametrize("mechanism", ["target_chasing", "score_pushing", "target_by_leaving_out"])
def test_raised_counts_the_levels_gained(mechanism):
    ratings, truth, empty = twins(mechanism)

    gained = []
    for table in (ratings, empty):
        subjects = table.subjects[["organisation", "period", "subject", "final"]]
        gained.append(subjects.set_index(["organisation", "period", "subject"])["final"])
    both = pd.concat(gained, axis=1, keys=["final", "honest"]).dropna()
    raised = (both["final"] > both["honest"]).groupby("organisation").sum()
    assert truth["raised"].tolist() == raised.reindex(truth["organisation"]).tolist()


def test_left_out_counts_those_who_are_no_longer_rated():
    ratings, truth, empty = twins("leaving_out")

    more = [table.organisations.groupby("organisation")["excluded"].sum() for table in (ratings, empty)]
    assert truth["left_out"].tolist() == (more[0] - more[1]).tolist()


def test_own_raised_counts_the_periods_with_a_higher_level():
    ratings, truth, empty = twins("own_level", "evidence_gap")

    higher = ratings.organisations["own_level"] > empty.organisations["own_level"]
    assert truth["own_raised"].tolist() == higher.groupby(ratings.organisations["organisation"]).sum().tolist()


def test_contradictions_are_the_disciplined_with_good_ratings():
    _, truth = simulate(SEED, province("contradiction"))

    planted = truth["mechanism"].notna()
    assert (truth.loc[planted, "contradictions"] > 0).all()
    assert truth.loc[~planted, "contradictions"].mean() < truth.loc[planted, "contradictions"].mean() / 10


def test_at_half_strength_about_half_as_much_is_raised():
    whole, half = (simulate(SEED, province("score_pushing", strength=each))[1]["raised"].sum() for each in (1.0, 0.5))

    assert abs(half - whole / 2) < 4 * np.sqrt(whole / 4)


def test_a_target_chaser_stands_on_the_target_or_one_above():
    ratings, _, empty = twins("target_chasing")

    now, honest = ratings.organisations, empty.organisations
    lifted = (now["good"] > honest["good"]).to_numpy()
    wanted = np.ceil(SCALE.target * now["rated"] - 1e-9)
    assert lifted.sum() > 50
    assert (now["good"] - wanted)[lifted].isin([0, 1]).mean() > 0.95  # the disciplined are not lifted


def test_who_copies_has_the_list_of_the_year_before():
    ratings, truth, empty = twins("copy_forward")

    def repeated(table: Ratings) -> float:
        groups = rows_of(table, "groups", truth.loc[truth["mechanism"].notna(), "organisation"])
        before = groups.assign(period=groups["period"] + 1)
        pairs = groups.merge(before, on=["group", "period"], suffixes=("", "_before"))
        return float(np.all([pairs[level] == pairs[f"{level}_before"] for level in LEVELS], axis=0).mean())

    assert repeated(ratings) > 3 * repeated(empty)


def test_pushed_scores_leave_the_five_points_below_a_cutoff():
    ratings, truth, empty = twins("score_pushing")

    def near(table: Ratings, low: float, high: float) -> int:
        scores = rows_of(table, "subjects", truth.loc[truth["mechanism"].notna(), "organisation"])["score"]
        return int(((scores >= low) & (scores < high)).sum())

    for cutoff in (70, 90):
        assert near(ratings, cutoff, cutoff + 2) > 1.5 * near(empty, cutoff, cutoff + 2)
        assert near(ratings, cutoff - 5, cutoff) < 0.1 * near(empty, cutoff - 5, cutoff)  # the disciplined stay


def test_no_score_is_below_the_band_of_its_level():
    ratings, _, _ = twins(*MECHANISMS)

    members = ratings.subjects.dropna(subset=["score"])
    assert (members["score"] >= np.r_[0.0, SCALE.cutoffs][members["final"].astype(int)]).all()


def test_honest_organisations_obey_the_cap_with_or_without_a_decision():
    ratings, _ = simulate(SEED, replace(SMALL, planted=0.0))

    each = ratings.organisations
    assert (each["top"] <= 0.25 * (each["good"] - each["top"]) + 1e-9).all()
    over = (each["top"] > 0.20 * (each["good"] - each["top"]) + 1e-9).groupby(each["organisation"]).any()
    assert 0 < over.mean() < 0.1


def test_counts_of_members_cells_and_organisations_agree():
    ratings, _, _ = twins(*MECHANISMS, slips=0.01)

    key = ["organisation", "period"]
    each = ratings.organisations.set_index(key)
    members = ratings.subjects.groupby(key)
    by_cell = ratings.groups.groupby(key)[LEVELS].sum().reindex(each.index, fill_value=0)
    assert (members.size().reindex(each.index, fill_value=0) == each["rated"]).all()
    good = members["final"].agg(lambda level: (level >= HTT).sum()).reindex(each.index, fill_value=0)
    assert (good == each["good"]).all()
    assert (by_cell == each[LEVELS]).to_numpy().all()
    assert (each["good"] == each["level_1"] + each["level_2"]).all()


def test_in_a_whole_district_everybody_inflates_in_one_way_and_nobody_else_does():
    ratings, truth = simulate(SEED, province(planted=0.0, whole_districts=2))

    parent = ratings.organisations.drop_duplicates("organisation").set_index("organisation")["parent"]
    ways = truth.set_index("organisation")["mechanism"].groupby(parent)
    whole = ways.count() == ways.size()
    assert whole.sum() == 2
    assert (ways.count()[~whole] == 0).all()
    assert (ways.nunique()[whole] == 1).all()


def test_cells_add_up_to_their_organisations():
    ratings, truth = simulate(SEED, province(*MECHANISMS))
    cells, of_cells = simulate_cells(SEED, province(*MECHANISMS))

    key = ["organisation", "period"]
    left = cells.groupby(key)["excluded"].sum()
    assert (left == ratings.organisations.set_index(key)["excluded"].reindex(left.index)).all()
    counted = ["raised", "left_out", "contradictions"]
    sums = of_cells.groupby("organisation")[counted].sum().reindex(truth["organisation"])
    np.testing.assert_array_equal(sums, truth[counted])
    assert set(ratings.groups["group"]) <= set(cells["group"])


def test_a_cell_is_tampered_with_only_where_its_organisation_is():
    _, truth = simulate(SEED, province(*MECHANISMS))
    _, of_cells = simulate_cells(SEED, province(*MECHANISMS))

    of_organisation = truth.set_index("organisation")["is_tampered"].reindex(of_cells["organisation"]).to_numpy()
    changed = of_cells["is_tampered"].to_numpy()
    assert not (changed & ~of_organisation).any()
    assert (changed & of_organisation).any()
    assert (~changed & of_organisation).any()


@pytest.mark.parametrize(("mechanism", "is_tampered"), [("own_level", False), ("evidence_gap", True)])
def test_an_organisation_that_raises_itself_alone_leaves_its_cells_honest(mechanism, is_tampered):
    _, of_cells = simulate_cells(SEED, province(mechanism))

    assert (of_cells.loc[of_cells["mechanism"].notna(), "is_tampered"] == is_tampered).all()


def test_cells_of_the_honest_report_the_same_whether_or_not_others_inflate():
    cells, truth = simulate_cells(SEED, province("evidence_gap", "unappraised", "leaving_out"))
    alone, _ = simulate_cells(SEED, province(planted=0.0))

    honest = cells["group"].isin(truth.loc[truth["mechanism"].isna(), "group"])
    assert same(cells[honest], alone[honest])
    assert not same(cells[~honest], alone[~honest])


def test_a_cell_stands_by_itself_and_near_its_organisation():
    ratings, _ = simulate(SEED, replace(SMALL, planted=0.0))
    cells, _ = simulate_cells(SEED, replace(SMALL, planted=0.0))

    both = cells.merge(ratings.organisations, on=["organisation", "period"], suffixes=("", "_above"))
    for column in ("own_level", "tasks_exceeded"):
        assert 0.3 < both[column].corr(both[f"{column}_above"]) < 0.95


def test_equal_scores_are_trimmed_by_lot_and_not_cell_by_cell():
    """Where the cap lets through only part of those on one score, the first cell has no more of them than others."""
    about = replace(SMALL, planted=0.0, rounders=1.0, cells=1.0)
    ratings, _ = simulate(SEED, about)

    order = ratings.groups.groupby(["organisation", "period"]).cumcount()
    share = ratings.groups["level_1"] / ratings.groups[LEVELS].sum(axis=1)
    first, others = share[order == 0], share[order > 0]
    assert abs(first.mean() - others.mean()) < 4 * np.sqrt(first.var() / len(first) + others.var() / len(others))


def test_scores_are_given_in_the_last_period_only():
    ratings, _ = simulate(SEED, SMALL)

    scored = ratings.subjects.groupby("period")["score"].agg(lambda score: score.notna().mean())
    assert scored.to_dict() == {1: 0.0, 2: 0.0, 3: 0.0, 4: 1.0}


def test_rounders_give_fives_where_nothing_begins():
    ratings, truth = simulate(SEED, replace(SMALL, planted=0.0, rounders=0.5))

    fives = ratings.subjects.dropna(subset=["score"]).assign(five=lambda rows: rows["score"] % 5 == 0)
    share = fives.groupby("organisation")["five"].mean().reindex(truth["organisation"]).to_numpy()
    assert np.nanmean(share[truth["is_rounder"]]) > 3 * np.nanmean(share[~truth["is_rounder"]])


def test_reformers_improve_in_the_evidence_too():
    ratings, truth = simulate(SEED, replace(SMALL, planted=0.0, reformers=0.3))

    work = ratings.organisations.pivot(index="organisation", columns="period", values="tasks_exceeded")
    rise = (work[4] - work[3]).to_numpy()
    assert np.nanmean(rise[truth["is_reformer"]]) > np.nanmean(rise[~truth["is_reformer"]]) + 0.8


def test_districts_differ_as_much_as_asked():
    def spread(districts: float) -> float:
        each = simulate(SEED, replace(SMALL, planted=0.0, districts=districts))[0].organisations
        by = each.groupby("parent")[["good", "rated"]].sum()
        return float((by["good"] / by["rated"]).std())

    assert spread(1.2) > 2 * spread(0.1)


def test_the_careless_leave_appraisals_out_and_are_honest():
    ratings, truth = simulate(SEED, replace(SMALL, planted=0.0, careless=0.2))
    usual, _ = simulate(SEED, replace(SMALL, planted=0.0))

    def missing(made):
        return made.subjects["appraised"].isna().groupby(made.subjects["organisation"]).mean()

    often = missing(ratings) > 0.08
    assert 0.1 < often.mean() < 0.3
    assert same(ratings.organisations, usual.organisations)
    assert truth["mechanism"].isna().all()


def test_in_steady_organisations_the_same_people_keep_their_levels():
    def kept(steady):
        subjects = simulate(SEED, replace(SMALL, planted=0.0, steady=steady))[0].subjects
        after = subjects.assign(period=subjects["period"] + 1)
        both = subjects.merge(after, on=["organisation", "period", "subject"])
        return (both["final_x"] == both["final_y"]).mean()

    assert kept(1.0) > kept(0.0) + 0.05


def test_slips_of_the_pen_are_as_rare_as_asked():
    ratings, _ = simulate(SEED, replace(SMALL, planted=0.0, slips=0.02))

    members = ratings.subjects.dropna(subset=["appraised"])
    assert (members["final"] != members["appraised"]).mean() == pytest.approx(0.02 * 3 / 4, rel=0.25)


def test_a_second_look_finds_the_raised_and_spares_the_honest():
    ratings, truth = simulate(SEED, province("uniform", rechecked=1.0))

    seen = ratings.rechecks.merge(truth, on="organisation")
    share = seen.groupby(seen["mechanism"].notna())[["lowered", "rechecked"]].sum()
    assert share.loc[False, "lowered"] / share.loc[False, "rechecked"] < 0.05
    assert share.loc[True, "lowered"] / share.loc[True, "rechecked"] > 0.1
    assert (seen["rechecked"] <= 10).all()


def test_a_province_without_history_has_one_period_and_scores():
    ratings, truth = simulate(SEED, replace(SMALL, periods=1))

    assert set(ratings.organisations["period"]) == {1}
    assert ratings.subjects["score"].notna().all()
    assert len(truth) == len(ratings.organisations) == 150


def test_an_unknown_mechanism_is_refused():
    with pytest.raises(KeyError, match="bribery"):
        simulate(SEED, province("bribery"))
