"""The review list: two reasons for everyone on it, and no more chance listings than the budget says."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from ratings.combination import LIST_COLUMNS, combine
from ratings.signals.battery import BATTERY_COLUMNS, FAMILIES, FAMILY_OF

ONE_OF_EACH = [names[0] for names in FAMILIES.values()]


def signals_of(z, period=2025):
    """Rows of signals whose deviates stand in `z` (signal -> one value an organisation; NaN: not testable)."""
    parts = []
    for name, values in z.items():
        values = np.asarray(values, float)
        tested = np.isfinite(values)
        parts.append(
            pd.DataFrame(
                {
                    "organisation": [f"o{place:04d}" for place in range(len(values))],
                    "period": period,
                    "signal": name,
                    "is_testable": tested,
                    "reason_code": np.where(tested, None, "too_small"),
                    "z": values,
                    "p": np.where(tested, ndtr(-values), np.nan),
                    "observed": 10.0,
                    "expected": 8.0,
                    "family": FAMILY_OF.get(name),
                }
            )
        )
    return pd.concat(parts).reindex(columns=list(BATTERY_COLUMNS)).astype(BATTERY_COLUMNS)


def honest(seed, organisations=400, names=ONE_OF_EACH, related=0.0):
    random = np.random.default_rng(seed)
    common = random.standard_normal(organisations)
    return {
        name: np.sqrt(related) * common + np.sqrt(1 - related) * random.standard_normal(organisations) for name in names
    }


def place_of(combined, organisation):
    return combined.organisations.set_index("organisation").loc[organisation]


@pytest.mark.parametrize("related", [0.0, 0.4])
@pytest.mark.parametrize("count", [2, 5, 12])
def test_by_chance_one_in_twenty_has_a_chance_of_one_in_twenty(count, related):
    drawn = [combine(signals_of(honest(seed, names=ONE_OF_EACH[:count], related=related))) for seed in range(10)]

    p = np.concatenate([each.organisations["p"].to_numpy(float) for each in drawn])

    assert 0.03 < (p <= 0.05).mean() < 0.06
    assert (p <= 0.001).mean() < 0.003


def test_where_nobody_inflates_almost_nobody_is_listed():
    drawn = [combine(signals_of(honest(seed))).budget.listed for seed in range(20)]

    assert sum(each["A"] for each in drawn) <= 4


@pytest.mark.parametrize("planted", [0, 5, 500])
def test_of_a_nation_those_who_stand_out_are_listed_however_few_and_hardly_anybody_else(planted):
    z = honest(7, organisations=51_000, names=ONE_OF_EACH[:6], related=0.2)
    for place, name in enumerate(ONE_OF_EACH[:2]):
        z[name][:planted] = 4.5 + place

    listed = combine(signals_of(z)).organisations.query("band in ['A', 'B']")

    found = listed["organisation"].isin([f"o{place:04d}" for place in range(planted)])
    assert found.sum() == planted
    assert (~found).sum() <= max(2, 0.2 * planted)


def test_half_of_the_signals_caution_is_made_up_for_and_boldness_never_adds_to_it():
    shy = {name: values - 0.3 for name, values in honest(1).items()}
    bold = {name: values + 0.3 for name, values in honest(1).items()}

    cautious = combine(signals_of(shy))
    assert cautious.budget.centre < -0.3
    assert cautious.organisations["p"].median() == pytest.approx(ndtr(-cautious.budget.centre / 2), rel=0.001)
    assert combine(signals_of(bold)).budget.centre > 0.2
    assert np.median(combine(signals_of(bold)).organisations["p"].astype(float)) < 0.4


def test_two_strong_reasons_are_band_a():
    z = honest(2)
    z["EVIDENCE"][7] = z["COPY"][7] = 4.5

    found = place_of(combine(signals_of(z)), "o0007")

    assert (found["band"], found["rank"]) == ("A", 1)
    assert {found["first_family"], found["second_family"]} == {"evidence", "copy"}
    assert found["certainty"] > 0.9


def test_one_reason_alone_however_strong_is_in_neither_a_nor_b():
    z = {name: np.r_[values, 0.3] for name, values in honest(3).items()}
    z["COPY"][-1] = 12.0

    found = place_of(combine(signals_of(z)), "o0400")

    assert found["q"] < 0.1
    assert found["band"] == "C"


def test_signals_of_one_family_are_one_reason():
    z = {name: np.r_[values, -1.0] for name, values in honest(4, names=[*ONE_OF_EACH, "TOP"]).items()}
    z["EVIDENCE"][-1] = z["TOP"][-1] = 6.0

    found = place_of(combine(signals_of(z)), "o0400")

    assert found["first_family"] == "evidence"
    assert found["second_z"] < 0


def test_what_is_shown_only_is_no_reason():
    z = honest(5)
    with_shown = z | {"FUNNEL": np.full(400, 5.0), "MODAL": np.full(400, 5.0)}

    pd.testing.assert_frame_equal(combine(signals_of(with_shown)).organisations, combine(signals_of(z)).organisations)


def test_the_chance_of_two_families_is_that_of_their_sum():
    t = place_of(combine(signals_of({"EVIDENCE": np.zeros(5) + 2.0, "COPY": np.zeros(5) + 2.5})), "o0000")

    # Of five organisations the correlation is not taken but assumed.
    assert t["p"] == pytest.approx(ndtr(-4.5 / np.sqrt(2 + 2 * 0.3)), rel=0.1)


def test_fewer_than_two_families_are_not_testable():
    z = honest(6)
    for name in z:
        z[name][:2] = np.nan
    z["OWN"][1] = 6.0

    combined = combine(signals_of(z))

    assert place_of(combined, "o0000")["reason_code"] == "no_reason"
    assert place_of(combined, "o0001")["reason_code"] == "one_reason"
    assert (
        combined.organisations.set_index("organisation")
        .loc[["o0000", "o0001"], ["p", "q", "rank"]]
        .isna()
        .all(axis=None)
    )
    assert combined.budget.not_tested == {"no_reason": 1, "one_reason": 1}


def test_nothing_testable_at_all_lists_nobody():
    combined = combine(signals_of(dict.fromkeys(ONE_OF_EACH, np.full(20, np.nan))))

    assert combined.listed.empty
    assert combined.budget.tested == 0
    assert set(combined.organisations["reason_code"]) == {"no_reason"}


def test_under_thirty_organisations_there_is_no_band_a():
    z = honest(7, organisations=29)
    for name in ("EVIDENCE", "COPY"):
        z[name][0] = 6.0

    assert place_of(combine(signals_of(z)), "o0000")["band"] == "B"


@pytest.mark.parametrize(("organisations", "length"), [(400, 40), (900, 50), (15, 3)])
def test_band_c_fills_the_list_up(organisations, length):
    listed = combine(signals_of(honest(8, organisations=organisations))).listed

    assert len(listed) == length
    assert list(listed["rank"]) == list(range(1, length + 1))


def test_the_order_of_rows_does_not_matter_and_twice_is_the_same():
    signals = signals_of(honest(9) | {"TOP": np.where(np.arange(400) % 3, np.nan, 1.0)})

    first, again = combine(signals).organisations, combine(signals.sample(frac=1, random_state=3)).organisations

    pd.testing.assert_frame_equal(first, again)
    assert list(first.columns) == list(LIST_COLUMNS)


def test_more_of_a_reason_never_makes_an_organisation_less_surprising():
    chances = []
    for strength in np.linspace(0, 9, 19):
        z = honest(10)
        z["COPY"][0] = z["OWN"][0] = strength
        chances.append(place_of(combine(signals_of(z)), "o0000")["p"])

    assert all(later <= earlier * 1.02 for earlier, later in pairwise(chances))
    assert chances[-1] < 1e-7


def test_the_budget_counts_what_was_tested_and_what_chance_would_list():
    z = honest(11)
    z["OWN"][:30] = np.nan
    for place in range(10):
        for name in ("EVIDENCE", "COPY"):
            z[name][place + 50] = 5.0

    budget = combine(signals_of(z)).budget

    own = budget.signals.set_index("signal").loc["OWN"]
    assert (own["tested"], own["not_tested"], own["expected_at_5_percent"]) == (370, 30, 18.5)
    assert budget.reasons.set_index("signal").loc["OWN", "organisations"] == 30
    assert budget.listed["A"] >= 10
    assert budget.expected_false["A"] == pytest.approx(0.1 * budget.listed["A"])


def test_members_above_are_those_beyond_the_evidence_and_never_fewer_than_none():
    signals = signals_of(honest(12))
    signals.loc[(signals["signal"] == "EVIDENCE") & (signals["organisation"] == "o0001"), "observed"] = 3

    above = combine(signals).organisations.set_index("organisation")["members_above"]

    assert (above["o0000"], above["o0001"]) == (2, 0)


def test_signals_of_two_periods_are_refused():
    with pytest.raises(ValueError, match="one period"):
        combine(pd.concat([signals_of(honest(13)), signals_of(honest(13), period=2024)]))
