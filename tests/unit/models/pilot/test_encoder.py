"""The encoding model reaches the theory, pools sources, and its held-out read-outs are honest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.covariance import oas

from brainworth.models.pilot import readouts
from brainworth.models.pilot.encoder import Encoder, EncoderOptions, fit_encoder
from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.noise import oas_intensity, readout_filters, turned_filters
from brainworth.models.pilot.readouts import Readouts, cross_fitted_readouts
from brainworth.models.pilot.statistics import CentredSource, SourceStatistics


@dataclass(frozen=True)
class Setting:
    p: int = 200
    q: int = 60
    snr: tuple[float, ...] = (4.0, 2.0, 1.0)
    n: int = 400
    sources: int = 1
    same_stimuli: bool = False
    correlation: float = 0.0


@dataclass(frozen=True)
class World:
    maps: NDArray[np.float64]
    sources: list[CentredSource]

    @property
    def variance(self) -> NDArray[np.float64]:
        return np.ones(len(self.maps))

    @property
    def shares(self) -> NDArray[np.float64]:
        return np.full(len(self.maps), 1.0 / len(self.maps))

    def fit(self, k: int, options: EncoderOptions | None = None) -> Encoder:
        return fit_encoder([source.statistics() for source in self.sources], self.variance, self.shares, k, options)

    def read(self, encoder: Encoder, seed: int = 0) -> Readouts:
        rows = 1 + max(int(source.stimulus.max()) for source in self.sources)
        folds = group_folds(np.arange(rows), 5, seed)
        return cross_fitted_readouts(self.sources, folds, encoder, self.variance, self.shares)


def draw(setting: Setting, seed: int) -> World:
    rng = np.random.default_rng(seed)
    k = len(setting.snr)
    maps = rng.standard_normal((setting.p, k)) / np.sqrt(setting.p)
    lag = np.abs(np.subtract.outer(np.arange(setting.q), np.arange(setting.q)))
    mixing = np.linalg.cholesky(setting.correlation**lag).T
    sources: list[CentredSource] = []
    x = rng.standard_normal((setting.n, setting.p))
    for s in range(setting.sources):
        if s and not setting.same_stimuli:
            x = rng.standard_normal((setting.n, setting.p))
        patterns = np.linalg.qr(rng.standard_normal((setting.q, k)))[0]
        white = (x @ maps * np.sqrt(setting.snr)) @ patterns.T + rng.standard_normal((setting.n, setting.q))
        stimulus = np.arange(setting.n) + (0 if setting.same_stimuli else s * setting.n)
        sources.append(CentredSource(x, white @ mixing, stimulus))
    return World(maps, sources)


def encoding_r2(found: NDArray[np.float64], maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Population R^2 for each true latent of the best combination of found ones (isotropic features)."""
    weights = np.linalg.lstsq(found, maps, rcond=None)[0]
    return 1.0 - np.sum((maps - found @ weights) ** 2, axis=0) / np.sum(maps**2, axis=0)


def mean_r2(setting: Setting, worlds: int = 6) -> NDArray[np.float64]:
    drawn = [draw(setting, seed) for seed in range(worlds)]
    return np.mean([encoding_r2(world.fit(len(setting.snr)).maps, world.maps) for world in drawn], axis=0)


def pca_then_ridge(world: World, k: int) -> NDArray[np.float64]:
    """The wrong twin: principal components of the recordings, then ridge with the true penalty's order."""
    source = world.sources[0]
    scores = source.channels @ np.linalg.svd(source.channels, full_matrices=False)[2][:k].T
    x = source.coordinates
    return np.linalg.solve(x.T @ x + x.shape[1] * np.eye(x.shape[1]), x.T @ scores)


# Tolerance: four standard errors of the mean over six worlds (spread of one world: .013, .025, .06).
@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Setting(n=400), (0.82, 0.70, 0.54)),
        (Setting(n=1000), (0.94, 0.89, 0.80)),
        (Setting(q=30, snr=(0.5, 0.25, 0.12), n=3000), (0.87, 0.77, 0.60)),
    ],
)
def test_reaches_the_state_evolution(setting: Setting, expected: tuple[float, ...]) -> None:
    np.testing.assert_array_less(np.abs(mean_r2(setting) - expected), [0.025, 0.045, 0.1])


