"""A made-up province of which is known who inflates, how, and what honest units do that only looks like it.

First the honest world is drawn, from the seed alone; then planted organisations tamper with what they put on paper. So
the honest organisations of a province are the same to the last score whether or not others inflate, and a mechanism
changes only what its docstring says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from ratings.signals.frames import Ratings, Scale

SCALE = Scale(
    levels=("XS", "HTT", "HT", "KHT"),
    target=0.9,
    cap=0.2,
    cap_base="good",
    cutoffs=(50.0, 70.0, 90.0),
    score_min=0.0,
    score_max=100.0,
    score_step=0.5,
)

KHT, HT, HTT, XS = range(4)
"""Levels as numbers, 0 the lowest."""

EVIDENCE: Mapping[str, tuple[int, float]] = MappingProxyType(
    {
        "tasks_late": (-1, 0.8),
        "tasks_exceeded": (+1, 0.8),
        "meeting_points": (+1, 0.8),
        "meetings_missed": (-1, 0.64),
        "inspections": (+1, 0.64),
        "meetings_thematic": (+1, 0.48),
        "admissions": (+1, 0.4),
    }
)
"""Evidence column -> whether more is better, and how much of it the organisation's real work makes. `discipline`, the
square root of the disciplined among a hundred (more is worse), is counted, not drawn."""

SECOND_LOOK = 10
"""So many members of an organisation a second look takes up, …"""

SEEN, CLERKS_ERROR = 0.85, 0.03
"""… finds so many of the ratings that should not be good, and so many that should."""


@dataclass(frozen=True)
class Province:
    """What a province is like. The defaults are an ordinary one; every field beyond the first six misleads honestly."""

    organisations: int = 500
    periods: int = 4
    planted: float = 0.15
    """share of the organisations that inflate, in equal parts by each of the mechanisms"""
    mechanisms: tuple[str, ...] = ()
    """names of `MECHANISMS`; all of them where none is named"""
    strength: float = 1.0
    """chance that a rating a mechanism reaches for is really tampered with (of a year, where it works by years)"""
    rechecked: float = 0.0
    """share of the organisations of which an independent second look at ten members exists"""
    whole_districts: int = 0
    """so many districts in which everybody inflates, each by a mechanism of its own, beside the `planted`"""
    parents: int = 12
    districts: float = 0.35
    """harsh and mild districts: sd of what a district adds to all its ratings, in sd of a member's score"""
    leniency: float = 0.5
    """lasting leniency: sd of an organisation's own way of rating that no evidence explains; 0.6 of it counts"""
    moods: float = 0.0
    """overdispersion: sd of what an organisation's year adds to all its ratings beyond its work"""
    persistence: float = 0.6
    """persistent people: share of the variance between members that stays with them from year to year"""
    rounders: float = 0.15
    """share of the organisations that round 60% of their scores to fives"""
    reformers: float = 0.03
    """share of the organisations that really work much better in the last year, and show it in the evidence"""
    evidence_noise: float = 0.6
    """sd of what is in an evidence column without being work"""
    cells: float = 0.42
    """share of the organisations that have several cells (3 to 13)"""
    members: float = 12.0
    """median members of a cell; the fewest are three"""
    careless: float = 0.0
    """share of the organisations whose clerk leaves three appraisals in twenty out, year after year"""
    steady: float = 0.0
    """share of the organisations in which hardly anyone comes, goes or does better or worse than the year before"""
    slips: float = 0.002
    """share of the ratings a clerk mistypes"""
    unrated: float = 0.05
    """share of the members that honest organisations leave unrated, differing between them"""


