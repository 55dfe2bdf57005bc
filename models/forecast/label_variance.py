"""From explainable R^2 to the R^2 that one laboratory reads off noisy labels of its own stimuli.

Explainable R^2 is 1 - M / tau^2 with the explainable variance tau^2 on average over worlds. What a laboratory reads off is
1 - (M + sigma^2) / (V + sigma^2) with the explainable variance V of its own labels. A pilot's labels have shown V. For a known
system, or priors alone, V is that of a world still to be drawn. The task's weights on unit-variance directions are normal with the
variances tau^2 g_i, g_i = rho^2 h_i + (1 - rho^2) h'_i (shares of latents and of the misaligned part), so that V / tau^2 has the
variance 2 sum_i g_i^2: little where many directions carry the task, a lot where the spectrum is steep.

V is what is learned plus what is left, A + M. The error's distribution does not depend on what was learned, so A and M are taken as
independent; A as gamma distributed with the variance that is left for it (our assumption: it may be negative), checked against
learners in ``tests/unit/models/forecast/test_label_variance.py`` and ``case_studies/calibration/executed.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float
from scipy.special import gammaincinv

from brainworth.models.forecast.luck import stratified
from brainworth.models.theory.system import System


@dataclass(frozen=True)
class LabelVariance:
    """Variance of the labels, draw by draw."""

    signal: Float[np.ndarray, " draw"]
    """tau^2: explainable, on average over worlds."""
    noise: Float[np.ndarray, " draw"]
    """sigma^2."""
    spread: Float[np.ndarray, " draw"]
    """Standard deviation over worlds of V / tau^2; 0 if a pilot has shown V."""

    @classmethod
    def of(cls, systems: System, *, seen: bool) -> LabelVariance:
        """Return the label variance of a batch of systems; ``seen``: a pilot's labels have shown it."""
        signal, noise = np.asarray(systems.signal_variance), np.asarray(systems.noise_variance)
        if seen:
            return cls(signal, noise, np.zeros_like(signal))
        aligned = np.asarray(systems.alignment).sum(axis=1)[:, None]

        shares = jax.vmap(systems.spectrum.shares)
        both = aligned * np.asarray(shares(systems.brain_exponent))
        both = both + (1.0 - aligned) * np.asarray(shares(systems.task_exponent))
        return cls(signal, noise, np.sqrt(2.0 * np.sum(np.asarray(systems.spectrum.count) * both**2, axis=1)))

    @property
    def explained_share(self) -> Float[np.ndarray, " draw"]:
        """tau^2 / (tau^2 + sigma^2): share of the labels' variance that features can explain at all."""
        return self.signal / (self.signal + self.noise)

    def expected_r2(self, explainable: Float[np.ndarray, " draw"]) -> Float[np.ndarray, " draw"]:
        """Return R^2 on labels of the average variance."""
        return explainable * self.explained_share

    def r2(self, explainable: Float[np.ndarray, " study"]) -> Float[np.ndarray, " study"]:
        """Return R^2 that single studies read off, from their explainable R^2 (so many studies a draw, draw by draw)."""
        many = explainable.reshape(self.signal.size, -1)
        plain = many * self.explained_share[:, None]
        left = 1.0 - many
        learned = 1.0 - left.mean(axis=1)
        variance = self.spread**2 - left.var(axis=1)
        open_ = (learned > 0.0) & (variance > 0.0)
        if not open_.any():
            return plain.reshape(-1)
        luck = stratified(many.size, many.size).reshape(many.shape)[open_]
        mean, part = learned[open_, None], variance[open_, None]
        drawn = gammaincinv(mean**2 / part, luck) * (part / mean)  # quantiles of the gamma distribution
        noise = (self.noise / self.signal)[open_, None]
        plain[open_] = drawn / (drawn + left[open_] + noise)
        return plain.reshape(-1)
