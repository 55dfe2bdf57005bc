"""Noise that labels of one type have in common: against dense Gaussian densities, simulated labels and exact risks."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from brainworth.models.pilot.evidence import EXPONENTS, UNKNOWN_NOISE, Rows, prior_variance, readout_table
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.summary import summarise
from brainworth.models.pilot.typed_labels import RATIOS, SHARES, TypedLabels, label_worth, labels_in_all, type_evidence
from brainworth.models.pilot.within_types import WithinTypes, types_in_common
from brainworth.models.posterior.likelihoods import labels_log_likelihood, pilot_encodings, task_log_likelihood
from brainworth.models.theory.system import System

TYPES, TOKENS, DIRECTIONS = 40, 5, 12
SHARE, SIGNAL, NOISE = 0.5, 0.6, 0.8
VARIANCE = np.arange(1.0, DIRECTIONS + 1.0) ** -0.7


def _labels(seed: int, share: float = SHARE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, labels and types; tokens of a type have their own features."""
    rng = np.random.default_rng(seed)
    kind = rng.permutation(np.repeat(np.arange(TYPES), TOKENS))
    x = rng.standard_normal((kind.size, DIRECTIONS)) * np.sqrt(VARIANCE)
    weights = np.sqrt(SIGNAL * prior_variance(VARIANCE, 1.0)) * rng.standard_normal(DIRECTIONS)
    common = np.sqrt(share) * rng.standard_normal(TYPES)[kind]
    noise = common + np.sqrt(1.0 - share) * rng.standard_normal(kind.size)
    return x, x @ weights + np.sqrt(NOISE) * noise, kind


def _covariance(kind: np.ndarray, count: np.ndarray, share: float) -> np.ndarray:
    return share * (kind[:, None] == kind) + np.diag((1.0 - share) / count)


def _log_evidence(x: np.ndarray, y: np.ndarray, kind: np.ndarray, share: float) -> float:
    """Return the log evidence of a share: weights, noise scale, mean and signal-to-noise ratio integrated out."""
    count = np.ones(len(y))
    within = WithinTypes(kind, share)
    rows = Rows.of(x, y[:, None], count, within)
    nothing = -0.5 * rows.count * np.log(rows.squares[0])
    table = readout_table(rows, VARIANCE, np.array([1.0]))[0, 0]
    return float(np.asarray(logsumexp(table - table[0]))) + nothing + within.log_volume(count)


def _posterior(seed: int, share: float) -> np.ndarray:
    x, y, kind = _labels(seed, share)
    log = np.array([_log_evidence(x, y, kind, float(one)) for one in SHARES])
    return np.exp(log - np.asarray(logsumexp(log)))


def test_whitened_rows_are_independent_and_the_volume_is_theirs() -> None:
    """W C W' = I for stimuli with different numbers of labels, and log |det W| from NumPy."""
    rng = np.random.default_rng(0)
    kind, count = np.array([0, 1, 0, 2, 1, 0]), np.array([1.0, 3.0, 2.0, 1.0, 1.0, 4.0])
    for share in (0.0, 0.3, 0.9):
        within = WithinTypes(kind, share)
        white = within.whitened(np.eye(6), count)
        np.testing.assert_allclose(white @ _covariance(kind, count, share) @ white.T, np.eye(6), atol=1e-12)
        values = rng.standard_normal((6, 2))
        np.testing.assert_allclose(within.whitened(values, count), white @ values, atol=1e-12)
        expected = np.linalg.slogdet(white)[1] - np.log(np.linalg.norm(white @ np.ones(6)))
        assert within.log_volume(count) == pytest.approx(float(expected), abs=1e-12)


def test_drawn_noise_has_the_covariance() -> None:
    """20,000 draws of six rows: an entry of the covariance has a standard error of .01 at most."""
    rng, kind = np.random.default_rng(0), np.array([0, 1, 0, 2, 1, 0])
    noise = np.stack([WithinTypes(kind, 0.4).drawn(rng) for _ in range(20_000)])
    np.testing.assert_allclose(np.cov(noise.T), _covariance(kind, np.ones(6), 0.4), atol=0.05)


def test_a_lone_token_has_all_of_the_noise_whatever_the_share() -> None:
    within = WithinTypes(np.arange(4), 0.7)
    np.testing.assert_allclose(within.whitened(np.eye(4), np.ones(4)), np.eye(4), atol=1e-12)


def test_evidence_is_that_of_the_dense_gaussian_and_independent_noise_is_not() -> None:
    """By the likelihood of the sampler, with every share; the mean has a flat prior. Twin: the covariance of independent noise."""
    x, y, kind = _labels(1)
    count = np.random.default_rng(1).integers(1, 4, len(y)).astype(float)
    labels = TypedLabels(x, np.column_stack([y, np.zeros((len(y), 2))]), count, kind)
    evidence, _ = type_evidence(labels, VARIANCE, np.full(1, UNKNOWN_NOISE), 0.0)
    g, exponent = prior_variance(VARIANCE, EXPONENTS[3]), 3

    def dense(share: float) -> float:
        covariance = NOISE * _covariance(kind, count, share) + SIGNAL * (x * g) @ x.T
        precision = np.linalg.inv(covariance)
        information = precision.sum()
        mean = float((precision @ y).sum() / information)
        log = multivariate_normal.logpdf(y, np.full(len(y), mean), covariance)  # pyright: ignore[reportArgumentType]
        return float(log) + 0.5 * np.log(2.0 * np.pi / information)

    def ours(index: int) -> float:
        task = jax.tree.map(lambda leaf: leaf[index], evidence.task)
        seen = np.asarray(task.eigenvalue[exponent]) > 0
        spread = NOISE + SIGNAL * np.asarray(task.eigenvalue[exponent])
        inside = np.where(seen, np.log(spread) + np.asarray(task.label[exponent]) ** 2 / spread, 0.0).sum()
        outside = float(task.rest_count) * np.log(NOISE) + float(task.rest) / NOISE
        dimensions = len(y) - 1
        return -0.5 * (inside + outside + dimensions * np.log(2.0 * np.pi)) + float(evidence.log_volume[index])

    for index, share in enumerate(SHARES):
        assert ours(index) == pytest.approx(dense(float(share)), abs=1e-8)
    assert abs(ours(5) - dense(0.0)) > 10.0


