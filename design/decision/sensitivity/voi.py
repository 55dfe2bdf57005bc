"""Value of information for this decision: of knowing parameters, and of larger pilots with what they cost.

In: a decision and a posterior. Out: the record ``voi`` of ``details.json``. With one draw (a known system) nothing can be
learned, and all values are 0.

A larger pilot is bought out of the same budget. Where the pilot's data also train the final model, what it records is
not lost: afterwards, the purchases that remain possible are those that contain it. Otherwise what remains is the budget
less its price.

All values are values of policies (``information``), and who knows more can follow any policy of who knows less. So the value
of a set of parameters is at least that of any of its parts, and of any pilot that informs about nothing else: 0 <= EVSI <= EVPPI
<= EVPI and monotony hold exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.common.records import with_fields
from brainworth.design.decision.records.findings import Evppi, Evsi, InformationValue
from brainworth.design.decision.sensitivity import information
from brainworth.design.decision.sensitivity.decision import Decision, distinct, purchases
from brainworth.design.decision.sensitivity.information import Experiment, Worth
from brainworth.design.decision.sensitivity.money import UtilityOfMoney
from brainworth.design.decision.sensitivity.parameters import Column, uncertain
from brainworth.design.decision.sensitivity.pilots import Basis, LargerPilot, bought, experiment, larger_pilots
from brainworth.design.performance.utilities import Probability
from brainworth.models.forecast.forecast import Draws

FEWEST_DRAWS = 40
MATTERS = 0.001
"""Gains in explainable R^2 up to this are not worth the delay of another pilot."""
_GOOD = 12
CERTAIN = 3.0
"""Standard errors that the best of some 40 pilots must be above 0 (0.05 / 40 one-sided)."""


@dataclass(frozen=True)
class Offer:
    """A larger pilot that can be bought, and what can be bought after it."""

    larger: LargerPilot
    people: int
    cost: float
    shown: Experiment
    about: tuple[str, ...]
    """Parameters it informs about."""
    designs: Designs
    """The purchases that remain."""
    left: Float[np.ndarray, "draw left"]
    """Their utilities."""


@dataclass(frozen=True)
class Choices:
    """What can be bought today, and first as a larger pilot."""

    designs: Designs
    """Purchases of today, one of which can be the best: in some draw, or on average."""
    now: Float[np.ndarray, "draw option"]
    """Their utilities."""
    offers: list[Offer]


@dataclass(frozen=True)
class Priced:
    """A larger pilot and its value."""

    offer: Offer
    worth: Worth
    net: Worth


def value_of_information(decision: Decision, basis: Basis, seed: int) -> InformationValue:
    """Return ``evpi``, ``evppi``, ``evsi`` and ``best`` with standard errors, in explainable R^2 (or the probability aimed at)."""
    surface, utility = decision.surface, decision.problem.utility
    target = f"probability of explainable R² ≥ {utility.target:g}" if isinstance(utility, Probability) else ""
    unit, currency = target or "explainable R²", decision.problem.currency
    seen = uncertain(decision.believed)
    if surface.n_draws < FEWEST_DRAWS or not seen:
        return InformationValue(
            evpi=0.0,
            evpi_se=0.0,
            currency=currency,
            best=None,
            best_sizes=[],
            sentence="Nothing is uncertain here that a pilot could teach.",
            evppi=[],
            evsi=[],
            unit=unit,
        )
    choices = choices_of(decision, basis)
    now, offers = choices.now, choices.offers
    everything = information.perfect(now, [offer.left for offer in offers])
    pilots = [Priced(offer, *information.staged(now, offer.left, offer.shown, seed)) for offer in offers]
    named = _groups(seen, surface.modalities)
    sets = sorted({*named.values(), *(offer.about for offer in offers)})
    alone = {about: information.partial(now, np.column_stack([seen[p] for p in about]), seed) for about in sets}
    known = _monotone(alone, pilots)
    money = UtilityOfMoney.of(decision)
    wider = float(np.sqrt(max(1.0, surface.n_draws / max(basis.effective, 1.0))))
    evsi = sorted((_row(p, known[p.offer.about], money, wider) for p in pilots), key=lambda row: -(row.net or 0.0))
    best = evsi[0] if evsi and _is_worth_it(evsi[0]) else None
    ranked = sorted(named, key=lambda name: -known[named[name]].value)
    evppi = [
        Evppi(parameter=name, value=worth.value, se=worth.se * wider, money=money.worth(worth.value))
        for name in ranked
        for worth in [known[named[name]]]
    ]
    found = InformationValue(
        evpi=everything.value,
        evpi_se=everything.se * wider,
        evpi_money=money.worth(everything.value),
        currency=currency,
        best=best,
        best_sizes=_best_sizes(evsi),
        evppi=evppi,
        evsi=evsi,
        unit=unit,
    )
    return with_fields(found, sentence=_sentence(found, labelled=float(basis.pilot.labels) > 0))


def _is_worth_it(row: Evsi) -> bool:
    """Return whether a larger pilot gains more than matters, beyond Monte Carlo error."""
    return (row.net or 0.0) > max(CERTAIN * (row.net_se or 0.0), MATTERS)


def choices_of(decision: Decision, basis: Basis) -> Choices:
    """Return the purchases of today that matter, and every larger pilot that can be bought with what it leaves."""
    payoff = payoff_of(decision, decision.designs)
    useful = np.flatnonzero(decision.feasible)[_useful(payoff[:, decision.feasible])]
    designs = decision.designs.take(useful)
    offers = _offers(decision, basis, designs)
    return _with_the_best(Choices(designs, payoff[:, useful], offers))


def _row(priced: Priced, most: Worth, money: UtilityOfMoney, wider: float) -> Evsi:
    net, se = priced.net.value, priced.net.se * wider
    larger = priced.offer.larger
    return Evsi(
        label=larger.label,
        kind=larger.kind,
        factor=larger.factor,
        labels=larger.labels,
        samples=dict(larger.samples),
        people=priced.offer.people,
        cost=priced.offer.cost,
        value=priced.worth.value,
        se=priced.worth.se * wider,
        most=most.value,
        net=net,
        net_se=se,
        net_money=money.worth(net),
        net_money_se=money.error(net, se),
    )


def _best_sizes(evsi: list[Evsi]) -> list[Evsi]:
    """Return the pilot of each kind with the largest net gain; rows come best first."""
    first: dict[str, Evsi] = {}
    for row in evsi:
        first.setdefault(row.kind, row)
    return list(first.values())


def payoff_of(decision: Decision, designs: Designs, draws: Draws | None = None) -> Float[np.ndarray, "draw design"]:
    """Return what each draw contributes to the expected utility of purchases: R^2, or whether the target is reached.

    Under other draws than the posterior's, if given. Quantiles and CVaR are no expectations; value of information is then
    stated for expected R^2.
    """
    problem, surface = decision.problem, decision.surface
    utility = problem.utility
    if draws is not None:
        surface = replace(surface, draws=draws)
    values = Evaluator(surface, utility).values(problem.purchase(designs))
    return ((values >= utility.target).astype(float) if isinstance(utility, Probability) else values).T


def _groups(seen: Mapping[str, Column], modalities: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the sets of parameters whose knowledge is valued: each one, and all signal-to-noise ratios together."""
    groups: dict[str, tuple[str, ...]] = {name: (name,) for name in seen}
    ratios = tuple(sorted(f"snr:{name}" for name in modalities if f"snr:{name}" in seen))
    if len(ratios) > 1:
        groups["all signal-to-noise ratios"] = ratios
    return groups


