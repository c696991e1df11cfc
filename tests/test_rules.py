import pytest
import yaml

from ratings.contradictions import RULES
from ratings.rules import CATALOGUE, CatalogueError, load_rules


@pytest.fixture
def changed(tmp_path):
    """The shipped catalogue with one thing changed."""

    def change(edit):
        content = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
        edit(content)
        path = tmp_path / "rules.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return load_rules(path)

    return change


def rule_of(content, rule_id):
    return next(rule for rule in content["rules"] if rule["id"] == rule_id)


def test_the_catalogue_holds_exactly_the_rules_that_run():
    assert [rule.id for rule in load_rules().rules] == sorted(RULES)


@pytest.mark.parametrize(
    ("year", "regime"),
    [
        (2017, None),
        (2018, "QD132_16HD"),
        (2019, "QD132"),
        (2022, "QD132"),
        (2023, "QD124"),
        (2024, "QD124"),
        (2025, "QD366"),
    ],
)
def test_the_year_assessed_picks_the_regime(year, regime):
    found = load_rules().regime(year)

    assert (found and found.id) == regime


def test_the_last_regime_has_no_end():
    assert load_rules().regime(2030).id == "QD366"


@pytest.mark.parametrize(
    ("rule_id", "severities"),
    [
        ("R01", ["none", "error", "warning", "error"]),
        ("R04", ["none", "error", "warning", "error"]),
        ("R10", ["none", "none", "none", "error"]),
        ("R16", ["none", "error", "error", "error"]),
        ("R29", ["none", "error", "error", "error"]),
        ("R30", ["none", "error", "error", "error"]),
    ],
)
def test_severity_follows_the_regime(rule_id, severities):
    rules = load_rules()

    assert [rules.severity(rules.rule(rule_id), year) for year in (2018, 2022, 2024, 2025)] == severities


def test_a_rule_outside_its_years_has_no_severity(changed):
    rules = changed(lambda content: rule_of(content, "R29").update(from_year=2023, to_year=2024))

    assert [rules.severity(rules.rule("R29"), year) for year in (2022, 2023, 2024, 2025)] == [
        "none",
        "error",
        "error",
        "none",
    ]


@pytest.mark.parametrize(("year", "cap_pct", "exception_cap_pct"), [(2022, 20, None), (2024, 20, None), (2025, 20, 25)])
def test_the_cap_is_that_of_the_years_regime_and_has_its_grounds(year, cap_pct, exception_cap_pct):
    cap = load_rules().cap(year)

    assert (cap.base, cap.cap_pct, cap.exception_cap_pct, cap.rounding) == ("A", cap_pct, exception_cap_pct, "floor")
    assert not cap.base_is_confirmed
    assert cap.legal_source


def test_parameters_are_given_with_their_grounds():
    rules = load_rules().rules

    assert load_rules().rule("R16").parameter("minimum_group_size") == 5
    assert all(parameter.grounds for rule in rules for parameter in rule.parameters.values())


def test_judged_again_every_year_has_the_regime_asked_for_and_the_years_own_are_kept():
    rules = load_rules()
    again = rules.under("QD132")

    assert {again.regime(year).id for year in (2018, 2022, 2025)} == {"QD132"}
    assert (again.own_regime(2025).id, rules.regime(2025).id) == ("QD366", "QD366")
    assert again.cap(2025).exception_cap_pct is None
    assert [again.severity(again.rule(rule), 2025) for rule in ("R01", "R10")] == ["error", "none"]
    assert rules.under("QD366").severity(rules.rule("R10"), 2022) == "error"
    assert rules.under("QD366").cap(2022).exception_cap_pct == 25


def test_a_rule_without_years_in_a_regime_does_not_judge_again_by_it(changed):
    rules = changed(lambda content: rule_of(content, "R29").update(from_year=2023))

    assert rules.under("QD132").severity(rules.rule("R29"), 2025) == "none"


def test_a_regime_that_is_not_there_is_not_judged_by():
    with pytest.raises(CatalogueError, match="QD999"):
        load_rules().under("QD999")


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda c: rule_of(c, "R01")["severity"].pop("QD124"), "the regimes are"),
        (lambda c: rule_of(c, "R01")["severity"].update(QD124="grave"), "R01|severity"),
        (lambda c: rule_of(c, "R01")["legal_source"].pop("QD132"), "no legal source"),
        (lambda c: rule_of(c, "R01").pop("innocent_explanation"), "innocent_explanation"),
        (lambda c: rule_of(c, "R01").update(message="{subject} gian dối năm {year}."), "must end with"),
        (lambda c: rule_of(c, "R01").update(colour="red"), "colour"),
        (lambda c: rule_of(c, "R16")["parameters"]["minimum_group_size"].update(value=0), "whole number"),
        (lambda c: rule_of(c, "R16")["severity"].update(QD132_16HD="error"), "no cap for|no legal source"),
        (lambda c: rule_of(c, "R16")["parameters"].pop("minimum_group_size"), "minimum_group_size"),
        (lambda c: c["rules"].append(c["rules"][0]), "given twice"),
        (lambda c: rule_of(c, "R30")["severity"].update(QD999="error"), "the regimes are|no legal source"),
    ],
)
def test_a_faulty_catalogue_is_refused_with_the_place(changed, edit, complaint):
    with pytest.raises(CatalogueError, match=complaint):
        changed(edit)


def test_every_message_asks_for_a_second_look_and_accuses_nobody():
    for rule in load_rules().rules:
        assert rule.message.endswith("có dấu hiệu chưa phù hợp, đề nghị thẩm định lại.")
        assert "gian dối" not in rule.message
