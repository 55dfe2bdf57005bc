"""Latents that share directions: the risk, its part outside of their span, and its spread over single studies.

Run it with ``uv run python case_studies/theory/directions.py`` (a few minutes of one core; ``--quick`` takes seconds). In: nothing.
Out: ``results/directions.csv`` and ``results/directions.md``. Steep spectra have few directions that matter, so that several
latents must share them. With endless brain data the latents are known, and the learner is the exact posterior mean; with
finite brain data it is the executed two-stage learner. In every world some tasks with labels are really drawn and learned:
their risks have the spread that a single study sees.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from jax import Array
from numpy.typing import NDArray
from pipeline import Configuration, learn
from run import log_uniform, padded
from tables import markdown
from worlds import bayes, controlled, moments

from brainworth.models.learner.second_stage import Components
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.performance import task_only_risk
from brainworth.models.theory.spread import risk_and_spread
from brainworth.models.theory.subspace import risk_inside
from brainworth.models.theory.system import Design, System

ENDLESS = 10**12
"""Brain samples after which the latents are known."""
TASKS = 8
"""Tasks drawn in every world."""
SEED = 23

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Effort:
    """How much is run."""

    endless: int
    """Random configurations with known latents, besides the fixed ones."""
    finite: int
    known_worlds: int
    executed_worlds: int


FULL = Effort(endless=25, finite=16, known_worlds=300, executed_worlds=40)
QUICK = Effort(endless=0, finite=1, known_worlds=30, executed_worlds=6)


@dataclass(frozen=True)
class WorldResult:
    """What is measured in one world."""

    risk: float
    """Averaged over tasks and label noise."""
    outside: float
    """Its part outside of the latents' span."""
    single: Vector
    """Realised risk of each task."""
    control: float
    """Mean realised variance of the latents, whose expectation is 1."""


def fixed() -> list[Configuration]:
    """Return known latents in the sizes that first showed the difference."""
    rows = (
        (60, 1.0, 10, 1.0, 1.0, 20),
        (60, 1.5, 10, 1.0, 1.0, 20),
        (60, 2.0, 10, 1.0, 0.1, 10),
        (60, 1.5, 4, 1.0, 1.0, 20),
        (60, 2.0, 4, 1.0, 1.0, 20),
        (60, 0.5, 3, 0.5, 2.0, 50),
        (120, 0.4, 2, 0.8, 2.0, 44),
    )
    return [Configuration(p, a, ((1.0,) * k,), (k + 5,), (ENDLESS,), n, noise, rho) for p, a, k, rho, noise, n in rows]


def drawn(index: int, *, endless: bool) -> Configuration:
    """Return a random configuration: p 40 to 150, spectra i^-1 to i^-2.5, 2 to 12 latents."""
    rng = np.random.default_rng([SEED, endless, index])
    k = int(rng.integers(2, 13))
    brain = ENDLESS if endless else int(log_uniform(rng, 150, 2500))
    return Configuration(
        p=int(rng.integers(40, 151)),
        exponent=round(float(rng.uniform(1.0, 2.5)), 2),
        snr=(tuple(float(v) for v in np.round(np.geomspace(3.0, 1.0, k), 3)),),
        channels=(k + int(rng.integers(2, 20)),),
        n_brain=(brain,),
        n_task=int(log_uniform(rng, 8, 400)),
        noise_variance=float(f"{log_uniform(rng, 0.1, 5.0):.2g}"),
        rho2=round(float(rng.uniform(0.3, 1.0)), 2),
    )


