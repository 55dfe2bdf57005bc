"""Calibration of the posterior and regret of its plans, over simulated pilots whose truth is known.

    uv run python case_studies/calibration/run.py --worlds 300          # the table of the README
    uv run python case_studies/calibration/run.py --worlds 12 --kinds gaussian

In: number of worlds, kinds of worlds, seed. Out: ``results.json`` and ``table.md`` in --out. Worlds of kind ``gaussian`` are
drawn from the model's own prior (simulation-based calibration); the others break an assumption each.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from brainworth.design.runtime import use_compilation_cache
from brainworth.models.calibration import PilotShape, Verdict, draw_pilot, draw_system, examine
from brainworth.models.hierarchy import Priors
from brainworth.models.inference import SamplerOptions
from brainworth.models.simulate import Realism

KINDS: dict[str, Realism] = {
    "gaussian": Realism(),
    "heavy-tailed": Realism(tail=4.0),
    "nonlinear": Realism(nonlinearity=1.0),
    "outliers": Realism(outliers=0.02),
    "unequal people": Realism(gain_spread=0.7),
}
JUDGED = ((400.0, 150.0), (400.0, 1000.0), (2000.0, 150.0), (2000.0, 1000.0), (10000.0, 3000.0))
LABELS, PRICE = 400.0, 0.03
"""The budget line: labels that the whole budget buys, and the price of a brain sample in labels."""
SHARES = np.linspace(0.0, 0.95, 20)
LEVELS = (0.5, 0.8, 0.9, 0.95)


def line(shape: PilotShape) -> list[tuple[float, float]]:
    """Return pilot + new along the budget line: share of the budget spent on brain samples."""
    return [(shape.samples + LABELS * s / PRICE, shape.labels + LABELS * (1.0 - s)) for s in SHARES]


def summary(verdicts: list[Verdict]) -> dict[str, Any]:
    """Return coverage by level, mean rank, and mean regret of the plan and of simpler rules."""
    coverage = {}
    for name in verdicts[0].truth:
        rank = np.array([v.rank(name) for v in verdicts])
        coverage[name] = {f"{level:.2f}": float(np.mean(np.abs(rank - 0.5) <= level / 2)) for level in LEVELS}
        coverage[name]["mean rank"] = float(rank.mean())
    regret: dict[str, list[float]] = {"plan": [], "labels only": [], "half and half": [], "plug-in": []}
    collect = []
    for v in verdicts:
        expected, best = v.curve.mean(axis=1), float(v.curve_truth.max())
        chosen = int(np.argmax(expected))
        picks = {
            "plan": chosen,
            "labels only": 0,
            "half and half": int(np.argmin(np.abs(SHARES - 0.5))),
            "plug-in": int(np.argmax(v.plug_in)),
        }
        for rule, index in picks.items():
            regret[rule].append(best - float(v.curve_truth[index]))
        rival = chosen if chosen else 1 + int(np.argmax(expected[1:]))
        probability = float(np.mean(v.curve[rival] > v.curve[0]))
        collect.append((probability, bool(v.curve_truth[rival] > v.curve_truth[0]), chosen > 0))
    stated = np.array([p for p, _, _ in collect])
    true = np.array([t for _, t, _ in collect])
    said = np.array([c for _, _, c in collect])
    return {
        "worlds": len(verdicts),
        "coverage": coverage,
        "regret": {
            rule: {"mean": float(np.mean(values)), "q95": float(np.quantile(values, 0.95))}
            for rule, values in regret.items()
        },
        "collect": {
            "plans that collect": float(said.mean()),
            "of these, stated probability that it pays": float(stated[said].mean()) if said.any() else None,
            "of these, it pays": float(true[said].mean()) if said.any() else None,
        },
        "divergences": float(np.mean([v.diverging for v in verdicts])),
    }


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    names = list(next(iter(results.values()))["coverage"])
    lines = ["| worlds | quantity | 50 % | 80 % | 90 % | 95 % | mean rank |", "|---|---|---|---|---|---|---|"]
    for kind, found in results.items():
        for name in names:
            c = found["coverage"][name]
            cells = " | ".join(f"{c[f'{level:.2f}']:.2f}" for level in LEVELS)
            lines.append(f"| {kind} ({found['worlds']}) | {name} | {cells} | {c['mean rank']:.2f} |")
    rules = list(next(iter(results.values()))["regret"])
    lines += [
        "",
        "| worlds | " + " | ".join(f"regret, {rule}" for rule in rules) + " | collect | stated | true |",
        "|---" * (len(rules) + 4) + "|",
    ]
    for kind, found in results.items():
        cells = " | ".join(f"{found['regret'][rule]['mean']:.4f}" for rule in rules)
        said = found["collect"]
        stated = ["-" if value is None else f"{value:.2f}" for value in said.values()]
        lines.append(f"| {kind} | {cells} | {' | '.join(stated)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all kinds of worlds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=300)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    given = parser.parse_args()
    use_compilation_cache()
    shape = PilotShape()
    priors = Priors(jnp.log(jnp.array([0.5])), jnp.array([1.65]), jnp.array([0.6]), jnp.asarray(0.7))
    settings = (SamplerOptions(n_warmup=300, n_draws=250, n_chains=2), JUDGED, line(shape))
    results: dict[str, Any] = {}
    given.out.mkdir(parents=True, exist_ok=True)
    for index, kind in enumerate(given.kinds):
        verdicts: list[Verdict] = []
        start = time.perf_counter()
        for world in range(given.worlds):
            rng = np.random.default_rng([given.seed, index, world])
            system = draw_system(rng, priors, shape)
            pilot = draw_pilot(system, rng, shape, KINDS[kind])
            verdicts.append(examine(system, pilot, priors, shape, settings))
        results[kind] = summary(verdicts)
        print(f"{kind}: {given.worlds} worlds in {time.perf_counter() - start:.0f} s", flush=True)
        (given.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        (given.out / "table.md").write_text(table(results), encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
