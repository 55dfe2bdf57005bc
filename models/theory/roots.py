"""One scalar root finder for every fixed point of the theory.

In: a function f on the unit interval that is positive left of its root and negative right of it. Out: the root, by Newton steps
kept inside a shrinking bracket, differentiable by the implicit function theorem (``jax.lax.custom_root``: no unrolled loop,
forward and reverse mode). A double root (an encoder exactly at its detection threshold) converges by bisection only; the loop is
bounded and ends within 2^-60 of it.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = Float[Array, ""]

MAX_STEPS = 64
TOLERANCE = 1e-13


def unit_root(f: Callable[[Scalar], Scalar], start: Scalar) -> Scalar:
    """Return the root in [0, 1] of a function that is positive left of its root and negative right of it.

    Parameters
    ----------
    f : callable
        Scalar function on [0, 1]; may close over values that are differentiated.
    start : scalar
        First guess, inside [0, 1]; not differentiated.

    Returns
    -------
    scalar
        Root with relative error about 1e-12; 0 or 1 if the sign does not change inside.
    """

    def solve(function: Callable[[Scalar], Scalar], guess: Scalar) -> Scalar:
        def unfinished(state: tuple[Scalar, Scalar, Scalar, Scalar, Scalar]) -> Array:
            step, _, _, _, change = state
            return (step < MAX_STEPS) & (change > TOLERANCE)

        def advance(
            state: tuple[Scalar, Scalar, Scalar, Scalar, Scalar],
        ) -> tuple[Scalar, Scalar, Scalar, Scalar, Scalar]:
            step, low, high, x, _ = state
            value, slope = jax.jvp(function, (x,), (jnp.ones_like(x),))
            low = jnp.where(value >= 0, x, low)
            high = jnp.where(value <= 0, x, high)
            newton = x - value / jnp.where(slope < 0, slope, -1.0)
            inside = (slope < 0) & (newton >= low) & (newton <= high)
            new = jnp.where(inside, newton, 0.5 * (low + high))
            return step + 1, low, high, new, jnp.abs(new - x) / jnp.maximum(new, 1e-300)

        zero, one = jnp.zeros_like(guess), jnp.ones_like(guess)
        state = (jnp.zeros((), dtype=int), zero, one, jnp.clip(guess, 0.0, 1.0), one)
        return jax.lax.while_loop(unfinished, advance, state)[3]

    def tangent(linear: Callable[[Scalar], Scalar], value: Scalar) -> Scalar:
        return value / linear(jnp.ones_like(value))

    return jax.lax.custom_root(f, jax.lax.stop_gradient(start), solve, tangent)
