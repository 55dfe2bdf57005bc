"""Local elasticities by automatic differentiation: what one per cent more of a parameter does to the forecast.

In: a decision. Out: elasticities of the plan's explainable R^2 at the median system. Where the forecast is 0 its elasticities
are 0.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from brainworth.design.decision.records.findings import Elasticity
from brainworth.design.decision.sensitivity.decision import Decision
from brainworth.design.decision.sensitivity.parameters import median_system
from brainworth.models.forecast.forecast import Draws, Order, PilotSize, order_r2, shifted_outcome
from brainworth.models.theory.system import System


@jax.jit
def _slopes(
    draws: Draws, size: PilotSize, order: Order, shift: Float[Array, ""] | None
) -> tuple[Array, dict[str, Array]]:
    one = jax.tree.map(lambda leaf: leaf[0], (draws.people, _varying(draws.system)))
    people, (signal, noise, alignment, snr, brain, task) = one

    def forecast(log: dict[str, Array]) -> Array:
        system = System(
            spectrum=draws.system.spectrum,
            signal_variance=signal,
            noise_variance=noise * jnp.exp(log["label_noise"]),
            alignment=alignment * jnp.exp(log["alignment"]),
            snr=snr * jnp.exp(log["snr"])[:, None],
            channels=draws.system.channels,
            brain_exponent=brain * jnp.exp(log["brain_exponent"]),
            task_exponent=task * jnp.exp(log["task_exponent"]),
        )
        level = people * jnp.exp(log["people"])[:, None]
        if shift is None:
            return order_r2(system, level, size, order)
        return shifted_outcome(system, level, size, order, shift).mean

    zero = jnp.zeros(())
    still = dict.fromkeys(("label_noise", "alignment", "brain_exponent", "task_exponent"), zero)
    return jax.value_and_grad(forecast)(still | dict.fromkeys(("snr", "people"), jnp.zeros(snr.shape[0])))


def _varying(system: System) -> tuple[Array, ...]:
    return (
        system.signal_variance,
        system.noise_variance,
        system.alignment,
        system.snr,
        system.brain_exponent,
        system.task_exponent,
    )


def elasticities(decision: Decision) -> list[Elasticity]:
    """Return d log R^2 / d log parameter of the plan at the median system, largest first; of several shifts, under the worst."""
    surface = decision.surface
    bought = decision.problem.purchase(decision.designs.take(slice(0, 1)))
    order = Order(
        n_task=jnp.asarray(float(surface.random_labels(bought.n_task)[0])),
        samples=jnp.asarray(bought.samples[0], dtype=jnp.float64),
        subjects=jnp.asarray(bought.subjects[0], dtype=jnp.float64),
        repeats=jnp.asarray(bought.repeats[0], dtype=jnp.float64),
    )
    middle = median_system(surface.draws, surface.modalities)
    under = [
        _slopes(middle, surface.size, order, None if factor == 1.0 else jnp.asarray(factor))
        for factor in surface.shifts or (surface.shift,)
    ]
    value, slope = min(under, key=lambda pair: float(pair[0]))
    base = float(value)
    flat = {name: float(slope[name]) for name in ("alignment", "label_noise", "brain_exponent", "task_exponent")}
    for m, name in enumerate(surface.modalities):
        flat |= {f"{kind}:{name}": float(slope[kind][m]) for kind in ("snr", "people")}
    flat = {name: value for name, value in flat.items() if name in decision.believed}
    found: list[tuple[str, float]] = [(name, value / base if base > 0 else 0.0) for name, value in flat.items()]
    return [
        Elasticity(parameter=name, elasticity=value) for name, value in sorted(found, key=lambda pair: -abs(pair[1]))
    ]
