"""Plans of studies whose features are a kernel, carried out: forecasts against what trained learners reach.

    uv run python case_studies/calibration/kernel_worlds.py                          # results/kernel_worlds.md
    uv run python case_studies/calibration/kernel_worlds.py --studies 4 --out /tmp/kernel_worlds

In: number of studies, seed. Out, in --out: ``kernel_worlds.jsonl`` (one line a study; a run that was stopped goes on from there)
and ``kernel_worlds.md``. Stimuli are Gaussian embeddings, known to the planner by their RBF kernel alone. Latents and task are
networks with one hidden layer, which no kernel holds exactly. The plan is bought: new stimuli, whose features come from their
kernel with the pilot's. ``plan.learner()`` is trained on them and scored on 20,000 further stimuli. Explainable is what the best
linear function of these features predicts of the noise-free labels of those stimuli.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from executed import bought_of, forecast_of, with_error
from numpy.typing import NDArray
from resumed import carry_out, command_line
from sklearn.gaussian_process.kernels import RBF

import brainworth as bw

PILOT = 280
"""Stimuli of a pilot, all of them in the Gram matrix and recorded."""
CHANNELS = 16
TEST = 20_000
SAMPLE_PRICES = (0.01, 0.3)
"""Least and most price of a brain sample, in labels."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SmoothWorld:
    """Stimuli, latents, task and recordings of one world; all functions have variance 1."""

    dimension: int
    scale: float
    """Length scale of the kernel."""
    latents: tuple[tuple[Array, Array], ...]
    """Inner and outer weights of a network for every latent, and for the task's own part (the last)."""
    power: Array
    """Share of the labels' signal that every network carries."""
    noise: float
    """Variance of the labels' noise; the signal has variance 1."""
    patterns: Array
    """Channels of every latent."""

    def stimuli(self, rng: np.random.Generator, count: int) -> Array:
        """Return embeddings of new stimuli."""
        return rng.standard_normal((count, self.dimension))

    def values(self, stimuli: Array) -> Array:
        """Return what every network says of stimuli: (stimulus, network)."""
        return np.stack([np.tanh(stimuli @ inner) @ outer for inner, outer in self.latents], axis=1)

    def signal(self, stimuli: Array) -> Array:
        """Return the labels without noise."""
        return self.values(stimuli) @ np.sqrt(self.power)

    def labels(self, rng: np.random.Generator, stimuli: Array) -> Array:
        """Return labels with noise."""
        return self.signal(stimuli) + np.sqrt(self.noise) * rng.standard_normal(len(stimuli))

    def record(self, rng: np.random.Generator, stimuli: Array) -> Array:
        """Return recordings: (stimulus, channel)."""
        return self.values(stimuli)[:, :-1] @ self.patterns + rng.standard_normal((len(stimuli), CHANNELS))

    def kernel(self, stimuli: Array, others: Array) -> Array:
        """Return the kernel of stimuli with others."""
        return np.asarray(RBF(self.scale)(stimuli, others))


def draw_smooth_world(rng: np.random.Generator) -> SmoothWorld:
    """Return a world with two latents."""
    dimension, count = int(rng.choice([3, 4, 5])), 3
    probe = rng.standard_normal((20_000, dimension))
    networks: list[tuple[Array, Array]] = []
    for _ in range(count):
        inner, outer = rng.standard_normal((dimension, 8)) / np.sqrt(dimension), rng.standard_normal(8)
        networks.append((inner, outer / np.std(np.tanh(probe @ inner) @ outer)))
    aligned = rng.uniform(0.1, 0.9)
    power = np.append(aligned * rng.dirichlet(np.ones(count - 1)), 1.0 - aligned)
    snr = np.exp(rng.normal(np.log(0.5), 1.0, count - 1))
    patterns = rng.standard_normal((count - 1, CHANNELS)) * np.sqrt(snr[:, None] / CHANNELS)
    noise = float(np.exp(rng.uniform(np.log(0.3), np.log(4.0))))
    scale = np.sqrt(dimension) * rng.uniform(1.2, 2.0)
    return SmoothWorld(dimension, float(scale), tuple(networks), power, noise, patterns)


def one_study(index: int, seed: int) -> dict[str, Any]:
    """Return forecast and outcome of one study; an error is kept by its message."""
    rng = np.random.default_rng([seed, 77, index])
    try:
        found = _carried_out(draw_smooth_world(rng), rng, index)
    except (bw.HealthRefusal, bw.Infeasible) as error:
        found = {"refused": str(error)[:300]}
    except Exception:  # a study that fails is a finding, not the end of the run
        found = {"failed": traceback.format_exc()[-1500:]}
    return {"index": index, **found}


