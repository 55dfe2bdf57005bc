"""How many independent samples a time series is worth to a regression: Bartlett's factor.

In: noise and stimulus coordinates of one recording, in the order of recording. Out: the factor B >= 1 by which the sampling
variance of regression weights exceeds that of independent samples. Rows that are not in the order of recording hide the
autocorrelation (a study's files are assumed to be in that order within a session); stimuli in random order make B 1 whatever the
noise does, as they should.

The variance of sum_t x_t e_t is n var(x) var(e) (1 + 2 sum_l rho_x(l) rho_e(l)) for stationary x and e (Bartlett 1935, J. R. Stat.
Soc. 98:536; in neuroimaging Worsley & Friston 1995, NeuroImage 2:173). A sample is then worth 1/B independent ones.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

MAX_LAG = 50
"""Longest lag looked at, in samples."""
MAX_ROWS = 20_000
"""Rows looked at; a longer recording's beginning is enough."""
PROJECTIONS = 64
"""Noise channels are projected onto this many random directions if there are more."""


def _lagged(
    values: Float[np.ndarray, "sample column"], weight: Float[np.ndarray, " column"], block: Int[np.ndarray, " sample"]
) -> Float[np.ndarray, " lag"]:
    """Return the weighted mean autocorrelation of columns at lags 1..MAX_LAG, within blocks."""
    scale = np.sqrt(np.mean(values**2, axis=0))
    unit = values / np.where(scale > 0.0, scale, 1.0) * np.sqrt(weight / weight.sum())
    found = np.zeros(MAX_LAG)
    for lag in range(1, min(MAX_LAG, len(values) // 4) + 1):
        same = block[lag:] == block[:-lag]
        if same.sum() < 10:
            break
        found[lag - 1] = np.sum(unit[lag:][same] * unit[:-lag][same]) / same.sum()
    return found


def projected(noise: Float[np.ndarray, "sample channel"]) -> Float[np.ndarray, "sample column"]:
    """Return noise channels, or ``PROJECTIONS`` random combinations of them if there are more, each in units of its own spread."""
    if noise.shape[1] <= PROJECTIONS:
        return noise
    spread = np.sqrt(np.mean(noise**2, axis=0))
    return (noise / np.where(spread > 0.0, spread, 1.0)) @ np.random.default_rng(0).standard_normal(
        (noise.shape[1], PROJECTIONS)
    )


def bartlett_factor(
    noise: Float[np.ndarray, "sample channel"],
    coordinates: Float[np.ndarray, "sample direction"],
    shares: Float[np.ndarray, " direction"],
    block: Int[np.ndarray, " sample"],
) -> float:
    """Return B >= 1, averaged over noise channels, and over directions with their prior shares.

    Parameters
    ----------
    noise : (n, q)
        Residuals of the encoding model, whitened or not, in recording order.
    coordinates : (n, p)
        Centred stimulus coordinates of the same samples.
    shares : (p,)
        Weights of the directions.
    block : (n,)
        Session (or run) of each sample; pairs across blocks do not count.

    The sum stops where the products of the two correlations, taken in pairs of lags, stop being positive (Geyer's initial
    positive sequence, doi:10.1214/ss/1177011137).
    """
    seen = projected(noise[:MAX_ROWS])
    rows = slice(0, len(seen))
    product = _lagged(coordinates[rows], shares, block[rows]) * _lagged(seen, np.ones(seen.shape[1]), block[rows])
    pairs = product[0::2] + product[1::2]
    kept = int(np.argmax(np.append(pairs, -1.0) <= 0.0))
    return 1.0 + 2.0 * max(float(pairs[:kept].sum()), 0.0)
