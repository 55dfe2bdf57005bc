"""Cross-fitted read-outs: what every sample says about the latents, with filters that never saw that sample.

In: centred sources, a fold per stimulus and the encoder of all data. Out: one read-out per sample, source and latent, with unit
noise variance, and the held-out encoding accuracy for the health check. Each fold's encoder is started from scratch (a start from
the full-data fit would carry what that fit learned from the held-out samples). Only latents that predict held-out samples are
then rotated to the full-data encoder; to rotate all of them makes spurious latents look real (seen: 3.5 standard errors for the
first of eight latents of pure noise). Errors: a source whose samples all lie in one fold (``ValueError``). A latent that is not
confirmed may be another one in another fold; only its sign is aligned.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from jaxtyping import Float, Int
from scipy import linalg

from brainworth.models.pilot.encoder import Encoder, fit_encoder
from brainworth.models.pilot.noise import readout_filters, turned_filters
from brainworth.models.pilot.sources import Source, StreamedSource
from brainworth.models.pilot.statistics import SourceStatistics
from brainworth.models.pilot.threads import one_blas_thread

CONFIRMED = 2.5
"""Standard errors of held-out accuracy above which a latent is taken for real (false alarms: 0.6 % a latent)."""

_Reading = tuple[
    Float[np.ndarray, "sample latent"], Float[np.ndarray, "sample latent"], Float[np.ndarray, "sample latent"]
]


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
    confirmed: int
    """Leading latents that predict held-out read-outs beyond ``CONFIRMED`` standard errors, in every fold's own order."""
    converged: bool
    """Whether every fold's encoder converged."""


@one_blas_thread()
def fold_encoders(
    sources: Sequence[Source],
    folds: Int[np.ndarray, " stimulus"],
    encoder: Encoder,
    prior: tuple[Float[np.ndarray, " direction"], Float[np.ndarray, " direction"]],
) -> dict[int, Encoder]:
    """Return the encoder of every fold, fitted without it, with latents that point as those of the encoder of all data.

    Parameters and errors are those of ``cross_fitted_readouts``; ``prior`` is its variance and shares.
    """
    variance, shares = prior
    member = [folds[source.stimulus] for source in sources]
    held = {int(fold): _fold_statistics(sources, member, int(fold)) for fold in np.unique(folds)}
    total = [reduce(operator.add, parts) for parts in zip(*held.values(), strict=True)]
    k = encoder.maps.shape[1]
    fitted: dict[int, Encoder] = {}
    for fold, parts in held.items():
        training = [whole - part for whole, part in zip(total, parts, strict=True)]
        if min(source.n for source in training) < 2:
            raise ValueError(f"Every source needs samples of at least two folds. One has samples of fold {fold} only.")
        fitted[fold] = _widened(fit_encoder(training, variance, shares, k, reference=encoder), k)
    return {fold: _pointed(part, encoder, variance) for fold, part in fitted.items()}


@one_blas_thread()
def cross_fitted_readouts(
    sources: Sequence[Source],
    folds: Int[np.ndarray, " stimulus"],
    encoder: Encoder,
    variance: Float[np.ndarray, " direction"],
    shares: Float[np.ndarray, " direction"],
) -> Readouts:
    """Fit the encoder without each fold in turn, and read that fold's samples with it.

    Parameters
    ----------
    sources
        Centred samples of each source, as the encoder was fitted to.
    folds
        Fold of each stimulus (``folds.group_folds``).
    encoder
        Full-data fit; gives the number of latents and the frame the folds are aligned to.
    variance, shares
        As in ``fit_encoder``.

    Raises
    ------
    ValueError
        If a source has no sample outside of some fold.
    """
    member = [folds[source.stimulus] for source in sources]
    k = encoder.maps.shape[1]
    fitted = fold_encoders(sources, folds, encoder, (variance, shares))
    scores = _scores(sources, [own_correlation(z, u) for z, u, _ in _read(sources, member, fitted, k)])
    confirmed = int(np.argmin(np.append(scores > CONFIRMED, False)))
    aligned = {fold: aligned_to(part, encoder, variance, confirmed) for fold, part in fitted.items()}
    raw, predicted, energy = zip(*_read(sources, member, aligned, k), strict=True)
    scale = np.stack(
        [np.sqrt(_noise_variance(z, u, e)) for z, u, e in zip(raw, predicted, energy, strict=True)],
    )
    return Readouts(
        latents=tuple(z / s for z, s in zip(raw, scale, strict=True)),
        predictions=tuple(predicted),
        noise_scale=scale,
        channel_accuracy=tuple(
            _channel_accuracy(source, rows, aligned, s)
            for s, (source, rows) in enumerate(zip(sources, member, strict=True))
        ),
        latent_accuracy=np.stack([column_correlation(u, z) for u, z in zip(predicted, raw, strict=True)]),
        confirmed=confirmed,
        converged=all(part.converged for part in fitted.values()),
    )


