"""Value of information for this decision: of knowing parameters, and of larger pilots with what they cost.

In: a decision and a posterior. Out: the record ``voi`` of ``details.json``. What can go wrong: with one draw (a known
system) nothing can be learned, and all values are 0.

A larger pilot is bought out of the same budget. Where the pilot's data also train the final model, what it records is
not lost: afterwards, the purchases that remain possible are those that contain it. Otherwise what remains is the budget
less its price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.problem import Designs
from brainworth.design.utilities import Probability
from brainworth.models.forecast import PilotSize

from . import information
from .decision import Decision, purchases
from .information import Experiment, Worth
from .parameters import Column, columns, uncertain

FACTORS = (0.5, 1.0, 3.0)
"""Sizes of the larger pilots, relative to the pilot."""
UNSEEN = 400
"""Samples of the smallest pilot of a modality that has none, times the first factor."""
FEWEST_DRAWS = 40
MATTERS = 0.001
"""Gains in explainable R^2 up to this are not worth the delay of another pilot."""
TASK = ("alignment", "label_noise", "task_exponent")
"""What labels inform about."""


@dataclass(frozen=True)
class LargerPilot:
    """Data to buy first."""

    label: str
    labels: int
    samples: Mapping[str, int]


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


def value_of_information(decision: Decision, basis: Basis, seed: int) -> dict[str, Any]:
    """Return ``evpi``, ``evppi`` and ``evsi`` with standard errors, in explainable R^2 (or in the probability aimed at)."""
    surface = decision.surface
    utility = decision.problem.utility
    unit = (
        f"probability of explainable R² ≥ {utility.target:g}" if isinstance(utility, Probability) else "explainable R²"
    )
    feasible = decision.feasible
    gains = _Gains(decision, _payoff(decision, decision.under())[:, feasible], decision.designs.take(feasible), seed)
    seen = uncertain(columns(surface.draws, surface.modalities))
    if surface.n_draws < FEWEST_DRAWS or not seen:
        return {
            "evpi": 0.0,
            "evpi_se": 0.0,
            "evppi": [],
            "evsi": [],
            "unit": unit,
            "sentence": _sentence(None, [], unit),
        }
    wider = float(np.sqrt(max(1.0, surface.n_draws / max(basis.effective, 1.0))))
    everything = information.perfect(gains.now)
    known = _groups(seen, surface.modalities)
    evppi = [
        {"parameter": name, "value": worth.value, "se": worth.se * wider}
        for name, rows in known.items()
        for worth in [information.partial(gains.now, np.column_stack([seen[r] for r in rows]), seed)]
    ]
    evsi = [
        row | {"se": row["se"] * wider, "net_se": row["net_se"] * wider}
        for larger in _larger(basis, surface.modalities)
        if (row := gains.of(larger, seen, basis))
    ]
    return {
        "evpi": everything.value,
        "evpi_se": everything.se * wider,
        "evppi": sorted(evppi, key=lambda row: -float(row["value"])),
        "evsi": sorted(evsi, key=lambda row: -float(row["net"])),
        "unit": unit,
        "sentence": _sentence(everything, evsi, unit),
    }


def _payoff(decision: Decision, values: Float[np.ndarray, "design draw"]) -> Float[np.ndarray, "draw design"]:
    """Return what each draw contributes to expected utility: R^2, or whether the target is reached.

    Quantiles and CVaR are no expectations; value of information is then stated for expected R^2.
    """
    utility = decision.problem.utility
    return ((values >= utility.target).astype(float) if isinstance(utility, Probability) else values).T


def _groups(seen: Mapping[str, Column], modalities: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the sets of parameters whose knowledge is valued: each one, and all signal-to-noise ratios together."""
    groups = {name: [name] for name in seen}
    ratios = [f"snr:{name}" for name in modalities if f"snr:{name}" in seen]
    if len(ratios) > 1:
        groups["all signal-to-noise ratios"] = ratios
    return groups


def _larger(basis: Basis, modalities: tuple[str, ...]) -> list[LargerPilot]:
    """Return larger pilots: more labels, more samples of each modality, both."""
    found: list[LargerPilot] = []
    pilot = basis.pilot
    for factor in basis.factors:
        labels = round(float(pilot.labels) * factor)
        if labels > 0:
            found.append(LargerPilot(f"{labels:,} labels", labels, {}))
        for m, name in enumerate(modalities):
            usable = float(pilot.usable[m])
            base = float(pilot.samples[m]) / usable or UNSEEN / FACTORS[0] / 2
            samples = round(base * factor)
            found.append(LargerPilot(f"{samples:,} samples of {name}", 0, {name: samples}))
            if labels > 0:
                found.append(LargerPilot(f"{labels:,} labels, {samples:,} samples of {name}", labels, {name: samples}))
    return found


