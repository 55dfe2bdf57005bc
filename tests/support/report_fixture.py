"""Saved results of made-up plans, as `brainworth plan` writes them: typical ones and ones that try to break a report.

The numbers come from a toy performance function, so that curves, intervals and costs agree with each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from brainworth.design.performance.purchase import Purchase
    from brainworth.design.performance.surface import PosteriorSurface

HOSTILE = "<script>alert(1)</script>"
NASTY_NAMES = (
    "</script><img src=x onerror=alert(1)>",
    '"; DROP TABLE & $\\frac{1}$',
    "脑电 {{ 7*7 }} <b>EEG</b>",
)
_ALL = ("EEG", "MEG", "fMRI", "ECoG", "fNIRS", "eye tracking")
_CASES = {
    "two": ("EEG", "fMRI"),
    "one": ("EEG",),
    "six": _ALL,
    "none": ("EEG", "fMRI"),
    "hostile": NASTY_NAMES,
}
BUDGET = 25_000.0
CASES = tuple(_CASES)
DECISIONS = {"two": "collect", "one": "toss_up", "six": "collect", "none": "labels_only", "hostile": None}
"""Verdict by case; a plan of an earlier version has none."""


def write(directory: Path, case: str = "two") -> Path:
    """Write `plan.json` and `details.json` of one case, and return the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    plan, details = build(case)
    (directory / "plan.json").write_text(json.dumps(plan))
    (directory / "details.json").write_text(json.dumps(details))
    return directory


def build(case: str = "two") -> tuple[dict[str, Any], dict[str, Any]]:
    """Make both saved files of one case: ``two``, ``one``, ``six``, ``none`` or ``hostile``."""
    names = _CASES[case]
    toy = _Toy(names, pays=case != "none")
    return _plan(toy, BUDGET, case), _details(toy, BUDGET, case)


class _Toy:
    """A toy performance function: brain samples sharpen a share of the task, labels teach the rest."""

    def __init__(self, names: tuple[str, ...], *, pays: bool) -> None:
        rng = np.random.default_rng(4)
        self.names = names
        self.alignment = rng.beta(14, 10, 400) if pays else rng.beta(1.5, 40, 400)
        self.noise = rng.lognormal(0.6, 0.18, 400)
        self.snr = {name: rng.lognormal(-1.0 - 0.35 * i, 0.35, 400) for i, name in enumerate(names)}
        self.label_price = 6.0
        self.sample_price = {name: 0.9 + 0.7 * i for i, name in enumerate(names)}
        shares = np.linspace(0, 0.8, 33) if pays else np.zeros(1)
        self.best_share = float(max(shares, key=lambda share: self.r2(*self.buy(BUDGET, share)).mean()))

    def r2(self, n_task: float | np.ndarray, brain: Mapping[str, float | np.ndarray]) -> np.ndarray:
        seen = sum((self.snr[name] * n for name, n in brain.items()), np.zeros(400))
        learned = self.alignment * seen / (seen + 300.0)
        rest = (1 - learned) * n_task / (n_task + 900.0 * self.noise)
        return learned * n_task / (n_task + 60.0 * self.noise) + rest

    def buy(self, budget: float, share: float) -> tuple[int, dict[str, int]]:
        each = share * budget / len(self.names)
        brain = {name: int(each / self.sample_price[name]) for name in self.names}
        return int((1 - share) * budget / self.label_price), brain


def summary(values: np.ndarray) -> dict[str, float]:
    """Mean, quantiles."""
    q05, q50, q95 = np.quantile(values, [0.05, 0.5, 0.95])
    return {"mean": float(values.mean()), "q05": float(q05), "q50": float(q50), "q95": float(q95)}


