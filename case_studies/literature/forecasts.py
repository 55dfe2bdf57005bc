"""What the priors of brainworth forecast for a published result, and whether the result agrees.

In: a ``Result`` with numbers enough. Out: a ``Forecast``: the share of the remaining error that brain data remove, as one paper
would report it. Assumptions that a paper leaves open are listed with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from published import Result, sign_of
from scipy.special import ndtri

from brainworth.design.api import Study
from brainworth.design.performance.purchase import Purchase
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study
from brainworth.models.theory.binary import sign_system

DIMENSION, EXPONENT = 300, 1.0
"""Features if a paper does not count them, and how their variances fall: as in ``modality_costs``."""
BASELINE_WIDTH = 0.05
"""Width of the kernel by which draws are weighted for their score without brain data."""
LEAST_DRAWS = 30.0
"""Fewest effective draws of a forecast that knows the score without brain data."""
WORTHWHILE = 0.01
"""Smallest gain in explainable R^2 that is worth the trouble: the default of a study."""
BELIEVER: dict[str, Any] = {"alignment": [0.9, 0.99], "snr": [100.0, 300.0]}
"""Priors of the deliberately wrong twin: every task is what the brain encodes, and recordings are almost free of noise."""


@dataclass(frozen=True)
class Reported:
    """What a paper would report, in shares of the remaining error."""

    mean: float
    q05: float
    q95: float
    positive: float
    """Probability that the report is a gain beyond its error."""
    zero: float
    """Probability that it is within its error."""

    @property
    def sign(self) -> str:
        """The most probable sign."""
        negative = 1.0 - self.positive - self.zero
        return max((self.zero, "0"), (self.positive, "+"), (negative, "-"))[1]

    def probability(self, sign: str) -> float:
        """Return the probability of a sign."""
        return {"+": self.positive, "0": self.zero}.get(sign, 1.0 - self.positive - self.zero)


@dataclass(frozen=True)
class Forecast:
    """The forecast of one published result."""

    result: Result
    gain: tuple[float, float, float]
    """Gain in explainable R^2: mean, 5 % and 95 % quantiles over prior draws."""
    worthwhile: float
    """Probability that it is at least ``WORTHWHILE``."""
    reported: Reported
    """From priors and sample sizes alone."""
    given_baseline: Reported | None
    """If the score without brain data is known, too; ``None`` if it cannot be compared, or the priors hardly reach it."""
    assumptions: tuple[str, ...]

    @property
    def sign_agrees(self) -> bool:
        """Whether the published sign is the most probable one."""
        return self.reported.sign == self.result.published_sign

    @property
    def size_agrees(self) -> bool:
        """Whether the published gain lies in the 90 % interval."""
        return self.reported.q05 <= self.result.removed <= self.reported.q95

    @property
    def sharp_agrees(self) -> bool | None:
        """The same for the interval that knows the score without brain data."""
        known = self.given_baseline
        return None if known is None else known.q05 <= self.result.removed <= known.q95


def assumptions(result: Result) -> tuple[str, ...]:
    """Return what a paper leaves open, and what is taken instead."""
    found = [f"variances of the features fall as i^-{EXPONENT:g}"]
    if "features" not in result.values:
        found.append(f"{DIMENSION} features")
    if "channels" not in result.values:
        found.append("the prior's number of channels")
    if not {"spread", "low"} & result.values.keys():
        found.append("error of one point")
    if result.study["kind"] == "unknown":
        found.append("prior of an unknown kind of recording")
    return tuple(found)


def study_record(result: Result, priors: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the study file that a published result implies: no pilot, sample sizes as limits, prices of one.

    Parameters
    ----------
    result : Result
        A published result.
    priors : mapping, optional
        ``alignment`` and ``snr`` as 90 % intervals, instead of the literature's.
    """
    name, values = result.study["modality"], result.values
    modality: dict[str, Any] = {} if result.study["kind"] == "unknown" else {"kind": result.study["kind"]}
    if "channels" in values:
        modality["channels"] = int(values["channels"])
    own: dict[str, Any] = {
        "dimension": int(values.get("features", DIMENSION)),
        "spectrum_exponent": EXPONENT,
        "modality": {name: modality},
    }
    if priors is not None:
        own["alignment"] = priors["alignment"]
        modality["snr"] = priors["snr"]
    return {
        "study": {"title": f"{result.study['authors']} {result.study['year']}: {result.task}", "seed": 0},
        "task": {"kind": "regression", "cost_per_label": 1.0},
        "modality": [
            {
                "name": name,
                "new_subjects": True,
                "cost": {"per_session": 1.0, "samples_per_session": max(1, int(values["n_brain"] / values["people"]))},
                "design": {"shared_stimuli": bool(result.study.get("shared", False))},
            }
        ],
        "budget": {"total": values["n_task"] + values["people"]},
        "priors": own,
    }


