"""Test stimuli of other covariances: closed form against the executed learner, and the part outside of the latents.

Run it with ``uv run python case_studies/theory/shifts.py`` (about a minute; ``--quick`` takes a few seconds). In: nothing, and
``results/main.csv`` for the second table. Out: ``results/shifts.md`` and ``results/inside.md``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array
from numpy.typing import NDArray
from pipeline import Configuration
from run import draw_configuration
from tables import effective_dimension, markdown
from worlds import Errors, measured

from brainworth.models.theory.covariance import CovarianceShift, risks_under, robustness_gain
from brainworth.models.theory.system import Design, Spectrum, System

SIZE = 160
"""Directions to which every spectrum is padded, so that the formulas are compiled once per latent dimension."""
PRICE = 0.05
"""Labels per brain sample, for the comparison at equal cost."""
SEED = 17

Vector = NDArray[np.float64]


def configurations(count: int) -> list[Configuration]:
    """Return random configurations with one to six latents and 50 to 160 features."""
    found: list[Configuration] = []
    for index in range(count):
        drawn = draw_configuration(np.random.default_rng([SEED, index]), 1, (1, 3, 6))
        p = min(drawn.p, SIZE)
        found.append(
            replace(drawn, p=p, n_brain=(max(min(drawn.n_brain[0], 2000), 3 * p),), n_task=min(drawn.n_task, 600))
        )
    return found


def shifts(p: int, seed: int) -> dict[str, tuple[Vector, float]]:
    """Return test covariances: factors per direction of the spectrum, and the factor outside of the brain subspace."""
    rank = np.arange(p) / p
    return {
        "strong directions x 4": (np.where(rank < 0.1, 4.0, 1.0), 1.0),
        "strong directions gone": (np.where(rank < 0.1, 0.0, 1.0), 1.0),
        "weak half x 4": (np.where(rank < 0.5, 1.0, 4.0), 1.0),
        "random": (np.random.default_rng([SEED, 1, seed]).lognormal(0.0, 1.0, p), 1.0),
        "random, outside x 3": (np.random.default_rng([SEED, 2, seed]).lognormal(0.0, 1.0, p), 3.0),
    }


def system_of(configuration: Configuration) -> System:
    """Return the system with its spectrum padded by directions that count nothing."""
    system = configuration.system()
    missing = SIZE - configuration.p
    variance = jnp.pad(system.spectrum.variance, (0, missing), mode="edge")
    return replace(system, spectrum=Spectrum(variance, jnp.pad(system.spectrum.count, (0, missing))))


@jax.jit
def formulas(system: System, design: Design, shift: CovarianceShift) -> dict[str, Array]:
    """Return the closed forms at one shift."""
    price = jnp.full(1, PRICE)
    found = risks_under(system, design, shift)
    return {
        "informed": found.excess_risk,
        "task only": found.task_only_excess_risk,
        "gain, equal labels": robustness_gain(system, design, shift),
        "gain, equal cost": robustness_gain(system, design, shift, price),
    }


def executed(
    configuration: Configuration, chosen: dict[str, tuple[Vector, float]], worlds: int, seed: int
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return mean and standard error of the shifted risks, and of the task-only risks with labels for all the money."""

    def shifted(found: Errors) -> list[float]:
        values: list[float] = []
        for factors, outside in chosen.values():
            for moments in (found.informed, found.task_only):
                total, apart = found.risks(moments, factors)
                values.append(total + (outside - 1.0) * apart)
        return values

    system, seeds = configuration.system(), range(seed * 1000, seed * 1000 + worlds)
    means, errors = measured(configuration, system, seeds, shifted)
    more = round(configuration.n_task + PRICE * configuration.n_brain[0])
    richer, spread = measured(replace(configuration, n_task=more), system, seeds, shifted)
    return {
        name: {
            "informed": (means[2 * i], errors[2 * i]),
            "task only": (means[2 * i + 1], errors[2 * i + 1]),
            "richer": (richer[2 * i + 1], spread[2 * i + 1]),
        }
        for i, name in enumerate(chosen)
    }


def rows(count: int, worlds: int) -> pd.DataFrame:
    """Return one line per configuration and shift."""
    found: list[dict[str, float | str]] = []
    for index, configuration in enumerate(configurations(count)):
        system, design, chosen = system_of(configuration), configuration.design(), shifts(configuration.p, index)
        drawn = executed(configuration, chosen, worlds, index)
        weights = np.arange(1.0, configuration.p + 1.0) ** -configuration.exponent
        for name, (factors, outside) in chosen.items():
            shift = CovarianceShift(
                jnp.asarray(np.pad(factors, (0, SIZE - configuration.p), constant_values=1.0)), jnp.asarray(outside)
            )
            formula = {key: float(value) for key, value in formulas(system, design, shift).items()}
            informed, task_only, richer = (drawn[name][key] for key in ("informed", "task only", "richer"))
            found.append(
                {
                    "k": configuration.k,
                    "p": configuration.p,
                    "exponent": round(configuration.exponent, 2),
                    "n_brain": configuration.n_brain[0],
                    "n_task": configuration.n_task,
                    "overlap": configuration.k * float(np.sum(weights**2) / weights.sum() ** 2),
                    "shift": name,
                    "informed_mc": informed[0],
                    "informed_se": informed[1],
                    "task only_mc": task_only[0],
                    "task only_se": task_only[1],
                    "gain, equal labels_mc": task_only[0] / informed[0],
                    "gain, equal cost_mc": richer[0] / informed[0],
                    **formula,
                }
            )
    return pd.DataFrame(found)


