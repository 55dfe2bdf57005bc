"""Larger pilots: what could be bought first, and what each would show.

In: a decision and the pilot behind its posterior. Out: ``LargerPilot`` by kind and size, the purchase each one is, and the
``Experiment`` it amounts to. A pilot that the limits forbid or the budget cannot pay is ``None``.

=======================  ================================================================================================
kind                     what it adds
=======================  ================================================================================================
``labels``               labels of further stimuli
``samples of NAME``      recordings of as few people as the limits allow
``people of NAME``       the same number of recordings from further people, each recorded as long as one of the pilot
``labels and NAME``      labels and recordings together
=======================  ================================================================================================

What a pilot shows. A quantity that a pilot of size n left with variance v is seen by a further one of size N with noise
v n / N (sample-size scaling: Heath, Manolopoulou & Baio 2018), over 1 - v / prior variance, because part of the doubt is the
prior's (``prior``). Recordings of k *new* people show how good new people are, with
the noise of their recordings and of there being only k of them, (spread between people) / k: more people teach what more
recordings of few cannot. Recordings also teach the alignment, because better learned latents show more of the labels that
there already are: they count as so many more labels as the latents' encoding R^2 grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.decision.sensitivity.decision import Decision
from brainworth.design.decision.sensitivity.information import Experiment
from brainworth.design.decision.sensitivity.parameters import Column, between_people
from brainworth.models.forecast.forecast import Order, PilotSize, joined, median
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.system import System

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Sizes of the larger pilots, relative to the pilot."""
UNSEEN, UNSEEN_PEOPLE = 400, 4
"""Samples and people of a pilot of a modality that has none, at factor 1."""
TASK = ("alignment", "label_noise", "task_exponent")
"""What labels inform about."""


