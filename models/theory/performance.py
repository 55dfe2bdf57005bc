"""The performance function: how well a learner does after ``n_brain`` brain samples and ``n_task`` labels.

In: a ``System`` and a ``Design``; optionally an estimator. Out: excess risk, explainable R^2, R^2, labels that reach a risk.
Pure, differentiable, vmappable over posterior draws and designs. Our derivation (THEORY sections 1 to 4), in answer to the
question of Lewis, Wang, Schwab & Pitkow, arXiv:2605.09243. Limits: outside the range of validity of the estimators (see there);
``validity.validity`` says in a sentence where a configuration leaves the measured range.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from brainworth.models.theory.encoding import Encoding, encode
from brainworth.models.theory.estimators import Estimator, Optimal, TaskOnly
from brainworth.models.theory.roots import unit_root
from brainworth.models.theory.system import Design, System

Scalar = Float[Array, ""]


def excess_risk(system: System, design: Design, estimator: Estimator | None = None) -> Scalar:
    """Return M = E(prediction - E[y|x])^2, in squared units of the label.

    Parameters
    ----------
    system : System
        Known parameters.
    design : Design
        Numbers of samples.
    estimator : Estimator, optional
        The learner; the optimal one if not given.

    Notes
    -----
    THEORY sections 2 and 3. Valid where the estimator is (``estimators``).
    """
    learner = Optimal() if estimator is None else estimator
    return learner.risk(system, encode(system, design), design.n_task)


def explainable_r2(system: System, design: Design, estimator: Estimator | None = None) -> Scalar:
    """Return 1 - M / tau^2, the share of the explainable variance that the learner predicts.

    Between 0 and 1 for the optimal learner, below 0 for a learner worse than none. Valid where ``excess_risk`` is; where M is
    almost tau^2, a small relative error of M is a large one of this share.
    """
    return 1.0 - excess_risk(system, design, estimator) / system.signal_variance


def r2_from_risk(system: System, risk: Scalar) -> Scalar:
    """Return R^2 = 1 - (M + sigma^2) / (tau^2 + sigma^2), what a test on many noisy labels shows; exact for any risk."""
    return 1.0 - (risk + system.noise_variance) / (system.signal_variance + system.noise_variance)


def task_only_risk(system: System, n_task: Scalar) -> Scalar:
    """Return the excess risk of the optimal learner without brain data; valid where ``TaskOnly`` is."""
    k = system.alignment.shape[0]
    return TaskOnly().risk(system, Encoding(residual=jnp.ones(k), precision=jnp.zeros(k)), n_task)


def labels_for_risk(system: System, risk: Scalar) -> Scalar:
    """Return the number of labels at which the learner without brain data reaches a risk (THEORY section 3).

    Infinite for a risk of 0, 0 for a risk of tau^2 or more. Exactly inverts ``task_only_risk`` and is valid where that is; where
    the learning curve is flat, a small error of the risk is a large one of the labels.
    """
    prior = system.signal_variance * (
        (1.0 - jnp.sum(system.alignment)) * system.task_shares + jnp.sum(system.alignment) * system.brain_shares
    )
    count, scale = system.spectrum.count, system.signal_variance
    relative = risk / scale
    unit = jnp.sum(count) / scale

    def labels(u: Scalar) -> Scalar:
        return unit * (1.0 - u) / jnp.maximum(u, 1e-30)

    def f(u: Scalar) -> Scalar:
        return relative - jnp.sum(count * prior / (1.0 + labels(u) * prior)) / scale

    root = unit_root(f, jnp.clip(relative, 1e-6, 1.0))
    return (system.noise_variance + risk) * labels(root)


def equivalent_labels(system: System, design: Design, estimator: Estimator | None = None) -> Scalar:
    """Return n_0 - n_task: extra labels a learner without brain data would need for the same risk (THEORY section 4).

    Valid where ``excess_risk`` is. A learner that really got them reached the same risk within 3 %
    (``case_studies/theory/results/tables.md``).
    """
    risk = excess_risk(system, design, estimator)
    return labels_for_risk(system, risk) - design.n_task


def break_even_price(system: System, design: Design) -> Float[Array, " source"]:
    """Return the average labels per sample that a source's data replace: the price, in labels, above which it loses.

    The data of one source at a time are removed; what they are worth is the number of labels that make up for them,
    divided by their number. Zero for a source without data. Valid where ``excess_risk`` is.
    """
    risk = excess_risk(system, design)

    def without(index: Array) -> Scalar:
        n_brain = design.n_brain.at[index].set(0.0)
        reduced = Design(n_brain, design.n_task, design.subjects, design.repeats, design.shared, design.shared_noise)
        needed = labels_for_risk_with(system, reduced, risk)
        n = design.n_brain[index]
        return jnp.where(n > 0, (needed - design.n_task) / jnp.where(n > 0, n, 1.0), 0.0)

    return jax.vmap(without)(jnp.arange(design.n_brain.shape[0]))


def labels_for_risk_with(system: System, design: Design, risk: Scalar) -> Scalar:
    """Return the number of labels at which the optimal learner with the design's brain data reaches a risk.

    Exactly inverts ``excess_risk`` in the labels, and is valid where that is; infinite for a risk of 0.
    """
    encoding = encode(system, design)
    unit = jnp.sum(system.spectrum.count) * (1.0 + system.noise_variance / system.signal_variance)

    def labels(u: Scalar) -> Scalar:
        return unit * (1.0 - u) / jnp.maximum(u, 1e-30)

    def f(u: Scalar) -> Scalar:
        return (risk - Optimal().risk(system, encoding, labels(u))) / system.signal_variance

    return labels(unit_root(f, jnp.clip(risk / system.signal_variance, 1e-6, 1.0)))
