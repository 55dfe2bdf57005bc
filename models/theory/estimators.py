"""Stage 2: the excess risk of a learner of the task after stage 1 (THEORY section 3).

Every estimator is an object with one method, ``risk(system, encoding, n_task)``; adding one is adding a class here or anywhere
else. In: a system, what stage 1 taught, a number of labels. Out: M = E(prediction - E[y|x])^2 on new stimuli of the same kind.
Formulas outside their range of validity return infinity (projection, least squares) or lose accuracy (ridge with a vanishing
penalty and fewer labels than features); each docstring says where.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import jax.numpy as jnp
from jaxtyping import Array, Float

from brainworth.models.theory.encoding import Encoding
from brainworth.models.theory.roots import unit_root
from brainworth.models.theory.stage_two import after_labels, plain_prior, prior_after
from brainworth.models.theory.system import System

Scalar = Float[Array, ""]


class Estimator(Protocol):
    """A learner of the task whose risk is known in closed form."""

    def risk(self, system: System, encoding: Encoding, n_task: Scalar) -> Scalar:
        """Return the excess risk, in squared units of the label."""
        ...


def posterior_variance(system: System, encoding: Encoding, n_task: Scalar) -> Float[Array, " node"]:
    """Return Omega_i: what stays unknown of the task on one unit-variance direction of each node, squared label units.

    Parameters
    ----------
    system : System
        Known parameters.
    encoding : Encoding
        What stage 1 taught.
    n_task : scalar
        Labels.

    Returns
    -------
    (node,) array
        Sums to M over all directions.

    Notes
    -----
    A_i z_i of THEORY section 3, the diagonal of the posterior covariance C (I + n C / x)^-1, C = diag(v) + sum_j b_j b_j^T,
    averaged over the learned directions b_j. As accurate as M itself, see ``Optimal``.
    """
    prior = prior_after(system, encoding)
    return after_labels(prior, system.spectrum.count, system.noise_variance, n_task).variance


@dataclass(frozen=True)
class Optimal:
    """Posterior mean under the true variances: no linear learner does better on average.

    Excess risk is the joint fixed point of THEORY section 3 (``stage_two``), which never rises with any number of samples.
    Checked against Monte Carlo of the executed pipeline: median deviation about 1 % (``case_studies/theory``); valid from no
    label to infinitely many, from no brain data to all, for 40 features or more. Latents may share directions (k sum h_i^2 up to
    5.7: median 0.9 %, worst 7 % too low, where ten latents meet ten labels). Up to 9 % too low (90 % quantile) for learners that
    keep latents below their detection threshold from more channels than features: ``validity`` says where.
    """

    def risk(self, system: System, encoding: Encoding, n_task: Scalar) -> Scalar:
        """Return the excess risk of the posterior mean."""
        return jnp.sum(system.spectrum.count * posterior_variance(system, encoding, n_task))


@dataclass(frozen=True)
class TaskOnly:
    """The optimal learner without brain data: Bayes-optimal ridge regression on the labels alone.

    Within 1 % of Monte Carlo in the median; valid for any number of labels and 40 features or more (10 or 20: 2 to 3 % too low).
    """

    def risk(self, system: System, encoding: Encoding, n_task: Scalar) -> Scalar:  # noqa: ARG002 (protocol)
        """Return the excess risk without brain data; ``encoding`` is not used."""
        count = system.spectrum.count
        after = after_labels(plain_prior(system), count, system.noise_variance, n_task)
        return jnp.sum(count * after.variance)


@dataclass(frozen=True)
class Projection:
    """Least squares on the k learned latents, nothing else; infinite for n <= k + 1.

    Exact for Gaussian features if the learned directions are orthogonal to what they were not learned for. Directions in p
    dimensions are so up to k/p, and catch that share of it by chance: measured 1.5 to 5 % too high, about k/p
    (``case_studies/theory/results/estimators.md``).
    """

    def risk(self, system: System, encoding: Encoding, n_task: Scalar) -> Scalar:
        """Return m' + (sigma^2 + m') k / (n - k - 1), m' = tau^2 (1 - sum e_j c_j^2)."""
        k = system.alignment.shape[0]
        missed = system.signal_variance * (1.0 - jnp.sum(system.alignment * encoding.encoding_r2))
        free = n_task - k - 1.0
        fitted = missed + (system.noise_variance + missed) * k / jnp.where(free > 0, free, 1.0)
        return jnp.where(free > 0, fitted, jnp.inf)


@dataclass(frozen=True)
class LeastSquares:
    """Ordinary least squares on all p features. Exact for Gaussian features (measured: 0.3 %); infinite for n <= p + 1."""

    def risk(self, system: System, encoding: Encoding, n_task: Scalar) -> Scalar:  # noqa: ARG002 (protocol)
        """Return sigma^2 p / (n - p - 1)."""
        p = jnp.sum(system.spectrum.count)
        free = n_task - p - 1.0
        return jnp.where(free > 0, system.noise_variance * p / jnp.where(free > 0, free, 1.0), jnp.inf)


@dataclass(frozen=True)
class BrainRidge:
    """Ridge regression on whitened features with one penalty on the learned directions and one on the rest.

    Minimises |y - X b|^2 / n + penalty_in |b_learned|^2 + penalty_out |b_rest|^2 in unit-variance coordinates. Within
    2 % of Monte Carlo for n >= 1.3 p or ``penalty_out`` of 0.3 or more; poor when ``penalty_out`` goes to 0 with n < p, where
    finite-size effects are large (4 % at 0.01 and n = 0.75 p, ``case_studies/theory/results/estimators.md``). Both
    penalties must be positive.
    """

    penalty_in: float = 0.01
    penalty_out: float = 1.0

    def risk(self, system: System, encoding: Encoding, n_task: Scalar) -> Scalar:
        """Return (sigma^2 + sum r_i^2 b_i^2) / (1 - df_2 / n) - sigma^2 of THEORY section 3."""
        k = system.alignment.shape[0]
        p = jnp.sum(system.spectrum.count)
        size = jnp.array([k * 1.0, 0.0]) + jnp.array([0.0, 1.0]) * (p - k)
        penalty = jnp.array([self.penalty_in, self.penalty_out])
        along = system.signal_variance * jnp.sum(system.alignment * encoding.encoding_r2)
        energy = jnp.stack([along, system.signal_variance - along])
        n = jnp.maximum(n_task, 1e-9)

        def excess(inverse_kappa: Scalar) -> Scalar:
            return 1.0 - jnp.sum(size * inverse_kappa / (inverse_kappa + penalty)) / n - inverse_kappa

        inverse_kappa = unit_root(excess, jnp.ones(()) * 0.5)
        kept = penalty / (inverse_kappa + penalty)
        df2 = jnp.sum(size * (1.0 - kept) ** 2)
        noise = system.noise_variance
        return (noise + jnp.sum(kept**2 * energy)) / (1.0 - df2 / n) - noise


ESTIMATORS: dict[str, Estimator] = {
    "optimal": Optimal(),
    "projection": Projection(),
    "ridge": BrainRidge(),
    "ols": LeastSquares(),
    "task_only": TaskOnly(),
}
"""Estimators by the name that the command line uses; parsed once, at the edge."""
