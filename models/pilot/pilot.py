"""A pilot as plain arrays: what every station after the reader works on.

In: validated arrays (see ``brainworth.design.pilot.study``). Out: frozen records with integer stimulus codes, so that no
station below needs to know about files, column names or data frames. Recordings that do not fit into memory are
``LargeChannels``, whose passes the edge implements. What can go wrong is decided at the edge, before these records are
built; nothing here checks again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from jaxtyping import Bool, Float, Int

if TYPE_CHECKING:
    from brainworth.models.pilot.streaming import Moments


@dataclass(frozen=True)
class Coding:
    """What a pass over recordings knows of every sample."""

    features: Float[np.ndarray, "stimulus feature"]
    """Raw features of every stimulus."""
    stimulus: Int[np.ndarray, " sample"]
    """Row of ``features`` of each sample."""
    fold: Int[np.ndarray, " sample"]
    """Fold of each sample, from 0."""
    block: Int[np.ndarray, " sample"]
    """Session of each sample, from 0."""
    n_folds: int
    """Folds of the study, some of which may hold no sample."""


class LargeChannels(Protocol):
    """Recorded values that do not fit into memory, read slice by slice in the order of the samples."""

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and channels."""
        ...

    @property
    def size(self) -> int:
        """Values in all."""
        ...

    def __getitem__(self, rows: np.ndarray) -> Self:
        """Return some of the samples (a mask, or numbers in rising order), still unread."""
        ...

    def slices(self) -> Iterator[tuple[int, Float[np.ndarray, "row channel"]]]:
        """Yield the values of successive samples and the number of the first of them."""
        ...

    def first(self, rows: int) -> Float[np.ndarray, "row channel"]:
        """Return the values of the first samples."""
        ...

    def moments(self, coding: Coding) -> Moments:
        """Return the moments of features and channels of every fold, in one pass."""
        ...


@dataclass(frozen=True)
class Recording:
    """Brain samples of one person in one modality."""

    modality: str
    """Name of the modality, as in the study."""
    subject: str
    """Name of the person; the same name in two modalities is the same person."""
    stimulus: Int[np.ndarray, " sample"]
    """Row of ``Pilot.features`` that each sample was recorded to; a stimulus may occur again (repeats)."""
    channels: Float[np.ndarray, "sample channel"] | LargeChannels
    """Recorded values, any unit; missing channels were dropped at the edge."""
    session: Int[np.ndarray, " sample"] | None = None
    """Session code of each sample, if known."""

    @property
    def in_memory(self) -> Float[np.ndarray, "sample channel"]:
        """The recorded values as one array; ``ValueError`` if they do not fit into memory."""
        if isinstance(self.channels, np.ndarray):
            return self.channels
        raise ValueError(f"The recordings of {self.subject} ({self.modality}) are read in slices, not as one array.")


@dataclass(frozen=True)
class Pilot:
    """Everything a pilot says: stimuli, recordings, labels."""

    features: Float[np.ndarray, "stimulus feature"]
    """Raw stimulus features, every available stimulus, labelled or not."""
    group: Int[np.ndarray, " stimulus"]
    """Group code (sentence, run) of each stimulus: never split across folds. One group a stimulus if not given."""
    recordings: tuple[Recording, ...]
    """One entry per modality and person; empty for a modality that is planned from its prior."""
    label_stimulus: Int[np.ndarray, " label"]
    """Row of ``features`` of each label; several labels of a stimulus are repeated labels."""
    label: Float[np.ndarray, " label"]
    """Labels, any unit; -1 and +1 for a binary task."""
    binary: bool = False
    """Whether the task is a two-way classification."""
    block: Int[np.ndarray, " feature"] | None = None
    """Block of each feature, from 0, if features are weighed block by block (``representation``)."""
    rater: Int[np.ndarray, " label"] | None = None
    """Code of whoever gave each label, from 0; none if nobody says."""
    subtracted: Float[np.ndarray, " label"] | None = None
    """What was subtracted from each label for the offset of its rater; none if nothing was."""
    weight: Float[np.ndarray, " label"] | None = None
    """Labels of average noise that each label is worth, as its rater is noisy; none if all count the same."""
    by_tokens: Int[np.ndarray, " stimulus"] | None = None
    """Groups where new stimuli are tokens of known types; none if the study has no types. ``group`` is this or the next."""
    by_types: Int[np.ndarray, " stimulus"] | None = None
    """Groups where new stimuli are new types: none is split."""
    kind: Int[np.ndarray, " stimulus"] | None = None
    """Type that each stimulus is a token of, from 0; none if the study has no types."""
    kernel: Float[np.ndarray, " feature"] | None = None
    """Variance that new stimuli have along each feature of a kernel, a block whose unit is given; NaN for other features."""

    def restricted(self, brain: Bool[np.ndarray, " stimulus"], task: Bool[np.ndarray, " stimulus"]) -> Pilot:
        """Return the pilot with recordings and labels of some stimuli only; features of all stimuli stay.

        People with fewer than two samples left are left out.
        """
        kept: list[Recording] = []
        for recording in self.recordings:
            rows = brain[recording.stimulus]
            if rows.sum() >= 2:
                session = None if recording.session is None else recording.session[rows]
                stimulus, channels = recording.stimulus[rows], recording.channels[rows]
                kept.append(replace(recording, stimulus=stimulus, channels=channels, session=session))
        chosen = task[self.label_stimulus]
        rater = None if self.rater is None else self.rater[chosen]
        subtracted = None if self.subtracted is None else self.subtracted[chosen]
        weight = None if self.weight is None else self.weight[chosen]
        return replace(
            self,
            recordings=tuple(kept),
            label_stimulus=self.label_stimulus[chosen],
            label=self.label[chosen],
            rater=rater,
            subtracted=subtracted,
            weight=weight,
        )
