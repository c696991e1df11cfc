"""Signals of a whole province: from marts to ratings, from ratings to the list, its words and its budget."""

import json

import numpy as np
import pandas as pd
import pytest

from ratings import review as module
from ratings.combination import LISTED
from ratings.marts import MissingInput
from ratings.reasons import about, tell
from ratings.review import review
from ratings.rules import load_rules
from ratings.signals.battery import FAMILY_OF, SIGNALS
from ratings.signals.caps import capfill
from ratings.signals.frames import Scale
from ratings.signals.province import EVIDENCE, province, scale_of
from ratings.simulated_marts import LAST_YEAR
from ratings.tables import read_tables
from tests.review_builders import drawn, shuffled

RULES, TABLES = load_rules(), read_tables()
KEY = ["organisation_level", "year", "organisation_key", "signal"]


@pytest.fixture(scope="module")
def made():
    """Marts of 160 organisations and three years, their ratings, who inflates, and the review."""
    marts, ratings, truth = drawn(organisations=160, periods=3, parents=8, planted=0.2)
    return marts, ratings, truth, review(marts, RULES, TABLES)


def changed(marts, **frames):
    return {**marts, **frames}


def of_last_year(marts, code, **values):
    """The marts with these values in the last year's rows of an organisation of one cell."""
    frames = {}
    for name, column in (("organisation_year", "org_code"), ("fct_member_assessment", "grassroots_code")):
        frame = marts[name].copy()
        mine = (frame[column] == code) & (frame["year"] == LAST_YEAR)
        for other in set(values) & set(frame):
            frame.loc[mine, other] = values[other]
        frames[name] = frame
    return frames


def of_level(marts, level, year=LAST_YEAR):
    return province(marts, RULES).of(level, scale_of(year, RULES, TABLES))


def now(ratings, year=LAST_YEAR):
    """One row an organisation of the year, by its code."""
    return ratings.organisations.query("period == @year").set_index("org_code")


