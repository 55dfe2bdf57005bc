"""From whole-number designs to the records of a result: names, bills, spread of the bill, assumptions in words."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from brainworth.design.allocation.costs import ModalityCost
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.prices import Price, Schedule
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.allocation.result import ModalityPurchase, NewData, Purchased
from brainworth.design.allocation.space import UNLIMITED

_PRICE_DRAWS = 4000


def allocation(problem: Problem, designs: Designs, index: int = 0) -> NewData:
    """Return one design under the names of its modalities."""
    samples, sessions = problem.samples(designs)[index], problem.sessions(designs)[index]
    bought = {
        name: ModalityPurchase(
            n_samples=int(samples[m]),
            subjects=int(designs.subjects[index, m]),
            sessions=int(sessions[m]),
            stimuli=int(designs.stimuli[index, m]),
            repeats=int(designs.repeats[index, m]),
        )
        for m, name in enumerate(problem.names)
    }
    return NewData(int(designs.n_task[index]), bought)


def design_of(problem: Problem, bought: NewData) -> Designs:
    """Return the whole-number design of a named allocation."""
    rows = [bought.modalities[name] for name in problem.names]
    columns = [
        np.array([[getattr(row, key) for row in rows]], dtype=np.int64) for key in ("stimuli", "subjects", "repeats")
    ]
    return Designs(np.array([bought.n_task], dtype=np.int64), *columns)


def plans(problem: Problem, evaluator: Evaluator, designs: Designs) -> list[Purchased]:
    """Return designs with their bills and their performance under every draw of the evaluator."""
    purchase = problem.purchase(designs)
    expected, outcomes = evaluator.expected(purchase), evaluator.outcomes(purchase)
    values = outcomes if evaluator.luck_matters else expected  # those that the utility is taken of
    utilities = evaluator.utility(values)
    return [
        Purchased(
            allocation(problem, designs, i),
            problem.bill(designs, i),
            float(utilities[i]),
            values[i],
            expected[i],
            outcomes[i],
        )
        for i in range(len(designs))
    ]


def brain_lines(problem: Problem, design: Designs) -> list[tuple[Schedule, int]]:
    """Return every line of one design's bill for brain data: its price list, and how many units are billed."""
    samples, sessions = problem.samples(design)[0], problem.sessions(design)[0]
    lines: list[tuple[Schedule, int]] = []
    for m, (cost, limits) in enumerate(problem.modalities):
        counts = (samples[m], sessions[m], design.subjects[0, m] * int(limits.new_subjects))
        units = cost.units(*map(np.asarray, counts))
        lines += [(prices, int(units[line])) for line, prices in cost.schedules.items()]
    return lines


def cost_spread(problem: Problem, design: Designs, seed: int = 0) -> dict[str, float]:
    """Return mean and quantiles of the bill in currency units, prices drawn independently from what is believed.

    A Latin hypercube: every price takes all its quantiles, in an order of its own. Prices that are one number do not
    vary; the plan itself is charged the upper end of the others.
    """
    rng = np.random.default_rng(seed)
    scores = np.asarray(ndtri((np.arange(_PRICE_DRAWS) + 0.5) / _PRICE_DRAWS))
    units = problem.task.units(design.n_task)
    lines = [(prices, int(units[line][0])) for line, prices in problem.task.schedules.items()]
    lines += brain_lines(problem, design)
    total = np.zeros(_PRICE_DRAWS)
    for prices, count in lines:
        if count:
            total = total + prices.money(count, scores if prices.certain else rng.permutation(scores))
    q05, q50, q95 = np.quantile(total, [0.05, 0.5, 0.95])
    return {"mean": float(total.mean()), "q05": float(q05), "q50": float(q50), "q95": float(q95)}


def assumptions(problem: Problem) -> tuple[str, ...]:
    """Return in words what the plan takes for granted about money and limits."""
    said: list[str] = []
    if not _certain(problem):
        said.append(
            "Uncertain prices are charged at the upper end of their 90 % interval, so that the budget holds there."
        )
    for cost, limits in problem.modalities:
        if cost.samples_per_session is None and (cost.per_session.base != Price() or cost.per_session.tiers):
            said.append(f"{cost.name}: no samples_per_session given, so everyone comes for one session of any length.")
        said += _billing(cost, new=limits.new_subjects)
        if limits.max_samples is None:
            said.append(f"{cost.name}: no max_samples given; at most {UNLIMITED:,} samples are considered.")
        if not limits.new_subjects:
            people = limits.pilot_subjects
            said.append(
                f"{cost.name}: the {people} people of the pilot return, all of them, and no one new is enrolled."
            )
    task = problem.task
    if task.escalation and task.years_ahead:
        said.append(f"Prices rise by {float(task.escalation):.3g} a year for {task.years_ahead} years.")
    if task.raters > 1:
        said.append(f"A label is the mean of {task.raters} answers, each paid, as those of the pilot are.")
    if problem.task_limits.most is None:
        said.append(f"No max_labels given; at most {UNLIMITED:,} labels are considered.")
    return tuple(said)


def _billing(cost: ModalityCost, *, new: bool) -> list[str]:
    """Return in words what is billed beyond what is recorded."""
    said: list[str] = []
    if cost.per_hour != Price():
        said.append(
            f"{cost.name}: a session of {float(cost.minutes_per_session):g} minutes is billed as "
            f"{float(cost.billed_hours):g} hours (whole {cost.billing_quantum_minutes} minutes)."
        )
    if cost.cancellation:
        said.append(f"{cost.name}: {float(cost.cancellation):.3g} of the booked sessions are cancelled and billed.")
    if cost.attrition and new:
        said.append(f"{cost.name}: {float(cost.attrition):.3g} of the new people are paid and drop out.")
    return said


def _certain(problem: Problem) -> bool:
    lists = list(problem.task.schedules.values())
    lists += [prices for cost, _ in problem.modalities for prices in cost.schedules.values()]
    return all(prices.certain for prices in lists)