def test_beats_principal_components_followed_by_ridge() -> None:
    world = draw(Setting(q=100, snr=(0.3, 0.2, 0.1), n=3000), 0)
    ours = encoding_r2(world.fit(3).maps, world.maps)
    twin = encoding_r2(pca_then_ridge(world, 3), world.maps)
    assert np.all(ours > twin)
    assert ours.sum() > twin.sum() + 0.3


def test_correlated_noise_is_whitened() -> None:
    world = draw(Setting(q=30, n=800, correlation=0.8), 0)
    encoder = world.fit(3)
    assert np.all(encoding_r2(encoder.maps, world.maps) > (0.85, 0.75, 0.6))
    twin = encoding_r2(pca_then_ridge(world, 3), world.maps)
    assert encoding_r2(encoder.maps, world.maps).sum() > twin.sum() + 0.3
    lag = np.abs(np.subtract.outer(np.arange(30), np.arange(30)))
    error = np.linalg.norm(encoder.noise[0] - 0.8**lag) / np.linalg.norm(0.8**lag)
    assert error < 0.2


@pytest.mark.parametrize("same_stimuli", [True, False])
def test_two_sources_beat_one(same_stimuli: bool) -> None:
    one = mean_r2(Setting(), 3)
    two = mean_r2(Setting(sources=2, same_stimuli=same_stimuli), 3)
    assert np.all(two > one + 0.04)


def test_same_stimuli_equal_the_concatenated_channels() -> None:
    """Two people with the same stimuli and white noise are one person with both sets of channels."""
    world = draw(Setting(p=40, q=10, n=600, sources=2, same_stimuli=True), 3)
    joined = World(
        world.maps,
        [
            CentredSource(
                world.sources[0].coordinates,
                np.hstack([source.channels for source in world.sources]),
                world.sources[0].stimulus,
            )
        ],
    )
    tight = EncoderOptions(tolerance=1e-4)
    apart, together = world.fit(3, tight), joined.fit(3, tight)
    overlap = np.abs(np.sum(apart.maps * together.maps, axis=0))
    overlap /= np.linalg.norm(apart.maps, axis=0) * np.linalg.norm(together.maps, axis=0)
    assert np.all(overlap > 0.99)


def test_filters_have_unit_noise_and_read_the_latents() -> None:
    world = draw(Setting(p=50, n=2000, correlation=0.6), 1)
    encoder = world.fit(3)
    assert encoder.converged
    noise, filters = encoder.noise[0], encoder.filters[0]
    np.testing.assert_allclose(filters.T @ noise @ filters, np.eye(3), atol=1e-6)
    latents = world.sources[0].coordinates @ world.maps
    read = world.sources[0].channels @ filters
    gain = np.linalg.lstsq(latents, read, rcond=None)[0]
    np.testing.assert_allclose(np.sort(np.sum(gain**2, axis=0))[::-1], (4, 2, 1), rtol=0.25)
    np.testing.assert_allclose(encoder.snr[0], (4, 2, 1), rtol=0.3)


def test_rotated_filters_equal_filters_of_rotated_patterns() -> None:
    rng = np.random.default_rng(0)
    root = rng.standard_normal((12, 30))
    noise, patterns = root @ root.T / 30, rng.standard_normal((4, 12))
    rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    filters, _ = readout_filters(patterns, noise)
    expected, snr = readout_filters(rotation.T @ patterns, noise)
    turned, turned_snr = turned_filters(filters, patterns, rotation)
    np.testing.assert_allclose(turned, expected, atol=1e-9)
    np.testing.assert_allclose(turned_snr, snr, rtol=1e-9)


def test_posterior_variance_covers_the_error_of_the_maps() -> None:
    """Standardised squared errors average 1; over 3 x 200 weights and 4 worlds, 0.85 to 1.2 is beyond 5 sigma."""
    ratios: list[float] = []
    for seed in range(4):
        world = draw(Setting(n=1000), seed)
        encoder = world.fit(3)
        weights = np.linalg.lstsq(encoder.maps, world.maps, rcond=None)[0]
        left, _, right = np.linalg.svd(weights)
        error = encoder.maps @ (left @ right) - world.maps
        ratios.append(float(np.mean(error**2) / np.mean(encoder.map_covariance_diag)))
    assert 0.85 < np.mean(ratios) < 1.2


