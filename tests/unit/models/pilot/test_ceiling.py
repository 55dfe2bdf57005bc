"""Noise ceilings: known truth, laws, and what the field's definitions say of each other."""

from __future__ import annotations

import numpy as np
import pytest

from brainworth.models.pilot.ceiling import noise_ceiling, spearman_brown


def _world(signal: float, repeats: int, stimuli: int = 3000, channels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    truth = np.sqrt(signal) * rng.standard_normal((stimuli, channels))
    code = np.repeat(np.arange(stimuli), repeats)
    return truth[code] + rng.standard_normal((len(code), channels)), code


@pytest.mark.parametrize("repeats", [2, 3, 4])
def test_recovers_signal_to_noise(repeats: int) -> None:
    """Standard error of ncsnr^2 about 0.02 here: 5 of them."""
    values, code = _world(0.5, repeats)
    found = noise_ceiling(values, code)
    assert found.ncsnr**2 == pytest.approx(np.full(4, 0.5), abs=0.1)
    assert found.reliability == pytest.approx(found.explainable(repeats), abs=0.05)
    assert found.correlation(repeats) ** 2 == pytest.approx(found.explainable(repeats))


def test_unequal_repeats_and_single_presentations() -> None:
    values, code = _world(1.0, 4)
    rng = np.random.default_rng(2)
    kept = rng.random(len(code)) < 0.6
    assert noise_ceiling(values[kept], code[kept]).ncsnr == pytest.approx(np.ones(4), abs=0.08)


def test_noise_has_no_ceiling_and_units_do_not_matter() -> None:
    values, code = _world(0.0, 2)
    found = noise_ceiling(values, code)
    assert np.all(found.ncsnr < 0.3)
    assert np.all(np.abs(found.reliability) < 0.1)
    values, code = _world(0.7, 2)
    shifted = noise_ceiling(1e3 * values + 5.0, code)
    assert shifted.ncsnr == pytest.approx(noise_ceiling(values, code).ncsnr)


def test_ceilings_never_exceed_one() -> None:
    values, code = _world(1e6, 2, stimuli=50)
    found = noise_ceiling(values, code)
    assert np.all(found.correlation() <= 1.0)
    assert np.all(found.reliability <= 1.0)


def test_too_few_repeats_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least 10 stimuli presented twice"):
        noise_ceiling(np.zeros((20, 1)), np.arange(20))


def test_spearman_brown() -> None:
    assert float(spearman_brown(np.array(0.5))) == pytest.approx(2 / 3)
    assert spearman_brown(np.array([1.0, 0.0, -1.0])).tolist() == [1.0, 0.0, -1.0]
    twice = spearman_brown(spearman_brown(np.array(0.3), 2.0), 2.0)
    assert float(twice) == pytest.approx(float(spearman_brown(np.array(0.3), 4.0)))
