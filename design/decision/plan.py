"""From a posterior to a plan, and from a study to a finished folder.

Files are written whole or not at all; the posterior is saved first, so that a run that was interrupted goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from brainworth.design.allocation import Conditions, LinearConstraint, Problem, allocate, constrained
from brainworth.design.allocation.from_config import problem_of_study
from brainworth.design.allocation.problem import QUANTITIES
from brainworth.design.allocation.solve import Stopwatch
from brainworth.design.common.checks import Check, overall
from brainworth.design.common.errors import BadInput
from brainworth.design.common.files import remove_leftovers
from brainworth.design.common.messages import did_you_mean, quoted, quoted_list
from brainworth.design.common.messages import problem as bad
from brainworth.design.common.progress import silent
from brainworth.design.common.records import plain, with_fields
from brainworth.design.common.workers import Team, with_progress
from brainworth.design.decision import health
from brainworth.design.decision.cheaper import cheaper
from brainworth.design.decision.exchange_rates import exchange_rates, label_price
from brainworth.design.decision.plan_records import believed, plan_record
from brainworth.design.decision.records.controls import Controls
from brainworth.design.decision.records.details import Details
from brainworth.design.decision.records.files import load, save
from brainworth.design.decision.records.findings import Sensitivity
from brainworth.design.decision.records.plan import Plan
from brainworth.design.decision.rehearse import REHEARSALS
from brainworth.design.decision.rehearsed_plan import Effort, Tried, tried
from brainworth.design.decision.round_plan import rounds_record
from brainworth.design.decision.solved import Solved
from brainworth.design.decision.theory_range import theory_range
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study
from brainworth.design.study_file.config import StudyConfig


@dataclass(frozen=True)
class How:
    """How a plan is made: nothing of it changes what is best."""

    rounds: int | None = None
    """2 or 3: also say what buying in so many rounds gains; the study's ``budget.rounds`` if not given."""
    rehearsals: int = REHEARSALS
    """Most rehearsals of the plan, of labels alone and of other splits; 0 for none."""
    force: bool = False
    """Plan even if the health check refuses."""
    progress: Callable[[str], None] | None = None
    """Called with the name of each stage."""
    workers: Team | None = None
    """Who works on rehearsals and simulated first rounds; this process if not given."""
    controls: Controls | None = None
    """Controls of this very pilot, if they are known; a verdict to collect asks for them otherwise."""


def make_plan(
    config: StudyConfig,
    posterior: PosteriorDraws,
    problem: Problem | None = None,
    how: How | None = None,
) -> Plan:
    """Return the plan of a posterior.

    Parameters
    ----------
    config : StudyConfig
        What the study plans: its aim, prices and limits.
    posterior : PosteriorDraws
        What is believed.
    problem : Problem, optional
        What is to be solved (``problem_of``); the study's own prices, limits and budget if not given.
    how : How, optional
        Rounds, rehearsals, force, progress.

    Raises
    ------
    HealthRefusal
        If a check refuses and ``how.force`` is false.
    Infeasible
        If nothing fits budget and limits.
    """
    how = how or How()
    say = how.progress or silent
    checks = health.pilot_checks(posterior)
    health.require_healthy(checks, "to plan", "plan", force=how.force)
    problem = problem or problem_of(config, posterior)
    watch = Stopwatch.start()
    if posterior.study.candidates is not None:
        say("choosing stimuli")
        posterior.surface()  # what choosing is worth is computed with the first surface, and kept
        watch.lap("choice")
    say("allocation")
    result = allocate(problem, posterior.surface())
    watch.lap("allocation")
    say("rehearsals")
    found = tried(posterior, problem, result, Effort(how.rehearsals, posterior.seed, how.workers, how.progress))
    result = found.result
    watch.lap("rehearsals")
    # What is cheaper and nearly as good is found by the formula, which here misjudges one split against another.
    less = None if found.against_formula else cheaper(problem, posterior.surface(), result.plan, found.worthwhile)
    watch.lap("cheaper")
    say("exchange rates")
    rates = exchange_rates(posterior.surface(), result, label_price(config.task, config.budget))
    watch.lap("exchange")
    bought = {name: entry.n_samples for name, entry in result.plan.allocation.modalities.items()}
    checks += health.plan_checks(posterior, result.plan.allocation.n_task, bought)
    controlled, shown = _controlled(posterior, found, how)
    watch.lap("controls")
    checks += [theory_range(posterior, result.plan.allocation), *found.checks(), *shown]
    forced = how.force and overall(checks) == "refuse"
    seconds = {**posterior.seconds, **watch.seconds}
    plan = plan_record(Solved(config, posterior, problem, found, less, rates, controlled, checks, forced, seconds))
    wanted = config.budget.rounds if how.rounds is None else how.rounds
    if wanted > 1:
        say("rounds")
        team = with_progress(how.workers, how.progress, "first rounds")
        plan = with_details(plan, rounds=rounds_record(problem, posterior, wanted, team))
    return plan


def _controlled(posterior: PosteriorDraws, found: Tried, how: How) -> tuple[Controls | None, list[Check]]:
    """Return controls of the recordings that are bought, and their checks, if the verdict is to collect and the pilot can say."""
    if found.decision != "collect":
        return None, []
    # imports learners and sampler, which other verdicts do without
    from brainworth.design.decision.controls import control_checks, controls_of_plan, recorded_and_bought

    study, bought = posterior.study, found.result.plan.allocation
    known = how.controls
    if known is None or not set(recorded_and_bought(study, bought)) <= set(known.modalities):
        (how.progress or silent)("controls")
        known = controls_of_plan(study, bought, how.progress, how.workers)
    return known, control_checks(known, bought)


