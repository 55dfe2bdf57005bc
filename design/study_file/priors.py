"""[priors] of a study file: what is believed before any pilot, where it is not what the literature says.

In: the parsed section. Out: ``Priors``. Errors: unknown keys, values out of range, shares above 1; see ``config``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from brainworth.design.common.fields import Count, Interval, Section
from brainworth.design.common.validation import value_problem

Kind = Literal["fmri_3t", "fmri_7t", "eeg", "meg", "ecog", "fnirs", "eyetracking", "behaviour"]
"""Kinds of recordings with literature defaults."""


class ModalityPrior(Section):
    """[priors.modality.NAME]: what is believed of one modality before its pilot."""

    kind: Kind | None = None
    """Which literature defaults to start from; guessed from the name if omitted."""
    snr: Interval | None = None
    """Total signal-to-noise ratio of one sample, summed over latents and channels, as a 90 % interval."""
    channels: Count | None = None
    """Noise-whitened channels of one sample, for a modality without recordings."""


class Priors(Section):
    """[priors]: overrides of the literature defaults."""

    max_latents: Annotated[int, Field(ge=1, le=32)] = 4
    """Most brain latents; superfluous ones are shrunk away."""
    explainable: Interval | None = None
    """Share of a label's variance that the features can explain, as a 90 % interval within 0 to 1; any share if omitted."""
    dimension: Count | None = None
    """Number of features, to plan from priors alone without a table of stimuli."""
    spectrum_exponent: Annotated[float, Field(ge=0, le=3)] = 1.0
    """With `dimension`: the variances of the features' principal directions fall off as i^-exponent."""
    alignment: Interval | None = None
    """Share of the explainable task variance that the brain latents carry in all, as a 90 % interval within 0 to 1, for many
    latents; how it is divided among few latents is uncertain, too, and widens it."""
    modality: dict[str, ModalityPrior] = Field(default_factory=dict)
    """Overrides by modality name."""

    @model_validator(mode="after")
    def _shares_are_shares(self) -> Self:
        for name in ("alignment", "explainable"):
            share = getattr(self, name)
            if share is not None and share[1] > 1:
                raise value_problem(f"{name} = {list(share)} goes above 1", "It is a share: [low, high] within 0 to 1.")
        return self
