"""The quantities that a sensitivity analysis moves, each one number per posterior draw.

In: posterior draws. Out: columns by name, draws with one column replaced, the median system. An unknown name is a ``KeyError``.

=====================  ========================================================================================
name                   meaning
=====================  ========================================================================================
``alignment``          share of the explainable task variance carried by all latents together
``snr:NAME``           signal-to-noise ratio of one sample of the pilot's people in a modality, summed over latents
``people:NAME``        the same of new people, as a multiple of the pilot's people's (the mean of many)
``label_noise``        noise variance of a label relative to the explainable variance, sigma^2 / tau^2
``brain_exponent``     how the latents spread over the features' directions
``task_exponent``      the same of the misaligned part of the task
``everything_else``    profiles over latents and people, as the draw has them (only where all doubt must be covered)
=====================  ========================================================================================

Explainable R^2 depends on the two variances of a label through their ratio alone, so they are one parameter here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from brainworth.models.forecast.forecast import Draws

REST = "everything_else"
"""What no single column says: profiles over latents, and how good new people's recordings are."""
Column = NDArray[np.float64]


def columns(draws: Draws, modalities: tuple[str, ...]) -> dict[str, Column]:
    """Return one array over draws per parameter."""
    system = draws.system
    snr = np.asarray(system.snr).sum(axis=2)
    return {
        "alignment": np.asarray(system.alignment).sum(axis=1),
        **{f"snr:{name}": snr[:, m] for m, name in enumerate(modalities)},
        **{f"people:{name}": np.asarray(draws.people)[:, m, -1] for m, name in enumerate(modalities)},
        "label_noise": np.asarray(system.noise_variance) / np.asarray(system.signal_variance),
        "brain_exponent": np.asarray(system.brain_exponent),
        "task_exponent": np.asarray(system.task_exponent),
    }


def uncertain(values: Mapping[str, Column]) -> dict[str, Column]:
    """Return the columns that vary over draws."""
    return {name: column for name, column in values.items() if np.ptp(column) > 1e-12 * np.abs(column).max()}


def replaced(draws: Draws, modalities: tuple[str, ...], values: Mapping[str, Column | float]) -> Draws:
    """Return the draws with some parameters set: one value for all draws, or one per draw; profiles are kept."""
    system, people = draws.system, draws.people
    n = int(draws.people.shape[0])
    for name, value in values.items():
        column = np.broadcast_to(np.asarray(value, dtype=np.float64), (n,))
        if name == "alignment":
            system = replace(system, alignment=jnp.asarray(_rescaled(np.asarray(system.alignment), column)))
        elif name.startswith("snr:"):
            m = modalities.index(name.removeprefix("snr:"))
            snr = np.array(system.snr)
            snr[:, m] = _rescaled(snr[:, m], column)
            system = replace(system, snr=jnp.asarray(snr))
        elif name.startswith("people:"):
            m = modalities.index(name.removeprefix("people:"))
            level = np.array(people)
            level[:, m] *= (column / level[:, m, -1])[:, None]
            people = jnp.asarray(level)
        elif name == "label_noise":
            system = replace(system, noise_variance=jnp.asarray(column * np.asarray(system.signal_variance)))
        elif name in ("brain_exponent", "task_exponent"):
            system = replace(system, **{name: jnp.asarray(column)})
        else:
            raise KeyError(name)
    return Draws(system, people)


def _rescaled(
    profile: Float[np.ndarray, "draw latent"], total: Float[np.ndarray, " draw"]
) -> Float[np.ndarray, "draw latent"]:
    """Return the profile with another sum; an empty profile is spread evenly."""
    own = profile.sum(axis=1, keepdims=True)
    shares = np.where(own > 0, profile / np.where(own > 0, own, 1.0), 1.0 / profile.shape[1])
    return shares * total[:, None]


def draws_at(draws: Draws, rows: NDArray[np.int64]) -> Draws:
    """Return some draws, in any order and as often as named."""
    system = draws.system
    return Draws(
        replace(
            system,
            signal_variance=system.signal_variance[rows],
            noise_variance=system.noise_variance[rows],
            alignment=system.alignment[rows],
            snr=system.snr[rows],
            brain_exponent=system.brain_exponent[rows],
            task_exponent=system.task_exponent[rows],
            shared_noise=None if system.shared_noise is None else system.shared_noise[rows],
        ),
        draws.people[rows],
    )


def between_people(draws: Draws, m: int) -> float:
    """Return the variance of log signal-to-noise between new people of a modality, as the posterior has it on average."""
    means = np.asarray(draws.people)[:, m]
    total = means * np.arange(1, means.shape[1] + 1)
    gains = np.diff(total, axis=1, prepend=0.0)
    return float(np.log(np.maximum(gains, 1e-12)).var(axis=1, ddof=1).mean())


def median_system(draws: Draws, modalities: tuple[str, ...]) -> Draws:
    """Return one draw: the medians of all columns, profiles and new people's gains at their own medians."""
    middle = {name: float(np.median(column)) for name, column in columns(draws, modalities).items()}
    first = draws_at(draws, np.zeros(1, dtype=np.int64))
    system = draws.system
    profile = replace(
        first.system,
        signal_variance=jnp.median(system.signal_variance)[None],
        alignment=jnp.median(system.alignment, axis=0)[None],
        snr=jnp.median(system.snr, axis=0)[None],
    )
    centred = Draws(profile, jnp.median(draws.people, axis=0)[None])
    return replaced(centred, modalities, middle)


def repeated(draws: Draws, count: int) -> Draws:
    """Return one draw so many times, to be told apart by ``replaced``."""
    return draws_at(draws, np.zeros(count, dtype=np.int64))
