"""Whether a plan lies where the formula was found accurate: one health check.

In: a posterior and the purchase it recommends. Out: a check that warns with one sentence for every respect in which pilot and
purchase together, at the posterior's medians, lie outside of the measured range (``models.validity``). What can go wrong:
nothing.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp

from brainworth.design.allocation import Allocation
from brainworth.design.checks import Check
from brainworth.design.posterior import Posterior
from brainworth.models.forecast import Draws, Order, joined
from brainworth.models.system import System
from brainworth.models.validity import validity


def theory_range(posterior: Posterior, allocation: Allocation) -> Check:
    """Return the check; its value is the number of respects in which the plan is outside, its threshold 0."""
    names, surface = posterior.study.config.modality_names, posterior.surface()
    bought = [allocation.modalities[name] for name in names]
    order = Order(
        n_task=jnp.asarray(float(allocation.n_task)),
        samples=jnp.asarray([float(entry.n_samples) for entry in bought]),
        subjects=jnp.asarray([float(max(entry.subjects, 1)) for entry in bought]),
        repeats=jnp.asarray([float(max(entry.repeats, 1)) for entry in bought]),
    )
    system, people = _medians(posterior.draws)
    both, design = joined(system, people, surface.size, order)
    shift = posterior.study.config.objective.shift
    found = validity(both, design, None if shift == 1.0 else shift)
    inside = "The plan lies where the formula was measured to be within 3 % of the learner that was really run."
    return Check(
        "theory_range",
        "warn" if found else "ok",
        float(len(found)),
        0.0,
        " ".join(one.sentence for one in found) or inside,
    )


def _medians(draws: Draws) -> tuple[System, jax.Array]:
    """Return one system and the gains of new people, every parameter at its posterior median."""
    old = draws.system
    middle = replace(
        old,
        signal_variance=jnp.median(old.signal_variance, axis=0),
        noise_variance=jnp.median(old.noise_variance, axis=0),
        alignment=jnp.median(old.alignment, axis=0),
        snr=jnp.median(old.snr, axis=0),
        brain_exponent=jnp.median(old.brain_exponent, axis=0),
        task_exponent=jnp.median(old.task_exponent, axis=0),
    )
    return middle, jnp.median(draws.people, axis=0)