def known_latents(configuration: Configuration, seed: int) -> WorldResult:
    """Return one world of the exact posterior mean with known latents, in coordinates of unit variance."""
    rng = np.random.default_rng([SEED, seed])
    p, k, n, noise = configuration.p, configuration.k, configuration.n_task, configuration.noise_variance
    shares = np.arange(1.0, p + 1.0) ** -configuration.exponent
    shares /= shares.sum()
    latents = np.sqrt(shares)[:, None] * rng.standard_normal((p, k))
    size, rest = configuration.rho2 / k, (1.0 - configuration.rho2) * shares
    covariance = np.diag(rest) + size * latents @ latents.T
    x = rng.standard_normal((n, p))
    gain = np.linalg.solve(x @ covariance @ x.T + noise * np.eye(n), x @ covariance).T
    left = covariance - gain @ x @ covariance
    weights = latents @ (np.sqrt(size) * rng.choice([-1.0, 1.0], (k, TASKS)))
    weights = weights + np.sqrt(rest)[:, None] * rng.standard_normal((p, TASKS))
    labels = x @ weights + np.sqrt(noise) * rng.standard_normal((n, TASKS))
    basis = np.linalg.qr(latents)[0]
    total = float(np.trace(left))
    return WorldResult(
        risk=total,
        outside=total - float(np.sum(basis * (left @ basis))),
        single=np.sum((gain @ labels - weights) ** 2, axis=0),
        control=float(np.mean(np.sum(latents**2, axis=0))),
    )


def executed(configuration: Configuration, system: System, seed: int) -> WorldResult:
    """Return one world of the two-stage learner, really run."""
    learned = learn(configuration, system, seed)
    design, latents, rng = learned.design, learned.truth.latent_maps, learned.rng
    size, noise = configuration.rho2 / configuration.k, configuration.noise_variance
    learner = bayes(design, learned.known)
    task = Components(1.0 - configuration.rho2, np.full(configuration.k, size), noise)
    second = moments(learner, design, latents, task)
    rest = (1.0 - configuration.rho2) / design.variance.sum() * np.ones(len(design.variance))
    weights = latents @ (np.sqrt(size) * rng.choice([-1.0, 1.0], (configuration.k, TASKS)))
    weights = weights + np.sqrt(rest)[:, None] * rng.standard_normal((len(rest), TASKS))
    labels = design.coordinates @ weights
    labels = labels + np.sqrt(noise) * rng.standard_normal(labels.shape)
    error = learner.lifted @ (learner.columns.T @ labels) - weights
    white = np.sqrt(design.variance)[:, None] * latents
    basis = np.linalg.qr(white)[0]
    total = float(np.trace(second))
    return WorldResult(
        risk=total,
        outside=total - float(np.sum(basis * (second @ basis))),
        single=design.variance @ error**2,
        control=float(np.mean(np.sum(white**2, axis=0))),
    )


@jax.jit
def formulas(system: System, design: Design) -> dict[str, Array]:
    """Return every formula that is compared."""
    encoding = encode(system, design)
    risk, spread = risk_and_spread(system, encoding, design.n_task)
    inside, _ = risk_inside(system, encoding, design.n_task)
    return {
        "risk": risk,
        "outside": risk - inside,
        "sd": spread**0.5,
        "task_only": task_only_risk(system, design.n_task),
        "encoding_r2": encoding.encoding_r2.mean(),
    }


def row(configuration: Configuration, worlds: int, seed: int) -> dict[str, float]:
    """Return one line: configuration, formulas, means and standard errors."""
    formula = {name: float(value) for name, value in formulas(padded(configuration), configuration.design()).items()}
    endless, system, seeds = configuration.n_brain[0] == ENDLESS, configuration.system(), range(worlds)
    found = [
        known_latents(configuration, seed * 100_000 + one)
        if endless
        else executed(configuration, system, seed * 100_000 + one)
        for one in seeds
    ]
    control, single = np.array([one.control for one in found]), np.array([one.single for one in found])
    shares = np.arange(1.0, configuration.p + 1.0) ** -configuration.exponent
    entry: dict[str, float] = {
        "p": configuration.p,
        "exponent": configuration.exponent,
        "k": configuration.k,
        "rho2": configuration.rho2,
        "noise_variance": configuration.noise_variance,
        "n_task": configuration.n_task,
        "n_brain": np.inf if endless else configuration.n_brain[0],
        "q": configuration.channels[0],
        "overlap": configuration.k * float(np.sum(shares**2) / shares.sum() ** 2),
        "encoding_r2": formula["encoding_r2"],
        "worlds": worlds,
        "task_only_formula": formula["task_only"],
    }
    for name in ("risk", "outside"):
        mean, error = controlled(np.array([getattr(one, name) for one in found]), control)
        entry |= {f"{name}_formula": formula[name], f"{name}_mc": mean, f"{name}_se": error}
    # worlds are independent, the tasks of one world are not: the error of the variance comes from leaving worlds out
    left_out = np.array([np.delete(single, one, axis=0).std(ddof=1) for one in seeds])
    error = np.sqrt((worlds - 1) / worlds * np.sum((left_out - left_out.mean()) ** 2))
    return entry | {"sd_formula": formula["sd"], "sd_mc": float(single.std(ddof=1)), "sd_se": float(error)}