class TestMartsAsRatings:
    def test_grassroots_organisations_have_the_counts_and_levels_that_were_reported(self, made):
        marts, ratings, _, _ = made
        found = of_level(marts, "grassroots").organisations
        wanted = ratings.organisations.assign(period=ratings.organisations["period"] + found["period"].max() - 2)
        wanted["period"] += found["period"].max() - wanted["period"].max()
        both = found.merge(wanted, left_on=["org_code", "period"], right_on=["organisation", "period"])

        assert len(both) == len(found) == len(wanted)
        for name in ("rated", "good", "top", "own_level", "own_self", "own_appraised"):
            np.testing.assert_array_equal(both[f"{name}_x"].astype(float), both[f"{name}_y"].astype(float))

    def test_parts_of_an_organisation_add_up_to_it(self, made):
        grassroots = of_level(made[0], "grassroots")
        parts = grassroots.groups.groupby(["organisation", "period"])[["level_1", "level_2"]].sum().sum(axis=1)
        whole = grassroots.organisations.set_index(["organisation", "period"])["good"]

        pd.testing.assert_series_equal(parts, whole.reindex(parts.index), check_names=False, check_dtype=False)

    def test_cells_of_fewer_than_ten_are_told_and_not_judged(self, made):
        marts = made[0]
        years = marts["organisation_year"].query("not is_grassroots")
        known = province(marts, RULES)

        assert (known.of("cell", scale_of(LAST_YEAR, RULES, TABLES)).organisations["rated"] >= 10).all()
        assert known.too_small.set_index("year")["organisations"].to_dict() == (
            years[years["members_rated"] < 10].groupby("year").size().to_dict()
        )

    def test_a_unit_is_its_grassroots_organisations_together(self, made):
        marts = made[0]
        units, grassroots = of_level(marts, "unit").organisations, of_level(marts, "grassroots").organisations
        wanted = grassroots.groupby(["unit_code", "period"])[["rated", "good"]].sum()

        found = units.set_index(["unit_code", "period"])[["rated", "good"]]
        pd.testing.assert_frame_equal(found, wanted.reindex(found.index), check_dtype=False)
        assert units["lowered"].sum() > 0

    def test_the_scale_is_that_of_the_year(self):
        before, after = (scale_of(year, RULES, TABLES) for year in (2024, 2025))

        assert (before.cutoffs, after.cutoffs) == ((), (50, 70, 90))
        assert (before.cap, before.cap_base, before.target) == (0.2, "good", 0.9)
        assert scale_of(2015, RULES, TABLES).cap is None
        assert scale_of(2015, RULES, TABLES).target is None

    def test_the_cap_is_for_grassroots_organisations_alone(self, made):
        assert [of_level(made[0], level).scale.cap for level in ("grassroots", "cell", "unit")] == [0.2, None, None]

    @pytest.mark.parametrize(
        ("decided", "cap"),
        [
            ({}, 0.25),
            ({"cap_pct": 22}, 0.22),
            ({"cap_pct": 40}, 0.25),
            ({"cap_pct": 15}, None),
            ({"decision_no": None}, None),
            ({"decided_on": None}, None),
        ],
    )
    def test_a_cap_that_a_numbered_decision_raised_is_that_organisations_own(self, made, decided, cap):
        marts = made[0]
        row = now(of_level(marts, "grassroots")).nlargest(1, "rated").iloc[0]
        decision = {"unit_code": row["unit_code"], "group_code": row.name, "year": LAST_YEAR, "cap_pct": 25}
        decision |= {"decision_no": "12-QĐ/TU", "decided_on": "2025-12-01", **decided}

        ratings = of_level(changed(marts, cap_exception=pd.DataFrame([decision])), "grassroots")
        known = ratings.organisations.dropna(subset="cap")
        assert known[["org_code", "period", "cap"]].to_numpy().tolist() == ([[row.name, LAST_YEAR, cap]] if cap else [])
        found = capfill(ratings, LAST_YEAR).set_index("organisation").loc[row["organisation"]]
        assert json.loads(found["parameters"])["cap"] == (cap or 0.2)
        assert json.loads(found["parameters"])["allowed"] == int((cap or 0.2) * (row["good"] - row["top"]) + 1e-9)

    @pytest.mark.parametrize(
        ("form", "column"),
        [("inspections", "inspections"), ("cell_meetings", "meetings_missed"), ("programme_uptakes", "plans")],
    )
    def test_evidence_of_a_form_that_a_unit_left_empty_is_missing_and_not_none(self, made, form, column):
        marts = made[0]
        forms = marts["fct_submission_form"].copy()
        sent = marts["fct_submission"]
        unit = sent["unit_code"].iloc[0]
        empty = forms["source_hash"].isin(sent.loc[sent["unit_code"] == unit, "source_hash"]) & (forms["form"] == form)
        forms.loc[empty, ["rows_in", "loaded"]] = 0

        rows = of_level(changed(marts, fct_submission_form=forms), "grassroots").organisations
        assert rows.loc[rows["unit_code"] == unit, column].isna().all()
        before = of_level(marts, "grassroots").organisations
        others = rows["unit_code"] != unit
        pd.testing.assert_series_equal(rows.loc[others, column], before.loc[others, column])

    def test_no_admissions_in_a_form_that_came_are_none_and_in_one_that_did_not_are_unknown(self, made):
        marts = made[0]
        forms = marts["fct_submission_form"].copy()
        mine = forms["form"] == "admissions"
        forms.loc[mine, ["rows_in", "loaded"]] = 0

        there = of_level(changed(marts, fct_submission_form=forms), "grassroots").organisations["admissions"]
        gone = of_level(changed(marts, fct_submission_form=forms[~mine]), "grassroots").organisations["admissions"]
        assert there.notna().all()
        assert gone.isna().all()

    def test_only_those_left_out_without_a_reason_on_the_roll_count_as_excluded(self, made):
        marts = made[0]
        rated, roll = marts["fct_member_assessment"], marts["fct_member"].copy()
        organisation = rated["grassroots_code"].iloc[0]
        mine = rated[(rated["grassroots_code"] == organisation) & (rated["year"] == LAST_YEAR)].index[:5]
        without = rated.drop(mine)
        roll.loc[mine[0], "status"] = "Miễn sinh hoạt"
        roll.loc[mine[1], "admitted_on"] = pd.Timestamp(f"{LAST_YEAR}-08-01")
        roll.loc[mine[2], "is_present"] = False
        held_back = rated.loc[[mine[3]], ["year", "unit_code", "member_key"]].assign(
            subject_kind="member", org_code=rated.at[mine[3], "cell_code"]
        )

        found = now(of_level(changed(marts, fct_member=roll, fct_member_assessment=without,
                                     held_back_assessment=held_back), "grassroots"))["excluded"]  # fmt: skip
        assert found[organisation] == 1
        assert found.drop(organisation).eq(0).all()

    def test_of_a_unit_without_any_rating_it_is_not_known_who_is_left_out(self, made):
        marts = made[0]
        unit = marts["fct_member"]["unit_code"].iloc[0]
        rated = marts["fct_member_assessment"].query("unit_code != @unit")

        rows = now(of_level(changed(marts, fct_member_assessment=rated), "grassroots"))
        assert rows.loc[rows["unit_code"] == unit, "excluded"].isna().all()

    def test_rows_held_back_are_told(self, made):
        marts = made[0]
        years = marts["organisation_year"].copy()
        years.loc[years.index[0], "held_back_assessments"] = 4
        place = years.loc[years.index[0], ["year", "unit_code", "org_code"]].tolist()

        signals = review(changed(marts, organisation_year=years), RULES, TABLES).signals
        mine = signals[(signals[["year", "unit_code", "org_code"]] == place).all(axis=1)]
        assert mine["held_back"].eq(4).all()
        assert len(mine) == len(SIGNALS)

    def test_independent_second_looks_feed_gap(self, made):
        marts = made[0]
        row = now(of_level(marts, "grassroots")).query("rated >= 20").iloc[0]
        looks = pd.DataFrame(
            {"year": [LAST_YEAR], "unit_code": row["unit_code"], "org_code": [row.name], "rechecked": 10, "lowered": 6}
        )

        signals = review(changed(marts, fct_field_check=looks), RULES, TABLES).signals
        gap = signals.query("signal == 'GAP' and is_testable")
        assert gap[["year", "org_code", "n"]].to_numpy().tolist() == [[LAST_YEAR, row.name, 10]]
        assert gap["p"].iloc[0] < 1e-5

    def test_a_mart_that_is_not_there_is_named(self, made):
        without = {name: frame for name, frame in made[0].items() if name != "organisation_year"}

        with pytest.raises(MissingInput, match="organisation_year"):
            province(without, RULES)


