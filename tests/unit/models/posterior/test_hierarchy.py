"""The hierarchical model: what is integrated out equals the integral, and what nothing tells of stays with its prior."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from brainworth.design.common.program_folder import ProgramFolder
from brainworth.models.pilot.evidence import EXPONENTS
from brainworth.models.pilot.summary import SummarisedPilot
from brainworth.models.pilot.typed_labels import SHARES
from brainworth.models.posterior import ensemble
from brainworth.models.posterior.chains import Chains
from brainworth.models.posterior.density import data_of, drawn_from_grid
from brainworth.models.posterior.ensemble import CHAINS, PIECE, sample_together
from brainworth.models.posterior.hierarchy import SCALE_SPREAD, shared_ratio
from brainworth.models.posterior.likelihoods import SLOPE_LEVEL, UNKNOWN_SLOPE, slope_log_likelihood
from brainworth.models.posterior.prior_draws import sample_prior
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.programs import program

PRIORS = PriorScales(jnp.log(jnp.array([0.5])), jnp.array([1.65]), jnp.array([0.6]), jnp.array([0.5, 0.75]))


def _one_piece(summary: SummarisedPilot) -> Chains:
    data = data_of(summary.evidence, PRIORS, summary.modality_of)
    return sample_together(data, 2, 3, 0, enough=lambda _: True, most=1)


def _by_hand(brain: object, gain: np.ndarray, people: int) -> np.ndarray:
    """Return the log density of the slopes under the joint Gaussian, up to the errors' own determinant."""
    slope, error = np.asarray(brain.slope)[:people], np.asarray(brain.slope_error)[:people]  # type: ignore[attr-defined]
    pattern = np.exp(0.5 * (gain - gain.mean()))
    found = []
    for j in range(slope.shape[1]):
        covariance = np.diag(error[:, j] ** 2) + SLOPE_LEVEL**2 * np.outer(pattern, pattern)
        density = multivariate_normal.logpdf(slope[:, j], np.zeros(people), covariance)  # pyright: ignore[reportArgumentType]
        found.append(density + np.sum(np.log(error[:, j])) + 0.5 * people * np.log(2.0 * np.pi))
    return np.array(found)


def test_level_of_slopes_is_integrated_out(summary: SummarisedPilot) -> None:
    brain, gain = summary.evidence.brain, np.array([0.3, -0.4, 0.6])
    found = slope_log_likelihood(brain, jnp.asarray(gain), jnp.asarray(summary.modality_of))
    assert np.asarray(found)[0] == pytest.approx(_by_hand(brain, gain, 3), rel=1e-9)
    shifted = slope_log_likelihood(brain, jnp.asarray(gain + 1.0), jnp.asarray(summary.modality_of))
    assert np.asarray(shifted) == pytest.approx(np.asarray(found), rel=1e-9)
    other = slope_log_likelihood(brain, jnp.asarray(-3.0 * gain), jnp.asarray(summary.modality_of))
    assert not np.allclose(np.asarray(other), np.asarray(found))


def test_people_of_whom_nothing_is_known_change_nothing(summary: SummarisedPilot) -> None:
    brain, gain = summary.evidence.brain, jnp.asarray([0.3, -0.4, 0.6])
    known = slope_log_likelihood(brain, gain, jnp.asarray(summary.modality_of))
    padded = replace(
        brain,
        slope=jnp.pad(brain.slope, ((0, 5), (0, 0)), constant_values=9.0),
        slope_error=jnp.pad(brain.slope_error, ((0, 5), (0, 0)), constant_values=UNKNOWN_SLOPE),
    )
    more = slope_log_likelihood(padded, jnp.pad(gain, (0, 5), constant_values=2.0), jnp.zeros(8, dtype=int))
    assert np.asarray(more) == pytest.approx(np.asarray(known), rel=1e-4)


