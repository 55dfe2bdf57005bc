"""A plan is carried out on paper before it is stated: what it brings, what brain data gain, and whether they stay in the plan.

In: a posterior, a problem, its allocation. Out: ``Tried``: the allocation (another split of the budget where rehearsals clearly
prefer it, labels alone where they say that brain data do not pay), single studies of plan and labels alone, the gain and the
decision. For a target without a budget the plan is bought anew, once, if rehearsals say that it falls short of the confidence
asked for. Other splits are not rehearsed there: the cheapest purchase is asked for, and they cost the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation import AllocationResult, Problem, allocate
from brainworth.design.allocation.bnb.certify import relative_gap
from brainworth.design.allocation.describe import design_of
from brainworth.design.allocation.result import NearOptimalRanges, NewData, Purchased, Rival
from brainworth.design.allocation.splits import FORMULA_ERROR
from brainworth.design.common.checks import Check
from brainworth.design.common.workers import Team
from brainworth.design.decision.realised import Realised, Rehearsals, realised, realised_gain
from brainworth.design.decision.rehearse import RehearsalOptions, RehearsedPurchase, rehearse_purchases
from brainworth.design.decision.split_contest import FEWEST, Difference, SplitContest
from brainworth.design.decision.verdict import Decision, Gain, binding, decide
from brainworth.design.performance.purchase import Purchase
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.models.learner.rehearsal import rehearsed_draws

_NOISE = 0.02
"""By how much the probability of a target may fall short before the plan is bought anew."""
DISAGREE = (2.5, FORMULA_ERROR)
"""Formula and rehearsal disagree beyond so many standard errors and so much explainable R^2."""


@dataclass(frozen=True)
class RehearsedSplit:
    """A split of the budget in the contest."""

    plan: Purchased
    rehearsal: RehearsedPurchase
    mean: float
    """Explainable R^2 of single studies, as rehearsals correct it."""
    difference: Difference
    """Against the formula's plan in the study's utility, over the worlds in which both were rehearsed."""


@dataclass(frozen=True)
class Splits:
    """The contest of splits."""

    formula: RehearsedSplit
    """The best purchase by the formula."""
    others: tuple[RehearsedSplit, ...]
    winner: RehearsedSplit | None
    """The one that is clearly better than the formula's plan."""


@dataclass(frozen=True)
class Tried:
    """A plan that was rehearsed."""

    result: AllocationResult
    plan: Realised
    labels_only: Realised | None
    """Labels alone, rehearsed in the same worlds."""
    gain: Gain
    """Of the brain data that were compared with labels alone: the plan's, or the best there are."""
    gains: Float[np.ndarray, " study"]
    decision: Decision
    binding: tuple[str, ...]
    worthwhile: float
    splits: Splits | None = None
    """Other splits of the budget that were rehearsed; None if there were none."""

    @property
    def against_formula(self) -> bool:
        """Whether another split than the formula's best is planned."""
        winner = None if self.splits is None else self.splits.winner
        return winner is not None and winner.plan.allocation == self.result.plan.allocation

    def checks(self) -> list[Check]:
        """Return whether formula and rehearsal agree, if there were rehearsals."""
        found = self.plan.correction
        if found is None or self.plan.rehearsal is None:
            return []
        errors, least = DISAGREE[0], DISAGREE[1] * self.plan.share  # in R^2 on noisy labels
        apart = abs(found.raw) > errors * found.error and abs(found.raw) > least
        reached = self.plan.rehearsal.explainable_r2.mean
        return [
            Check(
                name="rehearsal",
                status="warn" if apart else "ok",
                value=abs(found.raw),
                threshold=least,
                side="at most",
                sentence=f"In {self.plan.rehearsal.n} rehearsals the learner reached an explainable R² of {reached:.3f}, "
                f"and on noisy labels an R² that is {found.raw:+.3f} (standard error {found.error:.3f}) from the formula's in the "
                f"same worlds. Forecasts of R² move by {self.plan.moved:+.3f}.",
                unit="R²",
                observed=reached,
            )
        ]


