"""Two-way classification: least squares on labels of -1 and +1 is a linear-Gaussian problem of its own.

In: a system whose label is the *sign* of signal plus noise, a design. Out: the system that least squares sees (THEORY section 6),
and the accuracy that the design reaches. Limits: features far from Gaussian, for which the arcsine law of signs does not hold.
"""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Array, Float

from brainworth.models.theory.estimators import Estimator
from brainworth.models.theory.performance import excess_risk
from brainworth.models.theory.system import Design, System

Scalar = Float[Array, ""]


def sign_system(system: System) -> System:
    """Return the system of least squares on signs: tau^2 <- (2/pi) tau^2 / (tau^2 + sigma^2), sigma^2 <- 1 - tau^2.

    Parameters
    ----------
    system : System
        Signal and noise variance of the quantity whose sign is the label.

    Notes
    -----
    THEORY section 6, for as many labels of either sign. The arcsine law is exact for Gaussian features; the label noise of
    signs depends on the stimulus, of which least squares uses the average only.
    """
    signal = 2.0 / jnp.pi * system.signal_variance / (system.signal_variance + system.noise_variance)
    return replace(system, signal_variance=signal, noise_variance=1.0 - signal)


def accuracy(system: System, design: Design, estimator: Estimator | None = None) -> Scalar:
    """Return the share of new labels whose sign is predicted, 1 - arccos(c) / pi.

    c is the correlation of the prediction with the noisy quantity behind the label, the square root of explainable
    R^2 times tau^2 / (tau^2 + sigma^2); exact for Gaussian features and a posterior mean. Between 1/2 and the accuracy
    of the true signal.

    Parameters
    ----------
    system : System
        Signal and noise variance of the quantity whose sign is the label.
    design : Design
        Numbers of samples.
    estimator : Estimator, optional
        The learner; the optimal one if not given.

    Notes
    -----
    Measured within 0.2 % in the median and 3 % at worst over 12 configurations (``case_studies/theory/results/tables.md``); valid
    where ``excess_risk`` of ``sign_system`` is.
    """
    signs = sign_system(system)
    explained = jnp.clip(1.0 - excess_risk(signs, design, estimator) / signs.signal_variance, 0.0, 1.0)
    share = system.signal_variance / (system.signal_variance + system.noise_variance)
    return 1.0 - jnp.arccos(jnp.sqrt(explained * share)) / jnp.pi
