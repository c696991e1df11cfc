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
    assert [rule.id for rule in load_rules().rules] == ["R01", "R04", "R10", "R16", "R29", "R30"] == list(RULES)


@pytest.mark.parametrize(
    ("year", "regime"),
    [(2018, None), (2019, "QD132"), (2022, "QD132"), (2023, "QD124"), (2024, "QD124"), (2025, "QD366")],
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


def test_the_cap_is_given_with_its_grounds():
    rule = load_rules().rule("R16")

    assert {name: parameter.value for name, parameter in rule.parameters.items()} == {
        "base": "A",
        "cap_pct": 20,
        "exception_cap_pct": 25,
        "rounding": "floor",
        "minimum_group_size": 5,
    }
    assert all(parameter.grounds for parameter in rule.parameters.values())


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda c: rule_of(c, "R01")["severity"].pop("QD124"), "the regimes are"),
        (lambda c: rule_of(c, "R01")["severity"].update(QD124="grave"), "R01|severity"),
        (lambda c: rule_of(c, "R01")["legal_source"].pop("QD132"), "no legal source"),
        (lambda c: rule_of(c, "R01").pop("innocent_explanation"), "innocent_explanation"),
        (lambda c: rule_of(c, "R01").update(message="{subject} gian dối năm {year}."), "must end with"),
        (lambda c: rule_of(c, "R01").update(colour="red"), "colour"),
        (lambda c: rule_of(c, "R16")["parameters"]["base"].update(value="D"), "A, B or C"),
        (lambda c: rule_of(c, "R16")["parameters"]["cap_pct"].update(value=20.5), "whole number|valid integer"),
        (lambda c: rule_of(c, "R16")["parameters"].pop("minimum_group_size"), "minimum_group_size"),
        (lambda c: c["rules"].append(c["rules"][0]), "given twice"),
        (lambda c: c["regimes"][1].update(to_year=2025), "overlap"),
    ],
)
def test_a_faulty_catalogue_is_refused_with_the_place(changed, edit, complaint):
    with pytest.raises(CatalogueError, match=complaint):
        changed(edit)


def test_every_message_asks_for_a_second_look_and_accuses_nobody():
    for rule in load_rules().rules:
        assert rule.message.endswith("có dấu hiệu chưa phù hợp, đề nghị thẩm định lại.")
        assert "gian dối" not in rule.message