def _plan(toy: _Toy, budget: float, case: str) -> dict[str, Any]:
    n_task, brain = toy.buy(budget, toy.best_share)
    alone, _ = toy.buy(budget, 0.0)
    bought = {
        name: {"n_samples": n, "subjects": 6 if n else 0, "sessions": 12 if n else 0, "stimuli": n // 2, "repeats": 2}
        for name, n in brain.items()
    }
    cost = {name: toy.sample_price[name] * n for name, n in brain.items()}
    best, only = toy.r2(n_task, brain), toy.r2(alone, {})
    collect = case != "none"
    said = (
        f"Buy {n_task:,} labels and {sum(brain.values()):,} brain samples: explainable R² {best.mean():.2f} instead of "
        f"{only.mean():.2f} with labels only."
        if collect
        else f"Spend the whole budget on {n_task:,} labels: brain data are not worth their price here."
    )
    rate = {
        name: {
            "marginal": summary(0.2 * toy.snr[name]),
            "average": summary(0.35 * toy.snr[name]),
            "break_even_price": summary(2.2 * toy.snr[name] * toy.label_price),
        }
        for name in toy.names
    }
    return {
        "schema": "brainworth.plan/1",
        "allocation": {"n_task": n_task, "modalities": bought},
        "cost": {
            "total": n_task * toy.label_price + sum(cost.values()),
            "task": n_task * toy.label_price,
            "modalities": cost,
            "currency": "USD",
            "items": {name: {"sessions": 0.75 * c, "subjects": 0.25 * c} for name, c in cost.items()},
        },
        "performance": _performance(toy, best, only, case),
        "alternatives": {
            "task_only": {
                "allocation": {"n_task": alone, "modalities": {}},
                "performance": {"explainable_r2": summary(only), "r2": summary(0.4 * only)},
                "regret": float(best.mean() - only.mean()),
            },
            "half_and_half": _half_and_half(toy, budget, float(best.mean())),
        },
        "verdict": {
            "decision": DECISIONS[case],
            "collect_brain_data": collect,
            "probability": 0.93 if collect else 0.07,
            "gain": summary(best - only),
            "worthwhile": 0.01,
            "binding": ["EEG: max_subjects = 6"] if case == "six" else [],
            "sentence": said,
        },
        "exchange_rate": rate,
        "near_optimal": {
            "tolerance": 0.005,
            "n_task": [int(0.7 * n_task), int(min(1.2 * n_task, alone))],
            "modalities": {name: [int(0.6 * n), int(1.3 * n + 100)] for name, n in brain.items()},
        },
        "certificate": {
            "objective": float(best.mean()),
            "bound": float(best.mean()) + 0.002,
            "gap": 0.002,
            "method": "branch and bound on the monotone surface",
        },
        "posterior": {
            "alignment": summary(toy.alignment),
            "misalignment": summary(1 - toy.alignment),
            "signal_variance": summary(1.0 + 0.0 * toy.noise),
            "noise_variance": summary(toy.noise),
            "latent_dimension": {"mean": 3.2, "q05": 2.0, "q50": 3.0, "q95": 5.0},
            "snr": {name: summary(values) for name, values in toy.snr.items()},
        },
        "health": {
            "status": "warn",
            "checks": [
                {"name": "convergence", "status": "ok", "value": 1.004, "threshold": 1.01,
                 "sentence": "The four chains agree (R-hat 1.004)."},
                {"name": "label count", "status": "warn", "value": 180, "threshold": 200,
                 "sentence": "180 labels leave the label noise uncertain; 200 or more would be better."},
                {"name": "learning curve", "status": "ok", "value": 0.4, "threshold": 2.0,
                 "sentence": "The fitted model predicts the pilot's own learning curve within 0.4 standard errors."},
            ],
        },
        "provenance": {
            "version": "0.1.0",
            "seed": 0,
            "inputs": {
                "<u>study.toml" if case == "hostile" else "study.toml": "a" * 64,
                "labels.csv": "b" * 64,
                "recordings/eeg.csv": "0123456789abcdef" * 4,
            },
            "created": "2026-01-01T00:00:00Z",
            "seconds": {"read": 0.4, "posterior": 31.0, "allocation": 6.2, "details": 12.0},
        },
    }  # fmt: skip


def _performance(toy: _Toy, best: np.ndarray, only: np.ndarray, case: str) -> dict[str, Any]:
    """Single studies, with the average over them; a rehearsal in two of the cases."""
    both = {"explainable_r2": summary(best), "r2": summary(0.4 * best)}
    won = best - only
    rehearsal = {
        "n": 200,
        "learner": "BrainInformedRegressor",
        "explainable_r2": {**summary(best - 0.01), "se": 0.002},
        "gain": {"mean": float(won.mean()), "se": 0.001, "q05": -0.02, "q95": 0.2, "probability": 0.91},
    }
    today = toy.r2(180, dict.fromkeys(toy.names, 60.0))
    return {
        **both,
        "expected": both,
        "today": {"explainable_r2": summary(today), "r2": summary(0.4 * today)},
        "rehearsal": rehearsal if case in ("two", "hostile") else None,
    }


def _half_and_half(toy: _Toy, budget: float, utility: float) -> dict[str, Any]:
    n_task, brain = toy.buy(budget, 0.5)
    r2 = toy.r2(n_task, brain)
    return {
        "allocation": {"n_task": n_task, "modalities": {name: {"n_samples": n} for name, n in brain.items()}},
        "performance": {"explainable_r2": summary(r2), "r2": summary(0.4 * r2)},
        "regret": utility - float(r2.mean()),
    }


def _details(toy: _Toy, budget: float, case: str) -> dict[str, Any]:
    titles = {"hostile": HOSTILE, "none": "Reaction times, EEG and fMRI pilot"}
    budgets = np.linspace(2_500, 60_000, 14)
    frontier = []
    for money in budgets:
        shares = np.linspace(0, 0.8, 17) if toy.best_share else np.zeros(1)
        share = max(shares, key=lambda s: toy.r2(*toy.buy(money, s)).mean())
        n_task, brain = toy.buy(money, share)
        frontier.append(
            {
                "budget": float(money),
                "n_task": n_task,
                "modalities": brain,
                "explainable_r2": summary(toy.r2(n_task, brain)),
                "task_only": summary(toy.r2(toy.buy(money, 0.0)[0], {})),
            }
        )
    curve = []
    for share in np.linspace(0, 1, 21):
        n_task, brain = toy.buy(budget, share)
        r2 = summary(toy.r2(n_task, brain))
        curve.append({"brain_share": float(share), "n_task": n_task, "modalities": brain, "explainable_r2": r2})
    grid = [int(n) for n in np.geomspace(50, 10_000, 12)]
    amounts = {"no brain data": 0.0, "as planned": toy.best_share, "twice the plan": 2 * toy.best_share}
    curves = [
        {"label": label, "explainable_r2": [summary(toy.r2(n, toy.buy(budget, share)[1])) for n in grid]}
        for label, share in amounts.items()
    ]
    n_brain = [int(n) for n in np.linspace(0, 8_000, 12)]
    exchange = {
        name: [
            {
                "n_brain": n,
                "equivalent_labels": summary(900 * toy.alignment * toy.snr[name] * n / (toy.snr[name] * n + 900)),
            }
            for n in n_brain
        ]
        for name in toy.names
    }
    return {
        "schema": "brainworth.details/1",
        "marginal_value": 2.1e-6,
        "cost_spread": {"mean": 23_100.0, "q05": 21_400.0, "q50": 23_000.0, "q95": 24_900.0},
        "title": titles.get(case, "Reading, EEG and fMRI pilot"),
        "forced": case == "hostile",
        "task": {"kind": "regression", "cost_per_label": toy.label_price},
        "currency": "USD",
        "budget": budget,
        "pilot": {
            "n_task": 120.0,
            "labels": 180,
            "modalities": {
                name: {"n_samples": 600, "subjects": 8, "channels": 32, "stimuli": 40} for name in toy.names
            },
        },
        "prices": _prices(toy),
        "frontier": frontier,
        "share_curve": curve,
        "learning": _learning(toy, grid, curves),
        "objective": {"utility": "mean", "level": 0.1, "target": None},
        "exchange_curve": exchange,
        "posterior_draws": _draws(toy, budget),
        "performance_table": _table(toy),
        "rehearsed_splits": _splits(toy, budget) if case == "two" else None,
        **_decision(toy),
        **_prose(toy),
    }


def _splits(toy: _Toy, budget: float) -> dict[str, Any]:
    """Return the plan, which is the best by the formula, and half as much for brain data."""
    rows = []
    for share, n, difference in ((toy.best_share, 200, None), (0.5 * toy.best_share, 50, -0.012)):
        n_task, brain = toy.buy(budget, share)
        rows.append(
            {
                "n_task": n_task,
                "modalities": brain,
                "subjects": dict.fromkeys(brain, 6),
                "cost": budget - 10.0,
                "n": n,
                "explainable_r2": float(toy.r2(n_task, brain).mean()),
                "difference": difference,
                "se": None if difference is None else 0.004,
                "planned": difference is None,
            }
        )
    return {"formula": rows[0], "others": rows[1:]}


def _learning(toy: _Toy, grid: list[int], curves: list[dict[str, Any]]) -> dict[str, Any]:
    brain = toy.buy(BUDGET, toy.best_share or 0.25)[1]
    factors = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
    cells = [
        [summary(toy.r2(n, {name: factor * count for name, count in brain.items()})) for n in grid]
        for factor in factors
    ]
    keys = ("mean", "q05", "q95")
    return {
        "n_task_grid": grid,
        "curves": curves,
        "samples": brain,
        "surface": {"n_brain": [factor * sum(brain.values()) for factor in factors]}
        | {key: [[cell[key] for cell in row] for row in cells] for key in keys},
    }


def _table(toy: _Toy) -> dict[str, Any]:
    """Make the table that the planner searches."""
    from brainworth.design.allocation.costs import ModalityLimits  # conftest imports this module before it sets JAX up
    from brainworth.design.decision.performance_table import Reach, performance_table

    limits = dict.fromkeys(toy.names, ModalityLimits(max_sessions_per_subject=6))
    extent = Reach(16_000, dict.fromkeys(toy.names, 80_000), limits)
    return performance_table(cast("PosteriorSurface", _ToySurface(toy)), extent).model_dump()


class _ToySurface:
    """The toy as a surface; more people are a little better, up to a point, and 20 labels are known already."""

    studies = 1

    def __init__(self, toy: _Toy) -> None:
        self.toy, self.modalities = toy, toy.names
        self.size = SimpleNamespace(labels=180.0, samples=[600.0] * len(toy.names))
        self.draws = SimpleNamespace(people=np.zeros((400, 1)))

    def expected(self, purchase: Purchase, draws: slice) -> np.ndarray:
        counted = purchase.samples * (0.5 + 0.1 * np.log(purchase.subjects))
        brain = dict(zip(self.toy.names, counted.T[..., None], strict=True))
        return self.toy.r2(purchase.n_task[:, None] + 20, brain)[:, draws]

    outcomes = expected


def _prices(toy: _Toy) -> dict[str, Any]:
    price = {
        "per_session": 300.0,
        "samples_per_session": 600,
        "per_subject": 40.0,
        "setup": 0.0,
        "hours_per_session": 1.5,
        "usable_fraction": 0.9,
    }
    return {
        "task": toy.label_price,
        "modalities": {name: {"per_sample": toy.sample_price[name], **price} for name in toy.names},
    }


def _draws(toy: _Toy, budget: float) -> dict[str, list[float]]:
    rng = np.random.default_rng(5)
    n_task, brain = toy.buy(budget, toy.best_share)
    columns = {
        "alignment": toy.alignment,
        "signal_variance": rng.lognormal(0, 0.1, 400),
        "noise_variance": toy.noise,
        "latent_dimension": rng.poisson(2.2, 400) + 1.0,
        **{f"snr:{name}": values for name, values in toy.snr.items()},
        "r2_plan": 0.4 * toy.r2(n_task, brain),
        "r2_task_only": 0.4 * toy.r2(toy.buy(budget, 0.0)[0], {}),
    }
    return {name: [float(v) for v in values] for name, values in columns.items()}


def _decision(toy: _Toy) -> dict[str, Any]:
    rng = np.random.default_rng(6)
    alignment, price = np.linspace(0.02, 0.98, 24), np.geomspace(0.02, 5.0, 24)
    share = np.clip(0.9 * np.sqrt(alignment)[:, None] - 0.22 - 0.62 * np.log10(price)[None, :], 0, 0.85)
    gain = np.clip(0.4 * alignment[:, None] ** 2 - 0.05 - 0.1 * np.log10(price)[None, :], 0, 0.6)
    cloud = np.stack([toy.alignment[:200], 0.2 * rng.lognormal(0, 0.12, 200)], axis=1)
    parameters = ["alignment", "noise_variance", "signal_variance", *(f"snr:{name}" for name in toy.names)]
    base = float(toy.r2(*toy.buy(BUDGET, toy.best_share)).mean())
    tornado = [
        {
            "parameter": p,
            "low": 0.2 + i,
            "high": 0.7 + i,
            "utility_low": base - 0.06 / (i + 1),
            "utility_high": base + 0.05 / (i + 1),
        }
        for i, p in enumerate(parameters)
    ]
    sobol = [
        {"parameter": p, "first": 0.5 / (i + 1) ** 1.5, "total": 0.6 / (i + 1) ** 1.4} for i, p in enumerate(parameters)
    ]
    known = {"mean": toy.label_price, "q05": toy.label_price, "q50": toy.label_price, "q95": toy.label_price}
    thresholds = [
        {"parameter": "alignment", "unit": "", "believed": summary(toy.alignment), "value": 0.11, "pays": "above",
         "probability_beyond": 0.07, "sentence": "New brain data pay where the alignment is above 0.11."},
        {"parameter": "price_of_a_label", "unit": "USD", "believed": known, "value": 0.8, "pays": "above",
         "probability_beyond": 0.0, "sentence": "New brain data pay where a label costs more than 0.8 USD."},
        *({"parameter": f"price_of_hour:{name}", "unit": "USD", "believed": known, "value": None, "pays": None,
           "probability_beyond": 0.0, "sentence": "No price of an hour flips the decision."} for name in toy.names),
    ]  # fmt: skip
    evppi = [{"parameter": p, "value": 0.004 / (i + 1), "se": 0.0004, "money": 900.0} for i, p in enumerate(parameters)]
    evsi = [
        {
            "label": f"{n} {what}",
            "kind": kind,
            "factor": n / 180,
            "cost": 6.0 * n,
            "value": 0.004 * n / (n + 200),
            "se": 0.0003,
            "most": 0.005,
            "net": 0.004 * n / (n + 200) - 4e-6 * n,
            "net_se": 0.0003,
            "net_money": 100.0 - n / 10,
            "net_money_se": 20.0,
        }
        for kind, what in [("labels", "labels"), *((f"people of {m}", f"samples of {m}") for m in toy.names[:2])]
        for n in (100, 300, 1000)
    ]
    compare = [
        {
            "name": name,
            "buys": {"labels": 900, name: 2400},
            "explainable_r2": summary(0.6 * toy.alignment),
            "probability_worth_it": 0.81,
            "r2_per_money": summary(0.00001 * toy.snr[name]),
            "exchange": summary(0.35 * toy.snr[name]),
            "break_even": summary(2.2 * toy.snr[name] * toy.label_price),
        }
        for name in toy.names
    ]
    return {
        "regime": {
            "alignment": alignment.tolist(),
            "price_ratio": price.tolist(),
            "share": share.tolist(),
            "gain": gain.tolist(),
            "label_noise": 1.8,
            "panels": [{"label_noise": n, "gain": (f * gain).tolist()} for n, f in ((0.6, 0.5), (5.4, 1.5))],
            "posterior": cloud.tolist(),
            "posterior_noise": toy.noise[:200].tolist(),
        },
        "sensitivity": {
            "tornado": tornado,
            "sobol": sobol,
            "thresholds": thresholds,
            "robustness": "The decision changes with leaving out <u>p7</u> (EEG).",
        },
        "voi": {
            "evpi": 0.006,
            "evpi_money": 1500.0,
            "evppi": evppi,
            "evsi": evsi,
            "best": None,
            "best_sizes": evsi[1::3],
            "unit": "explainable R²",
            "sentence": "No larger pilot is worth its cost.",
        },
        "compare": compare,
        "comparison": {
            "shift": 2.0,
            "curves": {
                name: [
                    {"budget": b, "explainable_r2": summary((0.1 * i + b / 90_000) * toy.alignment)}
                    for b in (5_000.0, 25_000.0, 75_000.0)
                ]
                for i, name in enumerate(("labels only", *toy.names, "together"))
            },
            "order_changes": [{"budget": 9_000.0, "below": n, "above": toy.names[0]} for n in toy.names[1:2]],
        },
        "controls": _controls(toy.names),
        "update": _update(toy.names),
        "near_optimal_points": [],
    }


def _controls(names: tuple[str, ...]) -> dict[str, Any]:
    """The recordings of the first modality exceed their controls, those of the others do not."""
    arms = ("labels alone", "shuffled", "surrogate", "stimulus only")
    return {
        "schema": "brainworth.controls/1",
        "modalities": {
            name: {
                "r2": 0.31, "r2_se": 0.03, "latents": 2.4, "exceeds": i == 0,
                "arms": [{"name": arm, "r2": 0.31 - gain, "gain": gain, "gain_se": 0.02}
                         for arm, gain in zip(arms, np.linspace(0.05, 0.09, 4) - 0.06 * (i > 0), strict=True)],
                "sentence": f"{name} teaches more than any control." if i == 0 else f"{name} cannot be told from a control.",
            }
            for i, name in enumerate(names)
        },
        "labels": 180, "groups": 60, "splits": 3, "level": 1.67,
        "alignment": summary(np.linspace(0.2, 0.8, 50)), "shuffled_alignment": summary(np.linspace(0.0, 0.3, 50)),
    }  # fmt: skip


def _update(names: tuple[str, ...]) -> dict[str, Any]:
    """Two looks after an earlier plan: what came in was as forecast, and the rule is open."""
    held = [
        {"labels": 180 * n, "samples": dict.fromkeys(names, 600 * n), "people": dict.fromkeys(names, n)}
        for n in (1, 2, 3)
    ]
    gain = summary(np.linspace(-0.01, 0.09, 50))
    forecast = summary(np.linspace(0.2, 0.5, 50))
    looks: list[dict[str, Any]] = [
        {"when": "2026-01-05T10:00:00+00:00", "held": held[0], "gain": gain, "decision": "go_on"}
    ]
    looks += [
        {"when": f"2026-0{n + 1}-05T10:00:00+00:00", "held": held[n], "gain": gain, "r2": 0.3 + 0.02 * n, "forecast": forecast,
         "decision": "go_on"}
        for n in (1, 2)
    ]  # fmt: skip
    return {
        "schema": "brainworth.update/1",
        "decision": "go_on",
        "sentence": f"Go on with brain data of {names[0]}. Of the budget, 9,000 USD are left.",
        "then": held[1], "now": held[2], "spent": 4_200.0, "spent_is_estimated": True, "remaining": 9_000.0, "currency": "USD",
        "beliefs": {
            name: {"then": summary(np.linspace(0.2, 0.8, 50)), "now": summary(np.linspace(0.3, 0.6, 50))}
            for name in ("alignment", f"snr:{names[0]}", "explainable share")
        },
        "reached": {"share": 0.67, "r2": 0.34, "r2_se": 0.04, "then": forecast, "now": forecast},
        "monitored": {"decision": "go on", "labels": 360, "low": -0.1, "high": 0.2, "worthwhile": 0.004, "level": 0.05,
                      "sentence": "Whether the recordings so far gain what is worthwhile is open."},
        "gains": [0.01, -0.02], "looks": looks, "deviations": ["200 labels came in, 180 were planned."],
    }  # fmt: skip


def _prose(toy: _Toy) -> dict[str, Any]:
    return {
        "assumptions": [
            {"text": "New stimuli come from the same source as the pilot's.", "checkable": False, "checked": ""},
            {"text": "Label noise is the same for every stimulus.", "checkable": True,
             "checked": "Residual spread does not grow with the prediction (p = 0.40)."},
            {"text": "The brain's latents are linear in the features given.", "checkable": True,
             "checked": "The fitted model predicts the pilot's learning curve."},
        ],
        "methods": [
            f"Sample sizes were planned with brainworth 0.1.0 from 180 pilot labels and {len(toy.names)} modalities. "
            "A hierarchical Bayesian model was fitted by NUTS (4 chains), and the explainable R² of the two-stage "
            "learner was computed for every posterior draw from the deterministic equivalent of Gaussian regression.",
            "The allocation maximises expected explainable R² within the budget; a branch-and-bound certificate shows "
            "that no feasible allocation is better by more than 0.002.",
        ],
        "citations": [
            "Lewis, Wang, Schwab & Pitkow. How Much is Brain Data Worth for Machine Learning? arXiv:2605.09243.",
            "Phan, Pradhan & Jankowiak (2019). Composable effects for flexible and accelerated probabilistic "
            "programming in NumPyro.",
        ],
    }  # fmt: skip