class TestIdentity:
    def test_an_organisation_that_goes_to_another_unit_keeps_its_past(self, made):
        marts = made[0]
        code = marts["organisation_year"].query("is_grassroots and is_cell")["org_code"].iloc[0]
        old = marts["dim_organisation"].query("org_code == @code")
        moved = of_last_year(marts, code, unit_code="UNEW")
        keys = pd.concat([marts["dim_organisation"], old.assign(unit_code="UNEW")])

        found = of_level(changed(marts, **moved, dim_organisation=keys), "grassroots").organisations
        mine = found[found["org_code"] == code]
        assert mine["organisation"].unique().tolist() == old["organisation_key"].tolist()
        assert mine["unit_code"].nunique() == 2

    @pytest.mark.parametrize(("merged", "share", "keeps"), [(False, 1, True), (True, 1, False), (False, 0.5, False)])
    def test_a_code_that_alone_was_changed_keeps_its_past_and_a_merged_or_divided_one_does_not(
        self, made, merged, share, keeps
    ):
        marts = made[0]
        code, other = marts["organisation_year"].query("is_grassroots and is_cell")["org_code"].unique()[:2]
        renamed = of_last_year(marts, code, org_code="NEW", grassroots_code="NEW", cell_code="NEW")
        old = marts["dim_organisation"].query("org_code == @code")
        new = old.assign(org_code="NEW", organisation_key=old["unit_code"] + "/NEW")
        steps = [(year, each) for year in (2023, 2024) for each in ([code, other] if merged else [code])]
        crosswalk = pd.DataFrame(
            [(pd.Timestamp("2025-07-01"), year, each, "NEW", share, True) for year, each in steps],
            columns=["structure_date", "year", "from_code", "to_code", "share", "is_convertible"],
        )

        found = of_level(
            changed(marts, **renamed, organisation_crosswalk=crosswalk,
                    dim_organisation=pd.concat([marts["dim_organisation"], new])), "grassroots"
        ).organisations  # fmt: skip
        mine = found[found["org_code"].isin([code, "NEW"])]
        assert mine["organisation"].nunique() == (1 if keeps else 2)
        assert not found.duplicated(["organisation", "period"]).any()

    def test_two_that_were_there_at_once_are_never_one(self, made):
        marts = made[0]
        code, other = marts["organisation_year"].query("is_grassroots and is_cell")["org_code"].unique()[:2]
        crosswalk = pd.DataFrame(
            {
                "structure_date": pd.Timestamp("2025-07-01"), "year": [2024], "from_code": code, "to_code": other,
                "share": 1, "is_convertible": True,
            }
        )  # fmt: skip

        found = of_level(changed(marts, organisation_crosswalk=crosswalk), "grassroots").organisations
        assert not found.duplicated(["organisation", "period"]).any()
        assert found.query("org_code == @code")["organisation"].nunique() == 1


