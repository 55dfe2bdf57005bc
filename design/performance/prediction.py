"""``brainworth predict``: the performance function for known parameters, as plain numbers.

In: a named system, samples by source, labels. Out: the dictionary that ``predict --json`` prints. Errors: an unknown source, a
negative count; a ``BadInput`` says which. Where a formula has no finite value (projection and least squares with too few labels),
the number is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.study_file.system_file import NamedSystem
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.estimators import ESTIMATORS, Estimator
from brainworth.models.theory.measured_range import validity
from brainworth.models.theory.performance import excess_risk, labels_for_risk, r2_from_risk, task_only_risk
from brainworth.models.theory.shift import Shifted, shifted_risk
from brainworth.models.theory.system import Design, System

Scalar = Float[Array, ""]


@dataclass(frozen=True)
class Question:
    """A point at which the performance function is asked for."""

    brain: Mapping[str, float]
    """Brain samples by source; sources that are not named have none."""
    n_task: float
    """Labels."""
    shift: float = 1.0
    """Test variance factor along brain-insensitive directions."""
    estimator: str = "optimal"
    """optimal, projection, ridge or ols."""


def _counts(sources: tuple[str, ...], brain: Mapping[str, float]) -> list[float]:
    for name, count in brain.items():
        if name not in sources:
            hint = did_you_mean(name, sources)
            raise problem(
                "--brain", name, "the system has no such source", f"Its sources are {quoted_list(sources)}.{hint}"
            )
        if not (math.isfinite(count) and count >= 0):
            raise problem("--brain", name, f"got {count}", "The number of samples must be at least 0.")
    return [float(brain.get(name, 0.0)) for name in sources]


@register_dataclass
@dataclass(frozen=True)
class _Point:
    """The performance at one design, before it is named."""

    risk: Scalar
    task_only: Scalar
    equivalent_labels: Scalar
    rates: Float[Array, " source"]
    encoding_r2: Float[Array, "row latent"]
    """First from all sources together, then from each alone."""
    shift: Shifted


@partial(jax.jit, static_argnames="learner")
def _point(system: System, design: Design, factor: Scalar, learner: Estimator) -> _Point:
    """Return the performance at one design; compiled as a whole, which is many times faster than piece by piece."""
    counts, n_task = design.n_brain, design.n_task
    risk, slope = jax.value_and_grad(lambda at: excess_risk(system, at, learner))(design)
    labels = jnp.where(jnp.isfinite(risk), labels_for_risk(system, risk), 0.0)
    mixes = jnp.concatenate([counts[None], jnp.diag(counts)])
    return _Point(
        risk=risk,
        task_only=task_only_risk(system, n_task),
        equivalent_labels=labels - n_task,
        rates=slope.n_brain / slope.n_task,
        encoding_r2=jax.vmap(lambda mix: encode(system, Design.simple(mix, n_task)).encoding_r2)(mixes),
        shift=shifted_risk(system, design, factor),
    )


def _shifted(shift: Shifted) -> dict[str, float]:
    return {
        "risk_in": float(shift.risk_in),
        "risk_out": float(shift.risk_out),
        "excess_risk": float(shift.excess_risk),
        "task_only_excess_risk": float(shift.task_only_excess_risk),
        "robustness_gain": float(shift.robustness_gain),
    }


def predict(named: NamedSystem, question: Question) -> dict[str, Any]:
    """Return the performance at one design.

    Parameters
    ----------
    named : NamedSystem
        Known parameters.
    question : Question
        Numbers of samples, shift and estimator.

    Returns
    -------
    dict
        ``excess_risk, explainable_r2, r2, encoding_r2, task_only, equivalent_labels, marginal_rate, shift``: risks in
        squared units of the label; ``encoding_r2`` by source from its own samples alone, and "all" from all together;
        ``marginal_rate`` labels that one more sample replaces for this estimator. ``shift`` is known for the optimal
        estimator only and undefined (NaN) for the others. ``validity`` has one sentence for every respect in which the
        question lies outside of the range where the formula was found accurate to 3 %.

    Raises
    ------
    BadInput
        An unknown source or estimator, or a number out of range.
    """
    if question.estimator not in ESTIMATORS:
        hint = did_you_mean(question.estimator, ESTIMATORS)
        raise problem(
            "--estimator",
            "",
            f"got {quoted(question.estimator)}",
            f"It must be one of {quoted_list(ESTIMATORS)}.{hint}",
        )
    for option, value in (("--task", question.n_task), ("--shift", question.shift)):
        if not (math.isfinite(value) and value >= 0):
            raise problem(option, "", f"got {value}", "It must be a number of at least 0.")
    design = Design.simple(_counts(named.sources, question.brain), question.n_task)
    learner = ESTIMATORS[question.estimator]
    point = _point(named.system, design, jnp.asarray(question.shift, dtype=float), learner)
    shift = _shifted(point.shift)
    outside = validity(named.system, design, question.shift if question.estimator == "optimal" else None, learner)
    encoding = {"all": point.encoding_r2[0], **dict(zip(named.sources, point.encoding_r2[1:], strict=True))}
    return {
        "excess_risk": float(point.risk),
        "explainable_r2": float(1.0 - point.risk / named.system.signal_variance),
        "r2": float(r2_from_risk(named.system, point.risk)),
        "encoding_r2": {name: [float(v) for v in values] for name, values in encoding.items()},
        "task_only": {"excess_risk": float(point.task_only)},
        "equivalent_labels": float(point.equivalent_labels),
        "marginal_rate": {name: float(rate) for name, rate in zip(named.sources, point.rates, strict=True)},
        "shift": shift if question.estimator == "optimal" else dict.fromkeys(shift, math.nan),
        "validity": [excursion.sentence for excursion in outside],
    }
