"""What the figures and tables of a report are drawn from, as the record of `details.json`."""

from __future__ import annotations

from brainworth.design.allocation import NewData
from brainworth.design.common.records import Number, with_fields
from brainworth.design.common.summaries import Summary, spread
from brainworth.design.decision.learning import learning
from brainworth.design.decision.performance_table import performance_table, reach
from brainworth.design.decision.records import details as detail
from brainworth.design.decision.records.performance_table import PerformanceTable
from brainworth.design.decision.rehearsed_plan import RehearsedSplit
from brainworth.design.decision.solved import Solved
from brainworth.design.decision.split_contest import Difference
from brainworth.design.decision.wording import assumptions, citations, label_count, methods, stimuli_planned_for
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.study_file.modality import Modality

SHOWN_DRAWS = 400
"""Posterior draws kept for the report."""


def plan_details(solved: Solved) -> detail.Details:
    """Return the details of a plan."""
    posterior, result = solved.posterior, solved.result
    config = solved.config
    aim = config.objective
    found = detail.Details(
        schema_="brainworth.details/1",
        title=config.study.title,
        forced=solved.forced,
        objective=detail.PlanObjective(
            utility=aim.utility, level=aim.level, target=aim.target, stimuli=stimuli_planned_for(aim)
        ),
        task=detail.PlanTask(kind=config.task.kind, cost_per_label=config.task.cost_per_label.high),
        currency=solved.problem.currency,
        budget=solved.budget,
        pilot=_pilot(posterior, reused=config.budget.reuse_pilot),
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
        assumptions=assumptions(config, posterior, result),
        methods=methods(config, posterior, result, solved.problem),
        citations=citations(config),
        marginal_value=result.marginal_value,
        cost_spread=Summary(**result.cost_spread),
        performance_table=_table(solved),
    )
    more = {"controls": solved.controls, "rehearsed_splits": _splits(solved)}
    return with_fields(found, **{name: value for name, value in more.items() if value is not None})


def _splits(solved: Solved) -> detail.RehearsedSplits | None:
    """Return the contest of splits, its means counted from the mean that the plan states."""
    splits, planned = solved.tried.splits, solved.result.plan.allocation
    if splits is None:
        return None
    stated = float(solved.tried.plan.outcomes.mean())
    everyone = (splits.formula, *splits.others)
    above = next((stated - one.mean for one in everyone if one.plan.allocation == planned), 0.0)

    def row(one: RehearsedSplit, difference: Difference | None) -> detail.RehearsedSplit:
        bought = one.plan.allocation
        return detail.RehearsedSplit(
            n_task=bought.n_task,
            modalities=_samples(bought),
            subjects={name: one.subjects for name, one in bought.modalities.items()},
            cost=float(one.plan.bill.total),
            n=one.rehearsal.n,
            explainable_r2=one.mean + above,
            difference=None if difference is None else difference.mean,
            se=None if difference is None else difference.se,
            planned=bought == planned,
        )

    return detail.RehearsedSplits(
        formula=row(splits.formula, None), others=[row(one, one.difference) for one in splits.others]
    )


def _table(solved: Solved) -> PerformanceTable:
    alone = solved.result.alternatives.get("task_only")
    labels = max(solved.result.plan.allocation.n_task, 0 if alone is None else alone.plan.allocation.n_task)
    return performance_table(solved.posterior.surface(), reach(solved.problem, labels=labels, money=solved.budget))


def _samples(allocation: NewData) -> dict[str, int]:
    return {name: bought.n_samples for name, bought in allocation.modalities.items()}


def _draws(solved: Solved) -> dict[str, list[Number]]:
    """Return some draws of what is believed, and of what single studies of the plan and of labels alone reach."""
    columns = dict(solved.posterior.columns()) | {"r2_plan": solved.tried.plan.outcomes}
    if solved.tried.labels_only is not None:
        columns["r2_task_only"] = solved.tried.labels_only.outcomes
    thin = {name: max(1, len(values) // SHOWN_DRAWS) for name, values in columns.items()}
    return {name: values[:: thin[name]].tolist() for name, values in columns.items()}


def _pilot(posterior: PosteriorDraws, *, reused: bool) -> detail.PilotSummary:
    size = posterior.pilot
    return detail.PilotSummary(
        n_task=float(size.labels),
        labels=label_count(posterior),
        reused=reused and posterior.study.has_pilot,
        modalities={
            name: detail.PilotModality(
                n_samples=float(size.samples[m]),
                subjects=posterior.people[name],
                channels=float(posterior.draws.system.channels[m]),
            )
            for m, name in enumerate(posterior.modalities)
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