def posterior_of(record: Mapping[str, Any], folder: Path) -> PosteriorDraws:
    """Return the prior of a study file, written to a folder of its own, in the form of a posterior."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(tomli_w.dumps(dict(record)), encoding="utf-8")
    study = Study.from_file(folder / "study.toml")
    return fit_study(study, study.config.study.seed)


def explainable(posterior: PosteriorDraws, result: Result, *, signs: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return explainable R^2 without and with brain data, by draw; of the signs of labels if asked."""
    surface, values = posterior.surface_unshifted(), result.values
    if signs:
        surface = replace(surface, draws=replace(surface.draws, system=sign_system(surface.draws.system)))
    column = np.array([[0.0], [values["n_brain"]]])
    ones = np.ones_like(column)
    purchase = Purchase(
        n_task=np.full(2, values["n_task"]),
        samples=column,
        subjects=values["people"] * ones,
        repeats=values.get("repeats", 1.0) * ones,
    )
    found = np.asarray(surface.expected(purchase))
    return found[0], found[1]


def scores(explained: np.ndarray, share: np.ndarray, *, signs: bool) -> np.ndarray:
    """Return R^2, or the accuracy of signs, from explainable R^2 and the share of the labels that features can explain."""
    r2 = np.clip(explained, 0.0, 1.0) * share
    return 1.0 - np.arccos(np.sqrt(r2)) / np.pi if signs else r2


def reported(removed: np.ndarray, error: float, weight: np.ndarray) -> Reported:
    """Return what a paper would report of gains by draw (weighted), its own error added."""
    noise = error * ndtri((np.arange(40) + 0.5) / 40)
    seen = (removed[:, None] + noise).reshape(-1)
    weights = np.repeat(weight / weight.sum(), noise.size) / noise.size
    order = np.argsort(seen)
    level = np.cumsum(weights[order]) - 0.5 * weights[order]
    low, high = np.interp((0.05, 0.95), level, seen[order])
    signs = np.array([sign_of(value, error) for value in seen])
    return Reported(
        mean=float(weights @ seen),
        q05=float(low),
        q95=float(high),
        positive=float(weights[signs == "+"].sum()),
        zero=float(weights[signs == "0"].sum()),
    )


def forecast(result: Result, folder: Path, priors: Mapping[str, Any] | None = None) -> Forecast:
    """Return what priors forecast for a published result.

    Parameters
    ----------
    result : Result
        A result with numbers enough (``forecastable``).
    folder : path
        Where the study file that it implies is written.
    priors : mapping, optional
        Other priors than the literature's (``study_record``).
    """
    posterior = posterior_of(study_record(result, priors), folder)
    plain = explainable(posterior, result, signs=False)
    signs, share = result.scale == "signs", posterior.explained_share
    without, informed = (scores(part, share, signs=signs) for part in explainable(posterior, result, signs=signs))
    removed = (informed - without) / (1.0 - without)
    even = np.ones(removed.size)
    gain = plain[1] - plain[0]
    known = None
    if result.scale != "rough":
        weight = np.exp(-0.5 * ((without - result.score("baseline")) / BASELINE_WIDTH) ** 2)
        if weight.sum() ** 2 / (weight @ weight) >= LEAST_DRAWS:
            known = reported(removed, result.error, weight)
    return Forecast(
        result=result,
        gain=(float(gain.mean()), float(np.quantile(gain, 0.05)), float(np.quantile(gain, 0.95))),
        worthwhile=float((gain >= WORTHWHILE).mean()),
        reported=reported(removed, result.error, even),
        given_baseline=known,
        assumptions=assumptions(result),
    )
