"""What the features do not explain of a response and of a label may be the same thing; it must not pass for signal or alignment.

Stimuli have properties that no feature measures, which show in the recordings and in the labels. Latents that are fitted to the
response to a stimulus hold some of them, and would seem to predict its label.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from numpy.typing import NDArray

from brainworth.models.pilot.beyond import Place, smoothed
from brainworth.models.pilot.evidence import UNKNOWN_NOISE
from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.pilot.sources import pilot_sources
from brainworth.models.pilot.summary import SummarisedPilot, summarise
from brainworth.models.posterior.likelihoods import as_whitened, pilot_design, task_log_likelihood
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.system import System

STIMULI, FEATURES, CHANNELS, PEOPLE = 80, 40, 8, 4
SHARE = 1.0 / 2.25
"""Of the label variance that the features explain."""
WORLDS = 16


def pilot(seed: int, *, elsewhere: bool = False) -> tuple[Pilot, NDArray[np.float64]]:
    """Return a pilot of four people who saw what was labelled, or other stimuli, and what no feature measures of them.

    Label and response have the same measured part, of variance 1, and the same unmeasured one, as large.
    """
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((2 * STIMULI, FEATURES))
    measured = features @ rng.standard_normal(FEATURES) / np.sqrt(FEATURES)
    unmeasured = rng.standard_normal(2 * STIMULI)
    seen, labelled = np.arange(STIMULI), np.arange(STIMULI) + (STIMULI if elsewhere else 0)
    people = tuple(
        Recording(
            "EEG",
            f"p{i}",
            seen,
            np.outer((measured + unmeasured)[seen], rng.standard_normal(CHANNELS))
            + rng.standard_normal((STIMULI, CHANNELS)),
        )
        for i in range(PEOPLE)
    )
    label = measured + unmeasured + 0.5 * rng.standard_normal(2 * STIMULI)
    return Pilot(features, np.arange(2 * STIMULI), people, labelled, label[labelled]), unmeasured


@cache
def summary(seed: int, *, elsewhere: bool = False) -> SummarisedPilot:
    return summarise(pilot(seed, elsewhere=elsewhere)[0], ("EEG",), 1, 0)


def likeliest(found: SummarisedPilot, *, beyond: bool) -> tuple[float, float]:
    """Return the explained share of largest likelihood, the rest of the parameters as they are, and the ratio of the residual."""
    evidence = found.evidence

    def value(share: Array, ratio: Array) -> Array:
        system = System(
            spectrum=evidence.spectrum,
            signal_variance=share,
            noise_variance=1.0 - share,
            alignment=jnp.asarray([0.99]),
            snr=jnp.asarray([[CHANNELS / (CHANNELS + 1.0)]]),
            channels=evidence.brain.channels,
            brain_exponent=jnp.asarray(1.0),
            task_exponent=jnp.asarray(1.0),
        )
        brain = replace(evidence.brain, shared_noise=jnp.asarray([CHANNELS / (CHANNELS + 1.0)]))
        encoding = encode(as_whitened(system, evidence.brain.efficiency), pilot_design(brain))
        loading = jnp.sqrt(jnp.asarray([0.99 / 0.01]))
        sign = jnp.sign(jnp.sum(evidence.task.label[3] * evidence.task.predicted[3, :, 0]))
        rows = task_log_likelihood(evidence, system, encoding, sign * loading, jnp.ones(1), sign * ratio[None])
        return rows[3]

    shares, ratios = jnp.linspace(0.05, 0.95, 46), jnp.linspace(0.0, 4.0, 33) if beyond else jnp.zeros(1)
    grid = jax.jit(jax.vmap(jax.vmap(value, in_axes=(None, 0)), in_axes=(0, None)))(shares, ratios)
    place = np.unravel_index(int(jnp.argmax(grid)), grid.shape)
    return float(shares[place[0]]), float(ratios[place[1]])


def test_what_no_feature_measures_is_not_counted_as_signal() -> None:
    """Likeliest explained share over 16 pilots: within three standard errors of the truth, .44 (false alarms: 0.3 %).

    With a likelihood that leaves the residual of the response out, it is .1 and more than three standard errors above.
    """
    honest = np.array([likeliest(summary(seed), beyond=True)[0] for seed in range(WORLDS)])
    twin = np.array([likeliest(summary(seed), beyond=False)[0] for seed in range(WORLDS)])
    error = honest.std(ddof=1) / np.sqrt(WORLDS), twin.std(ddof=1) / np.sqrt(WORLDS)
    assert abs(honest.mean() - SHARE) < 3.0 * error[0]
    assert twin.mean() - SHARE > 3.0 * error[1]
    assert twin.mean() > honest.mean() + 0.1


def test_the_noise_of_the_read_outs_is_known_in_units_of_the_latent() -> None:
    """1.02 by construction; the median over pilots is within a fifth of it."""
    noise = [float(np.asarray(summary(seed).evidence.task.beyond.noise)[0]) for seed in range(WORLDS)]
    assert np.median(noise) == pytest.approx(1.02, rel=0.2)


def test_the_residual_is_what_no_feature_measures() -> None:
    """Its correlation with the truth, outside and inside of the features' span; that of two things without relation is .11."""
    for seed in range(4):
        study, unmeasured = pilot(seed)
        found = summary(seed)
        assert found.readouts is not None
        place = Place(found.basis.transform(study.features), found.variance, 1.0)
        sources = pilot_sources(study, found.basis, np.zeros(len(study.features), dtype=int), (None,) * PEOPLE)
        rest = smoothed(sources, found.readouts, place).rest[:STIMULI, 0]
        assert abs(np.corrcoef(rest, unmeasured[:STIMULI])[0, 1]) > 0.6


def test_labels_of_other_stimuli_have_nothing_in_common_with_the_residual() -> None:
    beyond = summary(0, elsewhere=True).evidence.task.beyond
    assert float(beyond.seen) == 0.0
    assert np.all(np.asarray(beyond.inside) == 0.0)
    assert np.all(np.asarray(beyond.label) == 0.0)


def test_nothing_is_smoothed_without_a_confirmed_latent() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((STIMULI, FEATURES))
    person = Recording("EEG", "a", np.arange(STIMULI), rng.standard_normal((STIMULI, CHANNELS)))
    study = Pilot(features, np.arange(STIMULI), (person,), np.arange(STIMULI), rng.standard_normal(STIMULI))
    found = summarise(study, ("EEG",), 2, 0)
    assert found.readouts is not None
    assert found.readouts.confirmed == 0
    place = Place(found.basis.transform(features), found.variance, 1.0)
    assert smoothed((), found.readouts, place).latents.shape == (STIMULI, 0)
    assert np.all(np.asarray(found.evidence.task.beyond.noise) == UNKNOWN_NOISE)
