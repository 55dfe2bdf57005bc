"""NUTS with jumps: before every trajectory the chain may move one latent between "heard" and "not heard" at once.

A pilot sees nothing of a latent below a certain signal-to-noise ratio, and the likelihood is flat there; above lies a narrow peak.
Trajectories cross from one to the other rarely (seen: 60 effective draws of 3,000 in one pilot of ten). A Metropolis step with an
independent proposal for log phi of one latent of one modality, which knows nothing of where the chain is, crosses at once; it
leaves the posterior as it is (Tierney 1994). The proposal is the prior or a normal distribution above the knee, half and half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.infer import NUTS
from numpyro.infer.util import ParamInfo

PEAK = (1.0, 1.0)
"""Mean, counted from the knee, and standard deviation of log phi of a latent that the pilot sees."""
JUMPS = 4
"""Proposals before every trajectory."""


class JumpingNUTS(NUTS):
    """NUTS that proposes, before every trajectory, other values of single elements of one site.

    Parameters
    ----------
    potential_fn : callable
        Potential energy of unconstrained sites.
    site : str
        The site whose elements jump.
    propose : callable
        (key, row, column) to a new value of one element, whatever its value is.
    log_density : callable
        (value, row, column) to the log density with which ``propose`` would propose it.
    **options
        Of NUTS.
    """

    def __init__(
        self,
        potential_fn: Callable[[Any], Array],
        site: str,
        propose: Callable[[Array, Array, Array], Array],
        log_density: Callable[[Array, Array, Array], Array],
        **options: Any,
    ) -> None:
        super().__init__(potential_fn=potential_fn, **options)
        self._energy, self._site, self._propose, self._log_density = potential_fn, site, propose, log_density

    def sample(self, state: Any, model_args: Any, model_kwargs: Any) -> Any:
        """Return the next state: the jumps, then a trajectory.

        A start of which nothing is known but where it is (``at_start``) gets its energy and slope from the first jump.
        """
        key, own = jax.random.split(state.rng_key)
        here = (state.z, state.potential_energy, state.z_grad)
        z, energy, slope = jax.lax.fori_loop(0, JUMPS, self._jump, (own, here))[1]
        state = state._replace(z=z, potential_energy=energy, z_grad=slope, rng_key=key)
        return super().sample(state, model_args, model_kwargs)

    def _jump(self, _: int, carry: tuple[Array, Any]) -> tuple[Array, Any]:
        key, here = carry
        z, energy, _ = here
        key, which, proposal, luck = jax.random.split(key, 4)
        values = z[self._site]
        chosen = jax.random.randint(which, (), 0, values.size)
        row, column = jnp.unravel_index(chosen, values.shape)
        before, after = values[row, column], self._propose(proposal, row, column)
        moved = {**z, self._site: values.at[row, column].set(after)}
        energy_there, slope_there = jax.value_and_grad(self._energy)(moved)
        ratio = energy - energy_there + self._log_density(before, row, column) - self._log_density(after, row, column)
        accepted = jnp.log(jax.random.uniform(luck)) < ratio  # false where the energy is not a number

        def kept(new: Array, old: Array) -> Array:
            return jnp.where(accepted, new, old)

        return key, jax.tree.map(kept, (moved, energy_there, slope_there), here)


def at_start(z: dict[str, Array]) -> ParamInfo:
    """Return a start of ``JumpingNUTS`` without its energy, which the program need not hold once more: the first jump is taken."""
    return ParamInfo(z, jnp.asarray(jnp.inf), jax.tree.map(jnp.zeros_like, z))


def mixture(
    prior: tuple[Float[Array, "modality latent"], Float[Array, "modality latent"]], knee: Float[Array, " modality"]
) -> tuple[Callable[[Array, Array, Array], Array], Callable[[Array, Array, Array], Array]]:
    """Return (propose, log density) of log phi: the prior (mean, standard deviation) or a peak above the knee, half and half."""
    middle, spread = prior

    def propose(key: Array, row: Array, column: Array) -> Array:
        first, second = jax.random.split(key)
        seen = jax.random.bernoulli(first)
        mean = jnp.where(seen, knee[row] + PEAK[0], middle[row, column])
        return mean + jnp.where(seen, PEAK[1], spread[row, column]) * jax.random.normal(second)

    def log_density(value: Array, row: Array, column: Array) -> Array:
        from_prior = jax.scipy.stats.norm.logpdf(value, middle[row, column], spread[row, column])
        return jnp.logaddexp(from_prior, jax.scipy.stats.norm.logpdf(value, knee[row] + PEAK[0], PEAK[1]))

    return propose, log_density
