"""The sources of a pilot, in memory, streamed or summarised: everything that the summary of a pilot asks of a recording.

In: a pilot, the fold of every stimulus. Out: one source per recording, ``CentredSource`` where its values are an array, else
``StreamedSource``, which answers the same questions from moments per fold (one pass) and from further passes for read-outs; the
answers are equal to rounding. Values that are not finite stop the pass at the edge. Summaries of recordings
(``SummarisedChannels``) bring their moments and read-outs along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

import numpy as np
from jaxtyping import Float, Int

from brainworth.models.pilot.autocorrelation import MAX_ROWS, bartlett_factor, projected
from brainworth.models.pilot.coded_rows import CodedRows
from brainworth.models.pilot.encoder import Encoder
from brainworth.models.pilot.evidence import Rows
from brainworth.models.pilot.pilot import Coding, LargeChannels, Pilot
from brainworth.models.pilot.statistics import CentredSource, FeatureBasis, SourceStatistics, centred_source
from brainworth.models.pilot.streamed_readouts import Readings, SampleReader, channel_accuracy, main_channels
from brainworth.models.pilot.streaming import Chunk, FoldStatistics, Moments
from brainworth.models.pilot.summarised import SummarisedChannels, coded

MAIN_CHANNELS = 8
"""Main components of the channels that judge a feature basis."""


@dataclass(frozen=True)
class StreamedSource:
    """Samples of one source that do not fit into memory, as ``CentredSource``."""

    coordinates: CodedRows
    """Stimulus coordinates of each sample in the feature basis, centred on sessions."""
    channels: LargeChannels
    """Recorded values, as they are stored."""
    coding: Coding
    """Raw features, stimulus, fold and session of every sample."""
    basis: FeatureBasis
    """Feature basis of the coordinates."""
    moments: Moments
    """Moments of raw features and channels of every fold."""
    independent: float = 1.0
    """Independent samples that one sample is worth (``autocorrelation``)."""

    @property
    def stimulus(self) -> Int[np.ndarray, " sample"]:
        """Row of ``Pilot.features`` of each sample."""
        return self.coding.stimulus

    @property
    def block(self) -> Int[np.ndarray, " sample"]:
        """Session of each sample."""
        return self.coding.block

    @cached_property
    def by_fold(self) -> tuple[FoldStatistics, ...]:
        """What the samples of each fold say, in the feature basis."""
        return self.moments.by_fold(self.basis)

    def statistics(self) -> SourceStatistics:
        """Return the statistics of all samples."""
        return reduce(add, (part.statistics for part in self.by_fold)).scaled(self.independent)

    def fold_statistics(self, fold: int) -> SourceStatistics:
        """Return the statistics of the samples of one fold."""
        return self.by_fold[fold].statistics.scaled(self.independent)

    def read(self, encoders: Mapping[int, Encoder], place: int) -> Readings:
        """Return the read-outs of all samples, each by the encoder of its own fold, in one pass."""
        if isinstance(self.channels, SummarisedChannels):
            return self._summarised(self.channels, encoders, place)
        reader = SampleReader(place, self._ordered(encoders), self.basis, self.moments.session_means())
        return reader.read_all(self._chunk(start, values) for start, values in self.channels.slices())

    def _summarised(self, channels: SummarisedChannels, encoders: Mapping[int, Encoder], place: int) -> Readings:
        """Return the read-outs that a summary brings along, turned to the latents of the encoders."""
        k = encoders[0].maps.shape[1]
        raw, predicted, energy = (np.zeros((len(self.stimulus), k)) for _ in range(3))
        for fold, encoder in enumerate(self._ordered(encoders)):
            rows = np.flatnonzero(self.coding.fold == fold)
            coordinates = self.coordinates[rows]
            raw[rows] = channels.read(fold, rows, encoder.filters[place])
            predicted[rows] = coordinates @ encoder.maps
            energy[rows] = predicted[rows] ** 2 + coordinates**2 @ encoder.map_covariance_diag
        return Readings(raw, predicted, energy)

    def channel_accuracy(self, encoders: Mapping[int, Encoder], place: int) -> Float[np.ndarray, " channel"]:
        """Return the cross-validated correlation of predicted and recorded channels."""
        return channel_accuracy(self.by_fold, self._ordered(encoders), place)

    def _ordered(self, encoders: Mapping[int, Encoder]) -> Sequence[Encoder]:
        return [encoders[fold] for fold in range(self.coding.n_folds)]

    def _chunk(self, start: int, values: Float[np.ndarray, "row channel"]) -> Chunk:
        code, rows = self.coding, slice(start, start + len(values))
        return Chunk(code.features[code.stimulus[rows]], values, code.fold[rows], code.block[rows])

    def residuals(self, weights: Float[np.ndarray, "direction channel"]) -> Float[np.ndarray, "row column"]:
        """Return what an encoding model leaves of the first samples, projected (``autocorrelation.projected``)."""
        channels = self.channels.first(MAX_ROWS)
        means = self.moments.session_means()[:, self.moments.n_features :]
        rows = slice(0, len(channels))
        return projected(channels - means[self.block[rows]] - self.coordinates[rows] @ weights)


Source = CentredSource | StreamedSource


def streamed_moments(pilot: Pilot, folds: Int[np.ndarray, " stimulus"]) -> tuple[Moments | None, ...]:
    """Return the moments of every recording that does not fit into memory: the first pass over each of them."""
    return tuple(
        None if isinstance(r.channels, np.ndarray) else r.channels.moments(coded(r, pilot, folds))
        for r in pilot.recordings
    )


def pilot_sources(
    pilot: Pilot,
    basis: FeatureBasis,
    folds: Int[np.ndarray, " stimulus"],
    moments: Sequence[Moments | None],
) -> tuple[Source, ...]:
    """Return every recording of a pilot, centred on its sessions.

    Parameters
    ----------
    pilot : Pilot
        The pilot.
    basis : FeatureBasis
        Feature basis.
    folds : (stimulus,)
        Fold of each stimulus.
    moments : sequence
        ``streamed_moments`` of the pilot and the folds.
    """
    coordinates = basis.transform(pilot.features)
    sources: list[Source] = []
    for recording, found in zip(pilot.recordings, moments, strict=True):
        if found is None or isinstance(recording.channels, np.ndarray):
            sources.append(centred_source(recording, coordinates))
        else:
            code = coded(recording, pilot, folds)
            rows = CodedRows.centred(coordinates, code.stimulus, code.block)
            sources.append(StreamedSource(rows, recording.channels, code, basis, found))
    return tuple(sources)


def main_rows(source: Source) -> Rows:
    """Return the main components of a source's channels, each in units of its own spread, as rows of a likelihood table."""
    if isinstance(source, StreamedSource):
        return main_channels(source.statistics(), MAIN_CHANNELS)
    spread = np.sqrt(np.mean(source.channels**2, axis=0))
    left, values, _ = np.linalg.svd(source.channels / np.where(spread > 0.0, spread, 1.0), full_matrices=False)
    main = left[:, :MAIN_CHANNELS] * values[:MAIN_CHANNELS]
    return Rows.of(source.coordinates, main, np.ones(len(main)))


def first_residuals(source: Source, weights: Float[np.ndarray, "direction channel"]) -> Float[np.ndarray, "row column"]:
    """Return what an encoding model leaves of the first samples of a source, projected if there are many channels."""
    if isinstance(source, StreamedSource):
        return source.residuals(weights)
    return projected(source.channels[:MAX_ROWS] - source.coordinates[:MAX_ROWS] @ weights)


def sample_worth(
    source: Source, weights: Float[np.ndarray, "direction channel"], shares: Float[np.ndarray, " direction"]
) -> float:
    """Return how many independent samples a sample of a source is worth, given an encoding model (``autocorrelation``)."""
    if isinstance(source, StreamedSource) and isinstance(source.channels, SummarisedChannels):
        return 1.0 if source.channels.worth is None else source.channels.worth
    noise = first_residuals(source, weights)
    block = np.zeros(len(noise), dtype=int) if source.block is None else source.block
    return 1.0 / bartlett_factor(noise, source.coordinates[: len(noise)], shares, block)
