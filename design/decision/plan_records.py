"""From an allocation to the plan that is shown and written: prices, forecasts, curves and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from brainworth.design.allocation import Allocation as Purchased
from brainworth.design.allocation import AllocationResult, Problem
from brainworth.design.allocation.result import Plan as BestPurchase
from brainworth.design.common.checks import Check, overall
from brainworth.design.common.records import Number, with_fields
from brainworth.design.common.summaries import Summary, spread
from brainworth.design.common.version import __version__
from brainworth.design.decision.cheaper import Cheaper
from brainworth.design.decision.chosen_stimuli import chosen_record
from brainworth.design.decision.exchange_rates import ExchangeRates
from brainworth.design.decision.learning import learning
from brainworth.design.decision.performance_table import performance_table, reach
from brainworth.design.decision.purchase_records import (
    allocation_record,
    cost_record,
    expected_record,
    single_studies_record,
)
from brainworth.design.decision.records import details as detail
from brainworth.design.decision.records import plan as record
from brainworth.design.decision.records.performance_table import PerformanceTable
from brainworth.design.decision.rehearse import Rehearsal
from brainworth.design.decision.rehearsed_plan import Tried
from brainworth.design.decision.wording import (
    Judged,
    assumptions,
    cheaper_sentence,
    citations,
    label_count,
    methods,
    stimuli_planned_for,
    verdict_sentence,
)
from brainworth.design.performance.purchase import Purchase
from brainworth.design.pilot.rules import losses
from brainworth.design.posterior.fit import Posterior
from brainworth.design.study_file.modality import Modality

SHOWN_DRAWS = 400
"""Posterior draws kept for the report."""


@dataclass(frozen=True)
class Solved:
    """A problem and its solution: everything that a plan says comes from here and from the posterior."""

    posterior: Posterior
    problem: Problem
    tried: Tried
    cheaper: Cheaper | None
    """Nearly as good for less money."""
    rates: ExchangeRates
    checks: Sequence[Check]
    forced: bool
    """Planned although the health check refuses."""
    seconds: Mapping[str, float]
    """By stage."""

    @property
    def result(self) -> AllocationResult:
        """The allocation that is planned."""
        return self.tried.result

    @property
    def budget(self) -> float:
        """The money there is; where a target is given instead, what the plan costs."""
        total = self.result.plan.bill.total if self.problem.budget is None else self.problem.budget
        return float(total)


def plan_record(solved: Solved) -> record.Plan:
    """Return the plan of a solved problem."""
    result, posterior, currency = solved.result, solved.posterior, solved.problem.currency
    certificate, near = result.certificate, result.near_optimal
    chosen = chosen_record(posterior, result.plan.allocation.n_task)
    plan = record.Plan(
        schema_="brainworth.plan/1",
        allocation=allocation_record(result.plan.allocation),
        cost=cost_record(result.plan.bill, currency),
        performance=_performance(solved),
        alternatives={
            name: record.Alternative(
                allocation=allocation_record(other.plan.allocation),
                cost=cost_record(other.plan.bill, currency),
                performance=_rival(solved, name, other.plan),
                regret=other.regret,
                also=list(other.also),
            )
            for name, other in result.alternatives.items()
        },
        verdict=_verdict(solved),
        exchange_rate=solved.rates.rates,
        near_optimal=record.NearOptimal(tolerance=near.tolerance, n_task=near.n_task, modalities=dict(near.modalities)),
        certificate=record.Certificate(
            objective=certificate.objective,
            bound=certificate.bound,
            gap=certificate.gap,
            method=certificate.method,
        ),
        posterior=_believed({name: spread(values) for name, values in posterior.columns().items()}),
        health=record.Health(status=overall(solved.checks), checks=list(solved.checks)),
        provenance=record.Provenance(
            version=__version__,
            seed=posterior.study.config.study.seed,
            inputs=dict(posterior.study.digest),
            losses=losses.record(posterior.study.losses),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds={name: round(value, 3) for name, value in solved.seconds.items()},
        ),
        details=_details(solved),
    )
    more = {"chosen_stimuli": chosen, "cheaper": _cheaper(solved)}
    return with_fields(plan, **{name: value for name, value in more.items() if value is not None})


def _cheaper(solved: Solved) -> record.Cheaper | None:
    found, currency = solved.cheaper, solved.problem.currency
    if found is None:
        return None
    return record.Cheaper(
        allocation=allocation_record(found.purchase.allocation),
        cost=cost_record(found.purchase.bill, currency),
        explainable_r2=spread(found.purchase.outcomes),
        loss=found.loss,
        sentence=cheaper_sentence(found, solved.result.plan.bill, currency),
    )


def _verdict(solved: Solved) -> record.Verdict:
    tried, aim = solved.tried, solved.posterior.study.config.objective
    judged = Judged(
        tried.decision,
        tried.gain,
        tried.worthwhile,
        tried.binding,
        solved.problem.currency,
        stimuli_planned_for(aim),
    )
    return record.Verdict(
        decision=tried.decision,
        collect_brain_data=solved.result.plan.allocation.holds_brain_data,
        probability=tried.gain.probability,
        gain=spread(tried.gains),
        worthwhile=tried.worthwhile,
        binding=list(tried.binding),
        judged=allocation_record(solved.result.rival.plan.allocation) if solved.result.rival.plan else None,
        sentence=verdict_sentence(solved.result, judged),
    )


def _single_studies(
    posterior: Posterior, plan: BestPurchase, outcomes: NDArray[np.float64], rehearsal: Rehearsal | None
) -> record.Performance:
    """Return what one laboratory reads off, and beside it the average over such laboratories."""
    labels = posterior.label_variance
    forecast = single_studies_record(outcomes, labels)
    return record.Performance(
        explainable_r2=forecast.explainable_r2,
        r2=forecast.r2,
        expected=expected_record(plan.expected, labels),
        rehearsal=None if rehearsal is None else _rehearsal(rehearsal),
    )


def _performance(solved: Solved) -> record.Performance:
    found = solved.tried.plan
    shown = _single_studies(solved.posterior, solved.result.plan, found.outcomes, found.rehearsal)
    return shown.model_copy(update={"today": _today(solved.posterior)})


def _rival(solved: Solved, name: str, plan: BestPurchase) -> record.Performance:
    found = solved.tried.labels_only
    if name == "task_only" and found is not None:
        return _single_studies(solved.posterior, plan, found.outcomes, found.rehearsal)
    return _single_studies(solved.posterior, plan, plan.outcomes, None)


def _today(posterior: Posterior) -> record.Forecast:
    """Return the forecast with the pilot alone; without any label nothing is predicted, and R^2 is 0."""
    surface = posterior.surface()
    if float(surface.size.labels) <= 0.0:
        return single_studies_record(np.zeros(int(posterior.draws.people.shape[0])), posterior.label_variance)
    nothing = np.zeros((1, len(surface.modalities)))
    outcomes = surface.outcomes(Purchase(np.zeros(1), nothing, nothing + 1.0, nothing + 1.0))[0]
    return single_studies_record(outcomes, posterior.label_variance)


def _rehearsal(found: Rehearsal) -> record.Rehearsal:
    return record.Rehearsal(
        n=found.n,
        learner=found.learner,
        explainable_r2=record.RehearsedScore(**vars(found.explainable_r2)),
        gain=None if found.gain is None else record.RehearsedGain(**vars(found.gain)),
    )


def _believed(columns: Mapping[str, Summary]) -> record.Believed:
    return record.Believed(
        alignment=columns["alignment"],
        misalignment=columns["misalignment"],
        signal_variance=columns["signal_variance"],
        noise_variance=columns["noise_variance"],
        latent_dimension=columns["latent_dimension"],
        snr={name.removeprefix("snr:"): value for name, value in columns.items() if name.startswith("snr:")},
    )


def _details(solved: Solved) -> detail.Details:
    posterior, result = solved.posterior, solved.result
    config = posterior.study.config
    aim = config.objective
    return detail.Details(
        schema_="brainworth.details/1",
        title=config.study.title,
        forced=solved.forced,
        objective=detail.Objective(
            utility=aim.utility, level=aim.level, target=aim.target, stimuli=stimuli_planned_for(aim)
        ),
        task=detail.Task(kind=config.task.kind, cost_per_label=config.task.cost_per_label.high),
        currency=solved.problem.currency,
        budget=solved.budget,
        pilot=_pilot(posterior),
        prices=detail.Prices(
            task=config.task.cost_per_label.high, modalities={m.name: _prices(m) for m in config.modality}
        ),
        frontier=[
            detail.FrontierPoint(
                budget=float(point.budget),
                n_task=point.plan.allocation.n_task,
                modalities=_samples(point.plan.allocation),
                explainable_r2=spread(point.plan.outcomes),
                task_only=spread((point.task_only or point.plan).outcomes),
            )
            for point in result.frontier
        ],
        share_curve=[
            detail.SharePoint(
                brain_share=point.share,
                n_task=point.plan.allocation.n_task,
                modalities=_samples(point.plan.allocation),
                explainable_r2=spread(point.plan.outcomes),
            )
            for point in result.share_curve
        ],
        learning=learning(posterior, result),
        exchange_curve=solved.rates.curves,
        posterior_draws=_draws(solved),
        prior_draws=dict(posterior.notes.prior),
        assumptions=assumptions(posterior, result),
        methods=methods(posterior, result, solved.problem),
        citations=citations(posterior),
        marginal_value=result.marginal_value,
        cost_spread=Summary(**result.cost_spread),
        performance_table=_table(solved),
    )


def _table(solved: Solved) -> PerformanceTable:
    alone = solved.result.alternatives.get("task_only")
    labels = max(solved.result.plan.allocation.n_task, 0 if alone is None else alone.plan.allocation.n_task)
    return performance_table(solved.posterior.surface(), reach(solved.problem, labels=labels, money=solved.budget))


def _samples(allocation: Purchased) -> dict[str, int]:
    return {name: bought.n_samples for name, bought in allocation.modalities.items()}


def _draws(solved: Solved) -> dict[str, list[Number]]:
    """Return some draws of what is believed, and of what single studies of the plan and of labels alone reach."""
    columns = dict(solved.posterior.columns()) | {"r2_plan": solved.tried.plan.outcomes}
    if solved.tried.labels_only is not None:
        columns["r2_task_only"] = solved.tried.labels_only.outcomes
    thin = {name: max(1, len(values) // SHOWN_DRAWS) for name, values in columns.items()}
    return {name: values[:: thin[name]].tolist() for name, values in columns.items()}


def _pilot(posterior: Posterior) -> detail.PilotSummary:
    size, names = posterior.pilot, posterior.study.config.modality_names
    return detail.PilotSummary(
        n_task=float(size.labels),
        labels=label_count(posterior),
        reused=posterior.study.config.budget.reuse_pilot and posterior.study.has_pilot,
        modalities={
            name: detail.PilotModality(
                n_samples=float(size.samples[m]),
                subjects=posterior.people[name],
                channels=float(posterior.draws.system.channels[m]),
            )
            for m, name in enumerate(names)
        },
    )


def _prices(modality: Modality) -> detail.ModalityPrices:
    cost = modality.cost
    return detail.ModalityPrices(
        per_sample=cost.per_sample.high,
        per_session=cost.per_session.high,
        samples_per_session=cost.samples_per_session,
        per_subject=cost.per_subject.high,
        setup=cost.setup.high,
        per_hour=cost.per_hour.high,
        hours_per_session=cost.hours_per_session,
        billing_quantum_minutes=cost.billing_quantum_minutes,
        cancellation=cost.cancellation,
        attrition=cost.attrition,
        usable_fraction=cost.usable_fraction,
    )
