"""The target that a chart draws as a line: read from the scoreboard, so that what judges is what is drawn."""

from dataclasses import dataclass

from reports import numbers
from reports.units import Tables


@dataclass(frozen=True)
class Target:
    """A percentage to reach, and whether it must be passed."""

    value: float
    is_strict: bool

    def is_met(self, percent: float) -> bool:
        """Whether a percentage reaches the target; a strict one must be passed."""
        return percent > self.value if self.is_strict else percent >= self.value

    def __str__(self) -> str:
        """'trên 90%' or '3%'."""
        return f"{'trên ' if self.is_strict else ''}{numbers.trimmed(self.value)}%"


def target_of(tables: Tables, year: int, target_id: str) -> Target | None:
    """The version of a target in force in the year."""
    rows = tables["target_scoreboard"].query("year == @year and target_id == @target_id and is_in_force")
    if rows.empty or numbers.is_missing(rows.iloc[0]["target_value"]):
        return None
    return Target(float(rows.iloc[0]["target_value"]), rows.iloc[0]["comparison"] == "gt")
