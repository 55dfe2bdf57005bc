"""The labels of a pilot, one mean a stimulus, in standard units.

In: a pilot. Out: ``Labels``. Whether labels vary is decided at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from brainworth.models.pilot.pilot import Pilot


@dataclass(frozen=True)
class Labels:
    """Labels per stimulus, standardised."""

    stimulus: Int[np.ndarray, " stimulus"]
    """Labelled stimuli, each once."""
    mean: Float[np.ndarray, " stimulus"]
    """Mean of a stimulus's labels, in standard units, each label weighed by what it is worth."""
    count: Float[np.ndarray, " stimulus"]
    """Labels of average noise that they are worth together; their number, if raters are equally noisy."""
    centre: float
    """Mean label, in the label's unit."""
    scale: float
    """Standard deviation of the labels, in the label's unit."""


def standardised_labels(pilot: Pilot) -> Labels:
    """Return the mean label of every labelled stimulus, in units of the labels' standard deviation."""
    stimulus, where = np.unique(pilot.label_stimulus, return_inverse=True)
    weight = np.ones(len(pilot.label)) if pilot.weight is None else pilot.weight
    count = np.bincount(where, weights=weight)
    centre, scale = float(pilot.label.mean()), float(pilot.label.std())
    mean = np.bincount(where, weights=weight * (pilot.label - centre) / scale) / count
    return Labels(stimulus=stimulus, mean=mean, count=count, centre=centre, scale=scale)
