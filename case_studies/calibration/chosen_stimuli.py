"""Plans whose labels are for chosen stimuli, carried out: forecasts set against what trained learners reach.

    uv run python case_studies/calibration/chosen_stimuli.py                       # results/chosen_stimuli.md
    uv run python case_studies/calibration/chosen_stimuli.py --worlds 4 --out /tmp/chosen

In: number of worlds of each kind, seed. Out, in --out: ``chosen_stimuli.jsonl`` (one line a world; a run that was stopped goes on
from there) and ``chosen_stimuli.md``. In every world there is a pilot, and a pool of stimuli that can be labelled next. The
posterior knows the parameters of the world's kind, and neither its latents nor its task.
``plan.learner()`` is trained on the pilot and on labels of chosen stimuli, of random ones of the pool, and of new ones like the
pilot's. It is scored by the world's own best predictor, error of the mean included. Forecasts are those of the plan with
``design.chosen_stimuli`` and without it; each is also set against the learner that it is not about, and must fail there if choosing
pays. No number of the truth comes from the forecast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from resumed import carry_out, command_line
from scipy import stats

from brainworth.design.decision.chosen_stimuli import chosen_record
from brainworth.design.decision.learner import plan_learner
from brainworth.design.decision.rehearse import RehearsalOptions, rehearse_purchases
from brainworth.design.performance.purchase import Purchase
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.learner.plan_learner import PlanLearner
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import World, draw_world, record

Rng = np.random.Generator
Matrix = Float[np.ndarray, "stimulus feature"]

FEATURES, PILOT, RECORDED, LABELLED, POOL, LABELS = 30, 300, 120, 40, 400, 60
"""Features; stimuli of the pilot; recorded of each of two people; labelled; stimuli to choose from; labels that are bought."""
REHEARSALS = 32
FALSE_ALARM = 0.005
"""Chance that a right forecast is called wrong, in each comparison."""


@dataclass(frozen=True)
class Kind:
    """One kind of worlds."""

    system: System
    lengths: Callable[[Rng, int], Float[np.ndarray, " stimulus"]]
    """By how much the candidates of a pool are farther out than stimuli of the pilot."""


def system_of(exponent: float, snr: tuple[float, float], alignment: tuple[float, float]) -> System:
    """Return the parameters of a kind of worlds."""
    return System(
        spectrum=Spectrum.power_law(FEATURES, exponent),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(1.0),
        alignment=jnp.asarray(alignment),
        snr=jnp.asarray([snr]),
        channels=jnp.asarray([12.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def _clusters(rng: Rng, count: int) -> Float[np.ndarray, " stimulus"]:
    size = np.where(rng.random(count) < 0.1, 1.0, 0.2)
    return size / np.sqrt(0.1 + 0.9 * 0.2**2)


def _tails(rng: Rng, count: int) -> Float[np.ndarray, " stimulus"]:
    return np.sqrt(1.0 / rng.chisquare(3, count))


def _alike(_: Rng, count: int) -> Float[np.ndarray, " stimulus"]:
    return np.ones(count)


def _near(_: Rng, count: int) -> Float[np.ndarray, " stimulus"]:
    return np.full(count, 0.4)


COMMON = system_of(0.5, (1.0, 0.5), (0.3, 0.2))
KINDS = {
    "like the pilot's": Kind(COMMON, _alike),
    "clusters: 10 % far out": Kind(COMMON, _clusters),
    "heavy tails (t, 3 df)": Kind(COMMON, _tails),
    "all nearer than the pilot's": Kind(COMMON, _near),
    "latents carry 95 %": Kind(system_of(0.0, (1.0, 0.6), (0.6, 0.35)), _alike),
}
CONFIG: dict[str, Any] = {
    "study": {"title": "chosen stimuli"},
    "task": {"cost_per_label": 1.0},
    "modality": [{"name": "EEG", "new_subjects": True, "cost": {"per_sample": 0.1}}],
    "budget": {"total": 500.0},
    "priors": {"max_latents": 2},
    "design": {"chosen_stimuli": True},
}


@dataclass(frozen=True)
class Carried:
    """One world with its pilot and its pool."""

    posterior: PosteriorDraws
    """Knows the parameters."""
    world: World
    pool: Matrix
    rng: Rng

    @classmethod
    def of(cls, kind: Kind, rng: Rng, config: dict[str, Any] = CONFIG) -> Carried:
        """Return a world of a kind, and its study; one that chooses no stimuli has no pool."""
        world = draw_world(kind.system, rng)
        features = world.features(rng, PILOT)
        pool = world.features(rng, POOL) * kind.lengths(rng, POOL)[:, None]
        recordings: dict[str, Any] = {}
        for person in range(2):
            shown = rng.permutation(PILOT)[:RECORDED]
            recordings[f"person {person + 1}"] = shown, record(world, rng, 0, features[shown])
        labelled = rng.permutation(PILOT)[:LABELLED]
        labels = label_of(world, rng, features[labelled])
        given = {"candidates": pool} if config.get("design", {}).get("chosen_stimuli") else {}
        study = StudyData.from_arrays(features, (labelled, labels), {"EEG": recordings}, config, **given)
        return cls(known_posterior(study, kind.system, float(labels.std())), world, pool, rng)

    @cached_property
    def without(self) -> PosteriorDraws:
        """The posterior of the study without the option."""
        return replace(self.posterior, study=self.posterior.study.with_random_labels())

    @cached_property
    def learner(self) -> PlanLearner:
        """The plan's learner, to be fitted again and again."""
        return plan_learner(self.posterior, reuse_pilot=True)

    def chosen(self, count: int) -> Matrix:
        """Return the first stimuli of the pool that the plan's labels are for."""
        found = self.posterior.chosen_labels
        assert found is not None
        return self.pool[found.order[:count]]

    def like_the_pilot(self, count: int) -> Matrix:
        """Return new stimuli like the pilot's."""
        return self.world.features(self.rng, count)

    def random(self, count: int) -> Matrix:
        """Return random stimuli of the pool."""
        return self.pool[self.rng.permutation(len(self.pool))[:count]]

    def reached(self, stimuli: Matrix) -> float:
        """Return the explainable R^2 of the plan's learner with labels of these stimuli, relative to the mean world of the kind."""
        learner = self.learner.fit(stimuli, label_of(self.world, self.rng, stimuli))
        return 1.0 - self.world.truth.excess_risk(learner.coef_) - float(learner.intercept_) ** 2