def _monotone(known: dict[tuple[str, ...], Worth], pilots: list[Priced]) -> dict[tuple[str, ...], Worth]:
    """Return for each set of parameters the best policy that needs to know no more."""
    policies = [*known.items(), *((pilot.offer.about, pilot.worth) for pilot in pilots)]
    return {
        about: max((worth for needed, worth in policies if set(needed) <= set(about)), key=lambda worth: worth.value)
        for about in known
    }


def _offers(decision: Decision, basis: Basis, designs: Designs) -> list[Offer]:
    """Return the larger pilots that can be bought, each purchase once, under the first kind that names it."""
    found: dict[tuple[Any, ...], Offer] = {}
    for larger in larger_pilots(basis, decision.problem):
        offer = _offer(decision, basis, larger, designs)
        if offer is not None:
            found.setdefault((larger.labels, *larger.samples.items(), offer.people), offer)
    return list(found.values())


def _offer(decision: Decision, basis: Basis, larger: LargerPilot, designs: Designs) -> Offer | None:
    """Return a larger pilot with what can be bought after it; None if it cannot be bought or informs about nothing."""
    problem = decision.problem
    design = bought(larger, problem)
    shown = None if design is None else experiment(decision, basis, design, uncertain(decision.believed))
    if design is None or shown is None:
        return None
    cents = int(problem.cents(design)[0])
    if basis.reuse:
        left = containing(problem, design, designs)
    else:
        rest = problem.with_budget_cents(problem.budget_cents - cents)
        left = purchases(rest, decision.surface, decision.manner)
    if not len(left):
        return None
    values = payoff_of(decision, left)
    useful = _useful(values)
    people = int(design.subjects[0].sum())
    return Offer(larger, people, cents * float(problem.cent), *shown, left.take(useful), values[:, useful])


