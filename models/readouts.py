"""Cross-fitted read-outs: what every sample says about the latents, with filters that never saw that sample.

In: centred sources, a fold per stimulus and the encoder of all data. Out: one read-out per sample, source and latent,
with unit noise variance, and the held-out encoding accuracy for the health check. Each fold's encoder is started from
scratch (a start from the full-data fit would carry what that fit learned from the held-out samples) and only
rotated to the full-data encoder by orthogonal Procrustes in the metric of the features.
What can go wrong: a source whose samples all lie in one fold (``ValueError``). For a latent that does not exist
the rotation is arbitrary, and its read-out is noise, as it should be.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from jaxtyping import Float, Int
from scipy import linalg

from .encoder import Encoder, EncoderOptions, fit_encoder
from .noise import readout_filters, turned_filters
from .statistics import CentredSource, SourceStatistics
from .threads import one_blas_thread


@dataclass(frozen=True)
class Readouts:
    """Held-out read-outs of all sources, in the sample order of the recordings."""

    latents: tuple[Float[np.ndarray, "sample latent"], ...]
    """Read-outs z = sqrt(phi q_c) u + N(0, 1), per source."""
    predictions: tuple[Float[np.ndarray, "sample latent"], ...]
    """Latents predicted from the stimulus by the encoder of the other folds, per source."""
    noise_scale: Float[np.ndarray, "source latent"]
    """Standard deviation by which the raw read-outs were divided; 1 if the in-sample noise estimate holds."""
    channel_accuracy: tuple[Float[np.ndarray, " channel"], ...]
    """Cross-validated correlation of predicted and recorded channels, per source."""
    latent_accuracy: Float[np.ndarray, "source latent"]
    """Cross-validated correlation of predicted and read-out latents."""
    converged: bool
    """Whether every fold's encoder converged."""


@one_blas_thread()
def cross_fitted_readouts(
    sources: Sequence[CentredSource],
    folds: Int[np.ndarray, " stimulus"],
    encoder: Encoder,
    variance: Float[np.ndarray, " direction"],
    shares: Float[np.ndarray, " direction"],
    options: EncoderOptions | None = None,
) -> Readouts:
    """Fit the encoder without each fold in turn, and read that fold's samples with it.

    Parameters
    ----------
    sources
        Centred samples of each source, as the encoder was fitted to.
    folds
        Fold of each stimulus (``folds.group_folds``).
    encoder
        Full-data fit; gives the number of latents and the rotation the folds are aligned to.
    variance, shares
        As in ``fit_encoder``.
    options
        Tolerances of the fold fits.

    Raises
    ------
    ValueError
        If a source has no sample outside of some fold.
    """
    member = [folds[source.stimulus] for source in sources]
    held = {int(fold): _fold_statistics(sources, member, int(fold)) for fold in np.unique(folds)}
    total = [reduce(operator.add, parts) for parts in zip(*held.values(), strict=True)]
    k = encoder.maps.shape[1]
    raw = [np.zeros((len(source.stimulus), k)) for source in sources]
    predicted = [np.zeros((len(source.stimulus), k)) for source in sources]
    energy = [np.zeros((len(source.stimulus), k)) for source in sources]
    channels = [np.zeros_like(source.channels) for source in sources]
    converged = True
    for fold, parts in held.items():
        training = [whole - part for whole, part in zip(total, parts, strict=True)]
        if min(source.n for source in training) < 2:
            raise ValueError(f"Every source needs samples of at least two folds. One has samples of fold {fold} only.")
        fitted = aligned_to(fit_encoder(training, variance, shares, k, options, encoder), encoder, variance)
        converged = converged and fitted.converged
        for s, source in enumerate(sources):
            rows = member[s] == fold
            coordinates, values = source.coordinates[rows], source.channels[rows]
            latents = coordinates @ fitted.maps
            raw[s][rows] = values @ fitted.filters[s]
            predicted[s][rows] = latents
            energy[s][rows] = latents**2 + coordinates**2 @ fitted.map_covariance_diag
            channels[s][rows] = latents @ fitted.patterns[s]
    scale = np.stack(
        [np.sqrt(_noise_variance(z, u, e)) for z, u, e in zip(raw, predicted, energy, strict=True)],
    )
    return Readouts(
        latents=tuple(z / s for z, s in zip(raw, scale, strict=True)),
        predictions=tuple(predicted),
        noise_scale=scale,
        channel_accuracy=tuple(
            _correlation(guess, source.channels) for guess, source in zip(channels, sources, strict=True)
        ),
        latent_accuracy=np.stack([_correlation(u, z) for u, z in zip(predicted, raw, strict=True)]),
        converged=converged,
    )