def known_posterior(study: StudyData, system: System, scale: float) -> PosteriorDraws:
    """Return a posterior that knows the parameters, and neither the latents nor the task."""
    parts = ("signal_variance", "noise_variance", "alignment", "snr", "brain_exponent", "task_exponent")
    units = {name: scale**2 if name.endswith("variance") else 1.0 for name in parts}
    batch = replace(system, **{name: getattr(system, name)[None] / unit for name, unit in units.items()})
    one, none = jnp.ones(1), jnp.zeros(1)
    size = PilotSize(2.0 * RECORDED * one, 2.0 * one, one, none, jnp.asarray(float(LABELLED)), one, none, one)
    return PosteriorDraws(
        study, Draws(batch, jnp.ones((1, 1, MAX_PEOPLE))), size, scale, ("EEG",), study.config.study.seed
    )


def label_of(world: World, rng: Rng, features: Matrix) -> Float[np.ndarray, " stimulus"]:
    """Return noisy labels of stimuli."""
    return features @ world.truth.task_map + np.sqrt(world.truth.noise_variance) * rng.standard_normal(len(features))


def labels_alone(*counts: int) -> Purchase:
    """Return purchases of labels and nothing else."""
    none = np.zeros((len(counts), 1))
    return Purchase(np.array(counts, dtype=float), none, none + 1.0, none + 1.0)


