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
from brainworth.design.common.records import Number
from brainworth.design.common.summaries import Summary, spread
from brainworth.design.common.version import __version__
from brainworth.design.decision.exchange_rates import ExchangeRates
from brainworth.design.decision.learning import learning
from brainworth.design.decision.records import details as detail
from brainworth.design.decision.records import plan as record
from brainworth.design.decision.wording import assumptions, citations, methods, stimuli_planned_for, verdict_sentence
from brainworth.design.posterior.fit import Posterior
from brainworth.design.study_file.modality import Modality

SHOWN_DRAWS = 400
"""Posterior draws kept for the report."""


@dataclass(frozen=True)
class Solved:
    """A problem and its solution: everything that a plan says comes from here and from the posterior."""

    posterior: Posterior
    problem: Problem
    result: AllocationResult
    rates: ExchangeRates
    checks: Sequence[Check]
    forced: bool
    """Planned although the health check refuses."""
    seconds: Mapping[str, float]
    """By stage."""

    @property
    def budget(self) -> float:
        """The money there is; where a target is given instead, what the plan costs."""
        total = self.result.plan.bill.total if self.problem.budget is None else self.problem.budget
        return float(total)


def plan_record(solved: Solved) -> record.Plan:
    """Return the plan of a solved problem."""
    result, posterior, currency = solved.result, solved.posterior, solved.problem.currency
    alone = result.alternatives.get("task_only")
    certificate, near = result.certificate, result.near_optimal
    forecast = _forecast(posterior, result.plan.values)
    return record.Plan(
        schema_="brainworth.plan/1",
        allocation=_allocation(result.plan.allocation),
        cost=_cost(result.plan, currency),
        performance=record.Performance(explainable_r2=forecast.explainable_r2, r2=forecast.r2, expected=forecast),
        alternatives={
            name: record.Alternative(
                allocation=_allocation(other.plan.allocation),
                cost=_cost(other.plan, currency),
                performance=_performance(posterior, other.plan.values),
                regret=other.regret,
                also=list(other.also),
            )
            for name, other in result.alternatives.items()
        },
        verdict=record.Verdict(
            collect_brain_data=result.plan.allocation.holds_brain_data,
            probability=result.probability_brain_worth,
            gain=None if alone is None else spread(result.plan.values - alone.plan.values),
            sentence=verdict_sentence(result, currency, stimuli_planned_for(posterior.study.config.objective)),
        ),
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
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds={name: round(value, 3) for name, value in solved.seconds.items()},
        ),
        details=_details(solved),
    )


def _forecast(posterior: Posterior, explainable: NDArray[np.float64]) -> record.Forecast:
    system = posterior.draws.system
    signal, noise = np.asarray(system.signal_variance), np.asarray(system.noise_variance)
    return record.Forecast(explainable_r2=spread(explainable), r2=spread(explainable * signal / (signal + noise)))


def _performance(posterior: Posterior, explainable: NDArray[np.float64]) -> record.Performance:
    forecast = _forecast(posterior, explainable)
    return record.Performance(explainable_r2=forecast.explainable_r2, r2=forecast.r2)


def _allocation(allocation: Purchased) -> record.Allocation:
    return record.Allocation(
        n_task=allocation.n_task,
        modalities={name: record.Bought(**vars(bought)) for name, bought in allocation.modalities.items()},
    )


def _cost(plan: BestPurchase, currency: str) -> record.Cost:
    return record.Cost(
        total=float(plan.bill.total),
        task=float(plan.bill.task),
        modalities={name: float(money) for name, money in plan.bill.modalities.items()},
        currency=currency,
        items={
            owner: {line: float(money) for line, money in lines.items() if money}
            for owner, lines in plan.bill.items.items()
        },
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
                explainable_r2=spread(point.plan.values),
                task_only=spread((point.task_only or point.plan).values),
            )
            for point in result.frontier
        ],
        share_curve=[
            detail.SharePoint(
                brain_share=point.share,
                n_task=point.plan.allocation.n_task,
                modalities=_samples(point.plan.allocation),
                explainable_r2=spread(point.plan.values),
            )
            for point in result.share_curve
        ],
        learning=learning(posterior, result),
        exchange_curve=solved.rates.curves,
        posterior_draws=_draws(posterior, result),
        prior_draws=dict(posterior.notes.prior),
        assumptions=assumptions(posterior, result),
        methods=methods(posterior, result, solved.problem),
        citations=citations(posterior),
        marginal_value=result.marginal_value,
        cost_spread=Summary(**result.cost_spread),
    )


def _samples(allocation: Purchased) -> dict[str, int]:
    return {name: bought.n_samples for name, bought in allocation.modalities.items()}


def _draws(posterior: Posterior, result: AllocationResult) -> dict[str, list[Number]]:
    """Return some draws of what is believed, and of what the plan and labels alone reach."""
    thin = max(1, len(result.plan.values) // SHOWN_DRAWS)
    columns = {**posterior.columns(), "r2_plan": result.plan.values}
    if "task_only" in result.alternatives:
        columns["r2_task_only"] = result.alternatives["task_only"].plan.values
    return {name: values[::thin].tolist() for name, values in columns.items()}


def _pilot(posterior: Posterior) -> detail.PilotSummary:
    size, names = posterior.pilot, posterior.study.config.modality_names
    return detail.PilotSummary(
        n_task=float(size.labels),
        reused=posterior.study.config.budget.reuse_pilot and posterior.study.tables is not None,
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
