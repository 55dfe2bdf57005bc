"""What presentations of one stimulus have in common: nothing where features explain all, found where they do not."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.learner.learner import BrainInformedRegressor
from brainworth.models.pilot.likeness import LEVELS, UNKNOWN, Presentations, likeness, precision_of_mean
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.summary import summarise
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.system import Design, Spectrum, System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, simulate_study

SEEN, N = 40, 240


def _presentations(seed: int, share: float, times: int, snr: float = 1.0) -> tuple[Presentations, np.ndarray]:
    """Return read-outs of one latent by the model itself, and the features."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((N, SEEN))
    latent = features @ rng.standard_normal(SEEN) / np.sqrt(SEEN)
    stimulus = np.tile(np.arange(N), times)
    common, own = np.sqrt(share) * rng.standard_normal(N), np.sqrt(1.0 - share) * rng.standard_normal(N * times)
    readout = 3.0 * (np.sqrt(snr) * latent[stimulus] + common[stimulus] + own)  # the scale is unknown to the estimate
    return Presentations(stimulus, readout[:, None], np.ones(N * times)), features


def _estimates(share: float, times: int) -> list[tuple[float, float]]:
    found = []
    for seed in range(30):
        shown, features = _presentations(seed, share, times)
        one = likeness(shown, 1, (features, np.full(SEEN, 1.0 / SEEN)))
        found.append((one.share, one.error))
    return found


@pytest.mark.parametrize(("share", "times"), [(0.15, 3), (0.4, 6)])
def test_the_share_is_found_with_its_error(share: float, times: int) -> None:
    """30 worlds; the mean lies within 4 standard errors (false alarms: 1 in 15,000) and the stated error is right to 40 %."""
    shares, errors = np.array(_estimates(share, times)).T
    assert abs(shares.mean() - share) < 4.0 * shares.std() / np.sqrt(shares.size)
    assert 0.6 < shares.std() / np.median(errors) < 1.67


def test_nothing_in_common_is_found_where_nothing_is() -> None:
    """Most estimates are exactly 0, and none of 30 is 4 standard errors above it (false alarms: 1 in 1,000)."""
    shares, errors = np.array(_estimates(0.0, 4)).T
    assert np.mean(shares == 0.0) > 0.3
    assert np.all(shares < 4.0 * np.median(errors))


def test_without_the_features_the_latent_itself_looks_like_lack_of_fit() -> None:
    """The wrong twin: an intraclass correlation of the read-outs, blind to what the features explain."""
    shown, features = _presentations(0, 0.0, 4)
    blind = likeness(shown, 1, (np.random.default_rng(1).standard_normal(features.shape), np.full(SEEN, 1.0 / SEEN)))
    assert blind.share > 0.3


def test_nothing_is_known_without_a_second_presentation_or_a_latent() -> None:
    shown, features = _presentations(0, 0.3, 1)
    assert likeness(shown, 1, (features, np.ones(SEEN))) == UNKNOWN
    shown, features = _presentations(0, 0.3, 3)
    assert likeness(shown, 0, (features, np.ones(SEEN))) == UNKNOWN


def test_a_mean_is_worth_between_one_and_all_of_its_presentations() -> None:
    mass = np.array([1.0, 2.0, 50.0])
    assert precision_of_mean(mass, 0.0).tolist() == mass.tolist()
    assert precision_of_mean(mass, 1.0).tolist() == [1.0, 1.0, 1.0]
    assert precision_of_mean(mass, 0.2)[2] == pytest.approx(1.0 / (0.2 + 0.8 / 50.0))


SYSTEM = System(
    spectrum=Spectrum(jnp.ones(SEEN), jnp.ones(SEEN)),
    signal_variance=jnp.asarray(1.0),
    noise_variance=jnp.asarray(1.0),
    alignment=jnp.asarray([0.5]),
    snr=jnp.asarray([[0.5]]),
    channels=jnp.asarray([10.0]),
    brain_exponent=jnp.asarray(0.0),
    task_exponent=jnp.asarray(0.0),
)


def _design(people: float, shared_noise: float | None) -> Design:
    one = jnp.ones(1)
    common = None if shared_noise is None else shared_noise * one
    return Design(200.0 * people * one, jnp.asarray(50.0), people * one, one, one, common)


def _learned(people: float, shared_noise: float | None) -> float:
    return float(encode(SYSTEM, _design(people, shared_noise)).encoding_r2[0])


def test_people_who_see_the_same_are_worth_less_where_they_are_alike() -> None:
    """Nothing in common is the plain theory; all in common makes further people of little use; in between lies between."""
    assert _learned(8, 0.0) == pytest.approx(_learned(8, None), rel=1e-12)
    by_share = [_learned(8, share) for share in (0.0, 0.1, 0.3, 0.6, 0.95)]
    assert by_share == sorted(by_share, reverse=True)
    assert by_share[0] > by_share[-1] + 0.1


@pytest.mark.parametrize("shared_noise", [0.0, 0.05, 0.3, 0.9])
def test_more_people_never_teach_less(shared_noise: float) -> None:
    """What the bound of the allocation rests on."""
    by_people = [_learned(people, shared_noise) for people in (1, 2, 4, 8, 16, 64)]
    assert by_people == sorted(by_people)