@dataclass(frozen=True)
class _World:
    """What is so, before anybody writes it down. Seats (rows) are held by members; periods are columns."""

    province: Province
    owner: np.ndarray
    """organisation of every seat"""
    cell: np.ndarray
    parent: np.ndarray
    kind: np.ndarray
    rounds: np.ndarray
    """organisations that round to fives"""
    reforms: np.ndarray
    leniency: np.ndarray
    cap: np.ndarray
    """share of excellent an organisation may have: a tenth may have more, by decision"""
    person: np.ndarray
    """who holds a seat: changes with the holder"""
    present: np.ndarray
    unrated: np.ndarray
    disciplined: np.ndarray
    excused: np.ndarray
    """disciplined, and rated good lawfully"""
    merit: np.ndarray
    """score of every seat and period as an honest appraisal has it"""
    wish: np.ndarray
    """whether the holder claims one level more than is deserved"""
    unasked: np.ndarray
    """whether the appraisal is forgotten"""
    evidence: np.ndarray
    """[organisation, period, column of `EVIDENCE`], more is better"""
    own: np.ndarray
    """level of the organisation itself"""
    own_wish: np.ndarray
    own_unasked: np.ndarray
    cell_owner: np.ndarray
    """organisation of every cell"""
    cell_own: np.ndarray
    """level of every cell itself"""
    cell_wish: np.ndarray
    cell_unasked: np.ndarray
    lot: np.ndarray
    """of every seat, in (0, 1): who goes before whom where scores are equal"""
    cell_work: np.ndarray
    """[cell, period, column of `EVIDENCE`]: what a cell's evidence has beyond its organisation's"""

    @property
    def group(self) -> np.ndarray:
        """Organisation and period of every seat and period as one number."""
        periods = self.province.periods
        return self.owner[:, None] * periods + np.arange(periods)

    def best_first(self, score: np.ndarray, among: np.ndarray) -> np.ndarray:
        """The place of each seat within its organisation and period by score (`_place`), equals by lot."""
        return _place(self.group, score + 1e-3 * self.lot[:, None], among)

    def by_organisation(self, values: np.ndarray) -> np.ndarray:
        """Sums of [seat, period] as [organisation, period]."""
        return self._sums(values, self.owner, self.province.organisations)

    def by_cell(self, values: np.ndarray) -> np.ndarray:
        """Sums of [seat, period] as [cell, period]."""
        return self._sums(values, self.cell, len(self.cell_owner))

    def _sums(self, values: np.ndarray, of: np.ndarray, count: int) -> np.ndarray:
        periods = self.province.periods
        at = of[:, None] * periods + np.arange(periods)
        return np.bincount(at.ravel(), weights=values.ravel(), minlength=count * periods).reshape(count, periods)


@dataclass
class _Paper:
    """What organisations put on paper, as far as it can be tampered with."""

    score: np.ndarray
    rated: np.ndarray
    level: np.ndarray
    evidence: np.ndarray
    own: np.ndarray
    claim_stands: np.ndarray
    """claims that are decided as they are claimed"""
    unasked: np.ndarray
    own_unasked: np.ndarray
    cell_own: np.ndarray
    cell_unasked: np.ndarray


@dataclass(frozen=True)
class _Made:
    """A province: what is so, what an honest appraisal would have put on paper, and what stands there."""

    world: _World
    honest: _Paper
    paper: _Paper
    mechanism: np.ndarray
    """of every organisation, empty where honest"""


@dataclass(frozen=True)
class _Hand:
    """Where a mechanism reaches: seats and periods, and organisations and periods, of those that use it."""

    seats: np.ndarray
    years: np.ndarray
    reach: np.ndarray
    """seats and periods it could be used on; the disciplined are left alone"""
    everywhere: np.ndarray
    """organisations that use it"""
    strength: float
    random: np.random.Generator

    def points(self, low: float, high: float) -> np.ndarray:
        """A score for every seat and period, in halves, low included and high not."""
        return low + 0.5 * self.random.integers(0, int(2 * (high - low)), self.seats.shape)


def simulate(seed: int, province: Province | None = None) -> tuple[Ratings, pd.DataFrame]:
    """The ratings of a made-up province as they are sent in, and the truth about its organisations.

    Truth, one row an organisation, sorted by code: `mechanism` (missing where honest), `is_tampered` (anything on its
    paper is not as an honest appraisal has it: a chaser that stands above the target by itself does nothing),
    `is_reformer`, `is_rounder`, `leniency`; over all periods `raised` (ratings above what an honest appraisal of the
    same work gives), `left_out` (unrated though an honest appraisal rates them), `own_raised` (periods in which the
    organisation's own level is above), `contradictions` (disciplined members rated good, lawfully excused ones
    included). Scores are given in the last period, as the regulation of 2025 wants them. Raises KeyError for an unknown
    mechanism.
    """
    made = _made(seed, province or Province())
    world, paper, honest = made.world, made.paper, made.honest
    truth = pd.DataFrame(
        {
            "organisation": _codes("o", world.province.organisations),
            "mechanism": _named(made.mechanism),
            "is_tampered": _differs(world, paper, honest),
            "is_reformer": world.reforms,
            "is_rounder": world.rounds,
            "leniency": world.leniency,
            **_counted(made, world.by_organisation),
            "own_raised": (paper.own > honest.own).sum(axis=1),
        }
    )
    return _written(world, paper, honest, np.random.default_rng([seed, 5])), truth


