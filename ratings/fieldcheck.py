"""The field check: which members are appraised again on the spot, and what their second appraisal says of everybody.

Where everyone inflates, comparison sees nothing: only somebody who looks. So a sample is drawn in two arms that know
nothing of each other, half of it by the review list's T and half from everybody with the same chance, reproducible from
its seed. Every organisation's chance of being in either arm is kept with the draw: with it what was found counts for
those who were not looked at.

Measured over six kinds of provinces, 200 draws each (`benchmarks/field_check.py`): intervals of 95% cover the true
share in 95.0 to 96.5% of draws, the size reaches powers of .79 to .81; all figures stand in `docs/field_check.md`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtri, stdtr, stdtrit

POWER, LEVEL = 0.8, 0.05
"""A difference is seen with this chance, by a two-sided test of this level."""

MEMBERS, FEWEST_MEMBERS = 10, 5
"""Members of an organisation that are appraised again, and how few they may be (GAP says nothing of fewer)."""

BASE_RATE = 0.15
"""Share of ratings of good that a second look rates lower where nothing is known of it: GAP's rate (inflation.md)."""

CORRELATION = 0.1
"""How alike the members of an organisation are, where nothing is known of it: the customary value for groups."""

FEWEST_AT_RANDOM = 30
"""Of so many organisations of the random arm with results anything is said about everybody."""

FEWEST_MARKED = 5
"""Of so many organisations an indicator points to with results anything is said about the indicator."""

CONFIDENCE = 0.95

RISK, RANDOM, BOTH = "risk", "random", "both"
ARMS = {RISK: "theo mức độ cần xem lại", RANDOM: "ngẫu nhiên", BOTH: "cả hai"}
"""The arms with their Vietnamese names."""

REASONS = {
    "no_results": "chưa có kết quả thẩm định lại",
    "too_few_at_random": f"nhánh ngẫu nhiên có kết quả ở dưới {FEWEST_AT_RANDOM} tổ chức",
    "too_few_marked": f"có kết quả ở dưới {FEWEST_MARKED} tổ chức mà chỉ báo nêu",
    "nothing_good": "không có đảng viên nào đã được quyết định từ tốt trở lên trong số đã thẩm định lại",
}
"""Why something cannot be estimated, as it is told."""

DECIMALS = 9
"""Of estimates: what sums in another order change is beyond."""


class FieldCheckError(ValueError):
    """A sample that cannot be drawn; the message is Vietnamese."""


@dataclass(frozen=True)
class Size:
    """How many organisations each arm needs, and what follows from how many there are."""

    organisations: int
    """of each arm"""
    members: int
    """of each organisation"""
    difference: float
    base_rate: float
    correlation: float
    population: int
    power: float
    """the chance with which the difference is seen by so many"""

    @property
    def design_effect(self) -> float:
        """So many times as many members are needed as if each came from another organisation."""
        return 1 + (self.members - 1) * self.correlation


def sample_size(
    difference: float,
    *,
    population: int,
    base_rate: float = BASE_RATE,
    members: int = MEMBERS,
    correlation: float = CORRELATION,
    fewest: int = FEWEST_AT_RANDOM,
) -> Size:
    """The least number of organisations in each of two arms that shows a difference of shares, at least `fewest`.

    Seen: two-sided .05, power .8, shares p0 = `base_rate` and p1 = p0 + `difference` of ratings rated lower. A share of
    n organisations with m members each has the variance pq (rho (1/n - 1/N) + (1 - rho) / (n m)): the finite population
    correction belongs to organisations alone, since of each only m members are looked at. Quantiles are Student's with
    2 (n - 1) degrees, for it is organisations that are compared. Where even all N do not show it, all are taken and
    `power` says what they show.
    Source: Cochran 1977, 10.3 (two stages); Kish 1965 (design effect 1 + (m - 1) rho).
    Raises `FieldCheckError` for numbers that make no sense.
    """
    problems = []
    if not 0 < difference < 1:
        problems.append(f"Chênh lệch cần thấy phải lớn hơn 0 và nhỏ hơn 1, đang là {difference:g}.")
    if not 0 <= base_rate < 1:
        problems.append(f"Tỷ lệ nền phải từ 0 đến dưới 1, đang là {base_rate:g}.")
    elif 0 < difference < 1 and base_rate + difference > 1:
        problems.append(f"Tỷ lệ nền {base_rate:g} cộng chênh lệch {difference:g} vượt quá 1.")
    if members < FEWEST_MEMBERS:
        problems.append(f"Mỗi tổ chức cần thẩm định lại ít nhất {FEWEST_MEMBERS} đảng viên, đang là {members}.")
    if not 0 <= correlation <= 1:
        problems.append(f"Tương quan trong tổ chức phải từ 0 đến 1, đang là {correlation:g}.")
    if population < 2:
        problems.append(f"Cần ít nhất 2 tổ chức để so sánh, đang có {population}.")
    if problems:
        raise FieldCheckError("\n".join(problems))
    counts = np.arange(2, population + 1)
    power = _power(counts, difference, population, base_rate, members, correlation)
    enough = np.flatnonzero(power >= POWER)
    place = int(enough[0]) if len(enough) else len(counts) - 1
    place = max(place, min(fewest, population) - 2)
    return Size(int(counts[place]), members, difference, base_rate, correlation, population, float(power[place]))


