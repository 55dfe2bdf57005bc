"""The average over variance components is right, and keeps 80 to 90 labels from failing."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import linalg, optimize, special

from brainworth.models.learner import averaging
from brainworth.models.learner.averaging import fit_second_stage
from brainworth.models.learner.learner import BrainInformedRegressor
from brainworth.models.learner.second_stage import Components, LabelledDesign, posterior_mean

SIGNAL, NOISE, MEAN = 1.0, 2.0, 0.7


def _log_evidence(covariance: np.ndarray, label: np.ndarray) -> float:
    """Return the log likelihood of contrasts of the labels, whose scale has the prior 1 / T."""
    contrasts = linalg.null_space(np.ones((1, len(label))))
    inner = contrasts.T @ covariance @ contrasts
    values = contrasts.T @ label
    half = 0.5 * len(values)
    quadratic = float(values @ np.linalg.solve(inner, values))
    return float(special.gammaln(half) - half * np.log(np.pi * quadratic) - 0.5 * np.linalg.slogdet(inner)[1])


@pytest.mark.parametrize(("n", "grouped"), [(7, False), (40, False), (7, True), (40, True)])
def test_average_equals_that_of_dense_matrices(n: int, grouped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    grids = {"EXPONENTS": np.array([0.5, 1.5]), "EXPLAINED": np.array([0.2, 0.6]), "CARRIED": np.array([0.3, 0.9])}
    for name, grid in {**grids, "EXPONENTS": (0.5, 1.5), "OFFSETS": (0.0, 0.5)}.items():
        monkeypatch.setattr(averaging, name, grid)
    rng = np.random.default_rng(0)
    variance = np.linspace(2, 0.5, 9) ** 2
    x = rng.standard_normal((n, 9)) * np.sqrt(variance)
    x -= x.mean(axis=0)
    maps = rng.standard_normal((9, 2)) * 0.3
    held_out = x @ maps + 0.1 * rng.standard_normal((n, 2))
    held_out -= held_out.mean(axis=0)
    group = np.arange(n) % 3
    design = LabelledDesign(x, variance, maps, np.zeros((9, 2)), group if grouped else None, held_out)
    label = held_out @ [1.0, -1.0] + group + rng.standard_normal(n)
    label -= label.mean()

    same = (group[:, None] == group[None, :]).astype(float)
    energy = variance @ maps**2
    exponent_prior = np.exp(-0.5 * ((grids["EXPONENTS"] - 1.0) / 0.5) ** 2)
    explained_prior = grids["EXPLAINED"] * (1 - grids["EXPLAINED"]) ** 3
    subsets = [((), 0.5)] + [(chosen, 0.5 / 2 / 2 * size) for chosen, size in (((0,), 0.5), ((1,), 0.5), ((0, 1), 1.0))]
    log_weights, weights = [], []
    for (a, r), offset in product(product(range(2), range(2)), (0.0, 0.5) if grouped else (0.0,)):
        shares = variance ** grids["EXPONENTS"][a] / np.sum(variance ** grids["EXPONENTS"][a])
        explained = grids["EXPLAINED"][r]
        prior = exponent_prior[a] / exponent_prior.sum() * explained_prior[r] / explained_prior.sum()
        for (chosen, probability), part in product(subsets, grids["CARRIED"]):
            carried = part if chosen else 0.0
            own = np.zeros(2)
            own[list(chosen)] = explained * carried / max(energy[list(chosen)].sum(), 1e-9)
            spread = explained * (1 - carried) * shares / variance
            signal = x @ np.diag(spread) @ x.T + held_out @ np.diag(own) @ held_out.T
            covariance = signal + (1 - explained) * (np.eye(n) + offset * same)
            log_weights.append(np.log(prior * probability * (1 if chosen else 0.5)) + _log_evidence(covariance, label))
            inverse = np.linalg.inv(covariance)
            column = inverse.sum(axis=1)
            pull = inverse @ label - column * (column @ label) / column.sum()
            weights.append(spread * (x.T @ pull) + maps @ (own * (held_out.T @ pull)))
    total = special.logsumexp(log_weights)
    posterior = np.exp(np.array(log_weights) - total)
    found = fit_second_stage(design, label)
    np.testing.assert_allclose(found.coefficients, posterior @ np.array(weights), rtol=1e-7, atol=1e-10)
    assert found.log_evidence == pytest.approx(float(total), abs=1e-7)


def _labels_alone(seed: int, p: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return variances, true weights, features and labels of a world without recordings."""
    rng = np.random.default_rng([seed, 77])
    variance = np.arange(1, p + 1.0) ** -0.4
    variance /= variance.mean()
    weights = rng.standard_normal(p) * np.sqrt(SIGNAL / p)
    x = rng.standard_normal((n, p)) * np.sqrt(variance)
    return variance, weights, x, MEAN + x @ weights + np.sqrt(NOISE) * rng.standard_normal(n)


