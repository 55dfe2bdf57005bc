"""Value of information from draws of utilities: EVPI, EVPPI by regression, EVSI of an experiment.

In: utilities [draw, option], parameters [draw, parameter]. Out: ``Worth``, a value with its Monte Carlo standard error. Standard
errors take draws as independent; with strongly autocorrelated chains they are too small.

All estimators are values of *policies*. What is learned is summarised by a statistic of each draw; splines and ridge
regression (Strong, Oakley & Brennan 2014; Strong et al. 2015 for experiments) predict from it what each option gains, on
other draws (five-fold cross-fitting); the option with the best prediction is taken, and the value is what it *really*
gains in the draw left out. No policy can beat knowing the draw, so EVPPI and EVSI never exceed EVPI, not even by chance;
choosing nothing new is a policy, so they are never negative. The price is a small bias downwards, where regression
fails to see a gain: values are conservative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import norm, rankdata
from sklearn.model_selection import KFold
from sklearn.preprocessing import SplineTransformer

FOLDS = 5
KNOTS = 5
REPLICATES = 4
"""Simulated experiments per draw."""
_MOST_PRODUCTS = 4
_PENALTIES = np.geomspace(1e-2, 1e4, 13)


@dataclass(frozen=True)
class Worth:
    """Expected gain in utility."""

    value: float
    se: float
    """Monte Carlo standard error."""


@dataclass(frozen=True)
class Experiment:
    """What a larger pilot would show: normal scores of parameters, seen with noise.

    Where a pilot outweighs the prior, the noise of one n times as large has 1/n of the posterior's covariance (sample-size
    scaling of moment matching: Heath, Manolopoulou & Baio 2018), so that a second pilot of the same size halves variances;
    where it does not, the noise is larger (``prior``). Correlated parameters stay confused to the same degree.
    """

    parameters: Float[np.ndarray, "draw parameter"]
    """Those it informs about."""
    noise: Float[np.ndarray, " parameter"]
    """Noise variance of each statistic relative to the posterior variance: old over new sample size."""
    names: tuple[str, ...] = ()
    """What each statistic shows, for whoever wants to read it."""


def scores(values: Float[np.ndarray, "draw parameter"]) -> Float[np.ndarray, "draw parameter"]:
    """Return normal scores of each column."""
    return norm.ppf((rankdata(values, axis=0) - 0.5) / len(values))


def reference(utilities: Float[np.ndarray, "draw option"]) -> Float[np.ndarray, " draw"]:
    """Return the utility of the best option as things are known now."""
    return utilities[:, int(utilities.mean(axis=0).argmax())]


def _worth(gain: Float[np.ndarray, " draw"]) -> Worth:
    n = len(gain)
    return Worth(float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0)


def perfect(
    utilities: Float[np.ndarray, "draw option"], others: list[Float[np.ndarray, "draw left"]] | None = None
) -> Worth:
    """Return EVPI: what knowing the truth before choosing would gain, further options among the choices."""
    best = utilities.max(axis=1)
    for options in others or []:
        best = np.maximum(best, options.max(axis=1))
    return _worth(best - reference(utilities))


def partial(
    utilities: Float[np.ndarray, "draw option"], values: Float[np.ndarray, "draw parameter"], seed: int
) -> Worth:
    """Return EVPPI: what knowing some parameters exactly would gain."""
    now = reference(utilities)
    predicted = predictions(utilities - now[:, None], scores(values), seed)
    return _at_least_nothing(taken(utilities, predicted) - now)


def sampled(utilities: Float[np.ndarray, "draw option"], experiment: Experiment, seed: int) -> Worth:
    """Return EVSI: what an experiment's result would gain, its cost aside."""
    return staged(utilities, utilities, experiment, seed)[0]