@dataclass(frozen=True)
class Effort:
    """How a plan is rehearsed."""

    n: int
    seed: int
    workers: Team | None = None
    progress: Callable[[str], None] | None = None


def tried(posterior: PosteriorDraws, problem: Problem, result: AllocationResult, effort: Effort) -> Tried:
    """Return a plan with what rehearsals say of it.

    Parameters
    ----------
    posterior : PosteriorDraws
        What is believed.
    problem : Problem
        What was solved.
    result : AllocationResult
        Its solution by the formula.
    effort : Effort
        How many rehearsals (0: none), and who works.
    """
    found = _once(posterior, problem, result, effort)
    if problem.budget is None and problem.target is not None and found.plan.correction is not None:
        reached = float((found.plan.outcomes >= problem.target).mean())
        if reached < problem.confidence - _NOISE:
            quantile = float(np.quantile(found.plan.outcomes, 1.0 - problem.confidence))
            higher = replace(problem, target=problem.target + (problem.target - quantile))
            found = _once(posterior, problem, allocate(higher, posterior.surface()), effort)
    return found


def _once(posterior: PosteriorDraws, problem: Problem, result: AllocationResult, effort: Effort) -> Tried:
    worthwhile = posterior.study.config.objective.worthwhile
    alone = result.alternatives["task_only"].plan if "task_only" in result.alternatives else None
    brain = result.rival.plan
    purchases = [plan for plan in (brain, alone) if plan is not None]
    draws = int(posterior.draws.people.shape[0])
    contenders, contest = _contest(problem, result, purchases, effort, draws)
    rehearsals = _rehearsed(posterior, problem, contenders, effort, contest)
    splits = None if contest is None else _splits(contenders, rehearsals, contest)
    chosen = result
    if splits is not None and splits.winner is not None and alone is not None:
        brain = splits.winner.plan
        purchases, rehearsals = [brain, alone], [splits.winner.rehearsal, rehearsals[1]]
        chosen = _split_instead(result, splits.winner, alone)
    rehearsals = rehearsals[: len(purchases)]
    first = next((r for r in rehearsals if r is not None), None)
    made = Rehearsals.of(posterior.draws.system, first, effort.seed, effort.n)
    shown = realised(purchases, rehearsals, made)

    def rehearsed(plan: Purchased) -> Realised | None:
        pairs = zip(purchases, shown, strict=True)
        return next((found for bought, found in pairs if bought.allocation == plan.allocation), None)

    gains = chosen.rival.gain
    if brain is not None and alone is not None:
        gains = realised_gain((brain, alone), rehearsals, made)
    gain = Gain.of(gains, worthwhile)
    decision = decide(gain, worthwhile)
    if brain is chosen.plan and alone is not None and gain.mean <= 0.0 and _may_be_left_out(problem, alone):
        chosen = _labels_instead(chosen, alone)
    labels = alone.allocation if alone is not None else None
    return Tried(
        result=chosen,
        plan=rehearsed(chosen.plan) or Realised(chosen.plan.outcomes, None, None),
        labels_only=None if alone is None else rehearsed(alone),
        gain=gain,
        gains=gains,
        decision=decision,
        binding=binding(problem, chosen.plan.allocation, labels),
        worthwhile=worthwhile,
        splits=splits,
    )


def _contest(
    problem: Problem, result: AllocationResult, pair: list[Purchased], effort: Effort, draws: int
) -> tuple[list[Purchased], SplitContest | None]:
    """Return what is rehearsed: the pair (best brain data, labels alone) and the other splits, and the contest of these.

    There is none if there is nothing to contend with, or if the rehearsals are too few to tell.
    """
    planned = next((row for row, one in enumerate(pair) if one.allocation == result.plan.allocation), None)
    if effort.n < FEWEST or len(pair) < 2 or planned is None or not result.others:
        return pair, None
    plans = [*pair, *(one for one in result.others if all(one.allocation != known.allocation for known in pair))]
    close = [other.allocation for other in result.others]
    others = tuple(row for row, one in enumerate(plans) if one.allocation in close)
    rows = rehearsed_draws(draws, effort.n, effort.seed)[0]
    return plans, SplitContest(problem.utility, planned, others, np.stack([one.expected for one in plans]), rows)