def _power(
    counts: np.ndarray, difference: float, population: int, base_rate: float, members: int, correlation: float
) -> np.ndarray:
    """Chance that a difference is seen by so many organisations in each arm."""
    other = base_rate + difference
    spread = base_rate * (1 - base_rate) + other * (1 - other)
    of = spread * (correlation * (1 / counts - 1 / population) + (1 - correlation) / (counts * members))
    freedom = 2 * (counts - 1)
    seen = np.where(of > 0, difference / np.sqrt(np.maximum(of, 1e-300)), np.inf)
    return stdtr(freedom, seen + stdtrit(freedom, LEVEL / 2))


@dataclass(frozen=True)
class Draw:
    """A sample that was drawn.

    - `organisations`, one row an organisation drawn, by code: `organisation`, `arm` (`ARMS`), `t`, `rated` (its rated
      members), `drawn` (of them), `risk_probability`, `random_probability`, `probability` (of being in either arm).
    - `members`, one row a member drawn: `number` (1, 2, ... in the order of organisation, cell and member),
      `organisation`, `member`, `probability` (within the organisation), and what else came with the members.
    """

    draw_id: str
    year: int
    seed: int
    size: Size
    population: int
    """organisations that could be drawn"""
    organisations: pd.DataFrame
    members: pd.DataFrame


