"""Years judged again by another regulation than their own, from what is published; nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from orchestration.problems import ProblemError
from ratings.contradictions import find_contradictions
from ratings.marts import MissingInput
from ratings.rules import Catalogue, load_rules


@dataclass(frozen=True)
class Rejudged:
    """What came of judging again, and what is to be said of it."""

    findings: pd.DataFrame
    """As `ratings.contradictions.Findings`, with the id of the year's own regime beside that of the one asked for."""
    results: pd.DataFrame
    told: tuple[str, ...]
    """Vietnamese: that it is a judgement again, by what, beside what."""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Named as in the warehouse, for those who show them."""
        return {"fct_finding": self.findings, "rule_result": self.results}


def judge_again(tables: Mapping[str, pd.DataFrame], regime: str, year: int | None = None) -> Rejudged:
    """Judge the published marts, all years or one, by a regime; raises `ProblemError` where that cannot be done."""
    rules = load_rules()
    known = {each.id: each for each in rules.regimes}
    if regime not in known:
        names = ", ".join(f"{each.id} ({each.name}, {each.guidance})" for each in rules.regimes)
        raise ProblemError(f"Không có quy định {regime}. Các quy định: {names}.", 2)
    try:
        found = find_contradictions(tables, rules, regime=regime)
    except MissingInput as error:
        raise ProblemError(
            "Kho đã công bố do phiên bản khác của chương trình dựng nên không đánh giá lại được. "
            "Hãy chạy: thucchat build"
        ) from error
    findings, results = (of_year(frame, year, found.results["year"]) for frame in (found.findings, found.results))
    published = of_year(tables["fct_finding"], year, found.results["year"])
    years = sorted({int(each) for each in results["year"]})
    own = findings["year"].map({each: _own(rules, each) for each in years}).astype("str")
    findings = findings.copy()
    for name, values in (("own_regime_id", own), ("is_rejudged", True)):
        findings.insert(findings.columns.get_loc("regime_id") + 1, name, values)
    return Rejudged(findings, results, tuple(_told(rules, regime, years, len(findings), len(published))))


def of_year(frame: pd.DataFrame, year: int | None, years: pd.Series) -> pd.DataFrame:
    """Rows of one year, or all; raises `ProblemError` where nothing was received of that year."""
    if year is None:
        return frame
    if year not in set(years):
        told = ", ".join(str(int(each)) for each in sorted(set(years))) or "chưa có năm nào"
        raise ProblemError(f"Kho đã công bố không có báo cáo năm {year}. Các năm có báo cáo: {told}.")
    return frame[frame["year"] == year].reset_index(drop=True)


def _number(value: int) -> str:
    return f"{value:,}".replace(",", ".")


def _own(rules: Catalogue, year: int) -> str | None:
    regime = rules.own_regime(year)
    return regime.id if regime else None


def _told(rules: Catalogue, regime_id: str, years: list[int], found: int, published: int) -> list[str]:
    regime = next(each for each in rules.regimes if each.id == regime_id)
    told = [f"ĐÁNH GIÁ LẠI theo {regime.name} ({regime.guidance}); không phải kết quả theo quy định của chính năm đó."]
    for year in years:
        own = rules.own_regime(year)
        if own is None:
            told.append(f"Năm {year}: chưa có quy định nào được khai báo cho năm này.")
        elif own.id == regime_id:
            told.append(f"Năm {year}: đây cũng là quy định của chính năm này.")
        else:
            told.append(f"Năm {year}: quy định của chính năm này là {own.name} ({own.guidance}).")
    if not regime.is_confirmed:
        told.append(f"Lưu ý: {regime.note or 'chưa đối chiếu được nguyên văn quy định này.'}")
    told.append(
        f"Theo quy định này có {_number(found)} phát hiện; "
        f"đã công bố theo quy định của từng năm: {_number(published)}. "
        "Kết quả tính từ kho đã công bố, không lưu lại và không thay kết quả đã công bố."
    )
    return told
