"""A normal distribution in a coordinate that is stretched below a knee, so that a sampler crosses a plateau in few steps.

Below a certain signal-to-noise ratio a pilot sees nothing of a latent: the likelihood is flat there, and the prior of log phi goes
on for many units. Above it is a narrow peak. A chain that has wandered onto the plateau takes hundreds of steps to find the peak
again (seen: 60 effective draws of 3,000 in one pilot of ten). With u the sampler's coordinate,

    log phi = knee + u - (STRETCH - 1) softplus(-SHARPNESS u) / SHARPNESS,

which has the slope 1 far above the knee and ``STRETCH`` far below: the plateau is as wide as the peak. The distribution of log phi
is the normal one it was; only the coordinate changes.
"""

from __future__ import annotations

from typing import Any, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.distributions import Distribution, Normal, constraints

STRETCH = 10.0
"""Slope of log phi in the coordinate far below the knee."""
SHARPNESS = 3.0
"""How sharply the slope changes, per unit of log phi."""
_NEWTON = 25
"""Steps to invert the coordinate: it is concave, and Newton's method converges from below."""


def from_coordinate(coordinate: Float[Array, "..."], knee: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return log phi at a coordinate."""
    below = jax.nn.softplus(-SHARPNESS * coordinate) / SHARPNESS
    return knee + coordinate - (STRETCH - 1.0) * below


def slope(coordinate: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return d log phi / d coordinate."""
    return 1.0 + (STRETCH - 1.0) * jax.nn.sigmoid(-SHARPNESS * coordinate)


def to_coordinate(value: Float[Array, "..."], knee: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return the coordinate of log phi."""
    above = value - knee
    start = jnp.maximum(above, above / STRETCH)

    def step(_: int, at: Array) -> Array:
        return at + (value - from_coordinate(at, knee)) / slope(at)

    return jax.lax.fori_loop(0, _NEWTON, step, start)


class StretchedNormal(Distribution):
    """The coordinate of a normal log phi.

    Parameters
    ----------
    loc, scale : arrays
        Mean and standard deviation of log phi.
    knee : array
        Where the slope of the coordinate changes.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "knee": constraints.real}  # noqa: RUF012
    support: Any = constraints.real  # pyright: ignore[reportIncompatibleMethodOverride]  (as all of numpyro's)
    reparametrized_params = ["loc", "scale", "knee"]  # noqa: RUF012

    def __init__(self, loc: Any, scale: Any, knee: Any, *, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.knee = jnp.broadcast_arrays(loc, scale, knee)
        super().__init__(jnp.shape(self.loc), (), validate_args=validate_args)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Array:
        """Return coordinates of normal draws."""
        value = cast("Array", Normal(self.loc, self.scale).sample(key, sample_shape))
        return to_coordinate(value, self.knee)

    def log_prob(self, value: Any, intermediates: Any = None) -> Array:  # noqa: ARG002  (the signature of numpyro)
        """Return the log density of a coordinate: that of log phi, and the slope."""
        log_phi = from_coordinate(value, self.knee)
        return cast("Array", Normal(self.loc, self.scale).log_prob(log_phi)) + jnp.log(slope(value))
