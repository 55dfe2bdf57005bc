"""New stimuli of a study whose features are a kernel: what a forecast says, and what a learner reaches; a part of ``kernels.py``.

In: word vectors, if wanted. Out: rows of a table. A study has so many stimuli; their kernel gives its features, as a plan makes
them. The task is drawn from the kernel (a Gaussian process) over the study's and all other stimuli. Labels are bought for stimuli
that are none of the study's, whose features come from their kernel with it. The learner is the posterior mean that knows the
variances; its excess risk is measured on further stimuli.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array
from kernels import KERNELS, NOISE, Matrix

from brainworth.models.pilot.kernel import kernel_features
from brainworth.models.pilot.representation import population_variance
from brainworth.models.pilot.statistics import FeatureBasis
from brainworth.models.theory.stage_two import PriorAfterStageOne, after_labels

STUDY, TEST = 250, 400
SETTINGS = (("RBF", 2.0), ("RBF", 1.0), ("RBF", 0.5), ("Matern 3/2", 1.0), ("Laplace", 1.0), ("tangent kernel", 1.0))
"""Kernels, and their widths in units of the usual one."""


@jax.jit
def _risk(energy: Array, noise: Array, n: Array) -> Array:
    prior = PriorAfterStageOne(energy, jnp.zeros((0, energy.size)))
    return jnp.sum(after_labels(prior, jnp.ones(energy.size), noise, n).variance)


def forecast(variance: Matrix, total: float, n: int) -> float:
    """Return the excess risk of a task of variance 1 of which the features explain ``total``, the rest unknown to them."""
    energy = np.pad(total * variance / variance.sum(), (0, STUDY - variance.size), constant_values=1e-14)
    outside = 1.0 - total
    return outside + float(_risk(jnp.asarray(energy), jnp.asarray(NOISE + outside), jnp.asarray(float(n))))


def one(gram: Matrix, n: int, rng: np.random.Generator) -> dict[str, float]:
    """Return forecasts and the executed risk of one task; the first stimuli are the study's, the last are for the test."""
    mean = gram.mean(axis=0)
    centred = gram - mean - mean[:, None] + mean.mean()
    unit = float(np.trace(centred)) / len(gram)
    drawn = np.linalg.cholesky(centred / unit + 1e-8 * np.eye(len(gram))) @ rng.standard_normal(len(gram))
    study = kernel_features(gram[:STUDY, :STUDY])
    new = study.map.features(gram[STUDY:, :STUDY])
    bought, test = new[:n], new[n:]
    label = drawn[STUDY : STUDY + n] + np.sqrt(NOISE) * rng.standard_normal(n)
    weights = bought.T @ np.linalg.solve(bought @ bought.T + NOISE * unit * np.eye(n), label)
    features: Matrix = study.values  # noqa: PD011  (a field of KernelFeatures, not of pandas)
    basis = FeatureBasis.from_features(features, scale=np.ones(features.shape[1]))
    return {
        "executed": float(np.mean((test @ weights - drawn[STUDY + n :]) ** 2)),
        "the study's stimuli": forecast(basis.variance, 1.0, n),
        "shrunk (Ledoit-Wolf)": forecast(population_variance(basis, features), 1.0, n),
        "stimuli left out": forecast(study.variance, study.within, n),
        "within": study.within,
        "features": float(features.shape[1]),
    }


def span_rows(words: pd.DataFrame | None, *, quick: bool) -> list[dict[str, str]]:
    """Return forecasts and execution by kernel and number of labels."""

    def gaussian(rng: np.random.Generator, n: int) -> Matrix:
        return rng.standard_normal((n, 10))

    sources: dict[str, tuple[Callable[[np.random.Generator, int], Matrix], float]] = {
        "Gaussian": (gaussian, np.sqrt(10))
    }
    if words is not None:
        vectors = words.filter(like="glove_").to_numpy(float)
        scale = np.sqrt(np.mean(np.sum((vectors - vectors.mean(axis=0)) ** 2, axis=1)))
        sources["word vectors"] = (lambda rng, n: vectors[rng.permutation(len(vectors))[:n]], scale)
    rows: list[dict[str, str]] = []
    for name, (draw, width) in sources.items():
        for kernel, factor in SETTINGS[:2] if quick else SETTINGS:
            for n in (50, 400):
                found: list[dict[str, float]] = []
                for seed in range(4 if quick else 10):
                    rng = np.random.default_rng([seed, n])
                    x = draw(rng, STUDY + n + TEST)
                    found.append(one(KERNELS[kernel](factor * width)(x, x), n, rng))
                rows.append(
                    {"stimuli": name, "kernel": f"{kernel}, width {factor:g}", "n": str(n)} | _said(pd.DataFrame(found))
                )
    return rows


def _said(frame: pd.DataFrame) -> dict[str, str]:
    mean, error = frame.mean(), frame["executed"].std() / np.sqrt(len(frame))
    cells = {
        "features": f"{mean['features']:.0f}",
        "share of a new stimulus within": f"{mean['within']:.2f}",
        "executed": f"{mean['executed']:.3f} ± {error:.3f}",
    }
    for name in ("the study's stimuli", "shrunk (Ledoit-Wolf)", "stimuli left out"):
        cells[name] = f"{mean[name]:.3f} ({100 * (mean[name] / mean['executed'] - 1.0):+.0f} %)"
    return cells
