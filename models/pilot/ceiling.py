"""Noise ceilings as the field defines them, from repeated presentations.

In: one channel's or many channels' values, one row a presentation, with the stimulus of each row. Out: split-half reliability
with Spearman-Brown correction, noise-ceiling signal-to-noise ratio (ncsnr), and what the best possible model can reach. Errors:
too few repeated stimuli (``ValueError``); a channel whose stimuli differ by less than its noise has an estimated signal variance
below 0, which is reported as 0.

One-way random effects: value = mean + signal(stimulus) + noise. With N rows of k stimuli, n_i each,
n0 = (N - sum n_i^2 / N) / (k - 1), MSB and MSW the mean squares between and within stimuli,

    noise variance = MSW,   signal variance = (MSB - MSW) / n0,   ncsnr = sqrt(signal / noise)

and the share of the variance of a mean over r presentations that a perfect model explains is ncsnr^2 / (ncsnr^2 + 1 / r)
(Allen et al. 2022, doi:10.1038/s41593-021-00962-x; the intraclass correlation ICC(1, r) of Shrout & Fleiss 1979). The ceiling of a
correlation is its square root.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from brainworth.models.pilot.readouts import column_correlation

MIN_REPEATED = 10
"""Repeated stimuli below which a noise ceiling says nothing."""


@dataclass(frozen=True)
class NoiseCeiling:
    """Noise ceilings of the channels of one person."""

    ncsnr: Float[np.ndarray, " channel"]
    """Standard deviation of the signal over that of the noise of one presentation; 0 where no signal is seen."""
    reliability: Float[np.ndarray, " channel"]
    """Split-half correlation, Spearman-Brown corrected to all presentations; may be negative for channels without signal."""
    repeats: float
    """Mean number of presentations of a repeated stimulus."""
    stimuli: int
    """Stimuli presented at least twice."""

    def explainable(self, repeats: float = 1.0) -> Float[np.ndarray, " channel"]:
        """Return the share of the variance of a mean over ``repeats`` presentations that a perfect model explains."""
        return self.ncsnr**2 / (self.ncsnr**2 + 1.0 / repeats)

    def correlation(self, repeats: float = 1.0) -> Float[np.ndarray, " channel"]:
        """Return the highest correlation a model can have with such means: the noise ceiling r."""
        return np.sqrt(self.explainable(repeats))


def spearman_brown(correlation: Float[np.ndarray, "*any"], factor: float = 2.0) -> Float[np.ndarray, "*any"]:
    """Return the reliability of a measurement ``factor`` times as long: f r / (1 + (f - 1) r).

    At most 1. Spearman 1910, Brown 1910; for r <= -1 / (f - 1), where the formula has its pole, -1.
    """
    below = 1.0 + (factor - 1.0) * correlation
    return np.where(below > 1e-9, np.maximum(factor * correlation / np.where(below > 1e-9, below, 1.0), -1.0), -1.0)


def _halves(
    values: Float[np.ndarray, "row channel"], code: Int[np.ndarray, " row"], rng: np.random.Generator
) -> tuple[Float[np.ndarray, "stimulus channel"], Float[np.ndarray, "stimulus channel"]]:
    """Return means of two disjoint random halves of every stimulus's presentations (floor(n / 2) each)."""
    order = np.lexsort((rng.random(len(code)), code))
    sizes = np.bincount(code)
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    place = np.arange(len(code)) - np.repeat(start, sizes)
    half = sizes // 2
    which = np.where(place < half[code[order]], 0, np.where(place < 2 * half[code[order]], 1, 2))
    sums = []
    for side in (0, 1):
        rows = order[which == side]
        total = np.zeros((sizes.size, values.shape[1]))
        np.add.at(total, code[rows], values[rows])
        sums.append(total / half[:, None])
    return sums[0], sums[1]


def noise_ceiling(
    values: Float[np.ndarray, "row channel"], stimulus: Int[np.ndarray, " row"], splits: int = 50, seed: int = 0
) -> NoiseCeiling:
    """Return the noise ceilings of channels from the stimuli that were presented at least twice.

    Parameters
    ----------
    values : (row, channel)
        Recorded values, any unit; rows of stimuli presented once are left out.
    stimulus : (row,)
        Code of the stimulus of each row.
    splits : int
        Random splits whose correlations are averaged.
    seed : int
        Seed of the splits.

    Raises
    ------
    ValueError
        If fewer than ``MIN_REPEATED`` stimuli were presented at least twice.
    """
    codes, where, count = np.unique(stimulus, return_inverse=True, return_counts=True)
    if int(np.sum(count >= 2)) < MIN_REPEATED:
        raise ValueError(
            f"A noise ceiling needs at least {MIN_REPEATED} stimuli presented twice. "
            f"Got {int(np.sum(count >= 2))} of {codes.size} instead."
        )
    rows = count[where] >= 2
    values, code = np.asarray(values, dtype=float)[rows], np.unique(where[rows], return_inverse=True)[1]
    sizes = np.bincount(code).astype(float)
    total, stimuli = float(sizes.sum()), sizes.size
    means = np.zeros((stimuli, values.shape[1]))
    np.add.at(means, code, values)
    means /= sizes[:, None]
    within = np.sum((values - means[code]) ** 2, axis=0) / (total - stimuli)
    between = np.sum(sizes[:, None] * (means - values.mean(axis=0)) ** 2, axis=0) / (stimuli - 1.0)
    size = (total - float(np.sum(sizes**2)) / total) / (stimuli - 1.0)
    signal = np.maximum(between - within, 0.0) / size
    rng = np.random.default_rng(seed)
    half = np.mean([column_correlation(*_halves(values, code, rng)) for _ in range(splits)], axis=0)
    longer = total / stimuli / float(np.mean(sizes // 2))
    return NoiseCeiling(
        ncsnr=np.sqrt(signal / np.where(within > 0.0, within, 1.0)),
        reliability=spearman_brown(half, longer),
        repeats=total / stimuli,
        stimuli=stimuli,
    )
