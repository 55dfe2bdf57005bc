"""Plans that hold brain data, carried out: what they promise over labels alone, set against what trained learners gain.

    uv run python case_studies/calibration/brain_plans.py                          # the tables of the README
    uv run python case_studies/calibration/brain_plans.py --worlds 4 --out /tmp/brain_plans

In: number of worlds, seed. Out, in --out: ``brain_plans.jsonl`` (one line a study; a run that was stopped goes on from there) and
``brain_plans.md``. In the worlds of ``executed.py`` nearly every plan is labels alone. Here latents carry most of the task,
labels are dear and samples cheap, so that recordings often pay; half of the studies have one modality (EEG), half a second one
with three times the signal-to-noise ratio and two to eight times the price of a sample. Each study has a pilot, is fitted and
planned through the public interface, and is bought three times in the same world, new people and new stimuli: the plan; labels
alone; and the purchase with brain data that the verdict judges. All share their first labels. ``plan.learner()`` is trained on
each and scored on 4,000 new stimuli, as a part of the world's own signal, which is what a pilot's labels have shown, and on noisy
labels. No number of the truth comes from the performance function.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

import brainworth as bw
from brainworth.design.performance.purchase import WORST
from brainworth.models.worlds.simulate import Realism, World, draw_world, record

sys.path.append(str(Path(__file__).parents[1]))

from executed import PRIORS, kept, labelled, recorded, score, with_error
from resumed import carry_out, command_line
from simulated_fits import PilotShape, draw_system

KINDS = {"one modality": 1, "two modalities": 2}
"""Kinds of studies: how many modalities they have."""
STRONGER = (2.0, 3.0)
"""Factor on the loadings of the task, and on the signal-to-noise ratio of the second modality."""
NAMES = ("EEG", "fMRI")
PILOT = (400, 200)
"""Samples of the pilot in each modality."""
CLASSES = ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.01))
"""Classes of stated probabilities."""

Bought = tuple[int, dict[str, tuple[int, int, int]]]
"""New labels; by modality new people, samples in all, presentations of a stimulus."""


def bought_of(allocation: Any) -> Bought:
    """Return what an allocation buys; a modality with one sample a person teaches nothing and is left out."""
    brain = {
        name: (int(one.subjects), int(one.n_samples), int(one.repeats))
        for name, one in allocation.modalities.items()
        if one.n_samples > one.subjects
    }
    return int(allocation.n_task), brain


def pilot_of(world: World, rng: np.random.Generator, labels: int, people: Sequence[int]) -> dict[str, Any]:
    """Return the tables of a pilot, as ``Study.from_frames`` takes them."""
    count = labels + max(PILOT)
    features, label = labelled(world, rng, count)
    names = np.array([f"s{i:05d}" for i in range(count)])
    recordings: dict[str, pd.DataFrame] = {}
    for source, (name, own) in enumerate(zip(NAMES, people, strict=False)):
        parts: list[pd.DataFrame] = []
        for person in range(own):
            shown = rng.permutation(count)[: PILOT[source] // own]
            gain = float(np.exp(world.realism.gain_spread * rng.standard_normal()))
            channels = record(world, rng, source, features[shown], gain)
            frame = pd.DataFrame(channels, columns=[f"{name}{i}" for i in range(channels.shape[1])])
            parts.append(frame.assign(subject=f"p{person}", stimulus=names[shown]))
        recordings[name] = pd.concat(parts)
    stimuli = pd.DataFrame(features, columns=[f"f{i}" for i in range(features.shape[1])]).assign(stimulus=names)
    return {
        "stimuli": stimuli,
        "labels": pd.DataFrame({"stimulus": names[:labels], "label": label[:labels]}),
        "recordings": recordings,
    }


def reached(
    plan: bw.Plan, world: World, rng: np.random.Generator, bought: Bought, labels: Any, tau2: float
) -> dict[str, float]:
    """Return what the plan's learner reaches on new stimuli after a purchase (``executed.score``)."""
    sets: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    names: list[str] = []
    for name, purchase in bought[1].items():
        people = recorded(world, rng, NAMES.index(name), *purchase)
        sets += people
        names += [name] * len(people)
    features, label = labels
    learner = plan.learner().fit(features[: bought[0]], label[: bought[0]], brain=sets, modality=names)
    return score(world, rng, learner, tau2)