def _most_likely(design: LabelledDesign, label: np.ndarray) -> Components:
    """Return the components of largest likelihood."""
    power = float(label @ label) / len(label)

    def components(log: np.ndarray) -> Components:
        return Components(power * float(np.exp(log[0])), np.zeros(0), power * float(np.exp(log[1])))

    found = optimize.minimize(
        lambda log: -posterior_mean(design, label, components(log)).log_evidence,
        np.log([0.4, 0.5]),
        method="Nelder-Mead",
        options={"maxiter": 80},
    )
    return components(np.clip(found.x, -8.0, 4.0))


def test_few_labels_alone_do_not_fail() -> None:
    """110 worlds: spread .12, so a mean is known to .012 and the 5 % quantile to .025; every bar is two or more of these away.

    Seen: mean .174, median .170, 5 % quantile -.004, known components .196. Chance to fail for new seeds below 1 in 30. The twin
    takes the components of largest likelihood (5 % quantile -.13) and must miss the bar.
    """
    p, n, worlds = 120, 88, 110
    reached = np.zeros((worlds, 3))
    for seed in range(worlds):
        variance, weights, x, y = _labels_alone(seed, p, n)
        ours = BrainInformedRegressor().fit(x, y)
        design = LabelledDesign(x - x.mean(axis=0), variance, np.zeros((p, 0)), np.zeros((p, 0)))
        label = y - y.mean()
        told = (Components(SIGNAL, np.zeros(0), NOISE), _most_likely(design, label))
        learned = [ours.coef_, *(posterior_mean(design, label, given).coefficients for given in told)]
        for column, found in enumerate(learned):
            intercept = y.mean() - x.mean(axis=0) @ found - MEAN
            reached[seed, column] = 1.0 - (variance @ (found - weights) ** 2 + intercept**2) / SIGNAL
    mean, median = reached.mean(axis=0), np.median(reached, axis=0)
    low = np.quantile(reached, 0.05, axis=0)
    assert abs(mean[0] - median[0]) < 0.04
    assert low[0] > -0.05
    assert mean[0] > mean[1] - 0.05
    assert low[2] < -0.05


def _shared_surprise(seed: int) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Return features, labels, recordings of the same stimuli, true weights: they share what features do not explain."""
    rng = np.random.default_rng([seed, 78])
    p, n = 40, 60
    latent, task = rng.standard_normal((2, p)) / np.sqrt(p)
    x, surprise = rng.standard_normal((n, p)), rng.standard_normal(n)
    response = x @ latent + surprise
    recording = np.outer(response, np.ones(6)) + 0.5 * rng.standard_normal((n, 6))
    return x, 0.7 * x @ task + surprise + 0.5 * rng.standard_normal(n), [(x, recording)], 0.7 * task


def test_recordings_that_the_task_does_not_use_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 worlds; the twin predicts the latents of labelled stimuli from recordings of the very same stimuli."""

    def losses() -> np.ndarray:
        found: list[float] = []
        for seed in range(40):
            x, y, brain, truth = _shared_surprise(seed)
            error = [np.sum((BrainInformedRegressor(2).fit(x, y, brain=b).coef_ - truth) ** 2) for b in (None, brain)]
            found.append(float(error[1] - error[0]))
        return np.array(found)

    ours = losses()
    monkeypatch.setattr(LabelledDesign, "latents", property(lambda design: design.coordinates @ design.maps))
    twin = losses()
    assert ours.mean() < 0.02
    assert (twin - ours).mean() > 0.02
