"""Value of information against closed forms: two decisions whose utilities are linear in Gaussian parameters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from brainworth.design.decision.sensitivity import information
from brainworth.design.decision.sensitivity.information import Experiment

N = 4000
MEAN, WEIGHTS = 0.2, np.array([1.0, 0.7])
SIGMAS = 4.0
"""Standard errors allowed: a false alarm in 16,000 comparisons."""


@pytest.fixture(scope="module")
def parameters() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((N, 2))


@pytest.fixture(scope="module")
def utilities(parameters: np.ndarray) -> np.ndarray:
    """Nothing, or a bet that is worth 0.2 on average."""
    return np.column_stack([np.zeros(N), MEAN + parameters @ WEIGHTS])


def closed(spread: float) -> float:
    """E max(0, mu) - max(0, MEAN) for mu ~ N(MEAN, spread^2)."""
    return float(MEAN * norm.cdf(MEAN / spread) + spread * norm.pdf(MEAN / spread) - MEAN)


def close(found: information.Worth, truth: float) -> bool:
    return abs(found.value - truth) < SIGMAS * found.se


def test_perfect_information(utilities: np.ndarray) -> None:
    assert close(information.perfect(utilities), closed(float(np.hypot(*WEIGHTS))))


@pytest.mark.parametrize(("kept", "spread"), [([0], 1.0), ([1], 0.7), ([0, 1], float(np.hypot(1.0, 0.7)))])
def test_partial_information(utilities: np.ndarray, parameters: np.ndarray, kept: list[int], spread: float) -> None:
    assert close(information.partial(utilities, parameters[:, kept], seed=0), closed(spread))


@pytest.mark.parametrize("larger", [0.25, 1.0, 4.0, 100.0])
def test_sampled_information(utilities: np.ndarray, parameters: np.ndarray, larger: float) -> None:
    """A pilot n times as large leaves 1/(1+n) of the variance: the preposterior mean has the rest."""
    experiment = Experiment(parameters[:, :1], np.array([1.0 / larger]))
    assert close(information.sampled(utilities, experiment, seed=0), closed(np.sqrt(larger / (1.0 + larger))))


def nested(options: np.ndarray, experiment: Experiment, results: int) -> tuple[float, float]:
    """EVSI by nested Monte Carlo: results simulated from draws, posteriors by weighting all draws with their likelihood.

    An independent route: no regression, no policy, no cross-fitting. It is biased upwards where few draws carry the weight.
    """
    seen = information.scores(experiment.parameters)
    rng = np.random.default_rng(11)
    best = []
    for i in rng.integers(0, len(seen), results):
        shown = seen[i] + rng.standard_normal(seen.shape[1]) * np.sqrt(experiment.noise)
        weight = np.exp(-0.5 * ((seen - shown) ** 2 / experiment.noise).sum(axis=1))
        best.append(float((weight @ options / weight.sum()).max()))
    gain = np.array(best) - options.mean(axis=0).max()
    return float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(results))


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_sampled_information_against_nested_monte_carlo(parameters: np.ndarray, noise: float) -> None:
    """Three bets on curved functions of two parameters, for which there is no closed form."""
    first, second = parameters.T
    bets = np.column_stack([np.zeros(N), 0.3 * first + 0.1, np.tanh(second) - 0.2 * first**2, 0.5 * first * second])
    experiment = Experiment(parameters, np.full(2, noise))
    slow, error = nested(bets, experiment, 3000)
    fast = information.sampled(bets, experiment, seed=0)
    assert abs(fast.value - slow) < SIGMAS * np.hypot(fast.se, error)
    assert slow > 10 * error, "there is something to find"


def test_an_experiment_without_noise_is_caught(utilities: np.ndarray, parameters: np.ndarray) -> None:
    """The wrong twin: taking the result of a small experiment for the truth."""
    blind = Experiment(parameters[:, :1], np.array([1e-9]))
    assert not close(information.sampled(utilities, blind, seed=0), closed(np.sqrt(0.2)))


def test_correlated_parameters_stay_confused() -> None:
    """A second pilot like the first halves the covariance: the sum of two confused parameters is no better known.

    Both parameters have correlation 0.9; the bet is on their difference, whose variance is 0.2 and is halved.
    """
    rng = np.random.default_rng(5)
    cholesky = np.linalg.cholesky(np.array([[1.0, 0.9], [0.9, 1.0]]))
    values = rng.standard_normal((N, 2)) @ cholesky.T
    bet = np.column_stack([np.zeros(N), MEAN + values[:, 0] - values[:, 1]])
    again = Experiment(values, np.ones(2))
    assert close(information.sampled(bet, again, seed=0), closed(np.sqrt(0.1)))


def test_order_of_values_holds_exactly(utilities: np.ndarray, parameters: np.ndarray) -> None:
    """Nothing is negative, and nothing beats knowing the truth: for any data, also where there is nothing to learn."""
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((N, 3))
    for options in (utilities, noise, np.column_stack([utilities, noise]), np.zeros((N, 3)), noise[:, :1]):
        most = information.perfect(options).value
        for values in (parameters, parameters[:, :1], noise[:, :1]):
            experiment = Experiment(values, np.full(values.shape[1], 0.5))
            for found in (
                information.partial(options, values, seed=0).value,
                information.sampled(options, experiment, seed=0).value,
            ):
                assert 0.0 <= found <= most + 1e-12


def test_more_knowledge_is_worth_more_within_error(utilities: np.ndarray, parameters: np.ndarray) -> None:
    known = [information.partial(utilities, parameters[:, rows], seed=0) for rows in ([1], [0], [0, 1])]
    for small, large in ((known[0], known[2]), (known[1], known[2])):
        assert small.value <= large.value + SIGMAS * np.hypot(small.se, large.se)
    sizes = [Experiment(parameters, np.full(2, 1.0 / size)) for size in (0.5, 2.0, 8.0)]
    worth = [information.sampled(utilities, size, seed=0) for size in sizes] + [known[2]]
    for small, large in itertools.pairwise(worth):
        assert small.value <= large.value + SIGMAS * np.hypot(small.se, large.se)


def test_an_irrelevant_parameter_is_worth_nothing(utilities: np.ndarray) -> None:
    other = np.random.default_rng(3).standard_normal((N, 1))
    assert information.partial(utilities, other, seed=0).value < 0.01


def test_net_worth_counts_what_is_given_up(utilities: np.ndarray, parameters: np.ndarray) -> None:
    """If the experiment costs 0.1 of every option, its net worth is its worth less 0.1."""
    experiment = Experiment(parameters[:, :1], np.array([0.25]))
    gross, left = information.staged(utilities, utilities - 0.1, experiment, seed=0)
    assert gross == information.sampled(utilities, experiment, seed=0)
    assert left.value == pytest.approx(gross.value - 0.1, abs=1e-12)
    useless = Experiment(np.random.default_rng(4).standard_normal((N, 1)), np.ones(1))
    assert information.staged(utilities, utilities - 0.1, useless, seed=0)[1].value == pytest.approx(-0.1, abs=0.02)


def test_the_seed_decides_everything(utilities: np.ndarray, parameters: np.ndarray) -> None:
    experiment = Experiment(parameters, np.array([0.5, 0.5]))
    first, again = (information.sampled(utilities, experiment, seed=3) for _ in range(2))
    assert first == again
    assert first != information.sampled(utilities, experiment, seed=4)
