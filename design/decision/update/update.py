"""While data come in: what came since a plan, what it taught, and whether to go on.

In: the folder of a plan, and the study with everything that has been collected so far. Out: a new plan for what is left of the
budget, whose details hold the record ``Update``: forecast then against reached now, beliefs then and now, money spent and left, and
the decision by the same verdict as a plan's. If the study that the plan was made from is given, too, a rule that holds however
often one looks says whether the recordings so far help on labels that came after them. Errors: a folder without a finished plan or
posterior, a study of other modalities, or one that holds less than the plan's pilot (``BadInput``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np

from brainworth.design.allocation.problem import Problem
from brainworth.design.common.errors import BadInput, Infeasible
from brainworth.design.common.messages import amount, quoted_list
from brainworth.design.common.messages import problem as bad
from brainworth.design.common.progress import silent
from brainworth.design.common.summaries import interval
from brainworth.design.decision.plan import How, make_plan, problem_of, with_details
from brainworth.design.decision.preregistration_records import PlannedPurchase
from brainworth.design.decision.records.details import Details
from brainworth.design.decision.records.files import load, save
from brainworth.design.decision.records.plan import Plan
from brainworth.design.decision.records.update import Held, Look, Reached, Update
from brainworth.design.decision.update.evidence import beliefs, monitored, paired_gains, reached
from brainworth.design.decision.update.money import bill, held_by, money_of, new_since, recorded_in, remaining_problem
from brainworth.design.decision.update.registered import Course, against, exceeded, record_of
from brainworth.design.pilot.study import StudyData
from brainworth.design.pilot.summaries.limits import require_recordings
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.earlier import earlier_posterior
from brainworth.design.posterior.fit import fit_study
from brainworth.design.study_file.config import StudyConfig

LEVEL = 0.05
_DECISIONS = {"collect": "go_on", "toss_up": "toss_up", "labels_only": "labels_instead"}
"""What a verdict on the rest of the budget means for a study under way."""
_WORDS = {
    "go_on": "Go on with brain data",
    "toss_up": "A toss-up: with what is left, brain data and labels alone promise about the same",
    "labels_instead": "Stop buying brain data, buy labels instead",
    "stop": "Stop: nothing more is worth its price",
    "finished": "Finished: the budget is spent",
}


@dataclass(frozen=True)
class Since:
    """How an update is made."""

    spent: float | None = None
    """Money spent since the plan; from the study's prices if not given."""
    before: StudyData | None = None
    """The study that the plan was made from: then the monitoring rule is asked."""
    level: float = LEVEL
    """Bound on the probability that the monitoring rule is ever wrong."""
    registered: Path | None = None
    """Folder of the plan's preregistration: then deviations from it are listed."""
    how: How = field(default_factory=How)


