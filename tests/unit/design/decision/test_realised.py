"""Corrections by rehearsals: they find what the formula leaves out, leave alone what is noise, and never narrow a forecast.

A mean over 400 simulated laboratories has the standard error sd / 20; tolerances are four of them (false-alarm rate 1e-4 a number).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from brainworth.design.decision.realised import Correction, realised, realised_gain, rows_of
from brainworth.models.learner.rehearsal import rehearsed_draws

DRAWS, SPREAD = 400, 0.05


def plan(rng: np.random.Generator, mean: float) -> Any:
    expected = mean + 0.1 * rng.standard_normal(DRAWS)
    return SimpleNamespace(expected=expected, outcomes=expected + SPREAD * rng.standard_normal(DRAWS))


def rehearsal(realised_values: np.ndarray) -> Any:
    return SimpleNamespace(n=len(realised_values), realised=realised_values)


@pytest.mark.parametrize("missed", [0.0, -0.08])
def test_a_forecast_is_moved_by_what_learners_really_miss(missed: float) -> None:
    rng = np.random.default_rng(3)
    bought = plan(rng, 0.6)
    rows = rehearsed_draws(DRAWS, 64, 5)[0]
    found = realised([bought], [rehearsal(bought.expected[rows] + missed + SPREAD * rng.standard_normal(64))], rows)[0]
    assert found.correction is not None
    assert abs(found.outcomes.mean() - (bought.expected.mean() + missed)) < 4 * SPREAD / 8
    assert found.outcomes.std() >= bought.outcomes.std() * 0.97
    if missed == 0.0:
        assert abs(found.correction.shift) <= abs(found.correction.raw)


def test_studies_that_stray_further_than_the_formula_says_widen_the_forecast() -> None:
    rng = np.random.default_rng(4)
    bought, rows = plan(rng, 0.6), rehearsed_draws(DRAWS, 64, 5)[0]
    wild = realised([bought], [rehearsal(bought.expected[rows] + 3 * SPREAD * rng.standard_normal(64))], rows)[0]
    tame = realised([bought], [rehearsal(bought.expected[rows] + 0.1 * SPREAD * rng.standard_normal(64))], rows)[0]
    assert (wild.outcomes - bought.expected).std() > 2 * SPREAD
    assert (tame.outcomes - bought.expected).std() > 0.9 * SPREAD


def test_few_rehearsals_change_nothing() -> None:
    bought = plan(np.random.default_rng(5), 0.6)
    rows = rehearsed_draws(DRAWS, 4, 5)[0]
    found = realised([bought], [rehearsal(bought.expected[rows] - 0.3)], rows)[0]
    np.testing.assert_array_equal(found.outcomes, bought.outcomes)
    assert found.correction is None


def test_a_gain_is_paired_and_holds_its_own_spread() -> None:
    rng = np.random.default_rng(6)
    brain, labels = plan(rng, 0.62), plan(rng, 0.6)
    labels.expected = brain.expected - 0.02  # the same draws
    rows = rehearsed_draws(DRAWS, 200, 5)[0]
    world = 0.2 * rng.standard_normal(200)  # the world's own luck, which both designs share
    reached = [rehearsal(p.expected[rows] + world + 0.01 * rng.standard_normal(200)) for p in (brain, labels)]
    gains = realised_gain((brain, labels), reached, rows)
    assert abs(gains.mean() - 0.02) < 4 * 0.0142 / np.sqrt(200)
    assert 0.01 < gains.std() < 0.02  # far below the luck of the world
    np.testing.assert_allclose(realised_gain((brain, labels), [None, None], rows), 0.02)


def test_a_correction_within_its_error_is_none() -> None:
    rng = np.random.default_rng(7)
    small = [abs(Correction.of(0.1 * rng.standard_normal(64)).shift) for _ in range(200)]
    assert np.mean(np.array(small) == 0.0) > 0.5
    assert Correction.of(np.full(64, 0.2) + 0.01 * rng.standard_normal(64)).shift == pytest.approx(0.2, abs=0.01)


def test_rows_are_those_of_the_worlds() -> None:
    np.testing.assert_array_equal(rows_of(DRAWS, rehearsal(np.zeros(16)), 5, 64), rehearsed_draws(DRAWS, 64, 5)[0][:16])
    assert rows_of(1, rehearsal(np.zeros(16)), 5, 64).tolist() == [0] * 16


def test_the_gain_is_the_difference_of_the_forecasts_shown_beside_it() -> None:
    rng = np.random.default_rng(8)
    brain, labels = plan(rng, 0.62), plan(rng, 0.6)
    rows = rehearsed_draws(DRAWS, 64, 5)[0]
    world = 0.05 * rng.standard_normal(64)
    reached = [rehearsal(p.expected[rows] - 0.02 + world + 0.005 * rng.standard_normal(64)) for p in (brain, labels)]
    pair = realised([brain, labels], reached, rows)
    gain = realised_gain((brain, labels), reached, rows).mean()
    stray = [p.outcomes.mean() - p.expected.mean() for p in (brain, labels)]  # the luck of these simulated outcomes
    apart = pair[0].outcomes.mean() - pair[1].outcomes.mean()
    wider = [
        f.outcomes.mean() - p.expected.mean() - f.correction.shift
        for f, p in zip(pair, (brain, labels), strict=True)
        if f.correction
    ]
    assert apart - (wider[0] - wider[1]) == pytest.approx(gain, abs=1e-4)
    assert np.abs(stray).max() < 4 * SPREAD / 20
    alone = [realised([p], [r], rows)[0].correction for p, r in zip((brain, labels), reached, strict=True)]
    separate = brain.expected.mean() - labels.expected.mean() + alone[0].shift - alone[1].shift  # type: ignore[union-attr]
    assert abs(separate - gain) > 1e-4  # the wrong twin: each shrunk by itself
