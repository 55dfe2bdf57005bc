"""From a posterior to a plan, and from a study file to a finished folder.

In: ``Posterior``. Out: ``Plan``: the two records that everything else is made of, ``plan.json`` (the contract) and
``details.json`` (what the report draws). What can go wrong: a refused pilot (``HealthRefusal``), nothing that fits
(``Infeasible``). Files are written whole or not at all; the posterior is saved first, so that a run that was
interrupted goes on from there.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from brainworth import __version__
from brainworth.design import health
from brainworth.design.allocation import Allocation, AllocationResult, Conditions, allocate, constrained
from brainworth.design.allocation.from_config import problem_from_config
from brainworth.design.allocation.result import Plan as Purchased
from brainworth.design.errors import HealthRefusal
from brainworth.design.files import remove_leftovers, write_atomic
from brainworth.design.learning import learning
from brainworth.design.posterior import Posterior, fit_study
from brainworth.design.round_plan import rounds_record
from brainworth.design.study import Study
from brainworth.design.summaries import spread
from brainworth.design.wording import assumptions, citations, methods, verdict_sentence
from brainworth.models.exchange import marginal_rates, replaced_labels
from brainworth.models.forecast import Order

EXCHANGE_DRAWS = 200
"""Posterior draws used for exchange rates."""
SHOWN_DRAWS = 400
"""Posterior draws kept for the report."""


@dataclass(frozen=True)
class Plan:
    """A finished plan."""

    record: Mapping[str, Any]
    """What ``plan.json`` holds."""
    details: Mapping[str, Any]
    """What ``details.json`` holds."""

    def __getitem__(self, key: str) -> Any:
        return self.record[key]

    def _repr_html_(self) -> str:
        rows = [("labels", self.record["allocation"]["n_task"], self.record["cost"]["task"])]
        rows += [
            (name, entry["n_samples"], self.record["cost"]["modalities"][name])
            for name, entry in self.record["allocation"]["modalities"].items()
        ]
        body = "".join(f"<tr><td>{html.escape(n)}</td><td>{c}</td><td>{m:,.2f}</td></tr>" for n, c, m in rows)
        currency = html.escape(self.record["cost"]["currency"])
        return (
            f"<p>{html.escape(self.record['verdict']['sentence'])}</p>"
            f"<table><tr><th>buy</th><th>number</th><th>{currency}</th></tr>{body}</table>"
        )


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


@dataclass(frozen=True)
class Exchange:
    """Exchange rates at a plan, and their curves."""

    rates: dict[str, Any]
    curves: dict[str, Any]


def _order(allocation: Allocation) -> Order:
    bought = list(allocation.modalities.values())
    return Order(
        n_task=jnp.asarray(float(allocation.n_task)),
        samples=jnp.asarray([float(b.n_samples) for b in bought]),
        subjects=jnp.asarray([float(max(b.subjects, 1)) for b in bought]),
        repeats=jnp.asarray([float(max(b.repeats, 1)) for b in bought]),
    )


def exchange_rates(posterior: Posterior, result: AllocationResult) -> Exchange:
    """Return labels per recorded brain sample at the plan, and the price at which a sample is worth its money.

    ``average``: labels that all bought samples of a modality replace, per sample (per sample of a trial purchase of the
    plan's number of labels, if none is bought). ``break_even_price``: the best such rate over sizes of purchase, times
    the price of a label: above it, no purchase of that modality pays.
    """
    surface = posterior.surface()
    step = max(1, surface.n_draws // EXCHANGE_DRAWS)
    draws = surface.chosen(None if step == 1 else slice(0, None, step))
    order = _order(result.plan.allocation)
    config = posterior.study.config
    rise = (1.0 + config.budget.escalation) ** config.budget.years_ahead
    label_price = config.task.cost_per_label.high * config.task.raters * rise
    rates: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    at_margin = np.asarray(marginal_rates(draws, surface.size, order))
    for m, (name, bought) in enumerate(result.plan.allocation.modalities.items()):
        base = float(bought.n_samples or max(result.plan.allocation.n_task, 100))
        sizes = base * np.array([0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0])
        replaced = np.asarray(replaced_labels(draws, surface.size, order, jnp.asarray(m), jnp.asarray(sizes)))
        per_sample = replaced / sizes[:, None]
        rates[name] = {
            "marginal": spread(at_margin[:, m]),
            "average": spread(per_sample[4]),
            "break_even_price": spread(per_sample.max(axis=0) * label_price),
        }
        curves[name] = [
            {"n_brain": float(n), "equivalent_labels": spread(row)} for n, row in zip(sizes, replaced, strict=True)
        ]
    return Exchange(rates, curves)


def _silent(_stage: str) -> None:
    """Say nothing."""


def make_plan(
    posterior: Posterior,
    *,
    budget: float | None = None,
    constraints: Conditions = (),
    rounds: int | None = None,
    force: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Plan:
    """Return the plan of a posterior.

    Parameters
    ----------
    posterior : Posterior
        What is believed.
    budget : float, optional
        Money to spend, in the study's currency; the study's budget if not given.
    constraints : sequence of LinearConstraint, or callable
        Conditions beside the study's: linear ones, or a function of CVXPY variables (``allocation.Symbols``) that returns
        CVXPY constraints, e.g. ``lambda v: [v.samples["EEG"] >= 2 * v.n_task]``.
    rounds : int, optional
        2 or 3: also say what buying in so many rounds gains; the study's ``budget.rounds`` if not given.
    force : bool
        Plan even if the health check refuses.
    progress : callable, optional
        Called with the name of each stage.

    Raises
    ------
    HealthRefusal
        If a check refuses and ``force`` is false.
    Infeasible
        If nothing fits budget and limits.
    """
    say = progress or _silent
    config = posterior.study.config
    checks = health.pilot_checks(posterior)
    if health.overall(checks) == "refuse" and not force:
        reasons = " ".join(check.sentence for check in checks if check.status == "refuse")
        raise HealthRefusal(f"The pilot's health check refuses to plan. {reasons} Use --force to plan anyway.")
    people = {name: int(posterior.notes.get("people", {}).get(name, 0)) for name in config.modality_names}
    problem = problem_from_config(config, people)
    if budget is not None:
        problem = replace(problem, budget=Decimal(str(budget)))
    problem = constrained(problem, constraints)
    say("allocation")
    watch = time.perf_counter()
    result = allocate(problem, posterior.surface())
    allocated = time.perf_counter()
    say("exchange rates")
    rates = exchange_rates(posterior, result)
    bought = {name: entry.n_samples for name, entry in result.plan.allocation.modalities.items()}
    checks += health.plan_checks(posterior, result.plan.allocation.n_task, bought)
    checks.append(health.theory_range(posterior, result.plan.allocation))
    seconds = dict(posterior.seconds) | {"allocation": allocated - watch, "exchange": time.perf_counter() - allocated}
    record = _record(posterior, result, rates, checks, seconds)
    details = _details(posterior, result, rates, forced=force and health.overall(checks) == "refuse")
    wanted = config.budget.rounds if rounds is None else rounds
    if wanted > 1:
        say("rounds")
        details["rounds"] = rounds_record(problem, posterior, wanted)
    return Plan(record=record, details=details)


def _record(
    posterior: Posterior,
    result: AllocationResult,
    rates: Exchange,
    checks: list[health.Check],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
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
            "sentence": verdict_sentence(result, currency),
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


def _details(posterior: Posterior, result: AllocationResult, rates: Exchange, *, forced: bool) -> dict[str, Any]:
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
        "methods": methods(posterior, result),
        "citations": citations(posterior),
        "marginal_value": result.marginal_value,
        "cost_spread": result.cost_spread,
    }


def plan_study(
    study: Study,
    out: Path,
    *,
    rounds: int | None = None,
    force: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Plan:
    """Fit, plan and write ``posterior.nc``, ``plan.json``, ``details.json``, ``report.html``, ``figures/`` to a folder.

    A posterior already in the folder is reused if neither inputs nor seed nor priors have changed.
    """
    from brainworth.design.report import write_report
    from brainworth.design.sensitivity import flips

    say = progress or _silent
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    say("posterior")
    posterior = fit_study(study, study.config.study.seed, out / "posterior.nc", say)
    plan = make_plan(posterior, rounds=rounds, force=force, progress=progress)
    details = {**_kept(out, plan), **plan.details}
    if "sensitivity" not in details:
        say("thresholds")
        details["sensitivity"] = {"thresholds": flips(posterior, plan.record)}
    say("report")
    plan = replace(plan, details=details)
    write_atomic(out / "details.json", _json(plan.details))
    write_atomic(out / "plan.json", _json(plan.record))
    write_report(out)
    return plan


ADDED = ("sensitivity", "regime", "voi", "compare", "comparison")
"""What other commands add to ``details.json``."""


def _kept(out: Path, plan: Plan) -> dict[str, Any]:
    """Return what other commands added to the folder's results, if they were made from the same plan."""
    try:
        record = json.loads((out / "plan.json").read_text(encoding="utf-8"))
        details = json.loads((out / "details.json").read_text(encoding="utf-8"))
        same = all(
            record[block] == json.loads(_json(plan.record[block])) for block in ("allocation", "cost", "posterior")
        )
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {name: details[name] for name in ADDED if name in details} if same else {}


def _json(value: Any) -> bytes:
    return (json.dumps(jax.tree.map(_plain, value), indent=1, allow_nan=False) + "\n").encode()


def _plain(value: Any) -> Any:
    """Return a JSON number: non-finite ones become null."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
