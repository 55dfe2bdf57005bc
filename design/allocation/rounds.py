"""Collect, refit, collect: what a plan in two or three rounds gains over buying everything at once.

In: a ``Problem``, a surface. Out: ``Rounds``: the first purchase, the expected explainable R^2 of going on adaptively, and its
gain. Errors: too few draws to tell outcomes apart, which understates the gain (each simulated truth is left out of what the refit
may believe); a budget too small to be split (``Infeasible``).

Simulation of the posterior. A draw is taken as the truth; the first purchase is made under it and shows, with sampling
error, the performance with and without the brain data; the refit weighs the other draws by how well they predict
that; the rest of the budget is spent on the best purchase under those weights that contains what was bought. What
the refit learns beyond these two performances is left out, so the gain is a lower bound for the policy; the gain with
perfect information after the first round is an upper bound. Of the first shares tried the one with the largest gain is
shown; the standard error is that of this one, and does not count the choice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from brainworth.design.allocation.describe import allocation
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.feasibility import require_feasible
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.allocation.result import NewData
from brainworth.design.allocation.search import Search
from brainworth.design.common.errors import BadInput, Infeasible
from brainworth.design.common.workers import Team, ThisProcess
from brainworth.design.performance.purchase import Surface
from brainworth.design.performance.utilities import Mean

_FLOOR = 1e-3
_MOST_TARGETS = 40


@dataclass(frozen=True)
class RoundsOptions:
    """How to simulate."""

    rounds: int = 2
    """2 or 3."""
    first_shares: tuple[float, ...] = (0.15, 0.3, 0.5)
    """Shares of the budget tried for the first round."""
    draws: int = 250
    """Draws simulated, each as the truth."""
    outcomes: int = 4
    """Simulated sampling errors per truth."""
    reliability: float = 1.0
    """Share of the labels' variance that can be explained: labels that are noisy show performance less clearly."""
    pilot_labels: float = 0.0
    """Labels of the pilot, which also serve to measure performance."""
    seed: int = 0


@dataclass(frozen=True)
class Rounds:
    """What buying in rounds is worth."""

    rounds: int
    first: NewData
    """What to buy first."""
    first_share: float
    """Of the budget."""
    expected: float
    """Expected explainable R^2 of the adaptive plan."""
    one_round: float
    """The same of the best plan that is bought at once, on the same draws and purchases."""
    gain: float
    """Their difference; negative if committing early costs more than the refit can repay."""
    standard_error: float
    """Monte Carlo error of the gain."""
    perfect_information: float
    """Gain if the first round revealed the truth: no refit can gain more after this first purchase."""


@dataclass(frozen=True)
class Station:
    """A purchase on the way: what it shows under each draw, and which final purchases contain it."""

    shown: Float[np.ndarray, "draw observable"]
    error: Float[np.ndarray, "draw observable"]
    """Standard error of what is shown."""
    reachable: Bool[np.ndarray, " final"]


