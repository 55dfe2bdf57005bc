"""Sufficient statistics of recordings: one pass over the samples, after which their number no longer matters.

In: raw stimulus features and the recordings of a pilot. Out: a ``FeatureBasis`` (standardised features in principal directions,
eigenvalues ``d_i``) and, per source (one person in one modality), ``SourceStatistics`` that add and subtract, so that the
statistics of a training fold are the total minus the held-out part. Errors: features without any variance (``ValueError``). With
fewer stimuli than features the rank of the basis is limited to the number of stimuli minus one; what lies outside of it is
invisible to every later station.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import linalg

from brainworth.models.pilot.pilot import Recording

CHUNK = 4096
"""Rows of one block of the streaming pass."""


@dataclass(frozen=True)
class FeatureBasis:
    """Principal directions of the standardised stimulus features."""

    mean: Float[np.ndarray, " feature"]
    """Mean of each raw feature, in its own unit."""
    scale: Float[np.ndarray, " feature"]
    """What each raw feature is divided by (``unit_of``)."""
    rotation: Float[np.ndarray, "feature direction"]
    """Orthonormal principal directions of the standardised features."""
    variance: Float[np.ndarray, " direction"]
    """Variance d_i along each direction, decreasing."""

    @classmethod
    def from_features(
        cls,
        features: Float[np.ndarray, "stimulus feature"],
        tolerance: float = 1e-8,
        *,
        standardise: bool = True,
        scale: Float[np.ndarray, " feature"] | None = None,
        count: Float[np.ndarray, " stimulus"] | None = None,
    ) -> FeatureBasis:
        """Return the basis of all available stimuli, labelled or not.

        Parameters
        ----------
        features
            Raw features, any unit.
        tolerance
            Directions with less than this share of the largest variance are dropped.
        standardise
            Whether every feature is divided by its own standard deviation (constant ones never are), or all by one number, so
            that a common unit does not count.
        scale
            What each feature is divided by, instead; positive.
        count
            How often each row counts, as if it stood there so many times; once if not given.

        Raises
        ------
        ValueError
            If no feature varies.
        """
        values = np.asarray(features, dtype=np.float64)
        mean, deviation, varies = deviations(values, count)
        if scale is None:
            scale = unit_of(deviation, varies, standardise=standardise)
        centred = np.where(varies, (values - mean) / scale, 0.0)
        if count is not None:
            centred *= np.sqrt(count / np.mean(count))[:, None]
        variance, rotation = _principal_directions(centred)
        keep = variance > tolerance * variance[0]
        return cls(mean=mean, scale=scale, rotation=rotation[:, keep], variance=variance[keep])

    def transform(self, features: Float[np.ndarray, "stimulus feature"]) -> Float[np.ndarray, "stimulus direction"]:
        """Return the coordinates of stimuli along the principal directions."""
        return ((np.asarray(features, dtype=np.float64) - self.mean) / self.scale) @ self.rotation

    def raw_coefficients(
        self, coefficients: Float[np.ndarray, "direction *output"]
    ) -> Float[np.ndarray, "feature *output"]:
        """Return coefficients on the raw (centred) features that equal the given ones on the coordinates."""
        return ((self.rotation @ coefficients).T / self.scale).T


def deviations(
    features: Float[np.ndarray, "stimulus feature"], count: Float[np.ndarray, " stimulus"] | None = None
) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, " feature"], Bool[np.ndarray, " feature"]]:
    """Return mean and standard deviation of every feature, and whether it varies; ``ValueError`` if none does."""
    mean = np.average(features, axis=0, weights=count)
    deviation = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=count))
    varies = deviation > 1e-12 * np.abs(mean)
    if not np.any(varies):
        raise ValueError("The features must vary over the stimuli. Got constant features only.")
    return mean, deviation, varies


def unit_of(
    deviation: Float[np.ndarray, " feature"], varies: Bool[np.ndarray, " feature"], *, standardise: bool
) -> Float[np.ndarray, " feature"]:
    """Return what features are divided by: their own standard deviation, or one for all, their root mean square."""
    if standardise:
        return np.where(varies, deviation, 1.0)
    return np.full_like(deviation, np.sqrt(np.mean(deviation[varies] ** 2)))


def _principal_directions(
    centred: Float[np.ndarray, "stimulus feature"],
) -> tuple[Float[np.ndarray, " direction"], Float[np.ndarray, "feature direction"]]:
    """Return variances (decreasing) and directions, from the smaller of the two Gram matrices."""
    n, p = centred.shape
    if p <= n:
        variance, vectors = linalg.eigh(centred.T @ centred / n)
        return np.maximum(variance[::-1], 0.0), signed(vectors[:, ::-1])
    variance, left = linalg.eigh(centred @ centred.T / n)
    variance, left = np.maximum(variance[::-1], 0.0), left[:, ::-1]
    keep = variance > 1e-13 * variance[0]
    return variance[keep], signed(centred.T @ (left[:, keep] / np.sqrt(n * variance[keep])))


def signed(vectors: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    """Return vectors whose largest entry is positive: the sign of an eigenvector is arbitrary, and rounding must not choose it."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)[0]
    return vectors * np.where(largest < 0.0, -1.0, 1.0)


