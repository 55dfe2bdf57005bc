"""Probabilities of the classifier: the variance against the textbook, the link against simulation, calibration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from brainworth.models.learner.learner import BrainInformedClassifier
from brainworth.models.learner.probability import probit_link, score_variance
from brainworth.models.learner.second_stage import Components, LabelledDesign, posterior_mean


def _design(n: int, group: np.ndarray | None = None) -> LabelledDesign:
    rng = np.random.default_rng(0)
    variance = np.linspace(2, 0.5, 9) ** 2
    x = rng.standard_normal((n, 9)) * np.sqrt(variance)
    return LabelledDesign(x - x.mean(axis=0), variance, 0.2 * rng.standard_normal((9, 2)), np.full((9, 2), 0.02), group)


@pytest.mark.parametrize(("n", "grouped"), [(8, False), (60, False), (8, True), (60, True)])
def test_score_variance_is_the_textbook_posterior(n: int, grouped: bool) -> None:
    design = _design(n, np.arange(n) % 4 if grouped else None)
    known = Components(0.5, np.array([0.7, 0.2]), 0.8, 0.6, offset=0.3)
    fitted = posterior_mean(design, np.random.default_rng(1).standard_normal(n), known)
    prior = np.diag(design.prior(known))
    gain = prior @ design.columns.T @ np.linalg.inv(design.columns @ prior @ design.columns.T + 0.8 * np.eye(n))
    posterior = prior - gain @ design.columns @ prior
    new = np.random.default_rng(2).standard_normal((5, 9))
    columns = np.hstack([new, new @ design.maps, np.zeros((5, len(prior) - 11))])
    expected = np.einsum("ni,ij,nj->n", columns, posterior, columns)
    found = score_variance(design, fitted)
    np.testing.assert_allclose(found.at(new), expected + 0.8 / n, rtol=1e-8)
    lift = np.vstack([np.eye(9), design.maps.T])
    assert found.mean(design.variance) == pytest.approx(
        float(design.variance @ np.diag(lift.T @ posterior[:11, :11] @ lift)), rel=1e-8
    )


@pytest.mark.parametrize("threshold", [0.0, -0.8])
def test_link_undoes_the_attenuation_of_signs(threshold: float) -> None:
    """200,000 labels: the standard error of every estimate is below .005."""
    rng = np.random.default_rng(3)
    variance = np.array([2.0, 1.0])
    weights = np.array([0.4, -0.3])
    signal = float(variance @ weights**2)
    x = rng.standard_normal((200_000, 2)) * np.sqrt(variance)
    hidden = threshold + x @ weights + np.sqrt(1 - signal) * rng.standard_normal(len(x))
    label = np.sign(hidden)
    design = LabelledDesign(x - x.mean(axis=0), variance, np.zeros((2, 0)), np.zeros((2, 0)))
    fitted = posterior_mean(design, label - label.mean(), Components(1.0, np.zeros(0), 1.0))
    link = probit_link(design, fitted, float(label.mean()))
    assert link.base == pytest.approx(threshold, abs=0.02)
    np.testing.assert_allclose(fitted.coefficients / link.slope, weights, atol=0.01)
    assert link.noise == pytest.approx(1 - signal, abs=0.01)


def _reliability(worlds: int) -> np.ndarray:
    """Return mean outcome minus mean probability of (world, [ours, plug-in]) over predictions above 80 % or below 20 %."""
    gaps: list[list[float]] = []
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        p, n = 30, 60
        latent, other = rng.standard_normal((2, p)) / np.sqrt(p)
        task = np.sqrt(0.5) * latent + np.sqrt(0.3) * other
        seen, x, new = (rng.standard_normal((count, p)) for count in (150, n, 1500))
        recording = np.outer(seen @ latent, np.ones(6)) * 0.6 + rng.standard_normal((150, 6))
        label = x @ task + np.sqrt(0.2) * rng.standard_normal(n) > 0
        truth = new @ task + np.sqrt(0.2) * rng.standard_normal(1500) > 0
        model = BrainInformedClassifier(1).fit(x, label, brain=[(seen, recording)])
        ours = model.predict_proba(new)[:, 1]
        (link,) = model.links_
        score = new @ model.coef_[0] + model.intercept_[0]
        plug_in = special.ndtr(score / link.slope / np.sqrt(link.noise))
        row: list[float] = []
        for probability in (ours, plug_in):
            sure = np.abs(probability - 0.5) > 0.3
            towards = np.where(probability > 0.5, 1.0, -1.0)
            row.append(float(np.mean(towards[sure] * (truth[sure] - probability[sure]))) if sure.any() else 0.0)
        gaps.append(row)
    return np.array(gaps)


def test_probabilities_are_calibrated_and_plugged_in_ones_are_not() -> None:
    """40 worlds: four standard errors plus .02 for tuning; the twin without posterior variance is surer, world by world."""
    gaps = _reliability(40)
    ours, error = gaps[:, 0].mean(), gaps[:, 0].std(ddof=1) / np.sqrt(len(gaps))
    assert abs(ours) < 4 * error + 0.02  # false alarm below 1 in 10,000 for a calibrated learner
    apart = gaps[:, 1] - gaps[:, 0]
    assert apart.mean() < -4 * apart.std(ddof=1) / np.sqrt(len(apart))


def test_nothing_is_known_far_away_and_the_base_rate_holds() -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((80, 10)) * np.r_[np.ones(5), np.full(5, 0.01)]
    label = np.where(x[:, 0] + 0.5 * rng.standard_normal(80) > 0.7, "yes", "no")
    model = BrainInformedClassifier().fit(x, label)
    probability = model.predict_proba(x)
    assert probability[:, 1].mean() == pytest.approx(np.mean(label == "yes"), abs=0.05)
    along = np.zeros((2, 10))
    along[:, 0] = (-2.0, 3.0)
    near = model.predict_proba(along)[:, 1]
    assert near[0] < 0.1
    assert near[1] > 0.8
    unseen = along + 1e4 * (np.arange(10) == 9)  # a direction of which the labels taught nothing
    assert np.all(np.abs(model.predict_proba(unseen)[:, 1] - 0.5) < np.abs(near - 0.5))


def test_three_classes_share_one() -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((120, 6))
    label = np.argmax(x[:, :3] + 0.5 * rng.standard_normal((120, 3)), axis=1)
    model = BrainInformedClassifier().fit(x, label)
    probability = model.predict_proba(x)
    assert probability.shape == (120, 3)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(model.classes_[probability.argmax(axis=1)], model.predict(x))
    assert np.mean(model.predict(x) == label) > 0.7
