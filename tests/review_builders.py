"""A made-up province as the marts give it, drawn by ``ratings.simulation``: what signals need, no person in it."""

import numpy as np
import pandas as pd

from ratings.signals.frames import Ratings
from ratings.simulated_marts import marts_of
from ratings.simulation import Province, simulate


def drawn(seed: int = 1, **about: object) -> tuple[dict[str, pd.DataFrame], Ratings, pd.DataFrame]:
    """Marts of a province of `about` (fields of `simulation.Province`), its ratings and who inflates."""
    ratings, truth = simulate(seed, Province(**about))
    return marts_of(ratings), ratings, truth


def shuffled(marts: dict[str, pd.DataFrame], seed: int = 3) -> dict[str, pd.DataFrame]:
    """The same marts with their rows in another order."""
    random = np.random.default_rng(seed)
    return {name: frame.iloc[random.permutation(len(frame))] for name, frame in marts.items()}