def with_details(plan: Plan, **update: Any) -> Plan:
    """Return a plan with some fields of its details set."""
    details = plan.details or Details(frontier=[], share_curve=[])
    return with_fields(plan, details=with_fields(details, **update))


def problem_of(
    config: StudyConfig, posterior: PosteriorDraws, budget: float | None = None, constraints: Conditions = ()
) -> Problem:
    """Return what is to be solved: prices and limits of the study, with another budget or conditions of one's own.

    Parameters
    ----------
    config : StudyConfig
        Prices, limits and budget.
    posterior : PosteriorDraws
        What is believed after the pilot, and who took part in it.
    budget : float, optional
        Money to spend, in the study's currency; the study's budget if not given.
    constraints : sequence of LinearConstraint, or callable
        Conditions beside the study's: linear ones, or a function of CVXPY variables (``allocation.Symbols``) that returns
        CVXPY constraints, e.g. ``lambda v: [v.samples["EEG"] >= 2 * v.n_task]``.

    Raises
    ------
    BadInput
        If the budget is not an amount of money, or a condition is not one.
    """
    problem = problem_of_study(config, posterior)
    if budget is not None:
        problem = replace(problem, budget=_money(budget, problem.currency))
    if not callable(constraints) and not _conditions(constraints):
        raise bad(
            "plan",
            "constraints",
            f"got {quoted(constraints)}",
            'Give a function, e.g. lambda v: [v.samples["EEG"] >= 2 * v.n_task], or a list of LinearConstraint.',
        )
    try:
        return constrained(problem, constraints)
    except (KeyError, AttributeError) as error:
        name = str(error.args[0] if isinstance(error, KeyError) else error.name)
        known = [*problem.names, "n_task", *QUANTITIES]
        hint = did_you_mean(name, known)
        raise bad(
            "plan", "constraints", f"there is no {quoted(name)}", f"Known are {quoted_list(known)}.{hint}"
        ) from error


def _conditions(constraints: object) -> bool:
    return isinstance(constraints, list | tuple) and all(isinstance(one, LinearConstraint) for one in constraints)


def _money(budget: object, currency: str) -> Decimal:
    """Return a budget, or raise ``BadInput`` for what is no amount of money."""
    if isinstance(budget, bool) or not isinstance(budget, int | float | Decimal | np.number):
        raise bad("plan", "budget", f"got {quoted(budget)}", f"Give a number, in {currency}, e.g. plan(budget=25_000).")
    money = Decimal(str(budget))
    if not (money.is_finite() and money >= 0):
        raise bad("plan", "budget", f"got {quoted(budget)}", f"Give a finite amount of {currency} of at least 0.")
    return money


def plan_study(study: StudyData, out: Path, how: How | None = None) -> Plan:
    """Fit, plan and write ``posterior.nc``, ``plan.json`` and ``details.json`` to a folder.

    A posterior already in the folder is reused if neither inputs nor seed nor priors have changed. Workers share rehearsals and
    simulated first rounds; the plan is the same whoever works.
    """
    from brainworth.design.decision.sensitivity.flips import flips

    how = how or How()
    say = how.progress or silent
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    say("posterior")
    posterior = fit_study(study, study.config.study.seed, out / "posterior.nc", say)
    before = earlier_plan(out)
    if before is not None and before.details is not None and plain(before.posterior) == plain(believed(posterior)):
        how = replace(how, controls=before.details.controls)
    plan = make_plan(study.config, posterior, how=how)
    kept = added_before(before, plan)
    plan = with_details(plan, **kept)
    if "sensitivity" not in kept:
        say("thresholds")
        plan = with_details(plan, sensitivity=Sensitivity(thresholds=flips(study.config, posterior, plan)))
    save(plan, out)
    return plan


def earlier_plan(out: Path) -> Plan | None:
    """Return the plan that a folder holds; None if it holds none that can be read."""
    try:
        return load(out)
    except BadInput:
        return None


ADDED = ("sensitivity", "regime", "voi", "compare", "comparison", "controls")
"""What other commands add to the details of a plan."""


def added_before(before: Plan | None, plan: Plan) -> dict[str, Any]:
    """Return what other commands added to an earlier plan, if it was made of the same data, prices and budget and says the same."""
    if before is None or before.details is None or _basis(before) != _basis(plan):
        return {}
    return {name: before.details[name] for name in ADDED if name in before.details.model_fields_set}


def _basis(plan: Plan) -> list[Any]:
    """Return all that thresholds and comparisons of a plan follow from; of the study file, what it settles and not its text."""
    details = plan.details or Details(frontier=[], share_curve=[])
    data = {name: digest for name, digest in plan.provenance.inputs.items() if not name.endswith(".toml")}
    blocks = [plan.allocation, plan.cost, plan.posterior, plan.near_optimal, plan.verdict.gain]
    blocks += [details.objective, details.task, details.prices, details.frontier]
    return [plain(block) for block in blocks] + [data, plan.verdict.worthwhile, plan.verdict.binding, details.budget]
