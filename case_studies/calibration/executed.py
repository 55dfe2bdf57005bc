"""Plans carried out: whole studies through the public interface, their forecasts set against what trained learners reach.

    uv run python case_studies/calibration/executed.py                          # the tables of the README
    uv run python case_studies/calibration/executed.py --worlds 4 --kinds gaussian --out /tmp/executed

In: numbers of worlds, kinds of worlds, seed. Out, in --out: ``executed.jsonl`` (one line a study; a run that was stopped goes on
from there) and ``executed.md``. In every world a pilot is recorded, a study is fitted and planned, and the plan is bought: new
stimuli, new people, new labels of the same world. ``plan.learner()`` is trained on them and scored on the world's own best
predictor, error of the mean included. Its rivals are bought and trained in the same world: labels alone, half and half, the
purchase that is best under the posterior means ("plug-in"), the purchase with brain data that the verdict judges, and the learner
that is told nothing. No number of the truth comes from the performance function.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import tomli_w
from numpy.typing import NDArray
from scipy.stats import norm

import brainworth as bw
from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.models.forecast.forecast import Draws
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import Realism, World, draw_world, record

sys.path.append(str(Path(__file__).parents[1]))

from report import uniform
from simulated_fits import PilotShape, draw_system, world_priors

TEST = 4_000
"""Stimuli on which a learner's predictions are compared with the world's own."""
PRIORS = world_priors()
"""What worlds are drawn from; the planner has its own priors."""


@dataclass(frozen=True)
class Kind:
    """One kind of worlds."""

    realism: Realism = field(default_factory=Realism)
    labels: tuple[int, int] = (60, 200)
    """Least and most labels of the pilot."""
    exponents: tuple[float, ...] = (0.0, 0.5, 1.0)
    """Of the spectrum of the features."""
    weaker: float = 1.0
    """Factor on the loadings drawn from the prior."""
    price: tuple[float, float] = (0.01, 0.3)
    """Of a brain sample, in labels: least and most."""
    people: tuple[int, ...] = (1, 2, 4)
    known: bool = False
    """Known parameters, no pilot; the cheapest plan for a target."""


KINDS: dict[str, Kind] = {
    "gaussian": Kind(),
    "known, with a target": Kind(known=True),
    "heavy-tailed": Kind(Realism(tail=4.0)),
    "weakly aligned": Kind(weaker=0.2),
    "at most 60 labels": Kind(labels=(20, 60)),
    "shared directions": Kind(exponents=(1.5, 2.0)),
    "labels only": Kind(price=(30.0, 100.0)),
    "unequal people": Kind(Realism(gain_spread=0.9), people=(2, 4)),
    "nonlinear": Kind(Realism(nonlinearity=1.0)),
}


@dataclass(frozen=True)
class Bought:
    """Data of one purchase."""

    features: NDArray[np.float64]
    label: NDArray[np.float64]
    brain: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]
    """Features and channels of every person."""


def score(world: World, rng: np.random.Generator, learner: Any, tau2: float) -> dict[str, float]:
    """Return what a trained learner reaches in a world: R^2 on noisy labels, and explainable R^2, on new stimuli."""
    features = world.features(rng, TEST)
    truth = features @ world.truth.task_map
    missed = float(np.mean((learner.predict(features) - truth) ** 2))
    signal, noise = world.truth.signal_variance, world.truth.noise_variance
    missed *= signal / float(np.mean(truth**2))  # the test set's own luck with the signal
    return {
        "r2": 1.0 - (missed + noise) / (signal + noise),
        "explainable_r2": 1.0 - missed / tau2,
        "in_world": 1.0 - missed / signal,
    }


def labelled(world: World, rng: np.random.Generator, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return features and labels of new stimuli."""
    features = world.features(rng, count)
    return features, features @ world.truth.task_map + np.sqrt(world.truth.noise_variance) * rng.standard_normal(count)


