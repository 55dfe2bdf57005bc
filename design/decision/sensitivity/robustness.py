"""Whether prior, one kind of evidence, or one person carries the decision.

In: a decision, the log densities of its draws; for leaving people out, the study. Out: one row per perturbation: the advantage of
the best purchase with brain data over labels alone, the best purchase's share of brain money, whether the decision flips. Limits:
weights that rest on few draws; each row says on how many.

Power scaling raises the prior, or one part of the likelihood, to a power near 1 and reweights the draws (Kallioinen,
Paananen, Bürkner & Vehtari 2024, doi:10.1007/s11222-023-10366-5), here followed through to the optimum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypedDict

import numpy as np
from jaxtyping import Float

from brainworth.design.common.workers import Team, ThisProcess, count_in_words
from brainworth.design.decision.records.findings import PersonLeftOut, PowerScaled
from brainworth.design.decision.sensitivity.decision import Decision
from brainworth.design.pilot.study import StudyData
from brainworth.design.pilot.summaries.limits import require_recordings
from brainworth.design.posterior.sampled import fit_for_forecast

POWERS = (0.8, 1.25)
"""Powers that prior and likelihood are raised to."""
FEW = 50.0
"""Effective draws below which a reweighting is not to be trusted."""


class _Row(TypedDict):
    """What every row says of the decision."""

    advantage: float
    brain_share: float
    flips: bool


def _row(decision: Decision, values: Float[np.ndarray, "design draw"], usual: float) -> _Row:
    """Return advantage, best share and flip under draws of the designs' performance."""
    gain = decision.advantage(values)
    best = int(np.argmax(decision.problem.utility(values)))
    return {
        "advantage": gain,
        "brain_share": float(decision.brain_share[best]),
        "flips": decision.pays(gain) != decision.pays(usual),
    }


def _resampled(weight: Float[np.ndarray, " draw"]) -> np.ndarray:
    """Return draws by systematic resampling, in proportion to their weights; the same weights give the same draws."""
    places = (np.arange(weight.size) + 0.5) / weight.size
    return np.minimum(np.searchsorted(np.cumsum(weight / weight.sum()), places), weight.size - 1)


def power_scaled(decision: Decision, densities: Mapping[str, Float[np.ndarray, " draw"]]) -> list[PowerScaled]:
    """Return the decision with the prior, and with each part of the likelihood, weaker and stronger.

    Parameters
    ----------
    decision : Decision
        The decision.
    densities : mapping
        Log density of every draw: ``prior``, and parts of the likelihood by name.
    """
    values = decision.under()
    usual = decision.advantage(values)
    rows: list[PowerScaled] = []
    for name, log_density in densities.items():
        for power in POWERS:
            log_weight = (power - 1.0) * (log_density - log_density.max())
            weight = np.exp(log_weight - log_weight.max())
            effective = float(weight.sum() ** 2 / np.sum(weight**2))
            row = _row(decision, values[:, _resampled(weight)], usual)
            rows.append(PowerScaled(part=name, power=power, effective_draws=effective, **row))
    return rows


def without_each_person(
    study: StudyData, decision: Decision, progress: Callable[[str], None] | None = None, workers: Team | None = None
) -> list[PersonLeftOut]:
    """Return the decision as it would be had a person not been recorded, for every person of a modality with several.

    The pilot is fitted again without the person, whose samples are missing in the forecast, too.
    """
    require_recordings(study, "sensitivity --leave-one-out")
    recordings = study.pilot.recordings
    usual = decision.advantage(decision.under())
    several = [
        (index, usual)
        for index, recording in enumerate(recordings)
        if sum(other.modality == recording.modality for other in recordings) > 1
    ]
    found = (workers or ThisProcess()).results(
        without_person, several, (study, decision), count_in_words(progress, "people left out")
    )
    return list(found)


def without_person(study: StudyData, decision: Decision, index: int, usual: float) -> PersonLeftOut:
    """Return the row of one person, by the number of the recording."""
    pilot = study.pilot
    recording = pilot.recordings[index]
    rest = tuple(other for i, other in enumerate(pilot.recordings) if i != index)
    reduced = study.with_random_labels().with_pilot(replace(pilot, recordings=rest))
    posterior = fit_for_forecast(reduced, study.config.study.seed)
    surface = replace(posterior.surface(), label_worth=decision.surface.label_worth)
    values = replace(decision, surface=surface).under()
    return PersonLeftOut(modality=recording.modality, subject=recording.subject, **_row(decision, values, usual))


def sentence(scaled: list[PowerScaled], people: list[PersonLeftOut]) -> str:
    """Return what both say, in plain words."""
    if not scaled and not people:
        return ""
    words = {"prior": "the prior", "brain": "the evidence of the recordings", "task": "the evidence of the labels"}
    flips = [f"{words.get(row.part, row.part)} to the power {row.power:g}" for row in scaled if row.flips]
    flips += [f"leaving out {row.subject} ({row.modality})" for row in people if row.flips]
    weak = any((row.effective_draws or 0.0) < FEW for row in scaled)
    said = (
        f"The decision changes with {', '.join(flips)}."
        if flips
        else "Neither a weaker or stronger prior, nor weaker or stronger evidence"
        + (", nor leaving out any one person" if people else "")
        + ", changes the decision."
    )
    return said + (" Some of these rest on few draws." if weak else "")