def update_study(folder: Path, study: StudyData, out: Path, since: Since | None = None) -> Plan:
    """Update a plan with what has come in, and write the next plan to a folder of its own.

    Parameters
    ----------
    folder : Path
        A finished plan: ``plan.json``, ``details.json``, ``posterior.nc``; or an earlier update.
    study : StudyData
        The study with all data so far, the plan's pilot included.
    out : Path
        Where the next plan goes; not the folder of the plan.
    since : Since, optional
        Money spent, the study of before, level.

    Raises
    ------
    BadInput
        See the module's docstring.
    HealthRefusal
        If a check refuses to plan and ``how.force`` is false.
    """
    given = since or Since()
    for one in (study, given.before):
        if one is not None:
            require_recordings(one, "update")
    if out.resolve() == folder.resolve():
        raise bad(out, "", "an update is not written over the plan it updates", "Give --out a folder of its own.")
    if not 0.0 < given.level < 0.5:
        raise bad("update", "level", f"got {given.level:g}", "It must lie between 0 and 0.5, e.g. 0.05.")
    stated = None if given.spent is None else money_of(given.spent)
    old = _earlier(folder, study)
    record = None if given.registered is None else record_of(given.registered, old.plan)
    then, now = old.held, held_by(study)
    _require_more(study, then, now)
    say = given.how.progress or silent
    say("posterior")
    out.mkdir(parents=True, exist_ok=True)
    posterior = fit_study(study, study.config.study.seed, out / "posterior.nc", say)
    paid = _paid(old, then)
    problem = problem_of(study.config, posterior)
    cost = bill(problem, new_since(then, now), paid) if stated is None else stated
    left = _left(old, problem.budget, cost)
    say("monitoring")
    worthwhile = study.config.objective.worthwhile
    gains = [*(() if old.update is None else old.update.gains), *_gains(old.plan, study, given.before)]
    found = Update(
        decision="finished",
        sentence="",
        then=then,
        now=now,
        spent=float(cost),
        spent_is_estimated=given.spent is None,
        remaining=None if left is None else float(left),
        currency=study.config.budget.currency,
        beliefs=beliefs(old.posterior, posterior),
        reached=reached(old.posterior, posterior),
        monitored=monitored(gains, worthwhile * float(np.mean(posterior.explained_share)), given.level),
        gains=gains,
        deviations=exceeded(PlannedPurchase.model_validate(old.plan.allocation), new_since(then, now)),
    )
    ahead = remaining_problem(problem, _bought(old, now), paid | recorded_in(new_since(then, now)), left)
    plan, decision = next_plan(study.config, posterior, ahead, given.how)
    looks = [*old.looks, _look(now, plan, found.reached, decision)]
    sentence = said(decision, plan, found)
    course = Course(_bought(old, now), given.before is not None, given.level, worthwhile, decision)
    registered = None if record is None else against(record, course)
    made = {"decision": decision, "sentence": sentence, "looks": looks, "registered": registered}
    found = found.model_copy(update=made)
    plan = with_details(plan, update=found)
    save(plan, out)
    return plan


@dataclass(frozen=True)
class _Old:
    """The plan that is updated."""

    plan: Plan
    details: Details
    posterior: PosteriorDraws
    held: Held
    """What the study held then."""

    @property
    def update(self) -> Update | None:
        """What the plan itself was an update of."""
        return self.details.update

    @property
    def looks(self) -> list[Look]:
        """The looks of an earlier update, or the plan as the first."""
        if self.update is not None:
            return self.update.looks
        verdict = self.plan.verdict
        decision = _DECISIONS[verdict.decision] if verdict.decision else ""
        return [Look(when=self.plan.provenance.created, held=self.held, gain=verdict.gain, decision=decision)]


def _earlier(folder: Path, study: StudyData) -> _Old:
    """Return the plan of before, its posterior, and what it had."""
    plan = load(folder)
    if plan.details is None or plan.details.pilot is None:
        wrong = "it does not say what the pilot held"
        raise bad(folder / "details.json", "pilot", wrong, "Plan again with `brainworth plan`.")
    if not study.has_pilot:
        raise BadInput(
            f"{study.config.study.title}: the study has no data, so there is nothing to update the plan with."
        )
    names, planned = study.config.modality_names, tuple(plan.allocation.modalities)
    if names != planned:
        wrong = f"the plan is of {quoted_list(planned)}, the study of {quoted_list(names)}"
        right = "An update needs the same modalities in the same order; for another one, plan again."
        raise bad(study.config.study.title, "modality", wrong, right)
    if not study.config.budget.reuse_pilot:
        right = "Data bought since the plan train the final model, so an update needs reuse_pilot = true."
        raise bad(study.config.study.title, "budget > reuse_pilot", "it is false", right)
    posterior, held = earlier_posterior(study, folder / "posterior.nc"), plan.details.pilot
    if plan.details.update is not None:
        return _Old(plan, plan.details, posterior, plan.details.update.now)
    # A posterior counts samples by what they are worth where they resemble each other.
    fraction = np.array([modality.cost.usable_fraction for modality in study.config.modality])
    counted = np.asarray(posterior.pilot.samples) * fraction / np.asarray(posterior.pilot.usable)
    then = Held(
        labels=held.labels if held.labels is not None else round(float(held.n_task or 0.0)),
        samples={name: round(float(count)) for name, count in zip(names, counted, strict=True)},
        people=posterior.people,
    )
    return _Old(plan, plan.details, posterior, then)