def test_the_share_is_found_and_independent_noise_is_ruled_out() -> None:
    """12 worlds of 40 types with 5 tokens each: mean share within .05 of .5, and none of the 12 has more than 1 % for 0."""
    found = np.array([_posterior(seed, SHARE) for seed in range(12)])
    assert np.mean(found @ SHARES) == pytest.approx(SHARE, abs=0.05)
    assert np.all(found[:, 0] < 0.01)


def test_types_that_mean_nothing_have_a_share_near_none() -> None:
    """The posterior of the share is near 0 in 12 worlds without."""
    found = np.array([_posterior(seed, 0.0) for seed in range(12)])
    assert np.mean(found @ SHARES) < 0.07
    assert np.mean(found[:, 0]) > 0.4


def test_independent_labels_are_worth_their_number_and_those_of_a_type_less() -> None:
    """40 random stimuli bring as much as the theory's 40; of five tokens alike in everything little more than one is left."""
    variance = np.arange(1.0, 41.0) ** -0.5
    rng = np.random.default_rng(0)
    inside = (RATIOS > 0.1) & (RATIOS < 10.0)
    worth = []
    for _ in range(20):
        x = rng.standard_normal((80, 40)) * np.sqrt(variance)
        worth.append(label_worth(Rows.of(x, x[:, :1], np.ones(80)).gram, variance))
    assert np.mean(worth, axis=0)[inside] == pytest.approx(79.0, rel=0.05)
    kind = np.repeat(np.arange(16), 5)
    same = (rng.standard_normal((16, 40)) * np.sqrt(variance))[kind]
    by_share = [Rows.of(same, same[:, :1], np.ones(80), WithinTypes(kind, float(s))).gram for s in SHARES]
    table = np.stack([label_worth(gram, variance) for gram in by_share])
    assert np.all(np.diff(table, axis=0) < 0.0)
    assert np.all(table[-1, inside] < 20.0)
    all_of_it = labels_in_all(table, np.full(3, SHARES[3]), np.full(3, 1.0))
    assert all_of_it == pytest.approx(table[3, 4], rel=1e-12)


def _pilot(kind: np.ndarray | None) -> Pilot:
    x, y, _ = _labels(0)
    return Pilot(x, np.arange(len(y)), (), np.arange(len(y)), y, kind=kind)


def test_without_types_in_common_nothing_changes() -> None:
    """No types, and types with one labelled token each: the same likelihood to the last bit; with types, share 0 is it, too."""
    plain, lone = (summarise(_pilot(k), (), 1, 0) for k in (None, np.arange(TYPES * TOKENS)))
    typed = summarise(_pilot(_labels(0)[2]), (), 1, 0)
    assert plain.evidence.types is None
    assert lone.evidence.types is None
    assert plain.typed_worth is None
    assert typed.evidence.types is not None
    first = jax.tree.map(lambda leaf: leaf[0], typed.evidence.types.task)
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(plain.evidence.task), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_types_are_of_labelled_stimuli() -> None:
    pilot = _pilot(_labels(0)[2])
    member = types_in_common(pilot, np.arange(len(pilot.features)))
    assert member is not None
    assert member.max() == TYPES - 1
    assert types_in_common(pilot, np.array([3, 3, 3])) is None


def test_the_sampler_sums_over_all_shares() -> None:
    """Each row is the likelihood of whitened labels, and what whitening changes."""
    evidence = summarise(_pilot(_labels(0)[2]), (), 1, 0).evidence
    assert evidence.types is not None
    one = jnp.ones(())
    system = System(
        spectrum=evidence.spectrum,
        signal_variance=0.4 * one,
        noise_variance=0.6 * one,
        alignment=jnp.zeros(1),
        snr=jnp.ones((0, 1)),
        channels=jnp.ones(0),
        brain_exponent=one,
        task_exponent=one,
    )
    encoding, _ = pilot_encodings(evidence.brain, system, system)
    arguments = system, encoding, jnp.zeros(1), jnp.ones(1), jnp.zeros(1)
    found = np.asarray(labels_log_likelihood(evidence, *arguments))
    assert found.shape == (SHARES.size, EXPONENTS.size)
    for index in (0, 4):
        part = replace(evidence, task=jax.tree.map(lambda leaf, i=index: leaf[i], evidence.types.task), types=None)
        expected = np.asarray(task_log_likelihood(part, *arguments)) + float(evidence.types.log_volume[index])
        np.testing.assert_allclose(found[index], expected, rtol=1e-12)
