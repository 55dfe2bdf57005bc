"""Distribution shift: risk on test stimuli with other variance along the brain-insensitive directions (THEORY section 5).

In: a system, a design, the factor s by which the variance outside of the brain subspace is multiplied. Out: risk inside
and outside of the brain subspace, M = M_in + M_out at s = 1, and the shifted risk M_in + s M_out; the same for the
learner without brain data; their ratio. A gain below one means that the shift hurts the brain-informed learner more,
as it does when the task depends on the misaligned part. Other test covariances: ``covariance``. What can go wrong:
latents that share directions (k sum h_i^2 above 0.1), for which M_out comes out too low, and M_out where it is small;
``validity`` says when, ``case_studies/theory`` how much, ``subspace`` holds a form without the first of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from brainworth.models.theory.encoding import Encoding, encode
from brainworth.models.theory.estimators import Optimal, prior_after, shrunk, unknown_variance
from brainworth.models.theory.system import Design, System

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


def risk_inside(
    system: System, encoding: Encoding, n_task: Scalar, directions: Float[Array, " node"] | None = None
) -> tuple[Scalar, Scalar]:
    """Return (M_in, M) of the optimal learner.

    M_in = sum_j (tau^2 e_j g_j^2 + V_j + L_j): what is left of the latent's own weight, noise along it, and the leak of
    everything else into it. Written without divisions by n, so that no label at all is a regular case.

    Parameters
    ----------
    system : System
        Known parameters.
    encoding : Encoding
        What stage 1 taught.
    n_task : scalar
        Labels.
    directions : (node,), optional
        Factor by which the variance of test stimuli differs on one direction of each spectrum node; 1 if not given.
        See ``covariance`` for the derivation.

    Notes
    -----
    THEORY section 5. The latents are treated one at a time, as if they were orthogonal. They overlap where k sum h_i^2
    is above about 0.1, and L_j then counts what they have in common several times: the part outside comes out too low,
    7 % in the median and 45 % in the worst case. ``subspace.risk_inside_span`` projects on all latents together.
    """
    risk = Optimal().risk(system, encoding, n_task)
    prior = prior_after(system, encoding)
    h, count = system.brain_shares, system.spectrum.count
    factor = jnp.ones_like(h) if directions is None else directions
    weight = count * factor
    left = encoding.left(h)
    x = system.noise_variance + risk
    z, along = shrunk(prior, count, n_task, x)
    gamma = 1.0 / along
    own = jnp.sum(weight * left * z, axis=1) + gamma * jnp.sum(weight * (h - left) * z, axis=1)
    weighted = jnp.sum(weight * prior.learned * z, axis=1)
    moved = factor * prior.remainder * z + (gamma * weighted)[:, None] * z
    energy = moved**2 * (h - left) + (factor * prior.remainder * z) ** 2 * left
    noise = (n_task / x) * jnp.sum(count * energy, axis=1)
    share = system.alignment[:, None]
    others = prior.remainder - system.signal_variance * share * left
    leak = jnp.sum(weight * factor * h * z * z * others, axis=1)
    inside = jnp.sum(system.signal_variance * system.alignment * own**2 + noise + leak) / jnp.sum(weight * h)
    total = risk if directions is None else jnp.sum(weight * unknown_variance(prior, count, n_task, x))
    return jnp.minimum(inside, total), total


def shifted(
    system: System, design: Design, factor: Scalar | float, directions: Float[Array, " node"] | None = None
) -> Shifted:
    """Return the risks with the variance outside of the latents' span times ``factor``, and of directions as they differ.

    What ``shifted_risk`` and ``covariance.risks_under`` have in common; valid where they are.
    """
    encoding = encode(system, design)
    inside, total = risk_inside(system, encoding, design.n_task, directions)
    plain_inside, plain = risk_inside(system, encoding.forgotten(), design.n_task, directions)
    return Shifted(
        risk_in=inside,
        risk_out=total - inside,
        excess_risk=inside + factor * (total - inside),
        task_only_excess_risk=plain_inside + factor * (plain - plain_inside),
    )


def shifted_risk(system: System, design: Design, factor: Scalar | float) -> Shifted:
    """Return the risks at a shift of the brain-insensitive directions.

    Parameters
    ----------
    system : System
        Known parameters.
    design : Design
        Numbers of samples.
    factor : scalar
        s >= 0, by which the variance of test stimuli outside of the latents' span is multiplied.

    Notes
    -----
    THEORY section 5, for the optimal learner. Against Monte Carlo with k sum h_i^2 up to 0.1: median deviation of M_out
    1.2 %, 95 % of configurations within 5 % or three standard errors; above, 7 % and 40 % (``case_studies/theory``).
    """
    return shifted(system, design, factor)


def worst_shift(system: System, design: Design, factors: Float[Array, " shift"]) -> tuple[Scalar, Scalar]:
    """Return the largest shifted risk over a set of factors, with and without brain data.

    Same range of validity as ``shifted_risk``; ``covariance.worst_case`` takes any set of test covariances.
    """
    risks = jax.vmap(lambda s: shifted_risk(system, design, s))(factors)
    return jnp.max(risks.excess_risk), jnp.max(risks.task_only_excess_risk)