def recorded(
    world: World, rng: np.random.Generator, source: int, people: int, samples: int, repeats: int = 1
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return features and channels of every new person of one modality."""
    found: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for person in range(people):
        count = samples // people + (person < samples % people)
        seen = np.tile(world.features(rng, max(count // repeats, 1)), (repeats, 1))
        gain = float(np.exp(world.realism.gain_spread * rng.standard_normal()))
        found.append((seen, record(world, rng, source, seen, gain)))
    return found


def buy(world: World, rng: np.random.Generator, n_task: int, people: int, samples: int, repeats: int = 1) -> Bought:
    """Return new data of a world: so many labels, and so many samples of so many new people."""
    features, label = labelled(world, rng, n_task)
    return Bought(features, label, tuple(recorded(world, rng, 0, people if samples else 0, samples, repeats)))


def trained(learner: Any, data: Bought) -> Any:
    """Return a told learner, fitted to a purchase."""
    return learner.fit(data.features, data.label, brain=list(data.brain))


def pilot_tables(
    world: World, rng: np.random.Generator, labels: int, people: int, samples: int
) -> dict[str, pd.DataFrame]:
    """Return the pilot of a world as a laboratory has it: three tables."""
    count = labels + samples
    features = world.features(rng, count)
    names = np.array([f"s{i:05d}" for i in range(count)])
    signal = features @ world.truth.task_map
    label = signal + np.sqrt(world.truth.noise_variance) * rng.standard_normal(count)
    rows = rng.permutation(count)[:labels]
    recordings: list[pd.DataFrame] = []
    for person in range(people):
        shown = rng.permutation(count)[: samples // people]
        gain = float(np.exp(world.realism.gain_spread * rng.standard_normal()))
        channels = record(world, rng, 0, features[shown], gain)
        frame = pd.DataFrame(channels, columns=[f"E{i}" for i in range(channels.shape[1])])
        recordings.append(frame.assign(subject=f"p{person}", stimulus=names[shown]))
    return {
        "stimuli": pd.DataFrame(features, columns=[f"f{i}" for i in range(features.shape[1])]).assign(stimulus=names),
        "labels": pd.DataFrame({"stimulus": names[rows], "label": label[rows]}),
        "recordings": pd.concat(recordings),
    }


def one_study(name: str, seed: int, index: int) -> dict[str, Any]:
    """Return what is kept of one study; an error is kept by its message."""
    kind = KINDS[name]
    rng = np.random.default_rng([seed, list(KINDS).index(name), index])
    return {
        "kind": name,
        "index": index,
        **kept(lambda: _known(kind, rng) if kind.known else _piloted(kind, rng, index)),
    }


def kept(study: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a study found, or by its message why there is nothing."""
    try:
        return study()
    except (bw.HealthRefusal, bw.Infeasible) as error:
        return {"refused": str(error)[:300]}
    except Exception:  # a study that fails is a finding, not the end of the run
        return {"failed": traceback.format_exc()[-1500:]}


def _piloted(kind: Kind, rng: np.random.Generator, index: int) -> dict[str, Any]:
    system = draw_system(rng, PRIORS, PilotShape(), exponents=kind.exponents, weaker=kind.weaker)
    realism = kind.realism
    if realism.gain_spread == 0.0:
        realism = replace(realism, gain_spread=abs(0.3 * rng.standard_normal()))
    world = draw_world(system, rng, realism)
    people = int(rng.choice(kind.people))
    labels = int(rng.integers(kind.labels[0], kind.labels[1] + 1))
    tables = pilot_tables(world, rng, labels, people, 400)
    price = float(np.exp(rng.uniform(*np.log(kind.price))))
    budget = float(np.exp(rng.uniform(np.log(150.0), np.log(1000.0))))
    study = bw.Study.from_frames(
        stimuli=tables["stimuli"],
        labels=tables["labels"],
        recordings={"EEG": tables["recordings"]},
        task=bw.Task(cost_per_label=1.0),
        modalities=[
            bw.Modality(name="EEG", new_subjects=True, cost=bw.Cost(per_sample=round(price, 4), per_subject=20.0))
        ],
        budget=bw.Budget(total=round(budget)),
    )
    posterior, tau2 = study.fit(seed=index), float(system.signal_variance)
    plan = posterior.plan()
    found, labelled = _executed(plan, world, rng, tau2, half=(budget / 2.0, price))
    # What follows comes last, so that the studies are the same with and without it.
    data = _with_pilot(buy(world, rng, *bought_of(plan.allocation)), tables)
    untold = bw.BrainInformedRegressor().fit(data.features, data.label, brain=list(data.brain))
    found["reached_untold"] = score(world, rng, untold, tau2)
    plugin = plugged_in(posterior, round(budget), price)
    found["plugin"] = list(plugin)
    same = list(plugin) == found["bought"]
    found["reached_plugin"] = (
        found["reached"] if same else score(world, rng, trained(plan.learner(), buy(world, rng, *plugin)), tau2)
    )
    if plan.verdict.judged is not None:
        judged = bought_of(plan.verdict.judged)
        found["judged"] = list(judged)
        if judged == tuple(found["bought"]):
            found["paired_judged"] = found["reached"]
        elif judged[2]:
            data = with_labels(buy(world, rng, *judged), labelled)
            found["paired_judged"] = score(world, rng, trained(plan.learner(), data), tau2)
    return found | {"pilot_labels": labels, "worthwhile": plan.verdict.worthwhile}


def with_labels(data: Bought, labelled: Bought) -> Bought:
    """Return a purchase whose first labels are those of another, so that the two differ by what they buy and not by luck."""
    count, shared = len(data.label), min(len(labelled.label), len(data.label))
    features = np.concatenate([labelled.features[:shared], data.features])[:count]
    return replace(data, features=features, label=np.concatenate([labelled.label[:shared], data.label])[:count])


def plugged_in(posterior: Any, budget: float, price: float) -> tuple[int, int, int, int]:
    """Return what is best for the posterior means of all parameters, as if they were known: labels, people, samples, repeats."""
    surface = posterior.fitted.surface_unshifted()
    system, people = surface.draws.system, surface.draws.people
    means: dict[str, Any] = {
        name: jnp.mean(getattr(system, name), axis=0, keepdims=True)
        for name in ("signal_variance", "noise_variance", "alignment", "snr", "brain_exponent", "task_exponent")
    }
    means["shared_noise"] = (
        None if system.shared_noise is None else jnp.mean(system.shared_noise, axis=0, keepdims=True)
    )
    draws = Draws(replace(system, **means), jnp.mean(people, axis=0, keepdims=True))
    known = PosteriorSurface(surface.modalities, draws, surface.size)
    options = [(int(budget), 0, 0, 1)]
    for enrolled in (1, 2, 4):
        for share in np.linspace(0.1, 1.0, 10):
            samples = int((share * budget - 20.0 * enrolled) / price)
            if samples >= enrolled:
                left = budget - 20.0 * enrolled - price * samples
                options.append((max(int(left), 0), enrolled, samples, 1))
    bought = np.array(options, dtype=float)
    purchase = Purchase(bought[:, 0], bought[:, 2:3], np.maximum(bought[:, 1:2], 1.0), np.ones((len(bought), 1)))
    return options[int(np.argmax(known.expected(purchase)[:, 0]))]


def _with_pilot(bought: Bought, tables: Mapping[str, pd.DataFrame]) -> Bought:
    """Return a purchase together with the pilot, as arrays."""
    stimuli = tables["stimuli"].set_index("stimulus")
    labels, recordings = tables["labels"], tables["recordings"]
    features = stimuli.loc[labels["stimulus"]].to_numpy()
    people = [
        (stimuli.loc[rows["stimulus"]].to_numpy(), rows.drop(columns=["subject", "stimulus"]).to_numpy())
        for _, rows in recordings.groupby("subject")
    ]
    return Bought(
        np.concatenate([features, bought.features]),
        np.concatenate([labels["label"].to_numpy(), bought.label]),
        (*people, *bought.brain),
    )


def _known(kind: Kind, rng: np.random.Generator) -> dict[str, Any]:
    p, k = int(rng.choice([60, 120, 200])), int(rng.choice([1, 2, 4]))
    exponent = float(rng.choice([0.0, 0.5, 1.0, 1.5]))
    alignment = rng.dirichlet(np.ones(k)) * rng.uniform(0.1, 0.9)
    noise = float(np.exp(rng.uniform(np.log(0.3), np.log(4.0))))
    snr = np.sort(np.exp(rng.normal(np.log(0.5), 1.0, k)))[::-1]
    channels = int(rng.choice([16, 32, 64]))
    text: dict[str, Any] = {
        "signal_variance": 1.0,
        "noise_variance": round(noise, 4),
        "alignment": [round(float(a), 4) for a in alignment],
        "spectrum": {"dimension": p, "exponent": exponent},
        "source": [{"name": "EEG", "channels": channels, "snr": [round(float(s), 4) for s in snr]}],
    }
    target = round(float(rng.uniform(0.3, 0.75)), 2)
    confidence = float(rng.choice([0.8, 0.9]))
    price = float(np.exp(rng.uniform(*np.log(kind.price))))
    config: dict[str, Any] = {
        "study": {"title": "known", "seed": int(rng.integers(1000))},
        "task": {"cost_per_label": 1.0},
        "modality": [
            {"name": "EEG", "new_subjects": True, "cost": {"per_sample": round(price, 4), "per_subject": 20.0}}
        ],
        "budget": {"currency": "EUR"},
        "objective": {"utility": "mean", "target": target, "confidence": confidence},
        "system": {"file": "system.toml"},
    }
    system = System(
        spectrum=Spectrum.power_law(p, exponent),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(text["noise_variance"]),
        alignment=jnp.asarray(text["alignment"]),
        snr=jnp.asarray([text["source"][0]["snr"]]),
        channels=jnp.asarray([float(channels)]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    with TemporaryDirectory() as folder:
        (Path(folder) / "system.toml").write_text(tomli_w.dumps(text), encoding="utf-8")
        (Path(folder) / "study.toml").write_text(tomli_w.dumps(config), encoding="utf-8")
        plan = bw.Study.from_file(str(Path(folder) / "study.toml")).fit().plan()
    worlds = [_executed(plan, draw_world(system, rng, Realism()), rng, 1.0, half=None)[0] for _ in range(8)]
    return {"target": target, "confidence": confidence, "worlds": worlds, **forecast_of(plan)}


def forecast_of(plan: bw.Plan) -> dict[str, Any]:
    shown = plan.performance
    if shown.expected is None:
        raise ValueError("A plan says what is expected of it.")
    return {
        "explainable_r2": _numbers(shown.explainable_r2),
        "r2": _numbers(shown.r2),
        "expected": _numbers(shown.expected.explainable_r2),
        "expected_r2": _numbers(shown.expected.r2),
        "gain": _numbers(plan.verdict.gain),
        "probability": plan.verdict.probability,
        "decision": plan.verdict.decision,
        "collects": plan.verdict.collect_brain_data,
        "cost": plan.cost.total,
    }


def _numbers(summary: Any) -> list[float]:
    return [float(getattr(summary, name)) for name in ("mean", "q05", "q50", "q95")]


def _executed(
    plan: bw.Plan, world: World, rng: np.random.Generator, tau2: float, half: tuple[float, float] | None
) -> tuple[dict[str, Any], Bought]:
    """Return what the plan and its rivals reach in a world, and the labels that labels alone were trained on."""
    stated = forecast_of(plan)
    bought = bought_of(plan.allocation)
    alone = plan.alternatives["task_only"].allocation if "task_only" in plan.alternatives else None
    data = buy(world, rng, *bought)
    found: dict[str, Any] = {"bought": list(bought), "reached": score(world, rng, trained(plan.learner(), data), tau2)}
    mine = data
    if alone is not None:
        only = bought_of(alone)
        found["alone"] = list(only)
        more = buy(world, rng, max(only[0] - bought[0], 0), 0, 0)
        mine = Bought(
            np.concatenate([data.features, more.features])[: only[0]],
            np.concatenate([data.label, more.label])[: only[0]],
            (),
        )
        same = only == bought
        found["reached_alone"] = found["reached"] if same else score(world, rng, trained(plan.learner(), mine), tau2)
    if half is not None:
        money, price = half
        samples = int(max(money - 20.0, 0.0) / price)
        samples = samples if samples > 1 else 0  # one sample teaches nothing
        found["reached_half"] = score(
            world, rng, trained(plan.learner(), buy(world, rng, int(money), 1, samples)), tau2
        )
    return {**stated, **found}, mine


def bought_of(allocation: Any) -> tuple[int, int, int, int]:
    eeg = allocation.modalities.get("EEG")
    if eeg is None or eeg.n_samples <= eeg.subjects:  # one sample of a person teaches nothing
        return allocation.n_task, 0, 0, 1
    return allocation.n_task, int(eeg.subjects), int(eeg.n_samples), int(eeg.repeats)


PILOTS = "all pilots"
RANKS = 20
"""Draws that what was reached is ranked among."""
STATED = (0.0, 0.05, 0.2, 0.5, 0.8, 1.01)
"""Ends of the classes of stated probabilities."""
READ = (
    ("explainable R²", "explainable_r2", "explainable_r2"),
    ("R²", "r2", "r2"),
    ("explainable R², the average over studies only (wrong twin)", "expected", "explainable_r2"),
)
"""What is read off: its name, the forecast, what was reached."""


def table(lines: list[Mapping[str, Any]]) -> str:
    """Return the results as Markdown tables: forecasts against what was reached, and the plan against its rivals."""
    forecasts = [
        "| worlds | studies | forecast of | in the 90 % interval | below | above | reached − stated | ranks uniform |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rivals = [
        "| worlds | studies | plan − labels alone | plan − half and half | plan − plug-in | plan − untold learner | refused |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in [*KINDS, PILOTS]:
        of_kind = [line for line in lines if line["kind"] == name or (name == PILOTS and not KINDS[line["kind"]].known)]
        done = [one for line in of_kind for one in line.get("worlds", [line]) if "reached" in one]
        if not done:
            continue
        for said, key, read in READ:
            reached, stated = np.array([one["reached"][read] for one in done]), np.array([one[key] for one in done])
            below, above = np.mean(reached < stated[:, 1]), np.mean(reached > stated[:, 3])
            cells = [name, str(len(done)), said, f"{1.0 - below - above:.0%}", f"{below:.0%}", f"{above:.0%}"]
            even = "yes" if uniform(ranks(reached, stated), RANKS, 0.95) else "no"
            forecasts.append("| " + " | ".join([*cells, with_error(reached - stated[:, 0]), even]) + " |")
        gains = [
            with_error(np.array([one["reached"]["r2"] - one[rival]["r2"] for one in done if rival in one]))
            for rival in ("reached_alone", "reached_half", "reached_plugin", "reached_untold")
        ]
        refused = str(sum("refused" in line for line in of_kind))
        rivals.append("| " + " | ".join([name, str(len(done)), *gains, refused]) + " |")
    return "\n".join([*forecasts, "", *rivals, "", *_confidence(lines), "", *_paid(lines)]) + "\n"


def ranks(reached: NDArray[np.float64], stated: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the rank of what was reached among ``RANKS`` draws of the forecast.

    The forecast is taken as a normal distribution with a spread of its own on either side of the median: it has the stated 5 %,
    50 % and 95 % quantiles.
    """
    low, middle, high = stated[:, 1], stated[:, 2], stated[:, 3]
    side = np.where(reached < middle, middle - low, high - middle) / norm.ppf(0.95)
    return np.floor((RANKS + 1) * norm.cdf((reached - middle) / np.maximum(side, 1e-9))).clip(0, RANKS).astype(np.int64)


def _paid(lines: list[Mapping[str, Any]]) -> list[str]:
    """Return how often the judged purchase gained what is worthwhile over labels alone, by the probability that was stated."""
    rows = [
        "| probability stated | studies | mean stated | paid | gain stated | gain reached |",
        "|---|---|---|---|---|---|",
    ]
    done = [line for line in lines if "paired_judged" in line and "reached_alone" in line]
    stated = np.array([line["probability"] for line in done])
    gain = np.array([line["paired_judged"]["in_world"] - line["reached_alone"]["in_world"] for line in done])
    promised = np.array([line["gain"][0] for line in done])
    paid = (gain >= np.array([line["worthwhile"] for line in done])).astype(float)
    for low, high in pairwise(STATED):
        own = (stated >= low) & (stated < high)
        if own.any():
            share = with_error(paid[own]).removeprefix("+") if own.sum() > 1 else f"{paid[own].mean():.0f}"
            gains = f"{promised[own].mean():+.3f} | {with_error(gain[own])}"
            rows.append(
                f"| {low:.0%} to {min(high, 1.0):.0%} | {own.sum()} | {stated[own].mean():.2f} | {share} | {gains} |"
            )
    return rows if done else []


def _confidence(lines: list[Mapping[str, Any]]) -> list[str]:
    """Return how often plans for a target reach it, by the confidence that was asked for."""
    rows = ["| confidence asked for | plans | share of studies that reach the target |", "|---|---|---|"]
    plans = [line for line in lines if "worlds" in line]
    for confidence in sorted({line["confidence"] for line in plans}):
        shares = [
            float(np.mean([one["reached"]["explainable_r2"] >= line["target"] for one in line["worlds"]]))
            for line in plans
            if line["confidence"] == confidence
        ]
        rows.append(f"| {confidence:.0%} | {len(shares)} | {with_error(np.array(shares)).removeprefix('+')} |")
    return rows if plans else []


def with_error(values: NDArray[np.float64]) -> str:
    if len(values) < 2:
        return "–"
    return f"{values.mean():+.3f} ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def main() -> None:
    """Run all kinds of worlds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", default="1/1", help="which share of the studies, e.g. 3/16; each share its own --out")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    use_compilation_cache()
    given.out.mkdir(parents=True, exist_ok=True)
    log = given.out / "executed.jsonl"
    lines = [json.loads(text) for text in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
    done = {(line["kind"], line["index"]) for line in lines}
    part, parts = (int(number) for number in given.part.split("/"))
    studies = [(kind, index) for index in range(given.worlds) for kind in given.kinds][part - 1 :: parts]
    for kind, index in studies:
        if (kind, index) not in done:
            start = time.process_time()
            lines.append(one_study(kind, given.seed, index))
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            shown = {k: lines[-1][k] for k in ("refused", "failed") if k in lines[-1]}
            print(f"{kind} {index}: {time.process_time() - start:.0f} s {shown or ''}", flush=True)
    (given.out / "executed.md").write_text(table(lines), encoding="utf-8")
    print(table(lines))


if __name__ == "__main__":
    main()
