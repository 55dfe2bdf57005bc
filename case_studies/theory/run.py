"""Formula against Monte Carlo of the really executed two-stage learner, over random configurations.

Run it with ``uv run python case_studies/theory/run.py`` (half an hour on one core; ``--quick`` takes two minutes, ``--only main``
leaves the other studies out, ``--formulas`` keeps the worlds that were run and computes the formulas of the random
configurations again). In: nothing. Out: ``results/*.csv``, ``results/tables.md``, ``results/formula.svg``, and what the
studies beside it write: ``accuracy``, ``directions``, ``shifts``, ``ratings`` and ``nonlinear``. Each can also be run alone.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array
from pipeline import Configuration, Outcome, Settings, run_world
from tables import draw_figure, write_tables

from brainworth.models.theory.binary import accuracy
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.performance import equivalent_labels, excess_risk, task_only_risk
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.shift import shifted_risk
from brainworth.models.theory.system import Design, Spectrum, System

NODES = 32
QUANTITIES = ("informed", "informed_outside", "task_only", "accuracy", "more_labels")
PRECISION = 0.01
"""Relative standard error at which no further world is drawn."""


@dataclass(frozen=True)
class Effort:
    """How long one configuration may take."""

    configurations: int
    extra: int
    """Configurations of the multi-source and of the binary table."""
    worlds: int
    seconds: float
    latents: tuple[int, ...]
    """Latent dimensions to draw from; each costs a compilation."""


FULL = Effort(configurations=72, extra=12, worlds=150, seconds=8.0, latents=tuple(range(1, 11)))
QUICK = Effort(configurations=8, extra=2, worlds=12, seconds=1.0, latents=(2, 6))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a draw whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_configuration(rng: np.random.Generator, sources: int, latents: tuple[int, ...]) -> Configuration:
    """Return a random configuration: k 1-10, p 50-1000, q 5-500, flat to i^-1.5, n 20-5000."""
    k = int(rng.choice(latents))
    return Configuration(
        p=int(log_uniform(rng, 50, 1000)),
        exponent=float(rng.choice([0.0, rng.uniform(0.0, 1.5)])),
        snr=tuple(tuple(log_uniform(rng, 0.3, 6.0) for _ in range(k)) for _ in range(sources)),
        channels=tuple(int(max(log_uniform(rng, 5, 500), k + 1)) for _ in range(sources)),
        n_brain=tuple(int(log_uniform(rng, 20, 5000)) for _ in range(sources)),
        n_task=int(log_uniform(rng, 20, 5000)),
        noise_variance=log_uniform(rng, 0.3, 8.0),
        rho2=float(rng.uniform(0.15, 0.95)),
    )


def monte_carlo(configuration: Configuration, effort: Effort, settings: Settings, seed: int) -> list[Outcome]:
    """Return outcomes of as many worlds as the precision needs and the effort allows; at least six."""
    system = configuration.system()
    outcomes: list[Outcome] = []
    started = time.process_time()
    for world in range(effort.worlds):
        outcomes.append(run_world(configuration, system, seed * 100_000 + world, settings))
        risk = np.array([outcome.informed for outcome in outcomes])
        if world < 5:
            continue
        precise = risk.std(ddof=1) / np.sqrt(risk.size) < PRECISION * risk.mean() and world >= 19
        if precise or time.process_time() - started > effort.seconds:
            break
    return outcomes


@jax.jit
def formulas(system: System, design: Design) -> dict[str, Array]:
    """Return every formula that is compared, and the encoding R^2 of each latent."""
    risk = excess_risk(system, design)
    return {
        "informed": risk,
        "informed_outside": shifted_risk(system, design, 1.0).risk_out,
        "task_only": task_only_risk(system, design.n_task),
        "accuracy": accuracy(system, design),
        "more_labels": risk,
        "equivalent_labels": equivalent_labels(system, design),
        "encoding_r2": encode(system, design).encoding_r2,
    }


def padded(configuration: Configuration) -> System:
    """Return the same system with a spectrum of fixed size, so that the formulas are compiled once per latent dimension.

    The spectrum is compressed, with a relative error below 1e-10.
    """
    system = configuration.system()
    spectrum = compress(system.spectrum, NODES)
    missing = NODES - spectrum.count.size
    return replace(
        system,
        spectrum=Spectrum(jnp.pad(spectrum.variance, (0, missing), mode="edge"), jnp.pad(spectrum.count, (0, missing))),
    )


def compared(configuration: Configuration, effort: Effort, seed: int, settings: Settings | None) -> dict[str, float]:
    """Return one row: the configuration, formulas, Monte Carlo means and standard errors."""
    formula = formulas(padded(configuration), configuration.design())
    labels = round(float(formula["equivalent_labels"]) + configuration.n_task)
    chosen = settings or Settings(more_labels=labels if labels < 4000 else 0)
    outcomes = monte_carlo(configuration, effort, chosen, seed)
    row: dict[str, float] = {
        "k": configuration.k,
        "p": configuration.p,
        "q": sum(configuration.channels),
        "sources": len(configuration.channels),
        "exponent": configuration.exponent,
        "n_brain": sum(configuration.n_brain),
        "n_task": configuration.n_task,
        "noise_variance": configuration.noise_variance,
        "rho2": configuration.rho2,
        "encoding_r2": float(formula["encoding_r2"].mean()),
        "equivalent_labels": float(formula["equivalent_labels"]),
        "worlds": len(outcomes),
    }
    for name in QUANTITIES:
        values = np.array([getattr(outcome, name) for outcome in outcomes])
        row[f"{name}_formula"] = float(formula[name]) if np.isfinite(values).all() else float("nan")
        row[f"{name}_mc"] = float(values.mean())
        row[f"{name}_se"] = float(values.std(ddof=1) / np.sqrt(values.size))
    return row


def drawn(name: str, index: int, effort: Effort, seed: int) -> Configuration:
    """Return one configuration of a table."""
    sources = 2 + index % 2 if name == "sources" else 1
    configuration = draw_configuration(np.random.default_rng([seed, index]), sources, effort.latents)
    if name != "binary":
        return configuration
    return replace(configuration, p=min(configuration.p, 300), n_task=min(configuration.n_task, 2000))


def _settings(name: str) -> Settings | None:
    return {"sources": Settings(), "binary": Settings(signs=True)}.get(name)


def table(name: str, effort: Effort, count: int, seed: int) -> pd.DataFrame:
    """Return one table: ``main`` (one source), ``sources`` (two or three) or ``binary``."""
    rows: list[dict[str, float]] = []
    for index in range(count):
        configuration = drawn(name, index, effort, seed)
        started = time.process_time()
        rows.append(compared(configuration, effort, seed * 1000 + index, _settings(name)))
        row, seconds = rows[-1], time.process_time() - started
        print(
            f"{name} {index + 1}/{count}: {row['informed_mc']:.3f} +- {row['informed_se']:.3f}, "
            f"formula {row['informed_formula']:.3f}  ({seconds:.0f} s)",
            flush=True,
        )
    return pd.DataFrame(rows)


def renewed(name: str, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a table of the full effort with its worlds as they are and the formulas of today.

    Where the equivalent labels have moved by more than 1 %, the learner that got so many is run again.
    """
    found = frame.copy()
    before, measured = frame["equivalent_labels"].to_numpy(), frame["more_labels_mc"].to_numpy()
    for index in range(len(frame)):
        configuration = drawn(name, index, FULL, seed)
        formula = formulas(padded(configuration), configuration.design())
        labels = configuration.n_task + float(formula["equivalent_labels"])
        moved = abs(labels / (configuration.n_task + float(before[index])) - 1.0) > 0.01
        if moved and np.isfinite(measured[index]):
            again = compared(configuration, FULL, seed * 1000 + index, _settings(name))
            for column in ("more_labels_mc", "more_labels_se"):
                found.loc[index, column] = again[column]
        found.loc[index, "equivalent_labels"] = float(formula["equivalent_labels"])
        found.loc[index, "encoding_r2"] = float(formula["encoding_r2"].mean())
        for column in QUANTITIES:
            if np.isfinite(frame[f"{column}_mc"].to_numpy()[index]):
                found.loc[index, f"{column}_formula"] = float(formula[column])
    return found