class TestSignals:
    def test_every_organisation_and_year_has_a_row_of_every_signal(self, made):
        signals = made[3].signals
        counts = signals[signals["organisation_level"] != "province"].groupby(KEY[:3]).size()

        assert (counts == len(SIGNALS)).all()
        assert not signals.duplicated(KEY).any()
        assert signals.query("organisation_level == 'province'")["year"].tolist() == [2023, 2024, 2025]

    def test_there_is_a_chance_exactly_where_something_was_tested_and_else_a_reason_in_words(self, made):
        signals = made[3].signals

        assert (signals["p"].notna() == signals["is_testable"]).all()
        assert (signals["q"].notna() == signals["is_testable"]).all()
        assert (signals["reason"].isna() == signals["is_testable"]).all()
        assert ((signals["p"].dropna() > 0) & (signals["p"].dropna() <= 1)).all()

    def test_the_order_of_the_marts_changes_nothing(self, made):
        again = review(shuffled(made[0]), RULES, TABLES)

        for name in ("signals", "listed", "budgets"):
            pd.testing.assert_frame_equal(getattr(again, name), getattr(made[3], name))

    def test_a_year_does_not_change_when_a_later_one_comes(self, made):
        marts = made[0]
        earlier = {
            name: frame[frame["year"] < LAST_YEAR] if "year" in frame else frame for name, frame in marts.items()
        }
        before = review(earlier, RULES, TABLES)

        now = made[3].signals.query("year < @LAST_YEAR").reset_index(drop=True)
        pd.testing.assert_frame_equal(before.signals, now)

    def test_units_and_the_province_are_judged_by_all_their_scores_together(self, made):
        bunch = made[3].signals.query("signal == 'BUNCH' and organisation_level in ['unit', 'province']")

        assert bunch.query("year < @LAST_YEAR")["reason_code"].eq("no_scores").all()
        whole = bunch.query("organisation_level == 'province' and year == @LAST_YEAR").iloc[0]
        assert whole["is_testable"]
        assert '"view": "whole"' in whole["parameters"]
        assert "65: " in whole["parameters"]

    def test_scores_heaped_above_a_cut_off_of_the_whole_province_stand_out(self, made):
        marts = made[0]
        rated = marts["fct_member_assessment"]
        pushed = rated.assign(score=rated["score"].mask(rated["score"].between(67, 69.9), 70.5))

        tail = [
            review(each, RULES, TABLES)
            .signals.query("organisation_level == 'province' and year == @LAST_YEAR")["p"]
            .iloc[0]
            for each in (marts, changed(marts, fct_member_assessment=pushed))
        ]
        assert tail[1] < 0.05 < tail[0]

    @pytest.mark.parametrize("everywhere", [False, True])
    def test_a_unit_stands_out_by_what_the_other_units_do_not_do(self, made, everywhere):
        """Scores heaped above a cut-off in all units alike are the province's way of scoring."""
        marts = made[0]
        rated = marts["fct_member_assessment"]
        largest = rated.loc[rated["score"].notna(), "unit_code"].mode()[0]
        near = rated["score"].between(67, 69.9) & (everywhere | (rated["unit_code"] == largest))
        pushed = rated.assign(score=rated["score"].mask(near, 70.5))
        known = province(changed(marts, fct_member_assessment=pushed), RULES)
        units = known.of("unit", scale_of(LAST_YEAR, RULES, TABLES))

        signals = module.level_signals(known, units, "unit", LAST_YEAR)
        bunch = signals.query("signal == 'BUNCH'").set_index("organisation")
        assert bunch["is_testable"].all()
        assert bunch.index[bunch["p"] <= 0.05].tolist() == ([] if everywhere else [largest])
        (told,) = tell(bunch.loc[[largest]].reset_index(), units.scale)["sentence"]
        assert "các đơn vị khác" in told

    def test_the_excellent_of_a_cell_alone_are_never_more_than_a_fair_surprise(self, made):
        """Where an organisation's cap binds, the cell of its best may honestly have most of it."""
        marts = made[0]
        years = marts["organisation_year"]
        cell = now(of_level(marts, "cell")).index[0]
        mine = (years["org_code"] == cell) & (years["year"] == LAST_YEAR)
        raised = years.assign(
            members_xs=years["members_xs"].mask(mine, years["members_rated"]),
            **{name: years[name].mask(mine, 0) for name in ("members_htt", "members_ht", "members_kht")},
        )
        known = province(changed(marts, organisation_year=raised), RULES)
        cells = known.of("cell", scale_of(LAST_YEAR, RULES, TABLES))

        top = module.level_signals(known, cells, "cell", LAST_YEAR).query("signal == 'TOP' and is_testable")
        found = top.set_index("organisation").loc[now(cells).loc[cell, "organisation"]]
        least = module.LEAST_OF_CELLS["TOP"]
        assert found["p"] == top["p"].min() == least
        assert found["z"] == pytest.approx(3.0902, abs=1e-4)
        assert found["q"] == pytest.approx(least * len(top) / (top["p"] <= least).sum())

    def test_missing_appraisals_of_a_cell_are_a_clerks_habit_too(self, made):
        signals = made[3].signals.query("organisation_level == 'cell' and is_testable")

        least = signals.groupby("signal")["p"].min()
        for name, held in module.LEAST_OF_CELLS.items():
            assert least[name] >= held
        assert (least.drop(list(module.LEAST_OF_CELLS)) < 0.001).any()

    def test_scores_of_too_few_units_are_compared_with_nobody(self, made):
        marts = made[0]
        scored = marts["fct_member_assessment"].dropna(subset="score")["unit_code"]
        two = scored.value_counts().index[:2]
        fewer = {
            name: part[part["unit_code"].isin(two)] if "unit_code" in part else part for name, part in marts.items()
        }
        known = province(fewer, RULES)
        units = known.of("unit", scale_of(LAST_YEAR, RULES, TABLES))

        signals = module.level_signals(known, units, "unit", LAST_YEAR)
        assert signals.query("signal == 'BUNCH'")["reason_code"].tolist() == ["too_few_peers"] * 2


