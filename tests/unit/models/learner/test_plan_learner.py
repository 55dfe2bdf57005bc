"""The told learner: stage 1 reaches the theory, stage 2 is the posterior mean, the estimator does what is rehearsed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning

from brainworth.models.forecast.forecast import Draws
from brainworth.models.learner.belief import Parameters
from brainworth.models.learner.encoder_fit import EncoderEffort, LearnedLatents, Strength, fit_latents
from brainworth.models.learner.plan_learner import PlanLearner
from brainworth.models.learner.task_fit import TaskBelief, fit_task, mixed_alignment
from brainworth.models.pilot.labels import standardised_labels
from brainworth.models.pilot.representation import population_variance, representation_of
from brainworth.models.pilot.within_types import WithinTypes
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.system import Design, Spectrum, System
from brainworth.models.worlds.gram import (
    LabelStatistics,
    SeenStimuli,
    random_patterns,
    simulated_labels,
    simulated_recording,
)
from brainworth.models.worlds.simulate import SourceSize, StudySize, simulate_study


def _system(p: int, exponent: float, snr: list[list[float]], channels: list[float]) -> System:
    k = len(snr[0])
    return System(
        spectrum=Spectrum.power_law(p, exponent),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(2.0),
        alignment=jnp.asarray([0.5, 0.3][:k]),
        snr=jnp.asarray(snr),
        channels=jnp.asarray(channels),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def _known(system: System) -> Parameters:
    one = System(
        spectrum=system.spectrum,
        signal_variance=system.signal_variance[None],
        noise_variance=system.noise_variance[None],
        alignment=system.alignment[None],
        snr=system.snr[None],
        channels=system.channels,
        brain_exponent=system.brain_exponent[None],
        task_exponent=system.task_exponent[None],
    )
    return Parameters.of(Draws(one, jnp.ones((1, len(system.channels), 64))))


@pytest.mark.parametrize("noise_rounds", [0, 1])
@pytest.mark.parametrize(("exponent", "samples"), [(0.0, [600]), (1.0, [600]), (0.5, [400, 300])])
def test_stage_one_reaches_the_theory(exponent: float, samples: list[int], noise_rounds: int) -> None:
    snr = np.array([[2.0, 0.7], [0.3, 1.5]])[: len(samples)]
    channels = [20, 30][: len(samples)]
    system = _system(100, exponent, snr.tolist(), [float(q) for q in channels])
    theory = np.asarray(jax.jit(encode)(system, Design.simple([float(n) for n in samples], 0.0)).encoding_r2)
    h = np.asarray(system.brain_shares)
    reached, said = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        maps = rng.standard_normal((100, 2)) * np.sqrt(h)[:, None]
        sources = [
            simulated_recording(rng, SeenStimuli.drawn(rng, n, 100), maps, random_patterns(rng, q, row))
            for n, q, row in zip(samples, channels, snr, strict=True)
        ]
        learned = fit_latents(
            sources, h, Strength(snr, np.zeros(len(sources))), EncoderEffort(noise_rounds=noise_rounds)
        )
        sign = np.sign(np.sum(learned.maps * maps, axis=0))
        reached.append(1.0 - np.sum((sign * learned.maps - maps) ** 2, axis=0))
        said.append(1.0 - learned.variance.sum(axis=0))
    # Latents of one world are not quite uncorrelated, and found turned into each other by about k / p.
    np.testing.assert_allclose(np.mean(reached, axis=0), theory, atol=0.07)
    np.testing.assert_allclose(np.mean(said, axis=0), theory, atol=0.05)


def test_nothing_is_learned_of_a_latent_that_is_not_there() -> None:
    h = np.full(50, 0.02)
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((50, 1)) * np.sqrt(h)[:, None]
    source = simulated_recording(rng, SeenStimuli.drawn(rng, 800, 50), maps, random_patterns(rng, 10, np.ones(1)))
    learned = fit_latents([source], h, Strength(np.array([[1.0, 1e-4]]), np.zeros(1)))
    assert np.all(learned.maps[:, 1] == 0.0)
    np.testing.assert_array_equal(learned.variance[:, 1], h)


def test_a_persons_own_gain_is_found() -> None:
    h = np.full(60, 1 / 60)
    errors: dict[float, list[float]] = {0.0: [], 1.0: []}
    for seed in range(8):
        rng = np.random.default_rng(seed)
        maps = rng.standard_normal((60, 1)) * np.sqrt(h)[:, None]
        sources = [
            simulated_recording(rng, SeenStimuli.drawn(rng, 150, 60), maps, random_patterns(rng, 40, np.array([snr])))
            for snr in (2.0, 0.02)
        ]
        for spread, found in errors.items():
            strength = Strength(np.array([[0.3], [0.3]]), np.full(2, spread))
            learned = fit_latents(sources, h, strength).maps[:, 0]
            found.append(min(float(np.sum((sign * learned - maps[:, 0]) ** 2)) for sign in (-1.0, 1.0)))
    assert np.mean(errors[1.0]) < np.mean(errors[0.0])


def _dense(
    x: np.ndarray, y: np.ndarray, learned: LearnedLatents, belief: TaskBelief, draw: int
) -> tuple[np.ndarray, float, float]:
    """Return weights, intercept and log evidence by brute force: a very wide prior of the mean instead of none."""
    share, scale = belief.alignment[draw], belief.signal_variance[draw]
    rest = (1.0 - share.sum()) * belief.task_shares[draw] + learned.variance @ share
    prior = scale * (np.diag(rest) + (learned.maps * share) @ learned.maps.T)
    wide = 1e7
    covariance = x @ prior @ x.T + belief.noise_variance[draw] * np.eye(len(y)) + wide
    inverse = np.linalg.inv(covariance)
    evidence = -0.5 * (np.linalg.slogdet(covariance)[1] + y @ inverse @ y)
    return prior @ x.T @ inverse @ y, wide * float(np.sum(inverse @ y)), float(evidence)


@pytest.mark.parametrize("labels", [5, 40])
def test_stage_two_is_the_posterior_mean_averaged_over_the_belief(labels: int) -> None:
    rng = np.random.default_rng(labels)
    h = np.arange(1, 13) ** -1.0
    h /= h.sum()
    learned = LearnedLatents(0.3 * rng.standard_normal((12, 2)), 0.5 * np.repeat(h[:, None], 2, axis=1))
    alignment = np.array([[0.5, 0.2], [0.1, 0.6], [0.0, 0.0]])
    belief = TaskBelief(np.array([1.0, 3.0, 2.0]), np.array([0.5, 2.0, 1.0]), alignment, np.stack([h, h[::-1], h]))
    x = rng.standard_normal((labels, 12)) + 0.5
    y = x @ rng.standard_normal(12) + 4.0 + rng.standard_normal(labels)
    seen = 3
    fit = fit_task(LabelStatistics.of(x, y), learned, belief, LabelStatistics.of(x[:seen], y[:seen]))
    dense = [_dense(x, y, learned, belief, draw) for draw in range(3)]
    before = [_dense(x[:seen], y[:seen], learned, belief, draw)[2] for draw in range(3)]
    weight = np.exp(
        np.array([d[2] for d in dense]) - before - max(d[2] - b for d, b in zip(dense, before, strict=True))
    )
    weight /= weight.sum()
    np.testing.assert_allclose(fit.share, weight, rtol=2e-4)
    np.testing.assert_allclose(fit.weights, weight @ np.stack([d[0] for d in dense]), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(fit.intercept, weight @ [d[1] for d in dense], rtol=1e-3)


def test_labels_of_a_type_have_noise_in_common() -> None:
    """Generalised least squares by brute force, a flat mean included; independent noise gives other weights."""
    rng = np.random.default_rng(2)
    h, share, kind = np.full(6, 1.0 / 6.0), 0.6, np.repeat(np.arange(8), 3)
    belief = TaskBelief(np.array([2.0]), np.array([0.7]), np.zeros((1, 1)), h[None])
    x = rng.standard_normal((24, 6)) + 0.4
    y = x @ rng.standard_normal(6) + rng.standard_normal(8)[kind] + 0.5 * rng.standard_normal(24) + 3.0
    nothing = LearnedLatents.nothing(h, 1)
    noise = 0.7 * (share * (kind[:, None] == kind) + (1.0 - share) * np.eye(24))
    inverse = np.linalg.inv(x @ (2.0 * np.diag(h)) @ x.T + noise + 1e7)
    fit = fit_task(LabelStatistics.of(x, y, WithinTypes(kind, share)), nothing, belief)
    np.testing.assert_allclose(fit.weights, 2.0 * h * (x.T @ inverse @ y), rtol=1e-3, atol=1e-5)
    assert fit.intercept == pytest.approx(1e7 * float(np.sum(inverse @ y)), rel=1e-3)
    assert np.max(np.abs(fit_task(LabelStatistics.of(x, y), nothing, belief).weights - fit.weights)) > 0.05


def test_labels_that_the_belief_has_seen_do_not_count_twice() -> None:
    rng = np.random.default_rng(0)
    h = np.full(8, 0.125)
    belief = TaskBelief(np.array([1.0, 0.1]), np.array([1.0, 1.0]), np.zeros((2, 1)), np.stack([h, h]))
    labels = simulated_labels(rng, 500, rng.standard_normal(8) * np.sqrt(h), 1.0)
    nothing = LearnedLatents.nothing(h, 1)
    np.testing.assert_allclose(fit_task(labels, nothing, belief, labels).share, 0.5)
    assert fit_task(labels, nothing, belief).share[0] > 0.9


def test_alignment_of_latents_that_cannot_be_told_apart_is_shared() -> None:
    alignment = np.array([[0.6, 0.0, 0.2]])
    same = mixed_alignment(alignment, np.array([1.0, 1.0, 30.0]), (1e6, 1e6))
    np.testing.assert_allclose(same, [[0.3, 0.3, 0.2]], atol=1e-3)
    apart = mixed_alignment(alignment, np.array([9.0, 1.0, 0.1]), (1e6, 1e6))
    np.testing.assert_allclose(apart, alignment, atol=1e-3)
    np.testing.assert_allclose(mixed_alignment(alignment, np.array([1.1, 1.0, 0.9]), (50.0, 30.0)).sum(), 0.8)


def _fresh(learner: PlanLearner) -> PlanLearner:
    copy: Any = clone(learner)
    return copy


@pytest.fixture(scope="module")
def study() -> tuple[System, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    system = _system(30, 0.4, [[1.0, 0.4]], [12.0])
    pilot, truth = simulate_study(system, StudySize((SourceSize("EEG", 600),), 40, 700), 3)
    rec = pilot.recordings[0]
    test = np.random.default_rng(9).standard_normal((2000, 30)) @ truth.covariance_root
    x, y = pilot.features[pilot.label_stimulus], pilot.label
    return (
        system,
        np.hstack([x, y[:, None]]),
        pilot.features[rec.stimulus],
        rec.in_memory,
        np.vstack([test, truth.task_map]),
    )


def test_estimator_learns_from_recordings_whatever_the_units(
    study: tuple[System, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    system, task, seen, channels, test = study
    x, y, new, truth = task[:, :-1], task[:, -1], test[:-1], test[:-1] @ test[-1]
    told = PlanLearner(_known(system))
    alone = _fresh(told).fit(x, y).score(new, truth)
    model = _fresh(told).fit(x, y, brain=[(seen, channels)])
    assert model.score(new, truth) > alone + 0.1
    moved = _fresh(told).fit(x + 7.0, y - 3.0, brain=[(seen + 7.0, 1e4 * channels + 5.0)])
    np.testing.assert_allclose(moved.predict(new + 7.0) + 3.0, model.predict(new), atol=1e-6)
    halves = [(seen[:300], channels[:300]), (seen[300:], channels[300:])]
    one_person = _fresh(told).fit(x, y, brain=halves, person=["a", "a"])
    np.testing.assert_allclose(one_person.predict(new), model.predict(new), atol=0.15)
    two_people = _fresh(told).fit(x, y, brain=halves)
    assert not np.allclose(two_people.predict(new), one_person.predict(new))


def test_the_told_learner_knows_the_types_of_the_pilot() -> None:
    """Labels of 20 types with three tokens each: the share matters where there are types, and only there."""
    system = _system(30, 0.5, [[1.0, 0.5]], [16.0])
    pilot, _ = simulate_study(system, StudySize((SourceSize("EEG", 200),), 60, 400), 3)
    basis = representation_of(pilot, standardised_labels(pilot)).basis
    variance = population_variance(basis, pilot.features)
    code = np.arange(len(pilot.features))
    code[pilot.label_stimulus] = code[np.repeat(pilot.label_stimulus[::3], 3)]

    def weights(kind: np.ndarray | None, share: float) -> np.ndarray:
        known = replace(pilot, kind=kind)
        nothing = np.zeros((0, 30))
        return PlanLearner(_known(system), ("EEG",), basis, variance, known, share).fit(nothing, np.zeros(0)).coef_

    plain = weights(None, 0.0)
    np.testing.assert_array_equal(weights(None, 0.6), plain)
    np.testing.assert_array_equal(weights(np.arange(len(code)), 0.6), plain)
    np.testing.assert_allclose(weights(code, 0.0), plain, rtol=1e-9, atol=1e-12)
    assert np.max(np.abs(weights(code, 0.6) - plain)) > 0.01


@pytest.mark.parametrize("new", [0, 1, 12])
def test_few_labels_or_none_join_those_of_the_pilot(new: int) -> None:
    """A plan may buy one label, or recordings alone: what counts is the pilot's labels and the new ones together."""
    system = _system(30, 0.5, [[1.0, 0.5]], [16.0])
    pilot, truth = simulate_study(system, StudySize((SourceSize("EEG", 200),), 60, 400), 3)
    basis = representation_of(pilot, standardised_labels(pilot)).basis
    variance = population_variance(basis, pilot.features)
    kept = replace(pilot, label_stimulus=pilot.label_stimulus[new:], label=pilot.label[new:])
    x, y = pilot.features[pilot.label_stimulus[:new]], pilot.label[:new]
    joined = PlanLearner(_known(system), ("EEG",), basis, variance, kept).fit(x, y)
    all_in_pilot = PlanLearner(_known(system), ("EEG",), basis, variance, pilot)
    all_in_pilot.fit(np.empty((0, 30)), np.empty(0))
    fresh = np.random.default_rng(5).standard_normal((500, 30)) @ truth.covariance_root
    np.testing.assert_allclose(joined.predict(fresh), all_in_pilot.predict(fresh), atol=0.02)
    assert np.corrcoef(joined.predict(fresh), fresh @ truth.task_map)[0, 1] > 0.4
    if new > 1:  # a column of labels is what scikit-learn makes of it, with the pilot as without
        with pytest.warns(DataConversionWarning):
            column = _fresh(joined).fit(x, y[:, None])
        np.testing.assert_array_equal(column.predict(fresh), joined.predict(fresh))


def test_estimator_says_what_is_wrong(study: tuple[System, np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> None:
    system, task, seen, channels, _ = study
    x, y = task[:, :-1], task[:, -1]
    two = PlanLearner(_known(system), ("EEG", "MEG"))
    with pytest.raises(ValueError, match="must name that of every brain set"):
        two.fit(x, y, brain=[(seen, channels)])
    with pytest.raises(ValueError, match="out of EEG, MEG"):
        two.fit(x, y, brain=[(seen, channels)], modality=["fMRI"])
    with pytest.raises(ValueError, match="'person' must name every brain set"):
        two.fit(x, y, brain=[(seen, channels)], modality=["EEG"], person=["a", "b"])
