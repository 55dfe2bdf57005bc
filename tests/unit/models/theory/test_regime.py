"""The regime map: global against brute force, monotone where it must be, and the price at which brain data stop to pay."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.theory.performance import excess_risk
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.regime import WORTH, Budget, best_share, regime_map, scaled
from brainworth.models.theory.system import Design, Spectrum, System

SYSTEM = System(
    spectrum=compress(Spectrum.power_law(200, 0.7)),
    signal_variance=jnp.asarray(1.0),
    noise_variance=jnp.asarray(2.0),
    alignment=jnp.asarray([0.4, 0.2, 0.1]),
    snr=jnp.asarray([[2.0, 1.0, 0.5]]),
    channels=jnp.asarray([50.0]),
    brain_exponent=jnp.asarray(1.0),
    task_exponent=jnp.asarray(1.0),
)
BUDGET = Budget(jnp.asarray(500.0), jnp.ones(1))
ALIGNMENT, SNR, PRICE = np.linspace(0.0, 1.0, 6), np.geomspace(0.1, 10.0, 4), np.geomspace(0.02, 5.0, 5)


@pytest.fixture(scope="module")
def area() -> dict[str, np.ndarray]:
    found = regime_map(SYSTEM, BUDGET, ALIGNMENT, SNR, PRICE)
    names = ("share", "excess_risk", "labels_only", "gain", "worthwhile")
    return {name: np.asarray(getattr(found, name)) for name in names}


@jax.jit
def _risks(alignment: jax.Array, snr: jax.Array, price: jax.Array, shares: jax.Array) -> jax.Array:
    system = scaled(SYSTEM, alignment, snr)
    return jax.lax.map(
        lambda share: excess_risk(system, Design.simple((share * 500.0 / price)[None], (1.0 - share) * 500.0)),
        shares,
        batch_size=69,
    )


def test_best_share_equals_brute_force_over_the_whole_range(area: dict[str, np.ndarray]) -> None:
    shares, two_minima = np.linspace(0.0, 1.0, 2001), 0
    for i in range(1, 6, 2):
        for j in range(4):
            for k in range(0, 5, 2):
                risks = np.asarray(_risks(ALIGNMENT[i], SNR[j], PRICE[k], shares))
                assert area["excess_risk"][i, j, k] <= risks.min() + 1e-6
                assert area["labels_only"][i, j, k] == pytest.approx(risks[0], rel=1e-9)
                inner = (risks[1:-1] < risks[:-2] - 1e-7) & (risks[1:-1] < risks[2:])
                two_minima += int(inner.sum() + (risks[0] < risks[1])) > 1
    assert two_minima > 3, "without two minima a local search would do, and this test would show nothing"


def test_shape_and_signs(area: dict[str, np.ndarray]) -> None:
    assert all(value.shape == (6, 4, 5) for value in area.values())
    assert np.all(area["gain"] >= 0)
    np.testing.assert_allclose(area["gain"], area["labels_only"] - area["excess_risk"], atol=1e-12)
    np.testing.assert_array_equal(area["worthwhile"], area["gain"] > WORTH)
    assert np.all(area["share"][area["gain"] == 0] == 0)
    assert np.all((area["share"] >= 0) & (area["share"] < 1))


def test_worth_grows_with_alignment_and_signal_and_falls_with_price(area: dict[str, np.ndarray]) -> None:
    gain = area["gain"]
    assert not area["worthwhile"][0].any(), "no alignment, nothing to gain"
    assert area["worthwhile"][-1, -1, 0]
    assert not area["worthwhile"][:, 0, -1].any(), "weak and dear"
    for axis, sign in ((0, 1), (1, 1), (2, -1)):
        assert np.all(sign * np.diff(gain, axis=axis) > -1.4e-3), "monotone up to the stated error of the formula"


def test_one_point_equals_the_map(area: dict[str, np.ndarray]) -> None:
    one = jax.jit(best_share)(scaled(SYSTEM, ALIGNMENT[4], SNR[2]), BUDGET, PRICE[1])
    assert float(one.excess_risk) == pytest.approx(area["excess_risk"][4, 2, 1], rel=1e-9)
    assert float(one.share) == pytest.approx(area["share"][4, 2, 1], abs=1e-6)


def test_scaling_keeps_proportions() -> None:
    found = scaled(SYSTEM, 0.35, 2.0)
    np.testing.assert_allclose(found.alignment, [0.2, 0.1, 0.05], rtol=1e-12)
    np.testing.assert_allclose(found.snr, 2.0 * SYSTEM.snr)
