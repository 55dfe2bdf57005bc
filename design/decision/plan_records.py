"""The two records of a plan: ``plan.json``, which is the contract, and ``details.json``, which the report draws.

In: posterior, allocation, exchange rates, health checks. Out: plain dictionaries. What can go wrong: nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainworth.design.allocation import Allocation, AllocationResult
from brainworth.design.allocation.result import Plan as Purchased
from brainworth.design.common.summaries import spread
from brainworth.design.common.version import __version__
from brainworth.design.decision import health
from brainworth.design.decision.exchange_rates import Exchange
from brainworth.design.decision.learning import learning
from brainworth.design.decision.wording import assumptions, citations, methods, stimuli_planned_for, verdict_sentence
from brainworth.design.posterior.fit import Posterior

SHOWN_DRAWS = 400
"""Posterior draws kept for the report."""


def _performance(posterior: Posterior, explainable: NDArray[np.float64]) -> dict[str, Any]:
    system = posterior.draws.system
    signal, noise = np.asarray(system.signal_variance), np.asarray(system.noise_variance)
    return {"explainable_r2": spread(explainable), "r2": spread(explainable * signal / (signal + noise))}


def _allocation(allocation: Allocation) -> dict[str, Any]:
    return {
        "n_task": allocation.n_task,
        "modalities": {
            name: {
                "n_samples": bought.n_samples,
                "subjects": bought.subjects,
                "sessions": bought.sessions,
                "stimuli": bought.stimuli,
                "repeats": bought.repeats,
            }
            for name, bought in allocation.modalities.items()
        },
    }


def _cost(plan: Purchased, currency: str) -> dict[str, Any]:
    return {
        "total": float(plan.bill.total),
        "task": float(plan.bill.task),
        "modalities": {name: float(money) for name, money in plan.bill.modalities.items()},
        "currency": currency,
        "items": {
            owner: {line: float(money) for line, money in lines.items() if money}
            for owner, lines in plan.bill.items.items()
        },
    }


def plan_record(
    posterior: Posterior,
    result: AllocationResult,
    rates: Exchange,
    checks: list[health.Check],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Return what ``plan.json`` holds; ``seconds`` by stage."""
    config = posterior.study.config
    currency = config.budget.currency
    columns = {name: spread(values) for name, values in posterior.columns().items()}
    certificate = result.certificate
    return {
        "schema": "brainworth.plan/1",
        "allocation": _allocation(result.plan.allocation),
        "cost": _cost(result.plan, currency),
        "performance": _performance(posterior, result.plan.values),
        "alternatives": {
            name: {
                "allocation": _allocation(other.plan.allocation),
                "cost": _cost(other.plan, currency),
                "performance": _performance(posterior, other.plan.values),
                "regret": other.regret,
                "also": list(other.also),
            }
            for name, other in result.alternatives.items()
        },
        "verdict": {
            "collect_brain_data": result.plan.allocation.holds_brain_data,
            "probability": result.probability_brain_worth,
            "sentence": verdict_sentence(result, currency, stimuli_planned_for(config.objective)),
        },
        "exchange_rate": rates.rates,
        "near_optimal": {
            "tolerance": result.near_optimal.tolerance,
            "n_task": list(result.near_optimal.n_task),
            "modalities": {name: list(pair) for name, pair in result.near_optimal.modalities.items()},
        },
        "certificate": {
            "objective": certificate.objective,
            "bound": certificate.bound,
            "gap": certificate.gap,
            "method": certificate.method,
        },
        "posterior": {name: value for name, value in columns.items() if not name.startswith("snr:")}
        | {"snr": {name.removeprefix("snr:"): value for name, value in columns.items() if name.startswith("snr:")}},
        "health": health.record(checks),
        "provenance": {
            "version": __version__,
            "seed": config.study.seed,
            "inputs": dict(posterior.study.digest),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
        },
    }


def plan_details(
    posterior: Posterior, result: AllocationResult, rates: Exchange, *, forced: bool, budgeted: bool
) -> dict[str, Any]:
    """Return what ``details.json`` holds; ``forced`` past the health check, ``budgeted`` or the cheapest for a target."""
    config, size = posterior.study.config, posterior.pilot
    thin = max(1, len(result.plan.values) // SHOWN_DRAWS)
    draws = {name: values[::thin].tolist() for name, values in posterior.columns().items()}
    draws["r2_plan"] = result.plan.values[::thin].tolist()
    if "task_only" in result.alternatives:
        draws["r2_task_only"] = result.alternatives["task_only"].plan.values[::thin].tolist()
    prior = posterior.notes.get("prior", {})
    return {
        "schema": "brainworth.details/1",
        "title": config.study.title,
        "forced": forced,
        "objective": {
            "utility": config.objective.utility,
            "level": config.objective.level,
            "target": config.objective.target,
            "stimuli": stimuli_planned_for(config.objective),
        },
        "task": {"kind": config.task.kind, "cost_per_label": config.task.cost_per_label.high},
        "currency": config.budget.currency,
        "budget": float(result.plan.bill.total) if config.budget.total is None else config.budget.total,
        "pilot": {
            "n_task": float(size.labels),
            "modalities": {
                name: {
                    "n_samples": float(size.samples[m]),
                    "subjects": int(posterior.notes.get("people", {}).get(name, 0)),
                    "channels": float(posterior.draws.system.channels[m]),
                }
                for m, name in enumerate(config.modality_names)
            },
        },
        "prices": {
            "task": config.task.cost_per_label.high,
            "modalities": {
                m.name: {
                    "per_sample": m.cost.per_sample.high,
                    "per_session": m.cost.per_session.high,
                    "samples_per_session": m.cost.samples_per_session,
                    "per_subject": m.cost.per_subject.high,
                    "setup": m.cost.setup.high,
                    "per_hour": m.cost.per_hour.high,
                    "hours_per_session": m.cost.hours_per_session,
                    "billing_quantum_minutes": m.cost.billing_quantum_minutes,
                    "cancellation": m.cost.cancellation,
                    "attrition": m.cost.attrition,
                    "usable_fraction": m.cost.usable_fraction,
                }
                for m in config.modality
            },
        },
        "frontier": [
            {
                "budget": float(point.budget),
                "n_task": point.plan.allocation.n_task,
                "modalities": {name: b.n_samples for name, b in point.plan.allocation.modalities.items()},
                "explainable_r2": spread(point.plan.values),
                "task_only": spread((point.task_only or point.plan).values),
            }
            for point in result.frontier
        ],
        "share_curve": [
            {
                "brain_share": point.share,
                "n_task": point.plan.allocation.n_task,
                "modalities": {name: b.n_samples for name, b in point.plan.allocation.modalities.items()},
                "explainable_r2": spread(point.plan.values),
            }
            for point in result.share_curve
        ],
        "learning": learning(posterior, result),
        "exchange_curve": rates.curves,
        "posterior_draws": draws,
        "prior_draws": dict(prior),
        "assumptions": assumptions(posterior, result),
        "methods": methods(posterior, result, budgeted=budgeted),
        "citations": citations(posterior),
        "marginal_value": result.marginal_value,
        "cost_spread": result.cost_spread,
    }
