"""The learner in the box against what a careful person would otherwise use, on the same data.

Run it with ``uv run python case_studies/theory/learners.py`` (a few minutes). In: nothing. Out: ``results/learners.md``.
Every learner tunes itself on the data it gets: none is told the number of latents, the noise or the alignment.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pipeline import Configuration
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import RidgeCV
from tables import markdown

from brainworth.models.learner.learner import BrainInformedRegressor
from brainworth.models.theory.performance import excess_risk, task_only_risk
from brainworth.models.worlds.simulate import Realism, draw_world, record

Matrix = NDArray[np.float64]
PENALTIES = np.logspace(-3, 6, 37)
LATENTS = 8

CONFIGURATIONS = (
    Configuration(100, 0.0, ((3.0, 2.0),), (40,), (800,), 60, 1.0, 0.8),
    Configuration(100, 0.0, ((1.0, 0.5),), (40,), (800,), 60, 1.0, 0.8),
    Configuration(200, 1.0, ((3.0, 2.0, 1.0),), (60,), (1000,), 100, 2.0, 0.8),
    Configuration(200, 0.5, ((3.0, 2.0, 1.0),), (60,), (1000,), 400, 2.0, 0.3),
    Configuration(150, 0.5, ((2.0, 1.0), (0.5, 1.0)), (50, 30), (500, 1500), 80, 1.0, 0.7),
)


def brain_informed(x: Matrix, y: Matrix, brain: list[tuple[Matrix, Matrix]]) -> Matrix:
    """Return the weights of ``BrainInformedRegressor``."""
    return BrainInformedRegressor(LATENTS).fit(x, y, brain=brain).coef_


def ridge(x: Matrix, y: Matrix, brain: list[tuple[Matrix, Matrix]]) -> Matrix:  # noqa: ARG001 (one signature for all)
    """Return the weights of ridge regression on the labels alone."""
    return np.asarray(RidgeCV(PENALTIES).fit(x, y).coef_)


def partial_least_squares(x: Matrix, y: Matrix, brain: list[tuple[Matrix, Matrix]]) -> Matrix:
    """Return ridge weights on the features and the components that PLS finds between stimuli and channels."""
    maps = [PLSRegression(LATENTS, scale=False).fit(seen, channels).x_rotations_ for seen, channels in brain]
    return _on_components(x, y, np.hstack(maps))


def reduced_rank(x: Matrix, y: Matrix, brain: list[tuple[Matrix, Matrix]]) -> Matrix:
    """Return ridge weights on the features and the leading components of a channel-wise ridge prediction."""
    maps: list[Matrix] = []
    for seen, channels in brain:
        weights = np.asarray(RidgeCV(PENALTIES).fit(seen, channels).coef_).T
        right = np.linalg.svd(seen @ weights, full_matrices=False)[2]
        maps.append(weights @ right[:LATENTS].T)
    return _on_components(x, y, np.hstack(maps))


def _on_components(x: Matrix, y: Matrix, maps: Matrix) -> Matrix:
    """Return ridge weights with components added as columns, their weight against the features' tuned by RidgeCV."""
    maps = maps / np.sqrt(np.mean((x @ maps) ** 2, axis=0)) * np.sqrt(np.sum(np.mean(x**2, axis=0)))
    best: tuple[float, Matrix] | None = None
    for emphasis in (0.1, 0.3, 1.0, 3.0):
        columns = np.hstack([x, emphasis * x @ maps])
        model = RidgeCV(PENALTIES).fit(columns, y)
        coefficients = np.asarray(model.coef_)
        score = np.asarray(model.best_score_, dtype=np.float64).item()
        if best is None or score > best[0]:
            best = (score, coefficients[: x.shape[1]] + emphasis * maps @ coefficients[x.shape[1] :])
    assert best is not None
    return best[1]


LEARNERS: dict[str, Callable[[Matrix, Matrix, list[tuple[Matrix, Matrix]]], Matrix]] = {
    "BrainInformedRegressor": brain_informed,
    "reduced-rank + RidgeCV": reduced_rank,
    "PLS + RidgeCV": partial_least_squares,
    "RidgeCV": ridge,
}


def risks(configuration: Configuration, seed: int) -> list[float]:
    """Return the excess risk of every learner in one world with correlated noise."""
    rng = np.random.default_rng(seed)
    world = draw_world(configuration.system(), rng, Realism(noise_correlation=0.5, rotate=False))
    brain: list[tuple[Matrix, Matrix]] = []
    for source, n in enumerate(configuration.n_brain):
        seen = world.features(rng, n)
        brain.append((seen, record(world, rng, source, seen)))
    x = world.features(rng, configuration.n_task)
    y = x @ world.truth.task_map + np.sqrt(configuration.noise_variance) * rng.standard_normal(len(x))
    return [world.truth.excess_risk(learner(x, y, brain)) for learner in LEARNERS.values()]


def main() -> None:
    """Compare and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    rows: list[dict[str, str]] = []
    for configuration in CONFIGURATIONS:
        drawn = np.array([risks(configuration, seed) for seed in range(options.worlds)])
        system, design = configuration.system(), configuration.design()
        row = {
            "p": str(configuration.p),
            "exponent": f"{configuration.exponent:g}",
            "snr": " / ".join(", ".join(f"{phi:g}" for phi in source) for source in configuration.snr),
            "n_brain": " / ".join(map(str, configuration.n_brain)),
            "n_task": str(configuration.n_task),
            "rho2": f"{configuration.rho2:g}",
            "formula, optimal": f"{float(excess_risk(system, design)):.3f}",
        }
        for name, column in zip(LEARNERS, drawn.T, strict=True):
            row[name] = f"{column.mean():.3f} ± {column.std(ddof=1) / np.sqrt(column.size):.3f}"
        row["formula, task only"] = f"{float(task_only_risk(system, design.n_task)):.3f}"
        rows.append(row)
        print(row, flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "learners.md").write_text(markdown(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
