"""Samples whose energy the bulk of a recording does not explain: artefacts that were left in.

In: the channels of one recording. Out: which samples stand out. Limits: more than a quarter of the samples bad; the bulk is then
no guide, and nothing stands out.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

SPREADS = 5.0
"""Robust standard deviations of the log energy, above the median, beyond which a sample stands out."""
LARGEST = 100.0
"""Energy relative to the median sample's beyond which a sample stands out however wide the spread."""


def outlying(channels: Float[np.ndarray, "sample channel"]) -> Bool[np.ndarray, " sample"]:
    """Return which samples have far more energy than the others.

    Channels are centred and scaled by median and median absolute deviation; the energy is the mean square over channels. The spread
    of its logarithm is read off the quartile above the median, so that heavy tails widen the limit. False alarms
    for Gaussian noise: below 1e-6 a sample (20 independent channels: 5e-11; one channel, |z| > 6.7: 2e-11).
    """
    values = np.asarray(channels, dtype=float)
    values = values - np.median(values, axis=0)
    scale = np.median(np.abs(values), axis=0)
    known = scale > 0.0
    if not np.any(known):
        return np.zeros(len(values), dtype=bool)
    energy = np.mean((values[:, known] / scale[known]) ** 2, axis=1)
    middle, upper = np.quantile(energy, [0.5, 0.75])
    if middle <= 0.0:
        return np.zeros(len(values), dtype=bool)
    spread = np.log(upper / middle) / 0.6744897501960817
    return energy > middle * min(float(np.exp(SPREADS * spread)), LARGEST)
