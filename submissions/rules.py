"""The rules of intake as data: what an issue is called, how it reads, who answers; thresholds with their grounds."""

from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

CATALOGUE = Path(__file__).with_name("rules.yaml")
"""The catalogue shipped with the package."""

Severity = Literal["error", "query"]
"""An error must be mended; a query must be mended or explained."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, ignored_types=(cached_property,))


class Rule(_Entry):
    """One rule of intake."""

    id: str = Field(pattern=r"^[a-z][a-z_0-9]*$")
    name: str = Field(min_length=1)
    """Vietnamese, short: what the mistake is called in lists."""
    text: str = Field(min_length=1)
    """Vietnamese: what the rule says."""
    category: str = Field(min_length=1)
    severity: Severity = "error"
    owner: str = "Đơn vị báo cáo"
    """Who answers."""
    expected: str = "{described}"
    mend: str = "Hãy kiểm tra lại “{heading}”."
    message: str = "{found}; cần {expected}. {mend}"
    """The sentence at the cell: a template of what was found, what is expected and what to do."""
    legal_source: str | None = None
    thresholds: tuple[str, ...] = ()
    effective_from: int | None = None
    effective_to: int | None = None
    """First and last year reported (inclusive) that the rule is applied to."""

    @model_validator(mode="after")
    def _years_of_queries(self) -> "Rule":
        # What is lawful in a cell is the form set's to say, year by year: a rule that holds rows back is never silent.
        if self.severity == "error" and (self.effective_from or self.effective_to):
            raise ValueError(f"rule {self.id!r}: the years of an error are those of its form set")
        return self


class Threshold(_Entry):
    """A number that rules depend on, and why it is that number."""

    value: float
    grounds: str = Field(min_length=1)


class Explanation(_Entry):
    """A code by which a unit explains a query."""

    code: str = Field(pattern=r"^GT\d\d$")
    text: str = Field(min_length=1)
    needs_text: bool = False
    """The code alone explains nothing: words must follow."""


class ExpectedColumns(_Entry):
    """Optional columns that rows should fill: all rows, those where columns have certain values, or one is filled."""

    columns: tuple[str, ...]
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    filled: str | None = None


class Total(_Entry):
    """A line of Biểu 1 that is the number of rows of a list: all, or those where a column has certain values."""

    line: str
    table: str
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Opening(_Entry):
    """The line of Biểu 1 that carries over the closing line of the year before."""

    line: str
    closing: str


class Rules(_Entry):
    """The catalogue."""

    version: str
    explanations: tuple[Explanation, ...]
    thresholds: dict[str, Threshold]
    expected_columns: dict[str, tuple[ExpectedColumns, ...]]
    present: tuple[str, ...]
    """Statuses of members who are there at the period's end."""
    totals: tuple[Total, ...]
    opening: Opening
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _consistent(self) -> "Rules":
        ids, codes = [rule.id for rule in self.rules], [one.code for one in self.explanations]
        for kind, names in (("rule", ids), ("code", codes)):
            if doubled := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{kind} {doubled[0]!r} stands twice")
        for rule in self.rules:
            if unknown := sorted(set(rule.thresholds) - set(self.thresholds)):
                raise ValueError(f"rule {rule.id!r}: no threshold {unknown[0]!r}")
        if "between_cells" not in self.by_id:
            raise ValueError("no rule 'between_cells', which stands for relations without a rule of their own")
        return self

    @cached_property
    def by_id(self) -> dict[str, Rule]:
        """Rules by id."""
        return {rule.id: rule for rule in self.rules}

    def rule(self, rule: str) -> Rule:
        """The rule of that id; a relation that a form set adds is described as a relation between cells."""
        return self.by_id.get(rule) or (_REFUSED if rule.isupper() else self.by_id["between_cells"])

    def name(self, rule: str) -> str:
        """What a rule is called before its readers."""
        return self.rule(rule).name

    def text(self, rule: str) -> str:
        """What a rule says."""
        return self.rule(rule).text

    def category(self, rule: str) -> str:
        """The group a rule belongs to."""
        return self.rule(rule).category

    def severity(self, rule: str) -> Severity:
        """``error`` or ``query``."""
        return self.rule(rule).severity

    def owner(self, rule: str) -> str:
        """Who answers."""
        return self.rule(rule).owner

    def in_force(self, rule: str, year: int) -> bool:
        """Whether a rule is applied to reports of a year."""
        found = self.rule(rule)
        return (found.effective_from or 0) <= year <= (found.effective_to or 9999)

    def threshold(self, name: str) -> float:
        """The value of a threshold."""
        return self.thresholds[name].value

    @cached_property
    def queries(self) -> tuple[str, ...]:
        """Ids of the rules that may be explained."""
        return tuple(rule.id for rule in self.rules if rule.severity == "query")

    @cached_property
    def explanation_texts(self) -> dict[str, str]:
        """Texts of the explanation codes."""
        return {one.code: one.text for one in self.explanations}


_REFUSED = Rule(id="refused", name="Tệp bị từ chối", text="Tệp không đọc được như một bộ biểu.", category="Tệp")
"""What the refusal codes of files are called in a list of issues."""


@cache
def load_rules(path: Path = CATALOGUE) -> Rules:
    """The catalogue; raises `ValueError` naming the file where it is not valid."""
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return Rules.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=loader))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name}: {error}") from error
