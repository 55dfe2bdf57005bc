"""A pilot as plain arrays: what every station after the reader works on.

In: validated arrays (see ``brainworth.design.study``). Out: frozen records with integer stimulus codes, so that no
station below needs to know about files, column names or data frames. What can go wrong is decided at the edge, before
these records are built; nothing here checks again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Recording:
    """Brain samples of one person in one modality."""

    modality: str
    """Name of the modality, as in the study."""
    subject: str
    """Name of the person; the same name in two modalities is the same person."""
    stimulus: Int[np.ndarray, " sample"]
    """Row of ``Pilot.features`` that each sample was recorded to; a stimulus may occur again (repeats)."""
    channels: Float[np.ndarray, "sample channel"]
    """Recorded values, any unit; missing channels were dropped at the edge."""
    session: Int[np.ndarray, " sample"] | None = None
    """Session code of each sample, if known."""


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
        return replace(
            self, recordings=tuple(kept), label_stimulus=self.label_stimulus[chosen], label=self.label[chosen]
        )
