"""What the signals read and what they return: any tidy table of ratings, checked once, and one row a signal.

Scores and levels are held so that more is better; a scale on which less is better is reflected before it comes here
(`reflected`). Levels are numbered from the lowest, 0, to the highest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

SIGNAL_COLUMNS = {
    "organisation": "str",
    "period": "Int64",
    "signal": "str",
    "is_testable": "boolean",
    "reason_code": "str",
    "statistic": "Float64",
    "z": "Float64",
    "p": "Float64",
    "n": "Int64",
    "observed": "Float64",
    "expected": "Float64",
    "peers": "Int64",
    "parameters": "str",
}
"""What every signal returns for every organisation and period. `p` is one-sided and empty exactly where `is_testable`
is false; `reason_code` (of `REASONS`) is filled exactly there. `statistic`, `observed` and `expected` are in the unit
that the signal's docstring names, `n` is what was counted, `peers` how many were compared with, `parameters` a JSON
object with what the sentence needs beyond."""

REASONS = {
    "too_small": "có quá ít đối tượng để kiểm tra",
    "too_few_peers": "có quá ít tổ chức cùng loại để so sánh",
    "no_variance": "mọi tổ chức cùng loại đều giống nhau",
    "no_evidence": "không có số liệu công việc để đối chiếu",
    "weak_evidence": "số liệu công việc không nói được gì về xếp loại",
    "no_history": "không có số liệu của kỳ trước",
    "no_scores": "không có điểm số",
    "no_cutoff": "thang điểm không có ngưỡng",
    "no_groups": "không có số liệu của các chi bộ bên dưới",
    "no_subjects": "không có xếp loại của từng đối tượng",
    "no_own_level": "không có mức của chính tổ chức",
    "no_excluded": "không có số ngoài diện xếp loại",
    "no_claims": "không có mức tự xếp loại hoặc mức đề nghị",
    "no_cap": "không có trần tỷ lệ hoặc trần chưa cho phép đối tượng nào",
    "no_target": "không có chỉ tiêu",
    "no_recheck": "chưa có kết quả thẩm định lại độc lập",
    "no_raters": "mỗi đối tượng không có nhiều người đánh giá",
}
"""Why something could not be tested, as it is told."""


class InputError(ValueError):
    """A table that cannot be judged; `problems` are Vietnamese sentences, all of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Scale:
    """How is rated: levels best first, and what is set beforehand (cut-offs, cap, target).

    `good_levels` is how many of the levels, from the best, are what a target counts; `top_levels` those a cap limits.
    `cap` is a share (0.2) of `cap_base`: "good" counts the good that are not top, "good_or_above", "rated".
    `cutoffs` are the scores at which a level begins; `placebos` scores at which none does, chosen from the scale where
    not given. `score_step` is the least difference of two scores, 0 for a continuous scale. `is_reflected` says that
    less was better: scores, cut-offs and placebos are held with their signs turned (`shown` turns them back).
    """

    levels: tuple[str, ...] = ("XS", "HTT", "HT", "KHT")
    good_levels: int = 2
    top_levels: int = 1
    target: float | None = None
    cap: float | None = None
    cap_base: Literal["good", "good_or_above", "rated"] = "good"
    cutoffs: tuple[float, ...] = ()
    placebos: tuple[float, ...] | None = None
    score_min: float | None = None
    score_max: float | None = None
    score_step: float | None = None
    is_reflected: bool = False

    def shown(self, score: float) -> float:
        """A score, a cut-off or a placebo of the scale as it was before the scale was turned round."""
        return -score if self.is_reflected else score

    @property
    def level_columns(self) -> list[str]:
        """Columns of counts by level, best first."""
        return [f"level_{rank}" for rank in range(1, len(self.levels) + 1)]


def _frame() -> pd.DataFrame:
    return pd.DataFrame()


