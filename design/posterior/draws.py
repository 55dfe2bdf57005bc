"""What is believed after the pilot, as draws that the forecast can use: how chains, a prior or a known system become it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from brainworth.design.performance.surface import PosteriorSurface
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.chosen_labels import ChosenLabels
from brainworth.design.posterior.literature import snr_before
from brainworth.design.posterior.notes import Notes, SnrBefore
from brainworth.models.forecast.forecast import Draws, PilotSize
from brainworth.models.forecast.label_variance import LabelVariance
from brainworth.models.forecast.people import new_people
from brainworth.models.forecast.predictive import Predictive, predictive
from brainworth.models.pilot.likeness import draws_of_quantiles
from brainworth.models.pilot.typed_labels import labels_in_all
from brainworth.models.posterior.chains import Chains
from brainworth.models.posterior.likelihoods import PRESENCE
from brainworth.models.posterior.this_world import systems_of_draws
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import Spectrum

if TYPE_CHECKING:
    import pandas as pd


FORECAST_DRAWS = 1000
"""Posterior draws a forecast averages over."""


@dataclass(frozen=True)
class PosteriorDraws:
    """What is believed after the pilot."""

    study: StudyData
    """The study it is the posterior of."""
    draws: Draws
    """Draws in the form of the forecast; one draw, certain, for a known system."""
    pilot: PilotSize
    """What the pilot brings."""
    label_scale: float
    """Standard deviation of the labels, in their unit; variances are in squares of it."""
    modalities: tuple[str, ...]
    """Names of the modality axis of draws and pilot."""
    seed: int
    """What it was drawn with; whatever is random about its forecasts starts from the same."""
    data: Any = None
    """ArviZ data: ``InferenceData`` or ``DataTree``; ``None`` for a known system."""
    notes: Notes = field(default_factory=Notes)
    """What the health checks read: diagnostics, accuracies, sizes."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Time spent, by stage."""
    type_share: float | None = None
    """Share of the label noise that tokens of a type have in common, posterior mean; none without types."""

    def surface(self) -> PosteriorSurface:
        """Return explainable R^2 as a function of a purchase, under the shifts the study plans for.

        A plan for the mean looks at averages over studies; one for a quantile, a probability or a confidence at single studies.
        """
        aim, budget = self.study.config.objective, self.study.config.budget
        single = aim.utility != "mean" or budget.total is None
        return replace(self.surface_unshifted(), shift=aim.shift, shifts=tuple(aim.shifts), single_studies=single)

    def surface_unshifted(self) -> PosteriorSurface:
        """Return explainable R^2 as a function of a purchase on stimuli of the pilot's kind: what a lab can check."""
        size = self.pilot
        if not self.study.config.budget.reuse_pilot:
            size = replace(size, samples=jnp.zeros_like(size.samples), labels=jnp.zeros(()))
        worth = None if self.chosen_labels is None else self.chosen_labels.worth
        return PosteriorSurface(self.modalities, self.draws, size, label_worth=worth)

    @cached_property
    def chosen_labels(self) -> ChosenLabels | None:
        """The stimuli that labels are for and what choosing them is worth; none if labels are for random stimuli.

        Computed when it is first asked for: a pass over the pilot, and a choice.
        """
        candidates = self.study.candidates
        return None if candidates is None else ChosenLabels.of(cast("Any", self), candidates, self.study.config)

    @cached_property
    def expected(self) -> Predictive:
        """What the pilot is expected to show, by draw."""
        kept = jnp.asarray(self.notes.fold_efficiency)
        return predictive(self.draws.system, self.draws.people, self.pilot, kept)

    @property
    def snr_before(self) -> Mapping[str, SnrBefore]:
        """What was believed of each modality's signal-to-noise ratio before the pilot."""
        return self.notes.snr_before or snr_before(self.study.config)

    @property
    def people(self) -> dict[str, int]:
        """People in the pilot of each modality; 0 without a pilot."""
        return {name: self.notes.people.get(name, 0) for name in self.modalities}

    @property
    def label_variance(self) -> LabelVariance:
        """Variance of the labels, by draw, and how much that of one world may differ: not at all if a pilot has shown it."""
        return LabelVariance.of(self.draws.system, seen=self.study.has_pilot and float(self.pilot.labels) > 0.0)

    @property
    def explained_share(self) -> NDArray[np.float64]:
        """Share of the labels' variance that features can explain at all, by draw."""
        return self.label_variance.explained_share

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Return draws of the quantities that the plan file summarises, in the labels' unit."""
        system, unit = self.draws.system, self.label_scale**2
        alignment = np.asarray(system.alignment).sum(axis=1)
        snr = np.asarray(system.snr)
        best = snr.max(axis=1)
        return {
            "alignment": alignment,
            "misalignment": 1.0 - alignment,
            "signal_variance": np.asarray(system.signal_variance) * unit,
            "noise_variance": np.asarray(system.noise_variance) * unit,
            "latent_dimension": np.sum(best / (best + PRESENCE), axis=1),
        } | {f"snr:{name}": snr[:, m].sum(axis=1) for m, name in enumerate(self.modalities)}

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per draw: alignment, misalignment, variances, latent dimension, snr of each modality."""
        import pandas as pd

        return pd.DataFrame(self.columns())

    def summary(self) -> pd.DataFrame:
        """Return mean, 5 %, 50 % and 95 % quantiles of every column of ``to_dataframe``."""
        frame = self.to_dataframe()
        table = frame.quantile([0.05, 0.5, 0.95]).T
        table.columns = ["q05", "q50", "q95"]
        table.insert(0, "mean", frame.mean())
        return table


def kept_draws(count: int) -> NDArray[np.int64]:
    """Return which of the chains' draws a forecast averages over."""
    return np.linspace(0, count - 1, min(FORECAST_DRAWS, count)).astype(np.int64)


