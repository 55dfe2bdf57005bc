"""Laws of every utility: monotone, shift of certain values, known values, names."""

from __future__ import annotations

import numpy as np
import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.performance.utilities import (
    CVaR,
    Mean,
    Probability,
    Quantile,
    Reliable,
    Utility,
    utility_from_name,
)

ALL: tuple[Utility, ...] = (Mean(), Quantile(0.3), CVaR(0.25), CVaR(0.999), Probability(0.5), Reliable(0.9))


@pytest.mark.parametrize("utility", ALL, ids=lambda u: u.name)
def test_no_draw_that_improves_makes_a_utility_worse(utility: Utility) -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(200, 37))
    better = values + rng.exponential(0.1, size=values.shape) * rng.integers(0, 2, values.shape)
    assert np.all(utility(better) >= utility(values) - 1e-15)


@pytest.mark.parametrize("utility", ALL, ids=lambda u: u.name)
def test_order_of_draws_and_leading_axes_do_not_matter(utility: Utility) -> None:
    values = np.random.default_rng(1).uniform(size=(2, 3, 41))
    np.testing.assert_allclose(utility(values[..., ::-1]), utility(values), atol=1e-15)
    assert utility(values)[1, 2] == pytest.approx(float(utility(values[1, 2])), abs=1e-15)


@pytest.mark.parametrize("utility", [u for u in ALL if u.name != "probability"], ids=lambda u: u.name)
def test_a_certain_value_is_worth_itself(utility: Utility) -> None:
    assert float(utility(np.full(50, 0.37))) == pytest.approx(0.37)


def test_known_values() -> None:
    values = np.arange(10) / 10
    assert float(CVaR(0.2)(values)) == pytest.approx(0.05)
    assert float(CVaR(0.25)(values)) == pytest.approx((0.0 + 0.1 + 0.5 * 0.2) / 2.5)
    assert float(Probability(0.5)(values)) == pytest.approx(0.5)
    assert float(Reliable(0.9)(values)) == pytest.approx(0.1)
    assert float(np.mean(values >= Reliable(0.7)(values))) >= 0.7
    assert float(Quantile(0.5)(values)) == pytest.approx(0.45)


def test_cvar_is_the_maximum_of_rockafellar_and_uryasev() -> None:
    values = np.random.default_rng(2).normal(size=101)
    level = 0.13
    cuts = values[:, None]
    dual = cuts[:, 0] - np.maximum(cuts - values, 0.0).mean(axis=1) / level
    assert float(CVaR(level)(values)) == pytest.approx(float(dual.max()), abs=1e-12)


def test_names_are_parsed_once() -> None:
    assert utility_from_name("cvar", level=0.2) == CVaR(0.2)
    assert utility_from_name("probability", target=0.6) == Probability(0.6)
    for wrong in ({"name": "median"}, {"name": "probability"}, {"name": "quantile", "level": 1.0}):
        with pytest.raises(BadInput):
            utility_from_name(**wrong)  # type: ignore[arg-type]
