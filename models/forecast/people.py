"""New people: how their signal-to-noise ratio relates to that of the pilot's people, draw by draw.

In: posterior draws of the spread over people and of the pilot's people's own gains. Out: mean gains of the first 1, 2, ... new
people, relative to the pilot's mean. With one person in the pilot nothing is known of where that person lies among people: its
gain is drawn as a new one's. Without a pilot the ratio has mean 1.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from brainworth.models.forecast.forecast import MAX_PEOPLE


def new_people(
    gain_spread: Float[np.ndarray, "draw modality"],
    gain: Float[np.ndarray, "draw person"],
    modality_of: Int[np.ndarray, " person"],
    recorded: Bool[np.ndarray, " modality"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "draw modality people"]:
    """Return the mean of exp(gain) of the first 1..MAX_PEOPLE new people, relative to the pilot's mean.

    Parameters
    ----------
    gain_spread : (draw, modality)
        Spread of log signal-to-noise over people.
    gain : (draw, person)
        Log gains of the pilot's people.
    modality_of : (person,)
        Their modality; a modality with one person is not listed.
    recorded : (modality,)
        Whether the pilot has recordings of the modality.
    rng : numpy Generator
        Source of the new people's gains: one fixed set a draw, so that forecasts are smooth in the number of people.
    """
    n_draws, n_modalities = gain_spread.shape
    fresh = np.exp(gain_spread[:, :, None] * rng.standard_normal((n_draws, n_modalities, MAX_PEOPLE)))
    means = np.cumsum(fresh, axis=2) / np.arange(1, MAX_PEOPLE + 1)
    alone = np.exp(gain_spread * rng.standard_normal(gain_spread.shape))
    reference = np.where(recorded, alone, np.exp(0.5 * gain_spread**2))
    for m in range(n_modalities):
        members = modality_of == m
        if members.any():
            reference[:, m] = np.exp(gain[:, members]).mean(axis=1)
    return means / reference[:, :, None]