def draw(members: pd.DataFrame, risk: Mapping[str, float] | pd.Series, *, year: int, seed: int, size: Size) -> Draw:
    """Draw a sample of members with a decided level: `size.organisations` by risk, as many from everybody.

    `members`: `organisation`, `member`, and what the caller needs of them (`cell` orders them where given). `risk`:
    organisation -> T of the review list; where there is none, or it is below 0, it counts as 0. By risk is drawn with
    chances proportional to 1 + T, so that nobody's chance is 0, systematically through a random order, without
    replacement; the other arm is simple random; both are independent. In an organisation `size.members` of its rated
    are drawn, all where there are fewer. The result depends on the contents alone, never on the order of the rows.
    Source: Hartley and Rao 1962 (systematic with a random order); pi = 1 - (1 - pi_risk)(1 - pi_random).
    Raises `FieldCheckError` where there is nobody to draw, or a member twice.
    """
    if members.empty:
        raise FieldCheckError(f"Năm {year} chưa có đảng viên nào được quyết định mức xếp loại trong kho đã công bố.")
    if doubled := int(members.duplicated(["organisation", "member"]).sum()):
        raise FieldCheckError(f"Có {doubled} đảng viên đứng hai lần trong cùng một tổ chức.")
    by = [name for name in ("organisation", "cell", "member") if name in members]
    frame = members.sort_values(["organisation", "member"], ignore_index=True, kind="stable")
    place, codes = pd.factorize(frame["organisation"])
    rated = np.bincount(place)
    known = pd.Series(risk, dtype="float64").reindex(codes).to_numpy(float)
    count = min(size.organisations, len(codes))
    by_risk, risk_chance = systematic(1 + np.maximum(np.nan_to_num(known), 0), count, np.random.default_rng([seed, 1]))
    at_random = np.zeros(len(codes), bool)
    at_random[np.random.default_rng([seed, 2]).permutation(len(codes))[:count]] = True
    random_chance = np.full(len(codes), count / len(codes))
    taken = np.minimum(rated, size.members)
    ticket = np.random.default_rng([seed, 3]).random(len(frame))
    order = np.lexsort((ticket, place))
    rank = np.empty(len(frame), int)
    rank[order] = np.arange(len(frame)) - np.repeat(np.cumsum(rated) - rated, rated)
    chosen = (by_risk | at_random)[place] & (rank < taken[place])
    drawn = frame[chosen].assign(probability=(taken / rated)[place[chosen]]).sort_values(by, kind="stable")
    drawn.insert(0, "number", np.arange(1, len(drawn) + 1))
    organisations = pd.DataFrame(
        {
            "organisation": codes,
            "arm": np.where(by_risk & at_random, BOTH, np.where(by_risk, RISK, RANDOM)),
            "t": known,
            "rated": rated,
            "drawn": taken,
            "risk_probability": risk_chance,
            "random_probability": random_chance,
            "probability": 1 - (1 - risk_chance) * (1 - random_chance),
        }
    )[by_risk | at_random].reset_index(drop=True)
    told = json.dumps([year, seed, size.organisations, size.members, len(codes)]).encode()
    told += pd.util.hash_pandas_object(organisations, index=False).to_numpy().tobytes()
    told += "\n".join(drawn["member"].astype(str)).encode()
    name = f"TDL-{year}-{hashlib.sha256(told).hexdigest()[:8]}"
    return Draw(name, year, seed, size, len(codes), organisations, drawn.reset_index(drop=True))


