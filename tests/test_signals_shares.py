"""Signals of shares: what each of them sees, what it must not see, and how often it cries wolf."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from ratings.signals import evidence, shares, target, uniform
from ratings.signals.frames import REASONS, SIGNAL_COLUMNS, Ratings, Scale
from ratings.signals.shares import ALARM, funnel, funnel_signal, wilson

SIGNALS = evidence.SIGNALS | shares.SIGNALS | target.SIGNALS | uniform.SIGNALS
COMBINED = [name for name in SIGNALS if name not in ("FUNNEL", "MODAL")]
LAST = 2024


def drawn_province(seed=0, organisations=240, periods=3, informative=1.0, parent_spread=0.3) -> Ratings:
    """An honest province: members are rated by what the organisation did, its district's manner and their own merit."""
    random = np.random.default_rng(seed)
    parent = np.arange(organisations) % 8
    manner = random.normal(0, parent_spread, 8)[parent]
    parts = np.where(random.random(organisations) < 0.5, random.integers(3, 9, organisations), 1)
    owner = np.repeat(np.arange(organisations), parts)
    size = np.maximum(3, random.lognormal(2.6, 0.4, len(owner))).astype(int)
    merit = random.normal(size=organisations)
    frames, groups = [], []
    for period in range(LAST - periods + 1, LAST + 1):
        merit = 0.8 * merit + 0.6 * random.normal(size=organisations)
        lift = (1.6 + 0.5 * merit + manner)[owner] + random.normal(0, 0.3, len(owner))
        good = random.binomial(size, 1 / (1 + np.exp(-lift)))
        top = random.binomial(good, 0.18)
        weak = random.binomial(size - good, 0.1)
        levels = np.column_stack([top, good - top, size - good - weak, weak])
        total = np.column_stack([np.bincount(owner, weights=column) for column in levels.T]).astype(int)
        frames.append(
            pd.DataFrame(
                {
                    "organisation": [f"o{code:04}" for code in range(organisations)],
                    "period": period,
                    "parent": [f"p{code}" for code in parent],
                    "type": np.where(parts == 1, "cb|x", "db|x"),
                    "rated": total.sum(axis=1),
                    "good": total[:, :2].sum(axis=1),
                    "top": total[:, 0],
                    **{f"level_{rank + 1}": total[:, rank] for rank in range(4)},
                    "own_level": np.digitize(merit + manner + random.normal(0, 0.6, organisations), [-2.5, -1.3, 1.5]),
                    **{f"work_{n}": informative * merit + random.normal(0, 0.6, organisations) for n in range(3)},
                }
            )
        )
        counts = {f"level_{rank + 1}": levels[:, rank] for rank in range(4)}
        codes = {"organisation": [f"o{code:04}" for code in owner], "group": [f"g{n:04}" for n in range(len(owner))]}
        groups.append(pd.DataFrame(codes | {"period": period} | counts))
    return Ratings(
        pd.concat(frames, ignore_index=True),
        Scale(target=0.85),
        {f"work_{n}": 1 for n in range(3)},
        pd.concat(groups, ignore_index=True),
    )


def changed(ratings: Ratings, **columns) -> Ratings:
    return replace(ratings, organisations=ratings.organisations.assign(**columns))


def with_counts(ratings: Ratings, rows: pd.Series, good=None, top=None) -> Ratings:
    """The same ratings with other counts in some rows; counts by level and by part are taken out."""
    frame = ratings.organisations.copy()
    for name, values in (("good", good), ("top", top)):
        if values is not None:
            frame.loc[rows, name] = values
    frame["top"] = np.minimum(frame["top"], frame["good"])
    frame = frame.drop(columns=[f"level_{rank}" for rank in range(1, 5)], errors="ignore")
    return replace(ratings, organisations=frame, groups=pd.DataFrame())


def p_values(name: str, ratings: Ratings, period: int = LAST) -> pd.Series:
    return SIGNALS[name](ratings, period).set_index("organisation")["p"]


def reasons(name: str, ratings: Ratings, period: int = LAST) -> set:
    return set(SIGNALS[name](ratings, period)["reason_code"].dropna())


@pytest.fixture(scope="module")
def province() -> Ratings:
    return drawn_province()


