"""How features are weighed: by evidence, averaged where a pilot cannot tell, block by block.

Truth is what was drawn: weights with a known prior, labels of new stimuli. Statistical tests say how often they fail by chance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp

from brainworth.models.pilot.evidence import EXPONENTS, Rows, readout_table
from brainworth.models.pilot.labels import standardised_labels
from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.pilot.representation import candidates, population_variance, representation_of
from brainworth.models.pilot.sources import main_rows, pilot_sources
from brainworth.models.pilot.statistics import FeatureBasis

Matrix = NDArray[np.float64]


def world(seed: int, deviation: Matrix, prior: Matrix, n: int, *, noise: float = 1.0, brain: bool = False) -> Pilot:
    """Return a pilot whose labels, and one channel of a person, are linear in the features; weights have ``prior`` variances."""
    rng = np.random.default_rng(seed)
    features = deviation * rng.standard_normal((n, deviation.size))

    def column() -> Matrix:
        signal = features @ (np.sqrt(prior) * rng.standard_normal(prior.size))
        return signal / signal.std() + np.sqrt(noise) * rng.standard_normal(n)

    label = column()
    channels = np.column_stack([column(), column()])
    person = Recording("EEG", "a", np.arange(n), channels)
    return Pilot(features, np.arange(n), (person,) if brain else (), np.arange(n), label)


def weighed(pilot: Pilot) -> float:
    return representation_of(pilot, standardised_labels(pilot)).standardised


def test_a_large_pilot_tells_raw_from_standardised_features() -> None:
    """2 x 12 pilots of 400 labels: the truth has a probability above .8 in the mean (it had .89 and .99)."""
    deviation = np.exp(np.random.default_rng(0).standard_normal(30))
    standard = [weighed(world(seed, deviation, deviation**-2.0, 400)) for seed in range(12)]
    raw = [weighed(world(seed, deviation, np.ones(30), 400)) for seed in range(12)]
    assert np.mean(standard) > 0.8
    assert np.mean(raw) < 0.2


def test_recordings_count_as_labels_do() -> None:
    deviation = np.exp(0.5 * np.random.default_rng(1).standard_normal(30))
    with_brain = [weighed(world(seed, deviation, deviation**-2.0, 80, brain=True)) for seed in range(20)]
    alone = [
        weighed(replace(world(seed, deviation, deviation**-2.0, 80, brain=True), recordings=())) for seed in range(20)
    ]
    assert np.mean(with_brain) > np.mean(alone) + 0.02


def test_the_average_is_the_best_linear_predictor_under_the_mixture() -> None:
    """1,500 worlds, half of them of either kind: ridge with the mixture's second moment beats ridge with either prior.

    The differences are five standard errors or more; the twin that always standardises is the one that must be worse.
    """
    rng = np.random.default_rng(2)
    p, n, noise = 20, 15, 4.0
    deviation = np.exp(1.2 * rng.standard_normal(p))
    kinds = [np.full(p, p / np.sum(deviation**2)), 1.0 / deviation**2]
    mean = (kinds[0] + kinds[1]) / 2.0
    errors = []
    for index in range(1500):
        weights = np.sqrt(kinds[index % 2]) * rng.standard_normal(p)
        x = deviation * rng.standard_normal((n, p))
        y = x @ weights + np.sqrt(noise) * rng.standard_normal(n)
        row = []
        for prior in (mean, *kinds):
            found = prior * (x.T @ np.linalg.solve((x * prior) @ x.T + noise * np.eye(n), y))
            row.append(np.sum((deviation * (found - weights)) ** 2))
        errors.append(row)
    loss = np.array(errors)[:, 1:] - np.array(errors)[:, :1]
    assert np.all(loss.mean(axis=0) > 3.0 * loss.std(axis=0) / np.sqrt(len(loss)))


def test_a_pilot_that_cannot_tell_averages() -> None:
    """The prior variances of the average lie between those of the candidates, by their probabilities."""
    deviation = np.exp(0.7 * np.random.default_rng(3).standard_normal(40))
    pilot = world(5, deviation, deviation**-1.0, 40)
    found = representation_of(pilot, standardised_labels(pilot))
    assert 0.05 < found.standardised < 0.95
    standard, raw = candidates(pilot.features)
    expected = found.standardised * standard.prior_variance + (1.0 - found.standardised) * raw.prior_variance
    np.testing.assert_allclose(found.basis.scale, expected**-0.5, rtol=1e-10)


@pytest.mark.parametrize("stimuli", [30, 120])
def test_evidence_on_turned_directions_is_that_of_the_basis_itself(stimuli: int) -> None:
    """Labels and channels are reduced once, in one basis; the evidence of another one is computed from that."""
    deviation = np.exp(np.random.default_rng(4).standard_normal(50))
    pilot = world(1, deviation, np.ones(50), stimuli, brain=True)
    labels = standardised_labels(pilot)
    found = representation_of(pilot, labels)
    log = -0.5 * ((EXPONENTS - 1.0) / 0.35) ** 2
    prior = log - np.asarray(logsumexp(log))
    score = []
    for candidate in candidates(pilot.features):
        basis = FeatureBasis.from_features(pilot.features, scale=candidate.prior_variance**-0.5)
        (source,) = pilot_sources(pilot, basis, np.zeros(stimuli, dtype=int), (None,))
        rows = [Rows.of(basis.transform(pilot.features)[labels.stimulus], labels.mean[:, None], labels.count)]
        tables = [
            readout_table(part, population_variance(basis, pilot.features)) for part in (*rows, main_rows(source))
        ]
        exponents = [np.asarray(logsumexp(table, axis=2)).sum(axis=0) for table in tables]
        score.append(float(sum(np.asarray(logsumexp(each + prior)) for each in exponents)))
    assert found.log_odds == pytest.approx(score[0] - score[1], abs=1e-6)


def test_blocks_that_matter_get_the_larger_share() -> None:
    """2 x 8 pilots of 200 labels: the block that carries the task has the larger share in each."""
    deviation = np.ones(40)
    block = np.repeat([0, 1], 20)
    for seed in range(8):
        for code in (0, 1):
            prior = np.where(block == code, 1.0, 1e-6)
            pilot = replace(world(seed, deviation, prior, 200), block=block)
            found = representation_of(pilot, standardised_labels(pilot))
            assert found.blocks[code] > 0.7
            assert found.blocks.sum() == pytest.approx(1.0)


def test_learners_with_blocks_predict_better_where_one_block_matters() -> None:
    """Mean R^2 on 2,000 new labels over 16 worlds; the difference is more than three standard errors."""
    from brainworth.models.learner.learning_curve import Recorded, trained_without

    block = np.repeat([0, 1], [5, 55])
    gains = []
    for seed in range(16):
        whole = world(seed, np.ones(60), np.where(block == 0, 1.0, 0.002), 2060)
        part = replace(whole, label_stimulus=np.arange(60), label=whole.label[:60])
        scores = []
        for codes in (block, None):
            pilot = replace(part, block=codes)
            scale = representation_of(pilot, standardised_labels(pilot)).basis.scale
            predicted = trained_without(pilot, Recorded.of(pilot), scale).predict(whole.features[60:])
            scores.append(1.0 - np.mean((whole.label[60:] - predicted) ** 2) / np.var(whole.label[60:]))
        gains.append(scores[0] - scores[1])
    assert np.mean(gains) > 3.0 * np.std(gains) / np.sqrt(len(gains))
    assert np.mean(gains) > 0.02


def test_many_blocks_have_shares_that_sum_to_one() -> None:
    features = np.random.default_rng(6).standard_normal((50, 12))
    for blocks in (1, 2, 3, 4, 6):
        found = candidates(features, np.arange(12) % blocks)
        assert all(one.share.sum() == pytest.approx(1.0) for one in found)
        power = [float(one.prior_variance @ features.var(axis=0)) for one in found]
        np.testing.assert_allclose(power, 12.0)


def test_a_common_unit_of_all_features_does_not_count() -> None:
    deviation = np.exp(np.random.default_rng(7).standard_normal(20))
    pilot = world(3, deviation, np.ones(20), 60)
    other = replace(pilot, features=1e9 * pilot.features)
    one, two = (representation_of(p, standardised_labels(p)) for p in (pilot, other))
    assert one.standardised == pytest.approx(two.standardised, abs=1e-9)
    np.testing.assert_allclose(one.basis.scale * 1e9, two.basis.scale, rtol=1e-9)