class TestTheList:
    def test_it_names_who_inflates_before_who_does_not(self, made):
        listed, truth = made[3].listed, made[2].set_index("organisation")
        first = listed.query("organisation_level == 'grassroots' and year == @LAST_YEAR").head(10)

        assert truth.loc[first["org_code"], "mechanism"].notna().mean() >= 0.7

    def test_everybody_on_it_has_two_reasons_that_ask_for_a_second_look(self, made):
        listed = made[3].listed

        for nth in ("first", "second"):
            assert listed[f"{nth}_reason"].str.endswith("đề nghị thẩm định lại.").all()
        families = [listed[f"{nth}_signal"].map(FAMILY_OF) for nth in ("first", "second")]
        assert (families[0] != families[1]).all()
        assert listed[["ask_for", "innocent_explanation"]].notna().all(axis=None)
        third = listed["third_reason"].notna()
        assert (listed["third_signal"].notna() == third).all()

    def test_bands_keep_their_largest_q_and_ranks_go_by_band(self, made):
        listed = made[3].listed

        for band, largest in LISTED.items():
            assert (listed.loc[listed["band"] == band, "q"] <= largest).all()
        for _, each in listed.groupby(["organisation_level", "year"]):
            assert each["rank"].tolist() == list(range(1, len(each) + 1))
            assert each["band"].is_monotonic_increasing

    def test_last_year_is_beside_this_one(self, made):
        listed = made[3].listed
        bands = listed.set_index(["organisation_level", "year", "organisation_key"])["band"]
        before = pd.MultiIndex.from_frame(
            listed[["organisation_level", "year", "organisation_key"]].assign(year=listed["year"] - 1)
        )

        wanted = bands.reindex(before).to_numpy()
        assert (listed["last_year_band"].fillna("") == pd.Series(wanted).fillna("").to_numpy()).all()
        assert listed.query("year == 2023")["last_year"].eq("no_report").all()
        assert (listed["last_year"].eq("listed") == listed["last_year_band"].notna()).all()
        assert listed["last_year"].isin(["listed", "not_listed", "not_testable", "no_report"]).all()

    def test_the_budget_counts_what_stands_on_the_list(self, made):
        _, _, _, reviewed = made
        bands = reviewed.listed.groupby(["organisation_level", "year"])["band"].value_counts().unstack(fill_value=0)
        budgets = reviewed.budgets.set_index(["organisation_level", "year"])

        for band in "ABC":
            counted = bands[band].reindex(budgets.index, fill_value=0) if band in bands else 0
            assert (budgets[f"listed_{band.lower()}"] == counted).all()
        assert (budgets["tested"] + budgets["one_reason"] + budgets["no_reason"] == budgets["organisations"]).all()