def _rehearsed(
    posterior: PosteriorDraws, problem: Problem, plans: list[Purchased], effort: Effort, contest: SplitContest | None
) -> list[RehearsedPurchase | None]:
    """Return the rehearsal of each purchase, in the same worlds; nothing if there are to be none."""
    if effort.n < 1 or not plans:
        return [None] * len(plans)
    rows = [problem.purchase(design_of(problem, plan.allocation)) for plan in plans]
    together = Purchase(
        *(np.concatenate([np.asarray(getattr(row, name)) for row in rows])
          for name in ("n_task", "samples", "subjects", "repeats"))
    )  # fmt: skip
    options = RehearsalOptions(
        n=effort.n,
        seed=effort.seed,
        labels_alone=1 if len(plans) > 1 else None,
        worthwhile=posterior.study.config.objective.worthwhile,
        contest=contest,
    )
    return list(rehearse_purchases(posterior, together, options, effort.workers, effort.progress))


def _splits(plans: list[Purchased], rehearsals: list[RehearsedPurchase | None], contest: SplitContest) -> Splits | None:
    """Return how the purchases that the formula cannot tell from its plan did against it."""
    found = [one for one in rehearsals if one is not None]
    if len(found) < len(plans):
        return None
    own = found[contest.plan]
    reached = np.full((len(found), own.n), np.nan)
    for values, one in zip(reached, found, strict=True):
        values[: one.n] = one.realised
    splits = [
        RehearsedSplit(plan, found[row], contest.mean(row, reached), contest.difference(row, reached))
        for row, plan in enumerate(plans)
    ]
    winner = contest.winner(reached)
    return Splits(
        splits[contest.plan], tuple(splits[row] for row in contest.others), None if winner is None else splits[winner]
    )


def _may_be_left_out(problem: Problem, alone: Purchased) -> bool:
    """Return whether labels alone meet every condition of the study."""
    return problem.budget is not None and bool(problem.feasible(design_of(problem, alone.allocation))[0])


def _labels_instead(result: AllocationResult, alone: Purchased) -> AllocationResult:
    """Return the result with labels alone as its plan; the certificate keeps the formula's bound."""
    certificate = result.certificate
    certificate = replace(
        certificate,
        objective=alone.utility,
        gap=relative_gap(alone.utility, certificate.bound),
        method=f"{certificate.method}; labels alone are planned because rehearsals gained nothing by brain data",
    )
    return replace(result, plan=alone, certificate=certificate)


def _split_instead(result: AllocationResult, winner: RehearsedSplit, alone: Purchased) -> AllocationResult:
    """Return the result with another split as its plan; the certificate keeps the formula's bound."""
    certificate, plan, found = result.certificate, winner.plan, winner.difference
    certificate = replace(
        certificate,
        objective=plan.utility,
        gap=relative_gap(plan.utility, certificate.bound),
        method=f"{certificate.method}; another split than the formula's best is planned because it was better by {found.mean:.3f} "
        f"(standard error {found.se:.3f}) in {winner.rehearsal.n} rehearsals",
    )
    return replace(
        result,
        plan=plan,
        certificate=certificate,
        rival=Rival(plan, plan.expected - alone.expected),
        near_optimal=_widened(result.near_optimal, plan.allocation),
    )


def _widened(near: NearOptimalRanges, bought: NewData) -> NearOptimalRanges:
    """Return ranges that hold a purchase, too."""
    samples = {name: bought.modalities[name].n_samples for name in near.modalities}
    return replace(
        near,
        n_task=(min(near.n_task[0], bought.n_task), max(near.n_task[1], bought.n_task)),
        modalities={
            name: (min(low, samples[name]), max(high, samples[name])) for name, (low, high) in near.modalities.items()
        },
    )
