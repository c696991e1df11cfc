"""The field check: who is drawn, with which chance, and what is said of everybody from what was found."""

import numpy as np
import pandas as pd
import pytest
from drawing import table

from ratings import fieldcheck
from ratings.fieldcheck import (
    FieldCheckError,
    Size,
    draw,
    precision,
    province_shares,
    rechecks,
    sample_size,
    systematic,
)

YEAR = 2025


def population(organisations: int = 120, members: int = 14) -> pd.DataFrame:
    """Organisations of `members` to twice as many members, in cells of seven."""
    sizes = members + np.arange(organisations) % (members + 1)
    of = np.repeat([f"O{number:03}" for number in range(organisations)], sizes)
    number = np.concatenate([np.arange(size) for size in sizes])
    frame = pd.DataFrame({"organisation": of, "cell": (number // 7).astype(str), "number_in": number})
    return frame.assign(member=frame["organisation"] + "-" + frame["number_in"].astype(str))


def risk(organisations: int = 120) -> dict[str, float]:
    """The first tenth stand out."""
    return {f"O{number:03}": 6.0 if number < organisations // 10 else -1.0 for number in range(organisations)}


def size(organisations: int = 40, members: int = 10, population: int = 120) -> Size:
    return Size(organisations, members, 0.15, 0.15, 0.1, population, 0.8)


def results(drawn: fieldcheck.Draw, was_good: object = True, is_good: object = True) -> pd.DataFrame:
    """What estimates read, of a draw in which everybody was found so."""
    columns = ["organisation", "arm", "probability", "rated"]
    frame = drawn.members[["organisation", "member"]].merge(drawn.organisations[columns], on="organisation")
    told = {"draw_id": drawn.draw_id, "year": drawn.year, "was_good": was_good, "is_good": is_good}
    return frame.assign(**told).astype({"was_good": "boolean", "is_good": "boolean"})


# --- size


@pytest.mark.parametrize(
    ("more", "than"),
    [
        ({"difference": 0.1}, {"difference": 0.2}),
        ({"correlation": 0.2}, {"correlation": 0.05}),
        ({"base_rate": 0.3}, {"base_rate": 0.05}),
        ({"members": 5}, {"members": 20}),
        ({"population": 5000}, {"population": 60}),
    ],
)
def test_more_organisations_are_needed_for(more, than):
    ordinary = {"difference": 0.15, "population": 500, "fewest": 2}

    assert sample_size(**{**ordinary, **more}).organisations > sample_size(**{**ordinary, **than}).organisations


def test_the_size_is_the_least_with_the_power():
    found = sample_size(0.15, population=500, fewest=2)
    least = fieldcheck._power(np.array([found.organisations - 1]), 0.15, 500, 0.15, 10, 0.1)[0]

    assert found.power >= 0.8 > least


def test_an_arm_is_never_so_small_that_nothing_could_be_said_of_everybody():
    assert sample_size(0.5, population=500).organisations == fieldcheck.FEWEST_AT_RANDOM
    assert sample_size(0.5, population=12).organisations == 12


def test_where_all_organisations_do_not_show_the_difference_all_are_taken_and_the_power_says_so():
    found = sample_size(0.03, population=20)

    assert found.organisations == 20
    assert found.power < 0.8


def test_all_that_is_wrong_with_the_numbers_is_said_at_once():
    with pytest.raises(FieldCheckError) as caught:
        sample_size(1.5, base_rate=-0.1, members=4, correlation=2, population=1)

    assert len(str(caught.value).splitlines()) == 5


# --- draw


def test_the_same_seed_draws_the_same_whatever_the_order_of_the_rows():
    members = population()
    first = draw(members, risk(), year=YEAR, seed=3, size=size())
    again = draw(members.sample(frac=1, random_state=1), risk(), year=YEAR, seed=3, size=size())
    other = draw(members, risk(), year=YEAR, seed=4, size=size())

    pd.testing.assert_frame_equal(first.members, again.members)
    pd.testing.assert_frame_equal(first.organisations, again.organisations)
    assert first.draw_id == again.draw_id != other.draw_id
    assert not first.members["member"].equals(other.members["member"])


def test_both_arms_have_the_size_asked_for_and_members_are_numbered_through():
    drawn = draw(population(), risk(), year=YEAR, seed=1, size=size(30, 10))
    arms = drawn.organisations["arm"]

    assert (arms.isin(["risk", "both"])).sum() == (arms.isin(["random", "both"])).sum() == 30
    assert drawn.members.groupby("organisation").size().eq(10).all()
    assert drawn.members["number"].tolist() == list(range(1, len(drawn.members) + 1))
    assert drawn.members[["organisation", "cell"]].equals(
        drawn.members[["organisation", "cell"]].sort_values(["organisation", "cell"], kind="stable")
    )


def test_all_members_of_a_small_organisation_are_drawn():
    drawn = draw(population(10, 3), {}, year=YEAR, seed=1, size=size(10, 10, 10))

    assert (drawn.organisations["drawn"] == drawn.organisations["rated"].clip(upper=10)).all()


def test_who_stands_out_is_drawn_more_often_and_nobody_never():
    drawn = draw(population(), risk(), year=YEAR, seed=1, size=size())
    stands_out = drawn.organisations["t"] > 0

    assert drawn.organisations.loc[stands_out, "risk_probability"].min() > (
        drawn.organisations.loc[~stands_out, "risk_probability"].max()
    )
    assert (drawn.organisations["risk_probability"] > 0).all()


TIMES = 600


@pytest.fixture(scope="module")
def often() -> pd.DataFrame:
    """The organisations of many draws, with what each drew."""
    drawn = (draw(population(40, 5), risk(40), year=YEAR, seed=seed, size=size(12, 5, 40)) for seed in range(TIMES))
    return pd.concat([one.organisations for one in drawn])


@pytest.mark.parametrize(
    ("chance", "arms"),
    [
        ("risk_probability", ["risk", "both"]),
        ("random_probability", ["random", "both"]),
        ("probability", ["risk", "random", "both"]),
    ],
)
def test_organisations_are_drawn_as_often_as_their_chance_says(often, chance, arms):
    of_each = often.assign(hit=often["arm"].isin(arms)).groupby("organisation")
    hits, chance = of_each["hit"].sum(), of_each[chance].last()
    spread = np.sqrt(TIMES * chance * (1 - chance)).replace(0, 1)

    assert len(hits) == 40
    assert ((hits - TIMES * chance).abs() < 4.5 * spread).all()


@pytest.mark.parametrize("measure", [np.ones(7), np.array([100.0, 1, 1, 1, 1]), np.array([50.0, 40, 1e-9, 1])])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_systematically_exactly_so_many_are_drawn_and_no_chance_passes_one(measure, count):
    for seed in range(50):
        drawn, chance = systematic(measure, count, np.random.default_rng(seed))

        assert drawn.sum() == count
        assert chance.max() <= 1
        assert chance.sum() == pytest.approx(count)


def test_an_arm_is_never_larger_than_the_province():
    drawn = draw(population(6), {}, year=YEAR, seed=1, size=size(40))

    assert drawn.population == 6
    assert (drawn.organisations["probability"] == 1).all()


def test_nobody_to_draw_and_a_member_twice_are_said():
    with pytest.raises(FieldCheckError, match="chưa có đảng viên nào"):
        draw(population().head(0), {}, year=YEAR, seed=1, size=size())
    with pytest.raises(FieldCheckError, match="1 đảng viên đứng hai lần"):
        draw(pd.concat([population(), population().head(1)]), {}, year=YEAR, seed=1, size=size())


# --- what was found

FOUND = table("""
    draw_id | year | organisation | arm    | probability | rated | was_good | is_good
    --------+------+--------------+--------+-------------+-------+----------+--------
    A       | 2025 | O1           | both   | 0.5         | 20    | 1        | 1
    A       | 2025 | O1           | both   | 0.5         | 20    | 1        | 0
    A       | 2025 | O1           | both   | 0.5         | 20    | 1        |
    A       | 2025 | O1           | both   | 0.5         | 20    | 0        | 0
    A       | 2025 | O2           | random | 0.5         | 10    | 1        |
    B       | 2025 | O1           | random | 0.5         | 20    | 0        | 1
""").astype({"was_good": "boolean", "is_good": "boolean"})


def test_what_gap_reads_counts_what_is_done_alone_and_only_good_that_is_good_no_more():
    told = rechecks(FOUND)

    assert told.to_dict("list") == {
        "organisation": ["O1", "O1"], "period": [2025, 2025], "rechecked": [3, 1], "lowered": [1, 0],
    }  # fmt: skip


def test_nothing_back_yet_is_no_recheck_and_no_estimate():
    drawn = results(draw(population(), risk(), year=YEAR, seed=1, size=size()), is_good=pd.NA)

    assert rechecks(drawn).empty
    [told] = province_shares(drawn).to_dict("records")
    assert (told["is_estimable"], told["reason_code"]) == (False, "no_results")
    assert pd.isna(told["share"])
    assert told["members_drawn"] > told["members"] == 0


def test_under_thirty_organisations_of_the_random_arm_nothing_is_said_of_everybody():
    drawn = draw(population(), risk(), year=YEAR, seed=1, size=size(30))
    whole = results(drawn)
    one = whole.loc[whole["arm"] != "risk", "organisation"].iloc[0]
    lacking = whole.assign(is_good=whole["is_good"].mask(whole["organisation"] == one))
    pointed = pd.DataFrame({"organisation": whole["organisation"].unique(), "period": YEAR, "signal": "OWN", "p": 0.01})

    assert province_shares(whole)["is_estimable"].all()
    assert province_shares(lacking)["reason_code"].tolist() == ["too_few_at_random"]
    assert precision(lacking, pointed)["reason_code"].tolist() == ["too_few_at_random"]


def test_an_organisation_stands_for_its_members_and_for_those_that_were_not_drawn():
    """Twice as many members, or half the chance of being drawn, count twice."""
    drawn = pd.DataFrame(
        {
            "draw_id": "A",
            "year": YEAR,
            "organisation": np.repeat([f"O{number:02}" for number in range(40)], 5),
            "arm": "random",
            "probability": np.repeat(np.where(np.arange(40) < 10, 0.2, 0.4), 5),
            "rated": np.repeat(np.where(np.arange(40) >= 30, 20, 10), 5),
            "was_good": True,
            "is_good": np.repeat(np.arange(40) >= 10, 5),
        }
    ).astype({"was_good": "boolean", "is_good": "boolean"})

    [told] = province_shares(drawn).to_dict("records")
    weight = np.where(np.arange(40) >= 30, 20, 10) / np.where(np.arange(40) < 10, 0.2, 0.4)
    assert told["share"] == pytest.approx(weight[10:].sum() / weight.sum())
    assert told["lowered_share"] == pytest.approx(1 - told["share"])
    assert told["low"] < told["share"] < told["high"]
    assert told["decided_share"] == 1


def test_what_was_not_done_changes_nothing_but_the_width():
    drawn = draw(population(), risk(), year=YEAR, seed=2, size=size())
    found = results(drawn, is_good=drawn.members["number_in"] % 4 > 0)
    half = found.assign(is_good=found["is_good"].mask(found.index % 2 == 1))

    [whole], [part] = (province_shares(each).to_dict("records") for each in (found, half))
    assert part["members"] == pytest.approx(whole["members"] / 2, abs=1)
    assert part["low"] < whole["share"] < part["high"]
    assert part["high"] - part["low"] > whole["high"] - whole["low"]


@pytest.mark.parametrize("is_good", [True, False])
def test_where_all_are_found_alike_there_is_an_interval_still(is_good):
    drawn = draw(population(), risk(), year=YEAR, seed=1, size=size())

    [told] = province_shares(results(drawn, is_good=is_good)).to_dict("records")
    assert told["share"] == is_good
    assert 0.005 < told["high"] - told["low"] < 0.2
    assert 0 <= told["low"] <= told["share"] <= told["high"] <= 1


def test_a_census_has_no_uncertainty_of_drawing():
    drawn = draw(population(40), {}, year=YEAR, seed=1, size=size(40, 100, 40))
    found = results(drawn, is_good=drawn.members["number_in"] > 3)

    [told] = province_shares(found).to_dict("records")
    assert told["share"] == pytest.approx((drawn.members["number_in"] > 3).mean())
    assert told["high"] - told["low"] < 1e-9


def test_an_indicator_is_as_right_as_the_share_lowered_where_it_points():
    drawn = draw(population(), risk(), year=YEAR, seed=1, size=size())
    codes = drawn.organisations["organisation"]
    found = results(drawn, is_good=~drawn.members["organisation"].isin(codes[:12]))
    right = pd.DataFrame({"organisation": codes[:12], "period": YEAR, "signal": "RIGHT", "p": 0.05})
    wrong = pd.DataFrame({"organisation": codes[12:], "period": YEAR, "signal": "WRONG", "p": 0.01})
    silent = pd.DataFrame({"organisation": codes, "period": YEAR, "signal": "SILENT", "p": 0.2})
    another = pd.DataFrame({"organisation": codes, "period": YEAR - 1, "signal": "SILENT", "p": 0.001})
    gap = pd.DataFrame({"organisation": codes, "period": YEAR, "signal": "GAP", "p": 0.001})

    told = precision(found, pd.concat([right, wrong, silent, another, gap])).set_index("signal")
    assert list(told.index) == ["RIGHT", "SILENT", "WRONG"]
    assert told["share"].fillna(-1).tolist() == [1, -1, 0]
    assert told["elsewhere_share"].fillna(-1).tolist() == [0, -1, 1]
    assert told.loc["SILENT", "reason_code"] == "too_few_marked"
    assert told["organisations_marked"].tolist() == [12, 0, len(codes) - 12]


def test_estimates_have_their_columns_where_there_is_nothing_at_all():
    nothing = FOUND.head(0)
    signals = pd.DataFrame({"organisation": [], "period": [], "signal": [], "p": []})

    assert list(province_shares(nothing).columns) == list(fieldcheck.PROVINCE_COLUMNS)
    assert list(precision(nothing, signals).columns) == list(fieldcheck.PRECISION_COLUMNS)
    assert rechecks(nothing).empty