def aligned_to(encoder: Encoder, reference: Encoder, variance: Float[np.ndarray, " direction"]) -> Encoder:
    """Return the encoder with its latents rotated as close as possible to those of a reference."""
    k = reference.maps.shape[1]
    maps, spread, patterns = _padded(encoder, k)
    rotation, _ = linalg.orthogonal_procrustes(
        np.sqrt(variance)[:, None] * maps, np.sqrt(variance)[:, None] * reference.maps
    )
    turned = tuple(rotation.T @ pattern for pattern in patterns)
    if maps.shape == encoder.maps.shape and min(noise.shape[0] for noise in encoder.noise) >= k:
        readouts = [
            turned_filters(filters, pattern, rotation)
            for filters, pattern in zip(encoder.filters, patterns, strict=True)
        ]
    else:
        readouts = [readout_filters(pattern, noise) for pattern, noise in zip(turned, encoder.noise, strict=True)]
    return replace(
        encoder,
        maps=maps @ rotation,
        map_covariance_diag=spread @ rotation**2,
        patterns=turned,
        filters=tuple(filters for filters, _ in readouts),
        snr=np.stack([snr for _, snr in readouts]),
    )


def _padded(
    encoder: Encoder, k: int
) -> tuple[
    Float[np.ndarray, "direction latent"],
    Float[np.ndarray, "direction latent"],
    list[Float[np.ndarray, "latent channel"]],
]:
    """Return maps, variances and patterns with empty latents added where a small fold allowed fewer than k."""
    missing = k - encoder.maps.shape[1]
    if missing == 0:
        return encoder.maps, encoder.map_covariance_diag, list(encoder.patterns)
    wide = ((0, 0), (0, missing))
    return (
        np.pad(encoder.maps, wide),
        np.pad(encoder.map_covariance_diag, wide),
        [np.pad(pattern, ((0, missing), (0, 0))) for pattern in encoder.patterns],
    )


def _fold_statistics(
    sources: Sequence[CentredSource], member: Sequence[Int[np.ndarray, " sample"]], fold: int
) -> list[SourceStatistics]:
    return [
        SourceStatistics.from_arrays(source.coordinates[rows == fold], source.channels[rows == fold])
        for source, rows in zip(sources, member, strict=True)
    ]


def _noise_variance(
    readout: Float[np.ndarray, "sample latent"],
    predicted: Float[np.ndarray, "sample latent"],
    energy: Float[np.ndarray, "sample latent"],
) -> Float[np.ndarray, " latent"]:
    """Return the held-out noise variance of raw read-outs.

    The posterior mean of a latent is calibrated, so the slope b of the read-out on it estimates the gain, and
    E[z^2] = b^2 E[u^2] + noise. The signal share is kept below 95 %, and the variance of an unlucky slope is removed.
    """
    power = np.mean(readout**2, axis=0)
    spread = np.maximum(np.sum(predicted**2, axis=0), 1e-290)
    slope = np.maximum(np.sum(readout * predicted, axis=0), 0.0) / spread
    gain = np.maximum(slope**2 - power / spread, 0.0)
    return np.maximum(power - gain * np.mean(energy, axis=0), np.maximum(0.05 * power, 1e-290))


def _correlation(
    guess: Float[np.ndarray, "sample column"], value: Float[np.ndarray, "sample column"]
) -> Float[np.ndarray, " column"]:
    """Return the correlation of each column; 0 where one does not vary."""
    guess, value = guess - guess.mean(axis=0), value - value.mean(axis=0)
    scale = np.sqrt(np.sum(guess**2, axis=0) * np.sum(value**2, axis=0))
    return np.sum(guess * value, axis=0) / np.where(scale > 0.0, scale, 1.0)
