"""The shared statistics: exact against scipy and against enumeration, harmless where nothing is known."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ratings.signals.frames import Ratings
from ratings.signals.statistics import (
    SMALLEST_P,
    Window,
    angle,
    benjamini_hochberg,
    beta_binomial_beyond,
    beta_binomial_fit,
    beta_binomial_log_pmf,
    beta_binomial_upper,
    centre_of_groups,
    first_reason,
    folds,
    guarded,
    huber_ridge,
    largest_of,
    latest,
    overdispersion,
    p_of,
    parameters,
    poisson_binomial_upper,
    pooled_types,
    ranks,
    spearman,
    stouffer,
    sum_upper,
    z_of,
)


def mid_p(part, whole, alpha, beta):
    """The upper mid-p, term by term."""
    terms = np.exp(beta_binomial_log_pmf(np.arange(whole + 1), whole, alpha, beta))
    return terms[part + 1 :].sum() + terms[part] / 2


# -- scales


def test_the_angle_of_a_share_has_the_variance_of_chance_whatever_the_share():
    random = np.random.default_rng(1)
    for share in (0.2, 0.5, 0.9):
        spread = angle(random.binomial(50, share, 40_000), 50).var()
        assert spread == pytest.approx(1 / (4 * 50 + 2), rel=0.06)


@given(st.floats(1e-11, 1 - 1e-11))
def test_a_p_and_its_deviate_are_the_same_thing(p):
    assert p_of(z_of(p)) == pytest.approx(p, rel=1e-6)


def test_a_p_is_never_zero_and_what_is_not_known_stays_unknown():
    assert p_of(50.0) == SMALLEST_P
    assert np.isfinite(z_of([0.0, 1.0])).all()
    assert np.isnan(z_of(np.nan))
    assert np.isnan(p_of(np.nan))


# -- counts


@settings(max_examples=200, deadline=None)
@given(
    whole=st.integers(0, 300),
    share=st.floats(0, 1),
    alpha=st.floats(0.05, 200),
    beta=st.floats(0.05, 200),
)
def test_the_upper_mid_p_of_counts_is_the_sum_of_its_terms(whole, share, alpha, beta):
    part = round(share * whole)

    p = float(beta_binomial_upper(part, whole, alpha, beta))

    assert p == pytest.approx(max(mid_p(part, whole, alpha, beta), SMALLEST_P), rel=1e-7, abs=1e-10)


def test_the_upper_mid_p_agrees_with_scipy_for_many_organisations_at_once():
    random = np.random.default_rng(2)
    whole = random.integers(1, 400, 2_000)
    part = random.binomial(whole, random.random(2_000))
    alpha, beta = random.gamma(2, 5, 2_000) + 0.1, random.gamma(2, 5, 2_000) + 0.1

    by_scipy = stats.betabinom.sf(part, whole, alpha, beta) + stats.betabinom.pmf(part, whole, alpha, beta) / 2

    assert beta_binomial_upper(part, whole, alpha, beta) == pytest.approx(by_scipy, abs=1e-9)


def test_counts_of_a_hundred_thousand_are_judged_without_their_table():
    p = beta_binomial_upper([90_000, 91_000, 50_000], 100_000, [9e5, 9e5, 5.0], [1e5, 1e5, 5.0])

    assert p[0] == pytest.approx(0.5, abs=0.01)
    assert p[1] == SMALLEST_P
    assert p[2] == pytest.approx(0.5, abs=0.001)


def test_unknown_counts_have_no_p():
    assert np.isnan(beta_binomial_upper([np.nan, 3, 3], [5, np.nan, 5], [1, 1, np.nan], 1.0)).all()


def test_beyond_nothing_is_certain_and_beyond_the_whole_impossible():
    assert beta_binomial_beyond([-1, 5, 4], 5, 2.0, 3.0) == pytest.approx([1, 0, stats.betabinom.sf(4, 5, 2, 3)])


def test_the_fit_finds_the_share_and_the_overdispersion_it_was_drawn_with():
    random = np.random.default_rng(3)
    whole = random.integers(20, 80, 4_000)
    part = random.binomial(whole, random.beta(16, 4, 4_000))

    fit = beta_binomial_fit(part, whole)

    assert fit.mean == pytest.approx(0.8, abs=0.005)
    assert 1 / 21 * 0.75 < fit.overdispersion < 1 / 21 * 1.1  # the tail is pulled in: never wider than it is


def test_counts_that_differ_by_chance_alone_have_the_least_overdispersion():
    random = np.random.default_rng(4)
    whole = random.integers(20, 80, 4_000)

    assert overdispersion(random.binomial(whole, 0.7), whole, 0.7) < 0.002


@pytest.mark.parametrize(("part", "whole"), [([], []), ([3], [4]), ([np.nan] * 9, [5] * 9), ([1, 0, 1], [1, 1, 1])])
def test_a_fit_of_next_to_nothing_is_a_fit_without_overdispersion(part, whole):
    fit = beta_binomial_fit(np.array(part, float), np.array(whole, float))

    assert 0 < fit.mean < 1
    assert fit.overdispersion == pytest.approx(1e-4)


# -- trials and sums


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(0, 1), min_size=0, max_size=9), min_size=1, max_size=6), st.randoms())
def test_trials_of_differing_chances_are_enumerated(chances, random):
    owner = np.repeat(np.arange(len(chances)), [len(each) for each in chances])
    flat = np.array([chance for each in chances for chance in each])
    happened = np.array([random.random() < chance for chance in flat], bool)

    answer = poisson_binomial_upper(flat, happened, owner, len(chances))

    for each, trials in enumerate(chances):
        if not trials:
            assert np.isnan(answer[each])
            continue
        hits, expected = happened[owner == each].sum(), 0.0
        for outcome in itertools.product([0, 1], repeat=len(trials)):
            chance = np.prod([p if came else 1 - p for p, came in zip(trials, outcome, strict=True)])
            expected += chance * (1.0 if sum(outcome) > hits else 0.5 if sum(outcome) == hits else 0.0)
        assert answer[each] == pytest.approx(max(expected, SMALLEST_P), abs=1e-9)


def test_equal_trials_are_binomial_in_any_order_of_rows():
    owner = np.repeat(np.arange(3), [40, 7, 100])
    happened = np.r_[np.arange(40) < 31, np.arange(7) < 7, np.arange(100) < 52]
    order = np.random.default_rng(5).permutation(len(owner))
    expected = [
        stats.binom.sf(hits, n, 0.6) + stats.binom.pmf(hits, n, 0.6) / 2 for hits, n in [(31, 40), (7, 7), (52, 100)]
    ]

    answer = poisson_binomial_upper(np.full(147, 0.6), happened[order], owner[order], 3)

    assert answer == pytest.approx(expected, rel=1e-9)


def test_trials_without_a_chance_do_not_count():
    answer = poisson_binomial_upper(np.array([0.5, np.nan, np.nan]), np.array([1, 1, 1]), np.array([0, 0, 1]), 2)

    assert answer[0] == pytest.approx(0.25)
    assert np.isnan(answer[1])


def test_the_sum_of_scores_is_enumerated_and_unknown_periods_score_nothing():
    random = np.random.default_rng(6)
    scores, chances = random.normal(size=(4, 3, 3)), random.dirichlet([1, 1, 1], size=(4, 3))
    observed = np.array([[0, 1, 2], [2, np.nan, 0], [np.nan] * 3, [1, 1, 1]])

    answer = sum_upper(scores, chances, observed)

    for row in (0, 1, 3):
        known = np.flatnonzero(np.isfinite(observed[row]))
        reached = sum(scores[row, period, int(observed[row, period])] for period in known)
        expected = 0.0
        for outcome in itertools.product(range(3), repeat=len(known)):
            total = sum(scores[row, period, came] for period, came in zip(known, outcome, strict=True))
            chance = np.prod([chances[row, period, came] for period, came in zip(known, outcome, strict=True)])
            expected += chance * (1.0 if total > reached + 1e-9 else 0.5 if total > reached - 1e-9 else 0.0)
        assert answer[row] == pytest.approx(expected)
    assert np.isnan(answer[2])


# -- pooling and the guard


def test_independent_periods_add_up_and_one_and_the_same_period_counts_once():
    z = np.array([[1.0, 1.0, 1.0]])

    assert stouffer(z, 0.0)[0][0] == pytest.approx(np.sqrt(3))
    assert stouffer(z, 1.0)[0][0] == pytest.approx(1)


def test_missing_periods_are_left_out_and_an_empty_row_has_no_deviate():
    pooled, _ = stouffer(np.array([[2.0, np.nan], [np.nan, np.nan]]), 0.5)

    assert pooled[0] == pytest.approx(2)
    assert np.isnan(pooled[1])


def test_what_periods_have_in_common_is_found_and_never_below_nothing():
    random = np.random.default_rng(7)
    lasting = random.normal(size=(2_000, 1))

    assert stouffer(lasting + random.normal(size=(2_000, 3)))[1] == pytest.approx(0.48, abs=0.05)
    assert stouffer(np.column_stack([lasting, -lasting]))[1] == 0
    assert spearman(np.ones(30), np.arange(30)) == 0


@given(st.lists(st.integers(-3, 3), max_size=30))
def test_ranks_are_those_of_scipy_ties_shared(values):
    assert ranks(np.array(values, float)).tolist() == stats.rankdata(values).tolist()


def test_the_guard_takes_off_what_everyone_has_and_never_adds():
    z = np.random.default_rng(8).normal(size=4_000)

    assert guarded(2 * z + 0.5) == pytest.approx(z, abs=0.15)
    assert (guarded(0.2 * z - 1) == 0.2 * z - 1).all()  # narrower and lower than chance: left alone
    assert guarded(z * 3)[:0].size == 0
    assert (guarded(3 * z[:29]) == 3 * z[:29]).all()  # too few to say how they spread


def test_the_guard_leaves_who_is_not_tested_untested():
    z = np.r_[np.random.default_rng(9).normal(size=100) * 2, np.nan]

    assert np.isnan(guarded(z)[-1])
    assert np.isfinite(guarded(z)[:-1]).all()


def test_the_largest_of_two_views_pays_for_having_had_two():
    p = p_of(largest_of(z_of([0.01, 0.01, np.nan]), np.r_[z_of(0.4), np.nan, np.nan]))

    assert p[:2] == pytest.approx([1 - 0.99**2, 0.01])
    assert np.isnan(p[2])


def test_the_largest_of_independent_views_keeps_its_size():
    views = np.random.default_rng(10).normal(size=(20_000, 3))
    share = (p_of(largest_of(*views.T)) <= 0.05).mean()

    assert share == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 20_000))


def test_the_false_discovery_rate_is_that_of_scipy():
    p = np.random.default_rng(11).random(200) ** 2
    q = benjamini_hochberg(np.r_[p, np.nan])

    assert q[:-1] == pytest.approx(stats.false_discovery_control(p))
    assert np.isnan(q[-1])


# -- regression


def drawn_regression(rows=600, seed=12):
    random = np.random.default_rng(seed)
    columns = np.column_stack([np.ones(rows), random.normal(size=(rows, 2))])
    return columns, columns @ [1.0, 0.5, -0.3] + 0.1 * random.normal(size=rows), random.integers(0, 12, rows)


def test_every_fold_is_expected_by_the_others_alone():
    columns, outcome, fold = drawn_regression()

    fit = huber_ridge(columns, outcome, np.ones(len(outcome)), fold, bend=None, penalty=1e-9)

    for each in range(12):
        by_others = np.linalg.lstsq(columns[fold != each], outcome[fold != each], rcond=None)[0]
        assert fit.expected[fold == each] == pytest.approx(columns[fold == each] @ by_others, abs=1e-6)


def test_gross_inflation_of_a_few_hardly_moves_what_is_expected_of_the_rest():
    columns, outcome, fold = drawn_regression()
    inflated = outcome + np.where(np.arange(len(outcome)) % 10 == 0, 5.0, 0.0)
    weight = np.ones(len(outcome))

    robust = (
        huber_ridge(columns, inflated, weight, fold).expected - huber_ridge(columns, outcome, weight, fold).expected
    )
    plain = huber_ridge(columns, inflated, weight, fold, bend=None).expected - columns @ [1.0, 0.5, -0.3]

    assert np.abs(robust).mean() < np.abs(plain).mean() / 5


def test_rows_that_are_not_fitted_are_expected_but_teach_nothing():
    columns, outcome, fold = drawn_regression()
    fitted = np.arange(len(outcome)) % 3 > 0
    spoiled = np.where(fitted, outcome, np.nan)
    weight = np.ones(len(outcome))

    with_gaps = huber_ridge(columns, spoiled, weight, fold, fitted=fitted)
    without = huber_ridge(columns[fitted], outcome[fitted], weight[fitted], fold[fitted])

    assert with_gaps.expected[fitted] == pytest.approx(without.expected)
    assert np.isfinite(with_gaps.expected).all()


def test_organisations_of_one_parent_are_left_out_together_and_without_parents_by_tenths():
    organisation = pd.Series([f"o{number:03}" for number in range(60)])
    parent = pd.Series([f"p{number % 6}" for number in range(60)])

    assert (folds(parent, organisation) == np.arange(60) % 6).all()
    for without in (pd.Series(["p"] * 60), pd.Series([pd.NA] * 60, dtype="str"), parent.where(organisation != "o003")):
        assert np.bincount(folds(without, organisation)).tolist() == [6] * 10


def test_the_middle_of_a_group_is_shrunk_by_how_small_it_is():
    values = np.array([1.0, 2.0, 9.0, 4.0, 8.0, np.nan, np.nan, 5.0])
    group = np.array([0, 0, 0, 1, 1, 1, 2, -1])

    assert centre_of_groups(values, group) == pytest.approx([1, 1, 1, 6 * 2 / 5, 6 * 2 / 5, 6 * 2 / 5, 0, 0])
    assert centre_of_groups(values, group, mean=True)[0] == pytest.approx(4 * 3 / 6)


# -- frames


def test_small_types_are_pooled_within_their_kind_first():
    kind = pd.Series(
        ["cb|y tế"] * 50 + ["cb|thuế"] * 20 + ["cb|điện"] * 10 + ["db|xã"] * 60 + ["db|lạ"] * 3 + [None] * 2
    )

    pooled = pooled_types(kind)

    assert pooled.value_counts().to_dict() == {"cb|y tế": 50, "cb|khác": 30, "db|xã": 65}


def test_when_every_type_is_small_all_are_one():
    assert pooled_types(pd.Series(list("abcdef"))).nunique() == 1


def drawn_ratings():
    frame = pd.DataFrame(
        {
            "organisation": ["b", "a", "a", "b", "a", "a", "c"],
            "period": [2024, 2021, 2022, 2022, 2024, 2023, 2022],
            "rated": [10, 11, 12, 13, 14, 15, 16],
        }
    )
    return Ratings(frame)


def test_a_window_holds_the_latest_three_periods_and_tells_who_is_judged():
    window = Window.of(drawn_ratings(), 2024)

    assert window.frame[["organisation", "period"]].to_numpy().tolist() == [
        ["a", 2022], ["a", 2023], ["a", 2024], ["b", 2022], ["b", 2024], ["c", 2022],
    ]  # fmt: skip
    assert window.here.tolist() == [True, True, False]
    assert window.now(window.column("rated")).tolist() == [14, 10]
    assert np.isnan(window.column("not there")).all()
    assert window.text("not there").isna().all()


def test_a_window_never_sees_a_later_period():
    assert Window.of(drawn_ratings(), 2022).grid.periods.tolist() == [2021, 2022]
    assert latest(pd.DataFrame(), 2022).empty


def test_the_first_reason_that_holds_is_given():
    reasons = first_reason(
        3, [(np.array([True, False, False]), "too_small"), (np.array([True, True, False]), "no_scores")]
    )

    assert reasons.tolist() == ["too_small", "no_scores", None]


def test_parameters_are_json_and_unknown_numbers_null():
    assert json.loads(parameters(2, share=np.array([0.12345678, np.nan]), kind="peers", count=3)[1]) == {
        "share": None,
        "kind": "peers",
        "count": 3,
    }
