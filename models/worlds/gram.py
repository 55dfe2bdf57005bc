"""Recordings and labels of a simulated study as sufficient statistics: 35,000 samples cost what 300 cost.

In: a world in unit-variance feature coordinates (latent maps, task map), how much is recorded or labelled, a random generator.
Out: ``SourceStatistics`` of one person and ``LabelStatistics``, distributed as those of simulated rows. Gram matrices of n rows
are drawn as Wishart matrices (Bartlett 1933) where n exceeds the number of columns, else from as many rows. Both kinds of
statistics add, so that a larger study can contain a smaller one. Less than one sample is no sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from brainworth.models.pilot.statistics import SourceStatistics
from brainworth.models.pilot.within_types import WithinTypes

Matrix = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True)
class LabelStatistics:
    """Labelled stimuli as sums; additive."""

    n: float
    """Labels; those that have noise in common, or much of it, count less (``of``)."""
    features: Float[np.ndarray, " direction"]
    """Sum of the coordinates, weighed as the labels are."""
    label: float
    """Sum of the labels."""
    gram: Float[np.ndarray, "direction direction"]
    """X^T X."""
    cross: Float[np.ndarray, " direction"]
    """X^T y."""
    power: float
    """y^T y."""

    @classmethod
    def none(cls, directions: int) -> LabelStatistics:
        """Return the statistics of no label."""
        return cls(0.0, np.zeros(directions), 0.0, np.zeros((directions, directions)), np.zeros(directions), 0.0)

    @classmethod
    def of(
        cls,
        coordinates: Float[np.ndarray, "label direction"],
        label: Float[np.ndarray, " label"],
        within: WithinTypes | None = None,
        weight: Float[np.ndarray, " label"] | None = None,
    ) -> LabelStatistics:
        """Return the statistics of rows.

        ``within`` says which have noise in common, ``weight`` how many labels of average noise each is worth: rows are whitened,
        and so is the constant.
        """
        if within is not None or weight is not None:
            given = np.column_stack([np.ones(len(label)), label, coordinates])
            worth = np.ones(len(label)) if weight is None else weight
            white = np.sqrt(worth)[:, None] * given if within is None else within.whitened(given, worth)
            one, label, coordinates = white[:, 0], white[:, 1], white[:, 2:]
            known = cls.of(coordinates, label)
            return replace(known, n=float(one @ one), features=coordinates.T @ one, label=float(label @ one))
        return cls(
            n=float(len(label)),
            features=coordinates.sum(axis=0),
            label=float(label.sum()),
            gram=coordinates.T @ coordinates,
            cross=coordinates.T @ label,
            power=float(label @ label),
        )

    def __add__(self, other: LabelStatistics) -> LabelStatistics:
        return LabelStatistics(
            n=self.n + other.n,
            features=self.features + other.features,
            label=self.label + other.label,
            gram=self.gram + other.gram,
            cross=self.cross + other.cross,
            power=self.power + other.power,
        )


def root_of_gram(rng: Rng, n: int, p: int) -> Float[np.ndarray, "direction rank"]:
    """Return L such that L L^T is distributed as X^T X of n rows of p standard normal variables; rank min(n, p)."""
    if n < p:
        return rng.standard_normal((p, n))
    lower = np.tril(rng.standard_normal((p, p)), -1)
    lower[np.diag_indices(p)] = np.sqrt(rng.chisquare(n - np.arange(p)))
    return lower


def simulated_labels(
    rng: Rng, n: int, task_map: Float[np.ndarray, " direction"], noise_variance: float
) -> LabelStatistics:
    """Return the statistics of n labels of new stimuli.

    Parameters
    ----------
    rng
        Generator.
    n
        Labels.
    task_map
        Weights of the label on unit-variance coordinates.
    noise_variance
        Label noise.
    """
    p, spread = len(task_map), np.sqrt(noise_variance)
    if n <= p + 1:
        rows = rng.standard_normal((max(n, 0), p))
        return LabelStatistics.of(rows, rows @ task_map + spread * rng.standard_normal(len(rows)))
    root = root_of_gram(rng, n - 1, p)
    inside = spread * rng.standard_normal(p)
    outside = noise_variance * rng.chisquare(n - 1 - p)
    mean, offset = rng.standard_normal(p) / np.sqrt(n), spread * rng.standard_normal() / np.sqrt(n)
    level = float(mean @ task_map) + offset
    gram = root @ root.T
    cross = gram @ task_map + root @ inside
    power = float(task_map @ (gram @ task_map) + 2.0 * task_map @ (root @ inside) + inside @ inside + outside)
    return LabelStatistics(
        n=float(n),
        features=n * mean,
        label=n * level,
        gram=gram + n * np.outer(mean, mean),
        cross=cross + n * level * mean,
        power=power + n * level**2,
    )


@dataclass(frozen=True)
class SeenStimuli:
    """Stimuli that some people saw: enough of them to draw what anybody recorded."""

    root: Float[np.ndarray, "direction rank"]
    """L with X^T X = L L^T."""
    gram: Float[np.ndarray, "direction direction"]
    """X^T X."""
    n: int
    """Stimuli."""

    @classmethod
    def drawn(cls, rng: Rng, n: int, directions: int) -> SeenStimuli:
        """Return n new stimuli."""
        root = root_of_gram(rng, n, directions)
        return cls(root, root @ root.T, n)


def simulated_recording(
    rng: Rng,
    shown: SeenStimuli,
    latent_maps: Float[np.ndarray, "direction latent"],
    patterns: Float[np.ndarray, "latent channel"],
    *,
    noise: bool = True,
) -> SourceStatistics:
    """Return the statistics of one person's recordings, channel noise white with unit variance.

    Parameters
    ----------
    rng
        Generator.
    shown
        Stimuli; people who saw the same ones share them.
    latent_maps
        Weights a_j on unit-variance coordinates.
    patterns
        Channel pattern of each latent; its squared norm is the signal-to-noise ratio.
    noise
        Whether R'R is drawn, from which a learner can estimate the noise; without it, it has q rows and no column.
    """
    q, rank = patterns.shape[1], shown.root.shape[1]
    effect = latent_maps @ patterns
    inside = rng.standard_normal((rank, q))
    cross = shown.root @ inside
    power = np.zeros((q, 0))
    if noise:
        rest, mixed = root_of_gram(rng, shown.n - rank, q), effect.T @ cross
        power = effect.T @ shown.gram @ effect + mixed + mixed.T + inside.T @ inside + rest @ rest.T
    signal = (shown.gram @ latent_maps) @ patterns
    return SourceStatistics(gram=shown.gram, cross=signal + cross, channel_gram=power, n=float(shown.n))


def random_patterns(rng: Rng, channels: int, snr: Float[np.ndarray, " latent"]) -> Float[np.ndarray, "latent channel"]:
    """Return patterns in random orthogonal directions (independent ones if there are fewer channels than latents)."""
    k = len(snr)
    raw = rng.standard_normal((channels, k))
    directions = np.linalg.qr(raw)[0] if channels >= k else raw / np.linalg.norm(raw, axis=0)
    return (directions * np.sqrt(snr)).T
