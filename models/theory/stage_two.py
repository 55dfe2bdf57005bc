"""Stage 2 as one fixed point: what n labels leave of the task's weights once the latents are known (THEORY section 3).

In: the prior of the task after stage 1, label noise, labels. Out: what is still unknown on every direction, whose sum is the
excess risk M, and the trace of the squared posterior covariance, from which the spread of single studies follows.

The unknowns are x = sigma^2 + M and one factor gamma_j per latent. With A_i = v_i + sum_j gamma_j L_ji and
z_i = 1 / (1 + (n/x) A_i) they solve

    x = sigma^2 + sum_i A_i z_i,    gamma_j = 1 / (1 + (n/x) sum_i L_ji z_i)

Why it has one solution, found without a safeguard. The right-hand sides rise with every unknown and are concave in all of them
together (A_i z_i is half the harmonic mean of A_i and x/n, the second one of 1 and multiples of x/n + A_i). They map
x = sigma^2 + tau^2, gamma = 1 to something smaller. Newton's method from there falls monotonically to the largest solution, and
since both right-hand sides are positive at 0, concavity allows no other. Two to three steps after four plain substitutions,
five at most over 2,000 random systems.

Why more data never hurt. In X = log x and u_j = log gamma_j the solution is the minimum of the convex function

    sum_i log(1 + (n/x) A_i) + sigma^2 n/x + n X + sum_j (gamma_j - u_j)

whose mixed second derivatives are at most 0. More labels, or a smaller s_ji (variance moves from v_i to L_ji, and A_i falls because
gamma_j < 1), raise all its slopes at the solution. So X and all u_j fall, and with them M.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from brainworth.models.theory.encoding import Encoding
from brainworth.models.theory.system import System

Scalar = Float[Array, ""]
Unknowns = Float[Array, " unknown"]
"""x, then gamma_1 to gamma_k."""

PLAIN_STEPS = 4
"""Substitutions before Newton's method: each stays above the solution and costs a fraction of a Newton step."""
MAX_STEPS = 40
TOLERANCE = 1e-6
"""Relative size of the last step; what remains is of the order of its square."""


@register_dataclass
@dataclass(frozen=True)
class PriorAfterStageOne:
    """What is believed about the task once the encoder is known, on one direction of each node."""

    remainder: Float[Array, " node"]
    """v_i: variance that the learned latents do not explain."""
    learned: Float[Array, "latent node"]
    """L_ji: variance along the j-th learned direction, tau^2 e_j (h_i - s_ji)."""


@register_dataclass
@dataclass(frozen=True)
class AfterLabels:
    """What n labels leave of the task's weights."""

    ratio: Scalar
    """n / x, labels over label noise and excess risk."""
    unknown: Float[Array, " node"]
    """z_i: factor left of what the learned directions do not explain."""
    learned: Float[Array, " latent"]
    """gamma_j: further factor along the learned direction of latent j."""
    variance: Float[Array, " node"]
    """Omega_i = A_i z_i: posterior variance on one unit-variance direction of each node."""


def prior_after(system: System, encoding: Encoding) -> PriorAfterStageOne:
    """Return the task prior of THEORY section 3; no division by c_j^2, so that unseen latents are harmless.

    An average over latents drawn from their prior (random effects).
    """
    h = system.brain_shares
    left = encoding.left(h)
    share = system.alignment[:, None]
    misaligned = (1.0 - jnp.sum(system.alignment)) * system.task_shares
    return PriorAfterStageOne(
        remainder=system.signal_variance * (misaligned + jnp.sum(share * left, axis=0)),
        learned=system.signal_variance * share * (h - left),
    )


def plain_prior(system: System) -> PriorAfterStageOne:
    """Return the task prior without brain data: everything is remainder, no learned direction."""
    aligned = jnp.sum(system.alignment)
    shares = (1.0 - aligned) * system.task_shares + aligned * system.brain_shares
    return PriorAfterStageOne(
        remainder=system.signal_variance * shares, learned=jnp.zeros((0, system.spectrum.count.shape[0]))
    )


def after_labels(prior: PriorAfterStageOne, count: Float[Array, " node"], noise: Scalar, n_task: Scalar) -> AfterLabels:
    """Return what n labels leave; the excess risk M is ``count @ variance``.

    Parameters
    ----------
    prior : PriorAfterStageOne
        Task prior after stage 1.
    count : (node,)
        Directions of each node.
    noise : scalar
        sigma^2 > 0.
    n_task : scalar
        Labels, at least 0.

    Notes
    -----
    Derivatives of any order by the implicit function theorem.
    """
    return _read(prior, n_task, _unknowns(prior, count, noise, n_task))


