"""The rule catalogue: what is compared, how severe it is in each regime, and on what grounds."""

import csv
import io
import json
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal, Self

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ratings.tables import OPEN, SEEDS, Article, Band, Cap, Regime, TableError, Tables, read_tables

CATALOGUE = Path(__file__).with_name("rules.yaml")
"""The catalogue shipped with the package; files named ``rules_*.yaml`` beside it are parts of it."""

Severity = Literal["error", "warning", "information", "none"]
Text = str

CAUTIOUS = "có dấu hiệu chưa phù hợp, đề nghị thẩm định lại."
"""Every message ends so: a finding asks for a second look, it is never a verdict."""


class CatalogueError(ValueError):
    """A catalogue of rules that cannot be used."""


class _Entry(BaseModel):
    """An entry of the catalogue: frozen, and nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, str_min_length=1)


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
    """Regimes, caps, bands of points, articles of inspection and rules, checked against each other."""

    version: Text
    regimes: tuple[Regime, ...] = Field(min_length=1)
    caps: tuple[Cap, ...]
    score_bands: tuple[Band, ...]
    inspection_articles: tuple[Article, ...]
    rules: list[Rule] = Field(min_length=1)
    judged_by: str | None = None
    """The one regime by which every year is judged again; None where each is judged by its own."""

    def under(self, regime_id: str) -> Self:
        """The catalogue that judges every year by this regime, whatever its own."""
        known = [regime.id for regime in self.regimes]
        if regime_id not in known:
            raise CatalogueError(f"no regime {regime_id!r}, found {known}")
        return self.model_copy(update={"judged_by": regime_id})

    def rule(self, rule_id: str) -> Rule:
        """The rule with this id."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise CatalogueError(f"no rule {rule_id!r}, found {[rule.id for rule in self.rules]}")

    def own_regime(self, year: int) -> Regime | None:
        """The regulation that governs a year assessed; none before the first one known."""
        return next((regime for regime in self.regimes if regime.covers(year)), None)

    def regime(self, year: int) -> Regime | None:
        """The regulation that a year is judged by: its own, or the one by which all are judged again."""
        if self.judged_by is None:
            return self.own_regime(year)
        return next(regime for regime in self.regimes if regime.id == self.judged_by)

    def severity(self, rule: Rule, year: int) -> Severity:
        """How severe a contradiction of the rule is in a year assessed; ``none`` where it does not apply."""
        regime = self.regime(year)
        if regime is None:
            return "none"
        # Judged again by another regime, a rule applies if it does in that regime's own years.
        first, last = (year, year) if self.judged_by is None else (regime.valid_from.year, regime.last_year)
        outside = last < rule.from_year or (rule.to_year is not None and first > rule.to_year)
        return "none" if outside else rule.severity[regime.id]

    def by_year(self, rule: Rule, years: pd.Series) -> pd.DataFrame:
        """Regime, severity and legal source of a rule for each of the years, index ``year``."""
        distinct = sorted({int(year) for year in years.unique()})
        regimes = [regime and regime.id for regime in map(self.regime, distinct)]
        told = {
            "regime_id": regimes,
            "severity": [self.severity(rule, year) for year in distinct],
            "legal_source": [rule.legal_source.get(regime_id or "") for regime_id in regimes],
        }
        return pd.DataFrame(told, pd.Index(distinct, name="year", dtype="int64"), dtype="str")

    def cap(self, year: int) -> Cap:
        """The cap on excellent ratings that a year is judged by: its regime's in force, else the nearest."""
        regime = self.regime(year)
        caps = sorted(
            (cap for cap in self.caps if regime and cap.regime_id == regime.id), key=lambda cap: cap.valid_from
        )
        if not caps:
            raise CatalogueError(f"no cap for {year}, regime {regime and regime.id!r}")
        begun = [cap for cap in caps if cap.valid_from <= date(year, 12, 31)]
        return begun[-1] if begun else caps[0]

    def least_points(self, year: int) -> dict[str, Decimal]:
        """From how many points on each level is given: the bands in force at the end of a year, else the first."""
        bands = sorted((band for band in self.score_bands if band.band_set == "rating"), key=lambda b: b.valid_from)
        begun = [band for band in bands if band.valid_from <= date(year, 12, 31)] or bands
        version = begun[-1 if begun is not bands else 0].version
        return {band.band_code: band.points_from for band in bands if band.version == version}

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        """Ids are unique; rules speak of every regime and of no other; where the cap is judged, there is one."""
        regimes = [regime.id for regime in self.regimes]
        ids = [rule.id for rule in self.rules]
        repeated = sorted({value for value in ids if ids.count(value) > 1})
        if repeated:
            raise ValueError(f"rule given twice: {repeated}")
        for rule in self.rules:
            if set(rule.severity) != set(regimes):
                raise ValueError(
                    f"{rule.id}: severity is given for {sorted(rule.severity)}, the regimes are {sorted(regimes)}"
                )
            named = {*rule.legal_source, *(regime for entry in rule.exceptions for regime in entry.severity)}
            if named - set(regimes):
                raise ValueError(f"{rule.id}: unknown regimes {sorted(named - set(regimes))}")
            if rule.id == "R16":
                _check_cap(rule, {cap.regime_id for cap in self.caps})
        return self