@dataclass(frozen=True)
class Simulation:
    """Final purchases and their performance, on which all policies are compared."""

    problem: Problem
    shown: Evaluator
    """What a purchase shows on the way: performance on stimuli of the pilot's kind."""
    finals: Designs
    values: Float[np.ndarray, "final draw"]
    options: RoundsOptions

    def station(self, design: Designs) -> Station:
        """Return what a purchase shows."""
        bare = Designs.build(design.n_task, 0 * design.stimuli, design.subjects, design.repeats)
        both = Designs.concatenate([design, bare])
        shown = np.clip(self.shown.values(self.problem.purchase(both)).T, 0.0, 1.0)
        labels = max(float(design.n_task[0]) + self.options.pilot_labels, 4.0)
        seen = self.options.reliability * shown
        error = 2.0 * (1.0 - seen) * np.sqrt(seen / labels) / self.options.reliability + _FLOOR
        return Station(shown, error, self._contains(design))

    def _contains(self, design: Designs) -> Bool[np.ndarray, " final"]:
        used = design.stimuli > 0
        same = (self.finals.repeats == design.repeats) & (self.finals.subjects >= design.subjects)
        enough = ~used | (same & (self.finals.stimuli >= design.stimuli))
        return enough.all(axis=1) & (self.finals.n_task >= design.n_task)

    def believed(self, station: Station, truth: int, rng: np.random.Generator) -> Float[np.ndarray, " draw"]:
        """Return log weights of the draws after a simulated outcome under one truth, which is left out itself."""
        outcome = station.shown[truth] + station.error[truth] * rng.standard_normal(station.shown.shape[1])
        score = (outcome - station.shown) / station.error
        weights = -0.5 * np.sum(score**2, axis=1) - np.sum(np.log(station.error), axis=1)
        weights[truth] = -np.inf
        return weights

    def best(self, log_weights: Float[np.ndarray, " draw"], reachable: Bool[np.ndarray, " final"]) -> int:
        """Return the best final purchase under weights."""
        weights = np.exp(log_weights - log_weights.max())
        expected = self.values @ (weights / weights.sum())
        return int(np.where(reachable, expected, -np.inf).argmax())

    def adaptive(self, first: Designs) -> Float[np.ndarray, " truth"]:
        """Return the performance of the adaptive plan under each truth, averaged over outcomes."""
        start = self.station(first)
        rng = np.random.default_rng(self.options.seed)
        halfway: dict[int, Station] = {}
        reached = np.zeros(self.values.shape[1])
        for truth in range(reached.size):
            for _ in range(self.options.outcomes):
                weights = self.believed(start, truth, rng)
                final = self.best(weights, start.reachable)
                if self.options.rounds == 3:
                    if final not in halfway:
                        halfway[final] = self.station(self._middle(first, final))
                    second = halfway[final]
                    weights = weights + self.believed(second, truth, rng)
                    final = self.best(weights, second.reachable)
                reached[truth] += self.values[final, truth] / self.options.outcomes
        return reached

    def _middle(self, first: Designs, final: int) -> Designs:
        """Return the purchase half-way between the first one and a final one, whole numbers, rounded down."""
        goal = self.finals.take(slice(final, final + 1))
        stimuli = (first.stimuli + goal.stimuli) // 2
        people = np.minimum(goal.subjects, np.maximum(stimuli, first.subjects))
        return Designs.build((first.n_task + goal.n_task) // 2, stimuli, people, goal.repeats)


def plan_rounds(
    problem: Problem,
    surface: Surface,
    options: RoundsOptions | None = None,
    shown: Surface | None = None,
    *,
    workers: Team | None = None,
) -> Rounds:
    """Return the best of several first purchases and what going on adaptively gains.

    Parameters
    ----------
    problem : Problem
        With a budget. The comparison is in expected explainable R^2, whatever the problem's utility.
    surface : Surface
        Performance under each posterior draw.
    options : RoundsOptions, optional
        Number of rounds, shares to try, simulation effort.
    shown : Surface, optional
        Performance that a first round shows under each draw; ``surface`` if not given. They differ where the plan is for
        shifted stimuli: what has been collected by then is of the pilot's kind.
    workers : Team, optional
        Who simulates the shares, one task each; this process if not given. The result does not depend on it.
    """
    options = RoundsOptions() if options is None else options
    if options.rounds not in {2, 3}:
        raise BadInput(f"The number of rounds must be 2 or 3. Got {options.rounds} instead.")
    step = max(1, surface.n_draws // options.draws)
    evaluator = Evaluator(surface, Mean(), None if step == 1 else slice(0, None, step))
    require_feasible(problem)
    whole = Search(replace(problem, utility=Mean()), evaluator)
    whole.run(starts=3, fine=2e-3)
    if not whole.pool.designs:
        raise Infeasible("No plan was found within the budget that could be split into rounds.")
    seen = evaluator if shown is None else replace(evaluator, surface=shown)
    tasks = [(share,) for share in options.first_shares]
    found = (workers or ThisProcess()).results(with_first_share, tasks, (whole, seen, options))
    tried = [result for result in found if result is not None]
    if not tried:
        raise Infeasible(f"The budget of {problem.budget:.2f} {problem.currency} is too small to be spent in rounds.")
    return max(tried, key=lambda r: r.gain)


def with_first_share(whole: Search, shown: Evaluator, options: RoundsOptions, share: float) -> Rounds | None:
    """Return the value of rounds with one first share; None if that share buys nothing that a final plan holds."""
    problem = whole.problem
    designs, values, utilities = whole.pool.stacked()
    best = designs.take(slice(int(utilities.argmax()), int(utilities.argmax()) + 1))
    first = _scaled(whole, best, share)
    if int(problem.cents(first)[0]) == 0:
        return None
    finals, values = _distinct(designs, values, utilities)
    simulation = Simulation(problem, shown, finals, values, options)
    reachable = simulation.station(first).reachable
    if not reachable.any():
        return None
    at_once = values[values.mean(axis=1).argmax()]
    adaptive = simulation.adaptive(first)
    difference = adaptive - at_once
    perfect = np.where(reachable[:, None], values, -np.inf).max(axis=0)
    return Rounds(
        rounds=options.rounds,
        first=allocation(problem, first),
        first_share=int(problem.cents(first)[0]) / max(1, problem.budget_cents),
        expected=float(adaptive.mean()),
        one_round=float(at_once.mean()),
        gain=float(difference.mean()),
        standard_error=float(difference.std() / np.sqrt(difference.size)),
        perfect_information=float((perfect - at_once).mean()),
    )


def _scaled(search: Search, design: Designs, share: float) -> Designs:
    """Return the plan scaled down to a share of its stimuli and labels, with as few people as can see them."""
    stimuli = np.floor(design.stimuli * share).astype(np.int64)
    people = np.zeros_like(stimuli)
    for m, space in enumerate(search.problem.spaces):
        needed = space.people_needed(stimuli[:, m], design.repeats[:, m])
        people[:, m] = design.subjects[:, m] if space.shared else np.minimum(needed, design.subjects[:, m])
        stimuli[:, m] = np.where(space.valid(stimuli[:, m], people[:, m], design.repeats[:, m]), stimuli[:, m], 0)
    return Designs.build(np.floor(design.n_task * share).astype(np.int64), stimuli, people, design.repeats)


def _distinct(designs: Designs, values: np.ndarray, utilities: np.ndarray) -> tuple[Designs, np.ndarray]:
    """Return final purchases worth considering: the best on average, and every draw's own best."""
    average = np.argsort(-utilities)[:_MOST_TARGETS]
    own = values.argmax(axis=0)
    kept = np.unique(np.concatenate([average, own]))
    return designs.take(kept), values[kept]