def simulate_cells(seed: int, province: Province | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the cells of the organisations of `simulate` report of themselves, and the truth about them.

    First frame, a row a cell and period, sorted: `organisation`, `group`, `period`, `excluded`, `own_level`,
    `own_self`, `own_appraised` and the columns of `EVIDENCE`: the organisation's with as much again of the cell's own.
    Truth, one row a cell: `organisation`, `group` and what `simulate` tells of organisations: `mechanism` is the
    organisation's, `is_tampered` whether anything of the cell itself is not as an honest appraisal has it.
    """
    made = _made(seed, province or Province())
    world, paper, honest = made.world, made.paper, made.honest
    cells, periods = paper.cell_own.shape
    names = {
        "organisation": _codes("o", world.province.organisations)[world.cell_owner],
        "group": _codes("c", cells),
    }
    evidence = paper.evidence[world.cell_owner] + world.cell_work
    columns = {
        "excluded": world.by_cell(world.present & ~paper.rated),
        "own_level": paper.cell_own,
        "own_self": _claims(paper.cell_own, honest.cell_own, world.cell_wish),
        "own_appraised": np.where(paper.cell_unasked, np.nan, paper.cell_own),
        **{name: sign * evidence[:, :, at] for at, (name, (sign, _)) in enumerate(EVIDENCE.items())},
    }
    reported = pd.DataFrame(
        {
            **{name: np.repeat(codes, periods) for name, codes in names.items()},
            "period": np.tile(np.arange(1, periods + 1), cells),
            **{name: np.asarray(values, float).ravel() for name, values in columns.items()},
        }
    )
    changed = _otherwise(world.by_cell, paper, honest) | _poorer(paper, honest)[world.cell_owner]
    changed |= ((paper.cell_own != honest.cell_own) | (paper.cell_unasked != honest.cell_unasked)).any(axis=1)
    truth = pd.DataFrame(
        {
            **names,
            "mechanism": _named(made.mechanism[world.cell_owner]),
            "is_tampered": changed,
            "is_reformer": world.reforms[world.cell_owner],
            **_counted(made, world.by_cell),
        }
    )
    return reported, truth


def _made(seed: int, province: Province) -> _Made:
    names = province.mechanisms or tuple(MECHANISMS)
    unknown = set(names) - set(MECHANISMS)
    if unknown:
        raise KeyError(f"unknown mechanisms: {sorted(unknown)}")
    world = _world(seed, province)
    mechanism = _planted(seed, world, names)
    world = _with_cases(world, mechanism == "contradiction", np.random.default_rng([seed, 2]))
    honest = _honest(world)
    paper = replace(honest, **{name: values.copy() for name, values in vars(honest).items()})
    hands = {}
    for number, name in enumerate(MECHANISMS):
        uses = mechanism == name
        if uses.any():
            hands[name] = _hand(world, uses, province.strength, np.random.default_rng([seed, 3, number]))
            if name in _ON_SCORES:
                _ON_SCORES[name](world, paper, hands[name])
    paper.level = _levels(world, paper.score, paper.rated)
    for name, hand in hands.items():
        if name in _ON_LEVELS:
            _ON_LEVELS[name](world, paper, hand)
    _fit_scores(paper, np.random.default_rng([seed, 4]))
    return _Made(world, honest, paper, mechanism)


def _named(mechanism: np.ndarray) -> pd.Series:
    return pd.Series(mechanism, dtype="str").where(mechanism != "")


def _counted(made: _Made, sums: Callable[[np.ndarray], np.ndarray]) -> dict[str, np.ndarray]:
    """What was done, counted over all periods by organisation or by cell."""
    world, paper, honest = made.world, made.paper, made.honest
    parts = {
        "raised": paper.rated & honest.rated & (paper.level > honest.level),
        "left_out": honest.rated & ~paper.rated,
        "contradictions": world.disciplined & paper.rated & (paper.level >= HTT),
    }
    return {name: sums(part).sum(axis=1).astype(int) for name, part in parts.items()}


def _differs(world: _World, paper: _Paper, honest: _Paper) -> np.ndarray:
    """Organisations of which anything is on paper otherwise than an honest appraisal has it."""
    of_its_own = (paper.own != honest.own) | (paper.own_unasked != honest.own_unasked)
    return _otherwise(world.by_organisation, paper, honest) | of_its_own.any(axis=1) | _poorer(paper, honest)


def _otherwise(sums: Callable[[np.ndarray], np.ndarray], paper: _Paper, honest: _Paper) -> np.ndarray:
    """Organisations or cells with members of whom anything differs."""
    of_members = (paper.rated != honest.rated) | (
        paper.rated & ((paper.level != honest.level) | (paper.unasked != honest.unasked))
    )
    return (sums(of_members) > 0).any(axis=1)


def _poorer(paper: _Paper, honest: _Paper) -> np.ndarray:
    """Organisations whose evidence differs."""
    return ((paper.evidence != honest.evidence) & np.isfinite(honest.evidence)).any(axis=(1, 2))


def _planted(seed: int, world: _World, names: tuple[str, ...]) -> np.ndarray:
    """The mechanism of every organisation, empty where it is honest."""
    province = world.province
    random = np.random.default_rng([seed, 1])
    count = round(province.planted * province.organisations)
    mechanism = np.full(province.organisations, "", dtype=object)
    # Where they cannot all be equally many, another seed lets others be the more.
    mechanism[random.permutation(province.organisations)[:count]] = np.resize(random.permutation(names), count)
    districts = random.permutation(province.parents)[: province.whole_districts]
    for district, name in zip(districts, np.resize(random.permutation(names), len(districts)), strict=True):
        mechanism[world.parent == district] = name
    return mechanism


_STANDING = (-3.2, -1.6, 1.6)
"""Where the levels of organisations and cells themselves begin."""


def _world(seed: int, province: Province) -> _World:
    random = np.random.default_rng([seed, 0])
    normal, uniform = random.standard_normal, random.random
    organisations, periods = province.organisations, province.periods
    parent = random.integers(0, province.parents, organisations)
    sector = random.integers(0, 6, organisations)
    several = uniform(organisations) < province.cells
    cells = np.where(several, random.integers(3, 14, organisations), 1)
    cell_owner = np.repeat(np.arange(organisations), cells)
    seats = np.maximum(3, random.lognormal(np.log(province.members), 0.45, len(cell_owner)).round()).astype(int)
    cell = np.repeat(np.arange(len(cell_owner)), seats)
    owner = cell_owner[cell]
    shape = len(owner), periods

    reforms = uniform(organisations) < province.reformers
    work = _work(random, organisations, periods)
    work[reforms, -1] += 1.6
    leniency = province.leniency * normal(organisations)
    district = province.districts * normal(province.parents)
    rounds = uniform(organisations) < province.rounders

    habits = np.random.default_rng([seed, 6])
    careless, steady = (habits.random(organisations) < share for share in (province.careless, province.steady))
    person, talent = _holders(random, shape, steady[owner])
    kept = np.clip(province.persistence + 0.15 * normal(organisations), 0.1, 0.95)
    kept = np.where(steady, 0.95, kept)[owner, None]
    excess = (
        0.4 * work[owner]
        + (district[parent] + 0.25 * normal(6)[sector] + 0.6 * leniency)[owner, None]
        + province.moods * normal((organisations, periods))[owner]
        + 0.3 * normal(len(cell_owner))[cell, None]
        + np.sqrt(kept) * talent
        + np.sqrt(1 - kept) * normal(shape)
    )
    merit = 79 + 6 * excess + normal(shape)
    to_fives = rounds[owner, None] & (uniform(shape) < 0.6)
    merit = np.clip(np.where(to_fives, np.round(merit / 5) * 5, np.round(merit * 2) / 2), 30, 99)

    unrated_share = random.beta(40 * province.unrated, 40 * (1 - province.unrated), organisations)
    disciplined = uniform(shape) < np.minimum(0.008 * np.exp(-0.5 * (talent + 0.4 * work[owner])), 0.2)
    loading = np.array([load for _, load in EVIDENCE.values()])
    evidence = loading * work[:, :, None] + province.evidence_noise * normal((organisations, periods, len(loading)))
    evidence[uniform(evidence.shape) < 0.02] = np.nan
    standing = 0.9 * work + district[parent][:, None]
    own = standing + 0.5 * normal((organisations, periods))
    lowered = random.beta(2, 15, organisations)  # share of claims above what is deserved
    by_cell = np.random.default_rng([seed, 7])
    of_cells = len(cell_owner), periods
    return _World(
        province=province,
        owner=owner,
        cell=cell,
        parent=parent,
        kind=np.array(
            [f"{'đb' if many else 'cb'}|{number}" for many, number in zip(several, sector, strict=True)], dtype=object
        ),
        rounds=rounds,
        reforms=reforms,
        leniency=leniency,
        cap=np.where(uniform(organisations) < 0.1, 0.25, 0.2),
        person=person,
        present=uniform(shape) >= 0.02,
        unrated=uniform(shape) < unrated_share[owner, None],
        disciplined=disciplined,
        excused=uniform(shape) < 0.05,
        merit=merit,
        wish=uniform(shape) < lowered[owner, None],
        unasked=uniform(shape) < np.where(careless, 0.15, 0.02)[owner, None],
        evidence=evidence,
        own=np.digitize(own, _STANDING),
        own_wish=uniform((organisations, periods)) < lowered[:, None],
        own_unasked=uniform((organisations, periods)) < 0.03,
        cell_owner=cell_owner,
        cell_own=np.digitize(standing[cell_owner] + 0.7 * by_cell.standard_normal(of_cells), _STANDING),
        cell_wish=by_cell.random(of_cells) < lowered[cell_owner, None],
        cell_unasked=by_cell.random(of_cells) < 0.03,
        lot=by_cell.random(len(owner)),
        cell_work=province.evidence_noise * by_cell.standard_normal((*of_cells, len(loading))),
    )


def _work(random: np.random.Generator, organisations: int, periods: int) -> np.ndarray:
    """How well organisations work: changes slowly, sd 1 in every period."""
    work = random.standard_normal((organisations, periods))
    for period in range(1, periods):
        work[:, period] = 0.8 * work[:, period - 1] + 0.6 * work[:, period]
    return work


def _holders(random: np.random.Generator, shape: tuple[int, int], steady: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who sits on every seat in every period (a number), and the holder's lasting talent; 5% change a year."""
    arrives = random.random(shape) < np.where(steady, 0.01, 0.05)[:, None]
    arrives[:, 0] = True
    since = np.maximum.accumulate(np.where(arrives, np.arange(shape[1]), 0), axis=1)
    talent = np.take_along_axis(random.standard_normal(shape), since, axis=1)
    return np.arange(shape[0])[:, None] * shape[1] + since, talent


def _with_cases(world: _World, organisations: np.ndarray, random: np.random.Generator) -> _World:
    """Where the disciplined are to keep their ratings there must be some: of every year one in thirty, at least one."""
    here = organisations[world.owner][:, None] & world.present
    wanted = np.ceil(world.by_organisation(here) / 30)
    place = _place(world.group, random.random(here.shape), here & ~world.unrated)
    return replace(world, disciplined=world.disciplined | (place < wanted[world.owner]))


def _honest(world: _World) -> _Paper:
    rated = world.present & ~world.unrated
    failed = world.disciplined & ~world.excused
    score = np.where(failed, np.minimum(world.merit, 45.0), world.merit)
    return _Paper(
        score=score,
        rated=rated,
        level=_levels(world, score, rated),
        evidence=world.evidence,
        own=world.own,
        claim_stands=np.zeros(rated.shape, bool),
        unasked=world.unasked,
        own_unasked=world.own_unasked,
        cell_own=world.cell_own,
        cell_unasked=world.cell_unasked,
    )


def _levels(world: _World, score: np.ndarray, rated: np.ndarray) -> np.ndarray:
    """Levels by score, the excellent trimmed to the cap, the highest scores first."""
    level = np.digitize(score, SCALE.cutoffs)
    excellent = rated & (level == XS)
    place = world.best_first(score, excellent)
    return np.where(excellent & (place >= _allowed(world, rated & (level >= HTT))[world.owner]), HTT, level)


def _allowed(world: _World, good: np.ndarray) -> np.ndarray:
    """The most excellent that the cap leaves among the good: x <= cap (good - x), [organisation, period]."""
    return np.floor(world.cap[:, None] * world.by_organisation(good) / (1 + world.cap[:, None]) + 1e-9)


def _place(group: np.ndarray, value: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The place of each within its group by value, 0 the largest, equals in their order; beyond all where not among."""
    rows = np.flatnonzero(among.ravel())
    own = group.ravel()[rows]
    order = np.lexsort((-value.ravel()[rows], own))
    first = np.r_[0, np.cumsum(np.bincount(own, minlength=int(group.max()) + 1))]
    place = np.full(group.size, group.size)
    place[rows[order]] = np.arange(len(rows)) - first[own[order]]
    return place.reshape(group.shape)


def _hand(world: _World, uses: np.ndarray, strength: float, random: np.random.Generator) -> _Hand:
    shape = world.present.shape
    reach = uses[world.owner][:, None] & ~world.disciplined
    seats = reach & (random.random(shape) < strength)
    years = uses[:, None] & (random.random((len(uses), shape[1])) < strength)
    return _Hand(seats, years, reach, uses, strength, random)


def _target_chasing(world: _World, paper: _Paper, hand: _Hand) -> None:
    """Lifts the best of the weak until 90%, or one more, are good; scores of 70 to 71.5."""
    rated, good = world.by_organisation(paper.rated), world.by_organisation(paper.rated & (paper.score >= 70))
    wanted = np.ceil((SCALE.target or 0) * rated - 1e-9) + hand.random.integers(0, 2, rated.shape)
    missing = np.where(hand.years, np.maximum(0, wanted - good), 0)
    lifted = _place(world.group, paper.score, hand.reach & paper.rated & (paper.score < 70)) < missing[world.owner]
    paper.score = np.where(lifted, hand.points(70, 72), paper.score)


def _target_by_leaving_out(world: _World, paper: _Paper, hand: _Hand) -> None:
    """Leaves the weakest unrated, up to one in twelve, and lifts what 90% then still needs; scores of 70 to 71.5."""
    weak = hand.reach & paper.rated & (paper.score < 70)
    most = np.where(hand.years, np.floor(world.by_organisation(paper.rated) / 12), 0)
    paper.rated = paper.rated & ~(_place(world.group, -paper.score, weak) < most[world.owner])
    _target_chasing(world, paper, hand)


def _uniform(world: _World, paper: _Paper, hand: _Hand) -> None:
    """Everyone good, hardly anyone better: up to 72 to 79.5, down to 88."""
    paper.score = np.where(hand.seats & (paper.score < 72), hand.points(72, 80), paper.score)
    paper.score = np.where(hand.seats & (paper.score >= 90), 88.0, paper.score)


def _score_pushing(world: _World, paper: _Paper, hand: _Hand) -> None:
    """Where scores are given: those up to five points below 70 and 90 to the cut-off or up to 1.5 above."""
    for cutoff in (70, 90):
        near = (paper.score >= cutoff - 5) & (paper.score < cutoff) & hand.seats
        near[:, :-1] = False
        paper.score = np.where(near, hand.points(cutoff, cutoff + 2), paper.score)


def _contradiction(world: _World, paper: _Paper, hand: _Hand) -> None:
    """The disciplined keep good ratings: the score they had, at least 70 to 77.5."""
    kept = world.disciplined & hand.everywhere[world.owner][:, None]
    kept &= hand.random.random(kept.shape) < hand.strength
    paper.score = np.where(kept, np.maximum(world.merit, hand.points(70, 78)), paper.score)


def _evidence_gap(world: _World, paper: _Paper, hand: _Hand) -> None:
    """Good ratings (members of 70 to 79.5, the organisation HTT) on work two deviations poorer in every column."""
    paper.evidence[hand.everywhere] -= 2.0 * hand.strength
    paper.score = np.where(hand.seats & (paper.score < 70), hand.points(70, 80), paper.score)
    paper.own = np.where(hand.years, np.maximum(paper.own, HTT), paper.own)
    paper.cell_own = np.where(hand.years[world.cell_owner], np.maximum(paper.cell_own, HTT), paper.cell_own)


def _leaving_out(world: _World, paper: _Paper, hand: _Hand) -> None:
    """Those below good are not rated at all."""
    paper.rated = paper.rated & ~(hand.seats & (paper.score < 70))


def _own_level(world: _World, paper: _Paper, hand: _Hand) -> None:
    """The organisation rates itself one level higher, HTT at least; its members' ratings are honest."""
    paper.own = np.where(hand.years, np.clip(paper.own + 1, HTT, XS), paper.own)


def _cap_filling(world: _World, paper: _Paper, hand: _Hand) -> None:
    """As many excellent as the cap lets through, whatever the work: the best of the good."""
    good = paper.rated & (paper.level >= HTT) & hand.years[world.owner]
    place = world.best_first(paper.score, good)
    paper.level = np.where(good, np.where(place < _allowed(world, good)[world.owner], XS, HTT), paper.level)


def _rotation(world: _World, paper: _Paper, hand: _Hand) -> None:
    """As many excellent as the cap lets through, handed round: every year to the next in turn."""
    good = paper.rated & (paper.level >= HTT) & hand.years[world.owner]
    turn = _place(world.group, -np.broadcast_to(np.arange(len(good))[:, None], good.shape), good)
    allowed, among = _allowed(world, good)[world.owner], world.by_organisation(good)[world.owner]
    first = np.arange(good.shape[1]) * allowed
    paper.level = np.where(good, np.where((turn - first) % np.maximum(among, 1) < allowed, XS, HTT), paper.level)


def _copy_forward(world: _World, paper: _Paper, hand: _Hand) -> None:
    """Last year's list again, cell by cell: the same seats rated, each with the level it had."""
    cells = hand.random.random((int(world.cell.max()) + 1, paper.level.shape[1])) < hand.strength
    copied = cells[world.cell] & hand.reach
    for period in range(1, paper.level.shape[1]):
        here = copied[:, period] & world.present[:, period] & world.present[:, period - 1]
        before = paper.rated[:, period - 1]
        paper.level[:, period] = np.where(here & before, paper.level[:, period - 1], paper.level[:, period])
        paper.rated[:, period] = np.where(here, before, paper.rated[:, period])


def _unappraised(world: _World, paper: _Paper, hand: _Hand) -> None:
    """What was claimed is decided, up to good; four in ten appraisals are missing, of members and of itself."""
    paper.claim_stands = hand.seats
    paper.level = np.where(hand.seats & world.wish & (paper.level < HTT), paper.level + 1, paper.level)
    of_them = hand.everywhere[world.owner][:, None]
    missing = hand.random.random(paper.unasked.shape) < 0.4 * hand.strength
    paper.unasked = paper.unasked | (of_them & missing)
    paper.own_unasked = paper.own_unasked | (
        hand.everywhere[:, None] & (hand.random.random(paper.own.shape) < 0.4 * hand.strength)
    )
    of_cells = hand.random.random(paper.cell_own.shape) < 0.4 * hand.strength
    paper.cell_unasked = paper.cell_unasked | (hand.everywhere[world.cell_owner, None] & of_cells)


_Tampering = Callable[[_World, _Paper, _Hand], None]

_ON_SCORES: dict[str, _Tampering] = {
    "target_chasing": _target_chasing,
    "uniform": _uniform,
    "score_pushing": _score_pushing,
    "contradiction": _contradiction,
    "evidence_gap": _evidence_gap,
    "own_level": _own_level,
    "leaving_out": _leaving_out,
    "target_by_leaving_out": _target_by_leaving_out,
}
"""What is done before levels follow from scores; caps hold."""

_ON_LEVELS: dict[str, _Tampering] = {
    "cap_filling": _cap_filling,
    "rotation": _rotation,
    "copy_forward": _copy_forward,
    "unappraised": _unappraised,
}
"""What is done to levels; scores follow them."""

MECHANISMS: Mapping[str, str] = MappingProxyType(
    {
        name: (tamper.__doc__ or "").splitlines()[0]
        for name, tamper in sorted((_ON_SCORES | _ON_LEVELS).items(), key=lambda item: item[0])
    }
)
"""How ratings are inflated: name -> what is done."""


def _fit_scores(paper: _Paper, random: np.random.Generator) -> None:
    """Nobody writes a score below the band of the level: it is lifted into the lower eight points of it."""
    lowest = np.r_[0.0, SCALE.cutoffs][paper.level]
    fitted = lowest + 0.5 * random.integers(0, 16, paper.score.shape)
    paper.score = np.where(paper.score < lowest, fitted, paper.score)


def _codes(letter: str, count: int) -> np.ndarray:
    width = len(str(max(count - 1, 1)))
    return np.array([f"{letter}{number:0{width}}" for number in range(count)], dtype=object)


def _written(world: _World, paper: _Paper, honest: _Paper, random: np.random.Generator) -> Ratings:
    """The tables as they are sent in: slips of the pen are made here."""
    organisations, periods = paper.own.shape
    codes = _codes("o", organisations)
    slipped = random.random(paper.level.shape) < world.province.slips
    final = np.where(slipped, random.integers(KHT, XS + 1, paper.level.shape), paper.level)
    claim = np.where(paper.claim_stands, paper.level, _claims(paper.level, honest.level, world.wish))
    claimless = random.random(claim.shape) < 0.005

    rows = np.nonzero(paper.rated)
    seat, period = rows
    number, people = pd.factorize(world.person[rows])  # the number of a person does not hang on who else is rated
    subjects = pd.DataFrame(
        {
            "organisation": codes[world.owner[seat]],
            "group": _codes("c", int(world.cell.max()) + 1)[world.cell[seat]],
            "period": period + 1,
            "subject": np.array([f"m{person}" for person in people], dtype=object)[number],
            "own": np.where(claimless, np.nan, claim)[rows],
            "appraised": np.where(paper.unasked, np.nan, paper.level)[rows],
            "final": final[rows].astype(float),
            "score": np.where(period == periods - 1, paper.score[rows], np.nan),
        }
    )
    cells = int(world.cell.max()) + 1
    at = (world.cell[seat] * periods + period) * 4 + (XS - final[rows])
    counts = np.bincount(at, minlength=cells * periods * 4).reshape(cells, periods, 4)
    cell, cell_period = np.nonzero(counts.sum(axis=2))
    levels = SCALE.level_columns
    groups = pd.DataFrame(
        {
            "organisation": codes[world.cell_owner[cell]],
            "group": _codes("c", cells)[cell],
            "period": cell_period + 1,
            **dict(zip(levels, counts[cell, cell_period].T, strict=True)),
        }
    )
    return Ratings(
        organisations=_organisations(world, paper, honest, codes, final),
        scale=SCALE,
        evidence={name: sign for name, (sign, _) in EVIDENCE.items()} | {"discipline": -1},
        groups=groups,
        subjects=subjects,
        rechecks=_rechecks(world, paper, honest, codes, random),
    )


def _claims(level: np.ndarray, honest: np.ndarray, wish: np.ndarray) -> np.ndarray:
    """What is claimed comes before the tampering, but nobody leaves a claim below what is decided: it would be seen."""
    return np.maximum(np.minimum(XS, honest + wish), level)


def _organisations(world: _World, paper: _Paper, honest: _Paper, codes: np.ndarray, final: np.ndarray) -> pd.DataFrame:
    organisations, periods = paper.own.shape
    rated = world.by_organisation(paper.rated)
    level = [world.by_organisation(paper.rated & (final == each)) for each in (XS, HTT, HT, KHT)]
    members = np.maximum(world.by_organisation(world.present), 1)
    columns = {
        "rated": rated,
        "good": level[0] + level[1],
        "top": level[0],
        **dict(zip(SCALE.level_columns, level, strict=True)),
        "excluded": world.by_organisation(world.present & ~paper.rated),
        "own_level": paper.own,
        "own_self": _claims(paper.own, honest.own, world.own_wish),
        "own_appraised": np.where(paper.own_unasked, np.nan, paper.own),
        **{name: sign * paper.evidence[:, :, at] for at, (name, (sign, _)) in enumerate(EVIDENCE.items())},
        "discipline": np.sqrt(100 * world.by_organisation(world.present & world.disciplined) / members),
    }
    return pd.DataFrame(
        {
            "organisation": np.repeat(codes, periods),
            "period": np.tile(np.arange(1, periods + 1), organisations),
            "parent": np.repeat(_codes("p", world.province.parents)[world.parent], periods),
            "type": np.repeat(world.kind, periods),
            **{name: np.asarray(values, float).ravel() for name, values in columns.items()},
        }
    )


def _rechecks(
    world: _World, paper: _Paper, honest: _Paper, codes: np.ndarray, random: np.random.Generator
) -> pd.DataFrame:
    """A second look at ten rated members of the last period, in some organisations; it errs both ways."""
    chosen = random.random(len(codes)) < world.province.rechecked
    last = paper.rated.shape[1] - 1
    looked = paper.rated & chosen[world.owner][:, None] & (np.arange(last + 1) == last)
    looked &= _place(world.group, random.random(looked.shape), looked) < SECOND_LOOK
    lower = random.random(looked.shape) < np.where(honest.level >= HTT, CLERKS_ERROR, SEEN)
    count, lowered = (world.by_organisation(part)[:, last] for part in (looked, looked & (paper.level >= HTT) & lower))
    seen = np.flatnonzero(count > 0)
    return pd.DataFrame(
        {"organisation": codes[seen], "period": last + 1, "rechecked": count[seen], "lowered": lowered[seen]}
    )
