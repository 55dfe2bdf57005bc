"""Recordings against controls: a signal is found, chance is not, and errors are counted in groups."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.design.decision.controls import against_controls
from brainworth.design.decision.records.controls import Controlled
from brainworth.models.learner.controlled import (
    CONTROLS,
    RECORDINGS,
    SURROGATE,
    Errors,
    controlled_errors,
    mean_errors,
    paired_r2,
)
from brainworth.models.learner.learner import BrainInformedRegressor
from brainworth.models.learner.learning_curve import Recorded, trained, trained_without
from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, simulate_study


def _found(alignment: float, seed: int) -> Controlled:
    """One pilot of a world in which labels alone learn little: a flat spectrum and few labels."""
    system = System(
        spectrum=Spectrum.power_law(60, 0.3),
        signal_variance=jnp.asarray(0.7),
        noise_variance=jnp.asarray(0.3),
        alignment=jnp.asarray([alignment, 0.0]),
        snr=jnp.asarray([[2.0, 1.0]]),
        channels=jnp.asarray([12.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    pilot, _ = simulate_study(system, StudySize((SourceSize("EEG", 500, people=2),), 70, 600), seed, Realism())
    return against_controls("EEG", controlled_errors(pilot, "EEG", seed), pilot.group[pilot.label_stimulus])


def test_aligned_recordings_exceed_every_control() -> None:
    found = _found(0.9, 0)
    assert found.exceeds
    assert [arm.name for arm in found.arms] == list(CONTROLS)
    assert found.best.gain > 0.1
    assert "more than any control" in found.sentence


@pytest.mark.parametrize("seed", [0, 1])
def test_recordings_of_another_task_exceed_none(seed: int) -> None:
    """False alarms are measured in ``case_studies/calibration``; here they would need two at 5 % or less each."""
    found = _found(0.0, seed)
    assert not found.exceeds
    assert abs(found.best.gain) < 0.05


def test_labels_alone_know_the_stimuli_that_shuffled_recordings_know() -> None:
    """Recordings that confirm no latent teach nothing but how features vary, and the twin without recordings is told that."""
    rng = np.random.default_rng(5)
    features = rng.standard_normal((300, 20)) * np.linspace(3.0, 0.3, 20)
    label = features @ rng.standard_normal(20) + 2.0 * rng.standard_normal(300)
    chance = Recording("EEG", "p", np.arange(300), rng.standard_normal((300, 4)))
    pilot = Pilot(features, np.arange(300), (chance,), np.arange(25), label[:25])
    known = Recorded.of(pilot)
    scale = np.ones(20)
    recordings, without = trained(pilot, known, scale), trained_without(pilot, known, scale)
    assert recordings.encoder_ is None
    np.testing.assert_allclose(without.coef_, recordings.coef_, rtol=1e-10)
    rows, count = known.shown() or (np.zeros((0, 20)), np.zeros(0))
    half = BrainInformedRegressor(scale=scale).fit(features[:25], label[:25], stimuli=rows[::2], shown=2.0 * count[::2])
    twice = BrainInformedRegressor(scale=scale).fit(features[:25], label[:25], stimuli=np.repeat(rows[::2], 2, axis=0))
    np.testing.assert_allclose(half.coef_, twice.coef_, rtol=1e-10, err_msg="a row that counts twice is two rows")
    unaware = BrainInformedRegressor(scale=scale).fit(features[:25], label[:25])
    assert np.abs(unaware.coef_ - recordings.coef_).max() > 1e-3, "the twin that is not told the stimuli"


def test_a_difference_of_r2_is_that_of_two_r2() -> None:
    rng = np.random.default_rng(1)
    better, worse, plain = (rng.chisquare(1, 200) * s for s in (0.5, 0.7, 1.0))
    difference, _ = paired_r2(better, worse, plain, np.arange(200))
    assert difference == pytest.approx((1 - better.sum() / plain.sum()) - (1 - worse.sum() / plain.sum()))


def test_standard_errors_count_groups() -> None:
    """Against 4,000 repetitions: labels of a group share their luck; counting labels would promise half the error."""
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(30), 8)

    def once() -> tuple[float, float, float]:
        luck = np.repeat(rng.standard_normal(30), 8) * 0.4
        worse = 1.0 + luck + 0.3 * rng.standard_normal(240)
        better, plain = 0.8 * np.ones(240), 1.5 + 0.2 * rng.standard_normal(240)
        difference, error = paired_r2(better, worse, plain, group)
        return difference, error, paired_r2(better, worse, plain, np.arange(240))[1]

    found = np.array([once() for _ in range(4000)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.06)
    assert found[:, 2].mean() < 0.6 * found[:, 0].std(), "the wrong twin counts labels"


def test_passes_are_averaged_label_by_label_and_an_arm_may_be_missing() -> None:
    rng = np.random.default_rng(3)
    arms = {name: rng.chisquare(1, 60) for name in (RECORDINGS, *CONTROLS) if name != SURROGATE}
    one, two = Errors(arms, np.ones(60), 2.0), Errors({k: v + 1.0 for k, v in arms.items()}, np.ones(60), 3.0)
    mean = mean_errors([one, two])
    np.testing.assert_allclose(mean.by_arm[RECORDINGS], arms[RECORDINGS] + 0.5)
    assert mean.latents == 2.5
    assert SURROGATE not in {arm.name for arm in against_controls("EEG", mean, np.arange(60)).arms}
