"""Signals and review list as marts: what readers rely on, what is told of them, what of last year."""

import dagster as dg
import duckdb
import pandas as pd
import pytest

from expectations.suites import suite
from expectations.validation import validate
from orchestration import terminal
from orchestration.checks import of_review
from orchestration.comparison import compare
from ratings.contradictions import find_contradictions
from ratings.review import BUDGET, LISTED, SIGNAL, review
from ratings.rules import load_rules
from ratings.signals.battery import SIGNALS
from ratings.tables import read_tables
from tests.review_builders import drawn
from tests.test_contradictions import YEARS, case, marts, rating


@pytest.fixture(scope="module")
def reviewed():
    """The marts of a drawn province of 60 organisations and two years, as a warehouse gives them."""
    found = review(drawn(organisations=60, periods=2, parents=5, planted=0.3)[0], load_rules(), read_tables())
    beside = {"contradictions": 0, "contradiction_rules": None}
    return {
        "fct_signal": found.signals,
        "mart_review_list": found.listed.assign(**beside),
        "review_budget": found.budgets,
    }


def where_tested(frame):
    """The first row that could be tested."""
    return frame.index[frame["is_testable"]][0]


class TestSuites:
    @pytest.mark.parametrize("table", ["fct_signal", "mart_review_list"])
    def test_what_the_signals_say_does_not_block(self, reviewed, table):
        result = validate(reviewed[table], suite(table))

        assert not result.is_blocking
        assert {outcome.severity for outcome in result.having("failed")} <= {"warning"}

    @pytest.mark.parametrize(
        "changed",
        [
            {"p": pd.NA},
            {"p": 0.0},
            {"p": 1.5},
            {"q": pd.NA},
            {"is_testable": False},
            {"reason_code": "too_small"},
            {"signal": "RANKING"},
            {"held_back": -1},
        ],
    )
    def test_a_signal_that_is_half_tested_or_no_chance_blocks(self, reviewed, changed):
        frame = reviewed["fct_signal"].copy()
        for column, value in changed.items():
            frame.loc[where_tested(frame), column] = value

        assert validate(frame, suite("fct_signal")).is_blocking

    def test_two_rows_of_one_organisation_year_and_signal_block(self, reviewed):
        frame = reviewed["fct_signal"]

        assert validate(pd.concat([frame, frame.head(1)], ignore_index=True), suite("fct_signal")).is_blocking

    @pytest.mark.parametrize("table", ["fct_signal", "mart_review_list"])
    def test_a_q_that_falls_while_p_rises_blocks(self, reviewed, table):
        frame = reviewed[table].copy()
        mine = frame[frame["p"].notna() & (frame["q"] < frame["q"].max())] if table == "fct_signal" else frame
        group = ["organisation_level", "year", *(["signal"] if table == "fct_signal" else [])]
        largest = mine.sort_values("p").groupby(group).tail(1)
        row = largest.index[largest["q"] > 1e-6][0]
        frame.loc[row, "q"] = 1e-9
        failed = {outcome.expectation for outcome in validate(frame, suite(table)).having("failed")}

        assert "ExpectToRiseTogether" in failed

    @pytest.mark.parametrize(
        "changed",
        [
            {"first_reason": "Xếp loại gian dối."},
            {"second_reason": pd.NA},
            {"third_reason": "Đảng viên số thẻ 670001945856, đề nghị thẩm định lại."},
            {"band": "D"},
            {"band": "A", "q": 0.3},
            {"ask_for": pd.NA},
            {"first_signal": "FUNNEL"},
            {"last_year": "listed", "last_year_band": pd.NA},
        ],
    )
    def test_a_listed_organisation_that_is_accused_or_lacks_a_part_blocks(self, reviewed, changed):
        frame = reviewed["mart_review_list"].copy()
        for column, value in changed.items():
            frame.loc[0, column] = value

        assert validate(frame, suite("mart_review_list")).is_blocking

    @pytest.mark.parametrize("table", ["fct_signal", "mart_review_list"])
    def test_nothing_to_judge_is_not_checked_and_does_not_block(self, reviewed, table):
        result = validate(reviewed[table].head(0), suite(table))

        assert (result.status, result.is_blocking) == ("not_checked", False)

    def test_a_signal_that_could_be_tested_nowhere_is_not_checked(self, reviewed):
        told = {each.description[:4]: each for each in validate(reviewed["fct_signal"], suite("fct_signal")).outcomes}

        assert told["GAP."].status == "not_checked"
        assert told["GAP."].reason == "Dấu hiệu GAP chưa kiểm tra được ở tổ chức nào."


def budget(year, level="grassroots", *, tested=400, a=0, b=0, c=10):
    counts = {"organisations": 400, "too_small": 0, "tested": tested, "one_reason": 400 - tested, "no_reason": 0}
    figures = {"expected_false_a": a / 10, "expected_false_b": (a + b) / 5, "centre": 0.0, "spread": 1.0}
    listed = {"listed_a": a, "listed_b": b, "listed_c": c}
    return {"organisation_level": level, "year": year} | counts | listed | figures


def budgets(*rows):
    return pd.DataFrame(rows, columns=list(BUDGET)).astype(BUDGET)


