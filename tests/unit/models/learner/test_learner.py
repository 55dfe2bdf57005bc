"""The learner passes scikit-learn's checks, its evidence is right, and it reaches the predicted risk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import RidgeCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from brainworth.models.learner.learner import BrainInformedClassifier, BrainInformedRegressor
from brainworth.models.learner.second_stage import Components, LabelledDesign, posterior_mean
from brainworth.models.theory.performance import excess_risk
from brainworth.models.theory.system import Design, Spectrum, System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, simulate_study


@parametrize_with_checks([BrainInformedRegressor(), BrainInformedClassifier()])
def test_scikit_learn_checks(estimator: object, check: Callable[[object], None]) -> None:
    check(estimator)


def _design(n: int, group: np.ndarray | None = None) -> tuple[LabelledDesign, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 9)) * np.linspace(2, 0.5, 9)
    x -= x.mean(axis=0)
    maps = rng.standard_normal((9, 2)) * 0.2
    label = x @ maps @ [1.0, -1.0] + rng.standard_normal(n)
    variance = np.linspace(2, 0.5, 9) ** 2
    return LabelledDesign(x, variance, maps, np.full((9, 2), 0.02), group), label - label.mean()


@pytest.mark.parametrize("n", [8, 60])
def test_posterior_mean_and_evidence_equal_the_textbook(n: int) -> None:
    group = np.arange(n) % 4
    design, label = _design(n, group)
    known = Components(misaligned=0.5, latent=np.array([0.7, 0.2]), noise=0.8, exponent=0.6, offset=0.3)
    shares = design.variance**0.6 / np.sum(design.variance**0.6)
    prior = np.diag(0.5 * shares / design.variance + design.map_variance @ known.latent)
    prior += design.maps @ np.diag(known.latent) @ design.maps.T
    indicator = np.eye(4)[group] - np.eye(4)[group].mean(axis=0)
    covariance = design.coordinates @ prior @ design.coordinates.T + 0.3 * indicator @ indicator.T + 0.8 * np.eye(n)
    found = posterior_mean(design, label, known)
    expected = prior @ design.coordinates.T @ np.linalg.solve(covariance, label)
    np.testing.assert_allclose(found.coefficients, expected, rtol=1e-8)
    evidence = stats.multivariate_normal(np.zeros(n), covariance).logpdf(label)
    assert found.log_evidence == pytest.approx(float(evidence), rel=1e-8)


def _system(p: int, noise: float) -> System:
    return System(
        spectrum=Spectrum.power_law(p, 0.0),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(noise),
        alignment=jnp.array([0.4, 0.4]),
        snr=jnp.array([[3.0, 2.0]]),
        channels=jnp.array([40.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def _risks(n_task: int, worlds: int, *, informative: bool) -> np.ndarray:
    """Return excess risks (world, [ours, RidgeCV])."""
    result: list[list[float]] = []
    for seed in range(worlds):
        size = StudySize((SourceSize("EEG", 800),), n_task, 800 + n_task)
        pilot, truth = simulate_study(_system(100, 1.0), size, seed, Realism(noise_correlation=0.0))
        x, recording = pilot.features[pilot.label_stimulus], pilot.recordings[0]
        channels = recording.in_memory
        if not informative:
            channels = np.random.default_rng(seed).standard_normal(channels.shape)
        ours = BrainInformedRegressor(6).fit(x, pilot.label, brain=[(pilot.features[recording.stimulus], channels)])
        ridge = RidgeCV(np.logspace(-2, 5, 29)).fit(x, pilot.label)
        result.append([truth.excess_risk(ours.coef_), truth.excess_risk(np.asarray(ridge.coef_))])
    return np.array(result)


def test_reaches_the_predicted_risk_and_beats_ridge() -> None:
    """12 worlds, spread of one .04: tolerance .05 is four standard errors plus the price of tuning (.01)."""
    formula = float(excess_risk(_system(100, 1.0), Design.simple([800.0], 60.0)))
    ours, ridge = _risks(60, 12, informative=True).mean(axis=0)
    assert ours == pytest.approx(formula, abs=0.05)
    assert ridge > formula + 0.3


def test_brain_data_without_information_do_no_harm() -> None:
    ours, ridge = _risks(60, 6, informative=False).mean(axis=0)
    assert ours < ridge + 0.05


def test_several_sets_several_targets_and_groups() -> None:
    rng = np.random.default_rng(1)
    maps = rng.standard_normal((30, 2)) / np.sqrt(30)
    x = rng.standard_normal((50, 30))
    brain = []
    for channels in (6, 9):
        seen = np.vstack([x[:20], rng.standard_normal((200, 30))])
        brain.append((seen, seen @ maps @ rng.standard_normal((2, channels)) + rng.standard_normal((220, channels))))
    group = np.arange(50) // 10
    offset = rng.standard_normal(5)[group] * 3
    label = x @ maps + offset[:, None] + 0.3 * rng.standard_normal((50, 2))
    new = rng.standard_normal((500, 30))
    plain = BrainInformedRegressor(3).fit(x, label, brain=brain)
    grouped = BrainInformedRegressor(3).fit(x, label, brain=brain, groups=group)
    assert grouped.coef_.shape == (2, 30)
    error = [np.mean((new @ (model.coef_.T - maps)) ** 2) for model in (grouped, plain)]
    assert error[0] < 0.1
    assert error[0] < error[1]


def test_classifier_uses_the_brain() -> None:
    rng = np.random.default_rng(2)
    direction = rng.standard_normal(40) / np.sqrt(40)
    seen, x, new = rng.standard_normal((500, 40)), rng.standard_normal((30, 40)), rng.standard_normal((2000, 40))
    brain = [(seen, np.outer(seen @ direction, np.ones(5)) + rng.standard_normal((500, 5)))]
    names = np.array(["no", "yes"])
    label = names[(x @ direction > 0).astype(int)]
    truth = names[(new @ direction > 0).astype(int)]
    informed = BrainInformedClassifier(3).fit(x, label, brain=brain).score(new, truth)
    alone = BrainInformedClassifier(3).fit(x, label).score(new, truth)
    assert informed > 0.85
    assert informed > alone + 0.05


def test_bad_brain_sets_are_refused() -> None:
    x, y = np.random.default_rng(0).standard_normal((20, 4)), np.arange(20.0)
    with pytest.raises(ValueError, match="features of the labelled stimuli"):
        BrainInformedRegressor().fit(x, y, brain=[(x[:, :3], x)])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        BrainInformedRegressor().fit(x, y, brain=[(x, x[:5])])


def test_columns_in_another_order_are_refused() -> None:
    """As ``predict`` refuses them: the same numbers under other names would teach the wrong features."""
    frame = pd.DataFrame(np.random.default_rng(0).standard_normal((20, 3)), columns=["length", "frequency", "age"])
    label, turned = frame["age"].to_numpy(), frame[["length", "age", "frequency"]]
    for learner in (BrainInformedRegressor(), BrainInformedClassifier()):
        y = label if isinstance(learner, BrainInformedRegressor) else label > 0
        cases: dict[str, dict[str, Any]] = {
            "'stimuli'": {"stimuli": turned},
            "A brain set": {"brain": [(turned, frame)]},
        }
        for what, wrong in cases.items():
            told = rf"{what} must have the columns of .* Got 'age' instead of 'frequency' as column 2"
            with pytest.raises(ValueError, match=told):
                learner.fit(frame, y, **wrong)
        unnamed = learner.fit(frame, y, stimuli=frame.to_numpy(), brain=[(frame.to_numpy(), frame)]).coef_
        np.testing.assert_array_equal(learner.fit(frame, y, stimuli=frame, brain=[(frame, frame)]).coef_, unnamed)
        learner.fit(frame.to_numpy(), y, stimuli=turned, brain=[(turned, frame)])  # nothing to compare names with


def test_stimuli_without_labels_teach_how_features_vary() -> None:
    """Ten labels show nine directions in which features vary; other stimuli show all, and how strong each is."""
    rng = np.random.default_rng(3)
    variance = np.arange(1, 31) ** -1.0
    features = rng.standard_normal((2010, 30)) * np.sqrt(variance)
    label = features[:10] @ rng.standard_normal(30)
    alone = BrainInformedRegressor().fit(features[:10], label)
    told = BrainInformedRegressor().fit(features[:10], label, stimuli=features[10:])
    assert len(alone.basis_.variance) < 10
    shares = told.basis_.variance / told.basis_.variance.sum()
    np.testing.assert_allclose(shares, variance / variance.sum(), rtol=0.15)
    with pytest.raises(ValueError, match="'stimuli' must have the features of the labelled stimuli"):
        BrainInformedRegressor().fit(features[:10], label, stimuli=features[:, :3])


def test_labels_count_by_what_they_are_worth() -> None:
    """Weights of noisy raters lower the error in the mean of 20 worlds by 3 standard errors; equal ones change nothing."""
    gained: list[float] = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, task = rng.standard_normal((80, 20)), rng.standard_normal(20) / np.sqrt(20)
        noise = np.where(np.arange(80) < 40, 0.3, 3.0)
        y = 0.7 + x @ task + noise * rng.standard_normal(80)
        worth = np.mean(noise**2) / noise**2
        new = rng.standard_normal((2000, 20))
        models = [BrainInformedRegressor().fit(x, y, worth=given) for given in (None, worth)]
        errors = [float(np.mean((model.predict(new) - 0.7 - new @ task) ** 2)) for model in models]
        gained.append(errors[0] - errors[1])
        if not seed:
            same = BrainInformedRegressor().fit(x, y, worth=np.ones(80))
            np.testing.assert_array_equal(same.predict(new), models[0].predict(new))
    assert np.mean(gained) > 3.0 * np.std(gained, ddof=1) / np.sqrt(len(gained))