def table(effort: Effort) -> pd.DataFrame:
    """Return every configuration."""
    endless = fixed() + [drawn(index, endless=True) for index in range(effort.endless)]
    finite = [drawn(index, endless=False) for index in range(effort.finite)]
    rows = [row(one, effort.known_worlds, index) for index, one in enumerate(endless)]
    for index, one in enumerate(finite):
        rows.append(row(one, effort.executed_worlds, 1000 + index))
        print(
            f"executed {index + 1}/{len(finite)}: {rows[-1]['risk_mc']:.3f}, {rows[-1]['risk_formula']:.3f}", flush=True
        )
    return pd.DataFrame(rows)


def deviation(frame: pd.DataFrame, name: str) -> Vector:
    """Return relative deviations of a formula."""
    return frame[f"{name}_formula"].to_numpy() / frame[f"{name}_mc"].to_numpy() - 1.0


def _summary(frame: pd.DataFrame, title: str, name: str) -> dict[str, str]:
    found = deviation(frame, name)
    error = frame[f"{name}_se"].to_numpy() / frame[f"{name}_mc"].to_numpy()
    return {
        "quantity": title,
        "configurations": str(len(frame)),
        "median deviation": f"{100 * np.median(np.abs(found)):.1f} %",
        "worst": f"{100 * found[np.abs(found).argmax()]:.1f} %",
        "mean": f"{100 * found.mean():.1f} %",
        "median standard error": f"{100 * np.median(error):.1f} %",
    }


def write_directions(frame: pd.DataFrame, path: Path) -> None:
    """Write the summary and every configuration."""
    endless = np.isinf(frame["n_brain"].to_numpy())
    titles = {
        "risk": "Excess risk",
        "outside": "Part outside of the latents' span",
        "sd": "Standard deviation of single studies",
    }
    summary = [
        _summary(frame.loc[chosen], f"{title}, {which}", name)
        for name, title in titles.items()
        for which, chosen in (("latents known", endless), ("two-stage learner executed", ~endless))
        if chosen.any()
    ]
    detail: list[dict[str, str]] = []
    for record in frame.to_dict("records"):
        line = {name: f"{record[name]:g}" for name in ("p", "exponent", "k", "rho2", "noise_variance", "n_task")}
        line |= {
            "n_brain": f"{record['n_brain']:g}",
            "k Σh²": f"{record['overlap']:.2f}",
            "c²": f"{record['encoding_r2']:.2f}",
        }
        line["task only"] = f"{record['task_only_formula']:.3f}"
        for name in titles:
            line[f"{name} MC"] = f"{record[f'{name}_mc']:.3f} ± {record[f'{name}_se']:.3f}"
            line[f"{name} formula"] = f"{record[f'{name}_formula']:.3f}"
        detail.append(line)
    text = [
        "# Latents that share directions\n",
        "By `directions.py`. Excess risks with a signal variance of 1; negative deviations: the formula promises too much.\n",
        markdown(summary),
        "## Every configuration\n",
        markdown(detail),
    ]
    path.write_text("\n".join(text), encoding="utf-8")


def write(out: Path, *, quick: bool) -> None:
    """Run and write."""
    table(QUICK if quick else FULL).to_csv(out / "directions.csv", index=False, float_format="%.5g")
    write_directions(pd.read_csv(out / "directions.csv"), out / "directions.md")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few configurations, few worlds")
    parser.add_argument("--out", type=Path, help="folder of the results")
    options = parser.parse_args()
    target: Path = options.out or (Path("out/theory") if options.quick else Path(__file__).parent / "results")
    target.mkdir(parents=True, exist_ok=True)
    write(target, quick=options.quick)