def trace_and_squared_trace(
    prior: PriorAfterStageOne, count: Float[Array, " node"], noise: Scalar, n_task: Scalar
) -> tuple[Scalar, Scalar]:
    """Return tr Sigma_post = M and tr Sigma_post^2, for the price of one more linear system of k + 1 equations.

    Parameters
    ----------
    prior : PriorAfterStageOne
        Task prior after stage 1.
    count : (node,)
        Directions of each node.
    noise : scalar
        sigma^2 > 0.
    n_task : scalar
        Labels, at least 0.

    Notes
    -----
    tr (Sigma_post^-1 + mu I)^-1 is M with n / (sigma^2 + M) replaced by mu + n / (sigma^2 + M), where M depends on mu, too. Its
    derivative at mu = 0 is -tr Sigma_post^2 (THEORY section 9.2).
    """
    at = _unknowns(prior, count, noise, n_task)
    after = _read(prior, n_task, at)
    z = after.unknown
    slope = jnp.concatenate(
        [
            jnp.sum(count * after.variance**2)[None],
            after.learned**2 * jnp.sum(count * prior.learned * z * z, axis=1),
        ]
    )
    squared = _eliminate(_jacobian(prior, count, n_task, at), slope)[0]
    return jnp.sum(count * after.variance), squared


def _read(prior: PriorAfterStageOne, n_task: Scalar, at: Unknowns) -> AfterLabels:
    x, gamma = at[0], at[1:]
    energy = prior.remainder + jnp.sum(gamma[:, None] * prior.learned, axis=0)
    z = x / (x + n_task * energy)
    return AfterLabels(ratio=n_task / x, unknown=z, learned=gamma, variance=energy * z)


def _right_hand_sides(
    prior: PriorAfterStageOne, count: Float[Array, " node"], noise: Scalar, n_task: Scalar, at: Unknowns
) -> Unknowns:
    after = _read(prior, n_task, at)
    seen = after.ratio * jnp.sum(count * prior.learned * after.unknown, axis=1)
    x = noise + jnp.sum(count * after.variance)
    return jnp.concatenate([x[None], 1.0 / (1.0 + seen)])


@jax.custom_jvp
def _unknowns(prior: PriorAfterStageOne, count: Float[Array, " node"], noise: Scalar, n_task: Scalar) -> Unknowns:
    """Return the solution."""

    def improved(at: Unknowns) -> Unknowns:
        return _right_hand_sides(prior, count, noise, n_task, at)

    def unfinished(state: tuple[Array, Unknowns, Scalar]) -> Array:
        return (state[0] < MAX_STEPS) & (state[2] > TOLERANCE)

    def advance(state: tuple[Array, Unknowns, Scalar]) -> tuple[Array, Unknowns, Scalar]:
        step, at, _ = state
        move = _eliminate(_jacobian(prior, count, n_task, at), at - improved(at))
        return step + 1, at - move, jnp.max(jnp.abs(move) / at)

    top = noise + jnp.sum(count * (prior.remainder + jnp.sum(prior.learned, axis=0)))
    start = jnp.concatenate([top[None], jnp.ones(prior.learned.shape[0])])
    near = jax.lax.fori_loop(0, PLAIN_STEPS, lambda _, at: improved(at), start)
    return jax.lax.while_loop(unfinished, advance, (jnp.zeros((), dtype=int), near, jnp.ones(())))[1]


@_unknowns.defjvp
def _(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Unknowns, Unknowns]:
    """Implicit function theorem: the solution moves by the inverse Jacobian times what moves the right-hand sides."""
    prior, count, _, n_task = primals
    at = _unknowns(*primals)

    def right_hand_sides(*given: Any) -> Unknowns:
        return _right_hand_sides(*given, at=at)

    _, moved = jax.jvp(right_hand_sides, primals, tangents)
    return at, _eliminate(_jacobian(prior, count, n_task, at), moved)


def _jacobian(
    prior: PriorAfterStageOne, count: Float[Array, " node"], n_task: Scalar, at: Unknowns
) -> Float[Array, "unknown unknown"]:
    """Return the derivative of unknowns minus right-hand sides: an M-matrix (off-diagonal at most 0, inverse at least 0)."""
    after = _read(prior, n_task, at)
    x, z, rest = at[0], after.unknown, count * after.ratio * after.unknown
    # gamma_j at the right-hand side, which is not yet at[1 + j] during the iteration
    seen = prior.learned * rest
    gamma = 1.0 / (1.0 + jnp.sum(seen, axis=1))
    by_x = jnp.concatenate(
        [
            jnp.sum(count * after.variance * (1.0 - z))[None] / x,
            gamma**2 * jnp.sum(seen * z, axis=1) / x,
        ]
    )
    common = (seen * after.ratio * z) @ prior.learned.T
    by_gamma = jnp.concatenate([jnp.sum(prior.learned * count * z * z, axis=1)[None], gamma[:, None] ** 2 * common])
    return jnp.eye(at.shape[0]) - jnp.concatenate([by_x[:, None], by_gamma], axis=1)


def _eliminate(matrix: Float[Array, "unknown unknown"], value: Unknowns) -> Unknowns:
    """Solve a small linear system by Gauss-Jordan elimination, vectorised over a batch.

    An M-matrix needs no pivots, and LAPACK would solve one system of a batch after the other. Each step uses the first row, and
    rotates the table so that the next one comes first.
    """

    def step(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        table, side = state
        row, entry, column = table[0] / table[0, 0], side[0] / table[0, 0], table[1:, 0]
        table = jnp.concatenate([table[1:] - column[:, None] * row, row[None]])
        side = jnp.concatenate([side[1:] - column * entry, entry[None]])
        return (jnp.roll(table, -1, axis=1), side), None

    return jax.lax.scan(step, (matrix, value), None, length=value.shape[0])[0][1]
