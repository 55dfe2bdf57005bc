"""Corrections by rehearsals: they find what the formula leaves out, leave alone what is noise, and never narrow a forecast.

A mean over 400 simulated laboratories has the standard error sd / 20; tolerances are four of them (false-alarm rate 1e-4 a number).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from brainworth.design.decision.realised import Correction, Rehearsals, mean_gain, realised, realised_gain
from brainworth.design.performance.purchase import WORST
from brainworth.models.learner.rehearsal import rehearsed_draws

DRAWS, SPREAD = 400, 0.05


def plan(rng: np.random.Generator, mean: float) -> Any:
    expected = mean + 0.1 * rng.standard_normal(DRAWS)
    return SimpleNamespace(expected=expected, outcomes=expected + SPREAD * rng.standard_normal(DRAWS))


def made(count: int, share: np.ndarray | float = 0.8) -> Rehearsals:
    return Rehearsals(rehearsed_draws(DRAWS, count, 5)[0], np.broadcast_to(share, DRAWS))


def rehearsal(realised_values: np.ndarray) -> Any:
    return SimpleNamespace(n=len(realised_values), realised=realised_values)


@pytest.mark.parametrize("missed", [0.0, -0.08])
def test_a_forecast_is_moved_by_what_learners_really_miss(missed: float) -> None:
    rng = np.random.default_rng(3)
    bought = plan(rng, 0.6)
    drawn = made(64)
    reached = bought.expected[drawn.rows] + missed + SPREAD * rng.standard_normal(64)
    found = realised([bought], [rehearsal(reached)], drawn)[0]
    assert found.correction is not None
    assert abs(found.outcomes.mean() - (bought.expected.mean() + missed)) < 4 * SPREAD / 8
    assert found.outcomes.std() >= bought.outcomes.std() * 0.97
    if missed == 0.0:
        assert abs(found.correction.shift) <= abs(found.correction.raw)


def test_studies_that_stray_further_than_the_formula_says_widen_the_forecast() -> None:
    rng = np.random.default_rng(4)
    bought, drawn = plan(rng, 0.6), made(64)
    rows = drawn.rows
    wild = realised([bought], [rehearsal(bought.expected[rows] + 3 * SPREAD * rng.standard_normal(64))], drawn)[0]
    tame = realised([bought], [rehearsal(bought.expected[rows] + 0.1 * SPREAD * rng.standard_normal(64))], drawn)[0]
    assert (wild.outcomes - bought.expected).std() > 2 * SPREAD
    assert (tame.outcomes - bought.expected).std() > 0.9 * SPREAD


def test_few_rehearsals_change_nothing() -> None:
    bought = plan(np.random.default_rng(5), 0.6)
    drawn = made(4)
    found = realised([bought], [rehearsal(bought.expected[drawn.rows] - 0.3)], drawn)[0]
    np.testing.assert_array_equal(found.outcomes, bought.outcomes)
    assert found.correction is None


def test_a_gain_is_paired_and_holds_its_own_spread() -> None:
    rng = np.random.default_rng(6)
    brain, labels = plan(rng, 0.62), plan(rng, 0.6)
    labels.expected = brain.expected - 0.02  # the same draws
    drawn = made(200)
    rows = drawn.rows
    world = 0.2 * rng.standard_normal(200)  # the world's own luck, which both designs share
    reached = [rehearsal(p.expected[rows] + world + 0.01 * rng.standard_normal(200)) for p in (brain, labels)]
    gains = realised_gain((brain, labels), reached, drawn)
    assert abs(gains.mean() - 0.02) < 4 * 0.0142 / np.sqrt(200)
    assert 0.01 < gains.std() < 0.02  # far below the luck of the world
    np.testing.assert_allclose(realised_gain((brain, labels), [None, None], drawn), 0.02)


def test_a_correction_within_its_error_is_none() -> None:
    rng = np.random.default_rng(7)
    small = [abs(Correction.of(0.1 * rng.standard_normal(64)).shift) for _ in range(200)]
    assert np.mean(np.array(small) == 0.0) > 0.5
    assert Correction.of(np.full(64, 0.2) + 0.01 * rng.standard_normal(64)).shift == pytest.approx(0.2, abs=0.01)


def system(share: np.ndarray) -> Any:
    return SimpleNamespace(signal_variance=share, noise_variance=1.0 - share)


def test_rows_are_those_of_the_worlds() -> None:
    share = np.linspace(0.001, 0.999, DRAWS)
    found = Rehearsals.of(system(share), rehearsal(np.zeros(16)), 5, 64)
    np.testing.assert_array_equal(found.rows, rehearsed_draws(DRAWS, 64, 5)[0][:16])
    np.testing.assert_allclose(found.share, share)
    assert Rehearsals.of(system(share[:1]), rehearsal(np.zeros(16)), 5, 64).rows.tolist() == [0] * 16
    assert Rehearsals.of(system(share), None, 5, 64).rows.size == 0


def test_the_gain_is_the_difference_of_the_forecasts_shown_beside_it() -> None:
    rng = np.random.default_rng(8)
    brain, labels = plan(rng, 0.62), plan(rng, 0.6)
    drawn = made(64)
    rows = drawn.rows
    world = 0.05 * rng.standard_normal(64)
    reached = [rehearsal(p.expected[rows] - 0.02 + world + 0.005 * rng.standard_normal(64)) for p in (brain, labels)]
    pair = realised([brain, labels], reached, drawn)
    gain = realised_gain((brain, labels), reached, drawn).mean()
    stray = [p.outcomes.mean() - p.expected.mean() for p in (brain, labels)]  # the luck of these simulated outcomes
    apart = pair[0].outcomes.mean() - pair[1].outcomes.mean()
    wider = [
        f.outcomes.mean() - p.expected.mean() - f.correction.moves(drawn.share, p.expected).mean()
        for f, p in zip(pair, (brain, labels), strict=True)
        if f.correction
    ]
    assert apart - (wider[0] - wider[1]) == pytest.approx(gain, abs=1e-4)
    assert np.abs(stray).max() < 4 * SPREAD / 20
    alone = [realised([p], [r], drawn)[0].correction for p, r in zip((brain, labels), reached, strict=True)]
    separate = brain.expected.mean() - labels.expected.mean() + (alone[0].shift - alone[1].shift) / 0.8  # type: ignore[union-attr]
    assert abs(separate - gain) > 1e-4  # the wrong twin: each shrunk by itself


def low_signal(rng: np.random.Generator) -> tuple[Any, Rehearsals, np.ndarray]:
    """Return a purchase, 64 rehearsals and what 400 laboratories reach, whose learners miss .02 of the labels' variance.

    Every tenth draw's labels hold 1 to 4 % of signal, the others a half and more.
    """
    share = np.where(np.arange(DRAWS) % 10 == 0, rng.uniform(0.01, 0.04, DRAWS), rng.uniform(0.5, 0.9, DRAWS))
    expected = np.where(share < 0.1, 0.05, 0.8)
    bought = SimpleNamespace(expected=expected, outcomes=expected + 1e-3 * rng.standard_normal(DRAWS) / share)
    return bought, made(64, share), expected - (0.02 + 0.005 * rng.standard_normal(DRAWS)) / share


def test_draws_with_little_signal_do_not_move_the_others() -> None:
    """The wrong twin moves all draws by the mean difference in explainable R^2, and widens all alike: it fails by .1 and more."""
    rng = np.random.default_rng(9)
    bought, drawn, reached = low_signal(rng)
    found = realised([bought], [rehearsal(reached[drawn.rows])], drawn)[0]
    clear = drawn.share > 0.1
    np.testing.assert_allclose(found.outcomes[clear].mean(), reached[clear].mean(), atol=0.005)
    np.testing.assert_allclose(np.quantile(found.outcomes, [0.5, 0.95]), np.quantile(reached, [0.5, 0.95]), atol=0.01)
    assert found.outcomes[~clear].mean() == pytest.approx(np.maximum(reached[~clear], -1.0).mean(), abs=0.1)
    assert found.outcomes.min() >= -1.0
    twin = bought.expected + (reached - bought.expected)[drawn.rows].mean()
    assert abs(twin[clear].mean() - reached[clear].mean()) > 0.1


def test_the_luck_of_draws_with_little_signal_does_not_move_the_mean_gain() -> None:
    rng = np.random.default_rng(10)
    labels, drawn, reached = low_signal(rng)
    brain: Any = SimpleNamespace(expected=labels.expected + 0.01, outcomes=labels.outcomes + 0.01)
    both = [rehearsal(reached[drawn.rows] + gain) for gain in (0.01 + 0.005 * rng.standard_normal(64), 0.0)]
    gains = realised_gain((brain, labels), both, drawn)
    assert gains.mean() == pytest.approx(0.01, abs=4 * 0.005 / 8)
    clear = np.tile(drawn.share > 0.1, 2)
    assert gains[~clear].std() > 5 * gains[clear].std()


def test_a_gain_counts_as_much_as_it_is_known() -> None:
    """Differences with the same error in R^2 on noisy labels: weighing them by their share halves the error of the plain mean."""
    rng = np.random.default_rng(11)
    share = np.where(np.arange(64) % 8 == 0, 0.03, 0.8)
    found, plain = [], []
    for _ in range(400):
        missed = 0.05 * share + 0.004 * rng.standard_normal(64)
        found.append(mean_gain(missed, share))
        plain.append(np.mean(missed / share))
    assert np.mean(found) == pytest.approx(0.05, abs=4 * float(np.std(found)) / 20)
    assert np.std(found) < 0.5 * np.std(plain)


def test_a_learner_that_does_better_does_so_by_no_more_than_there_is_to_learn() -> None:
    """The wrong twin adds the mean difference over the share of signal: beyond 1 where labels hold 1 %."""
    rng = np.random.default_rng(12)
    bought, drawn, _ = low_signal(rng)
    reached = bought.expected + 0.04 * (1.0 - bought.expected) + 0.005 * rng.standard_normal(DRAWS) / drawn.share
    found = realised([bought], [rehearsal(reached[drawn.rows])], drawn)[0]
    assert found.correction is not None
    assert found.correction.shift > 0.0
    assert found.moved == pytest.approx(found.correction.shift)
    assert found.outcomes.max() <= 1.0
    moved = found.correction.moves(drawn.share, bought.expected)
    assert np.all(moved <= 0.5 * (1.0 - bought.expected))
    np.testing.assert_allclose(found.outcomes.mean(), reached.mean(), atol=0.03)
    assert (bought.expected + found.correction.shift / drawn.share).max() > 0.3


def test_with_less_data_a_learner_misses_the_formula_by_as_much_at_least() -> None:
    rng = np.random.default_rng(13)
    bought, drawn, reached = low_signal(rng)
    found = realised([bought], [rehearsal(reached[drawn.rows])], drawn)[0].correction
    assert found is not None
    less = bought.outcomes - 0.05
    np.testing.assert_allclose(
        found.with_less_data(less, drawn.share), np.maximum(less + found.shift / drawn.share, WORST)
    )
    better = Correction(0.02, 0.02, 0.001, 0.005)
    np.testing.assert_array_equal(better.with_less_data(less, drawn.share), np.maximum(less, WORST))
    two = np.repeat(less, 2)  # two studies a draw
    np.testing.assert_array_equal(
        found.with_less_data(two, drawn.share), np.repeat(found.with_less_data(less, drawn.share), 2)
    )