def _summary(frame: pd.DataFrame, title: str, formula: str, measured_as: str) -> dict[str, str]:
    size = np.abs(frame[formula].to_numpy() / frame[f"{measured_as}_mc"].to_numpy() - 1.0)
    return {
        "quantity": title,
        "rows": str(len(frame)),
        "median deviation": f"{100 * np.median(size):.1f} %",
        "90 % quantile": f"{100 * np.quantile(size, 0.9):.1f} %",
        "worst": f"{100 * size.max():.1f} %",
    }


def write_shifts(frame: pd.DataFrame, path: Path) -> None:
    """Write the table of test covariances."""
    plain = frame.loc[(frame["shift"] != "random, outside x 3").to_numpy()]
    both = frame.loc[(frame["shift"] == "random, outside x 3").to_numpy()]
    summary = [
        _summary(plain, "Risk under another covariance, with brain data", "informed", "informed"),
        _summary(plain, "The same without brain data", "task only", "task only"),
        _summary(both, "Random covariance and outside x 3, with brain data", "informed", "informed"),
        _summary(both, "The same without brain data", "task only", "task only"),
        _summary(frame, "Robustness gain at equal labels", "gain, equal labels", "gain, equal labels"),
        _summary(
            frame, f"Robustness gain at equal cost ({PRICE:g} labels a sample)", "gain, equal cost", "gain, equal cost"
        ),
    ]
    detail: list[dict[str, str]] = []
    for record in frame.to_dict("records"):
        row = {name: str(record[name]) for name in ("k", "p", "exponent", "n_brain", "n_task")}
        row |= {"k Σh²": f"{record['overlap']:.2f}", "shift": str(record["shift"])}
        for name in ("informed", "task only"):
            row[f"{name} MC"] = f"{record[f'{name}_mc']:.3f} ± {record[f'{name}_se']:.3f}"
            row[f"{name} formula"] = f"{record[name]:.3f}"
        for name in ("gain, equal labels", "gain, equal cost"):
            row[f"{name}: MC / formula"] = f"{record[f'{name}_mc']:.2f} / {record[name]:.2f}"
        detail.append(row)
    text = [
        "# Test stimuli of other covariances\n",
        markdown(summary),
        "## Every configuration and shift\n",
        markdown(detail),
    ]
    path.write_text("\n".join(text), encoding="utf-8")


def write_inside(main: pd.DataFrame, path: Path) -> None:
    """Write the part outside of the brain subspace, over the configurations of ``run.py``."""
    formula, measured_as, error = (main[f"informed_outside_{name}"].to_numpy() for name in ("formula", "mc", "se"))
    overlap = main["k"].to_numpy() / effective_dimension(main)
    summary: list[dict[str, str]] = []
    for title, chosen in (
        ("all", overlap > 0),
        ("k Σh² up to 0.1", overlap <= 0.1),
        ("k Σh² above 0.1", overlap > 0.1),
    ):
        if not chosen.any():
            continue
        size = np.abs(formula / measured_as - 1.0)[chosen]
        close = (size <= 0.05) | (np.abs(formula - measured_as)[chosen] <= 3 * error[chosen])
        summary.append(
            {
                "configurations": f"{title} ({chosen.sum()})",
                "median deviation": f"{100 * np.median(size):.1f} %",
                "90 % quantile": f"{100 * np.quantile(size, 0.9):.1f} %",
                "worst": f"{100 * size.max():.1f} %",
                "within 5 % or 3 s.e.": f"{100 * close.mean():.0f} %",
            }
        )
    detail = [
        {
            "k": f"{record['k']:.0f}",
            "p": f"{record['p']:.0f}",
            "exponent": f"{record['exponent']:.2f}",
            "k Σh²": f"{overlap[i]:.3f}",
            "outside MC": f"{measured_as[i]:.3f} ± {error[i]:.3f}",
            "formula": f"{formula[i]:.3f}",
        }
        for i, record in enumerate(main.to_dict("records"))
    ]
    text = [
        "# Part of the risk outside of the brain subspace\n",
        markdown(summary),
        "## Every configuration of `main.csv`\n",
        markdown(detail),
    ]
    path.write_text("\n".join(text), encoding="utf-8")


def write(out: Path, main: pd.DataFrame, *, quick: bool) -> None:
    """Run and write both tables."""
    write_shifts(rows(2, 6) if quick else rows(12, 60), out / "shifts.md")
    write_inside(main, out / "inside.md")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two configurations, few worlds")
    options = parser.parse_args()
    results = Path(__file__).parent / "results"
    target = Path("out/theory") if options.quick else results
    target.mkdir(parents=True, exist_ok=True)
    main = pd.read_csv(results / "main.csv")
    write(target, main.head(6) if options.quick else main, quick=options.quick)