@dataclass(frozen=True)
class _Gains:
    """Utilities of all purchases in all draws, and how larger pilots change them."""

    decision: Decision
    now: Float[np.ndarray, "draw design"]
    designs: Designs
    seed: int

    def of(self, larger: LargerPilot, seen: Mapping[str, Column], basis: Basis) -> dict[str, Any] | None:
        """Return the value of a larger pilot; None if it cannot be bought or informs about nothing."""
        bought = self._bought(larger)
        if bought is None:
            return None
        cents = int(self.decision.problem.cents(bought)[0])
        left = self._containing(bought) if basis.reuse else self._after(cents)
        experiment = _experiment(larger, seen, basis.pilot, self.decision)
        if left is None or experiment is None:
            return None
        worth, balance = information.staged(self.now, left, experiment, self.seed)
        return {
            "label": larger.label,
            "cost": cents / 100,
            "value": worth.value,
            "se": worth.se,
            "net": balance.value,
            "net_se": balance.se,
        }

    def _bought(self, larger: LargerPilot) -> Designs | None:
        """Return the purchase of a larger pilot alone: as many people as needed, fewest repeats."""
        problem = self.decision.problem
        count = len(problem.names)
        stimuli, people, repeats = (np.zeros((1, count), dtype=np.int64) for _ in range(3))
        for m, space in enumerate(problem.spaces):
            wanted = larger.samples.get(problem.names[m], 0)
            repeats[0, m] = int(space.repeats[0])
            if wanted == 0:
                continue
            fewest = max(1, space.people[0])
            each = int(repeats[0, m]) * (fewest if space.shared else 1)
            stimuli[0, m] = -(-wanted // each)
            people[0, m] = int(space.people_needed(stimuli[0, m], repeats[0, m]))
        design = Designs.build(np.array([larger.labels], dtype=np.int64), stimuli, people, repeats)
        valid = all(
            bool(space.valid(stimuli[0, m], people[0, m], repeats[0, m])) or stimuli[0, m] == 0
            for m, space in enumerate(problem.spaces)
        )
        affordable = problem.cents(design)[0] <= problem.budget_cents and larger.labels <= problem.max_labels
        return design if valid and bool(affordable) else None

    def _containing(self, bought: Designs) -> Float[np.ndarray, "draw left"] | None:
        """Return the utilities of all purchases that contain one, itself completed with labels among them."""
        problem = self.decision.problem
        samples, wanted = problem.samples(self.designs), problem.samples(bought)
        rows = (self.designs.n_task >= bought.n_task) & (samples >= wanted).all(axis=1)
        full, possible = problem.complete(bought)
        found = [self.now[:, rows]]
        if possible[0] and full.n_task[0] >= bought.n_task[0]:
            found.append(self._values(full))
        left = np.hstack(found)
        return left if left.shape[1] else None

    def _after(self, cents: int) -> Float[np.ndarray, "draw left"] | None:
        """Return the utilities of what the rest of the budget buys."""
        rest = self.decision.problem.with_budget_cents(self.decision.problem.budget_cents - cents)
        designs = purchases(rest, self.decision.surface, self.decision.manner)
        return self._values(designs) if len(designs) else None

    def _values(self, designs: Designs) -> Float[np.ndarray, "draw design"]:
        problem = self.decision.problem
        values = Evaluator(self.decision.surface, problem.utility).values(problem.purchase(designs))
        return _payoff(self.decision, values)


def _experiment(
    larger: LargerPilot, seen: Mapping[str, Column], pilot: PilotSize, decision: Decision
) -> Experiment | None:
    """Return what a larger pilot shows: each parameter's noise is the pilot's size over the new size."""
    noise: dict[str, float] = {}
    if larger.labels > 0:
        noise |= {name: float(pilot.labels) / larger.labels for name in TASK if name in seen}
    brain = 0.0
    for m, name in enumerate(decision.surface.modalities):
        samples = larger.samples.get(name, 0) * float(pilot.usable[m])
        if samples <= 0:
            continue
        old = float(pilot.samples[m])
        brain += samples / old if old > 0 else 0.0
        if f"snr:{name}" in seen:
            noise[f"snr:{name}"] = old / samples if old > 0 else _unseen_noise(decision, m, samples)
    if brain > 0 and "brain_exponent" in seen:
        noise["brain_exponent"] = 1.0 / brain
    if not noise:
        return None
    return Experiment(np.column_stack([seen[name] for name in noise]), np.array(list(noise.values())))


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


def _sentence(everything: Worth | None, evsi: list[dict[str, Any]], unit: str) -> str:
    """Return in words whether a larger pilot is worth its money."""
    if everything is None:
        return "Nothing is uncertain here that a pilot could teach."
    most = f"Knowing everything before buying would gain {everything.value:.2g} in {unit} on average"
    if not evsi:
        return f"{most}; no larger pilot fits the budget."
    best = max(evsi, key=lambda row: float(row["net"]))
    if best["net"] > max(2 * best["net_se"], MATTERS):
        return (
            f"{most}. Buying {best['label']} first and deciding then gains {best['net']:.2g} on balance, all costs "
            f"counted (Monte Carlo standard error {best['net_se']:.1g})."
        )
    return (
        f"{most}. No larger pilot gains more than {MATTERS:g} on balance beyond Monte Carlo error: "
        "buy the plan without another pilot."
    )