def assembled(
    study: StudyData,
    chains: Chains,
    constants: Mapping[str, np.ndarray],
    notes: Notes,
    *,
    seed: int,
    seconds: Mapping[str, float],
) -> PosteriorDraws:
    """Return the posterior that chains and what is known besides (``fit`` gathers it) stand for."""
    flat = chains.flat()
    keep = kept_draws(len(flat["scale"]))
    flat = {name: value[keep] for name, value in flat.items()}
    if "shared_noise_quantiles" in constants:
        rng = np.random.default_rng([seed, 4])
        flat["shared_noise"] = np.stack(
            [draws_of_quantiles(row, len(keep), rng) for row in constants["shared_noise_quantiles"]], axis=1
        )
    distinct, all_labels, label_scale = (float(v) for v in constants["labels"])
    spectrum = Spectrum(jnp.asarray(constants["spectrum_variance"]), jnp.asarray(constants["spectrum_count"]))
    system = systems_of_draws(flat, compress(spectrum), jnp.asarray(constants["channels"]))
    repeated = all_labels / max(distinct, 1.0)
    ratio = float(np.mean(flat["explainable"] / (1.0 - flat["explainable"])))
    labels = all_labels * (1.0 + ratio) / (1.0 + repeated * ratio)
    if "type_share" in flat:
        explainable = flat["explainable"]
        labels = labels_in_all(constants["typed_labels"], flat["type_share"], explainable / (1.0 - explainable))
    person_modality = constants["person_modality"].astype(int)
    recorded = constants["samples"] > 0
    gains = new_people(flat["gain_spread"], flat["gain"], person_modality, recorded, np.random.default_rng([seed, 2]))
    draws = Draws(system=system, people=jnp.asarray(gains))
    size, share = pilot_size(study, constants, labels), flat.get("type_share")
    shared = None if share is None else float(share.mean())
    return PosteriorDraws(
        study,
        draws,
        size,
        label_scale,
        study.config.modality_names,
        seed,
        notes=notes,
        seconds=seconds,
        type_share=shared,
    )


def pilot_size(study: StudyData, constants: Mapping[str, np.ndarray], labels: float) -> PilotSize:
    """Return what the pilot of a study brings, from what is known besides its chains."""
    modalities = study.config.modality
    return PilotSize(
        samples=jnp.asarray(constants["samples"]),
        subjects=jnp.asarray(constants["subjects"]),
        repeats=jnp.asarray(constants["repeats"]),
        shared=jnp.asarray(constants["shared"]),
        labels=jnp.asarray(labels),
        new_subjects=jnp.asarray(
            [float(m.new_subjects or s == 0) for m, s in zip(modalities, constants["samples"], strict=True)]
        ),
        new_shared=jnp.asarray([float(m.design.shared_stimuli) for m in modalities]),
        usable=jnp.asarray(constants["independent"] * [m.cost.usable_fraction for m in modalities]),
        shared_noise=jnp.asarray(constants["shared_noise"]),
    )


def no_recordings(modalities: int) -> dict[str, np.ndarray]:
    """Return what is known of the recordings where there are none."""
    nothing, one = np.zeros(modalities), np.ones(modalities)
    by_name = {"samples": nothing, "shared": nothing, "shared_noise": nothing}
    return by_name | {"independent": one, "subjects": one, "repeats": one}
