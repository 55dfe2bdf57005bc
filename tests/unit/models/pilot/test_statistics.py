"""Sufficient statistics equal the raw data, add, subtract, and centre within sessions."""

from __future__ import annotations

import numpy as np
import pytest

from brainworth.models.pilot.pilot import Recording
from brainworth.models.pilot.statistics import FeatureBasis, SourceStatistics, centred_source


def _arrays(rows: int = 50, p: int = 6, q: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, p)), rng.standard_normal((rows, q))


@pytest.mark.parametrize("shape", [(80, 7), (9, 30)])
def test_basis_rotates_standardised_features_to_uncorrelated_coordinates(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    raw = rng.standard_normal(shape) @ rng.standard_normal((shape[1], shape[1])) + 100.0
    basis = FeatureBasis.from_features(raw)
    coordinates = basis.transform(raw)
    assert coordinates.shape[1] == min(shape[1], shape[0] - 1)
    np.testing.assert_allclose(coordinates.T @ coordinates / shape[0], np.diag(basis.variance), atol=1e-8)
    assert np.all(np.diff(basis.variance) <= 1e-12)
    np.testing.assert_allclose(basis.variance.sum(), shape[1], rtol=1e-8)
    standardised = (raw - raw.mean(0)) / raw.std(0)
    np.testing.assert_allclose(coordinates @ coordinates.T, standardised @ standardised.T, atol=1e-7)


def test_basis_drops_constant_and_duplicated_features() -> None:
    x, _ = _arrays()
    basis = FeatureBasis.from_features(np.column_stack([x, np.full(50, 3.0), x[:, 0]]))
    assert basis.variance.size == 6
    with pytest.raises(ValueError, match="must vary"):
        FeatureBasis.from_features(np.ones((5, 2)))


def test_raw_coefficients_predict_as_coordinate_coefficients() -> None:
    x, _ = _arrays()
    basis = FeatureBasis.from_features(x * 7 + 2)
    weights = np.arange(6.0)
    direct = basis.transform(x * 7 + 2) @ weights
    np.testing.assert_allclose((x * 7 + 2 - basis.mean) @ basis.raw_coefficients(weights), direct, atol=1e-10)


def test_statistics_add_subtract_and_stream() -> None:
    x, r = _arrays()
    whole = SourceStatistics.from_arrays(x, r)
    first, rest = SourceStatistics.from_arrays(x[:20], r[:20]), SourceStatistics.from_arrays(x[20:], r[20:])
    streamed = SourceStatistics.from_chunks((x[i : i + 7], r[i : i + 7]) for i in range(0, 50, 7))
    for other in (first + rest, streamed):
        np.testing.assert_allclose(other.gram, x.T @ x)
        np.testing.assert_allclose(other.cross, x.T @ r)
        np.testing.assert_allclose(other.channel_gram, r.T @ r)
        assert other.n == 50
    np.testing.assert_allclose((whole - rest).cross, first.cross, atol=1e-12)


def test_session_means_are_removed_from_both_sides() -> None:
    x, r = _arrays(60)
    session = np.repeat([0, 1, 2, 3], [25, 25, 6, 4])
    drift = r + np.array([5.0, -3.0, 2.0, 2.0])[session][:, None]
    source = centred_source(Recording("EEG", "s1", np.arange(60), drift, session), x)
    for rows in (session == 0, session == 1, session >= 2):
        np.testing.assert_allclose(source.channels[rows].mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(source.coordinates[rows].mean(0), 0, atol=1e-12)
    same = centred_source(Recording("EEG", "s1", np.arange(60), r, session), x)
    np.testing.assert_allclose(source.channels[session < 2], same.channels[session < 2], atol=1e-12)