def staged(
    utilities: Float[np.ndarray, "draw option"],
    left: Float[np.ndarray, "draw left"],
    experiment: Experiment,
    seed: int,
) -> tuple[Worth, Worth]:
    """Return what an experiment gains, its cost aside (EVSI), and on balance.

    Parameters
    ----------
    utilities : (draw, option)
        Utilities of all purchases there are now.
    left : (draw, left)
        Utilities of the purchases that are still possible once the experiment is paid for, and are today; on balance, the
        choice is among these.
    experiment : Experiment
        What it shows.
    seed : int
        Of simulated results and folds.
    """
    rng = np.random.default_rng([seed, 7])
    every = np.hstack([utilities, left])
    seen, now = scores(experiment.parameters), reference(every)
    blur = np.atleast_2d(np.corrcoef(seen, rowvar=False)) * np.sqrt(np.outer(experiment.noise, experiment.noise))
    root = np.linalg.cholesky(blur + 1e-9 * np.eye(seen.shape[1]))
    count = utilities.shape[1]
    gross, balance = np.zeros(len(now)), np.zeros(len(now))
    for replicate in range(REPLICATES):
        results = seen + rng.standard_normal(seen.shape) @ root.T
        predicted = predictions(every - now[:, None], results, seed + replicate)
        gross += taken(every, predicted) - now
        balance += taken(left, predicted[:, count:]) - now
    informed, regardless = _worth(balance / REPLICATES), _worth(reference(left) - now)
    return _at_least_nothing(gross / REPLICATES), informed if informed.value > regardless.value else regardless


def _at_least_nothing(gain: Float[np.ndarray, " draw"]) -> Worth:
    found = _worth(gain)
    return Worth(max(0.0, found.value), found.se)


def taken(
    options: Float[np.ndarray, "draw option"], predicted: Float[np.ndarray, "draw option"]
) -> Float[np.ndarray, " draw"]:
    """Return the utility, in each draw, of the option with the best prediction."""
    return options[np.arange(len(options)), predicted.argmax(axis=1)]


def predictions(
    gain: Float[np.ndarray, "draw option"], statistic: Float[np.ndarray, "draw parameter"], seed: int
) -> Float[np.ndarray, "draw option"]:
    """Return what each option is expected to gain given the statistic, learned from other draws."""
    n = len(gain)
    scale = float(np.abs(gain).max())
    if n < 2 * FOLDS or scale < 1e-12:
        return np.broadcast_to(gain.mean(axis=0), gain.shape)
    predicted = np.empty(gain.shape)
    for train, test in KFold(FOLDS, shuffle=True, random_state=seed).split(statistic):
        fitted, shown = _basis(statistic[train], statistic[test])
        predicted[test] = _ridge(fitted, gain[train] / scale, shown)
    return predicted


def _ridge(
    terms: Float[np.ndarray, "train term"],
    target: Float[np.ndarray, "train option"],
    shown: Float[np.ndarray, "test term"],
) -> Float[np.ndarray, "test option"]:
    """Return ridge predictions of all options; one penalty, by generalised cross-validation (Golub, Heath & Wahba 1979).

    scikit-learn's RidgeCV does the same a hundred times slower for many targets: it keeps leave-one-out residuals.
    """
    middle, level = terms.mean(axis=0), target.mean(axis=0)
    x, y = terms - middle, target - level
    eigenvalue, vector = np.linalg.eigh(x.T @ x)
    eigenvalue = np.maximum(eigenvalue, 0.0)
    projected = vector.T @ (x.T @ y)
    energy = (projected**2).sum(axis=1)
    damped = eigenvalue + _PENALTIES[:, None]
    left = (y**2).sum() - (2.0 * energy / damped - eigenvalue * energy / damped**2).sum(axis=1)
    freedom = (eigenvalue / damped).sum(axis=1)
    penalty = _PENALTIES[int((left / (len(x) - 1 - freedom) ** 2).argmin())]
    weight = vector @ (projected / (eigenvalue + penalty)[:, None])
    return level + (shown - middle) @ weight


def _basis(
    train: Float[np.ndarray, "train parameter"], test: Float[np.ndarray, "test parameter"]
) -> tuple[Float[np.ndarray, "train term"], Float[np.ndarray, "test term"]]:
    """Return additive cubic splines, and products of pairs where there are few parameters."""
    splines = SplineTransformer(KNOTS, degree=3, knots="quantile", extrapolation="linear", include_bias=False)
    terms = [splines.fit_transform(train), splines.transform(test)]
    if 1 < train.shape[1] <= _MOST_PRODUCTS:
        first, second = np.triu_indices(train.shape[1], 1)
        for i, part in enumerate((train, test)):
            terms[i] = np.hstack([terms[i], part[:, first] * part[:, second]])
    return terms[0], terms[1]
