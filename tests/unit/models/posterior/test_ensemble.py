"""Chains that step together: they draw from the distribution that they are given, stop when they have enough, repeat themselves.

Where the energy is that of the prior alone, the truth is known without a sampler: ``sample_prior`` draws every site from NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.diagnostics import effective_sample_size
from numpyro.infer.util import potential_energy

from brainworth.design.posterior.archive import mixing
from brainworth.models.pilot.summary import SummarisedPilot
from brainworth.models.posterior import ensemble, inference
from brainworth.models.posterior.chains import Chains, Mixing
from brainworth.models.posterior.density import data_of
from brainworth.models.posterior.ensemble import CHAINS, PIECE, sample_together
from brainworth.models.posterior.hierarchy import pilot_prior
from brainworth.models.posterior.inference import SamplerOptions, sample_mixed, sample_posterior
from brainworth.models.posterior.prior_draws import sample_prior
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.programs import program

LATENTS, PEOPLE = 2, 3
PRIORS = PriorScales(jnp.log(jnp.array([0.5])), jnp.array([1.65]), jnp.array([0.6]), jnp.array([2.0, 3.0]))
SITES = ("log_snr", "loading", "explainable", "scale", "brain_exponent", "gain")
LIMIT = 4.5
"""Standard errors; 26 numbers are compared, false-alarm rate 2e-4."""


@pytest.fixture
def prior_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The energy is that of the prior; programs are compiled anew before and after, and none is stored."""

    def energy_of(n_latents: int) -> Callable[[Any, Any], Any]:
        return lambda sites, data: potential_energy(pilot_prior, (*data[1:], n_latents), {}, sites)

    monkeypatch.setattr(program, "_stores", [])
    monkeypatch.setattr(ensemble, "energy_and_slope", energy_of)
    ensemble.piece.cache_clear()
    yield
    ensemble.piece.cache_clear()


def _drawn(summary: SummarisedPilot, pieces: int, seed: int = 0) -> Chains:
    data = data_of(summary.evidence, PRIORS, summary.modality_of)
    return sample_together(data, LATENTS, PEOPLE, seed, enough=lambda _: False, most=pieces)


def _apart(chains: Chains, other: dict[str, np.ndarray]) -> float:
    """Return by how many standard errors means of sites, or of their squares, differ at most; ``other`` is (chain, draw, ...)."""
    worst = 0.0
    for name in SITES:
        for power in (1, 2):
            pair = [part.reshape(*part.shape[:2], -1) ** power for part in (chains.sites[name], other[name])]
            error = sum(part.var(axis=(0, 1)) / np.asarray(effective_sample_size(part)) for part in pair)
            between = np.abs(pair[0].mean(axis=(0, 1)) - pair[1].mean(axis=(0, 1)))
            worst = max(worst, float(np.max(between / np.sqrt(error))))
    return worst


def _prior(summary: SummarisedPilot) -> dict[str, np.ndarray]:
    draws = sample_prior(PRIORS, summary.modality_of, LATENTS, 1, 8000)
    return {name: value.reshape(4, 2000, *value.shape[1:]) for name, value in draws.items()}


@pytest.mark.usefixtures("prior_alone")
def test_draws_follow_a_known_distribution(summary: SummarisedPilot) -> None:
    assert _apart(_drawn(summary, 40), _prior(summary)) < LIMIT


@pytest.mark.usefixtures("prior_alone")
def test_jumps_that_forget_what_they_propose_draw_something_else(
    summary: SummarisedPilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrong twin: jumps taken by the energy alone."""
    right = ensemble.proposals

    def wrong(priors: PriorScales, n_latents: int) -> tuple[Any, Any]:
        return right(priors, n_latents)[0], lambda value, *_: 0.0 * value

    monkeypatch.setattr(ensemble, "proposals", wrong)
    ensemble.piece.cache_clear()
    assert _apart(_drawn(summary, 40), _prior(summary)) > 2.0 * LIMIT


def test_posterior_is_that_of_nuts(summary: SummarisedPilot) -> None:
    options = SamplerOptions(n_warmup=300, n_draws=700, n_chains=2)
    nuts = sample_posterior(summary.evidence, PRIORS, summary.modality_of, LATENTS, 0, options)
    assert _apart(_drawn(summary, 20), nuts.sites) < LIMIT


def test_the_same_seed_draws_the_same_and_more_draws_change_none(summary: SummarisedPilot) -> None:
    first, again, more = (_drawn(summary, pieces) for pieces in (1, 1, 3))
    assert more.n_draws == 3 * first.n_draws == 3 * PIECE
    for name in SITES:
        assert np.array_equal(first.sites[name], again.sites[name])
        assert np.array_equal(first.sites[name], more.sites[name][:, :PIECE])
    assert not np.array_equal(_drawn(summary, 1, seed=1).sites["scale"], first.sites["scale"])


def test_sampling_stops_when_draws_are_enough(summary: SummarisedPilot) -> None:
    asked: list[int] = []

    def enough(chains: Chains) -> bool:
        asked.append(chains.n_draws)
        return len(asked) == 2

    data = data_of(summary.evidence, PRIORS, summary.modality_of)
    chains = sample_together(data, LATENTS, PEOPLE, 0, enough, most=5)
    assert asked == [PIECE, 2 * PIECE]
    assert chains.sites["log_snr"].shape == (CHAINS, 2 * PIECE, 1, LATENTS)


def test_a_plan_gets_as_many_draws_as_it_needs(summary: SummarisedPilot) -> None:
    chains = sample_mixed(summary.evidence, PRIORS, summary.modality_of, LATENTS, 0, mixing)
    assert mixing(chains).as_good_as(inference.ENOUGH)
    assert inference.FEWEST * PIECE <= chains.n_draws <= inference.KEPT


def test_chains_that_do_not_mix_give_way_to_longer_ones_of_nuts(
    summary: SummarisedPilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = SamplerOptions(n_warmup=300, n_draws=700, n_chains=2)
    monkeypatch.setattr(inference, "MOST", 1)
    monkeypatch.setattr(inference, "MIXED", Mixing(rhat=1.0, ess_bulk=np.inf, ess_tail=np.inf))
    monkeypatch.setattr(inference, "LONGER", options)
    chains = sample_mixed(summary.evidence, PRIORS, summary.modality_of, LATENTS, 0, mixing)
    nuts = sample_posterior(summary.evidence, PRIORS, summary.modality_of, LATENTS, 0, options)
    assert np.array_equal(chains.sites["scale"], nuts.sites["scale"][:, :: inference.KEEP_EVERY])