def main() -> None:
    """Draw, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few configurations, few worlds")
    parser.add_argument("--out", type=Path, help="folder of the results")
    parser.add_argument("--only", choices=("main", "studies"), help="the random configurations, or the other studies")
    parser.add_argument("--formulas", action="store_true", help="keep the worlds, compute the formulas again")
    options = parser.parse_args()
    fallback = Path("out/theory") if options.quick else Path(__file__).parent / "results"
    out: Path = options.out or fallback
    out.mkdir(parents=True, exist_ok=True)
    if options.only != "studies":
        random_configurations(QUICK if options.quick else FULL, out, again=not options.formulas)
    if options.only != "main" and not options.formulas:
        studies(out, quick=options.quick)
    print(f"Written to {out}")


def random_configurations(effort: Effort, out: Path, *, again: bool = True) -> None:
    """Write the tables over random configurations; without ``again``, only the formulas are computed anew."""
    counts = {"main": effort.configurations, "sources": effort.extra, "binary": effort.extra}
    for seed, (name, count) in enumerate(counts.items(), start=1):
        path = out / f"{name}.csv"
        found = table(name, effort, count, seed) if again else renewed(name, pd.read_csv(path), seed)
        found.to_csv(path, index=False, float_format="%.5g")
    tables = {name: pd.read_csv(out / f"{name}.csv") for name in counts}
    write_tables(tables, out / "tables.md")
    draw_figure(tables["main"], out / "formula.svg")


def studies(out: Path, *, quick: bool) -> None:
    """Run the studies that ask one question each; they import from this module, so that they are imported here."""
    import accuracy
    import directions
    import nonlinear
    import ratings
    import shifts

    accuracy.write(out, quick=quick)
    directions.write(out, quick=quick)
    results = out if (out / "main.csv").exists() else Path(__file__).parent / "results"
    shifts.write(out, pd.read_csv(results / "main.csv"), quick=quick)
    ratings.write(out, quick=quick)
    nonlinear.write(out, quick=quick)


if __name__ == "__main__":
    main()
