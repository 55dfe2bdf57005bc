"""Recordings of one person as second moments and read-outs: what leaves a site whose recordings may not.

In: a recording, the fold of every stimulus. Out: ``FoldMoments``, the moments of raw features and channels of every fold, centred
on sessions; with the filters of an encoder, ``HeldOutReadouts``. ``SummarisedChannels`` stands in a ``Recording`` where the
channels would be. Whatever needs a sample's channels raises ``SummarisedChannels.refusal``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NoReturn, Self

import numpy as np
from jaxtyping import Float, Int

from brainworth.models.pilot.coded_rows import CodedRows
from brainworth.models.pilot.pilot import Coding, Pilot, Recording
from brainworth.models.pilot.statistics import FeatureBasis, session_blocks
from brainworth.models.pilot.streaming import Chunk, Moments

SPAN = 1e-3
"""Largest part of a filter, relative to its length, that the filters of a summary may lack."""


@dataclass(frozen=True)
class FoldMoments:
    """Sums over the samples of every fold, of raw features x and channels r without the means of their sessions."""

    cross: Float[np.ndarray, "fold feature channel"]
    """Sum of x r'."""
    gram: Float[np.ndarray, "fold channel channel"]
    """Sum of r r'."""
    total: Float[np.ndarray, "fold channel"]
    """Sum of r; 0 over all folds together."""

    @classmethod
    def of(cls, recording: Recording, coding: Coding) -> FoldMoments:
        """Return the moments of a recording, in memory or streamed, in one pass."""
        channels = recording.channels
        if isinstance(channels, np.ndarray):
            moments = Moments.empty(
                coding.features.shape[1], channels.shape[1], coding.n_folds, int(coding.block.max()) + 1
            )
            moments.absorb(Chunk(coding.features[coding.stimulus], channels, coding.fold, coding.block))
        else:
            moments = channels.moments(coding)
        p = coding.features.shape[1]
        raw = FeatureBasis(mean=np.zeros(p), scale=np.ones(p), rotation=np.eye(p), variance=np.ones(p))
        folds = moments.by_fold(raw)
        return cls(
            cross=np.stack([fold.statistics.cross for fold in folds]),
            gram=np.stack([(f.statistics.channel_gram + f.statistics.channel_gram.T) / 2.0 for f in folds]),
            total=np.stack([fold.channel_sum for fold in folds]),
        )


@dataclass(frozen=True)
class HeldOutReadouts:
    """Samples read out with filters that were fitted without the sample's fold."""

    raw: Float[np.ndarray, "sample latent"]
    """Channels, without the means of sessions, times the filters of the sample's fold."""
    filters: Float[np.ndarray, "fold channel latent"]
    """The filters."""

    def read(
        self, fold: int, rows: np.ndarray, filters: Float[np.ndarray, "channel latent"]
    ) -> Float[np.ndarray, "row latent"]:
        """Return what other filters read from the samples of a fold.

        Raises
        ------
        ValueError
            If the filters are no combinations of the ones that the samples were read with.
        """
        mix = np.linalg.lstsq(self.filters[fold], filters, rcond=1e-10)[0]
        left = np.linalg.norm(filters - self.filters[fold] @ mix, axis=0)
        if np.any(left > SPAN * np.linalg.norm(filters, axis=0)):
            raise ValueError("The samples were read out with other filters.")
        return self.raw[rows] @ mix