def first_of(ratings: Ratings, count: int) -> pd.Series:
    codes = np.sort(ratings.organisations["organisation"].unique())
    codes = codes[:: len(codes) // count][:count]
    return ratings.organisations["organisation"].isin(codes)


# -- every signal


@pytest.mark.parametrize("name", SIGNALS)
def test_every_organisation_of_the_period_has_a_p_or_a_reason(name, province):
    rows = SIGNALS[name](province, LAST)

    assert list(rows.columns) == list(SIGNAL_COLUMNS)
    assert rows["organisation"].tolist() == sorted(rows["organisation"])
    assert len(rows) == 240
    assert (rows["signal"] == name).all()
    assert (rows["p"].notna() == rows["is_testable"]).all()
    assert (rows["reason_code"].isna() == rows["is_testable"]).all()
    assert set(rows["reason_code"].dropna()) <= set(REASONS)
    assert rows["is_testable"].any()
    assert rows["parameters"].dropna().map(json.loads).map(type).eq(dict).all()


@pytest.mark.parametrize("name", SIGNALS)
def test_the_order_of_rows_says_nothing(name, province):
    shuffled = replace(
        province,
        organisations=province.organisations.sample(frac=1, random_state=1),
        groups=province.groups.sample(frac=1, random_state=2),
    )

    pd.testing.assert_frame_equal(SIGNALS[name](shuffled, LAST), SIGNALS[name](province, LAST))


@pytest.mark.parametrize(
    "name", [name for name in SIGNALS if name != "MODAL"]
)  # what MODAL deals out hangs on the order
def test_the_codes_of_organisations_say_nothing(name, province):
    code = {old: f"o{9999 - int(old[1:]):04}" for old in province.organisations["organisation"]}
    renamed = replace(
        province,
        organisations=province.organisations.assign(organisation=province.organisations["organisation"].map(code)),
        groups=province.groups.assign(organisation=province.groups["organisation"].map(code)),
    )

    before, after = p_values(name, province), p_values(name, renamed)

    assert after.reindex(before.index.map(code)).to_numpy(float) == pytest.approx(before.to_numpy(float), nan_ok=True)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_period_is_judged_the_same_when_later_ones_have_come(name, province):
    frame, groups = province.organisations, province.groups
    doubled = replace(
        province,
        organisations=pd.concat([frame, frame.assign(period=frame["period"] + 3, good=frame["rated"], top=0)]),
        groups=pd.concat([groups, groups.assign(period=groups["period"] + 3)]),
    )

    pd.testing.assert_frame_equal(SIGNALS[name](doubled, LAST), SIGNALS[name](province, LAST))


@pytest.mark.parametrize("name", SIGNALS)
def test_only_the_latest_three_periods_speak(name):
    long = drawn_province(seed=3, periods=5)
    short = replace(
        long,
        organisations=long.organisations.query("period > 2021"),
        groups=long.groups.query("period > 2021"),
    )

    pd.testing.assert_frame_equal(SIGNALS[name](long, LAST), SIGNALS[name](short, LAST))


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("organisations", [1, 3])
def test_a_handful_of_organisations_is_not_tested(name, organisations):
    assert p_values(name, drawn_province(organisations=organisations)).isna().all()


@pytest.mark.parametrize("name", ["EVIDENCE", "TOP", "JUMP", "TARGET", "UNIFORM", "FUNNEL"])
def test_where_nothing_is_known_of_the_rated_that_is_the_reason(name, province):
    assert reasons(name, changed(province, rated=np.nan)) == {"no_subjects"}


@pytest.mark.parametrize("name", ["EVIDENCE", "TOP", "JUMP", "TARGET", "UNIFORM", "FUNNEL"])
def test_an_organisation_with_few_members_is_too_small(name, province):
    small = first_of(province, 5)
    few = with_counts(changed(province, rated=province.organisations["rated"].mask(small, 7)), small, good=7, top=0)

    rows = SIGNALS[name](few, LAST).set_index("organisation").loc[province.organisations.loc[small, "organisation"]]

    assert set(rows["reason_code"]) == {"too_small"}


@pytest.mark.parametrize("name", ["EVIDENCE", "TOP", "JUMP", "UNIFORM", "FUNNEL"])
def test_where_nobody_differs_nothing_is_tested(name, province):
    frame = province.organisations
    everyone = with_counts(province, frame["rated"] > 0, good=frame["rated"], top=frame["rated"])

    assert p_values(name, everyone).isna().all()
    assert "no_variance" in reasons(name, everyone)


@pytest.mark.parametrize("name", ["EVIDENCE", "TOP", "TARGET", "UNIFORM", "FUNNEL"])
def test_counts_alone_are_enough(name, province):
    frame = province.organisations[["organisation", "period", "rated", "good", "top"]]

    assert p_values(name, Ratings(frame, Scale(target=0.85))).notna().any()


@pytest.mark.parametrize(("name", "frame"), [("EVIDENCE", ["rated"]), ("TOP", ["rated", "good"]), ("OWN", ["rated"])])
def test_what_is_not_known_is_not_tested(name, frame, province):
    bare = Ratings(province.organisations[["organisation", "period", *frame]], Scale(target=0.85))

    assert p_values(name, bare).isna().all()


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_honest_provinces_are_left_in_peace(spread):
    provinces = [drawn_province(seed=seed, parent_spread=spread) for seed in range(100, 108)]
    for name in COMBINED:
        p = pd.concat([p_values(name, each) for each in provinces]).dropna().to_numpy(float)
        tolerance = 3 * np.sqrt(0.06 * 0.94 / len(p))  # the share is to be at most .06; so many draws see it so exactly
        assert (p <= 0.05).mean() <= 0.06 + tolerance, name


# -- FUNNEL


def test_a_dozen_honest_organisations_are_within_the_funnel_of_a_dozen():
    """Of so few the spread is known only roughly: without allowing for that one in eight was outside."""
    random = np.random.default_rng(3)
    p = []
    for _ in range(60):
        rated = random.integers(800, 2500, 24)
        share = np.repeat(np.clip(0.9 + 0.02 * random.standard_normal(12), 0.5, 0.99), 2)
        rows = pd.DataFrame({"organisation": np.repeat([f"u{number:02}" for number in range(12)], 2)})
        rows = rows.assign(period=np.tile([1, 2], 12), type="", rated=rated, good=random.binomial(rated, share))
        p.append(funnel_signal(Ratings(rows), 2)["p"])
    p = pd.concat(p).astype(float)

    assert p.notna().all()
    assert (p <= 0.05).sum() <= binom.isf(0.001, len(p), 0.06)
    assert (p <= 0.05).sum() > 0


def test_the_same_share_is_farther_out_the_more_members_stand_behind_it():
    limits = funnel(pd.Series([80] * 40), pd.Series([100] * 40))

    assert limits.score(95, 100) > limits.score(19, 20) > 0
    assert limits.score(limits.limit(100, ALARM) * 100, 100) == pytest.approx(ALARM)


def test_the_interval_of_a_share_is_wilsons():
    assert wilson(0, 10, 1.96) == pytest.approx((0, 0.2775), abs=1e-4)


def test_a_share_that_is_high_for_its_size_stands_out_of_the_funnel(province):
    high = first_of(province, 6)
    inflated = with_counts(province, high, good=province.organisations["rated"])

    raised = p_values("FUNNEL", inflated)[province.organisations.loc[high, "organisation"].unique()].dropna()

    assert (raised < p_values("FUNNEL", inflated).median()).all()


def test_a_type_of_few_organisations_has_no_funnel():
    assert reasons("FUNNEL", drawn_province(organisations=9)) <= {"too_small", "too_few_peers"}


# -- EVIDENCE, TOP, JUMP


def test_good_ratings_without_the_work_stand_out_and_with_the_work_do_not(province):
    high = first_of(province, 8)
    frame = province.organisations
    codes = frame.loc[high, "organisation"].unique()
    all_good = with_counts(province, high, good=frame["rated"])
    idle = changed(all_good, **{column: frame[column].mask(high, -2.0) for column in province.evidence})
    busy = changed(all_good, **{column: frame[column].mask(high, 2.0) for column in province.evidence})

    without, along = p_values("EVIDENCE", idle)[codes].dropna(), p_values("EVIDENCE", busy)[codes].dropna()
    assert (without < 0.02).mean() > 0.8
    assert (without < along / 3).mean() > 0.8


def test_evidence_of_which_less_is_better_is_read_that_way(province):
    frame = province.organisations
    less = changed(province, **{column: -frame[column] for column in province.evidence})
    turned = replace(less, evidence=dict.fromkeys(province.evidence, -1))

    pd.testing.assert_series_equal(p_values("EVIDENCE", turned), p_values("EVIDENCE", province))


def test_excellent_ratings_without_the_work_stand_out(province):
    high = first_of(province, 8)
    frame = province.organisations
    raised = with_counts(province, high, top=np.floor(0.6 * frame["rated"]))

    assert (p_values("TOP", raised)[frame.loc[high, "organisation"].unique()].dropna() < 0.05).mean() > 0.8


def test_a_mild_district_costs_its_organisations_nothing(province):
    frame = province.organisations
    mild = frame["parent"] == "p3"
    half = (frame["good"] + np.floor((frame["rated"] - frame["good"]) * 0.6)).where(mild, frame["good"])
    codes = frame.loc[mild, "organisation"].unique()

    p = p_values("EVIDENCE", with_counts(province, mild, good=half))[codes].dropna()

    assert (p <= 0.05).mean() <= 0.06 + 3 * np.sqrt(0.06 * 0.94 / len(p))


@pytest.mark.parametrize(
    ("informative", "columns", "variant"),
    [(1.0, ["work_0", "work_1"], "evidence"), (0.0, ["work_0", "work_1"], "ranks"), (1.0, [], "peers")],
)
def test_it_is_told_what_ratings_were_compared_with(informative, columns, variant):
    drawn = drawn_province(seed=5, informative=informative)
    if variant == "ranks":  # nothing but noise to learn from: one type, no size, no manner of districts
        drawn = changed(drawn_province(seed=5, informative=0.0, parent_spread=0.0), type="x")
    rows = SIGNALS["EVIDENCE"](replace(drawn, evidence=dict.fromkeys(columns, 1)), LAST)

    assert rows["parameters"].map(json.loads).map(lambda each: each["variant"]).unique().tolist() == [variant]
    assert rows["is_testable"].any()


def test_evidence_that_is_the_same_for_all_is_no_evidence(province):
    same = changed(province, **dict.fromkeys(province.evidence, 4.0))

    assert json.loads(SIGNALS["EVIDENCE"](same, LAST)["parameters"].iloc[0])["variant"] == "peers"


def test_a_rise_without_work_is_seen_but_never_as_certain(province):
    high = first_of(province, 8)
    frame = province.organisations
    before, now = high & (frame["period"] < LAST), high & (frame["period"] == LAST)
    fallen = with_counts(province, before, good=np.floor(frame["rated"] * 0.4))

    p = p_values("JUMP", with_counts(fallen, now, good=frame["rated"]))

    assert (p[frame.loc[high, "organisation"].unique()].dropna() < 0.01).all()
    assert p.min() >= 0.001 - 1e-9


def test_the_first_period_has_no_rise():
    first = drawn_province(periods=1)

    assert reasons("JUMP", first) == {"no_history", "too_small"}
    assert p_values("EVIDENCE", first).notna().any()


# -- OWN


def test_an_own_level_above_the_work_stands_out(province):
    frame = province.organisations
    work = frame.groupby("organisation")[list(province.evidence)].mean().mean(axis=1)
    idle = work.nsmallest(40).index[::4]
    raised = changed(province, own_level=frame["own_level"].mask(frame["organisation"].isin(idle), 3))

    assert (p_values("OWN", raised)[idle] < 0.01).all()


def test_own_levels_need_evidence_and_differences(province):
    assert reasons("OWN", replace(province, evidence={})) == {"no_evidence"}
    assert reasons("OWN", changed(province, own_level=2)) == {"no_variance"}
    assert reasons("OWN", drawn_province(organisations=30)) == {"too_few_peers"}


# -- TARGET


def test_who_lands_on_the_target_every_time_stands_out(province):
    frame = province.organisations
    large = frame.groupby("organisation")["rated"].min()
    chosen = large[large >= 30].index[:8]
    rows = frame["organisation"].isin(chosen)
    on_target = with_counts(province, rows, good=np.ceil(0.85 * frame["rated"]))
    far_above = with_counts(province, rows, good=np.ceil(0.97 * frame["rated"]))

    assert (p_values("TARGET", on_target)[chosen] < 0.05).mean() >= 0.75
    assert (p_values("TARGET", far_above)[chosen] > 0.1).all()


def test_a_mild_district_chases_no_target(province):
    frame = province.organisations
    large = frame.groupby("organisation")["rated"].min()
    here = frame["parent"] == frame["parent"].min()
    rows = here & frame["organisation"].isin(large[large >= 20].index)
    random = np.random.default_rng(8)
    lifted = np.ceil(0.85 * frame["rated"]) + random.integers(-1, 3, len(frame))
    one = frame.loc[rows, "organisation"].unique()[:1]
    alone = with_counts(province, frame["organisation"].isin(one), good=lifted)
    together = with_counts(province, rows, good=lifted)

    assert p_values("TARGET", together)[one[0]] > p_values("TARGET", alone)[one[0]]


def test_a_target_needs_to_be_set_and_more_than_one_period():
    drawn = drawn_province(periods=1)

    assert reasons("TARGET", drawn) == {"no_history", "too_small"}
    assert reasons("TARGET", replace(drawn, scale=Scale())) == {"no_target"}


def test_the_reasons_count_the_periods_just_above_the_target(province):
    frame = province.organisations
    code = frame.groupby("organisation")["rated"].min().idxmax()
    on_target = with_counts(province, frame["organisation"] == code, good=np.ceil(0.85 * frame["rated"]))

    row = SIGNALS["TARGET"](on_target, LAST).set_index("organisation").loc[code]

    assert json.loads(row["parameters"]) == {"target": 0.85, "periods": 3, "hits": 3}
    assert row["observed"] == row["expected"]


# -- UNIFORM, MODAL


def test_everyone_on_one_level_stands_out(province):
    high = first_of(province, 8)
    frame = province.organisations
    same = with_counts(province, high, good=frame["rated"], top=0)

    assert (p_values("UNIFORM", same)[frame.loc[high, "organisation"].unique()].dropna() < 0.05).mean() > 0.8


def test_parts_of_one_share_are_more_alike_than_chance_and_parts_that_are_all_or_nothing_less(province):
    groups = province.groups.copy()
    parts = groups.groupby(["organisation", "period"])["group"].transform("size")
    even, split = sorted(groups.loc[parts >= 6, "organisation"].unique())[:2]
    for code in (even, split):
        rows = groups["organisation"] == code
        groups.loc[rows, ["level_1", "level_3", "level_4"]] = [0, 2, 0]
        groups.loc[rows, "level_2"] = 8
    odd = (groups["organisation"] == split) & (np.arange(len(groups)) % 2 == 0)
    groups.loc[odd, ["level_2", "level_3"]] = [0, 10]

    rows = SIGNALS["UNIFORM"](replace(province, groups=groups), LAST).set_index("organisation")["parameters"]

    assert json.loads(rows[even])["groups"] > 2
    assert json.loads(rows[split])["groups"] < -2


def test_many_parts_on_one_identical_share_are_counted():
    drawn = drawn_province(seed=6, organisations=60)
    groups = drawn.groups.copy()
    unit = groups["organisation"].str[1:].astype(int) % 6
    units = groups.assign(organisation=[f"u{each}" for each in unit])
    same = (unit == 2) & (np.arange(len(units)) % 10 < 8)
    units.loc[same, ["level_1", "level_2", "level_3", "level_4"]] = [1, 8, 1, 0]
    frame = pd.DataFrame({"organisation": [f"u{each}" for each in range(6)], "period": LAST})

    rows = SIGNALS["MODAL"](Ratings(frame, groups=units), LAST).set_index("organisation")

    assert rows["p"].idxmin() == "u2"
    assert rows.loc["u2", "p"] < 0.005
    assert json.loads(rows.loc["u2", "parameters"]) == {"share": 0.9}
    assert (rows.drop("u2")["p"] > 0.01).all()


def test_without_parts_there_is_no_share_to_stand_on(province):
    assert reasons("MODAL", replace(province, groups=pd.DataFrame())) == {"no_groups"}
