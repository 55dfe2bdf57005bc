"""The sampler's coordinate leaves the distribution as it is, and jumps cross between a peak and a plateau."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from numpyro.infer import MCMC, NUTS
from scipy import integrate, stats

from brainworth.design.posterior.archive import mixing
from brainworth.models.posterior.chains import Chains, Mixing
from brainworth.models.posterior.inference import ENOUGH, MIXED
from brainworth.models.posterior.jumps import JumpingNUTS, mixture
from brainworth.models.posterior.stretched import StretchedNormal, from_coordinate, to_coordinate

KNEE, MIDDLE, SPREAD = -1.0, -4.0, 2.3
HEIGHT = 6.0
"""Log likelihood at the peak; 0 on the plateau."""


@pytest.mark.parametrize("knee", [-8.0, -1.0, 3.0])
def test_coordinate_is_inverted(knee: float) -> None:
    value = jnp.linspace(-30.0, 20.0, 501)
    coordinate = to_coordinate(value, jnp.asarray(knee))
    np.testing.assert_allclose(from_coordinate(coordinate, jnp.asarray(knee)), value, atol=1e-9)
    assert np.all(np.diff(np.asarray(coordinate)) > 0)


def test_stretched_normal_is_the_normal_of_log_phi() -> None:
    """Its density integrates to 1 and its draws, mapped back, are normal: Kolmogorov-Smirnov, false alarm 1 in 1,000."""
    found = StretchedNormal(MIDDLE, SPREAD, KNEE)
    grid = jnp.linspace(-30.0, 30.0, 200_001)
    assert integrate.trapezoid(np.exp(np.asarray(found.log_prob(grid))), grid) == pytest.approx(1.0, abs=1e-6)
    draws = from_coordinate(found.sample(jax.random.key(0), (4000,)), jnp.asarray(KNEE))
    assert stats.kstest(np.asarray(draws), stats.norm(MIDDLE, SPREAD).cdf).pvalue > 1e-3


def _log_likelihood(log_phi: Array) -> Array:
    """A flat likelihood with a narrow peak, as that of a latent which a pilot sees."""
    return jnp.logaddexp(0.0, HEIGHT - 0.5 * ((log_phi + 0.3) / 0.3) ** 2)


def _share_on_the_plateau() -> float:
    grid = np.linspace(-25.0, 15.0, 400_001)
    density = np.exp(np.asarray(_log_likelihood(jnp.asarray(grid)))) * stats.norm.pdf(grid, MIDDLE, SPREAD)
    return float(density[grid < -2.0].sum() / density.sum())


def _crossings(*, jumping: bool, seed: int) -> tuple[float, int]:
    """Return the share of 2,000 draws of four elements that lie on the plateau, and how often they cross."""
    shape, knee = (1, 4), jnp.asarray([KNEE])
    own = (jnp.full(shape, MIDDLE), jnp.full(shape, SPREAD))

    def energy(sites: dict[str, Array]) -> Array:
        return -jnp.sum(_log_likelihood(sites["x"]) + jax.scipy.stats.norm.logpdf(sites["x"], *own))

    kernel = JumpingNUTS(energy, "x", *mixture(own, knee)) if jumping else NUTS(potential_fn=energy)
    sampler = MCMC(kernel, num_warmup=300, num_samples=40_000, progress_bar=False)
    sampler.run(jax.random.key(seed), init_params={"x": jnp.zeros(shape)})
    low = np.asarray(sampler.get_samples()["x"]).reshape(-1, 4) < -2.0
    return float(low.mean()), int(np.sum(low[1:] != low[:-1]))


def test_jumps_find_the_weight_of_the_plateau_and_trajectories_do_not() -> None:
    """The share lies within .03 of the integral (hundreds of crossings: a standard error below .01).

    Without jumps hardly any cross.
    """
    share = _share_on_the_plateau()
    assert 0.03 < share < 0.5
    found, crossed = _crossings(jumping=True, seed=1)
    assert found == pytest.approx(share, abs=0.03)
    assert crossed > 300
    assert _crossings(jumping=False, seed=1)[1] < crossed / 5


def _mixing(sites: dict[str, np.ndarray]) -> Mixing:
    return mixing(Chains(sites, {}))


def test_chains_that_stuck_are_seen() -> None:
    rng = np.random.default_rng(0)
    good = {"log_snr": rng.standard_normal((4, 750, 2)), "scale": rng.standard_normal((4, 750))}
    assert _mixing(good).as_good_as(ENOUGH)
    few = _mixing({name: value[:, :150] for name, value in good.items()})
    assert few.as_good_as(MIXED)
    assert not few.as_good_as(ENOUGH)
    shifted = good["log_snr"] + np.array([1.0, 0.0, 0.0, 0.0])[:, None, None] * np.array([0.0, 1.0])
    assert not _mixing(good | {"log_snr": shifted}).as_good_as(MIXED)
    slow = np.repeat(rng.standard_normal((4, 15)), 50, axis=1)
    assert not _mixing(good | {"scale": slow}).as_good_as(MIXED)
    assert not _mixing(good | {"scale": np.full_like(slow, np.nan)}).as_good_as(MIXED)
    thinned = Chains(good, {"energy": good["scale"]}).thinned(3)
    assert thinned.sites["log_snr"].shape == (4, 250, 2)
    np.testing.assert_array_equal(thinned.statistics["energy"], good["scale"][:, ::3])
