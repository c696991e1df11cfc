"""What a table of ratings must hold before anything is reckoned from it: all that is wrong is told at once, by row."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from ratings.signals.frames import InputError, Ratings, Scale

Problem = Callable[[np.ndarray, str], Iterator[str]]

MOST_ROWS = 5
"""Rows named of each problem."""

MOST_PROBLEMS = 50

LINE = "line"
"""An index of this name holds the rows' numbers in the file they were read from."""

COUNTS = {
    "rated": "số được xếp loại",
    "good": "số từ mức tốt trở lên",
    "top": "số mức cao nhất",
    "excluded": "số không được xếp loại",
    "claims": "số có tự nhận",
    "lowered": "số bị hạ",
    "raised": "số được nâng",
    "unappraised": "số không qua thẩm định",
    "rechecked": "số được thẩm định lại",
    "count": "số lượng",
}
LEVELS = {
    "own_level": "mức của tổ chức",
    "own_self": "mức tổ chức tự nhận",
    "own_appraised": "mức tổ chức được thẩm định",
    "own": "mức tự nhận",
    "appraised": "mức thẩm định",
    "final": "mức quyết định",
}
FRAMES = {
    "organisations": "tổ chức",
    "groups": "bộ phận",
    "subjects": "đối tượng",
    "scores": "điểm",
    "rechecks": "thẩm định lại",
}
WITHIN = (
    ("good", "rated"),
    ("top", "good"),
    ("lowered", "claims"),
    ("raised", "claims"),
    ("unappraised", "rated"),
    ("lowered", "rechecked"),
)
"""The first may not be larger than the second, in a frame that has both."""


def check(ratings: Ratings) -> Ratings:
    """The ratings as they are; raises `InputError` with every problem, each with the numbers of its rows.

    Refused: missing or fractional periods, missing organisations, two rows of one organisation and period (group,
    organisation and period), counts that are negative, fractional or infinite, parts larger than their whole, levels
    that do not add up or are not of the scale, scores that are not numbers or lie outside the scale, rows of
    organisations that are not there, and a scale that contradicts itself. Too little data is no problem: signals say
    "not testable".
    """
    problems = [*_scale_problems(ratings.scale)]
    if ratings.organisations.empty:
        problems.append("Bảng không có dòng nào.")
    for name in FRAMES:
        frame = getattr(ratings, name)
        if not frame.empty:
            problems += _frame_problems(name, frame, ratings)
    if not problems:
        problems += _stray_problems(ratings)
    if problems:
        more = len(problems) - MOST_PROBLEMS
        raise InputError(problems if more <= 0 else [*problems[:MOST_PROBLEMS], f"… và {more} loại lỗi nữa."])
    return ratings


def rows_named(frame: pd.DataFrame, wrong: np.ndarray) -> str:
    """Which rows are wrong, as they are told: "dòng 3, 7 và 12 dòng nữa"."""
    lines = frame.index.to_numpy() if frame.index.name == LINE else np.arange(1, len(frame) + 1)
    found = lines[wrong]
    more = f" và {len(found) - MOST_ROWS} dòng nữa" if len(found) > MOST_ROWS else ""
    return f"dòng {', '.join(str(line) for line in found[:MOST_ROWS])}{more}"


def _scale_problems(scale: Scale) -> Iterator[str]:
    if len(scale.levels) < 2 or len(set(scale.levels)) < len(scale.levels):
        yield f"Thang mức cần ít nhất hai mức khác nhau, tìm thấy: {', '.join(scale.levels) or 'không có'}."
    if not 1 <= scale.good_levels < max(len(scale.levels), 2) or not 1 <= scale.top_levels <= scale.good_levels:
        told = f"Số mức tốt ({scale.good_levels}) hoặc cao nhất ({scale.top_levels})"
        yield f"{told} không hợp với thang {len(scale.levels)} mức."
    for name, share in (("Chỉ tiêu", scale.target), ("Trần", scale.cap)):
        if share is not None and not 0 < share < 1:
            yield f"{name} phải là một tỷ lệ lớn hơn 0 và nhỏ hơn 1, tìm thấy {share:g}."
    low, high = scale.score_min, scale.score_max
    if low is not None and high is not None and low >= high:
        yield f"Hai đầu của thang điểm không đúng thứ tự: {scale.shown(low):g} và {scale.shown(high):g}."
    outside = [c for c in scale.cutoffs if (low is not None and c < low) or (high is not None and c > high)]
    if outside:
        yield f"Ngưỡng ngoài thang điểm: {', '.join(f'{scale.shown(c):g}' for c in outside)}."