@dataclass(frozen=True)
class SourceStatistics:
    """What the samples of one source say about a linear-Gaussian encoding model; additive."""

    gram: Float[np.ndarray, "direction direction"]
    """X^T X of the stimulus coordinates of the samples."""
    cross: Float[np.ndarray, "direction channel"]
    """X^T R."""
    channel_gram: Float[np.ndarray, "channel channel"]
    """R^T R."""
    n: float
    """Number of samples."""

    @classmethod
    def from_arrays(
        cls, coordinates: Float[np.ndarray, "sample direction"], channels: Float[np.ndarray, "sample channel"]
    ) -> SourceStatistics:
        """Return the statistics of centred samples, block by block in double precision."""
        starts = range(0, max(len(coordinates), 1), CHUNK)
        return cls.from_chunks((coordinates[i : i + CHUNK], channels[i : i + CHUNK]) for i in starts)

    @classmethod
    def from_chunks(
        cls, chunks: Iterable[tuple[Float[np.ndarray, "sample direction"], Float[np.ndarray, "sample channel"]]]
    ) -> SourceStatistics:
        """Return the statistics of a stream of centred blocks (coordinates, channels); at least one block."""
        parts = ((np.asarray(x, dtype=np.float64), np.asarray(r, dtype=np.float64)) for x, r in chunks)
        total: SourceStatistics | None = None
        for x, r in parts:
            part = cls(gram=x.T @ x, cross=x.T @ r, channel_gram=r.T @ r, n=float(len(x)))
            total = part if total is None else total + part
        if total is None:
            raise ValueError("The chunks of a source must hold at least one block. Got none.")
        return total

    def __add__(self, other: SourceStatistics) -> SourceStatistics:
        return SourceStatistics(
            gram=self.gram + other.gram,
            cross=self.cross + other.cross,
            channel_gram=self.channel_gram + other.channel_gram,
            n=self.n + other.n,
        )

    def scaled(self, share: float) -> SourceStatistics:
        """Return what samples say of which each is worth ``share`` of an independent one."""
        return SourceStatistics(share * self.gram, share * self.cross, share * self.channel_gram, share * self.n)

    def __sub__(self, other: SourceStatistics) -> SourceStatistics:
        return SourceStatistics(
            gram=self.gram - other.gram,
            cross=self.cross - other.cross,
            channel_gram=self.channel_gram - other.channel_gram,
            n=self.n - other.n,
        )


@dataclass(frozen=True)
class CentredSource:
    """Samples of one source after the mean of the source, or of each session, was removed from both sides."""

    coordinates: Float[np.ndarray, "sample direction"]
    """Stimulus coordinates of each sample in the feature basis."""
    channels: Float[np.ndarray, "sample channel"]
    """Recorded values."""
    stimulus: Int[np.ndarray, " sample"]
    """Row of ``Pilot.features`` of each sample."""
    block: Int[np.ndarray, " sample"] | None = None
    """Session of each sample, if known."""
    independent: float = 1.0
    """Independent samples that one sample is worth (``autocorrelation``)."""

    def statistics(self, rows: Bool[np.ndarray, " sample"] | None = None) -> SourceStatistics:
        """Return the statistics of all samples, or of some."""
        x, r = (self.coordinates, self.channels) if rows is None else (self.coordinates[rows], self.channels[rows])
        return SourceStatistics.from_arrays(x, r).scaled(self.independent)


def session_blocks(
    session: Int[np.ndarray, " sample"] | None, rows: int, minimum: int = 10
) -> Int[np.ndarray, " sample"]:
    """Return the block of each sample, from 0, whose mean is removed: its session; small sessions are one block."""
    if session is None:
        return np.zeros(rows, dtype=np.int64)
    block = np.unique(session, return_inverse=True)[1].reshape(rows)
    small = np.bincount(block) < minimum
    return np.unique(np.where(small[block], len(small), block), return_inverse=True)[1].reshape(rows)


def centred_source(
    recording: Recording, stimulus_coordinates: Float[np.ndarray, "stimulus direction"], minimum: int = 10
) -> CentredSource:
    """Return a recording with the mean of each session removed.

    Sessions with fewer than ``minimum`` samples are pooled. The stimulus coordinates are centred alike, so that
    the encoding model holds exactly within sessions. Repeats of a stimulus stay rows of their own.
    """
    block = session_blocks(recording.session, len(recording.stimulus), minimum)
    coordinates = stimulus_coordinates[recording.stimulus]
    channels = np.asarray(recording.in_memory, dtype=np.float64)
    return CentredSource(
        coordinates=_without_block_means(coordinates, block),
        channels=_without_block_means(channels, block),
        stimulus=recording.stimulus,
        block=block,
    )


def _without_block_means(
    values: Float[np.ndarray, "sample column"], block: Int[np.ndarray, " sample"]
) -> Float[np.ndarray, "sample column"]:
    result = np.array(values, dtype=np.float64)
    for code in np.unique(block):
        rows = block == code
        result[rows] -= result[rows].mean(axis=0)
    return result
