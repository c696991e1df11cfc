"""Years judged again by another regulation: said clearly, from what is published, and nothing stored."""

import pandas as pd
import pytest

from orchestration.problems import ProblemError
from orchestration.rejudging import judge_again
from ratings.contradictions import find_contradictions
from ratings.rules import load_rules
from tests.test_contradictions import case, marts, rating


@pytest.fixture(scope="module")
def published():
    """2022 and 2025 with a member each who was disciplined, not for duty, and rated good; judged by its own regime."""
    drawn = marts(
        discipline_case=pd.concat([case(year, duty="false", number=str(year)) for year in (2022, 2025)]),
        fct_member_assessment=pd.concat([rating(year, "HTT").assign(record_id=f"a{year}") for year in (2022, 2025)]),
    )
    own = find_contradictions(drawn, load_rules())
    return {**drawn, "fct_finding": own.findings, "rule_result": own.results}


def test_a_year_is_judged_again_and_it_is_said_by_what_and_beside_what(published):
    again = judge_again(published, "QD132", 2025)

    assert published["fct_finding"]["year"].tolist() == [2022]
    assert again.findings[["year", "regime_id", "own_regime_id", "is_rejudged"]].values.tolist() == [
        [2025, "QD132", "QD366", True]
    ]
    assert set(again.results["year"]) == {2025}
    assert again.told == (
        "ĐÁNH GIÁ LẠI theo 132-QĐ/TW (21-HD/BTCTW); không phải kết quả theo quy định của chính năm đó.",
        "Năm 2025: quy định của chính năm này là 366-QĐ/TW (43-HD/BTCTW).",
        "Theo quy định này có 1 phát hiện; đã công bố theo quy định của từng năm: 0. "
        "Kết quả tính từ kho đã công bố, không lưu lại và không thay kết quả đã công bố.",
    )


def test_without_a_year_every_year_is_judged_again(published):
    again = judge_again(published, "QD366")

    assert again.findings.empty
    assert set(again.results["year"]) == {2022, 2024, 2025}
    assert "Năm 2025: đây cũng là quy định của chính năm này." in again.told


def test_a_regulation_that_is_not_confirmed_says_so(published):
    told = judge_again(published, "QD124", 2022).told

    assert any(line.startswith("Lưu ý: Chưa đối chiếu được nguyên văn") for line in told)


def test_an_unknown_regulation_is_refused_with_those_there_are(published):
    with pytest.raises(ProblemError, match=r"Không có quy định QD1.*QD132 \(132-QĐ/TW, 21-HD/BTCTW\)"):
        judge_again(published, "QD1")


def test_a_year_without_reports_is_refused_with_those_there_are(published):
    with pytest.raises(ProblemError, match=r"không có báo cáo năm 1999\. Các năm có báo cáo: 2022, 2024, 2025"):
        judge_again(published, "QD132", 1999)


def test_a_warehouse_of_another_version_is_refused_in_words(published):
    without = {name: frame for name, frame in published.items() if name != "discipline_match"}

    with pytest.raises(ProblemError, match="phiên bản khác"):
        judge_again(without, "QD132")
