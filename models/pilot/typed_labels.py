"""Labels whose stimuli are tokens of types: their evidence for every share of the noise that a type may have in common.

In: labelled stimuli, what is known of each, their types. Out: ``TypeEvidence``, over which the hierarchical model sums, and what
the labels are worth: so many labels of stimuli drawn independently, each with noise of its own, as bring the same expected risk.

Five labels of one word are not five labels: they have noise in common, and features that are nearly the same. (Where features of
a type differ, the noise in common cancels in differences, and five labels are worth more.) The posterior covariance of the task's
weights after n labels of given stimuli is exact, and so is its risk

    M = tau^2 tr H (I + (tau^2 / sigma^2) K)^-1,   K = G^1/2 X' W'W X G^1/2,   H = diag(h),

with W of ``WithinTypes``, the mean label projected out. The number of independent labels with this risk is the inverse of THEORY
section 3. What brain recordings teach besides is left out of both; the spectrum is that of a source exponent of 1. Forecasts take
the error of the mean label for that of as many labels, too, which is too small where types have much in common.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from brainworth.models.pilot.evidence import Rows, TypeEvidence, prior_variance, task_evidence
from brainworth.models.pilot.within_types import WithinTypes
from brainworth.models.theory.performance import labels_for_risk
from brainworth.models.theory.system import Spectrum, System

Matrix = NDArray[np.float64]

SHARES = np.array([0.0, 0.1, 0.25, 0.45, 0.65, 0.85])
"""Shares of the noise that labels of one type may have in common, all as probable before the labels are seen."""
RATIOS = np.logspace(-2.0, 2.0, 9)
"""Explainable variance over noise variance, for which the worth of labels is known."""


@dataclass(frozen=True)
class TypedLabels:
    """Labelled stimuli that are tokens of types."""

    features: Float[np.ndarray, "stimulus direction"]
    """Coordinates."""
    columns: Float[np.ndarray, "stimulus column"]
    """Labels, predicted latents and residuals, as ``task_evidence`` takes them."""
    count: Float[np.ndarray, " stimulus"]
    """Labels of each stimulus."""
    member: Int[np.ndarray, " stimulus"]
    """Type of each stimulus, from 0."""

    def rows(self, share: float) -> Rows:
        """Return rows of independent noise, if types have a share of it in common."""
        return Rows.of(self.features, self.columns, self.count, WithinTypes(self.member, share))

    def log_volume(self, share: float) -> float:
        """Return what whitening adds to their log-likelihood."""
        return WithinTypes(self.member, share).log_volume(self.count)


def type_evidence(
    labels: TypedLabels,
    variance: Float[np.ndarray, " direction"],
    read_noise: Float[np.ndarray, " latent"],
    seen: float,
) -> tuple[TypeEvidence, Float[np.ndarray, "share ratio"]]:
    """Return the evidence of labels by share (``SHARES``), and what all of them are worth, by share and ratio (``RATIOS``).

    Parameters
    ----------
    labels : TypedLabels
        Labelled stimuli.
    variance : (direction,)
        Population variance of every direction.
    read_noise : (latent,)
        Noise of the latents' read-outs, ``Beyond.noise``.
    seen : float
        Share of the labels whose stimuli were recorded.
    """
    rows = [labels.rows(float(share)) for share in SHARES]
    total, distinct = float(labels.count.sum()), float(len(labels.count))
    strength = np.array([np.trace(row.gram) for row in rows])
    parts = [
        task_evidence(row, variance, total * size, distinct, read_noise, seen)
        for row, size in zip(rows, strength / strength[0], strict=True)
    ]
    volume = jnp.asarray([labels.log_volume(float(share)) for share in SHARES])
    worth = np.stack([label_worth(row.gram, variance) for row in rows])
    return TypeEvidence(jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts), volume), worth


def label_worth(gram: Float[np.ndarray, "direction direction"], variance: Matrix) -> Float[np.ndarray, " ratio"]:
    """Return the independent labels that bring the risk of some given ones, for every ratio of ``RATIOS``.

    Parameters
    ----------
    gram : (direction, direction)
        X'X of the labels' stimuli in units of the noise, mean removed.
    variance : (direction,)
        Population variance of every direction.
    """
    root, shares = np.sqrt(prior_variance(variance, 1.0)), variance / variance.sum()
    values, vectors = np.linalg.eigh(root[:, None] * gram * root)
    risk = (1.0 / (1.0 + RATIOS[:, None] * np.maximum(values, 0.0))) @ (shares @ vectors**2)
    found = [_labels_of_risk(variance, ratio, left) for ratio, left in zip(RATIOS, risk, strict=True)]
    return np.asarray(found)


def _labels_of_risk(variance: Matrix, ratio: float, risk: float) -> float:
    one = jnp.ones(())
    system = System(
        spectrum=Spectrum(jnp.asarray(variance), jnp.ones(variance.size)),
        signal_variance=one,
        noise_variance=one / ratio,
        alignment=jnp.zeros(1),
        snr=jnp.ones((1, 1)),
        channels=jnp.ones(1),
        brain_exponent=one,
        task_exponent=one,
    )
    return float(_inverted(system, jnp.asarray(risk)))


_inverted = jax.jit(labels_for_risk)


def labels_in_all(
    worth: Float[np.ndarray, "share ratio"], share: Float[np.ndarray, " draw"], ratio: Float[np.ndarray, " draw"]
) -> float:
    """Return how many independent labels those of a pilot are worth, on average over draws.

    Parameters
    ----------
    worth : (share, ratio)
        Result of ``type_evidence``.
    share : (draw,)
        Share of the noise that types have in common, out of ``SHARES``.
    ratio : (draw,)
        Explainable variance over noise variance.
    """
    row = np.abs(share[:, None] - SHARES).argmin(axis=1)
    place = np.log(np.clip(ratio, RATIOS[0], RATIOS[-1]))
    by_share = np.stack([np.interp(place, np.log(RATIOS), line) for line in worth])
    return float(by_share[row, np.arange(len(row))].mean())
