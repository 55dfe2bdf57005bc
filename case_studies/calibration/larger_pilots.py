"""Do larger pilots gain what the value of information says? Worlds are drawn, their pilots extended and fitted again.

    uv run python case_studies/calibration/larger_pilots.py --keep              # the table of the README
    uv run python case_studies/calibration/larger_pilots.py --worlds 4 --out out/larger_pilots

In: numbers of worlds, seed. Out, in --out: ``worlds.jsonl`` (one line a world; a run that was stopped goes on from there),
``larger_pilots.json`` and ``larger_pilots.md``; with ``--keep``, the last two beside this file and the table in the README.

A world is drawn from the prior of the model that is fitted, people's gains included. Its pilot is fitted, and a larger pilot is
priced as ``brainworth sensitivity`` does (``design.sensitivity.voi``): the *stated* value. Then the same people and further ones
are recorded, further stimuli labelled, in the same world; pilot and extension are fitted together, and the best purchase is chosen
again. The *refitted* value is what the second posterior expects to have gained by the new choice; the *true* one what was gained
under the world's own parameters. Averaged over worlds the three are equal, if the posterior is calibrated and the value right.

Differences beyond Monte Carlo error are the finding.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from pilot_tables import SCALED, STATED, results, texts

from brainworth.design.allocation import AllocationOptions, Problem, allocate
from brainworth.design.allocation.from_config import problem_from_config
from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.decision.sensitivity import information
from brainworth.design.decision.sensitivity.decision import Decision
from brainworth.design.decision.sensitivity.parameters import columns
from brainworth.design.decision.sensitivity.pilots import Basis
from brainworth.design.decision.sensitivity.prior import shares_left
from brainworth.design.decision.sensitivity.voi import Choices, Offer, choices_of, payoff_of
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.design.posterior.literature import study_priors
from brainworth.design.posterior.sampled import PRIOR_DRAWS
from brainworth.design.study_file.config import parse_study
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.forecast.people import new_people
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.summary import SummarisedPilot, summarise
from brainworth.models.posterior.inference import SamplerOptions, sample_posterior
from brainworth.models.posterior.prior_draws import sample_prior
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.posterior.this_world import systems_of_draws
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, simulate_study

sys.path.append(str(Path(__file__).parents[1]))

from kept import keep
from simulated_fits import PilotShape, draw_system

HERE = Path(__file__).parent

PEOPLE, EACH, LABELS = 2, 100, 80
"""The pilot: people, samples of each, labels."""
FACTOR = 2
"""The larger pilot is so many times as large, beside the pilot."""
SHAPE = PilotShape(features=60, channels=20, stimuli=900)
OPTIONS = SamplerOptions(n_warmup=400, n_draws=1000, n_chains=1)
CONFIG: dict[str, Any] = {
    "study": {"title": "A simulated pilot", "seed": 0},
    "stimuli": {"table": "in memory"},
    "task": {"labels": "in memory", "cost_per_label": 1.0},
    "modality": [
        {
            "name": "EEG",
            "recordings": "in memory",
            "new_subjects": True,
            "cost": {"per_session": 3.0, "samples_per_session": EACH},
            "design": {"max_subjects": 60, "max_sessions_per_subject": 1},
        }
    ],
    "budget": {"total": 300.0},
    "priors": {
        "max_latents": SHAPE.n_latents,
        "explainable": [0.03, 0.5],
        "modality": {"EEG": {"snr": [0.03, 8.0]}},
    },
}
"""Noisy labels, and prices at which it is open whether brain data pay: a label costs as much as 33 brain samples."""
NEW = "snr:EEG*people:EEG"
"""Signal-to-noise ratio of new people."""
QUANTITIES = ("alignment", "label_noise", "snr:EEG", NEW)


@dataclass(frozen=True)
class World:
    """Everything that is ever recorded in a world, and its parameters as draws: one, certain."""

    everything: Pilot
    truth: Draws

    def part(self, *, people: bool, labels: bool) -> Pilot:
        """Return the pilot, extended by people or labels or both."""
        recordings = self.everything.recordings if people else self.everything.recordings[:PEOPLE]
        count = None if labels else LABELS
        return replace(
            self.everything,
            recordings=recordings,
            label_stimulus=self.everything.label_stimulus[:count],
            label=self.everything.label[:count],
        )


@dataclass(frozen=True)
class Fit:
    """A posterior as draws of the level of the pilot's people and of new ones, with the size of what was fitted."""

    draws: Draws
    size: PilotSize