def forecast(posterior: PosteriorDraws, count: int) -> float:
    """Return the forecast of so many labels, on average over studies."""
    return float(posterior.surface().expected(labels_alone(count)).mean())


def rehearsed(posterior: PosteriorDraws, count: int, seed: int) -> float:
    """Return what rehearsals of so many labels reach."""
    options = RehearsalOptions(n=REHEARSALS, seed=seed, labels_alone=None)
    return rehearse_purchases(posterior, labels_alone(count), options)[0].explainable_r2.mean


def one_world(kind: str, index: int, seed: int) -> dict[str, Any]:
    """Return forecasts and what learners reach in one world."""
    there = Carried.of(KINDS[kind], np.random.default_rng([seed, list(KINDS).index(kind), index]))
    said = chosen_record(there.posterior, LABELS)
    assert said is not None
    return {
        "kind": kind,
        "index": index,
        "saved": said.saved.mean,
        "counted": said.counted_as.mean,
        "forecast chosen": forecast(there.posterior, LABELS),
        "forecast random": forecast(there.without, LABELS),
        "rehearsed chosen": rehearsed(there.posterior, LABELS, index),
        "reached chosen": there.reached(there.chosen(LABELS)),
        "reached random": there.reached(there.random(LABELS)),
        "reached like": there.reached(there.like_the_pilot(LABELS)),
    }


def apart(lines: list[dict[str, Any]], reached: str, stated: str) -> tuple[float, float, bool]:
    """Return how much more learners reach than was forecast, its standard error, and whether that is no chance."""
    values = np.array([line[reached] - line[stated] for line in lines])
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    limit = float(stats.t.ppf(1.0 - FALSE_ALARM / 2.0, len(values) - 1))
    return float(values.mean()), error, abs(float(values.mean())) > limit * error


HEAD = (
    "pool",
    "worlds",
    "labels counted as",
    "labels saved against random ones of the pool",
    "forecast, chosen",
    "rehearsed, chosen",
    "reached, chosen",
    "forecast, random",
    "reached, like the pilot's",
    "reached, random of the pool",
    "chosen − its forecast",
    "twin: chosen − forecast for random",
    "twin: like the pilot's − forecast for chosen",
)


def table(lines: list[dict[str, Any]]) -> str:
    """Return the table of all worlds, in Markdown."""
    rows = [f"| {' | '.join(HEAD)} |", "|" + " --- |" * len(HEAD)]
    for kind in KINDS:
        own = [line for line in lines if line["kind"] == kind]
        if len(own) < 2:
            continue
        twins = [
            apart(own, *pair)
            for pair in (
                ("reached chosen", "forecast chosen"),
                ("reached chosen", "forecast random"),
                ("reached like", "forecast chosen"),
            )
        ]
        cells = [
            kind,
            str(len(own)),
            f"{LABELS} as {_mean(own, 'counted', 0)}",
            _mean(own, "saved", 0),
            *(_mean(own, name) for name in ("forecast chosen", "rehearsed chosen", "reached chosen")),
            *(_mean(own, name) for name in ("forecast random", "reached like", "reached random")),
            *(f"{value:+.3f} ± {error:.3f}{' **no chance**' if clear else ''}" for value, error, clear in twins),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    note = f"Means over worlds ± standard errors; **no chance**: a right forecast is called wrong with probability {FALSE_ALARM:g}."
    return "\n".join([*rows, "", note, ""])


def _mean(lines: list[dict[str, Any]], name: str, digits: int = 3) -> str:
    values = np.array([line[name] for line in lines])
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1) / np.sqrt(len(values)):.{digits or 1}f}"


def main() -> None:
    """Carry out the worlds and print the table."""
    given = command_line(__doc__, "worlds", 60)
    tasks = [(kind, index) for index in range(given.count) for kind in KINDS]
    carry_out("chosen_stimuli", one_world, tasks, ("kind", "index"), table, given)


if __name__ == "__main__":
    main()
