"""Several targets at once, and the other estimators: formulas against the executed learners.

Run it with ``uv run python case_studies/theory/ratings.py`` (half a minute; ``--quick`` takes a few seconds). In: nothing. Out:
``results/targets.md`` (tables of four ratings that share stimuli and brain data) and ``results/estimators.md`` (hard
projection, ridge with two penalties, ordinary least squares).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from pipeline import Configuration, Learned, learn
from run import padded
from tables import markdown
from worlds import LinearLearner, bayes, controlled, moments

from brainworth.models.learner.second_stage import Components
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.estimators import BrainRidge, LeastSquares, Projection
from brainworth.models.theory.system import Design, System
from brainworth.models.theory.targets import Targets, target_risks

Matrix = NDArray[np.float64]

APART = ((6.0, 2.0, 0.7),)
"""Signal-to-noise ratios so far apart that the executed encoder orders the latents as they are numbered."""
TABLES = {
    "four alike": [(1.0, 1.5, (0.3, 0.2, 0.1))] * 4,
    "other alignments": [
        (1.0, 1.5, e) for e in ((0.8, 0.05, 0.05), (0.05, 0.5, 0.05), (0.05, 0.05, 0.5), (0.1, 0.1, 0.1))
    ],
    "other noise": [(1.0, noise, (0.4, 0.2, 0.1)) for noise in (0.2, 1.0, 4.0, 12.0)],
    "other scales": [
        (2.0, 1.0, (0.5, 0.3, 0.1)),
        (1.0, 4.0, (0.2, 0.2, 0.4)),
        (0.5, 0.5, (0.1, 0.0, 0.0)),
        (1.0, 1.0, (0.3,) * 3),
    ],
}
"""Signal variance, noise variance and alignment of every target."""
SIZES = (
    Configuration(80, 0.0, APART, (20,), (500,), 60, 1.0, 0.5),
    Configuration(120, 0.7, APART, (30,), (600,), 150, 1.0, 0.5),
    Configuration(80, 0.3, APART, (20,), (150,), 25, 1.0, 0.5),
)
SETTINGS = (
    Configuration(80, 0.0, ((2.0, 1.5, 1.0),), (20,), (400,), 60, 1.5, 0.7),
    Configuration(80, 0.0, ((2.0, 1.5, 1.0),), (20,), (400,), 120, 1.5, 0.7),
    Configuration(80, 0.0, ((2.0, 1.5, 1.0),), (20,), (400,), 400, 1.5, 0.7),
    Configuration(60, 0.7, ((2.0, 1.5, 1.0),), (20,), (1500,), 100, 4.0, 0.9),
    Configuration(200, 0.3, ((3.0, 2.0, 1.0),), (40,), (800,), 150, 0.5, 0.5),
)


@jax.jit
def target_formulas(system: System, targets: Targets, design: Design) -> Array:
    """Return the excess risk of every target."""
    return target_risks(system, targets, design).excess_risk


def target_rows(worlds: int, tables: int) -> list[dict[str, str]]:
    """Return formula and execution for every table of ratings and size."""
    rows: list[dict[str, str]] = []
    for number, (name, entries) in enumerate(list(TABLES.items())[:tables]):
        tau, noise, share = (np.array([entry[i] for entry in entries]) for i in range(3))
        targets = Targets(*map(jnp.asarray, (tau, noise, share, np.ones(len(entries)))))
        for size in SIZES:
            formula = np.asarray(target_formulas(padded(size), targets, size.design()))
            drawn, control = [], []
            for seed in range(1000 * number, 1000 * number + worlds):
                learned = learn(size, size.system(), seed)
                drawn.append([target_risk(learned, *entry) for entry in entries])
                control.append(_realised(learned))
            found = [controlled(column, np.array(control)) for column in np.array(drawn).T]
            mean, error = (np.array([pair[i] for pair in found]) for i in range(2))
            rows.append(
                {
                    "targets": name,
                    "p": str(size.p),
                    "n_brain": str(size.n_brain[0]),
                    "n_task": str(size.n_task),
                    "risks MC": ", ".join(f"{m:.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True)),
                    "risks formula": ", ".join(f"{f:.3f}" for f in formula),
                    "average explainable R²: MC / formula": _both(np.mean, 1 - mean / tau, 1 - formula / tau),
                    "worst: MC / formula": _both(np.min, 1 - mean / tau, 1 - formula / tau),
                    "largest deviation": f"{100 * np.max(np.abs(formula / mean - 1)):.1f} %",
                }
            )
    return rows


def _both(reduce: Callable[[Matrix], float], executed: Matrix, formula: Matrix) -> str:
    return f"{float(reduce(executed)):.3f} / {float(reduce(formula)):.3f}"


def target_risk(learned: Learned, tau: float, noise: float, share: tuple[float, ...]) -> float:
    """Return the risk of one target in one world."""
    task = Components(tau * (1.0 - sum(share)), tau * np.array(share), noise)
    learner = bayes(learned.design, task)
    return float(np.trace(moments(learner, learned.design, learned.truth.latent_maps, task)))


def _realised(learned: Learned) -> float:
    return float(np.mean(learned.design.variance @ learned.truth.latent_maps**2))


def projection(learned: Learned) -> LinearLearner:
    """Return least squares on the learned latents."""
    columns = learned.design.coordinates @ learned.design.maps
    return LinearLearner(columns, learned.design.maps @ np.linalg.inv(columns.T @ columns))


def ridge(learned: Learned, penalty_in: float, penalty_out: float) -> LinearLearner:
    """Return ridge regression on whitened features with one penalty on the learned directions and one on the rest."""
    root = np.sqrt(learned.design.variance)
    basis, _ = np.linalg.qr(root[:, None] * learned.design.maps)
    penalty = penalty_out * np.eye(len(root)) + (penalty_in - penalty_out) * basis @ basis.T
    white = learned.design.coordinates / root
    solved = np.linalg.inv(white.T @ white + len(white) * penalty)
    return LinearLearner(learned.design.coordinates, (solved / root[None, :]) / root[:, None])


def least_squares(learned: Learned) -> LinearLearner:
    """Return ordinary least squares."""
    x = learned.design.coordinates
    return LinearLearner(x, np.linalg.inv(x.T @ x))


PENALTIES = ((0.05, 1.0), (0.01, 0.3), (0.01, 0.01))


@jax.jit
def estimator_formulas(system: System, design: Design) -> dict[str, Array]:
    """Return the closed form of every estimator."""
    encoding, n = encode(system, design), design.n_task
    found = {f"ridge {a:g}, {b:g}": BrainRidge(a, b).risk(system, encoding, n) for a, b in PENALTIES}
    return {
        "projection": Projection().risk(system, encoding, n),
        **found,
        "ols": LeastSquares().risk(system, encoding, n),
    }


def estimator_rows(worlds: int, settings: int) -> list[dict[str, str]]:
    """Return formula and execution of every estimator and setting."""
    rows: list[dict[str, str]] = []
    for number, setting in enumerate(SETTINGS[:settings]):
        formula = estimator_formulas(padded(setting), setting.design())
        drawn: dict[str, list[float]] = {name: [] for name in formula}
        task = Components(1 - setting.rho2, np.full(setting.k, setting.rho2 / setting.k), setting.noise_variance)
        for seed in range(1000 * number, 1000 * number + worlds):
            learned = learn(setting, setting.system(), seed)
            learners = {"projection": projection(learned)}
            learners |= {f"ridge {a:g}, {b:g}": ridge(learned, a, b) for a, b in PENALTIES}
            if setting.n_task > setting.p + 1:
                learners["ols"] = least_squares(learned)
            for name, learner in learners.items():
                found = moments(learner, learned.design, learned.truth.latent_maps, task)
                drawn[name].append(float(np.trace(found)))
        for name, values in drawn.items():
            if not values:
                continue
            mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))
            rows.append(
                {
                    "estimator": name,
                    "p": str(setting.p),
                    "exponent": f"{setting.exponent:g}",
                    "n_task": str(setting.n_task),
                    "n_task / p": f"{setting.n_task / setting.p:.2f}",
                    "MC": f"{mean:.3f} ± {error:.3f}",
                    "formula": f"{float(formula[name]):.3f}",
                    "deviation": f"{100 * (float(formula[name]) / mean - 1):.1f} %",
                }
            )
    return sorted(rows, key=lambda row: row["estimator"])


def write(out: Path, *, quick: bool) -> None:
    """Run and write both tables."""
    ratings = target_rows(12 if quick else 60, 1 if quick else len(TABLES))
    (out / "targets.md").write_text(
        "# Four targets that share stimuli, features and brain data\n\n" + markdown(ratings), encoding="utf-8"
    )
    others = estimator_rows(12 if quick else 60, 1 if quick else len(SETTINGS))
    (out / "estimators.md").write_text(
        "# The other estimators\n\nPenalties of ridge: along the learned directions, along the rest.\n\n"
        + markdown(others),
        encoding="utf-8",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few configurations, few worlds")
    options = parser.parse_args()
    target = Path("out/theory") if options.quick else Path(__file__).parent / "results"
    target.mkdir(parents=True, exist_ok=True)
    write(target, quick=options.quick)