def draw_world(priors: PriorScales, rng: np.random.Generator) -> World:
    """Return a world of the prior."""
    system = draw_system(rng, priors, SHAPE)
    exponents = np.clip(1.0 + np.array([0.35, 0.5]) * rng.standard_normal(2), 0.0, 2.0)
    signal = rng.beta(*np.asarray(priors.explainable))
    system = replace(
        system,
        signal_variance=jnp.asarray(signal),
        noise_variance=jnp.asarray(1.0 - signal),
        brain_exponent=jnp.asarray(exponents[0]),
        task_exponent=jnp.asarray(exponents[1]),
    )
    spread = abs(float(priors.gain_spread[0]) * rng.standard_normal())
    people = PEOPLE * (1 + FACTOR)
    source = SourceSize("EEG", people * EACH, people=people)
    size = StudySize((source,), LABELS * (1 + FACTOR), SHAPE.stimuli)
    everything, truth = simulate_study(system, size, int(rng.integers(2**31)), Realism(gain_spread=spread))
    gains = np.asarray(truth.gains["EEG"])
    level = gains[:PEOPLE].mean()
    fresh = np.concatenate([gains[PEOPLE:], np.exp(spread * rng.standard_normal(MAX_PEOPLE))])[:MAX_PEOPLE]
    seen = replace(system, snr=system.snr * level, spectrum=compress(system.spectrum))
    return World(everything, Draws(_batch(seen), jnp.asarray(_running_mean(fresh)[None, None] / level)))


def _batch(system: System) -> System:
    """Return one system as a batch of one."""
    return replace(
        system,
        signal_variance=system.signal_variance[None],
        noise_variance=system.noise_variance[None],
        alignment=system.alignment[None],
        snr=system.snr[None],
        brain_exponent=system.brain_exponent[None],
        task_exponent=system.task_exponent[None],
    )


def _running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cumsum(values, axis=-1) / np.arange(1, values.shape[-1] + 1)


SITES = (
    "scale",
    "explainable",
    "loading",
    "log_snr",
    "latent_power_raw",
    "brain_exponent",
    "task_exponent",
    "gain",
    "gain_spread",
)


def sampled(summary: SummarisedPilot, priors: PriorScales, seed: int, kept: Path) -> dict[str, NDArray[np.float64]]:
    """Return posterior draws by site, from a file if they were drawn before."""
    if not kept.is_file():
        chains = sample_posterior(summary.evidence, priors, summary.modality_of, SHAPE.n_latents, seed, OPTIONS)
        flat = chains.flat()
        arrays: dict[str, Any] = {name: flat[name] for name in SITES}
        np.savez(kept, **arrays)
    with np.load(kept) as file:
        return dict(file)


def fit(pilot: Pilot, priors: PriorScales, seed: int, kept: Path) -> Fit:
    """Return the posterior of a pilot, seen from the first pilot: its people's level, further people as the first new ones."""
    summary = summarise(pilot, ("EEG",), SHAPE.n_latents, seed)
    flat, brain = sampled(summary, priors, seed, kept), summary.evidence.brain
    systems = systems_of_draws(flat, compress(summary.evidence.spectrum), brain.channels, summary.labels.scale**2)
    gains = np.exp(flat["gain"])
    level = gains[:, :PEOPLE].mean(axis=1)
    rng = np.random.default_rng([seed, 2])
    unmet = new_people(flat["gain_spread"], flat["gain"], summary.modality_of, np.ones(1, dtype=bool), rng)
    each = np.diff(unmet * np.arange(1, MAX_PEOPLE + 1), prepend=0.0)[:, 0] * gains.mean(axis=1)[:, None]
    fresh = np.concatenate([gains[:, PEOPLE:], each], axis=1)[:, :MAX_PEOPLE]
    here = replace(systems, snr=systems.snr * jnp.asarray(level / gains.mean(axis=1))[:, None, None])
    size = PilotSize(
        samples=brain.samples,
        subjects=brain.subjects,
        repeats=brain.repeats,
        shared=brain.shared,
        labels=summary.evidence.task.total,
        new_subjects=jnp.ones(1),
        new_shared=jnp.zeros(1),
        usable=brain.independent,
    )
    return Fit(Draws(here, jnp.asarray(_running_mean(fresh)[:, None] / level[:, None, None])), size)


def decision_of(problem: Problem, first: Fit) -> Decision:
    """Return the decision after a pilot, around the best purchase."""
    surface = PosteriorSurface(("EEG",), first.draws, first.size)
    plan = allocate(problem, surface, AllocationOptions(frontier_factors=(), share_points=3, program=False)).plan
    return Decision.of(problem, surface, plan.allocation)


