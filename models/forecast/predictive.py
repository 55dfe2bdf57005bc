"""What the model expects a pilot to look like: prior and posterior predictive quantities.

In: draws of the system and the pilot's size. Out: per draw the expected cross-validated encoding accuracy and its noise
ceiling, explainable R^2 and R^2 at the pilot's size, the signal-to-noise ratio of a new person.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from brainworth.models.forecast.forecast import SYSTEM_AXES, Order, PilotSize, outcome_of_order
from brainworth.models.pilot.pooling import FOLD_SHARE
from brainworth.models.programs import Program
from brainworth.models.theory.encoding import encode, readout_overlaps, readout_snr
from brainworth.models.theory.system import Design, System


@register_dataclass
@dataclass(frozen=True)
class Predictive:
    """Expected quantities of one draw, or of many with a leading axis."""

    encoding_accuracy: Float[Array, "*draw modality latent"]
    """Expected correlation of held-out read-outs with their prediction, five-fold."""
    noise_ceiling: Float[Array, "*draw modality latent"]
    """The same if the latents were predicted perfectly."""
    explainable_r2: Float[Array, "*draw"]
    """Of the optimal learner at the pilot's size, on average over studies; the error of the mean label is counted."""
    r2: Float[Array, "*draw"]
    """The same of noisy labels."""
    r2_deviation: Float[Array, "*draw"]
    """Standard deviation of R^2 over studies of this size."""
    new_person_snr: Float[Array, "*draw modality"]
    """Signal-to-noise ratio of one new person, summed over latents."""


def _one(system: System, people: Array, size: PilotSize, kept: Array, fold_share: Array) -> Predictive:
    design = Design(
        n_brain=fold_share * size.samples,
        n_task=size.labels,
        subjects=size.subjects,
        repeats=size.repeats,
        shared=size.shared,
        shared_noise=size.shared_noise,
    )
    seen = replace(system, snr=system.snr * kept[:, None])
    encoding = encode(seen, design)
    effective = readout_snr(seen, readout_overlaps(seen, design, encoding))
    ceiling = jnp.sqrt(effective / (1.0 + effective))
    nothing = jnp.zeros_like(size.samples)
    order = Order(n_task=jnp.zeros(()), samples=nothing, subjects=nothing + 1.0, repeats=nothing + 1.0)
    outcome = outcome_of_order(system, people, size, order)
    share = system.signal_variance / (system.signal_variance + system.noise_variance)
    return Predictive(
        encoding_accuracy=ceiling * jnp.sqrt(encoding.encoding_r2),
        noise_ceiling=ceiling,
        explainable_r2=outcome.mean,
        r2=outcome.mean * share,
        r2_deviation=outcome.deviation * share,
        new_person_snr=jnp.sum(system.snr, axis=1) * people[:, 0],
    )


def _all(system: System, people: Array, size: PilotSize, kept: Array, fold_share: Array) -> dict[str, Array]:
    found = jax.vmap(_one, in_axes=(SYSTEM_AXES, 0, None, None, None))(system, people, size, kept, fold_share)
    return {field.name: getattr(found, field.name) for field in fields(found)}


_program = Program(_all, "predictive")


def predictive(
    system: System,
    people: Float[Array, "draw modality people"],
    size: PilotSize,
    kept: Float[Array, " modality"],
) -> Predictive:
    """Return the predictive quantities of every draw.

    Parameters
    ----------
    system, people : draws of a forecast (``forecast.Draws``).
    size : PilotSize
        The pilot.
    kept : (modality,)
        Share of a read-out's signal-to-noise ratio that an estimated noise covariance leaves.
    """
    return Predictive(**_program(system, people, size, kept, jnp.asarray(FOLD_SHARE)))
