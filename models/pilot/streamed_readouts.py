"""Read-outs of recordings that do not fit into memory: a second pass, and what needs no second pass.

In: the fold statistics of ``streaming``, one encoder per fold, chunks of raw samples. Out: per sample the k read-outs,
predictions and energies that ``readouts.cross_fitted_readouts`` works with (k numbers each, so that they fit into memory); from
the statistics alone the held-out accuracy of channels and the main channels' evidence. All equal the in-memory route to rounding.
Chunks in another order than before give read-outs in that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from brainworth.models.pilot.encoder import Encoder
from brainworth.models.pilot.evidence import Rows
from brainworth.models.pilot.statistics import FeatureBasis, SourceStatistics
from brainworth.models.pilot.streaming import Chunk, FoldStatistics


@dataclass(frozen=True)
class Readings:
    """Read-outs of samples by encoders that never saw them."""

    raw: Float[np.ndarray, "sample latent"]
    """Channels times the filters of the sample's fold."""
    predicted: Float[np.ndarray, "sample latent"]
    """Latents predicted from the stimulus by that fold's encoder."""
    energy: Float[np.ndarray, "sample latent"]
    """Expected square of each latent, E[u^2]."""


@dataclass(frozen=True)
class SampleReader:
    """Reads the samples of one source."""

    source: int
    """Place of the source in the encoders."""
    encoders: Sequence[Encoder]
    """Encoder of every fold, fitted without it, aligned to each other."""
    basis: FeatureBasis
    """Feature basis of the encoders."""
    mean: Float[np.ndarray, "block column"]
    """Session means of features and channels (``Moments.session_means``)."""

    def read(self, chunk: Chunk) -> Readings:
        """Return the read-outs of a chunk, in its order."""
        k = self.encoders[0].maps.shape[1]
        raw, predicted, energy = (np.zeros((len(chunk.fold), k)) for _ in range(3))
        for fold in np.unique(chunk.fold):
            encoder, rows = self.encoders[int(fold)], chunk.fold == fold
            block, p = chunk.block[rows], chunk.features.shape[1]
            coordinates = ((chunk.features[rows] - self.mean[block, :p]) / self.basis.scale) @ self.basis.rotation
            filters = encoder.filters[self.source]
            raw[rows] = chunk.channels[rows] @ filters - (self.mean[:, p:] @ filters)[block]
            predicted[rows] = coordinates @ encoder.maps
            energy[rows] = predicted[rows] ** 2 + coordinates**2 @ encoder.map_covariance_diag
        return Readings(raw, predicted, energy)

    def read_all(self, chunks: Iterable[Chunk]) -> Readings:
        """Return the read-outs of all chunks, one below the other."""
        parts = [self.read(chunk) for chunk in chunks]
        return Readings(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("raw", "predicted", "energy")))


def channel_accuracy(
    folds: Sequence[FoldStatistics], encoders: Sequence[Encoder], source: int
) -> Float[np.ndarray, " channel"]:
    """Return the cross-validated correlation of predicted and recorded channels, from the statistics alone.

    The prediction of a fold is X W with W = maps times patterns of the encoder fitted without it; sums of its products and
    squares over the fold are W'X'R and W'X'XW.
    """
    n = sum(fold.statistics.n for fold in folds)
    product, power, square, guess, value = (0.0,) * 5
    for fold, encoder in zip(folds, encoders, strict=True):
        weights = encoder.maps @ encoder.patterns[source]
        stats = fold.statistics
        product = product + np.sum(weights * stats.cross, axis=0)
        power = power + np.sum(weights * (stats.gram @ weights), axis=0)
        square = square + np.diag(stats.channel_gram)
        guess, value = guess + fold.coordinate_sum @ weights, value + fold.channel_sum
    spread = (power - guess**2 / n) * (square - value**2 / n)
    return np.asarray((product - guess * value / n) / np.sqrt(np.where(spread > 0.0, spread, np.inf)))


def main_channels(statistics: SourceStatistics, count: int = 8) -> Rows:
    """Return the main components of a source's channels as rows for ``evidence.readout_table``, from its statistics.

    Equals ``Rows.of`` of the first left singular vectors times singular values of the centred channels, each divided by its root
    mean square, up to the signs.
    """
    spread = np.sqrt(np.diagonal(statistics.channel_gram) / statistics.n)
    spread = np.where(spread > 0.0, spread, 1.0)
    values, vectors = np.linalg.eigh(statistics.channel_gram / spread[:, None] / spread)
    main = vectors[:, ::-1][:, :count]
    squares = np.maximum(values[::-1][:count], 0.0)
    return Rows(statistics.gram, (statistics.cross / spread) @ main, np.diag(squares), round(statistics.n) - 1)