@dataclass(frozen=True)
class SummarisedChannels:
    """What is known of a person's channels where the recordings are not; see ``models.pilot.LargeChannels``."""

    subject: str
    """The person."""
    modality: str
    """The modality."""
    stimulus: Int[np.ndarray, " sample"]
    """Row of the features of each sample."""
    block: Int[np.ndarray, " sample"]
    """Session of each sample, small ones pooled."""
    fold: Int[np.ndarray, " sample"]
    """Fold of each sample."""
    folds: FoldMoments
    """Moments of every fold."""
    worth: float | None = None
    """Independent samples that one sample is worth; ``None`` if it is not known yet."""
    held: HeldOutReadouts | None = None
    """Read-outs; ``None`` before the second round."""

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and channels."""
        return len(self.stimulus), self.folds.gram.shape[1]

    @property
    def size(self) -> int:
        """Values that the recordings have."""
        return self.shape[0] * self.shape[1]

    def refusal(self) -> Exception:
        """Return the error for a question that only recordings answer."""
        return ValueError(f"The summary of {self.subject} ({self.modality}) carries no recordings.")

    def outdated(self) -> Exception:
        """Return the error for read-outs that are missing, or were made with other filters."""
        return ValueError(f"The summary of {self.subject} ({self.modality}) carries no read-outs of this pilot.")

    def __getitem__(self, rows: np.ndarray) -> Self:
        raise self.refusal()

    def slices(self) -> Iterator[tuple[int, Float[np.ndarray, "row channel"]]]:
        """Raise: the samples are elsewhere."""
        raise self.refusal()

    def first(self, rows: int) -> NoReturn:
        """Raise: the samples are elsewhere."""
        del rows
        raise self.refusal()

    def moments(self, coding: Coding) -> Moments:
        """Return the moments of features and channels of every fold."""
        same = np.array_equal(coding.block, self.block) and np.array_equal(coding.fold, self.fold)
        if coding.n_folds != len(self.folds.gram) or not same:
            raise self.refusal()
        table = coding.features - coding.features.mean(axis=0)
        rows = CodedRows.centred(table, coding.stimulus, coding.block)
        p, q = table.shape[1], self.shape[1]
        moments = Moments.empty(p, q, coding.n_folds, 1)
        moments.shift[:] = 0.0
        for fold in range(coding.n_folds):
            held = coding.fold == fold
            part = replace(rows, stimulus=rows.stimulus[held], block=rows.block[held])
            moments.second[fold][:p, :p] = part.T @ part
            moments.second[fold][:p, p:] = self.folds.cross[fold]
            moments.second[fold][p:, p:] = self.folds.gram[fold]
            moments.first[fold, 0, :p] = (part.T @ np.ones((int(held.sum()), 1)))[:, 0]
            moments.first[fold, 0, p:] = self.folds.total[fold]
            moments.count[fold, 0] = held.sum()
        return moments

    def read(
        self, fold: int, rows: np.ndarray, filters: Float[np.ndarray, "channel latent"]
    ) -> Float[np.ndarray, "row latent"]:
        """Return what filters read from the samples of a fold, centred on sessions."""
        if self.held is None:
            raise self.outdated()
        try:
            return self.held.read(fold, rows, filters)
        except ValueError as error:
            raise self.outdated() from error


def is_summarised(pilot: Pilot) -> bool:
    """Return whether a pilot holds summaries of recordings, not the recordings."""
    return any(isinstance(recording.channels, SummarisedChannels) for recording in pilot.recordings)


def coded(recording: Recording, pilot: Pilot, folds: Int[np.ndarray, " stimulus"]) -> Coding:
    """Return features, stimulus, fold and session of every sample of a recording."""
    stimulus = recording.stimulus
    block = session_blocks(recording.session, len(stimulus))
    return Coding(pilot.features, stimulus, folds[stimulus], block, int(folds.max()) + 1)


def order_of(coding: Coding) -> Int[np.ndarray, " sample"]:
    """Return the order of a summary's samples: by session and stimulus, so that it does not tell the order of presentation."""
    return np.lexsort((coding.stimulus, coding.block))


def summarised(recording: Recording, pilot: Pilot, folds: Int[np.ndarray, " stimulus"]) -> Recording:
    """Return a recording with the summary of its channels instead of them, its samples in the order of the summary."""
    code = coded(recording, pilot, folds)
    order = order_of(code)
    stimulus, block, fold = code.stimulus[order], code.block[order], code.fold[order]
    channels = SummarisedChannels(
        recording.subject, recording.modality, stimulus, block, fold, FoldMoments.of(recording, code)
    )
    return Recording(recording.modality, recording.subject, stimulus, channels, block)
