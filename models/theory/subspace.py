"""The part of the risk inside of the brain subspace, with all latents projected on together.

In: a system, what stage 1 taught, labels. Out: M_in and M (THEORY section 5, our derivation). Latents may share directions: what
they have in common is counted once. With k >= p latents everything is inside.

Derivation. The subspace is spanned by the columns of A (p x k, rows h_i^1/2 g_i, g_i standard normal); P = A (A^T A)^-1 A^T.

* Diagonal of P. P_ii = h_i g_i^T (A^T A)^-1 g_i; leaving row i out, P_ii = D_i = h_i t / (1 + h_i t), where t = tr (A^T A)^-1
  is the root of sum_i D_i = k. One latent at a time would give k h_i instead, which exceeds 1 on strong directions.
* Shrinkage. The error is -R beta + K eta, R = (I + C n / x)^-1, K = I - R. On the unknown part of a latent R is diag(z),
  on the learned part gamma_j diag(z), with the z and gamma of ``stage_two``.
* Bias of the aligned part, sum_j w_j a_j. E |P (r a_j)|^2 for a diagonal r splits into equal and unequal rows,
  sum_i r_i^2 h_i D_i + (t / k) (sum_i r_i h_i / (1 + h_i t))^2, which is exactly 1 for r = 1: a residual along *another*
  latent is not counted again. r_i is gamma_j z_i on c_j^2 b_ji of the energy h_i, and z_i on s_ji.
* Leak of the misaligned part: sum_i D_i r_i^2 tau^2 (1 - rho^2) h_i. Noise: (x / n) sum_i D_i (1 - r_i)^2.

Other test covariances: replace A by F^1/2 A, so h_i by f_i h_i. Leak and noise reach F^1/2 A (A^T F A)^-1 A^T F through R, and
of F b_j only the part along b_j has been learned: r_i f_i becomes f_i z_i - z_i (n/x) gamma_j t_j sum_i f_i b_ji z_i there.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from brainworth.models.theory.encoding import Encoding
from brainworth.models.theory.roots import unit_root
from brainworth.models.theory.stage_two import after_labels, prior_after
from brainworth.models.theory.system import System

Scalar = Float[Array, ""]


def span_share(energy: Float[Array, " node"], count: Float[Array, " node"], k: int) -> Float[Array, " node"]:
    """Return D_i, the share of one direction of each node that lies in the span of k random vectors.

    Parameters
    ----------
    energy : (node,)
        Variance of the vectors' coordinates on one direction of each node.
    count : (node,)
        Directions of each node.
    k : int
        Number of vectors; ``count @ D`` is k, or all directions if there are no more than k.
    """
    total = jnp.sum(count * energy)

    def excess(u: Scalar) -> Scalar:
        return jnp.sum(count * energy / (energy + u * total / k)) - k

    return energy / (energy + unit_root(excess, 0.9 * jnp.ones(())) * total / k)


def risk_inside(
    system: System, encoding: Encoding, n_task: Scalar, directions: Float[Array, " node"] | None = None
) -> tuple[Scalar, Scalar]:
    """Return (M_in, M) of the optimal learner, all latents projected on together.

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

    Notes
    -----
    See the module for the derivation. Measured in ``case_studies/theory/results/inside.md`` and ``directions.md``: the part
    outside, M - M_in, is accurate up to k sum h_i^2 = 0.5. Above, it is too low by up to 8 % of M (90 % quantile), which is most of
    it where almost everything lies inside. Least accurate for latents at their detection threshold.
    """
    prior = prior_after(system, encoding)
    count, k = system.spectrum.count, system.alignment.shape[0]
    factor = jnp.ones_like(count) if directions is None else directions
    after = after_labels(prior, count, system.noise_variance, n_task)
    ratio, z, own = after.ratio, after.unknown, after.learned[:, None] * after.unknown
    h = system.brain_shares
    left = encoding.left(h)
    share = span_share(factor * h, count, k)
    mean = factor * (own * (h - left) + z * left)
    square = factor * (own**2 * (h - left) + z**2 * left)
    # t / (1 + f h t) is D / (f h), and 1 / (1 + f h t) is 1 - D; t itself follows from the sum of (1 - D) f h, which is k / t.
    trace = k / jnp.maximum(jnp.sum(count * (1.0 - share) * factor * h), 1e-300)
    overlap = jnp.sum(count * square * share, axis=1)
    along = trace / k * jnp.sum(count * mean * (1.0 - share), axis=1) ** 2
    aligned = jnp.sum(system.signal_variance * system.alignment * (overlap + along))
    misaligned = system.signal_variance * (1.0 - jnp.sum(system.alignment)) * system.task_shares
    # Of F b_j only the part along b_j has been learned. Everything is divided by n / x, so that no label is a regular case.
    learned = (after.learned * jnp.sum(count * factor * prior.learned * z, axis=1))[:, None] * z
    weak = factor * after.variance
    noise = (weak + learned) ** 2 * (h - left) + weak**2 * left
    leak = (factor * z - ratio * learned) ** 2 * (h - left) + (factor * z) ** 2 * left
    per_energy = count * trace * (1.0 - share)
    spread = jnp.sum(per_energy * jnp.mean(misaligned * leak + ratio * noise, axis=0))
    inside = aligned + spread
    total = jnp.sum(count * weak)
    return jnp.minimum(inside, total), total