def systematic(measure: np.ndarray, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which of some things are drawn, exactly `count`, and the chance of each: proportional to `measure`, at most 1.

    What is so large that its chance would pass 1 is drawn for certain, and the rest shares what is left.
    """
    chance = np.zeros(len(measure))
    certain = np.zeros(len(measure), bool)
    while True:
        left = count - certain.sum()
        chance = np.where(certain, 1.0, left * measure / max(measure[~certain].sum(), 1e-300))
        over = (chance >= 1) & ~certain
        if not over.any():
            break
        certain |= over
    order = random.permutation(np.flatnonzero(~certain))
    drawn = certain.copy()
    if len(order):
        ends = np.cumsum(chance[order])
        ends[-1] = count - certain.sum()  # sums of floats only come near it
        drawn[order] = np.diff(np.floor(ends + random.random()), prepend=0) > 0
    return drawn, chance


# --- what was found ----------------------------------------------------------------------------------------------

RESULTS = ("draw_id", "year", "organisation", "arm", "probability", "rated", "was_good", "is_good")
"""What estimates read of every member drawn: `probability` of the organisation to be in either arm, `rated` its rated
members; whether the member was decided good or above, and found so (missing: not done)."""

COMMON = {
    "draw_id": "str",
    "year": "Int64",
    "is_estimable": "boolean",
    "reason_code": "str",
    "share": "Float64",
    "low": "Float64",
    "high": "Float64",
    "organisations": "Int64",
    "members": "Int64",
}
"""Of every estimate: `share` with its interval (`CONFIDENCE`), empty exactly where `reason_code` (of `REASONS`) says
why; how many organisations and members with results it is reckoned from."""

PROVINCE_COLUMNS = {
    **COMMON,
    "decided_share": "Float64",
    "lowered_share": "Float64",
    "lowered_low": "Float64",
    "lowered_high": "Float64",
    "organisations_drawn": "Int64",
    "organisations_at_random": "Int64",
    "members_drawn": "Int64",
}
PRECISION_COLUMNS = {
    **COMMON,
    "signal": "str",
    "elsewhere_share": "Float64",
    "organisations_marked": "Int64",
}


def rechecks(results: pd.DataFrame) -> pd.DataFrame:
    """What GAP reads (`Ratings.rechecks`): `organisation`, `period`, `rechecked`, `lowered`.

    A row an organisation and draw with results. What is not done is in neither number.
    """
    done = results[results["is_good"].notna()]
    lowered = done["was_good"].astype(bool) & ~done["is_good"].astype(bool)
    by = done.assign(lowered=lowered, rechecked=1).groupby(["organisation", "year", "draw_id"])
    told = by[["rechecked", "lowered"]].sum().reset_index().rename(columns={"year": "period"})
    columns = {"organisation": "str", "period": "int64", "rechecked": "int64", "lowered": "int64"}
    return told.reindex(columns=list(columns)).astype(columns)


def province_shares(results: pd.DataFrame) -> pd.DataFrame:
    """The province's true share of good or above, a row a draw; `PROVINCE_COLUMNS`.

    `share` is that of all rated members whom a second look on the spot would rate good or above, `decided_share` the
    share that was decided so, reckoned from the same members; `lowered_share`, with its own interval, is how many of
    those decided good or above it would rate lower. Of honest ratings, too, a second look rates some 3% lower by error
    (`gap.CLERKS_ERROR`); nothing is taken off for it.
    Needs: `FEWEST_AT_RANDOM` organisations of the random arm with results.
    """
    rows = []
    for (draw_id, year), drawn in results.groupby(["draw_id", "year"], sort=True):
        done, at_random = _done(drawn)
        told = {
            "draw_id": draw_id,
            "year": year,
            "organisations": done["organisation"].nunique(),
            "members": len(done),
            "organisations_drawn": drawn["organisation"].nunique(),
            "organisations_at_random": at_random,
            "members_drawn": len(drawn),
        }
        told["reason_code"] = _reason(done, at_random)
        if told["reason_code"] is None:
            was_good, is_good = (done[name].to_numpy(float) for name in ("was_good", "is_good"))
            good = _share(done, is_good, np.ones(len(done)))
            lowered = _share(done, was_good * (1 - is_good), was_good)
            told |= {"share": good.share, "low": good.low, "high": good.high}
            told |= {"decided_share": _share(done, was_good, np.ones(len(done))).share}
            told |= {"lowered_share": lowered.share, "lowered_low": lowered.low, "lowered_high": lowered.high}
        rows.append(told)
    return _estimates(rows, PROVINCE_COLUMNS)


def precision(results: pd.DataFrame, signals: pd.DataFrame) -> pd.DataFrame:
    """How right every indicator was, a row a draw and signal of `signals`; `PRECISION_COLUMNS`.

    `share`: of the members decided good or above in the organisations to which the indicator points (p <= .05 in the
    year of the draw), the share that a second look rates lower; `elsewhere_share` the same where it does not point,
    testable or not. The difference is what the indicator is worth. `organisations_marked` are those with results.
    `signals`: `organisation`, `period`, `signal`, `p`. GAP, which reads these very results, is left out.
    Needs: `FEWEST_AT_RANDOM` organisations of the random arm and `FEWEST_MARKED` marked ones with results.
    """
    rows = []
    pointing = signals[(signals["p"] <= LEVEL).fillna(False).to_numpy(bool)]
    pointed = {place: pd.Index(each) for place, each in pointing.groupby(["period", "signal"])["organisation"]}
    names = sorted(set(signals["signal"]) - {"GAP"})
    for (draw_id, year), drawn in results.groupby(["draw_id", "year"], sort=True):
        done, at_random = _done(drawn)
        general = _reason(done, at_random)
        place, codes = pd.factorize(done["organisation"])
        was_good = done["was_good"].to_numpy(float)
        lowered = was_good * (1 - done["is_good"].to_numpy(float))
        for name in names:
            marked = codes.isin(pointed.get((year, name), []))
            here = marked[place]
            reason = general or ("too_few_marked" if marked.sum() < FEWEST_MARKED else None)
            reason = reason or (None if (was_good * here).any() else "nothing_good")
            told = {"draw_id": draw_id, "year": year, "signal": name, "reason_code": reason}
            told |= {"organisations": len(codes), "organisations_marked": int(marked.sum())}
            told["members"] = int((was_good * here).sum())
            if reason is None:
                found = _share(done, lowered * here, was_good * here)
                told |= {"share": found.share, "low": found.low, "high": found.high}
                if (was_good * ~here).any():
                    told["elsewhere_share"] = _share(done, lowered * ~here, was_good * ~here).share
            rows.append(told)
    return _estimates(rows, PRECISION_COLUMNS)


def _done(drawn: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """What has a result, and of how many organisations of the random arm."""
    done = drawn[drawn["is_good"].notna().to_numpy()]
    return done, done.loc[done["arm"].isin([RANDOM, BOTH]), "organisation"].nunique()


def _reason(done: pd.DataFrame, at_random: int) -> str | None:
    if done.empty:
        return "no_results"
    if at_random < FEWEST_AT_RANDOM:
        return "too_few_at_random"
    return None if done["was_good"].any() else "nothing_good"


def _estimates(rows: list[dict[str, object]], columns: dict[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))
    frame["is_estimable"] = frame["reason_code"].isna()
    frame["reason_code"] = frame["reason_code"].astype(object).where(frame["reason_code"].notna(), None)
    return frame.astype(columns).round(DECIMALS)


@dataclass(frozen=True)
class _Share:
    share: float
    low: float
    high: float


def _share(done: pd.DataFrame, part: np.ndarray | pd.Series, whole: np.ndarray | pd.Series) -> _Share:
    """The share of `part` in `whole` (0 or 1 a member) among all rated members of the province, with its interval.

    An organisation stands for its rated members by the mean of those done, and for others like it by 1 over its chance
    of being drawn (Hajek's ratio). Who was drawn and not done is taken to be like those done in the organisation, and
    an organisation without results like the others. Its variance is that of leaving out one organisation at a time,
    each times (1 - its chance) for those that could not have been missed, and that of drawing members within each. The
    interval is Student's on the logit scale; its degrees, Satterthwaite's of the kurtosis of what was left out, are at
    most one fewer than organisations that bear on the share: few large ones tell as much as few.
    Where nothing or everything is found, the logit has no interval: Wilson's stands, of as many members as these are
    worth, weights (Kish) and the design effect of `CORRELATION` taken off.
    Source: Hajek 1971; Wolter 2007 chapter 4 (jackknife), Sarndal, Swensson and Wretman 1992, 4.3 (two stages),
    Korn and Graubard 1998 (effective sample size), Satterthwaite 1946.
    """
    place, _ = pd.factorize(done["organisation"], sort=True)
    first = np.unique(place, return_index=True)[1]
    chance, rated = (done[name].to_numpy(float)[first] for name in ("probability", "rated"))
    looked = np.bincount(place).astype(float)
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    weight = rated / looked / chance
    parts, wholes = weight * np.bincount(place, part), weight * np.bincount(place, whole)
    share = float(parts.sum() / wholes.sum())
    bears = wholes > 0
    count, total = int(bears.sum()), wholes.sum()
    if not 0 < share < 1 or count < 2:
        members = np.bincount(place, whole)
        worth = (weight @ members) ** 2 / (weight**2 @ members)
        return _wilson(share, worth / (1 + (members[bears].mean() - 1) * CORRELATION))
    without = (parts.sum() - parts) / np.where(total > wholes, total - wholes, np.nan)
    off = np.where(bears, np.nan_to_num(without, nan=share) - share, 0)
    off = (count - 1) / count * (1 - chance) * off**2
    rest = part - share * whole
    squares = np.bincount(place, rest**2) - np.bincount(place, rest) ** 2 / looked
    within = weight**2 * chance * np.maximum(1 - looked / rated, 0) * looked * squares / np.maximum(looked - 1, 1)
    freedom = 2 * (count - 1) / max(count * (off**2).sum() / max(off.sum() ** 2, 1e-300) - 1, 1e-9)
    freedom = min(max(freedom, 2.0), count - 1.0)
    width = -stdtrit(freedom, (1 - CONFIDENCE) / 2) * np.sqrt(off.sum() + within.sum() / total**2)
    width = width / (share * (1 - share))
    low, high = expit(logit(share) + np.array([-width, width]))
    return _Share(share, float(low), float(high))


def _wilson(share: float, count: float) -> _Share:
    z = -ndtri((1 - CONFIDENCE) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    width = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return _Share(share, float(max(middle - width, 0)), float(min(middle + width, 1)))
