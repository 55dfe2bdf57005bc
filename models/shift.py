"""Distribution shift: risk on test stimuli with other variance along the brain-insensitive directions (THEORY section 5).

In: a system, a design, the factor s by which the variance outside of the brain subspace is multiplied. Out: risk inside
and outside of the brain subspace, M = M_in + M_out at s = 1, and the shifted risk M_in + s M_out; the same for the
learner without brain data; their ratio. A gain below one means that the shift hurts the brain-informed learner more,
as it does when the task depends on the misaligned part. What can go wrong: M_out is least accurate where it is small
(worst seen 18 %, median 1.4 %).
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from .encoding import Encoding, encode
from .estimators import Optimal, prior_after
from .system import Design, System

Scalar = Float[Array, ""]


@register_dataclass
@dataclass(frozen=True)
class Shifted:
    """Risk under shift, in squared units of the label."""

    risk_in: Scalar
    """Part of the risk along the brain latents."""
    risk_out: Scalar
    """Part of the risk along everything else, at s = 1."""
    excess_risk: Scalar
    """risk_in + s risk_out of the brain-informed learner."""
    task_only_excess_risk: Scalar
    """The same without brain data, at equal labels."""

    @property
    def robustness_gain(self) -> Scalar:
        """Shifted risk without brain data divided by shifted risk with brain data; below 1 if brain data hurt."""
        return self.task_only_excess_risk / self.excess_risk


def risk_inside(system: System, encoding: Encoding, n_task: Scalar) -> tuple[Scalar, Scalar]:
    """Return (M_in, M) of the optimal learner.

    M_in = sum_j (tau^2 e_j g_j^2 + V_j + L_j): what is left of the latent's own weight, noise along it, and the leak of
    everything else into it. Written without divisions by n, so that no label at all is a regular case.
    """
    risk = Optimal().risk(system, encoding, n_task)
    prior = prior_after(system, encoding)
    h, count = system.brain_shares, system.spectrum.count
    left = encoding.left(h)
    x = system.noise_variance + risk
    z = 1.0 / (1.0 + n_task * prior.remainder / x)
    along = jnp.sum(count * prior.learned * z, axis=1)
    gamma = 1.0 / (1.0 + n_task * along / x)
    own = jnp.sum(count * left * z, axis=1) + gamma * jnp.sum(count * (h - left) * z, axis=1)
    moved = gamma[:, None] * (prior.remainder * z + along[:, None])
    noise = (n_task / x) * jnp.sum(count * (moved**2 * (h - left) + (prior.remainder * z) ** 2 * left), axis=1)
    share = system.alignment[:, None]
    others = prior.remainder - system.signal_variance * share * left
    leak = jnp.sum(count * h * z * z * others, axis=1)
    inside = jnp.sum(system.signal_variance * system.alignment * own**2 + noise + leak)
    return jnp.minimum(inside, risk), risk


def shifted_risk(system: System, design: Design, factor: Scalar | float) -> Shifted:
    """Return the risks at a shift of the brain-insensitive directions by a variance factor of at least 0."""
    encoding = encode(system, design)
    blank = Encoding(residual=jnp.ones_like(encoding.residual), precision=jnp.zeros_like(encoding.precision))
    inside, total = risk_inside(system, encoding, design.n_task)
    plain_inside, plain = risk_inside(system, blank, design.n_task)
    outside = total - inside
    return Shifted(
        risk_in=inside,
        risk_out=outside,
        excess_risk=inside + factor * outside,
        task_only_excess_risk=plain_inside + factor * (plain - plain_inside),
    )


def worst_shift(system: System, design: Design, factors: Float[Array, " shift"]) -> tuple[Scalar, Scalar]:
    """Return the largest shifted risk over a set of factors, with and without brain data."""
    risks = jax.vmap(lambda s: shifted_risk(system, design, s))(factors)
    return jnp.max(risks.excess_risk), jnp.max(risks.task_only_excess_risk)
