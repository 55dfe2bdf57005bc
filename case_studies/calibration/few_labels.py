"""Whether the explained share of the labels is right where a pilot has few of them.

    uv run python case_studies/calibration/few_labels.py                       # results/few_labels.md
    uv run python case_studies/calibration/few_labels.py --worlds 4 --out /tmp/few_labels

In: number of worlds, seed. Out, in --out: ``few_labels.jsonl`` (one line a world; a run that was stopped goes on from there) and
``few_labels.md``. The worlds are those of ``executed.py`` with 20 to 60 labels, 60 features and 400 brain samples; they are fitted,
and the posterior of the explained share is set beside the share that the world was made with, uniform between .02 and .98.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import executed
import numpy as np
from resumed import carry_out, command_line
from simulated_fits import PilotShape, draw_system

import brainworth as bw
from brainworth.models.worlds.simulate import draw_world

KIND = "at most 60 labels"


def one_world(index: int, seed: int) -> dict[str, Any]:
    """Return the posterior of the explained share in one world, and where the truth lies in it."""
    kind = executed.KINDS[KIND]
    rng = np.random.default_rng([seed, list(executed.KINDS).index(KIND), index])
    system = draw_system(rng, executed.PRIORS, PilotShape(), exponents=kind.exponents, weaker=kind.weaker)
    world = draw_world(system, rng, replace(kind.realism, gain_spread=abs(0.3 * rng.standard_normal())))
    people, labels = int(rng.choice(kind.people)), int(rng.integers(kind.labels[0], kind.labels[1] + 1))
    tables = executed.pilot_tables(world, rng, labels, people, 400)
    study = bw.Study.from_frames(
        stimuli=tables["stimuli"],
        labels=tables["labels"],
        recordings={"EEG": tables["recordings"]},
        task=bw.Task(cost_per_label=1.0),
        modalities=[bw.Modality(name="EEG", new_subjects=True, cost=bw.Cost(per_sample=0.1, per_subject=20.0))],
        budget=bw.Budget(total=500),
    )
    found = study.fit(seed=index).fitted.draws.system
    signal, noise = np.asarray(found.signal_variance), np.asarray(found.noise_variance)
    share = signal / (signal + noise)
    truth = world.truth.signal_variance / (world.truth.signal_variance + world.truth.noise_variance)
    low, high = np.quantile(share, [0.05, 0.95]).tolist()
    mean, rank = float(share.mean()), float(np.mean(share < truth))
    return {"index": index, "labels": labels, "truth": truth, "mean": mean, "low": low, "high": high, "rank": rank}


def table(lines: list[dict[str, Any]]) -> str:
    """Return bias, coverage and mean rank, for all worlds and by number of labels, in Markdown."""
    rows = [
        "| labels | worlds | stated − true | 90 % interval holds | mean rank of the truth |",
        "|---|---|---|---|---|",
    ]
    for title, low, high in (("20 to 39", 0, 40), ("40 to 60", 40, 61), ("all", 0, 61)):
        own = [line for line in lines if low <= line["labels"] < high]
        if len(own) < 2:
            continue
        bias = np.array([line["mean"] - line["truth"] for line in own])
        rank = np.array([line["rank"] for line in own])
        inside = np.mean([line["low"] <= line["truth"] <= line["high"] for line in own])
        root = np.sqrt(len(own))
        rows.append(
            f"| {title} | {len(own)} | {bias.mean():+.3f} ± {bias.std(ddof=1) / root:.3f} | {inside:.0%} | "
            f"{rank.mean():.2f} ± {rank.std(ddof=1) / root:.2f} |"
        )
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    given = command_line(__doc__, "worlds", 40)
    carry_out("few_labels", one_world, [(index,) for index in range(given.count)], ("index",), table, given)
