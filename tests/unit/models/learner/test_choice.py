"""The greedy choice against brute force, known designs, formulas evaluated from raw data, and learners."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from brainworth.models.learner.choice import Beliefs, Pool, greedy_choice, random_path


def _beliefs(covariance: np.ndarray, noise: float | np.ndarray, target: np.ndarray) -> Beliefs:
    covariance = covariance[None] if covariance.ndim == 2 else covariance
    count = len(covariance)
    noise = np.full((1, count), noise) if np.isscalar(noise) else np.asarray(noise)
    return Beliefs(covariance, noise, np.full(count, 1 / count), np.arange(count), target)


def _pool(columns: np.ndarray, **given: Any) -> Pool:
    n = len(columns)
    own: dict[str, Any] = {"group": np.arange(n), "price": np.ones(n), "seen": np.zeros(n, dtype=int)}
    return Pool(columns, **(own | given))


def _risk(covariance: np.ndarray, rows: np.ndarray, noise: float, target: np.ndarray) -> float:
    """The risk from the definition: tr(T (S^-1 + X'X / noise)^-1)."""
    return float(np.trace(target @ np.linalg.inv(np.linalg.inv(covariance) + rows.T @ rows / noise)))


def _world(seed: int, n: int = 60, p: int = 6) -> tuple[np.ndarray, Beliefs]:
    rng = np.random.default_rng(seed)
    scale = np.arange(1, p + 1.0) ** -0.5
    root = rng.standard_normal((3, p, p))
    covariance = np.array([np.diag(rng.uniform(0.2, 2.0, p)) + 0.3 * r @ r.T / p for r in root])
    return rng.standard_normal((n, p)) * scale, _beliefs(covariance, np.array([[0.5, 1.0, 2.0]]), np.diag(scale**2))


@pytest.mark.parametrize("seed", range(4))
def test_risks_are_those_of_the_definition(seed: int) -> None:
    x, beliefs = _world(seed)
    found = greedy_choice(beliefs, _pool(x), 12)
    for step in (0, 1, 5, 12):
        rows = x[found.groups[:step]]
        expected = [
            _risk(c, rows, s, beliefs.target) for c, s in zip(beliefs.covariance, beliefs.noise[0], strict=True)
        ]
        np.testing.assert_allclose(found.risk[step], expected, rtol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_lazy_choice_loses_almost_nothing_against_the_full_greedy_one(seed: int) -> None:
    x, beliefs = _world(seed, n=500, p=20)
    lazy, full = greedy_choice(beliefs, _pool(x), 40), greedy_choice(beliefs, _pool(x), 40, lazy=False)
    assert lazy.risk[-1].mean() <= full.risk[-1].mean() * 1.002
    assert lazy.evaluated < full.evaluated


@pytest.mark.parametrize("seed", range(8))
def test_greedy_choice_is_near_the_best_of_all_subsets(seed: int) -> None:
    x, beliefs = _world(seed, n=11, p=3)
    found = greedy_choice(beliefs, _pool(x), 4)
    every = []
    for rows in itertools.combinations(range(len(x)), 4):
        parts = zip(beliefs.covariance, beliefs.noise[0], strict=True)
        every.append(np.mean([_risk(c, x[list(rows)], s, beliefs.target) for c, s in parts]))
    start, best, typical = found.risk[0].mean(), min(every), np.median(every)
    reached = found.risk[-1].mean()
    assert reached >= best - 1e-12
    assert start - reached >= 0.97 * (start - best)
    assert reached < typical


def test_first_choice_is_the_best_single_stimulus() -> None:
    x, beliefs = _world(3)
    found = greedy_choice(beliefs, _pool(x), 1)
    after = [
        np.mean(
            [_risk(c, row[None], s, beliefs.target) for c, s in zip(beliefs.covariance, beliefs.noise[0], strict=True)]
        )
        for row in x
    ]
    assert found.groups[0] == int(np.argmin(after))


def test_equivalent_stimuli_are_equal_whatever_is_chosen() -> None:
    p = 8
    x = np.vstack([np.eye(p)] * 3)
    beliefs = _beliefs(np.eye(p), 1.0, np.eye(p))
    found = greedy_choice(beliefs, _pool(x), p)
    assert np.unique(found.groups % p).size == p  # every direction once: repeating one is worth less
    assert found.risk[-1][0] == pytest.approx(p / 2)


def test_a_slope_is_learned_from_the_extremes() -> None:
    position = np.linspace(-1, 1, 41)
    x = np.column_stack([np.ones(41), position])
    beliefs = _beliefs(np.diag([100.0, 100.0]), 1.0, np.diag([0.0, 1.0]))  # only the slope matters
    found = greedy_choice(beliefs, _pool(x), 10)
    assert np.abs(position[found.groups]).min() >= 0.75
    assert 4 <= (position[found.groups] > 0).sum() <= 6


def test_a_shifted_target_moves_the_choice() -> None:
    rng = np.random.default_rng(0)
    x = np.vstack([rng.standard_normal((50, 2)) * [1.0, 0.1], rng.standard_normal((50, 2)) * [0.1, 1.0]])
    first = greedy_choice(_beliefs(np.eye(2), 1.0, np.diag([1.0, 0.0])), _pool(x), 10).groups
    second = greedy_choice(_beliefs(np.eye(2), 1.0, np.diag([0.0, 1.0])), _pool(x), 10).groups
    assert first.max() < 50 <= second.min()


def test_prices_count() -> None:
    x = np.repeat(np.array([[1.0, 0.0], [0.0, 1.0]]), 5, axis=0)
    price = np.repeat([10.0, 1.0], 5)
    found = greedy_choice(_beliefs(np.eye(2), 1.0, np.eye(2)), _pool(x, price=price), 3)
    assert (found.groups >= 5).sum() == 3


def test_groups_stay_whole_and_their_gain_is_that_of_the_definition() -> None:
    x, beliefs = _world(1, n=40)
    group = np.arange(40) // 4
    found = greedy_choice(beliefs, _pool(x, group=group), 10)
    assert len(found.groups) == 2
    after = [
        np.mean([
            _risk(c, x[group == g], s, beliefs.target) for c, s in zip(beliefs.covariance, beliefs.noise[0], strict=True)
        ])
        for g in range(10)
    ]  # fmt: skip
    assert found.groups[0] == int(np.argmin(after))
    assert found.risk[1].mean() == pytest.approx(min(after))


def test_a_noisy_stimulus_is_repeated_only_where_that_is_worth_it() -> None:
    x = np.array([[3.0, 0.0], [0.0, 0.01]])
    beliefs = _beliefs(np.eye(2), 1.0, np.diag([1.0, 0.01]))
    assert greedy_choice(beliefs, _pool(x, limit=3), 3).groups.tolist() == [0, 0, 0]
    common = _beliefs(np.eye(2), np.array([[1.0], [1e9]]), np.diag([1.0, 0.01]))  # a second look shows nothing new
    assert greedy_choice(common, _pool(x, limit=3), 3).groups.tolist() == [0, 1, 0]


def test_many_rows_at_once_equal_rows_one_by_one() -> None:
    x, beliefs = _world(2, n=90)
    noise = np.random.default_rng(0).uniform(0.5, 2.0, (90, 3))
    whole = beliefs.observed(x, noise)
    piecewise = beliefs
    for i in range(0, 90, 3):
        piecewise = piecewise.observed(x[i : i + 3], noise[i : i + 3])
    np.testing.assert_allclose(whole.covariance, piecewise.covariance, atol=1e-10)


def test_random_paths_have_the_risk_of_the_definition_and_are_worse() -> None:
    x, beliefs = _world(5, n=200, p=10)
    found = greedy_choice(beliefs, _pool(x), 20)
    goal = beliefs.by_draw(found.risk[-1])
    paths = [random_path(beliefs, _pool(x), [20, 40, 80, 160], goal, np.random.default_rng(s)) for s in range(20)]
    assert all(path.count[1] == 20 for path in paths)
    at_equal_size = np.mean([path.risk[1] for path in paths])
    assert at_equal_size > found.risk[-1].mean() * 1.05


@pytest.mark.parametrize("of", ["covariance", "columns"])
def test_values_that_are_not_finite_are_refused(of: str) -> None:
    x, beliefs = _world(0)
    if of == "columns":
        x[3, 2] = np.nan
    else:
        beliefs.covariance[0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="must be finite"):
        greedy_choice(beliefs, _pool(x), 3)


def test_the_expected_risk_is_what_a_learner_reaches() -> None:
    """Monte Carlo: maps from the prior, labels with noise, the posterior mean's risk on the target, 4,000 worlds."""
    rng = np.random.default_rng(11)
    x, beliefs = _world(7, n=80, p=5)
    covariance, noise = beliefs.covariance[1], float(beliefs.noise[0, 1])
    one = _beliefs(covariance, noise, beliefs.target)
    found = greedy_choice(one, _pool(x), 15)
    rows = x[found.groups]
    truth = rng.standard_normal((4000, 5)) @ np.linalg.cholesky(covariance).T
    label = truth @ rows.T + np.sqrt(noise) * rng.standard_normal((4000, 15))
    gain = np.linalg.solve(rows @ covariance @ rows.T + noise * np.eye(15), rows @ covariance)
    error = label @ gain - truth
    each = np.einsum("wi,ij,wj->w", error, beliefs.target, error)
    assert abs(each.mean() - found.risk[-1][0]) < 4 * each.std() / np.sqrt(len(each))
