import re

import pytest
import yaml

from submissions.form_set import load_form_sets
from submissions.issues import describe
from submissions.rules import CATALOGUE, load_rules

RULES = load_rules()
CELL_RULES = {
    "required", "not_integer", "not_number", "not_date", "not_mark", "not_in_list", "out_of_range", "outside_period",
    "pattern", "code_as_number", "duplicate", "key_mismatch", "unknown_code", "level_missing", "level_with_reason",
    "equation", "row_missing", "error_cell", "uncalculated", "ambiguous_number", "ambiguous_date", "legacy_text",
}  # fmt: skip


def catalogue(change):
    data = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    change(data)
    return data


def first_error(data):
    return next(rule for rule in data["rules"] if rule["id"] == "required")


def write(tmp_path, data):
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return path


def test_every_rule_of_a_cell_and_of_the_form_sets_is_described():
    relations = {
        relation.rule
        for form_set in load_form_sets().values()
        for form in form_set.forms
        for relation in (*form.relations, *form.only_with)
    }

    assert relations | CELL_RULES <= RULES.by_id.keys()
    assert {RULES.severity(rule) for rule in relations | CELL_RULES} == {"error"}


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_a_rule_reads_as_a_sentence_that_says_what_to_do(rule):
    words = re.findall(r"\{(\w+)\}", rule.expected + rule.mend + rule.message)
    told = describe(rule.id, **{word: f"<{word}>" for word in words})

    assert told["severity"] in {"error", "query"}
    assert "ãy" in rule.mend
    assert not re.search(r"[{}]", told["message"] + told["expected"])
    assert rule.owner in {"Đơn vị báo cáo", "Ban Tổ chức"}


@pytest.mark.parametrize("rule", [rule for rule in RULES.rules if rule.severity == "query"], ids=lambda rule: rule.id)
def test_a_query_offers_to_mend_or_to_explain(rule):
    told = rule.mend + rule.message
    assert "giải trình" in told or rule.id == "version_out_of_years"


def test_every_threshold_is_used_and_has_its_grounds():
    code = "".join(path.read_text(encoding="utf-8") for path in CATALOGUE.parent.glob("*.py"))
    named = {name for rule in RULES.rules for name in rule.thresholds}

    for name, threshold in RULES.thresholds.items():
        assert len(threshold.grounds) > 40
        assert name in named or f'threshold("{name}")' in code


def test_expected_columns_are_optional_columns_of_the_forms():
    columns = {
        (form.table, column.key): column.required
        for form_set in load_form_sets().values()
        for form in form_set.forms
        for column in form.columns
    }
    for table, groups in RULES.expected_columns.items():
        for group in groups:
            assert {columns[table, column] for column in group.columns} == {False}
            assert all((table, column) in columns for column in (*group.where, *filter(None, [group.filled])))


def test_totals_and_statuses_are_those_of_the_form_set():
    form_set = load_form_sets()["B12-2021"]
    lines = {item.value for item in form_set.lists["line"]}
    statuses = {item.value for item in form_set.lists["status"]}

    assert {total.line for total in RULES.totals} | {RULES.opening.line, RULES.opening.closing} <= lines
    assert {total.table for total in RULES.totals} <= form_set.by_table.keys()
    assert set(RULES.present) < statuses


def test_a_relation_that_a_form_set_adds_has_a_name_before_it_is_described():
    assert RULES.name("a_new_relation") == "Các ô không khớp nhau"
    assert RULES.name("NO_COVER") == "Tệp bị từ chối"


def test_a_query_outside_its_years_is_not_in_force(tmp_path):
    def change(data):
        next(rule for rule in data["rules"] if rule["id"] == "levels_alike").update(
            effective_from=2025, effective_to=2026
        )

    rules = load_rules(write(tmp_path, catalogue(change)))

    assert [rules.in_force("levels_alike", year) for year in (2024, 2025, 2026, 2027)] == [False, True, True, False]
    assert rules.in_force("column_blank", 1999)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data["rules"].append(first_error(data)), "'required' stands twice"),
        (lambda data: data["explanations"].append(data["explanations"][0]), "'GT01' stands twice"),
        (lambda data: first_error(data).update(thresholds=["none"]), "no threshold 'none'"),
        (lambda data: first_error(data).update(effective_from=2025), "the years of an error"),
        (lambda data: first_error(data).update(severity="warning"), "severity"),
        (lambda data: data["thresholds"]["blank_share"].pop("grounds"), "grounds"),
        (lambda data: first_error(data).update(colour="red"), "colour"),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_refused_with_its_name(tmp_path, change, told):
    with pytest.raises(ValueError, match=r"rules\.yaml: (.|\n)*" + re.escape(told)):
        load_rules(write(tmp_path, catalogue(change)))


def test_the_code_for_other_reasons_needs_words():
    assert [one.code for one in RULES.explanations if one.needs_text] == ["GT99"]
    assert RULES.explanation_texts["GT02"].startswith("Do chia tách")
