"""The best plans with one modality each, over budgets and beliefs, from priors alone.

In: a study without a pilot. Out: best plans by what may be bought, and rows that describe them. Errors: a budget that buys
nothing (``Infeasible``).
"""

# pyright: reportAttributeAccessIssue=false
# (SciPy's results have no annotations)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from brainworth.design.allocation.restricted import Restricted
from brainworth.design.allocation.result import ModalityPurchase, Purchased
from brainworth.design.decision.plan import problem_of
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.literature import total_snr
from brainworth.design.study_file.config import StudyConfig, parse_study

CROWD = [0.03, 0.27]
"""USD for a rating of 10 to 60 seconds, at 8 to 12 USD an hour and a fee of a third of it."""
WORTHWHILE = 0.01
"""Explainable R² that is worth the trouble of recording: the default of the study file."""
LABELS, ALL = "labels only", "all four"
BELIEFS = {
    "snr 1": "as in the literature priors",
    "snr 3": "every signal-to-noise ratio three times as high",
    "snr 0.333": "every signal-to-noise ratio a third as high",
    "alignment 0.5 0.9": "alignment around 0.7 (the default: anywhere, 0.4 on average)",
    "alignment 0.05 0.3": "alignment around 0.2",
    "crowd labels": "labels cost 0.03 to 0.27 USD, not 10 to 25",
}


def changed(record: Mapping[str, Any], belief: str) -> dict[str, Any]:
    """Return the study with other beliefs or prices; ``belief`` is one of ``BELIEFS``."""
    config = {**record, "priors": {**record["priors"]}, "task": {**record["task"]}}
    if belief.startswith("snr"):
        factor, plain = float(belief.removeprefix("snr")), parse_study(dict(record))
        stated = {name: total_snr(plain, name).interval(plain.priors.max_latents) for name in plain.modality_names}
        config["priors"]["modality"] = {
            name: {"snr": [factor * low, factor * high]} for name, (low, high) in stated.items()
        }
    elif belief.startswith("alignment"):
        config["priors"]["alignment"] = [float(part) for part in belief.split()[1:]]
    elif belief == "crowd labels":
        config["task"]["cost_per_label"] = CROWD
    return config


def best_plans(config: StudyConfig, posterior: PosteriorDraws, budget: float) -> dict[str, Purchased]:
    """Return the best plan with labels only, with labels and one modality each, and with all four, for one budget."""
    problem, surface = problem_of(config, posterior, budget), posterior.surface()
    names = problem.names
    found: dict[str, Purchased] = {}
    for name, kept in [*((name, (m,)) for m, name in enumerate(names)), (ALL, tuple(range(len(names))))]:
        found[name], found[LABELS] = Restricted.of(problem, surface, kept).best(1.0)
    # The search has no proof: a plan with one modality is a plan of all four, and may be the better one.
    found[ALL] = max((plan for name, plan in found.items() if name != LABELS), key=lambda plan: plan.utility)
    return {LABELS: found.pop(LABELS), **found}


def _words(name: str, bought: ModalityPurchase) -> str:
    people = "1 person" if bought.subjects == 1 else f"{bought.subjects} people"
    return f"{bought.n_samples:,} {name} ({people})"


def described(plans: Mapping[str, Purchased]) -> list[dict[str, Any]]:
    """Return one row per plan: what is bought, performance, gain over labels only and how probable a worthwhile one is."""
    labels = plans[LABELS]
    singles = [name for name in plans if name != ALL]
    winner = np.argmax([plans[name].values for name in singles], axis=0)
    found: list[dict[str, Any]] = []
    for name, plan in plans.items():
        gain, bought = plan.values - labels.values, plan.allocation.modalities.items()
        q05, q95 = np.quantile(plan.values, [0.05, 0.95])
        found.append({
            "modality": name,
            "labels": plan.allocation.n_task,
            "bought": ", ".join(_words(m, b) for m, b in bought if b.n_samples) or "none",
            "brain": plan.allocation.holds_brain_data,
            "mean": plan.mean,
            "q05": q05,
            "q95": q95,
            "gain": float(gain.mean()),
            "gain_q05": float(np.quantile(gain, 0.05)),
            "gain_q95": float(np.quantile(gain, 0.95)),
            "probability": float((gain >= WORTHWHILE).mean()) if plan.allocation.holds_brain_data else 0.0,
            "best": float((winner == singles.index(name)).mean()) if name in singles else np.nan,
        })  # fmt: skip
    return found


def shares(config: StudyConfig, posterior: PosteriorDraws, budget: float) -> list[dict[str, Any]]:
    """Return the share of the gain's variance over draws that each belief goes with (squared rank correlation).

    The gain is that of a purchase that spends half of the budget on one modality, over labels alone.
    """
    columns = posterior.columns()
    signal = columns["signal_variance"] / (columns["signal_variance"] + columns["noise_variance"])
    problem, surface = problem_of(config, posterior, budget), posterior.surface()
    found: list[dict[str, Any]] = []
    for m, name in enumerate(problem.names):
        part = Restricted.of(problem, surface, (m,))
        half, (_, alone) = part.example(), part.best(1.0)
        if half is None:
            continue
        gain = half.values - alone.values
        beliefs = {"alignment": columns["alignment"], "snr": columns[f"snr:{name}"], "explainable": signal}
        squared = {key: float(spearmanr(values, gain).statistic) ** 2 for key, values in beliefs.items()}
        found.append({"modality": name, "gain": float(gain.mean()), **squared})
    return found