def aligned_to(encoder: Encoder, reference: Encoder, variance: Float[np.ndarray, " direction"], free: int) -> Encoder:
    """Return the encoder with its latents brought close to those of a reference.

    The first ``free`` latents are rotated (orthogonal Procrustes in the metric of the features); of the others only the
    sign is chosen. To rotate latents that may be noise would be wrong: the reference has seen the held-out
    samples, and a rotation towards it sorts the fold's noise by how well it agrees with them.
    """
    root = np.sqrt(variance)[:, None]
    maps, goal = root * encoder.maps, root * reference.maps
    rotation = np.diag(_signs(encoder, reference, variance))
    if free:
        rotation[:free, :free] = linalg.orthogonal_procrustes(maps[:, :free], goal[:, :free])[0]
    turned = tuple(rotation.T @ pattern for pattern in encoder.patterns)
    if min(noise.shape[0] for noise in encoder.noise) >= maps.shape[1] and np.all(encoder.snr > 1e-9):
        readouts = [
            turned_filters(filters, pattern, rotation)
            for filters, pattern in zip(encoder.filters, encoder.patterns, strict=True)
        ]
    else:
        readouts = [readout_filters(pattern, noise) for pattern, noise in zip(turned, encoder.noise, strict=True)]
    return replace(
        encoder,
        maps=encoder.maps @ rotation,
        map_covariance_diag=encoder.map_covariance_diag @ rotation**2,
        patterns=turned,
        filters=tuple(filters for filters, _ in readouts),
        snr=np.stack([snr for _, snr in readouts]),
    )


def _signs(
    encoder: Encoder, reference: Encoder, variance: Float[np.ndarray, " direction"]
) -> Float[np.ndarray, " latent"]:
    """Return +-1 for every latent: whether it points as in the reference."""
    return np.where(variance @ (encoder.maps * reference.maps) < 0.0, -1.0, 1.0)


def _pointed(encoder: Encoder, reference: Encoder, variance: Float[np.ndarray, " direction"]) -> Encoder:
    """Return the encoder with latents that point as in the reference, by their signs alone."""
    sign = _signs(encoder, reference, variance)
    return replace(
        encoder,
        maps=encoder.maps * sign,
        patterns=tuple(sign[:, None] * pattern for pattern in encoder.patterns),
        filters=tuple(filters * sign for filters in encoder.filters),
    )


def _widened(encoder: Encoder, k: int) -> Encoder:
    """Return the encoder with empty latents added where a small fold allowed fewer than k."""
    missing = k - encoder.maps.shape[1]
    if missing == 0:
        return encoder
    wide = ((0, 0), (0, missing))
    patterns = tuple(np.pad(pattern, ((0, missing), (0, 0))) for pattern in encoder.patterns)
    readouts = [readout_filters(pattern, noise) for pattern, noise in zip(patterns, encoder.noise, strict=True)]
    return replace(
        encoder,
        maps=np.pad(encoder.maps, wide),
        map_covariance_diag=np.pad(encoder.map_covariance_diag, wide),
        patterns=patterns,
        filters=tuple(filters for filters, _ in readouts),
        snr=np.pad(encoder.snr, wide),
    )