def test_the_formula_is_what_the_encoder_reaches_and_independent_noise_is_not() -> None:
    """Ten people, of whose 100 features 40 are not measured: c^2 of the executed encoder, mean of 12 worlds, within 0.08.

    The wrong twin takes the same noise for independent, and is off by more than 0.15.
    """
    seen, hidden, people, n, snr = 60, 40, 10.0, 150, 0.6
    whole = replace(
        SYSTEM, spectrum=Spectrum(jnp.ones(seen + hidden), jnp.ones(seen + hidden)), snr=jnp.asarray([[snr]])
    )
    size = StudySize((SourceSize("EEG", int(people) * n, people=int(people), shared=True),), 30, 400)
    reached = []
    for seed in range(12):
        pilot, truth = simulate_study(whole, size, seed, Realism(rotate=False))
        brain = [(pilot.features[r.stimulus, :seen], r.in_memory) for r in pilot.recordings]
        labelled = pilot.features[pilot.label_stimulus, :seen]
        model = BrainInformedRegressor(n_latents=1).fit(labelled, pilot.label, brain=brain)
        assert model.encoder_ is not None
        found, true = model.basis_.raw_coefficients(model.encoder_.maps)[:, 0], truth.latent_maps[:seen, 0]
        reached.append((found @ true) ** 2 / (found @ found) / (true @ true))
    share = snr * hidden / (seen + hidden)
    one = replace(SYSTEM, spectrum=Spectrum(jnp.ones(seen), jnp.ones(seen)))
    one = replace(one, snr=jnp.asarray([[snr * seen / (seen + hidden) / (1.0 + share)]]))
    ones = jnp.ones(1)
    expected = [
        float(
            encode(
                one, Design(n * people * ones, jnp.asarray(0.0), people * ones, ones, ones, kappa * ones)
            ).encoding_r2[0]
        )
        for kappa in (share / (1.0 + share), 0.0)
    ]
    assert np.mean(reached) == pytest.approx(expected[0], abs=0.08)
    assert expected[1] - np.mean(reached) > 0.15


def _with_hidden_features(seed: int, hidden: int) -> Pilot:
    """Return a pilot of four people who saw the same stimuli, of whose features some were never measured."""
    spectrum = Spectrum(jnp.ones(SEEN + hidden), jnp.ones(SEEN + hidden))
    system = replace(SYSTEM, spectrum=spectrum, snr=jnp.asarray([[1.0]]))
    size = StudySize((SourceSize("EEG", 4 * N, people=4, shared=True),), 60, N)
    pilot, _ = simulate_study(system, size, seed, Realism(rotate=False))
    return replace(pilot, features=pilot.features[:, :SEEN])


def test_unmeasured_features_are_lack_of_fit() -> None:
    """Half of the latent is in unmeasured features: kappa is near phi / (2 + phi) = 1/3 of the noise; without, near 0."""
    found = [
        [summarise(_with_hidden_features(seed, h), ("EEG",), 1, 0).likeness[0].share for seed in range(3)]
        for h in (0, SEEN)
    ]
    assert max(found[0]) < 0.08
    assert np.mean(found[1]) == pytest.approx(1.0 / 3.0, abs=0.12)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_quantiles_of_kappa_hold_the_truth_as_often_as_they_say(share: float) -> None:
    """30 worlds; misses of the middle 12/14 are binomial(30, 1/7): more than 12 have probability 0.03 %.

    At a true share of 0 the lower end is a boundary: the truth may lie below the lowest quantile by less than 0.05.
    """
    misses = 0
    for seed in range(30):
        shown, features = _presentations(seed, share, 4)
        found = likeness(shown, 1, (features, np.full(SEEN, 1.0 / SEEN)))
        low, high = found.quantiles[0], found.quantiles[-1]
        assert np.all(np.diff(found.quantiles) >= 0.0)
        misses += not (low - 0.05 * (share == 0.0)) <= share <= high
    assert misses <= 12


def test_draws_follow_the_quantiles() -> None:
    """10,000 draws; the share below each inner quantile is within five standard errors, 0.025."""
    shown, features = _presentations(0, 0.3, 4)
    found = likeness(shown, 1, (features, np.full(SEEN, 1.0 / SEEN)))
    drawn = found.draws(10_000, np.random.default_rng(0))
    for level, quantile in list(zip(LEVELS, found.quantiles, strict=True))[1:-1]:
        assert np.mean(drawn < quantile) == pytest.approx(level, abs=0.025)
    assert np.all(UNKNOWN.draws(5, np.random.default_rng(0)) == 0.0)


def test_kappa_of_a_system_counts_before_that_of_the_design() -> None:
    """A draw's own kappa gives what the same kappa of the design gives."""
    own = replace(SYSTEM, shared_noise=jnp.asarray([0.4]))
    expected = np.asarray(encode(SYSTEM, _design(8.0, 0.4)).encoding_r2)
    assert np.asarray(encode(own, _design(8.0, 0.1)).encoding_r2) == pytest.approx(expected, rel=1e-12)