def _require_more(study: StudyData, then: Held, now: Held) -> None:
    """Raise ``BadInput`` unless the study holds all that the plan's pilot had, and more."""
    title = study.config.study.title
    for what, before, after in (
        ("labels", {"": then.labels}, {"": now.labels}),
        ("samples", then.samples, now.samples),
        ("people", then.people, now.people),
    ):
        for name, count in before.items():
            if after[name] < count:
                where = f"{name}: " if name else ""
                wrong = f"{where}the plan's pilot had {count:,} {what}, the study has {after[name]:,}"
                raise bad(title, "", wrong, "An update needs everything collected so far, the pilot included.")
    if then == now:
        raise bad(title, "", "nothing has come in since the plan", "Add the new rows to the study's files.")


def _bought(old: _Old, now: Held) -> Held:
    """Return everything that has come in since the first plan."""
    return new_since(old.looks[0].held, now)


def _paid(old: _Old, then: Held) -> frozenset[str]:
    """Return the modalities whose setup was paid at an earlier look."""
    return recorded_in(_bought(old, then))


def _left(old: _Old, whole: Decimal | None, cost: Decimal) -> Decimal | None:
    """Return what is left of the budget at the last look, the first of which had the whole one; None without a budget."""
    before = None if old.update is None else old.update.remaining
    total = whole if before is None else Decimal(str(before))
    return None if total is None else max(total - cost, Decimal(0))


def next_plan(config: StudyConfig, posterior: PosteriorDraws, problem: Problem, how: How) -> tuple[Plan, str]:
    """Return the plan for what is left, and the decision that follows from its verdict."""
    try:
        plan = make_plan(config, posterior, problem, how)
    except Infeasible:
        if problem.budget is None:
            raise
        plan = make_plan(config, posterior, replace(problem, budget=Decimal(0)), how)
    if not plan.allocation.n_task and not plan.allocation.holds_brain_data:
        return plan, "finished" if problem.budget is not None and problem.budget <= _least(problem) else "stop"
    return plan, _DECISIONS[plan.verdict.decision or "toss_up"]


def _least(problem: Problem) -> Decimal:
    """Return the price of one label."""
    return Decimal(int(problem.task.cents(np.array([1]))[0])) * problem.cent


def _gains(plan: Plan, study: StudyData, before: StudyData | None) -> list[float]:
    """Return the paired gain of every label that is new since the study of before, in the order of the labels."""
    if before is None:
        return []
    made = plan.provenance.inputs
    if made and made != dict(before.digest):
        raise bad(
            before.config.study.title,
            "",
            "it is not the study that the plan was made from: its files differ",
            "Give the study as it was then, or leave it out; the monitoring rule is then not asked.",
        )
    return paired_gains(before.pilot, study.pilot).tolist()


def _look(now: Held, plan: Plan, found: Reached | None, decision: str) -> Look:
    return Look(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        held=now,
        gain=plan.verdict.gain,
        r2=None if found is None else found.r2,
        forecast=None if found is None else found.then,
        decision=decision,
    )


def said(decision: str, plan: Plan, found: Update) -> str:
    """Return in a few sentences whether to go on, and why."""
    parts = [f"{_WORDS[decision]}."]
    if found.remaining is not None:
        about = "about " if found.spent_is_estimated else ""
        parts.append(
            f"Of the budget, {amount(found.remaining, found.currency)} are left after {about}{amount(found.spent)} spent."
        )
    if decision not in {"finished", "stop"}:
        parts.append(plan.verdict.sentence)
    if found.reached is not None:
        kept = "as forecast" if found.reached.as_forecast else "not as forecast"
        parts.append(
            f"Within the data so far the learner reached R² = {found.reached.r2:.2f}, {kept}: the plan's posterior says "
            f"{interval(found.reached.then)}."
        )
    return " ".join(parts)