@dataclass(frozen=True)
class Ratings:
    """Ratings to be judged. Frames that are not known stay empty; only `organisations` is required.

    - `organisations`, one row an organisation and period: `organisation` (str), `period` (int), `parent`, `type` (str;
      one value where not known), `rated`, `good`, `top` (counts), `level_1` … `level_m` (counts, best first, where
      known), `excluded` (not rated though they belong, lawful reasons taken off), `own_level`, `own_self`,
      `own_appraised` (the organisation's own rating, 0 = lowest), `cap` (a share decided for it alone), `claims`,
      `lowered`, `raised`, `unappraised` (subjects with a claim and a decision; decided below, above what was claimed or
      appraised; without appraisal), and the columns of `evidence`.
    - `evidence`: column -> +1 (more is better) or -1 (more is worse).
    - `groups`, parts of an organisation (cells): `organisation`, `group`, `period`, `level_1` … `level_m`.
    - `subjects`, one row a rated subject: `organisation`, `group`, `period`, `subject`, `own`, `appraised`, `final`
      (levels, 0 = lowest), `score`; with several raters a subject also `rater`, `is_own` (the rater's own side) and
      `stored` (the value the published score was made of).
    - `scores`, a histogram: `organisation`, `period`, `score`, `count`; made of `subjects` where they have scores.
    - `rechecks`, an independent second look: `organisation`, `period`, `rechecked`, `lowered` (how many of them it
      rated below good though they had been decided good).

    Missing is NaN/NA, never 0.
    """

    organisations: pd.DataFrame
    scale: Scale = field(default_factory=Scale)
    evidence: Mapping[str, int] = field(default_factory=dict)
    groups: pd.DataFrame = field(default_factory=_frame)
    subjects: pd.DataFrame = field(default_factory=_frame)
    scores: pd.DataFrame = field(default_factory=_frame)
    rechecks: pd.DataFrame = field(default_factory=_frame)

    def until(self, period: int) -> "Ratings":
        """What was known at the end of a period: an earlier period's signals never change when a later one comes."""
        frames = {
            name: frame[frame["period"] <= period]
            for name in ("organisations", "groups", "subjects", "scores", "rechecks")
            if not (frame := getattr(self, name)).empty
        }
        return replace(self, **frames)


def has(frame: pd.DataFrame, *columns: str) -> bool:
    """Whether a frame has these columns with anything in them."""
    return not frame.empty and all(column in frame and frame[column].notna().any() for column in columns)


@dataclass(frozen=True)
class Grid:
    """Organisations (rows) by periods (columns), so that a column becomes one array."""

    organisations: pd.Index
    periods: pd.Index
    row: np.ndarray
    column: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "Grid":
        """The grid of a frame with `organisation` and `period`; both sorted."""
        row, organisations = pd.factorize(frame["organisation"], sort=True)
        column, periods = pd.factorize(frame["period"], sort=True)
        return cls(pd.Index(organisations), pd.Index(periods), row, column)

    def spread(self, values: pd.Series | np.ndarray) -> np.ndarray:
        """Values of the frame's rows as [organisation, period], NaN where there is no row."""
        matrix = np.full((len(self.organisations), len(self.periods)), np.nan)
        matrix[self.row, self.column] = pd.to_numeric(pd.Series(np.asarray(values))).to_numpy(float, na_value=np.nan)
        return matrix


def signal_rows(
    name: str,
    ratings: Ratings,
    period: int,
    *,
    p: np.ndarray,
    reason: np.ndarray,
    **columns: np.ndarray | float | int | None,
) -> pd.DataFrame:
    """The rows of one signal in one period, in the order of that period's organisations (sorted by code).

    `p` and `reason` are aligned with `sorted` organisations of the period; where p is NaN the reason must be given.
    Other columns of `SIGNAL_COLUMNS` are passed by name. Raises ValueError where p is outside (0, 1] or a reason is
    unknown.
    """
    organisations = ratings.organisations
    codes = np.sort(organisations.loc[organisations["period"] == period, "organisation"].to_numpy())
    p = np.asarray(p, float)
    tested = np.isfinite(p)
    reason = np.where(tested, None, reason)
    unknown = set(reason[~tested]) - set(REASONS)
    if unknown or ((p[tested] <= 0) | (p[tested] > 1)).any():
        raise ValueError(f"{name}: p outside (0, 1] or unknown reasons {sorted(map(str, unknown))}")
    frame = pd.DataFrame(
        {
            "organisation": codes,
            "period": period,
            "signal": name,
            "is_testable": tested,
            "reason_code": reason,
            "p": p,
            **columns,
        }
    )
    return frame.reindex(columns=list(SIGNAL_COLUMNS)).astype(SIGNAL_COLUMNS)
