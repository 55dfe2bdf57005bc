"""Priors of a study: literature defaults by kind of modality, overridden by the study's [priors].

In: a validated study configuration. Out: ``PriorScales`` of the hierarchical model and channels of modalities without a pilot.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jax.numpy as jnp
import numpy as np

from brainworth.design.posterior.notes import SnrBefore
from brainworth.design.study_file.config import StudyConfig
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.posterior.total_snr import log_total_quantiles, prior_of_total

Z95 = 1.6448536269514722
"""95 % quantile of the standard normal distribution."""
PATTERNS = (
    ("7t", "fmri_7t"),
    ("fmri", "fmri_3t"),
    ("bold", "fmri_3t"),
    ("ecog", "ecog"),
    ("seeg", "ecog"),
    ("ieeg", "ecog"),
    ("fnirs", "fnirs"),
    ("nirs", "fnirs"),
    ("eeg", "eeg"),
    ("n400", "eeg"),
    ("meg", "meg"),
    ("eye", "eyetracking"),
    ("gaze", "eyetracking"),
    ("behav", "behaviour"),
)
"""Parts of a modality's name that tell its kind, first match wins."""


@cache
def literature() -> dict[str, dict[str, Any]]:
    """Return the table of literature defaults, by kind."""
    text = files("brainworth.models").joinpath("priors/literature.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def kind_of(config: StudyConfig, name: str) -> str:
    """Return the kind of a modality: as the study says, or guessed from its name; ``unknown`` if neither tells."""
    override = config.priors.modality.get(name)
    if override is not None and override.kind is not None:
        return override.kind
    folded = name.casefold()
    return next((kind for part, kind in PATTERNS if part in folded), "unknown")


def _beta(interval: tuple[float, float] | None) -> tuple[float, float]:
    """Return the parameters of the Beta distribution with a 90 % interval, by its mean and standard deviation."""
    if interval is None:
        return 1.0, 1.0
    mean = float(np.clip(0.5 * (interval[0] + interval[1]), 0.01, 0.99))
    deviation = max((interval[1] - interval[0]) / (2.0 * Z95), 1e-3)
    total = max(mean * (1.0 - mean) / deviation**2 - 1.0, 0.5)
    return mean * total, (1.0 - mean) * total


@dataclass(frozen=True)
class TotalSnr:
    """What is believed of a modality's signal-to-noise ratio before its pilot: one sample, all latents and channels together."""

    ends: tuple[float, float]
    """Two quantiles."""
    levels: tuple[float, float]
    """Their probabilities."""

    def interval(self, n_latents: int) -> tuple[float, float]:
        """Return the 5 % and 95 % quantiles with ``n_latents`` latents: what a study would state to believe the same."""
        level, spread = prior_of_total(self.ends, self.levels, n_latents)
        low, high = np.exp(level + log_total_quantiles(spread, n_latents, (0.05, 0.95)))
        return float(low), float(high)

    def median(self, n_latents: int) -> float:
        """Return the median with ``n_latents`` latents."""
        level, spread = prior_of_total(self.ends, self.levels, n_latents)
        return float(np.exp(level + log_total_quantiles(spread, n_latents, (0.5,))[0]))


def total_snr(config: StudyConfig, name: str) -> TotalSnr:
    """Return the prior of a modality's total signal-to-noise ratio: the study's 90 % interval, or the literature's."""
    override = config.priors.modality.get(name)
    if override is not None and override.snr is not None:
        return TotalSnr((max(override.snr[0], 1e-4), override.snr[1]), (0.05, 0.95))
    entry = literature()[kind_of(config, name)]
    return TotalSnr((entry["snr"], entry["snr"] * entry["factor"]), (0.5, 0.95))


def snr_before(config: StudyConfig) -> dict[str, SnrBefore]:
    """Return what is believed of each modality's signal-to-noise ratio before its pilot."""
    n_latents = config.priors.max_latents
    stated = {name: total_snr(config, name) for name in config.modality_names}
    level_and_spread = {name: prior_of_total(own.ends, own.levels, n_latents) for name, own in stated.items()}
    return {
        name: SnrBefore(level=level, spread=spread, total=stated[name].median(n_latents))
        for name, (level, spread) in level_and_spread.items()
    }


def study_priors(config: StudyConfig) -> tuple[PriorScales, np.ndarray]:
    """Return the priors of a study and the default number of channels of each modality."""
    table = literature()
    log_snr, scale, channels = [], [], []
    for name in config.modality_names:
        stated = total_snr(config, name)
        level, spread = prior_of_total(stated.ends, stated.levels, config.priors.max_latents)
        log_snr.append(level)
        scale.append(spread)
        override = config.priors.modality.get(name)
        given = override.channels if override is not None else None
        channels.append(float(given or table[kind_of(config, name)]["channels"]))
    alignment = table["alignment"]["beta"] if config.priors.alignment is None else _beta(config.priors.alignment)
    people = [table["people"]["gain_spread"]] * len(log_snr)
    priors = PriorScales(
        log_snr=jnp.asarray(log_snr),
        log_snr_scale=jnp.asarray(scale),
        gain_spread=jnp.asarray(people),
        alignment=jnp.asarray(alignment),
        explainable=jnp.asarray(_beta(config.priors.explainable)),
    )
    return priors, np.asarray(channels)
