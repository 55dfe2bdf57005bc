"""What a summary tells of the recordings: in words, with the numbers of the one at hand."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from brainworth.design.common.cards import Card, HasCard
from brainworth.design.common.records import Record
from brainworth.design.pilot.summaries.format import Header, channels_of
from brainworth.models.pilot.pilot import Recording


class WrittenSummary(HasCard, Record):
    """A summary that was written: who is in it, what it reveals, what to do next."""

    path: str
    """The file."""
    round: int
    """1: moments alone; 2: with read-outs, ready to plan from."""
    people: dict[str, list[str]]
    """Names or pseudonyms of the people in the file, by modality."""
    numbers: int
    """Numbers in the file that come from recordings."""
    recorded: int
    """Numbers in the recordings."""
    reveals: list[str] = Field(default_factory=list)
    """What the file tells, a sentence each."""
    next: str = ""
    """What to do with it."""

    def card(self) -> Card:
        """Return who is in the file, and what it reveals."""
        rows = [(name, f"{len(people):,}") for name, people in self.people.items()]
        return Card(
            f"Summary {self.path}, round {self.round}", "", ("modality", "people"), rows, [*self.reveals, self.next]
        )


def count_of(recordings: tuple[Recording, ...]) -> tuple[int, int]:
    """Return how many numbers of a summary come from recordings, and how many the recordings hold."""
    numbers = recorded = 0
    for recording in recordings:
        one = channels_of(recording)
        q = one.shape[1]
        numbers += one.folds.cross.size + len(one.folds.gram) * q * (q + 1) // 2 + one.folds.total.size
        numbers += 0 if one.held is None else one.held.raw.size
        recorded += one.size
    return numbers, recorded


def revealed(header: Header, recordings: tuple[Recording, ...], *, pseudonyms: bool) -> list[str]:
    """Return what a summary tells, a sentence each."""
    folds = header.common.folds
    said = [
        "It holds no recordings, no channel names, no session means and no order of presentation.",
        f"It tells, for each of {folds} folds, the covariance of a person's channels and their regression on the features: which "
        "channels vary together, how strongly, and what in the stimuli drives them.",
        "It tells which stimuli a person was shown, how often, and in how many sessions.",
        "It tells pseudonyms, not names of people; a pseudonym is a hash keyed by this site's files."
        if pseudonyms
        else "It tells the names of people as the recordings have them; --pseudonyms replaces them.",
    ]
    exact, nearly = _determined(recordings, folds)
    total = len(recordings)
    if exact:
        said.append(
            f"For {exact} of {total} recordings a fold has no more stimuli than features. Whoever has the stimuli can then compute "
            "the mean response to each of these stimuli back, exactly: send this file only where the recordings may go, or "
            "use fewer features (principal components) at all sites."
        )
    if nearly:
        said.append(
            f"For {nearly} of {total} recordings a fold has no more samples than features and channels together. The samples of "
            "such a fold are known but for a rotation of what the features do not explain. Fewer channels (regions) or features "
            "reveal less."
        )
    if header.together:
        found = [one.held.raw.shape[1] for one in map(channels_of, recordings) if one.held is not None]
        k = max(found)
        said.append(
            f"It tells {k} numbers for every sample: the channels, weighted and summed as the encoders of all sites do. They are "
            "recordings of single samples, reduced to what the features predict best; whoever has them can tell how a person's "
            "response to one stimulus differed from the usual one."
        )
    said.append(
        "A summary is no proof of anonymity: no noise is added. Ask who is responsible for your data before you send it."
    )
    return said


def _determined(recordings: tuple[Recording, ...], folds: int) -> tuple[int, int]:
    """Return how many recordings have a fold that gives away means of stimuli, and how many others samples up to a rotation."""
    exact = nearly = 0
    for recording in recordings:
        one = channels_of(recording)
        p, q = one.folds.cross.shape[1], one.shape[1]
        held = [one.stimulus[one.fold == fold] for fold in range(folds)]
        if any(0 < np.unique(stimuli).size <= p for stimuli in held):
            exact += 1
        elif any(0 < stimuli.size <= p + q for stimuli in held):
            nearly += 1
    return exact, nearly