class TestNothing:
    def test_a_province_that_sent_nothing_has_empty_frames_with_their_types(self, made):
        nothing = {name: frame.head(0) for name, frame in made[0].items()}
        found = review(nothing, RULES, TABLES)

        for name, columns in (("signals", module.SIGNAL), ("listed", module.LISTED), ("budgets", module.BUDGET)):
            frame = getattr(found, name)
            assert frame.empty
            assert {column: str(kind) for column, kind in frame.dtypes.items()} == columns

    def test_one_small_organisation_is_not_testable_and_never_listed(self, made):
        marts = made[0]
        years, rated = marts["organisation_year"], marts["fct_member_assessment"]
        code = years.query("is_grassroots and is_cell")["org_code"].iloc[0]
        alone = years[(years["org_code"] == code) & (years["year"] == LAST_YEAR)]
        rated = rated[(rated["grassroots_code"] == code) & (rated["year"] == LAST_YEAR)]

        found = review(changed(marts, organisation_year=alone, fct_member_assessment=rated), RULES, TABLES)
        assert not found.signals["is_testable"].any()
        assert found.listed.empty
        assert found.budgets["tested"].eq(0).all()

    def test_evidence_that_no_unit_sent_leaves_the_comparison_with_peers(self, made):
        marts = changed(made[0], fct_submission_form=made[0]["fct_submission_form"].head(0))
        rows = of_level(marts, "grassroots").organisations

        assert set(EVIDENCE) <= set(rows)
        assert rows[["inspections", "meetings_missed", "admissions", "plans"]].isna().all(axis=None)


