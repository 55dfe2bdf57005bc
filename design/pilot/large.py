"""Recordings of one person that stay on disk: the passes over them, and how an interrupted one goes on.

In: rows on disk (``rows``), the names of the channels. Out: ``StoredChannels``, which a ``Recording`` holds instead of an array.
Errors: values that are not finite, channels that never vary, moments that do not fit into memory; each is a ``BadInput``. An
interrupted pass leaves a checkpoint in the folder that ``resumable`` names; the next run goes on from there and gives the same
numbers bit for bit.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.common.messages import problem, quoted
from brainworth.design.pilot.rules.answers import Answers, either
from brainworth.design.pilot.rules.cleaning import require_plausible
from brainworth.design.pilot.rules.duplicates import by_chance, row_hashes
from brainworth.design.pilot.tables.rows import CHUNK_BYTES, SlicedRows, native_rows, read_ahead, slices
from brainworth.design.pilot.tables.rows_stored import TakenRows
from brainworth.design.pilot.tables.tables import Table
from brainworth.models.pilot.pilot import Coding

if TYPE_CHECKING:
    from brainworth.design.pilot.study import StudyData
    from brainworth.models.pilot.streaming import Chunk, Moments

STREAM_BYTES = 2**29
"""Recordings of a file that take more than this in double precision are streamed, unless the reader says otherwise."""
MAX_ROWS = 50_000_000
"""Most samples of a streamed file: their ids are kept in memory."""
MAX_MOMENT_BYTES = 4 * 2**30
"""Most memory for the moments of all people of a modality: folds times (features + channels) squared doubles each."""
SAMPLED_ROWS = 20_000
"""Samples that stand for a large recording where a check looks at raw values."""
HEAD_ROWS = 256
"""First samples of a person, in which a channel without any value is one that this person lacks."""
_CONSTANT = 1e-12


@dataclass(frozen=True)
class StoredChannels:
    """Channels of one person on disk; see ``models.pilot.LargeChannels``."""

    rows: TakenRows
    """Samples and channels of this person."""
    source: str
    """How messages call the file."""
    subject: str
    """The person."""
    names: tuple[str, ...]
    """Names of the channels."""
    folder: Path | None = None
    """Where an interrupted pass is kept; nowhere by default."""
    tell: Callable[[str], None] | None = None
    """Called with a word on how far a pass is."""
    answers: Answers = field(default_factory=Answers)
    """What the study file says about doubtful values."""

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and channels."""
        return self.rows.shape

    @property
    def size(self) -> int:
        """Values in all."""
        return self.shape[0] * self.shape[1]

    def __getitem__(self, rows: np.ndarray) -> Self:
        return replace(self, rows=replace(self.rows, rows=self.rows.rows[rows]))

    def slices(self) -> Iterator[tuple[int, Float[np.ndarray, "row channel"]]]:
        """Yield the values of successive samples and the number of the first of them."""
        todo = list(slices(*self.shape, native_rows(self.rows)))
        for (start, stop), values in zip(todo, read_ahead(self.rows.read, todo), strict=True):
            yield start, values
            self._say(stop, "Reading out")

    def first(self, rows: int) -> Float[np.ndarray, "row channel"]:
        """Return the values of the first samples."""
        return np.asarray(self.rows.read(0, min(rows, self.shape[0])), dtype=np.float64)

    def sampled(self, rows: int = SAMPLED_ROWS, pieces: int = 20) -> Float[np.ndarray, "row channel"]:
        """Return the values of some samples, in stretches that are spread evenly over the recording."""
        total = self.shape[0]
        length = max(min(rows, total) // pieces, 1)
        starts = np.unique(np.linspace(0, max(total - length, 0), pieces).astype(int))
        return np.concatenate([self.rows.read(int(a), min(int(a) + length, total)) for a in starts]).astype(np.float64)

    def some(self) -> Float[np.ndarray, "row channel"]:
        """Return as many sampled values as a slice of a pass holds, to compare channels with each other."""
        return self.sampled(min(SAMPLED_ROWS, max(CHUNK_BYTES // (8 * self.shape[1]), HEAD_ROWS)))

    def with_channels(self, kept: Int[np.ndarray, " channel"]) -> Self:
        """Return some of the channels."""
        there = self.rows.columns
        columns = kept if there is None else np.asarray(there)[kept]
        return replace(self, rows=replace(self.rows, columns=columns), names=tuple(self.names[i] for i in kept))

    def moments(self, coding: Coding) -> Moments:
        """Return the moments of features and channels of every fold, in one pass."""
        from brainworth.design.pilot.streaming import (  # JAX, which reading files never needs
            LargeRecording,
            Pass,
            stream_moments,
        )

        features = SlicedRows(coding.features, "features")
        recording = LargeRecording(features, self.rows, coding.fold, coding.block, coding.stimulus, coding.n_folds)
        checkpoint = None if self.folder is None else self.folder / f"{recording.identity[:24]}.npz"
        seen: list[np.ndarray] = []

        def looked_at(chunk: Chunk, start: int) -> None:
            self._refuse(chunk, start)
            if self.answers.duplicates != "keep":
                seen.append(row_hashes(chunk.channels))

        how = Pass(checkpoint, keep=True, refuse=looked_at, progress=lambda done, _: self._say(done, "Reading"))
        moments = stream_moments(recording, how)
        self._require_distinct(seen)
        self._require_varying(moments)
        return moments

    def _say(self, done: int, what: str) -> None:
        if self.tell is not None:
            self.tell(f"{what} {self.source}, {self.subject}: {done / self.shape[0]:.0%}")

    def _refuse(self, chunk: Chunk, start: int) -> None:
        """Raise ``BadInput`` for the first value that is not finite."""
        bad = np.argwhere(~np.isfinite(chunk.channels))
        if len(bad):
            row, column = int(self.rows.rows[start + int(bad[0, 0])]), self.names[int(bad[0, 1])]
            what = "is empty or NaN" if np.isnan(chunk.channels[tuple(bad[0])]) else "is infinite"
            place = f"row {row + 1}, column {quoted(column)}"
            right = "Every cell must hold a finite number; leave out rows without data."
            raise problem(self.source, place, f"the cell {what}", right)
        values, rows = np.asarray(chunk.channels, dtype=np.float64), self.rows.rows[start : start + len(chunk.channels)]
        require_plausible(Table(self.source, {}, self.names, values, answers=self.answers, number=rows), "samples")

    def _require_distinct(self, seen: list[np.ndarray]) -> None:
        """Raise ``BadInput`` if rows of this pass equal each other in every channel, and that is no chance."""
        hashes = np.concatenate(seen) if seen else np.empty(0, dtype=np.uint64)
        twice = len(hashes) - np.unique(hashes).size
        if twice and not by_chance(self.first(SAMPLED_ROWS)):
            wrong = f"{twice} samples of subject {quoted(self.subject)} equal another one in every channel: they are given twice"
            options = [(self.answers.lines("duplicates", "keep"), "they are measurements of their own")]
            raise problem(self.source, "", wrong, either("Leave the copies out of the file.", options))

    def _require_varying(self, moments: Moments) -> None:
        means = moments.session_means()[:, moments.n_features :]
        held = moments.count.sum(axis=0)[:, None]
        within = sum(np.diag(second)[moments.n_features :] for second in moments.second)
        within = within - np.sum(
            moments.first.sum(axis=0)[:, moments.n_features :] ** 2 / np.maximum(held, 1.0), axis=0
        )
        level = np.max(np.abs(means), axis=0)
        flat = (within <= held.sum() * (_CONSTANT * level) ** 2) & (np.ptp(means, axis=0) <= _CONSTANT * level)
        if np.any(flat):
            name = self.names[int(np.argmax(flat))]
            wrong = f"the channel is constant for subject {quoted(self.subject)}"
            right = "A channel must vary; leave its cells empty for a person who lacks it, or leave the column out."
            raise problem(self.source, f"column {quoted(name)}", wrong, right)


def stored_person(table: Table, where: np.ndarray, subject: str) -> StoredChannels:
    """Return the channels of one person; one without a value in the first samples is missing for them and left out.

    Parameters
    ----------
    table : Table
        Rows of everyone, on disk.
    where : ndarray
        Numbers of this person's rows, rising.
    subject : str
        How messages call the person.
    """
    rows, columns, source = table.rows, table.columns, table.source
    assert rows is not None
    head = np.asarray(TakenRows(rows, where).read(0, min(HEAD_ROWS, len(where))), dtype=np.float64)
    there = ~np.all(np.isnan(head), axis=0)
    if not there.any():
        wrong = f"subject {quoted(subject)} has no value in any channel"
        raise problem(source, f"row {int(where[0]) + 1}", wrong, "Leave out rows without data.")
    names = tuple(name for name, keep in zip(columns, there, strict=True) if keep)
    return StoredChannels(TakenRows(rows, where, np.flatnonzero(there)), source, subject, names, answers=table.answers)


def require_room(people: int, features: int, channels: int, source: str) -> None:
    """Raise ``BadInput`` if the moments of a modality would not fit into memory."""
    from brainworth.models.pilot.pooling import N_FOLDS  # of whose folds the moments are kept

    size = people * N_FOLDS * 8 * (features + channels) ** 2
    if size > MAX_MOMENT_BYTES:
        wrong = (
            f"{people} people with {channels} channels and {features} features need {size / 2**30:.1f} GiB of moments"
        )
        right = f"At most {MAX_MOMENT_BYTES / 2**30:.0f} GiB are used; average channels into regions, or reduce the features."
        raise problem(source, "", wrong, right)


def resumable(study: StudyData, folder: Path, tell: Callable[[str], None] | None = None) -> StudyData:
    """Return a study whose passes over large recordings are kept in a folder, and go on from what is there."""
    if not study.has_pilot:
        return study
    pilot = study.pilot

    def kept(channels: object) -> object:
        return replace(channels, folder=folder, tell=tell) if isinstance(channels, StoredChannels) else channels

    recordings = tuple(replace(r, channels=kept(r.channels)) for r in pilot.recordings)
    return study.with_pilot(replace(pilot, recordings=recordings))


def forget(folder: Path) -> None:
    """Remove the folder of kept passes, once what they were for is safe."""
    shutil.rmtree(folder, ignore_errors=True)