class TestCheck:
    def test_it_counts_who_is_listed_beside_last_year_and_leads_to_the_list(self):
        result = of_review(budgets(budget(2024, a=3, b=1), budget(2025, a=5, b=2), budget(2025, "cell", a=1)))

        assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert "năm 2025 nêu 6 tổ chức ở nhóm A, 2 ở nhóm B, trong đó nhiều nhất khoảng 1,6" in result.description
        assert result.metadata["Nhóm A"].value == 6
        assert result.metadata["Danh sách"].value == dg.AssetKey(["marts", "mart_review_list"])
        (first, *_) = result.metadata["Năm nay và năm trước"].records
        assert (first.data["Nhóm A"], first.data["Nhóm A, năm trước"]) == (5.0, 3.0)

    def test_nobody_in_bands_a_and_b_passes(self):
        assert of_review(budgets(budget(2025))).passed

    @pytest.mark.parametrize("rows", [(), (budget(2025, tested=0, c=0),)])
    def test_nothing_that_could_be_tested_is_not_passed(self, rows):
        result = of_review(budgets(*rows))

        assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert result.metadata["Kết quả"].value == "Không kiểm tra được"


class TestLastYear:
    def found(self, **more):
        rules = load_rules()
        alone = rules.model_copy(update={"rules": [rules.rule("R01")]})
        years = (2024, 2025)
        drawn = {
            "discipline_case": pd.concat([case(year) for year in years], ignore_index=True),
            "fct_member_assessment": pd.concat([rating(year, "HT") for year in years], ignore_index=True),
        }
        return find_contradictions(marts(**{**drawn, **more}), alone).findings.set_index("year")["found_last_year"]

    def test_what_the_rule_found_a_year_before_is_said_and_what_was_not_checked_is_unknown(self):
        found = self.found()

        assert pd.isna(found[2024])  # nobody reported in 2023
        assert found[2025]

    def test_a_subject_that_passed_the_year_before_was_not_found(self):
        levels = pd.concat([rating(2024, "KHT"), rating(2025, "HT")], ignore_index=True)

        assert not self.found(fct_member_assessment=levels)[2025]

    def test_a_subject_without_a_level_the_year_before_was_not_checked(self):
        assert pd.isna(self.found(fct_member_assessment=rating(2025, "HT"))[2025])
        assert set(YEARS) > {2024, 2025}


class TestTelling:
    def test_the_terminal_shows_reasons_last_year_and_what_the_list_costs(self, reviewed):
        listed = reviewed["mart_review_list"].assign(contradiction_rules="R01, R10")
        with terminal.console.capture() as shown:
            terminal.show_review({**reviewed, "mart_review_list": listed})
        told = " ".join(shown.get().split())

        assert "tổ chức cơ sở đảng đề nghị thẩm định lại, năm 2025" in told
        assert "Kiểm tra được" in told
        assert "không phải kết luận" in told
        assert "R01, R10" in told

    def test_a_province_without_any_year_is_told_so(self, reviewed):
        with terminal.console.capture() as shown:
            terminal.show_review({name: frame.head(0) for name, frame in reviewed.items()})

        assert "Chưa có năm nào" in shown.get()

    def test_the_published_list_is_listed_and_written(self, thucchat, whole, tmp_path):
        shown = thucchat("--data", whole.data, "review", "--level", "cell")
        written = thucchat("--data", whole.data, "review", "--csv", tmp_path / "lại.csv")
        lacking = thucchat("--data", whole.data, "review", "--year", "1999")

        assert shown.returncode == written.returncode == 0
        assert "chi bộ đề nghị thẩm định lại" in shown.stdout
        assert set(LISTED) < set(pd.read_csv(tmp_path / "lại.csv").columns)
        assert "không có báo cáo năm 1999" in lacking.stderr


class TestWarehouse:
    def test_every_grassroots_organisation_has_a_row_of_every_signal_in_the_published_warehouse(self, whole):
        with duckdb.connect(str(whole.published), read_only=True) as connection:
            counts = connection.execute(
                "select year, unit_code, org_code, count(signal) from marts.organisation_year "
                "left join marts.fct_signal using (year, unit_code, org_code) "
                "where is_grassroots and organisation_level = 'grassroots' group by all"
            ).df()
            covered = connection.execute(
                "select sum(organisations), sum(tested + not_tested) from marts.signal_coverage"
            ).fetchone()
            signals = connection.execute("select count(*) from marts.fct_signal").fetchone()
            columns = connection.execute("select * from marts.fct_signal limit 0").df().columns

        assert counts.iloc[:, -1].eq(len(SIGNALS)).all()
        assert len(counts) > 0
        assert covered == (signals[0], signals[0])
        assert set(columns) == set(SIGNAL)

    def test_signals_that_moved_are_told_by_unit_and_year_and_not_one_by_one(self, tmp_path):
        paths = [tmp_path / f"{name}.duckdb" for name in ("before", "after")]
        for path, moved in zip(paths, (0.0, 0.1), strict=True):
            with duckdb.connect(str(path)) as connection:
                connection.execute("create schema marts")
                connection.execute(
                    "create table marts.fct_signal (year integer, unit_code varchar, organisation_key varchar, "
                    "signal varchar, p double, q double, primary key (year, organisation_key, signal))"
                )
                connection.execute(
                    "insert into marts.fct_signal select 2025, 'U' || i % 2, 'K' || i, 'COPY', i / 100 + ?, 0.5 + ? "
                    "from range(20) as t (i)",
                    [moved, moved],
                )

        found = compare(*paths, (None, None))
        assert found.groups[["unit_code", "year", "n"]].to_numpy().tolist() == [["U0", 2025, 10], ["U1", 2025, 10]]
        assert found.changes[["unit_code", "after"]].to_numpy().tolist() == [["U0", "10 dòng"], ["U1", "10 dòng"]]
