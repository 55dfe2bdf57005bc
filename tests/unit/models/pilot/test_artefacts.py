"""Artefacts: found where they are, not found where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from brainworth.models.pilot.artefacts import outlying


@pytest.mark.parametrize("channels", [1, 2, 20, 200])
def test_gaussian_noise_has_none(channels: int) -> None:
    """False-alarm rate below 1e-6 a sample: over 20,000 samples below 2 %."""
    rng = np.random.default_rng(channels)
    mixing = rng.standard_normal((channels, channels))
    assert not np.any(outlying(rng.standard_normal((20_000, channels)) @ mixing + 3.0))


@pytest.mark.parametrize("channels", [1, 20])
def test_tenfold_noise_stands_out(channels: int) -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((4000, channels))
    bad = rng.random(4000) < 0.02
    noise[bad] *= 30.0
    found = outlying(noise)
    assert not np.any(found & ~bad)
    assert np.mean(found[bad]) > (0.7 if channels == 1 else 0.99)


def test_heavy_tails_are_not_artefacts() -> None:
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((20_000, 20)) / np.sqrt(rng.chisquare(4.0, (20_000, 1)) / 4.0)
    assert np.mean(outlying(noise)) < 0.001


def test_silent_channels_are_left_out() -> None:
    assert not np.any(outlying(np.zeros((50, 3))))