def _frame_problems(name: str, frame: pd.DataFrame, ratings: Ratings) -> Iterator[str]:
    what = FRAMES[name]

    def problem(wrong: np.ndarray, told: str) -> Iterator[str]:
        if wrong.any():
            yield f"Bảng {what}, {rows_named(frame, wrong)}: {told}."

    missing = [column for column in ("organisation", "period") if column not in frame]
    if missing:
        yield f"Bảng {what} thiếu cột {', '.join(missing)}."
        return
    yield from problem(frame["organisation"].isna().to_numpy(), "thiếu tổ chức")
    period = _numbers(frame, "period")
    yield from problem(~np.isfinite(period) | (period != np.floor(period)), "kỳ phải là số nguyên")
    if name in ("organisations", "groups"):
        key = ["organisation", "period", *(["group"] if name == "groups" else [])]
        twice = frame.duplicated(key, keep=False).to_numpy() & frame[key].notna().all(axis=1).to_numpy()
        yield from problem(twice, "một tổ chức có hơn một dòng trong một kỳ")
    counts = [column for column in (*COUNTS, *ratings.scale.level_columns) if column in frame]
    whole = {}
    for column in counts:
        told = COUNTS.get(column) or f"số mức {ratings.scale.levels[ratings.scale.level_columns.index(column)]}"
        values = _numbers(frame, column)
        given = frame[column].notna().to_numpy()
        yield from problem(given & ~np.isfinite(values), f"{told} không phải là số")
        yield from problem(values < 0, f"{told} là số âm")
        yield from problem(np.isfinite(values) & (values != np.floor(values)), f"{told} không phải là số nguyên")
        whole[column] = values
    for part, total in WITHIN:
        if part in whole and total in whole:
            more = whole[part] > whole[total]
            yield from problem(more, f"{COUNTS[part]} lớn hơn {COUNTS[total]}")
    yield from _sum_problems(name, whole, ratings.scale, problem)
    for column, told in LEVELS.items():
        if column in frame:
            values = _numbers(frame, column)
            given = frame[column].notna().to_numpy()
            inside = (values >= 0) & (values < len(ratings.scale.levels)) & (values == np.floor(values))
            yield from problem(given & ~inside, f"{told} không có trong thang mức {', '.join(ratings.scale.levels)}")
    if "score" in frame:
        yield from _score_problems(frame, ratings.scale, problem)
    if name == "organisations":
        for column, sign in ratings.evidence.items():
            if column not in frame:
                yield f"Thiếu cột số liệu công việc {column}."
            elif sign not in (1, -1):
                yield f"Chiều của số liệu công việc {column} phải là +1 hoặc -1."
            else:
                unknown = frame[column].notna().to_numpy() & ~np.isfinite(_numbers(frame, column))
                yield from problem(unknown, f"{column} không phải là số")


def _sum_problems(name: str, whole: dict[str, np.ndarray], scale: Scale, problem: Problem) -> Iterator[str]:
    levels = [whole[column] for column in scale.level_columns if column in whole]
    if len(levels) < len(scale.levels):
        return
    counts = np.column_stack(levels)
    counts = np.where(np.isfinite(counts), counts, np.nan)
    for column, sums in (
        ("rated", counts.sum(axis=1)),
        ("good", counts[:, : scale.good_levels].sum(axis=1)),
        ("top", counts[:, : scale.top_levels].sum(axis=1)),
    ):
        if column in whole and name == "organisations":
            known = np.isfinite(whole[column]) & np.isfinite(sums)
            yield from problem(
                known & (np.where(known, whole[column], 0) != np.where(known, sums, 0)),
                f"{COUNTS[column]} không bằng tổng các mức",
            )


def _score_problems(frame: pd.DataFrame, scale: Scale, problem: Problem) -> Iterator[str]:
    values = _numbers(frame, "score")
    yield from problem(frame["score"].notna().to_numpy() & ~np.isfinite(values), "điểm không phải là số")
    hair = 1e-9 * max(abs(scale.score_min or 0), abs(scale.score_max or 0), 1)
    low = -np.inf if scale.score_min is None else scale.score_min - hair
    high = np.inf if scale.score_max is None else scale.score_max + hair
    ends = sorted(scale.shown(each) for each in (scale.score_min, scale.score_max) if each is not None)
    told = f"điểm ngoài thang {' đến '.join(f'{each:g}' for each in ends)}"
    yield from problem(np.isfinite(values) & ((values < low) | (values > high)), told)


def _stray_problems(ratings: Ratings) -> Iterator[str]:
    known = pd.MultiIndex.from_frame(ratings.organisations[["organisation", "period"]])
    for name in ("groups", "subjects", "scores", "rechecks"):
        frame = getattr(ratings, name)
        if frame.empty:
            continue
        pairs = frame[["organisation", "period"]]
        distinct = pairs.drop_duplicates()
        stray = distinct[~pd.MultiIndex.from_frame(distinct).isin(known)]
        if len(stray):
            wrong = pd.MultiIndex.from_frame(pairs).isin(pd.MultiIndex.from_frame(stray))
            yield f"Bảng {FRAMES[name]}, {rows_named(frame, wrong)}: tổ chức không có trong bảng tổ chức của kỳ đó."


def _numbers(frame: pd.DataFrame, column: str) -> np.ndarray:
    return pd.to_numeric(frame[column], errors="coerce").to_numpy(float, na_value=np.nan)
