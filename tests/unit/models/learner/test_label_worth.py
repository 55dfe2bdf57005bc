"""What chosen labels are worth in random ones: against raw rows, and where choosing brings nothing or less than nothing."""

from __future__ import annotations

import numpy as np

from brainworth.models.learner.choice import Beliefs
from brainworth.models.learner.label_worth import WorthCurve, knots, like_the_study, without_replacement, worth_curve

P = 12
VARIANCE = np.arange(1, P + 1.0) ** -0.5


def _beliefs() -> Beliefs:
    signal = np.array([1.0, 1.5])
    covariance = np.stack([np.diag(np.append(10.0, np.full(P, s / P) / VARIANCE)) for s in signal])
    return Beliefs(covariance, np.array([[1.0, 0.5]]), np.full(2, 0.5), np.arange(2), np.diag(np.append(1.0, VARIANCE)))


def _rows(rng: np.random.Generator, count: int, length: float = 1.0) -> np.ndarray:
    return np.column_stack([np.ones(count), length * rng.standard_normal((count, P)) * np.sqrt(VARIANCE)])


def _curve(length: float = 1.0, count: int = 400) -> WorthCurve:
    rng = np.random.default_rng(1)
    sources = [like_the_study(VARIANCE, rng) for _ in range(4)]
    return worth_curve(_beliefs(), _rows(rng, count, length), sources)


def test_random_stimuli_are_worth_themselves() -> None:
    curve = _curve()
    np.testing.assert_allclose(curve.worth[-5:], curve.chosen[-5:], rtol=0.1)
    assert (curve.low <= curve.worth + 1e-9).all()
    assert (curve.high >= curve.worth - 1e-9).all()
    assert (np.diff(curve.random_labels(np.linspace(0, 400, 801))) >= 0.0).all()
    assert float(curve.random_labels(np.array(0.0))) == 0.0
    assert not curve.beyond.any()


def test_stimuli_farther_out_are_worth_more_and_nearer_ones_less() -> None:
    near, far = _curve(0.5), _curve(2.0)
    assert (near.worth[-6:] < 0.6 * near.chosen[-6:]).all()
    assert (far.worth[-6:] > 2.0 * far.chosen[-6:]).all()
    # Signal over noise of a label grows with the squared length: many labels are worth length^2 times as many.
    assert 3.0 < far.worth[-1] / far.chosen[-1] < 4.5


def test_beyond_the_curve_one_more_label_is_one_more_random_one() -> None:
    curve = _curve(2.0, 100)
    end = float(curve.random_labels(np.array(100.0)))
    np.testing.assert_allclose(curve.random_labels(np.array([150.0, 300.0])), [end + 50.0, end + 200.0])


def test_compressed_random_stimuli_teach_what_raw_rows_teach() -> None:
    rng, beliefs = np.random.default_rng(2), _beliefs()
    after: list[np.ndarray] = []
    for raw in (False, True):
        risks: list[np.ndarray] = []
        for _ in range(60):
            count, rows = (80, _rows(rng, 80)) if raw else like_the_study(VARIANCE, rng)(80)
            assert count == 80
            risks.append(beliefs.observed(rows, np.broadcast_to(beliefs.noise[0], (len(rows), 2))).risk())
        after.append(np.array(risks))
    error = np.sqrt(sum(values.var(axis=0) / 60 for values in after))
    assert (abs(after[0].mean(axis=0) - after[1].mean(axis=0)) < 3.5 * error).all()  # false alarm: 0.1 % in all
    np.testing.assert_allclose(after[0].std(axis=0), after[1].std(axis=0), rtol=0.5)


def test_a_pool_that_is_too_small_is_said() -> None:
    rng = np.random.default_rng(3)
    pool = _rows(rng, 50)
    curve = worth_curve(_beliefs(), _rows(rng, 100, 2.0), [without_replacement(pool, rng) for _ in range(3)])
    assert curve.beyond[-1] == 1.0
    assert curve.worth[-1] == 50.0
    whole = worth_curve(_beliefs(), pool, [without_replacement(pool, rng)])
    np.testing.assert_allclose(whole.worth[-1], 50.0)


def test_knots_start_at_nothing_and_end_at_all() -> None:
    assert knots(1).tolist() == [0, 1]
    found = knots(5000)
    assert (found[0], found[-1]) == (0, 5000)
    assert (np.diff(found) > 0).all()
