"""The rule catalogue: what is compared, how severe it is in each regime, and on what grounds."""

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

CATALOGUE = Path(__file__).with_name("rules.yaml")
"""The catalogue shipped with the package."""

Severity = Literal["error", "warning", "information", "none"]
Text = str

CAUTIOUS = "có dấu hiệu chưa phù hợp, đề nghị thẩm định lại."
"""Every message ends so: a finding asks for a second look, it is never a verdict."""


class CatalogueError(ValueError):
    """A catalogue of rules that cannot be used."""


class _Entry(BaseModel):
    """An entry of the catalogue: frozen, and nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, str_min_length=1)


class Regime(_Entry):
    """A regulation and the years assessed under it."""

    id: str = Field(pattern=r"^QD\d+\w*$")
    name: Text
    guidance: Text
    from_year: int
    to_year: int | None = None
    note: Text | None = None

    def covers(self, year: int) -> bool:
        """Whether the year assessed falls under this regulation."""
        return self.from_year <= year and (self.to_year is None or year <= self.to_year)


class Compared(_Entry):
    """The two facts a rule compares."""

    reported: Text
    contradicted_by: Text


class RuleException(_Entry):
    """What changes a rule's severity, and to what, in each regime where it is known."""

    code: str = Field(pattern=r"^[a-z_]+$")
    text: Text
    severity: dict[str, Severity]


class Parameter(_Entry):
    """A number or choice a rule depends on, with its grounds."""

    value: int | str | list[str]
    grounds: Text


class Rule(_Entry):
    """One rule of the catalogue."""

    id: str = Field(pattern=r"^R\d\d$")
    name: Text
    text: Text
    compares: Compared
    from_year: int
    to_year: int | None = None
    severity: dict[str, Severity]
    legal_source: dict[str, Text]
    parameters: dict[str, Parameter] = {}
    exceptions: list[RuleException] = []
    message: Text
    innocent_explanation: Text
    ask_for: Text
    cleared_by: Text
    nothing_to_test: Text

    def parameter(self, name: str) -> int | str | list[str]:
        """Value of a parameter."""
        if name not in self.parameters:
            raise CatalogueError(f"{self.id}: no parameter {name!r}, found {sorted(self.parameters)}")
        return self.parameters[name].value

    def exception(self, code: str) -> RuleException:
        """The exception with this code."""
        for entry in self.exceptions:
            if entry.code == code:
                return entry
        raise CatalogueError(f"{self.id}: no exception {code!r}, found {[entry.code for entry in self.exceptions]}")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        """A rule that judges under a regime names its source, and its message stays cautious."""
        without = [
            regime for regime, level in self.severity.items() if level != "none" and regime not in self.legal_source
        ]
        if without:
            raise ValueError(f"{self.id}: no legal source for {without}")
        if self.to_year is not None and self.to_year < self.from_year:
            raise ValueError(f"{self.id}: to_year {self.to_year} is before from_year {self.from_year}")
        if not self.message.endswith(CAUTIOUS):
            raise ValueError(f"{self.id}: the message must end with {CAUTIOUS!r}")
        self.message.format(subject="", year="")
        return self


class Catalogue(_Entry):
    """Regimes and rules, checked against each other."""

    version: Text
    regimes: list[Regime] = Field(min_length=1)
    rules: list[Rule] = Field(min_length=1)

    def rule(self, rule_id: str) -> Rule:
        """The rule with this id."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise CatalogueError(f"no rule {rule_id!r}, found {[rule.id for rule in self.rules]}")

    def regime(self, year: int) -> Regime | None:
        """The regulation that governs a year assessed; none before the first one known."""
        return next((regime for regime in self.regimes if regime.covers(year)), None)

    def severity(self, rule: Rule, year: int) -> Severity:
        """How severe a contradiction of the rule is in a year assessed; ``none`` where it does not apply."""
        regime = self.regime(year)
        outside = year < rule.from_year or (rule.to_year is not None and year > rule.to_year)
        return "none" if regime is None or outside else rule.severity[regime.id]

    def by_year(self, rule: Rule, years: pd.Series) -> pd.DataFrame:
        """Regime, severity and legal source of a rule for each of the years, index ``year``."""
        rows = []
        for year in sorted({int(year) for year in years}):
            regime = self.regime(year)
            regime_id = regime.id if regime else None
            rows.append((year, regime_id, self.severity(rule, year), rule.legal_source.get(regime_id or "")))
        frame = pd.DataFrame(rows, columns=["year", "regime_id", "severity", "legal_source"])
        return frame.astype({"year": "int64", "regime_id": "str", "severity": "str", "legal_source": "str"}).set_index(
            "year"
        )

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        """Ids are unique, regimes do not overlap, and rules speak of every regime and of no other."""
        regimes = [regime.id for regime in self.regimes]
        ids = [rule.id for rule in self.rules]
        for name, values in (("regime", regimes), ("rule", ids)):
            repeated = sorted({value for value in values if values.count(value) > 1})
            if repeated:
                raise ValueError(f"{name} given twice: {repeated}")
        ordered = sorted(self.regimes, key=lambda regime: regime.from_year)
        for earlier, later in pairwise(ordered):
            if earlier.to_year is None or earlier.to_year >= later.from_year:
                raise ValueError(f"regimes {earlier.id} and {later.id} overlap")
        for rule in self.rules:
            if set(rule.severity) != set(regimes):
                raise ValueError(
                    f"{rule.id}: severity is given for {sorted(rule.severity)}, the regimes are {sorted(regimes)}"
                )
            named = {*rule.legal_source, *(regime for entry in rule.exceptions for regime in entry.severity)}
            if named - set(regimes):
                raise ValueError(f"{rule.id}: unknown regimes {sorted(named - set(regimes))}")
            if rule.id == "R16":
                _check_cap(rule)
        return self


def _check_cap(rule: Rule) -> None:
    """The cap's parameters are within what the regulation can mean."""
    if rule.parameter("base") not in ("A", "B", "C"):
        raise ValueError(f"{rule.id}: base must be A, B or C, found {rule.parameter('base')!r}")
    if rule.parameter("rounding") != "floor":
        raise ValueError(f"{rule.id}: only rounding 'floor' is known, found {rule.parameter('rounding')!r}")
    for name in ("cap_pct", "exception_cap_pct", "minimum_group_size"):
        value = rule.parameter(name)
        if not isinstance(value, int) or not 0 < value <= 100:
            raise ValueError(f"{rule.id}: {name} must be a whole number from 1 to 100, found {value!r}")


@cache
def load_rules(path: Path = CATALOGUE) -> Catalogue:
    """Read and check a catalogue of rules."""
    try:
        return Catalogue.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CatalogueError(f"{path.name}: {places}") from error
