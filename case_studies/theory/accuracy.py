"""Where the formula ends: its deviation from the executed learner on grids that leave the comfortable range.

Run it with ``uv run python case_studies/theory/accuracy.py`` (about five minutes of one core; ``--quick`` takes half a
minute; ``--formulas`` keeps the worlds that were run and computes the formulas again). In: nothing. Out:
``results/accuracy.csv``, ``results/accuracy.md`` and ``results/accuracy.svg``. Seven sweeps: latents per effective direction
against channels per latent, small and large numbers of samples, the encoder's detection threshold, signal-to-noise ratios and
label noise out of the ordinary, few and many features, and people, repeats and latents that not every source sees. The bands
of ``models.validity`` are those of ``results/accuracy.md``.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from jax import Array
from maps import draw_map, write_map
from pipeline import Configuration
from run import padded
from worlds import Errors, measured

from brainworth.models.theory.encoding import encode
from brainworth.models.theory.performance import excess_risk, task_only_risk
from brainworth.models.theory.subspace import risk_inside
from brainworth.models.theory.system import Design, System

NAMES = ("informed", "outside", "task_only")
BASE = Configuration(80, 0.0, ((2.0, 1.5, 1.0),), (20,), (400,), 60, 1.5, 0.6)


@dataclass(frozen=True)
class Effort:
    """How much of the grids is run."""

    worlds: int
    every: int
    """Only every so many configurations of each sweep."""


FULL = Effort(worlds=30, every=1)
QUICK = Effort(worlds=6, every=15)
LARGE = 1000
"""Features from which four worlds do: each takes ten seconds, and its standard error is below 1 %."""


def latents(k: int) -> tuple[float, ...]:
    """Return signal-to-noise ratios from 2 to 1."""
    return tuple(float(v) for v in np.round(np.geomspace(2.0, 1.0, k), 4)) if k > 1 else (2.0,)


def overlap() -> list[Configuration]:
    """Return latents per effective direction against channels per latent."""
    return [
        replace(BASE, exponent=exponent, snr=(latents(k),), channels=(max(k + 1, round(ratio * k)),))
        for k in (1, 2, 4, 8)
        for exponent in (0.0, 0.5, 1.0, 1.5)
        for ratio in (1.2, 2, 5, 20)
    ]


def samples() -> list[Configuration]:
    """Return few and many brain samples and labels."""
    grid = [(brain, task) for brain in (5, 30, 100, 1000) for task in (2, 10, 30, 100, 1000)]
    extremes = [(5, 20000), (1000, 20000), (20000, 5), (20000, 1000), (100000, 60), (400, 100000)]
    return [
        replace(BASE, n_brain=(brain,), n_task=task, exponent=exponent)
        for exponent in (0.0, 0.7)
        for brain, task in grid + (extremes if exponent else extremes[:3])
    ]


def threshold() -> list[Configuration]:
    """Return encoders around their detection threshold, n phi = sqrt(q p), with few and with many channels."""
    grid = [
        replace(BASE, p=p, exponent=exponent, channels=(q,), n_brain=(n,), snr=(_weak(strength * np.sqrt(q * p) / n),))
        for p, exponent in ((80, 0.0), (80, 1.0))
        for q in (10, 60, 300)
        for n in (40, 400)
        for strength in (0.3, 0.7, 1.2, 2.5, 6.0)
    ]
    wide = [replace(BASE, p=250, channels=(100,), n_brain=(n,)) for n in (60, 110, 180)]
    crowd = [replace(BASE, people=(6,), n_brain=(600,), snr=(_weak(f),)) for f in (0.05, 0.12, 0.4)]
    return grid + wide + crowd


def _weak(snr: float) -> tuple[float, ...]:
    return tuple(float(f"{factor * snr:.4g}") for factor in (1.3, 1.0, 0.7))


def noise() -> list[Configuration]:
    """Return signal-to-noise ratios, label noise and alignments out of the ordinary."""
    ratios = [replace(BASE, snr=((f, 0.75 * f, 0.5 * f),)) for f in (0.05, 0.2, 0.5, 5.0, 20.0, 100.0)]
    labels = [replace(BASE, noise_variance=v) for v in (0.02, 0.1, 0.4, 6.0, 20.0, 60.0)]
    shares = [replace(BASE, rho2=v) for v in (0.02, 0.2, 0.9, 0.99, 1.0)]
    return ratios + labels + shares


def features() -> list[Configuration]:
    """Return few and many features, channels and latents."""
    sizes = [replace(BASE, p=p, exponent=e, n_brain=(5 * p,)) for p in (5, 10, 20, 40, 160, 320) for e in (0.0, 1.0)]
    large = [replace(BASE, p=2000, n_brain=(2000,)), replace(BASE, channels=(1000,), n_brain=(1000,))]
    return sizes + large + [replace(BASE, exponent=e, snr=(latents(14),)) for e in (0.0, 1.0)]


def steep() -> list[Configuration]:
    """Return spectra steeper than those of embeddings."""
    return [replace(BASE, exponent=e, snr=(latents(k),)) for e in (2.0, 2.5, 3.0) for k in (1, 3)]


def crews() -> list[Configuration]:
    """Return several people, repeats, shared stimuli, several sources, latents that only one source sees."""
    two = replace(BASE, snr=((2.0, 1.5, 1.0), (1.0, 0.5, 2.0)), channels=(20, 10), n_brain=(300, 600))
    return [
        replace(BASE, people=(3,), n_brain=(600,)),
        replace(BASE, people=(3,), n_brain=(600,), shared=True),
        replace(BASE, people=(8,), n_brain=(1600,), shared=True),
        replace(BASE, repeats=(4,), n_brain=(800,)),
        replace(BASE, people=(4,), repeats=(2,), n_brain=(1600,)),
        replace(BASE, people=(4,), repeats=(2,), n_brain=(1600,), shared=True),
        two,
        replace(two, snr=((2.0, 1.5, 0.0), (0.0, 0.5, 2.0))),
        replace(two, snr=((2.0, 0.0, 0.0), (0.0, 2.0, 1.0))),
        replace(two, people=(2, 3), repeats=(1, 2)),
    ]


SWEEPS = {
    "overlap": overlap,
    "samples": samples,
    "threshold": threshold,
    "noise": noise,
    "features": features,
    "steep": steep,
    "crews": crews,
}


@jax.jit
def formulas(system: System, design: Design) -> dict[str, Array]:
    """Return every formula that is compared."""
    encoding = encode(system, design)
    inside, risk = risk_inside(system, encoding, design.n_task)
    return {
        "informed": excess_risk(system, design),
        "outside": risk - inside,
        "task_only": task_only_risk(system, design.n_task),
        "encoding_r2": encoding.encoding_r2.mean(),
        "weakest_r2": encoding.encoding_r2.min(),
    }


def measure(found: Errors) -> tuple[float, ...]:
    """Return risk, part outside and task-only risk of a world."""
    return (*found.risks(found.informed), found.risks(found.task_only)[0])


def row(sweep: str, configuration: Configuration, worlds: int, seed: int) -> dict[str, float | str]:
    """Return one line of the table."""
    formula = {name: float(value) for name, value in formulas(padded(configuration), configuration.design()).items()}
    worlds = min(worlds, 4) if configuration.p > LARGE else worlds
    seeds = range(seed * 1000, seed * 1000 + worlds)
    means, deviations = measured(configuration, configuration.system(), seeds, measure)
    weights = np.arange(1.0, configuration.p + 1.0) ** -configuration.exponent
    entry: dict[str, float | str] = {
        "sweep": sweep,
        "k": configuration.k,
        "p": configuration.p,
        "exponent": configuration.exponent,
        "q": sum(q * configuration.crew(s)[0] for s, q in enumerate(configuration.channels)),
        "sources": len(configuration.channels),
        "people": configuration.crew(0)[0],
        "repeats": configuration.crew(0)[1],
        "shared": float(configuration.shared),
        "snr": max(max(source) for source in configuration.snr),
        "n_brain": sum(configuration.n_brain),
        "n_task": configuration.n_task,
        "noise_variance": configuration.noise_variance,
        "rho2": configuration.rho2,
        "overlap": configuration.k * float(np.sum(weights**2) / weights.sum() ** 2),
        "encoding_r2": formula["encoding_r2"],
        "weakest_r2": formula["weakest_r2"],
        "worlds": worlds,
    }
    for name, mean, error in zip(NAMES, means, deviations, strict=True):
        entry |= {f"{name}_formula": formula[name], f"{name}_mc": float(mean), f"{name}_se": float(error)}
    return entry


def table(effort: Effort) -> pd.DataFrame:
    """Return every configuration of every sweep."""
    rows: list[dict[str, float | str]] = []
    for number, (name, sweep) in enumerate(SWEEPS.items()):
        started = time.process_time()
        chosen = sweep()[:: effort.every]
        rows += [row(name, one, effort.worlds, 1000 * number + index) for index, one in enumerate(chosen)]
        print(f"{name}: {len(chosen)} configurations, {time.process_time() - started:.0f} s", flush=True)
    return pd.DataFrame(rows)


def renewed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table of the full effort with its worlds as they are and the formulas of today."""
    found = frame.copy()
    every = [one for sweep in SWEEPS.values() for one in sweep()]
    for index, configuration in enumerate(every):
        formula = formulas(padded(configuration), configuration.design())
        for name in NAMES:
            found.loc[index, f"{name}_formula"] = float(f"{float(formula[name]):.5g}")
        for name in ("encoding_r2", "weakest_r2"):
            found.loc[index, name] = float(f"{float(formula[name]):.5g}")
    return found


def write(out: Path, *, quick: bool, again: bool = True) -> None:
    """Run, write, draw; without ``again``, only the formulas are computed anew."""
    found = table(QUICK if quick else FULL) if again else renewed(pd.read_csv(out / "accuracy.csv"))
    found.to_csv(out / "accuracy.csv", index=False, float_format="%.5g")
    frame = pd.read_csv(out / "accuracy.csv")
    write_map(frame, out / "accuracy.md")
    draw_map(frame, out / "accuracy.svg")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifteenth of the grid, few worlds")
    parser.add_argument("--formulas", action="store_true", help="keep the worlds, compute the formulas again")
    parser.add_argument("--out", type=Path, help="folder of the results")
    options = parser.parse_args()
    target: Path = options.out or (Path("out/theory") if options.quick else Path(__file__).parent / "results")
    target.mkdir(parents=True, exist_ok=True)
    write(target, quick=options.quick, again=not options.formulas)
