"""Weights that leave a group of many out of what is usual, and leave honest tables as they are."""

import numpy as np
import pytest

from ratings.signals import battery
from ratings.signals.mixture import FEWEST, LEARNED_FROM, fits_by_type, usual_weights
from ratings.signals.statistics import beta_binomial_fit, guarded, overdispersion, weighted_quantiles
from ratings.simulation import Province, simulate


def counts(seed, mean, *, rows=400, size=30.0, most=60):
    """Beta-binomial counts of organisations of 10 to `most`."""
    random = np.random.default_rng(seed)
    whole = random.integers(10, most, rows).astype(float)
    part = random.binomial(whole.astype(int), random.beta(mean * size, (1 - mean) * size, rows)).astype(float)
    return part, whole


def lifted(seed, share, mean=0.2, higher=0.75, rows=400):
    """Counts of which the first `share` come from a higher group."""
    part, whole = counts(seed, mean, rows=rows)
    more, of = counts(seed + 1000, higher, rows=round(share * rows))
    part[: len(more)], whole[: len(more)] = more, of
    return part, whole


@pytest.mark.parametrize("mean", [0.05, 0.4, 0.9])
def test_where_all_are_of_one_kind_nobody_is_left_out(mean):
    for seed in range(10):
        part, whole = counts(seed, mean)
        assert (usual_weights(part, whole, part.sum() / whole.sum()) == 1).all()


@pytest.mark.parametrize("share", [0.15, 0.2, 0.25])
def test_a_higher_group_of_many_is_left_out_and_the_others_stay(share):
    part, whole = lifted(3, share)
    weight = usual_weights(part, whole, part.sum() / whole.sum())
    group = np.arange(400) < 400 * share
    assert weight[group].mean() < 0.1
    assert weight[~group].mean() > 0.97


def test_a_group_no_larger_than_a_habit_is_left_to_trimming():
    part, whole = lifted(3, 0.08)
    assert (usual_weights(part, whole, part.sum() / whole.sum()) == 1).all()


def test_a_group_that_lies_lower_is_none_of_those_who_inflate():
    part, whole = lifted(3, 0.2)
    assert (usual_weights(whole - part, whole, 1 - part.sum() / whole.sum()) == 1).all()


def test_two_halves_are_no_usual_group_and_another():
    part, whole = lifted(3, 0.5)
    assert (usual_weights(part, whole, part.sum() / whole.sum()) == 1).all()


def test_few_organisations_are_all_usual():
    part, whole = lifted(3, 0.2, rows=FEWEST - 1)
    assert (usual_weights(part, whole, part.sum() / whole.sum()) == 1).all()


def test_what_is_not_known_is_usual_and_changes_nothing_for_the_others():
    part, whole = lifted(3, 0.2)
    mean = part.sum() / whole.sum()
    alone = usual_weights(part, whole, mean)
    padded = usual_weights(np.r_[part, np.nan, 3.0], np.r_[whole, 20.0, 0.0], mean)
    assert padded[:-2] == pytest.approx(alone, rel=1e-12)
    assert (padded[-2:] == 1).all()


def test_rows_of_one_owner_are_added_up():
    part, whole = lifted(3, 0.2)
    mean = part.sum() / whole.sum()
    random = np.random.default_rng(1)
    first = random.binomial(whole.astype(int), 0.5).astype(float)
    of_first = np.minimum(random.binomial(part.astype(int), 0.5), first)
    of_first = np.maximum(of_first, part - (whole - first))
    split = usual_weights(
        np.r_[of_first, part - of_first], np.r_[first, whole - first], mean, owner=np.tile(np.arange(400), 2)
    )
    together = usual_weights(part, whole, mean)
    assert together.min() < 0.5
    assert split == pytest.approx(np.tile(together, 2), rel=1e-9)


def test_a_nation_is_learned_from_a_part_and_weighed_as_a_whole():
    part, whole = lifted(3, 0.2, rows=3 * LEARNED_FROM)
    order = np.random.default_rng(2).permutation(len(part))
    group = order < 0.2 * len(part)
    weight = usual_weights(part[order], whole[order], part.sum() / whole.sum())
    assert weight[group].mean() < 0.1
    assert weight[~group].mean() > 0.97


def test_what_is_usual_of_a_type_is_learned_without_those_who_inflate():
    part, whole = lifted(5, 0.2)
    kind = np.arange(400) % 2
    honest = np.arange(400) >= 80
    fits = fits_by_type(part, whole, kind, fewest=15)
    for each in (0, 1):
        of_all = beta_binomial_fit(part[kind == each], whole[kind == each])
        of_honest = beta_binomial_fit(part[honest & (kind == each)], whole[honest & (kind == each)])
        found = fits.mean[kind == each][0]
        assert abs(found - of_honest.mean) < abs(of_all.mean - of_honest.mean) / 4
        assert 1 / (fits.alpha + fits.beta + 1)[kind == each][0] < of_all.overdispersion / 2


def test_a_type_of_too_few_has_no_fit():
    part, whole = counts(1, 0.3, rows=100)
    fits = fits_by_type(part, whole, np.r_[np.zeros(90), np.ones(10)], fewest=15)
    assert np.isfinite(fits.alpha[:90]).all()
    assert np.isnan(fits.alpha[90:]).all()


def test_a_weight_of_nothing_is_as_if_the_row_were_not_there():
    part, whole = lifted(7, 0.2)
    weight = np.r_[np.zeros(80), np.ones(320)]
    mean = part[80:].sum() / whole[80:].sum()
    assert overdispersion(part, whole, mean, weight) == pytest.approx(
        overdispersion(part[80:], whole[80:], mean), rel=0.02
    )
    assert beta_binomial_fit(part, whole, weight).mean == pytest.approx(beta_binomial_fit(part[80:], whole[80:]).mean)
    z = np.r_[np.full(80, 3.0), np.random.default_rng(1).standard_normal(320) * 2]
    assert guarded(z, weight)[80:] == pytest.approx(guarded(z[80:]), rel=0.05, abs=0.05)
    assert weighted_quantiles(np.arange(10.0), 0.5, np.full(10, 0.3)) == np.quantile(np.arange(10.0), 0.5)


@pytest.mark.parametrize(
    ("mechanism", "signal", "least"),
    [
        ("copy_forward", "COPY", 0.55),
        ("own_level", "OWN", 0.6),
        ("rotation", "ROTATE", 0.25),
        ("score_pushing", "BUNCH", 0.4),
        ("uniform", "UNIFORM", 0.4),
    ],
)
def test_many_who_inflate_in_one_way_do_not_hide_one_another(mechanism, signal, least):
    ratings, truth = simulate(4, Province(planted=0.15, mechanisms=(mechanism,)))
    p = battery.signals(ratings, only=[signal]).set_index("organisation")["p"].astype(float)
    inflates = truth.set_index("organisation")["is_tampered"].reindex(p.index).to_numpy(bool)
    assert (p[inflates] <= 0.01).mean() >= least
    assert (p[~inflates] <= 0.05).mean() <= 0.06


@pytest.mark.parametrize("rounders", [0.08, 0.15, 0.3, 0.6])
def test_many_who_round_are_not_taken_for_a_group_that_lifts_scores(rounders):
    for seed in (4, 5):
        ratings, _ = simulate(seed, Province(planted=0, rounders=rounders))
        p = battery.signals(ratings, only=["BUNCH"])["p"].astype(float)
        assert (p.dropna() <= 0.05).mean() <= 0.06