def _read(
    sources: Sequence[Source],
    member: Sequence[Int[np.ndarray, " sample"]],
    fitted: Mapping[int, Encoder],
    k: int,
) -> list[_Reading]:
    """Return read-outs, predictions and expected energy E[u^2] of every sample, from its own fold's encoder."""
    readings: list[_Reading] = []
    for s, (source, rows) in enumerate(zip(sources, member, strict=True)):
        if isinstance(source, StreamedSource):
            found = source.read(fitted, s)
            readings.append((found.raw, found.predicted, found.energy))
            continue
        raw, predicted, energy = (np.zeros((len(rows), k)) for _ in range(3))
        for fold, encoder in fitted.items():
            held = rows == fold
            coordinates = source.coordinates[held]
            raw[held] = source.channels[held] @ encoder.filters[s]
            predicted[held] = coordinates @ encoder.maps
            energy[held] = predicted[held] ** 2 + coordinates**2 @ encoder.map_covariance_diag
        readings.append((raw, predicted, energy))
    return readings


def _channel_accuracy(
    source: Source, rows: Int[np.ndarray, " sample"], fitted: Mapping[int, Encoder], s: int
) -> Float[np.ndarray, " channel"]:
    """Return the cross-validated correlation of predicted and recorded channels of one source."""
    if isinstance(source, StreamedSource):
        return source.channel_accuracy(fitted, s)
    predicted = np.zeros_like(source.channels)
    for fold, encoder in fitted.items():
        held = rows == fold
        predicted[held] = source.coordinates[held] @ encoder.maps @ encoder.patterns[s]
    return column_correlation(predicted, source.channels)


def own_correlation(
    readout: Float[np.ndarray, "sample latent"], predicted: Float[np.ndarray, "sample latent"]
) -> Float[np.ndarray, " latent"]:
    """Return the correlation of each read-out with its prediction, given those of all earlier latents.

    Without the condition, what a strong latent leaves unexplained leaks into others and makes them look real. Latents must
    point alike in all folds: an encoder's signs are arbitrary, and what is removed is one regression over all folds.
    """
    result = np.zeros(readout.shape[1])
    for j in range(readout.shape[1]):
        pair = np.column_stack([readout[:, j], predicted[:, j]])
        if j and len(pair) > 4 * j:
            earlier = np.hstack([readout[:, :j], predicted[:, :j]])
            pair = pair - earlier @ np.linalg.lstsq(earlier, pair, rcond=None)[0]
        result[j] = column_correlation(pair[:, :1], pair[:, 1:])[0]
    return result


def _scores(
    sources: Sequence[Source], accuracy: Sequence[Float[np.ndarray, " latent"]]
) -> Float[np.ndarray, " latent"]:
    """Return pooled held-out accuracies in standard errors; standard normal for a latent that does not exist."""
    samples = np.array([len(source.stimulus) for source in sources], dtype=np.float64)
    return samples @ np.stack(list(accuracy)) / np.sqrt(samples.sum())


def _fold_statistics(
    sources: Sequence[Source], member: Sequence[Int[np.ndarray, " sample"]], fold: int
) -> list[SourceStatistics]:
    return [
        source.fold_statistics(fold) if isinstance(source, StreamedSource) else source.statistics(rows == fold)
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


def column_correlation(
    guess: Float[np.ndarray, "sample column"], value: Float[np.ndarray, "sample column"]
) -> Float[np.ndarray, " column"]:
    """Return the correlation of each column; 0 where one does not vary."""
    guess, value = guess - guess.mean(axis=0), value - value.mean(axis=0)
    scale = np.sqrt(np.sum(guess**2, axis=0) * np.sum(value**2, axis=0))
    return np.sum(guess * value, axis=0) / np.where(scale > 0.0, scale, 1.0)
