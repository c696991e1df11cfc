"""A table of ratings screened: whom to look at again, for what reasons, what could not be tested, and at what risk.

from ratings.screening import screen

screened = screen(table, organisation="school", period="year", score="mark", cutoffs=[65])
screened.listed, screened.reasons, screened.single, screened.bunching, screened.budget
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ratings import reasons as wording
from ratings.combination import FEWEST_FOR_A, LISTED, Budget, combine
from ratings.reasons import AGAIN, PLAIN, Words, number, percent
from ratings.signals import battery
from ratings.signals.checking import check
from ratings.signals.frames import REASONS, InputError, Ratings, has
from ratings.signals.raters import Favour, favour_of_all, raters
from ratings.signals.reading import EVERYTHING, Layout, layout_of, read
from ratings.signals.scores import Steps, bunching, histogram, placebos_of
from ratings.signals.statistics import benjamini_hochberg

MOST_UNITS = 2_000
"""Whole distributions are judged of so many units at most, the largest."""

SHOWN_ALONE = 0.05
"""A single signal is shown by itself where its q is at most this."""

MOST_ALONE = 200


@dataclass(frozen=True)
class Screened:
    """The answer. Frames are empty where there is nothing of their kind."""

    ratings: Ratings
    period: int
    organisations: pd.DataFrame
    """`combination.LIST_COLUMNS` with `name`: all organisations of the period, the most surprising first"""
    reasons: pd.DataFrame
    """`reasons.REASON_COLUMNS` of the listed"""
    signals: pd.DataFrame
    """`battery.BATTERY_COLUMNS`: every signal of every organisation of the period"""
    single: pd.DataFrame
    """`reasons.REASON_COLUMNS` with `q`: strong signals of organisations without a second reason"""
    bunching: pd.DataFrame
    """`scores.BUNCHING_COLUMNS` with `kind`, `q`, `sentence`: whole distributions at the cut-offs and the placebos"""
    raters: pd.DataFrame
    """`raters.RATER_COLUMNS` with `q` and `sentence`: everyone who rates, the most lenient first"""
    favour: Favour | None
    """What all raters together give their own side"""
    not_testable: pd.DataFrame
    """`signal`, `name`, `reason_code`, `reason`, `organisations`"""
    budget: Budget
    layout: Layout
    notes: tuple[str, ...]
    period_name: str

    @property
    def listed(self) -> pd.DataFrame:
        """The organisations of bands A, B and C."""
        return self.organisations[self.organisations["band"].notna()]


def screen(
    table: pd.DataFrame | Ratings,
    layout: Layout | None = None,
    *,
    at: int | None = None,
    words: Words = PLAIN,
    first_line: int = 1,
    **options: object,
) -> Screened:
    """Screen a tidy table (see `reading.Layout` for the options; columns not named are guessed) or `Ratings`.

    `at` is the period judged (the latest where not given); earlier ones are read, later ones are not. `first_line` is
    the number of the table's first row in problems. Deterministic. Raises `frames.InputError` with all that is wrong;
    what is too little is answered by "not testable".
    """
    notes: tuple[str, ...] = ()
    names: Mapping[int, str] = {}
    if isinstance(table, Ratings):
        if layout is not None or options:
            raise TypeError("a layout belongs to a table; Ratings have theirs")
        ratings, layout = check(table), Layout()
    else:
        done = read(table, layout_of(**options) if layout is None else layout, first_line=first_line)
        ratings, layout, notes, names = done.ratings, done.layout, done.notes, done.periods
    if words is PLAIN and ratings.groups.empty:
        words = Words(group="lần báo cáo")  # what COPY compares where no parts are known
    period = battery.latest_period(ratings) if at is None else at
    if not (ratings.organisations["period"] == period).any():
        known = ", ".join(str(each) for each in np.sort(ratings.organisations["period"].unique())[-10:])
        raise InputError([f"Bảng không có kỳ {period}; các kỳ: {known}."])
    signals = battery.signals(ratings, period)
    combined = combine(signals)
    return Screened(
        ratings=ratings,
        period=period,
        organisations=_named(combined.organisations, ratings),
        reasons=wording.reasons(combined.listed, signals, ratings.scale, words),
        signals=signals,
        single=_single(combined.organisations, signals, ratings, words),
        bunching=_bunching(ratings, period),
        raters=_raters(ratings, period),
        favour=_favour(ratings, period),
        not_testable=_not_testable(combined.budget),
        budget=combined.budget,
        layout=layout,
        notes=notes,
        period_name=names.get(period, str(period)),
    )


def risk_told(budget: Budget) -> str:
    """How many are listed, how many of them may be there by chance, and why nobody is in band A where that is so."""
    listed, expected = budget.listed, budget.expected_false
    parts = [f"Nhóm A {number(listed['A'])}, B {number(listed['B'])}, C {number(listed['C'])}."]
    if budget.tested < FEWEST_FOR_A:
        parts.append(f"Không xếp nhóm A vì kiểm tra được dưới {FEWEST_FOR_A} tổ chức.")
    if any(expected.values()):
        parts.append(
            f"Do ngẫu nhiên mà vào nhóm A: trung bình không quá {number(expected['A'])} tổ chức; vào A và B: không quá "
            f"{number(expected['B'])}."
        )
    if listed["C"]:
        parts.append("Nhóm C chỉ là thứ tự nên xem tiếp.")
    return " ".join(parts)


def _named(organisations: pd.DataFrame, ratings: Ratings) -> pd.DataFrame:
    """The list with the name and the parent of each organisation, its code where it has no name."""
    now = ratings.organisations[ratings.organisations["period"] == organisations["period"].iloc[0]]
    now = now.set_index("organisation")
    codes = organisations["organisation"]
    names = codes.map(now["name"]).fillna(codes) if has(now, "name") else codes
    parent = codes.map(now["parent"]) if has(now, "parent") else None
    return organisations.assign(name=names, parent=parent).astype({"name": "str", "parent": "str"})


def _single(organisations: pd.DataFrame, signals: pd.DataFrame, ratings: Ratings, words: Words) -> pd.DataFrame:
    """Signals that stand out by themselves, of organisations that are not in band A or B."""
    listed = organisations.loc[organisations["band"].isin(list(LISTED)), "organisation"]
    strong = (signals["q"] <= SHOWN_ALONE).fillna(False) & signals["family"].notna()
    rows = signals[strong & ~signals["organisation"].isin(set(listed))]
    rows = rows.sort_values(["p", "organisation", "signal"], kind="stable").head(MOST_ALONE)
    return wording.tell(rows, ratings.scale, words).assign(q=rows["q"].to_numpy())


def _bunching(ratings: Ratings, period: int) -> pd.DataFrame:
    """Whole distributions of the period: all together, by type, by parent, by organisation."""
    scores, scale = histogram(ratings), ratings.scale
    if scores.empty or not scale.cutoffs:
        return pd.DataFrame()
    scores = scores[scores["period"] == period]
    if scores.empty:
        return pd.DataFrame()
    values, counts = scores["score"].to_numpy(float), scores["count"].to_numpy(float)
    placebos = placebos_of(scale, Steps.of(values, counts, scale))
    parts = [bunching(scores.assign(unit=unit), scale.cutoffs, placebos=placebos, scale=scale).assign(kind=kind)
             for kind, unit in _units(ratings, scores)]  # fmt: skip
    found = pd.concat(parts, ignore_index=True)
    real = (~found["is_placebo"]).to_numpy(bool)
    q = np.full(len(found), np.nan)
    p = found["p"].to_numpy(float, na_value=np.nan)
    for kind in found["kind"].unique():
        rows = real & (found["kind"] == kind).to_numpy()
        q[rows] = benjamini_hochberg(p[rows])
    found["q"] = pd.array(np.where(np.isfinite(q), q, np.nan), dtype="Float64")
    found["cutoff"] = -found["cutoff"] if scale.is_reflected else found["cutoff"]
    found["sentence"] = pd.Series([_bunching_told(row, scale.is_reflected) for row in found.to_dict("records")]).astype(
        "str"
    )
    return found


def _units(ratings: Ratings, scores: pd.DataFrame) -> Iterator[tuple[str, np.ndarray | str]]:
    """Kind of unit -> the unit of every score; units that are the same as a wider one are left out."""
    yield "all", EVERYTHING
    now = ratings.organisations[ratings.organisations["period"] == scores["period"].iloc[0]].set_index("organisation")
    organisation = scores["organisation"]
    for kind in ("type", "parent"):
        if has(now, kind) and 1 < now[kind].nunique() < len(now):
            yield kind, organisation.map(now[kind]).fillna("không rõ").to_numpy()
    if organisation.nunique() > 1:
        size = scores["count"].groupby(organisation.to_numpy()).sum().sort_values(ascending=False, kind="stable")
        largest = set(size.index[:MOST_UNITS]) if len(size) > MOST_UNITS else None
        unit = organisation.to_numpy()
        yield (
            "organisation",
            unit if largest is None else np.where(organisation.isin(largest), unit, "các tổ chức khác"),
        )


def _bunching_told(row: Mapping[str, object], is_reflected: bool) -> str:
    unit = "" if row["unit"] == EVERYTHING else f" của {row['unit']}"
    place = "điểm đối chứng" if row["is_placebo"] else "ngưỡng"
    side, other = ("ở phía tốt của", "phía kém") if is_reflected else ("ngay trên", "ngay dưới")
    start = f"Điểm{unit}, {place} {number(row['cutoff'], 2)}"
    if not row["is_testable"]:
        return f"{start}: không kiểm tra được vì {REASONS[row['reason_code']]}."
    counted = f"{number(row['above'])} điểm {side} {place}, {number(row['below'])} điểm {other}"
    moved = float(row["moved"])
    excess = (
        f", nhiều hơn phân bố trơn khoảng {number(moved, 0)} điểm" if moved > 0 else ", không nhiều hơn phân bố trơn"
    )
    chance = f"(z = {number(row['z'], 1)}, {_chance(row['p'])})"
    if row["is_placebo"] or row["q"] is pd.NA or not float(row["q"]) <= SHOWN_ALONE:
        return f"{start}: {counted}{excess} {chance}."
    return (
        f"{start}: {counted}{excess} ({percent(row['moved_share'])} số lẽ ra ở {other}) {chance}. Cũng có thể do: "
        f"những trường hợp sát ngưỡng đã được xem lại theo quy chế. Cần xem phiếu chấm của những trường hợp ấy; {AGAIN}"
    )


def _chance(p: object) -> str:
    return "p < 0,0001" if float(p) < 1e-4 else f"p = {number(p, 4)}"


def _of_raters(ratings: Ratings, period: int) -> pd.DataFrame:
    """The period's ratings as `raters` wants them; empty where nobody is known to rate what others rate."""
    if not has(ratings.subjects, "rater", "subject", "score"):
        return pd.DataFrame()
    rows = ratings.subjects[ratings.subjects["period"] == period]
    columns = [name for name in ("is_own", "stored") if name in rows]
    return rows.rename(columns={"subject": "object"})[["rater", "object", "score", *columns]]


