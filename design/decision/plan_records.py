"""From an allocation to the plan that is shown and written: prices, forecasts, curves and words."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from brainworth.design.allocation.result import Purchased
from brainworth.design.common.checks import overall
from brainworth.design.common.records import with_fields
from brainworth.design.common.summaries import spread
from brainworth.design.common.version import __version__
from brainworth.design.decision.chosen_stimuli import chosen_record
from brainworth.design.decision.details_record import plan_details
from brainworth.design.decision.purchase_records import (
    allocation_record,
    cost_record,
    expected_record,
    single_studies_record,
)
from brainworth.design.decision.realised import Correction, signal_share
from brainworth.design.decision.records import plan as record
from brainworth.design.decision.rehearse import RehearsedPurchase
from brainworth.design.decision.solved import Solved
from brainworth.design.decision.wording import (
    Judged,
    beyond_controls,
    cheaper_sentence,
    stimuli_planned_for,
    verdict_sentence,
)
from brainworth.design.performance.purchase import Purchase
from brainworth.design.pilot.rules import losses
from brainworth.design.posterior.draws import PosteriorDraws


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
        posterior=believed(posterior),
        health=record.Health(status=overall(solved.checks), checks=list(solved.checks)),
        provenance=record.Provenance(
            version=__version__,
            seed=posterior.seed,
            inputs=dict(posterior.study.digest),
            losses=losses.record(posterior.study.losses),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds={name: round(value, 3) for name, value in solved.seconds.items()},
        ),
        details=plan_details(solved),
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
    tried = solved.tried
    judged = Judged(
        tried.decision,
        tried.gain,
        tried.worthwhile,
        tried.binding,
        solved.problem.currency,
        stimuli_planned_for(solved.config.objective),
        "" if solved.controls is None else beyond_controls(solved.controls, solved.result.plan.allocation),
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
    posterior: PosteriorDraws, plan: Purchased, outcomes: NDArray[np.float64], rehearsal: RehearsedPurchase | None
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
    return shown.model_copy(update={"today": _today(solved.posterior, found.correction)})


def _rival(solved: Solved, name: str, plan: Purchased) -> record.Performance:
    found = solved.tried.labels_only
    if name == "task_only" and found is not None:
        return _single_studies(solved.posterior, plan, found.outcomes, found.rehearsal)
    return _single_studies(solved.posterior, plan, plan.outcomes, None)


def _today(posterior: PosteriorDraws, correction: Correction | None) -> record.Forecast:
    """Return the forecast with the pilot alone, corrected as the plan is; without any label nothing is predicted, and R^2 is 0."""
    surface = posterior.surface()
    if float(surface.size.labels) <= 0.0:
        return single_studies_record(np.zeros(int(posterior.draws.people.shape[0])), posterior.label_variance)
    nothing = np.zeros((1, len(surface.modalities)))
    outcomes = surface.outcomes(Purchase(np.zeros(1), nothing, nothing + 1.0, nothing + 1.0))[0]
    if correction is not None:
        outcomes = correction.with_less_data(outcomes, signal_share(posterior.draws.system))
    return single_studies_record(outcomes, posterior.label_variance)


def _rehearsal(found: RehearsedPurchase) -> record.Rehearsal:
    return record.Rehearsal(
        n=found.n,
        learner=found.learner,
        explainable_r2=record.RehearsedScore(**vars(found.explainable_r2)),
        gain=None if found.gain is None else record.RehearsedGain(**vars(found.gain)),
    )


def believed(posterior: PosteriorDraws) -> record.Believed:
    """Return what a plan file says of a posterior."""
    columns = {name: spread(values) for name, values in posterior.columns().items()}
    return record.Believed(
        alignment=columns["alignment"],
        misalignment=columns["misalignment"],
        signal_variance=columns["signal_variance"],
        noise_variance=columns["noise_variance"],
        latent_dimension=columns["latent_dimension"],
        snr={name.removeprefix("snr:"): value for name, value in columns.items() if name.startswith("snr:")},
    )