def test_degenerate_sources_give_finite_answers() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 8))
    dead = np.zeros((60, 3))
    dead[:, 0] = rng.standard_normal(60)
    for channels, k in ((rng.standard_normal((60, 2)), 6), (dead, 2), (np.outer(x[:, 0], np.ones(5)), 3)):
        encoder = fit_encoder([SourceStatistics.from_arrays(x, channels)], np.ones(8), np.full(8, 1 / 8), k)
        assert encoder.maps.shape[1] <= channels.shape[1]
        for part in (encoder.maps, encoder.map_covariance_diag, encoder.snr, *encoder.filters, *encoder.noise):
            assert np.all(np.isfinite(part))
    with pytest.raises(ValueError, match="needs samples"):
        fit_encoder([], np.ones(8), np.full(8, 1 / 8), 1)


def test_shrinkage_intensity_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal((40, 15)) @ np.diag(np.linspace(1, 3, 15))
    assert oas_intensity(values.T @ values / 40, 40) == pytest.approx(oas(values, assume_centered=True)[1])


def test_held_out_readouts_have_unit_noise_and_the_right_gain() -> None:
    world = draw(Setting(p=60, q=30, n=1000, correlation=0.5), 2)
    readouts = world.read(world.fit(5))
    assert readouts.confirmed == 3
    latents = world.sources[0].coordinates @ world.maps
    gain, residual, _, _ = np.linalg.lstsq(latents, readouts.latents[0], rcond=None)
    np.testing.assert_allclose(residual / 1000, 1.0, atol=0.2)
    np.testing.assert_allclose(np.sum(gain**2, axis=0)[:3], (4, 2, 1), rtol=0.3)
    assert np.all(readouts.latent_accuracy[0, :3] > 0.3)
    assert readouts.channel_accuracy[0].mean() > 0.15


def test_latents_of_pure_noise_look_like_noise_on_other_folds() -> None:
    """Scores are standard normal. Mean of 6 x 6 within 4 standard errors: false alarm 6e-5."""
    scores: list[NDArray[np.float64]] = []
    for seed in range(6):
        world = draw(Setting(p=60, q=20, snr=(0.0,), n=400), seed)
        readouts = world.read(world.fit(6), seed)
        scores.append(np.sqrt(400) * readouts.latent_accuracy[0])
    mean = np.mean(scores, axis=0)
    assert abs(float(mean.mean())) < 4 / 6
    assert np.all(np.abs(mean) < 4 / np.sqrt(6))
    # The wrong twin: the encoder that saw the samples finds latents in pure noise.
    world = draw(Setting(p=60, q=20, snr=(0.0,), n=400), 0)
    encoder = world.fit(6)
    source = world.sources[0]
    read = source.channels @ encoder.filters[0]
    seen = [np.corrcoef(a, b)[0, 1] for a, b in zip(read.T, (source.coordinates @ encoder.maps).T, strict=True)]
    assert np.sqrt(400) * np.mean(seen) > 4


def test_the_signs_of_latents_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eigensolvers choose the signs, fold by fold; no read-out, no score and no number of latents may depend on them."""
    world = draw(Setting(snr=(4.0, 0.05), sources=2), 3)
    encoder = world.fit(6)
    assert np.all(np.take_along_axis(encoder.maps, np.abs(encoder.maps).argmax(axis=0)[None], axis=0) > 0.0)
    expected = world.read(encoder)
    rng = np.random.default_rng(0)

    def flipped(*given: Any, **more: Any) -> Encoder:
        found = fit_encoder(*given, **more)
        sign = rng.choice([-1.0, 1.0], found.maps.shape[1])
        patterns = tuple(sign[:, None] * pattern for pattern in found.patterns)
        filters = tuple(part * sign for part in found.filters)
        return replace(found, maps=found.maps * sign, patterns=patterns, filters=filters)

    scored: list[NDArray[np.float64]] = []
    own = readouts.own_correlation

    def noted(*given: Any) -> NDArray[np.float64]:
        scored.append(own(*given))
        return scored[-1]

    monkeypatch.setattr(readouts, "own_correlation", noted)
    world.read(encoder)
    monkeypatch.setattr(readouts, "fit_encoder", flipped)
    found = world.read(encoder)
    np.testing.assert_allclose(scored[2:], scored[:2], atol=1e-10)
    assert found.confirmed == expected.confirmed
    for a, b in zip(found.latents, expected.latents, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
