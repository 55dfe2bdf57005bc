"""Several targets at once: a table of ratings of the same labelled stimuli.

In: a system (spectrum, sources), for each target its own signal and noise variance, alignment and spectral exponent, and a
design. Out: excess risk and explainable R^2 of every target, their average and the worst. All targets share features, brain
latents, brain data and labelled stimuli; stage 1 is solved once. Each target has a stage 2 of its own: what one column of the
table says about another, beyond the shared latents, is not used, so correlated label noise changes nothing. Limits: a target
outside of the range of validity of its estimator (``estimators``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float, Int

from brainworth.models.theory.encoding import encode
from brainworth.models.theory.estimators import Estimator, Optimal
from brainworth.models.theory.system import Design, System

Scalar = Float[Array, ""]


@register_dataclass
@dataclass(frozen=True)
class Targets:
    """What differs between the targets of a task (THEORY section 1, one row each)."""

    signal_variance: Float[Array, " target"]
    """Explainable variance of each target, tau^2 > 0, in its own squared unit."""
    noise_variance: Float[Array, " target"]
    """Label noise variance of each target, sigma^2 > 0."""
    alignment: Float[Array, "target latent"]
    """Share of each target's explainable variance carried by each latent; a row sums to at most 1."""
    task_exponent: Float[Array, " target"]
    """Source exponent of each target's misaligned part."""

    @classmethod
    def of(cls, systems: list[System]) -> Targets:
        """Return the targets of systems that share everything else."""
        return cls(
            signal_variance=jnp.stack([jnp.asarray(s.signal_variance, dtype=jnp.float64) for s in systems]),
            noise_variance=jnp.stack([jnp.asarray(s.noise_variance, dtype=jnp.float64) for s in systems]),
            alignment=jnp.stack([jnp.asarray(s.alignment, dtype=jnp.float64) for s in systems]),
            task_exponent=jnp.stack([jnp.asarray(s.task_exponent, dtype=jnp.float64) for s in systems]),
        )

    def checked(self, system: System) -> Targets:
        """Return self, or raise ``ValueError`` naming the target and the value that is out of range for a system."""
        count = np.asarray(self.signal_variance).size
        shapes = [np.asarray(v).shape for v in (self.noise_variance, self.task_exponent)]
        if np.asarray(self.alignment).shape[:1] != (count,) or any(shape != (count,) for shape in shapes):
            raise ValueError(f"The fields of targets must have one row per target ({count}).")
        for index in range(count):
            try:
                target_system(system, self, index).checked()
            except ValueError as error:
                raise ValueError(f"Target {index + 1} of {count}: {error}") from None
        return self


@register_dataclass
@dataclass(frozen=True)
class TargetRisks:
    """Performance on every target."""

    excess_risk: Float[Array, " target"]
    """E(prediction - E[y|x])^2 of each target, in its own squared unit."""
    explainable_r2: Float[Array, " target"]
    """Share of each target's explainable variance that is predicted."""

    @property
    def average_risk(self) -> Scalar:
        """Mean excess risk; meaningful where the targets share a unit."""
        return jnp.mean(self.excess_risk)

    @property
    def worst_risk(self) -> Scalar:
        """Largest excess risk; meaningful where the targets share a unit."""
        return jnp.max(self.excess_risk)

    @property
    def average_r2(self) -> Scalar:
        """Mean explainable R^2."""
        return jnp.mean(self.explainable_r2)

    @property
    def worst_r2(self) -> Scalar:
        """Smallest explainable R^2."""
        return jnp.min(self.explainable_r2)


def target_system(system: System, targets: Targets, index: int | Int[Array, ""]) -> System:
    """Return the system of one target."""
    return replace(
        system,
        signal_variance=targets.signal_variance[index],
        noise_variance=targets.noise_variance[index],
        alignment=targets.alignment[index],
        task_exponent=targets.task_exponent[index],
        task_spectrum=None,
    )


def target_risks(system: System, targets: Targets, design: Design, estimator: Estimator | None = None) -> TargetRisks:
    """Return the performance on every target.

    Parameters
    ----------
    system : System
        Features and sources; what it says of a task of its own is not used.
    targets : Targets
        The tasks; the same latents as the system's sources.
    design : Design
        Numbers of samples; every labelled stimulus has a label for every target.
    estimator : Estimator, optional
        The learner of each target; the optimal one if not given.

    Notes
    -----
    Stage 1 does not depend on the task, so each target obeys THEORY section 3 by itself. Valid where the estimator is; with
    one target it is ``performance.excess_risk``. Checked against the executed learner in ``case_studies/theory``.
    """
    learner = Optimal() if estimator is None else estimator
    encoding = encode(system, design)

    def one(index: Int[Array, ""]) -> Scalar:
        return learner.risk(target_system(system, targets, index), encoding, design.n_task)

    risk = jax.vmap(one)(jnp.arange(targets.signal_variance.shape[0]))
    return TargetRisks(excess_risk=risk, explainable_r2=1.0 - risk / targets.signal_variance)