def one_world(seed: int, world: int, kept: Path) -> dict[str, Any]:
    """Return what each larger pilot was said to gain in one world, and what it gained."""
    config = parse_study(CONFIG)
    priors, _ = study_priors(config)
    drawn = draw_world(priors, np.random.default_rng([seed, world]))
    problem = problem_from_config(config, {"EEG": PEOPLE})
    decision = decision_of(problem, fit(drawn.part(people=False, labels=False), priors, world, kept / f"{world}.npz"))
    size = decision.surface.size
    left = prior_left(priors, decision.surface.draws)
    naive = Basis(size, reuse=True, factors=(float(FACTOR),))
    choices = choices_of(decision, replace(naive, left=left))
    scaled = {offer.larger.kind: offer for offer in choices_of(decision, naive).offers}
    found: list[dict[str, Any]] = []
    for offer in choices.offers:
        larger = drawn.part(people=bool(offer.larger.samples), labels=bool(offer.larger.labels))
        second = fit(larger, priors, world, kept / f"{world}-{offer.larger.kind}.npz")
        row = {STATED: stated(choices, offer, world), SCALED: stated(choices, scaled[offer.larger.kind], world)}
        row["refitted"] = gained(decision, choices, offer, second.draws, second.draws)
        row["true"] = gained(decision, choices, offer, second.draws, drawn.truth)
        prior = {
            "noise_scaled": dict(
                zip(scaled[offer.larger.kind].shown.names, scaled[offer.larger.kind].shown.noise.tolist(), strict=True)
            ),
            "prior_left": left,
        }
        found.append(
            {"kind": offer.larger.kind, "cost": offer.cost, "gain": row} | learned(decision, second, offer) | prior
        )
    everything = information.perfect(choices.now, [offer.left for offer in choices.offers])
    return {"world": world, "buys": decision.pays_now, "evpi": everything.value, "pilots": found}


def prior_left(priors: PriorScales, draws: Draws) -> dict[str, float]:
    """Return the share of the prior variance that a pilot left, as ``design.sensitivity.prior`` has it for a study."""
    sites = sample_prior(priors, np.zeros(0, dtype=np.int64), SHAPE.n_latents, 0, PRIOR_DRAWS)
    system = systems_of_draws(sites, draws.system.spectrum, jnp.asarray([float(SHAPE.channels)]))
    before = Draws(system, draws.people[:PRIOR_DRAWS])
    return shares_left(columns(draws, ("EEG",)), columns(before, ("EEG",)))


def stated(choices: Choices, offer: Offer, seed: int) -> list[float]:
    """Return the value of a larger pilot, its cost aside and on balance, as the tool computes it."""
    gross, net = information.staged(choices.now, offer.left, offer.shown, seed)
    return [gross.value, net.value]


def gained(decision: Decision, choices: Choices, offer: Offer, second: Draws, judge: Draws) -> list[float]:
    """Return the gain of choosing by a second posterior, cost aside and on balance, in the judge's mean."""
    now = payoff_of(decision, choices.designs, second).mean(axis=0)
    left = payoff_of(decision, offer.designs, second).mean(axis=0)
    before = int(choices.now.mean(axis=0).argmax())
    now_judged = payoff_of(decision, choices.designs, judge).mean(axis=0)
    left_judged = payoff_of(decision, offer.designs, judge).mean(axis=0)
    every, every_judged = np.concatenate([now, left]), np.concatenate([now_judged, left_judged])
    reference = now_judged[before]
    return [float(every_judged[every.argmax()] - reference), float(left_judged[left.argmax()] - reference)]


def learned(decision: Decision, second: Fit, offer: Offer) -> dict[str, Any]:
    """Return how much variance the larger pilot left of each quantity, and the noise that is stated."""
    left = {name: spread_left(name, decision.surface.draws, second.draws) for name in QUANTITIES}
    return {"left": left, "noise": dict(zip(offer.shown.names, offer.shown.noise.tolist(), strict=True))}


def spread_left(name: str, first: Draws, second: Draws) -> float:
    """Return the variance of a quantity after a second fit over that after the first, on a scale without bounds."""
    now, then = (float(_open(name, columns(draws, ("EEG",))).var()) for draws in (second, first))
    return now / then


def _open(name: str, believed: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the logit of a share, the log of a ratio."""
    if name == NEW:
        return np.log(believed["snr:EEG"]) + np.log(believed["people:EEG"])
    value = believed[name]
    if name != "alignment":
        return np.log(value)
    inside = np.clip(value, 1e-4, 1.0 - 1e-4)
    return np.log(inside / (1.0 - inside))


def main() -> None:
    """Run the worlds and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/larger_pilots"), help="folder of the results")
    parser.add_argument("--keep", action="store_true", help="write results beside this file, and the README's table")
    given = parser.parse_args()
    use_compilation_cache()
    (given.out / "fits").mkdir(parents=True, exist_ok=True)
    log = given.out / "worlds.jsonl"
    lines = [json.loads(text) for text in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
    done = {entry["world"] for entry in lines}
    for world in range(given.worlds):
        if world in done:
            continue
        start = time.perf_counter()
        lines.append(one_world(given.seed, world, given.out / "fits"))
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(lines[-1]) + "\n")
        print(f"world {world}: {time.perf_counter() - start:.0f} s", flush=True)
    found = results([line for line in lines if line["world"] < given.worlds])
    tables = texts(found)
    (given.out / "larger_pilots.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (given.out / "larger_pilots.md").write_text(tables["larger_pilots"] + "\n", encoding="utf-8")
    print(f"\n{tables['larger_pilots']}")
    if given.keep:
        keep(HERE, tables, [given.out / "larger_pilots.json"])


if __name__ == "__main__":
    main()