def one_study(kind: str, index: int, seed: int) -> dict[str, Any]:
    """Return what is kept of one study; an error is kept by its message."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind), index])
    return {"kind": kind, "index": index, **kept(lambda: _studied(KINDS[kind], rng, index))}


def _studied(modalities: int, rng: np.random.Generator, index: int) -> dict[str, Any]:
    one = draw_system(rng, PRIORS, PilotShape(), weaker=STRONGER[0])
    snr = jnp.concatenate([one.snr, STRONGER[1] * one.snr])[:modalities]
    system = replace(one, snr=snr, channels=jnp.full(modalities, float(one.channels[0])))
    world = draw_world(system, rng, Realism(gain_spread=abs(0.3 * rng.standard_normal())))
    people = [int(own) for own in rng.choice([1, 2, 4], modalities)]
    tables = pilot_of(world, rng, int(rng.integers(40, 121)), people)
    price = float(np.exp(rng.uniform(np.log(0.001), np.log(0.02))))
    prices = (price, price * float(np.exp(rng.uniform(np.log(2.0), np.log(8.0)))))[:modalities]
    costs = [
        bw.Cost(per_sample=round(own, 5), per_subject=each) for own, each in zip(prices, (5.0, 10.0), strict=False)
    ]
    study = bw.Study.from_frames(
        **tables,
        task=bw.Task(cost_per_label=1.0),
        modalities=[
            bw.Modality(name=name, new_subjects=True, cost=cost) for name, cost in zip(NAMES, costs, strict=False)
        ],
        budget=bw.Budget(total=round(float(np.exp(rng.uniform(np.log(60.0), np.log(400.0)))))),
    )
    plan = study.fit(seed=index).plan()
    return {**_stated(plan), **_carried_out(plan, world, rng, float(system.signal_variance))}


def _stated(plan: bw.Plan) -> dict[str, Any]:
    def numbers(summary: Any) -> list[float]:
        return [float(getattr(summary, name)) for name in ("mean", "q05", "q50", "q95")]

    return {
        "explainable_r2": numbers(plan.performance.explainable_r2),
        "r2": numbers(plan.performance.r2),
        "gain": numbers(plan.verdict.gain),
        "probability": plan.verdict.probability,
        "worthwhile": plan.verdict.worthwhile,
        "decision": plan.verdict.decision,
    }


def _carried_out(plan: bw.Plan, world: World, rng: np.random.Generator, tau2: float) -> dict[str, Any]:
    """Return what is reached with the plan, with the purchase that the verdict judges, and with labels alone."""
    planned = bought_of(plan.allocation)
    judged = bought_of(plan.verdict.judged if plan.verdict.judged is not None else plan.allocation)
    alone = bought_of(plan.alternatives["task_only"].allocation) if "task_only" in plan.alternatives else planned
    labels = labelled(world, rng, max(planned[0], judged[0], alone[0], 1))
    found: dict[str, Any] = {"bought": planned, "judged": judged, "alone": alone}
    bought = {"reached": planned, "reached_judged": judged, "reached_alone": alone}
    for name, what in bought.items():
        same = next((found[earlier] for earlier in bought if earlier in found and bought[earlier] == what), None)
        found[name] = same or reached(plan, world, rng, what, labels, tau2)
    return found


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the results as Markdown tables."""
    forecasts = [
        "| studies | plans | with brain data | with both | explainable R² in the 90 % interval | reached − stated | R² in the "
        "90 % interval | reached − stated | gain in the 90 % interval | gain stated | reached | plan − labels, R² | refused |",
        "|" + "---|" * 13,
    ]
    for kind in (*KINDS, "all"):
        own = [line for line in lines if kind in ("all", line["kind"])]
        done = [line for line in own if "reached" in line]
        if done:
            forecasts.append(_row(kind, done, sum("refused" in line for line in own)))
    return "\n".join([*forecasts, "", *_probabilities([line for line in lines if "reached" in line])]) + "\n"


def gained_in(done: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Return what the judged purchase gained over labels alone, as a part of the world's own signal."""
    judged, alone = (
        np.array([line[name]["in_world"] for line in done]) for name in ("reached_judged", "reached_alone")
    )
    return np.maximum(judged, WORST) - np.maximum(alone, WORST)


def _row(kind: str, done: Sequence[Mapping[str, Any]], refused: int) -> str:
    def column(name: str) -> NDArray[np.float64]:
        return np.array([line[name] for line in done])

    def scores(name: str, read: str) -> NDArray[np.float64]:
        return np.array([line[name][read] for line in done])

    gain, gained, brain = column("gain"), gained_in(done), [len(line["bought"][1]) for line in done]
    cells = [kind, str(len(done)), str(sum(count > 0 for count in brain)), str(sum(count > 1 for count in brain))]
    for name, read in (("explainable_r2", "in_world"), ("r2", "r2")):
        stated, found = column(name), np.maximum(scores("reached", read), WORST)
        cells += [_held(stated, found), with_error(found - stated[:, 0])]
    cells += [_held(gain, gained), f"{gain[:, 0].mean():+.3f}", with_error(gained)]
    cells += [with_error(scores("reached", "r2") - scores("reached_alone", "r2")), str(refused)]
    return "| " + " | ".join(cells) + " |"


def _held(stated: NDArray[np.float64], found: NDArray[np.float64]) -> str:
    return f"{np.mean((stated[:, 1] <= found) & (found <= stated[:, 3])):.0%}"


def _probabilities(done: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return how often brain data paid, by the probability that was stated."""
    rows = [
        "| probability stated | studies | mean stated | paid | gain stated | gain reached |",
        "|---|---|---|---|---|---|",
    ]
    for low, high in CLASSES:
        own = [line for line in done if low <= line["probability"] < high]
        if own:
            gained = gained_in(own)
            paid = np.mean(gained >= np.array([line["worthwhile"] for line in own]))
            stated = np.mean([line["probability"] for line in own])
            said = np.mean([line["gain"][0] for line in own])
            cells = [
                f"{low:.0%} to {min(high, 1.0):.0%}",
                str(len(own)),
                f"{stated:.2f}",
                f"{paid:.2f}",
                f"{said:+.3f}",
            ]
            rows.append("| " + " | ".join([*cells, with_error(gained)]) + " |")
    return rows


def main() -> None:
    """Run all studies."""
    given = command_line(__doc__, "worlds", 20)
    tasks = [(kind, index) for index in range(given.count) for kind in KINDS]
    carry_out("brain_plans", one_study, tasks, ("kind", "index"), table, given)


if __name__ == "__main__":
    main()