def _carried_out(world: SmoothWorld, rng: np.random.Generator, index: int) -> dict[str, Any]:
    stimuli, names = world.stimuli(rng, PILOT), [f"s{i:03d}" for i in range(PILOT)]
    labels, people = int(rng.integers(60, 200)), int(rng.choice([1, 2]))
    price = float(np.exp(rng.uniform(*np.log(SAMPLE_PRICES))))
    budget = float(np.exp(rng.uniform(np.log(150.0), np.log(1000.0))))
    label = world.labels(rng, stimuli[:labels])
    recordings = [
        pd.DataFrame(world.record(rng, stimuli), columns=[f"E{i}" for i in range(CHANNELS)]).assign(
            subject=f"p{person}", stimulus=names
        )
        for person in range(people)
    ]
    study = bw.Study.from_frames(
        kernel=(names, world.kernel(stimuli, stimuli)),
        labels=pd.DataFrame({"stimulus": names[:labels], "label": label}),
        recordings={"EEG": pd.concat(recordings)},
        task=bw.Task(cost_per_label=1.0),
        modalities=[
            bw.Modality(name="EEG", new_subjects=True, cost=bw.Cost(per_sample=round(price, 4), per_subject=20.0))
        ],
        budget=bw.Budget(total=round(budget)),
    )
    plan = study.fit(seed=index).plan()
    judge = _judge(world, study, stimuli, rng)
    alone = plan.alternatives["task_only"].allocation
    reached = judge(_trained(plan, study, world, stimuli, plan.allocation, rng))
    other = reached if alone == plan.allocation else judge(_trained(plan, study, world, stimuli, alone, rng))
    found = {"reached": reached, "reached_alone": other}
    return {**forecast_of(plan), **found, "pilot_labels": labels}


def _trained(
    plan: bw.Plan, study: bw.Study, world: SmoothWorld, pilot: Array, purchase: Any, rng: np.random.Generator
) -> Any:
    """Return the plan's learner, trained on a purchase."""
    n_task, people, samples, _ = bought_of(purchase)
    new = world.stimuli(rng, n_task)
    brain: list[tuple[Array, Array]] = []
    for person in range(people):
        shown = world.stimuli(rng, samples // people + (person < samples % people))
        brain.append((study.kernel_features(world.kernel(shown, pilot)), world.record(rng, shown)))
    return plan.learner().fit(study.kernel_features(world.kernel(new, pilot)), world.labels(rng, new), brain=brain)


def _judge(world: SmoothWorld, study: bw.Study, pilot: Array, rng: np.random.Generator) -> Any:
    """Return what scores a learner: R^2 on noisy labels, and explainable R^2."""
    stimuli = world.stimuli(rng, TEST)
    features, signal = study.kernel_features(world.kernel(stimuli, pilot)), world.signal(stimuli)
    design = np.column_stack([np.ones(TEST), features])
    best = design @ np.linalg.lstsq(design, signal, rcond=1e-10)[0]
    explainable, total = float(np.var(best)), float(np.var(signal))

    def score(learner: Any) -> dict[str, float]:
        predicted = learner.predict(features)
        lost, missed = float(np.mean((predicted - signal) ** 2)), float(np.mean((predicted - best) ** 2))
        return {
            "r2": 1.0 - (lost + world.noise) / (total + world.noise),
            "explainable_r2": 1.0 - missed / explainable,
            "spanned": explainable / total,
        }

    return score


def table(lines: list[dict[str, Any]]) -> str:
    """Return how forecasts compare with what was reached, in Markdown."""
    rows = [
        "| studies | forecast of | in the 90 % interval | below | above | reached − stated |",
        "|---|---|---|---|---|---|",
    ]
    done = [line for line in lines if "reached" in line]
    for name, key in (("explainable R²", "explainable_r2"), ("R²", "r2")):
        reached, stated = np.array([line["reached"][key] for line in done]), np.array([line[key] for line in done])
        below, above = np.mean(reached < stated[:, 1]), np.mean(reached > stated[:, 3])
        inside = f"{1.0 - below - above:.0%} | {below:.0%} | {above:.0%}"
        rows.append(f"| {len(done)} | {name} | {inside} | {with_error(reached - stated[:, 0])} |")
    gain = with_error(np.array([line["reached"]["r2"] - line["reached_alone"]["r2"] for line in done]))
    spanned = np.array([line["reached"]["spanned"] for line in done])
    rest = f"Plan − labels alone: {gain}. Of the noise-free labels' variance the features hold {spanned.mean():.3f} on average, "
    refused = sum("refused" in line for line in lines)
    return "\n".join([*rows, "", rest + f"{spanned.min():.3f} at least. Refused: {refused}."]) + "\n"


if __name__ == "__main__":
    given = command_line(__doc__, "studies", 24)
    carry_out("kernel_worlds", one_study, [(index,) for index in range(given.count)], ("index",), table, given)