def _raters(ratings: Ratings, period: int) -> pd.DataFrame:
    rows = _of_raters(ratings, period)
    if rows.empty:
        return pd.DataFrame()
    found = raters(rows)
    views = [name for name in ("leniency_p", "favour_p", "rounding_p") if found[name].notna().any()]
    if not views:
        return pd.DataFrame()
    tails = found[views].to_numpy(float, na_value=np.nan)
    asked = np.isfinite(tails).sum(axis=1)
    p = np.minimum(np.where(np.isfinite(tails), tails, np.inf).min(axis=1) * np.maximum(asked, 1), 1)
    p = np.where(asked > 0, p, np.nan)
    found = found.assign(p=p, q=benjamini_hochberg(p)).sort_values(["p", "rater"], kind="stable", ignore_index=True)
    told = [_rater_told(row) for row in found.to_dict("records")]
    return found.assign(sentence=pd.Series(told).astype("str"))


def _rater_told(row: Mapping[str, object]) -> str:
    parts = []
    if pd.notna(row["leniency_p"]):
        parts.append(
            f"chấm {number(row['objects'])} đối tượng, chênh trung bình {_signed(row['leniency'])} điểm so với "
            f"trung vị của những người khác ({_chance(row['leniency_p'])})"
        )
    if pd.notna(row["favour_p"]):
        parts.append(
            f"{number(row['own'])} đối tượng phía mình chênh {_signed(row['favour'])} điểm so với các đối tượng khác "
            f"({_chance(row['favour_p'])})"
        )
    if pd.notna(row["rounding_p"]):
        parts.append(
            f"{number(row['rounded_up'])} trên {number(row['rounded'])} điểm khác điểm gốc là nâng lên "
            f"({_chance(row['rounding_p'])})"
        )
    if not parts:
        return f"{row['rater']}: không kiểm tra được vì {REASONS['no_raters']} hoặc có quá ít đối tượng."
    strong = pd.notna(row["q"]) and row["q"] <= SHOWN_ALONE
    end = (
        f". Cũng có thể do cách dùng thang điểm riêng. Cần xem phiếu chấm và cách quy đổi điểm; {AGAIN}"
        if strong
        else "."
    )
    return f"{row['rater']}: {'; '.join(parts)}{end}"


def _signed(value: object) -> str:
    return f"+{number(value, 2)}" if float(value) > 0 else number(value, 2)


def _favour(ratings: Ratings, period: int) -> Favour | None:
    rows = _of_raters(ratings, period)
    if rows.empty or "is_own" not in rows or not rows["is_own"].any():
        return None
    return favour_of_all(rows)


def _not_testable(budget: Budget) -> pd.DataFrame:
    texts = wording.signal_texts()
    rows = budget.reasons
    return pd.DataFrame(
        {
            "signal": rows["signal"],
            "name": [texts[name].name for name in rows["signal"]],
            "reason_code": rows["reason_code"],
            "reason": [REASONS[code] for code in rows["reason_code"]],
            "organisations": rows["organisations"],
        }
    )
