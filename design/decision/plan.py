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
from decimal import Decimal
from pathlib import Path
from typing import Any

import jax
import numpy as np

from brainworth.design.allocation import Conditions, Problem, allocate, constrained
from brainworth.design.allocation.from_config import problem_from_config
from brainworth.design.common.errors import HealthRefusal
from brainworth.design.common.files import remove_leftovers, write_atomic
from brainworth.design.common.progress import silent
from brainworth.design.common.workers import Team, told
from brainworth.design.decision import health
from brainworth.design.decision.exchange_rates import exchange_rates
from brainworth.design.decision.plan_records import plan_details, plan_record
from brainworth.design.decision.round_plan import rounds_record
from brainworth.design.pilot.study import Study
from brainworth.design.posterior.fit import Posterior, fit_study


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
    say = progress or silent
    config = posterior.study.config
    checks = health.pilot_checks(posterior)
    if health.overall(checks) == "refuse" and not force:
        reasons = " ".join(check.sentence for check in checks if check.status == "refuse")
        raise HealthRefusal(f"The pilot's health check refuses to plan. {reasons} Use --force to plan anyway.")
    problem = _problem(posterior, budget, constraints)
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
    record = plan_record(posterior, result, rates, checks, seconds)
    forced = force and health.overall(checks) == "refuse"
    details = plan_details(posterior, result, rates, forced=forced, budgeted=problem.budget is not None)
    wanted = config.budget.rounds if rounds is None else rounds
    if wanted > 1:
        say("rounds")
        details["rounds"] = rounds_record(problem, posterior, wanted)
    return Plan(record=record, details=details)


def _problem(posterior: Posterior, budget: float | None, constraints: Conditions) -> Problem:
    """Return what is to be solved: prices and limits of the study, with another budget or conditions of one's own."""
    config = posterior.study.config
    people = {name: int(posterior.notes.get("people", {}).get(name, 0)) for name in config.modality_names}
    problem = problem_from_config(config, people)
    if budget is not None:
        problem = replace(problem, budget=Decimal(str(budget)))
    return constrained(problem, constraints)


def plan_study(
    study: Study,
    out: Path,
    *,
    rounds: int | None = None,
    force: bool = False,
    progress: Callable[[str], None] | None = None,
    workers: Team | None = None,
) -> Plan:
    """Fit, plan and write ``posterior.nc``, ``plan.json`` and ``details.json`` to a folder.

    A posterior already in the folder is reused if neither inputs nor seed nor priors have changed. ``workers`` share the
    simulated first rounds; the plan is the same whoever works.
    """
    from brainworth.design.decision.sensitivity import flips

    say = progress or silent
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    say("posterior")
    posterior = fit_study(study, study.config.study.seed, out / "posterior.nc", say)
    plan = make_plan(posterior, rounds=1, force=force, progress=progress)
    details = {**_kept(out, plan), **plan.details}
    wanted = study.config.budget.rounds if rounds is None else rounds
    if wanted > 1:
        say("rounds")
        details["rounds"] = rounds_record(
            _problem(posterior, None, ()), posterior, wanted, told(workers, progress, "first rounds")
        )
    if "sensitivity" not in details:
        say("thresholds")
        details["sensitivity"] = {"thresholds": flips(posterior, plan.record)}
    plan = replace(plan, details=details)
    write_atomic(out / "details.json", _json(plan.details))
    write_atomic(out / "plan.json", _json(plan.record))
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
