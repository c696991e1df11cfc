"""EXCLUDED: the weak moved out of the denominator."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ratings.signals.frames import Ratings, signal_rows
from ratings.signals.mixture import fits_by_type
from ratings.signals.statistics import (
    Window,
    beta_binomial_upper,
    first_reason,
    guarded,
    p_of,
    pooled_types,
    z_of,
)

FEWEST_MEMBERS = 10
"""Of an organisation of fewer nothing is said."""

FEWEST_ORGANISATIONS = 15
"""So many organisations and periods of a type are needed to know what is usual."""


def excluded(ratings: Ratings, period: int) -> pd.DataFrame:
    """EXCLUDED: whether more are left unrated than elsewhere.

    `excluded` among `excluded` + `rated`, up to three periods counted together: upper mid-p under the beta-binomial
    of the organisation's type, without a group of many who leave out more (`mixture`); guarded. (Counted together, the
    fit knows that an honest organisation keeps its ways; period by period and then combined the size was .058.)

    `n` people, `observed` those left out, `expected` by the type, `statistic` their share; `parameters`: `periods`.
    Source: inflation.md ("worth adding"); the manipulated denominator of Campbell's law (Figlio & Getzler 2006: weak
    pupils classified out of the tested).
    Needs: `excluded`, at least 10 members, 15 organisations of a type.
    Size at .05: .038 to .051 in the empty provinces of `docs/detection.md`.
    Innocent: many on sick leave, newly admitted or working elsewhere (lawful reasons are to be taken off beforehand).
    """
    window = Window.of(ratings, period)
    owners, here = len(window.grid.organisations), window.here
    each = window.column("excluded"), window.column("rated")
    known = np.isfinite(each[0]) & np.isfinite(each[1])
    owner = window.grid.row[known]
    periods = np.bincount(owner, minlength=owners)[here]
    out, rated = (np.bincount(owner, weights=values[known], minlength=owners)[here] for values in each)
    everyone = out + rated
    judged = everyone >= FEWEST_MEMBERS
    kind, kinds = pd.factorize(pooled_types(pd.Series(window.now(window.text("type")))), sort=True)
    some = np.bincount(kind, weights=np.where(judged, out, 0), minlength=len(kinds)) > 0
    counted = np.where(judged & some[kind], out, np.nan)
    usual = fits_by_type(counted, everyone, kind, fewest=FEWEST_ORGANISATIONS)
    z = guarded(z_of(beta_binomial_upper(out, everyone, usual.alpha, usual.beta)), usual.weight)
    tested = np.isfinite(z)
    reason = first_reason(
        len(z),
        [
            (periods == 0, "no_excluded"),
            (~judged, "too_small"),
            (not out.any(), "no_variance"),
            (True, "too_few_peers"),
        ],
    )
    return signal_rows(
        "EXCLUDED",
        ratings,
        period,
        p=p_of(z),
        reason=reason,
        z=z,
        statistic=np.where(tested, out / np.maximum(everyone, 1), np.nan),
        n=np.where(tested, everyone, np.nan),
        observed=np.where(tested, out, np.nan),
        expected=np.where(tested, usual.mean * everyone, np.nan),
        peers=np.where(tested, tested.sum() - 1, np.nan),
        parameters=[f'{{"periods": {count}}}' for count in periods],
    )


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {"EXCLUDED": excluded}