def test_log_densities_come_with_the_draws(summary: SummarisedPilot) -> None:
    chains = _one_piece(summary)
    assert {name: value.shape for name, value in chains.log_likelihood.items()} == {
        "brain": (CHAINS, PIECE, 1, 2),
        "slope": (CHAINS, PIECE, 1, 2),
        "task": (CHAINS, PIECE),
    }
    sites = chains.sites
    normal = -0.5 * np.log(2.0 * np.pi)
    assert chains.log_prior["scale"] == pytest.approx(
        -0.5 * (sites["scale"] / SCALE_SPREAD) ** 2 - np.log(SCALE_SPREAD) + normal
    )
    assert chains.log_prior["gain_raw"] == pytest.approx(-0.5 * sites["gain_raw"] ** 2 + normal)
    people = jnp.asarray(summary.modality_of)
    brain = summary.evidence.brain
    first = slope_log_likelihood(brain, jnp.asarray(sites["gain"][0, 0]), people)
    assert chains.log_likelihood["slope"][0, 0] == pytest.approx(np.asarray(first), rel=1e-4)


def test_chains_are_the_same_bit_for_bit_with_a_stored_program(
    summary: SummarisedPilot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled as usual, and traced and stored."""
    found: list[Chains] = []
    for store in ([], [ProgramFolder(tmp_path)]):
        monkeypatch.setattr(program, "_stores", store)
        ensemble.piece.cache_clear()
        found.append(_one_piece(summary))
    assert len(list(tmp_path.iterdir())) == 1
    assert all(np.array_equal(value, found[1].sites[name]) for name, value in found[0].sites.items())


def test_prior_draws_follow_the_prior(summary: SummarisedPilot) -> None:
    """4,000 draws: standard errors of 0.016 of a mean and 0.011 of a spread; limits are five of them."""
    draws = sample_prior(PRIORS, summary.modality_of, 2, 0, n_draws=4000)
    first = (draws["log_snr"][:, 0, 0] - np.log(0.5)) / 1.65
    assert abs(first.mean()) < 0.08
    assert first.std() == pytest.approx(1.0, abs=0.06)
    assert draws["explainable"].mean() == pytest.approx(0.5, abs=0.025)
    assert draws["gain"].shape == (4000, 3)
    assert abs(draws["task_exponent"].mean() - 1.0) < 0.05


def test_shared_noise_may_be_none_however_many_latents() -> None:
    """Prior probability that residuals explain less than 5 % of the labels' noise.

    The wrong twin gives each latent a ratio of its own. 4,000 draws, standard error .007; limits are five of them around
    sqrt(.05) = .22.
    """
    rng = np.random.default_rng(0)
    for latents in (1, 4):
        raw = jnp.asarray(rng.standard_normal((4000, latents)))
        ratio = np.sum(np.asarray(jax.vmap(shared_ratio)(raw)) ** 2, axis=1)
        assert abs(np.mean(ratio / (1.0 + ratio) < 0.05) - 0.22) < 0.035
    each = np.sum(rng.standard_normal((4000, 4)) ** 2, axis=1)
    assert np.mean(each / (1.0 + each) < 0.05) < 0.01


def test_what_is_summed_out_is_drawn_from_its_distribution() -> None:
    """An exponent without types, a share and an exponent with them: 20,000 draws, standard errors below .004."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((SHARES.size, EXPONENTS.size))
    joint = np.exp(logits) / np.exp(logits).sum()
    draws = drawn_from_grid(np.broadcast_to(logits, (4, 5000, *logits.shape)), 0)
    assert set(draws) == {"task_exponent", "type_share"}
    for index, share in enumerate(SHARES):
        assert np.mean(draws["type_share"] == share) == pytest.approx(joint[index].sum(), abs=0.02)
    pair = np.mean((draws["type_share"] == SHARES[2]) & (draws["task_exponent"] == EXPONENTS[4]))
    assert pair == pytest.approx(joint[2, 4], abs=0.02)
    alone = drawn_from_grid(np.broadcast_to(logits[0], (4, 5000, EXPONENTS.size)), 0)
    assert set(alone) == {"task_exponent"}
    first = joint[0] / joint[0].sum()
    assert np.mean(alone["task_exponent"] == EXPONENTS[4]) == pytest.approx(first[4], abs=0.02)