def _check_cap(rule: Rule, capped: set[str]) -> None:
    """Every regime under which the cap is judged has one, and groups have a least size."""
    without = [regime for regime, level in rule.severity.items() if level != "none" and regime not in capped]
    if without:
        raise ValueError(f"{rule.id}: no cap for {without} in caps.csv")
    smallest = rule.parameter("minimum_group_size")
    if not isinstance(smallest, int) or not 0 < smallest <= 100:
        raise ValueError(f"{rule.id}: minimum_group_size must be a whole number from 1 to 100, found {smallest!r}")


def catalogue(content: dict, tables: Tables | None = None) -> Catalogue:
    """The catalogue that rules (as the file has them) and the tables of the regulations make together."""
    tables = tables or read_tables()
    of_tables = {name: getattr(tables, name) for name in ("regimes", "caps", "score_bands", "inspection_articles")}
    return Catalogue.model_validate(content | of_tables)


@cache
def load_rules(path: Path = CATALOGUE, seeds: Path = SEEDS) -> Catalogue:
    """Read and check a catalogue of rules, with its parts beside it, and the tables it stands on."""
    whole, *parts = (
        yaml.safe_load(file.read_text(encoding="utf-8")) for file in (path, *sorted(path.parent.glob("rules_*.yaml")))
    )
    listed = sorted((rule for part in (whole, *parts) for rule in part["rules"]), key=lambda rule: rule["id"])
    try:
        return catalogue(whole | {"rules": listed}, read_tables(seeds))
    except ValidationError as error:
        places = "; ".join(f"{_place(item['loc'], listed)}: {item['msg']}" for item in error.errors())
        raise CatalogueError(f"{path.name}: {places}") from error


def _place(steps: tuple[int | str, ...], listed: list[dict]) -> str:
    """Where in the catalogue a fault is; a rule is named by its id, in whichever part it stands."""
    if len(steps) > 1 and steps[0] == "rules":
        steps = (listed[int(steps[1])]["id"], *steps[2:])
    return ".".join(map(str, steps))


# --- the seed that is made from the catalogue ------------------------------------------------------------------------

SEED = "rules.csv"
_COLUMNS = (
    "rule_id", "regime_id", "version", "rule_name", "severity", "parameters", "legal_source",
    "valid_from", "valid_to", "is_confirmed",
)  # fmt: skip


def seed(rules: Catalogue) -> str:
    """The warehouse's seed: each rule in each regime in which it judges, with its days, severity and source."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for rule in rules.rules:
        parameters = {name: parameter.value for name, parameter in sorted(rule.parameters.items())}
        for regime in rules.regimes:
            first = max(regime.valid_from, date(rule.from_year, 1, 1))
            end = min(regime.end, OPEN if rule.to_year is None else date(rule.to_year + 1, 1, 1))
            if rule.severity[regime.id] == "none" or first >= end:
                continue
            writer.writerow(
                (
                    rule.id,
                    regime.id,
                    rules.version,
                    rule.name,
                    rule.severity[regime.id],
                    json.dumps(parameters, ensure_ascii=False) if parameters else "",
                    rule.legal_source[regime.id],
                    first.isoformat(),
                    "" if end == OPEN else end.isoformat(),
                    str(regime.is_confirmed).lower(),
                )
            )
    return text.getvalue()


def check_tables(seeds: Path = SEEDS) -> None:
    """Refuse tables of the regulations that cannot be used, and a seed of rules that is not the catalogue's.

    Raises `TableError` with every row named. Nothing is remembered: each build looks at the files as they are.
    """
    rules = load_rules.__wrapped__(CATALOGUE, seeds)
    path = seeds / SEED
    if not path.exists() or path.read_text(encoding="utf-8") != seed(rules):
        raise TableError(f"{SEED} không khớp với {CATALOGUE.name}. Hãy chạy: python -m ratings --write")
