"""Nothing that is learned from a pilot depends on the unit of a channel, of all features or of the labels."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainworth.models.pilot.noise import filter_efficiency, shrinkage_target
from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.pilot.statistics import FeatureBasis
from brainworth.models.pilot.summary import summarise

N, CHANNELS = 60, 5


def evidence(
    channel: np.ndarray | float, feature: float = 1.0, label: float = 1.0, offset: float = 0.0
) -> list[np.ndarray]:
    """Return what the hierarchical model conditions on, for one pilot in given units."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((N, 6))
    latent = features @ rng.standard_normal(6)
    labels = latent + rng.standard_normal(N)
    recorded = [
        0.5 * np.outer(latent, rng.standard_normal(CHANNELS)) + rng.standard_normal((N, CHANNELS)) for _ in "ab"
    ]
    everyone = np.arange(N)
    people = tuple(
        Recording("EEG", name, everyone, values * channel + offset, None)
        for name, values in zip("ab", recorded, strict=True)
    )
    pilot = Pilot(features * feature, everyone % 12, people, everyone, labels * label)
    found = summarise(pilot, ("EEG",), 2, 0).evidence
    return [np.asarray(leaf, dtype=float) for leaf in jax.tree_util.tree_leaves(found)]


@pytest.fixture(scope="module")
def plain() -> list[np.ndarray]:
    return evidence(1.0)


def same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.abs(one), np.abs(other), rtol=1e-5, atol=1e-7)


@settings(max_examples=4, deadline=None)
@given(powers=st.lists(st.floats(-15, 15), min_size=CHANNELS, max_size=CHANNELS))
def test_every_channel_has_a_unit_of_its_own(plain: list[np.ndarray], powers: list[float]) -> None:
    """MEG in tesla beside EEG in volt is the same as both in units of one."""
    same(evidence(10.0 ** np.array(powers)), plain)


@pytest.mark.parametrize("power", [-50, -20, 30, 50])
def test_common_units_do_not_count(plain: list[np.ndarray], power: int) -> None:
    unit = 2.0**power
    same(evidence(unit), plain)
    same(evidence(1.0, feature=unit), plain)
    same(evidence(1.0, label=unit), plain)
    same(evidence(1.0, offset=1e3), plain)


def test_the_shrinkage_target_of_a_small_channel_is_its_own_variance() -> None:
    x = np.random.default_rng(0).standard_normal((240, 8))
    for unit in (1.0, 1e-5, 1e-8, 1e-30):
        y = x.copy()
        y[:, :4] *= unit
        intensity, target = shrinkage_target(y.T @ y / 240, 240)
        assert intensity == pytest.approx(shrinkage_target(x.T @ x / 240, 240)[0])
        np.testing.assert_allclose(target[:4], np.var(x[:, :4], axis=0) * unit**2, rtol=0.05)
        noise = y.T @ y / 240
        assert filter_efficiency(noise, 60, np.random.default_rng(1)) == pytest.approx(
            filter_efficiency(x.T @ x / 240, 60, np.random.default_rng(1)), rel=1e-6
        )


def test_a_channel_without_variance_still_gets_unit_variance() -> None:
    assert shrinkage_target(np.diag([0.0, 1e-20]), 50)[1].tolist() == [1.0, 1e-20]


def test_raw_features_share_one_unit_and_keep_their_proportions() -> None:
    features = np.random.default_rng(0).standard_normal((50, 3)) * [1.0, 10.0, 0.1]
    raw = FeatureBasis.from_features(features, standardise=False)
    large = FeatureBasis.from_features(1e12 * features, standardise=False)
    np.testing.assert_allclose(large.variance, raw.variance, rtol=1e-9)
    assert raw.variance[0] / raw.variance[1] > 30.0
    np.testing.assert_allclose(raw.variance.sum(), 3.0)
