"""The gate's judgement: may what a run has built be published? Read from what it recorded, not from its plan."""

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg


@dataclass(frozen=True)
class Standing:
    """How the checks of a run came out."""

    failed: tuple[str, ...]
    missing: tuple[str, ...]
    warned: tuple[str, ...]
    passed: int

    @property
    def may_publish(self) -> bool:
        """Every check was there and none that blocks failed."""
        return not self.failed and not self.missing

    def __str__(self) -> str:
        reasons = []
        if self.failed:
            reasons.append(f"{len(self.failed)} kiểm tra bắt buộc không đạt: {', '.join(self.failed)}")
        if self.missing:
            reasons.append(f"{len(self.missing)} kiểm tra chưa chạy trong lần này: {', '.join(self.missing[:5])}…")
        return "; ".join(reasons) or f"{self.passed} kiểm tra đạt, {len(self.warned)} cảnh báo"


def standing(instance: dg.DagsterInstance, run_id: str, expected: Iterable[dg.AssetCheckKey]) -> Standing:
    """Judge run `run_id` by its recorded check results; a check that is expected and has none counts against it."""
    results = {}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        evaluation = entry.get_dagster_event().asset_check_evaluation_data
        results[evaluation.asset_check_key] = evaluation
    bad = {key: result for key, result in results.items() if not result.passed}
    return Standing(
        failed=_names(key for key, result in bad.items() if result.severity == dg.AssetCheckSeverity.ERROR),
        warned=_names(key for key, result in bad.items() if result.severity != dg.AssetCheckSeverity.ERROR),
        missing=_names(key for key in expected if key not in results),
        passed=len(results) - len(bad),
    )


def _names(keys: Iterable[dg.AssetCheckKey]) -> tuple[str, ...]:
    return tuple(sorted(f"{key.asset_key.path[-1]}: {key.name}" for key in keys))