def test_figures_are_kept_to_digits_that_no_order_of_adding_reaches():
    values = np.array([0.1 + 0.2, 1e-12 / 3, 1.0, np.nan])

    found = module.significant(values)
    np.testing.assert_allclose(found, [0.3, 3.333333e-13, 1.0, np.nan], rtol=1e-15)


@pytest.mark.parametrize(
    ("expected", "observed", "told"),
    [
        (12.3, 20, "khoảng 12"),
        (11.7, 12, "khoảng 11 đến 12"),
        (12.0, 12, "khoảng 12"),
        (2.4, 7, "khoảng 2 đến 3"),
        (3.0, 7, "khoảng 3"),
        (0.4, 2, "chưa đến 1"),
        (0.0, 2, "khoảng 0"),
        (1234.5, 1300, "khoảng 1.235"),
        (np.nan, 2, "không rõ"),
    ],
)
def test_what_is_expected_is_told_in_whole_numbers(expected, observed, told):
    assert about(expected, observed) == told


@pytest.mark.parametrize("periods", [1, 3])
def test_a_reason_of_several_periods_tells_them_together(periods):
    row = {"organisation": "A", "period": 2025, "signal": "EVIDENCE", "z": 4.0, "p": 1e-4, "n": 30, "observed": 29}
    together = {"periods": periods, "all_observed": 86, "all_rated": 91, "all_expected": 74.6}
    row |= {"expected": 27.2, "statistic": 4.0, "peers": 20, "parameters": json.dumps({"variant": "peers"} | together)}

    (told,) = tell(pd.DataFrame([row]), Scale(levels=("XS", "HTT", "HT", "KHT")))["sentence"]

    assert "29 trên 30 đối tượng" in told
    assert "khoảng 27 (90,7%)" in told
    assert ("tính chung 3 kỳ gần nhất là 86 trên 91 lượt" in told) == (periods > 1)
    assert ("khoảng 75" in told) == (periods > 1)


def test_a_reason_says_nothing_of_what_is_usual_where_no_number_is_known():
    """UNIFORM: too many good everywhere speaks without a count of the commonest level."""
    row = {"organisation": "A", "period": 2025, "signal": "UNIFORM", "z": 4.0, "p": 1e-4, "n": 30, "observed": 30}
    row |= {
        "expected": np.nan,
        "statistic": 4.0,
        "peers": 20,
        "parameters": json.dumps({"everyone": 4.0, "commonest": None, "groups": 1.0}),
    }

    (told,) = tell(pd.DataFrame([row]), Scale(levels=("XS", "HTT", "HT", "KHT")))["sentence"]

    assert "tất cả hoặc gần như tất cả 30" in told.lower()
    assert "không rõ" not in told


def test_a_cell_is_compared_with_cells_and_a_unit_with_units(made):
    told = made[3].listed.groupby("organisation_level")["first_reason"].agg("; ".join)

    for level, others in {"cell": ("các tổ chức", "các đơn vị"), "unit": ("các tổ chức cùng", "các chi bộ")}.items():
        assert not any(name in told.get(level, "") for name in others)
    assert "cell" in told.index