@dataclass(frozen=True)
class LargerPilot:
    """Data to buy first."""

    kind: str
    factor: float
    """Size relative to the pilot."""
    labels: int = 0
    samples: Mapping[str, int] = field(default_factory=dict)
    people: Mapping[str, int] = field(default_factory=dict)
    """People, where their number is part of the question."""

    @property
    def label(self) -> str:
        """What is bought, in words."""
        parts = [f"{self.labels:,} labels"] if self.labels else []
        for name, count in self.samples.items():
            k = self.people.get(name)
            who = "" if k is None else f" from {k:,} {'person' if k == 1 else 'people'}"
            parts.append(f"{count:,} samples of {name}{who}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Basis:
    """What the posterior is based on."""

    pilot: PilotSize
    reuse: bool
    """Whether a pilot's data also train the final model."""
    effective: float = np.inf
    """Effectively independent draws: standard errors are widened where there are fewer than draws."""
    factors: tuple[float, ...] = FACTORS
    """Sizes of the larger pilots that are considered, relative to the pilot."""
    left: Mapping[str, float] = field(default_factory=dict)
    """Share of the prior variance that the pilot left of a parameter (``prior.doubt_left``); unknown counts as none."""

    def data_noise(self, name: str) -> float:
        """Return the noise of the pilot's own data about a parameter, relative to the posterior variance: 1 or more."""
        return 1.0 / (1.0 - self.left.get(name, 0.0))


def larger_pilots(basis: Basis, problem: Problem) -> list[LargerPilot]:
    """Return larger pilots of every kind and size."""
    pilot, found = basis.pilot, list[LargerPilot]()
    for factor in basis.factors:
        labels = round(float(pilot.labels) * factor)
        if labels > 0:
            found.append(LargerPilot("labels", factor, labels))
        for m, (name, (_, limits)) in enumerate(zip(problem.names, problem.modalities, strict=True)):
            recorded = float(pilot.samples[m]) / float(pilot.usable[m])
            people = max(1, round(float(pilot.subjects[m]))) if recorded else UNSEEN_PEOPLE
            recorded = recorded or UNSEEN
            samples = {name: max(1, round(recorded * factor))}
            found.append(LargerPilot(f"samples of {name}", factor, samples=samples))
            if labels > 0:
                found.append(LargerPilot(f"labels and {name}", factor, labels, samples))
            k = round(people * factor)
            if limits.new_subjects and k >= 1 and k == people * factor:
                kind = f"people of {name}"
                found.append(LargerPilot(kind, factor, samples={name: round(recorded / people * k)}, people={name: k}))
    return found


def bought(larger: LargerPilot, problem: Problem) -> Designs | None:
    """Return the purchase of a larger pilot alone: as many people as it names or else needs, fewest repeats."""
    count = len(problem.names)
    stimuli, people, repeats = (np.zeros((1, count), dtype=np.int64) for _ in range(3))
    valid = True
    for m, space in enumerate(problem.spaces):
        name = problem.names[m]
        wanted = larger.samples.get(name, 0)
        repeats[0, m] = int(space.repeats[0])
        if wanted == 0:
            continue
        asked = larger.people.get(name, 0)
        fewest = max(1, space.people[0], asked)
        each = int(repeats[0, m]) * (fewest if space.shared else 1)
        stimuli[0, m] = -(-wanted // each)
        needed = int(space.people_needed(stimuli[0, m], repeats[0, m]))
        people[0, m] = max(needed, asked)
        valid &= bool(space.valid(stimuli[0, m], people[0, m], repeats[0, m])) and (not asked or needed <= asked)
    design = Designs.build(np.array([larger.labels], dtype=np.int64), stimuli, people, repeats)
    affordable = problem.cents(design)[0] <= problem.budget_cents and larger.labels <= problem.max_labels
    return design if valid and bool(affordable) else None


@dataclass(frozen=True)
class NoisyQuantity:
    """One quantity that a pilot shows with noise."""

    column: Column
    noise: float
    """Relative to the posterior variance."""
    about: tuple[str, ...]
    """Parameters it is a function of."""


def experiment(
    decision: Decision, basis: Basis, design: Designs, seen: Mapping[str, Column]
) -> tuple[Experiment, tuple[str, ...]] | None:
    """Return what a larger pilot shows, and the parameters it informs about; None if it informs about nothing."""
    problem, pilot = decision.problem, basis.pilot
    labels, samples = int(design.n_task[0]), problem.samples(design)[0]
    shown, more = list[NoisyQuantity](), 0.0
    for m in range(len(problem.names)):
        usable, old = float(samples[m]) * float(pilot.usable[m]), float(pilot.samples[m])
        if usable <= 0:
            continue
        more += usable / old if old > 0 else 0.0
        known = basis.data_noise(f"snr:{problem.names[m]}")
        scale = known * old / usable if old > 0 else _unseen_noise(decision, m, usable)
        shown.append(_recorded(decision, m, int(design.subjects[0, m]), scale))
    noise = {"brain_exponent": 1.0 / more} if more > 0 else {}
    if float(pilot.labels) > 0:
        noise |= dict.fromkeys(TASK, float(pilot.labels) / labels) if labels > 0 else {}
        growth = _growth_of_knowledge(decision, basis, design)
        noise |= {"alignment": 1.0 / growth} if growth > 0 else {}
    shown += [
        NoisyQuantity(seen[name], basis.data_noise(name) * n, (name,)) for name, n in noise.items() if name in seen
    ]
    shown = [one for one in shown if np.ptp(one.column) > 0]
    if not shown:
        return None
    about = sorted({name for one in shown for name in one.about if name in seen})
    columns, noises = np.column_stack([one.column for one in shown]), np.array([one.noise for one in shown])
    return Experiment(columns, noises, tuple("*".join(one.about) for one in shown)), tuple(about)


def _recorded(decision: Decision, m: int, people: int, scale: float) -> NoisyQuantity:
    """Return what recordings show of signal-to-noise: of the pilot's people, or of ``people`` new ones.

    ``scale`` is the noise of the recordings relative to what the pilot left uncertain about its own people. The variance
    of new people's level adds the spread between so few of them.
    """
    surface = decision.surface
    name, snr = surface.modalities[m], np.asarray(surface.draws.system.snr)[:, m].sum(axis=1)
    if float(surface.size.new_subjects[m]) == 0:
        return NoisyQuantity(snr, scale, (f"snr:{name}",))
    fresh = snr * np.asarray(surface.draws.people)[:, m, -1]
    noise = scale * float(np.var(np.log(snr))) + between_people(surface.draws, m) / max(people, 1)
    return NoisyQuantity(fresh, noise / max(float(np.var(np.log(fresh))), 1e-12), (f"snr:{name}", f"people:{name}"))


def _growth_of_knowledge(decision: Decision, basis: Basis, design: Designs) -> float:
    """Return by how much a pilot enlarges what is known of the alignment, relative to the pilot: labels times encoding R^2."""
    now = _encoded(decision, basis.pilot, design, 0.0)
    then = _encoded(decision, basis.pilot, design, 1.0)
    labels = 1.0 + float(design.n_task[0]) / float(basis.pilot.labels)
    return labels * then / now - 1.0 if now > 1e-6 else labels - 1.0


def _encoded(decision: Decision, pilot: PilotSize, design: Designs, part: float) -> float:
    """Return the encoding R^2 of the median system's latents, weighted by alignment, with part of a purchase."""
    draws, purchase = decision.surface.draws, decision.problem.purchase(design)
    system, people = median(draws.system), jnp.median(draws.people, axis=0)
    columns = (purchase.n_task, part * purchase.samples, purchase.subjects, purchase.repeats)
    order = Order(*(jnp.asarray(column[0], dtype=jnp.float64) for column in columns))
    learned = np.asarray(_encoding_r2(system, people, pilot, order))
    weight = np.asarray(system.alignment)
    return float((weight * learned).sum() / max(float(weight.sum()), 1e-12))


@jax.jit
def _encoding_r2(system: System, people: Array, pilot: PilotSize, order: Order) -> Array:
    return encode(*joined(system, people, pilot, order)).encoding_r2


def _unseen_noise(decision: Decision, m: int, samples: float) -> float:
    """Return the noise of a first pilot of a modality relative to its prior variance.

    The Fisher information on log phi in n samples is 1/2 sum_i (n phi h_i / (1 + n phi h_i))^2 (rows of the rotated
    read-out are independent, of variance n phi h_i + 1: THEORY section 8), times the squared overlap
    theta / (1 + theta), theta = n phi / q, with which the channel pattern is learned.
    """
    system = decision.surface.draws.system
    snr = np.median(np.asarray(system.snr)[:, m].sum(axis=1))
    h = np.asarray(system.spectrum.shares(float(np.median(np.asarray(system.brain_exponent)))))
    strength = samples * snr * h
    theta = samples * snr / float(system.channels[m])
    count = np.asarray(system.spectrum.count)
    known = 0.5 * float(np.sum(count * (strength / (1.0 + strength)) ** 2)) * (theta / (1.0 + theta)) ** 2
    spread = float(np.var(np.log(np.asarray(system.snr)[:, m].sum(axis=1))))
    return 1.0 / max(known * spread, 1e-9)
