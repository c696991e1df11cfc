"""What became of the expectations of a suite; importable without Great Expectations, whose import takes seconds."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["passed", "failed", "not_checked"]
Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Outcome:
    """What became of one expectation."""

    expectation: str
    columns: tuple[str, ...]
    description: str
    severity: Severity
    status: Status
    reason: str | None = None
    could_run: bool = True

    @property
    def is_blocking(self) -> bool:
        """Whether it must keep the table from its readers: a critical check that failed or could not run."""
        return self.severity == "critical" and (self.status == "failed" or not self.could_run)


@dataclass(frozen=True)
class ValidationResult:
    """Outcomes of all expectations of a suite, in the suite's order."""

    suite: str
    outcomes: tuple[Outcome, ...]

    @property
    def is_blocking(self) -> bool:
        """Whether any outcome blocks."""
        return any(outcome.is_blocking for outcome in self.outcomes)

    @property
    def status(self) -> Status:
        """Failed if anything failed; passed only if something was checked and nothing that should run could not."""
        statuses = {outcome.status for outcome in self.outcomes}
        if "failed" in statuses:
            return "failed"
        all_ran = all(outcome.could_run for outcome in self.outcomes)
        return "passed" if "passed" in statuses and all_ran else "not_checked"

    def having(self, status: Status) -> tuple[Outcome, ...]:
        """Outcomes of one status."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == status)