def _with_the_best(choices: Choices) -> Choices:
    """Return the choices with the best purchase that remains after a pilot among today's: it can be bought today, too."""
    if not choices.offers:
        return choices
    offer = max(choices.offers, key=lambda offer: float(offer.left.mean(axis=0).max()))
    best = np.array([int(offer.left.mean(axis=0).argmax())])
    designs = Designs.concatenate([choices.designs, offer.designs.take(best)])
    return Choices(designs, np.hstack([choices.now, offer.left[:, best]]), choices.offers)


def containing(problem: Problem, first: Designs, designs: Designs) -> Designs:
    """Return each purchase enlarged to contain what was bought first (one design), the rest of the budget for labels.

    Returning people come again, and sessions and set-up are paid for as one purchase.
    """
    alone = Designs.build(np.zeros(1, dtype=np.int64), 0 * first.stimuli, 0 * first.subjects, first.repeats)
    every = Designs.concatenate([alone, designs])
    used = every.stimuli > 0
    repeats = np.where(used, every.repeats, first.repeats)
    people = np.maximum(np.where(used, every.subjects, 0), first.subjects)
    stimuli = np.where(used, every.stimuli, 0)
    samples = problem.samples(first)[0]
    for m, space in enumerate(problem.spaces):
        each = repeats[:, m] * (np.maximum(people[:, m], 1) if space.shared else 1)
        stimuli[:, m] = np.maximum(stimuli[:, m], -(-samples[m] // each))
    full, possible = problem.complete(Designs.build(every.n_task, stimuli, people, repeats))
    return distinct(full.take(np.flatnonzero(possible & (full.n_task >= first.n_task[0]))), fixed=0)


def _useful(payoff: Float[np.ndarray, "draw design"]) -> np.ndarray:
    """Return the designs that are best in some draw, or among the best on average: the others are never chosen."""
    return np.unique(np.concatenate([payoff.argmax(axis=1), np.argsort(-payoff.mean(axis=0))[:_GOOD]]))


def _sentence(found: InformationValue, *, labelled: bool) -> str:
    """Return in words whether a larger pilot is worth its money; ``labelled`` says whether the pilot has labels."""
    everything, best = found.evpi or 0.0, found.best
    ceiling = "less than 0.0001" if 0 < everything < 1e-4 else f"{everything:.2g}"
    most = f"Knowing everything before buying would gain {ceiling} in {found.unit} on average"
    if not found.evsi:
        return f"{most}; no larger pilot fits the budget."
    if best is not None:
        money = "" if best.net_money is None else f", as much as {best.net_money:,.0f} {found.currency} more budget"
        return (
            f"{most}. Buying {best.label} first and deciding then gains {best.net:.2g} on balance, all costs "
            f"counted (Monte Carlo standard error {best.net_se:.1g}){money}."
        )
    if not labelled:
        return (
            f"{most}. No pilot of recordings alone gains more than {MATTERS:g} on balance beyond Monte Carlo error; what a first "
            "pilot with labels would teach of the alignment cannot be valued before there are any."
        )
    return (
        f"{most}. No larger pilot gains more than {MATTERS:g} on balance beyond Monte Carlo error: "
        "buy the plan without another pilot."
    )
