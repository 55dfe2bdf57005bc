"""The total signal-to-noise ratio of prior draws has the quantiles that were stated."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from brainworth.models.posterior.prior_draws import sample_prior
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.posterior.total_snr import prior_of_total


@pytest.mark.parametrize("n_latents", [1, 4])
@pytest.mark.parametrize(("ends", "levels"), [((0.1, 1.5), (0.5, 0.95)), ((0.02, 0.5), (0.05, 0.95))])
def test_prior_draws_have_the_stated_total(
    ends: tuple[float, float], levels: tuple[float, float], n_latents: int
) -> None:
    """4,000 draws: the share below a quantile is within four standard errors of its level (false alarms: 0.05 %)."""
    level, scale = prior_of_total(ends, levels, n_latents)
    one = jnp.ones(1)
    priors = PriorScales(level * one, scale * one, 0.6 * one, jnp.array([0.5, 0.75]))
    total = np.exp(sample_prior(priors, np.zeros(0, dtype=int), n_latents, 3, 4000)["log_snr"]).sum(axis=(1, 2))
    for end, probability in zip(ends, levels, strict=True):
        error = np.sqrt(probability * (1.0 - probability) / total.size)
        assert np.mean(total < end) == pytest.approx(probability, abs=4.0 * error)


def test_one_latent_is_log_normal() -> None:
    level, scale = prior_of_total((0.2, 3.0), (0.5, 0.95), 1)
    assert level == pytest.approx(np.log(0.2), abs=2e-3)
    assert scale == pytest.approx(np.log(15.0) / norm.ppf(0.95), rel=2e-3)


def test_more_latents_are_each_weaker() -> None:
    levels = [prior_of_total((0.1, 1.5), (0.5, 0.95), k)[0] for k in (1, 2, 4, 8)]
    assert np.all(np.diff(levels) < 0.0)


def test_quantiles_that_fall_are_refused() -> None:
    with pytest.raises(ValueError, match="must rise"):
        prior_of_total((1.0, 0.5), (0.05, 0.95), 4)
