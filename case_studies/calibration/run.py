"""Calibration of the posterior and regret of its plans, over simulated pilots whose truth is known.

    uv run python case_studies/calibration/run.py                       # the tables and figures of the README
    uv run python case_studies/calibration/run.py --worlds 12 --others 0 --out /tmp/calibration

In: numbers of worlds, kinds of worlds, seed. Out, in --out: ``worlds.jsonl`` (one line a world: ranks of the truth among the
draws, regrets; a run that was stopped goes on from there), ``results.json``, ``table.md``, ``ecdf.svg``. Worlds of kind
``gaussian`` are drawn from the model's own prior (simulation-based calibration); the others break an assumption each;
``as if the encoder were perfect`` is a deliberately wrong model fitted to Gaussian worlds, and must fail.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from report import figure, reliability, reliability_table, results, table

from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.common.workers import importable, team
from brainworth.models.worlds.simulate import Realism

sys.path.append(str(Path(__file__).parents[1]))

from simulated_fits import GAIN_SPREAD, PilotShape, Settings, Verdict, draw_system, draw_world, examine, world_priors

JUDGED = ((400.0, 150.0), (400.0, 1000.0), (2000.0, 150.0), (2000.0, 1000.0), (10000.0, 3000.0))
LABELS, PRICE = 400.0, 0.03
"""The budget line: labels that the whole budget buys, and the price of a brain sample in labels."""
SHARES = np.linspace(0.0, 0.95, 20)
PRIORS = world_priors()
TIE = 0.001
"""Share of expected performance within which labels alone are preferred, as in a plan."""
KEPT = 100
"""Draws among which the truth is ranked: thinned, so that they are nearly independent."""


@dataclass(frozen=True)
class Kind:
    """One kind of worlds."""

    realism: Realism = field(default_factory=Realism)
    shape: PilotShape = field(default_factory=PilotShape)
    weaker: float = 1.0
    """Factor on the loadings drawn from the prior."""
    naive: bool = False
    """Whether the deliberately wrong model is fitted."""


KINDS: dict[str, Kind] = {
    "gaussian": Kind(),
    "as if the encoder were perfect": Kind(naive=True),
    "heavy-tailed": Kind(Realism(tail=4.0)),
    "nonlinear": Kind(Realism(nonlinearity=1.0)),
    "outliers": Kind(Realism(outliers=0.02)),
    "weakly aligned": Kind(weaker=0.2),
    "unequal people": Kind(Realism(gain_spread=0.9), PilotShape(people=(2, 4))),
    "a useless person": Kind(Realism(useless=1), PilotShape(people=(4,))),
    "autocorrelated": Kind(Realism(autocorrelation=0.6, stimulus_autocorrelation=0.8)),
    "too few latents": Kind(shape=PilotShape(fitted_latents=2)),
    "too many latents": Kind(shape=PilotShape(n_latents=2, fitted_latents=6)),
}
SAME_WORLDS = ("gaussian", "as if the encoder were perfect")
"""Kinds that share their worlds: the wrong model sees what the right one sees."""


def line(shape: PilotShape) -> list[tuple[float, float]]:
    """Return pilot + new along the budget line: share of the budget spent on brain samples."""
    return [(shape.samples + LABELS * s / PRICE, shape.labels + LABELS * (1.0 - s)) for s in SHARES]


def one_world(name: str, seed: int, world: int) -> dict[str, Any]:
    """Return what is kept of one world."""
    kind = KINDS[name]
    index = 0 if name in SAME_WORLDS else list(KINDS).index(name)
    rng = np.random.default_rng([seed, index, world])
    system = draw_system(rng, PRIORS, kind.shape, weaker=kind.weaker)
    realism = kind.realism
    if realism.gain_spread == 0.0 and not realism.useless:
        realism = replace(realism, gain_spread=abs(GAIN_SPREAD * rng.standard_normal()))
    drawn = draw_world(system, rng, kind.shape, realism)
    settings = Settings(JUDGED, line(kind.shape), naive=kind.naive)
    verdict = examine(drawn, PRIORS, kind.shape, settings)
    return {"kind": name, "world": world, **kept(verdict, rng)}


def kept(v: Verdict, rng: np.random.Generator) -> dict[str, Any]:
    """Return ranks among thinned draws (0 to ``KEPT``), regrets by rule, and what was said of collecting brain data."""
    expected, best = v.curve.mean(axis=1), float(v.curve_truth.max())
    chosen = 0 if expected[0] >= (1.0 - TIE) * expected.max() else int(np.argmax(expected))
    rules = {
        "plan": chosen,
        "labels only": 0,
        "half and half": int(np.argmin(np.abs(SHARES - 0.5))),
        "plug-in": int(np.argmax(v.plug_in)),
    }
    rival = chosen if chosen else 1 + int(np.argmax(expected[1:]))
    thinned = {
        name: draws[np.linspace(0, draws.size - 1, KEPT).astype(int)] + 1e-12 * rng.standard_normal(KEPT)
        for name, draws in v.draws.items()
    }
    return {
        "rank": {name: int(np.sum(draws < v.truth[name])) for name, draws in thinned.items()},
        "regret": {rule: best - float(v.curve_truth[index]) for rule, index in rules.items()},
        "stated": float(np.mean(v.curve[rival] > v.curve[0])),
        "pays": bool(v.curve_truth[rival] > v.curve_truth[0]),
        "collects": chosen > 0,
        "advantage": float(expected[rival] - expected[0]),
        "diverging": v.diverging,
    }


def main() -> None:
    """Run all kinds of worlds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=500, help="Gaussian worlds")
    parser.add_argument("--others", type=int, default=100, help="worlds of every other kind")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--workers", type=int, default=1, help="processes that share the worlds (extra 'cluster')")
    parser.add_argument("--scheduler", help="a running Dask scheduler, or slurm:FILE")
    given = parser.parse_args()
    use_compilation_cache()
    given.out.mkdir(parents=True, exist_ok=True)
    log = given.out / "worlds.jsonl"
    lines = [json.loads(text) for text in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
    done = {(entry["kind"], entry["world"]) for entry in lines}
    here = str(Path(__file__).parent)
    with team(given.workers, given.scheduler, [here]) as workers:
        for kind in given.kinds:
            start = time.perf_counter()
            count = given.worlds if kind == "gaussian" else given.others
            tasks = [(kind, given.seed, world) for world in range(count) if (kind, world) not in done]
            for entry in workers.results(importable(one_world), tasks):
                lines.append(entry)
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
            if count:
                print(f"{kind}: {count} worlds in {time.perf_counter() - start:.0f} s", flush=True)
    lines = [entry for entry in lines if entry["kind"] in given.kinds]
    found = results(lines, KEPT)
    said = reliability([entry for entry in lines if not KINDS[entry["kind"]].naive])
    (given.out / "results.json").write_text(
        json.dumps({"kinds": found, "reliability": said}, indent=1) + "\n", encoding="utf-8"
    )
    (given.out / "table.md").write_text(table(found) + reliability_table(said), encoding="utf-8")
    figure(lines, KEPT, given.out / "ecdf.svg", [kind for kind in SAME_WORLDS if kind in found])
    print(table(found) + reliability_table(said))


if __name__ == "__main__":
    main()
