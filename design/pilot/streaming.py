"""Statistics of a pilot that does not fit into memory: chunked passes over files, which can be interrupted and resumed.

In: the recordings of one person as rows on disk (npy, zarr, HDF5, Dask), the stimulus features likewise or in memory, the
fold and session of every sample. Out: ``models.streaming.Moments``, from which the statistics of every fold follow. What can go
wrong: rows that do not fit together, values that are not finite, a checkpoint of other data (which is ignored); the first two
are ``BadInput``. An interrupted pass leaves a whole checkpoint; the resumed pass gives the same numbers bit for bit.
"""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from brainworth.design.common.files import stream_atomic
from brainworth.design.common.messages import problem
from brainworth.design.pilot.tables.rows import RowSource, native_rows, open_rows, read_ahead, slices
from brainworth.models.pilot.statistics import session_blocks
from brainworth.models.pilot.streaming import Chunk, Moments
from brainworth.models.pilot.threads import one_blas_thread

SAVE_SECONDS = 30.0
"""Time between two checkpoints of a pass."""
_VERSION = 1


@dataclass(frozen=True)
class LargeRecording:
    """Recordings of one person in one modality, on disk."""

    features: RowSource
    """Features, a row per sample, or a row per stimulus if ``stimulus`` is given."""
    channels: RowSource
    """Recorded values, a row per sample."""
    fold: Int[np.ndarray, " sample"]
    """Fold of each sample, from 0."""
    block: Int[np.ndarray, " sample"]
    """Session of each sample, from 0."""
    stimulus: Int[np.ndarray, " sample"] | None = None
    """Row of ``features`` of each sample; ``None`` if there is one row per sample."""
    n_folds: int = 0
    """Folds, if more than occur."""

    @classmethod
    def of(
        cls,
        features: object,
        channels: object,
        fold: Int[np.ndarray, " sample"],
        session: Int[np.ndarray, " sample"] | None = None,
        stimulus: Int[np.ndarray, " sample"] | None = None,
    ) -> LargeRecording:
        """Return a recording of paths or arrays (see ``rows.open_rows``), after their sizes were compared.

        Parameters
        ----------
        features, channels : path or array
            One row per sample; features one row per stimulus if ``stimulus`` is given, read into memory then.
        fold : ndarray
            Fold of each sample, by groups of stimuli (``models.folds.group_folds``).
        session : ndarray, optional
            Session of each sample; small ones are pooled.
        stimulus : ndarray, optional
            Row of the features of each sample.

        Raises
        ------
        BadInput
            The numbers of rows do not fit, or an array cannot be read.
        """
        x, r = open_rows(features, "features"), open_rows(channels, "channels")
        rows = r.shape[0]
        wanted = x.shape[0] if stimulus is None else len(stimulus)
        for name, count in (("features" if stimulus is None else "stimulus", wanted), ("fold", len(fold))):
            if count != rows:
                raise problem(name, "", f"it has {count} rows, channels have {rows}", "Give one per sample.")
        if session is not None and len(session) != rows:
            raise problem("session", "", f"it has {len(session)} rows, channels have {rows}", "Give one per sample.")
        if rows == 0 or np.min(fold) < 0:
            raise problem("fold", "", "there is no sample, or a fold is negative", "Number folds from 0.")
        if stimulus is not None and (np.min(stimulus) < 0 or np.max(stimulus) >= x.shape[0]):
            raise problem("stimulus", "", "a sample has no row of features", f"There are {x.shape[0]} rows.")
        if stimulus is not None:
            x = open_rows(x.read(0, x.shape[0]), "features")
        return cls(x, r, np.asarray(fold), session_blocks(session, rows), stimulus)

    @property
    def identity(self) -> str:
        """A hash of what a checkpoint belongs to."""
        state = hashlib.sha256(f"{_VERSION}:{self.features.identity}:{self.channels.identity}".encode())
        for codes in (self.fold, self.block, self.stimulus):
            state.update(b"none" if codes is None else np.ascontiguousarray(codes, dtype="<i8").tobytes())
        return state.hexdigest()

    def slices(self) -> list[tuple[int, int]]:
        """Return the slices of a pass, the same for every pass."""
        width = self.features.shape[1] + self.channels.shape[1]
        return list(slices(self.channels.shape[0], width, native_rows(self.channels)))

    def chunk(self, start: int, stop: int) -> Chunk:
        """Return the samples of a slice."""
        if self.stimulus is None:
            features = self.features.read(start, stop)
        else:
            features = self.features.read(0, self.features.shape[0])[self.stimulus[start:stop]]
        channels = self.channels.read(start, stop)
        return Chunk(features, channels, self.fold[start:stop], self.block[start:stop])


def require_finite(chunk: Chunk, start: int) -> None:
    """Raise ``BadInput`` for the first value of a chunk that is not finite."""
    for name, values in (("features", chunk.features), ("channels", chunk.channels)):
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            place = f"row {start + int(bad[0, 0]) + 1}, column {int(bad[0, 1]) + 1}"
            raise problem(name, place, "the value is NaN or infinite", "Leave out rows without data.")


@dataclass(frozen=True)
class Pass:
    """How a pass is run."""

    checkpoint: Path | None = None
    """Where an interrupted pass is kept; removed when it is complete."""
    save_seconds: float = field(default_factory=lambda: SAVE_SECONDS)
    """Time between two checkpoints."""
    progress: Callable[[int, int], None] | None = None
    """Called with the rows done and the rows in all."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Threads that share the products; the result does not depend on it."""
    keep: bool = False
    """Whether the checkpoint of a complete pass stays, so that the same pass costs nothing the next time."""
    refuse: Callable[[Chunk, int], None] = require_finite
    """Called with a chunk that holds a value that is not finite, and the number of its first row; raises ``BadInput``."""


def stream_moments(recording: LargeRecording, how: Pass | None = None) -> Moments:
    """Return the moments of a recording, in one pass; resumed where the checkpoint left it.

    Parameters
    ----------
    recording : LargeRecording
        The recording.
    how : Pass, optional
        Checkpoint and progress.

    Raises
    ------
    BadInput
        A value is not finite, or the checkpoint cannot be written.
    """
    how = how or Pass()
    rows = recording.channels.shape[0]
    identity = recording.identity if how.checkpoint is not None else ""
    empty = Moments.empty(
        recording.features.shape[1],
        recording.channels.shape[1],
        max(int(recording.fold.max()) + 1, recording.n_folds),
        int(recording.block.max()) + 1,
    )
    moments, done = _resumed(how.checkpoint, identity, empty)
    saved = time.monotonic()
    with one_blas_thread(), ThreadPoolExecutor(max_workers=max(how.threads, 1)) as pool:
        for start, stop, chunk in _read_ahead(recording, done):
            moments.absorb(chunk, pool)
            if not np.isfinite(moments.first.sum()):
                how.refuse(chunk, start)
            if how.progress is not None:
                how.progress(stop, rows)
            if how.checkpoint is not None and stop < rows and time.monotonic() - saved >= how.save_seconds:
                _save(how.checkpoint, identity, moments, stop)
                saved = time.monotonic()
    if how.checkpoint is not None and not how.keep:
        how.checkpoint.unlink(missing_ok=True)
    elif how.checkpoint is not None and done < rows:
        _save(how.checkpoint, identity, moments, rows)
    return moments


def _read_ahead(recording: LargeRecording, done: int) -> Iterator[tuple[int, int, Chunk]]:
    """Yield the slices after ``done`` rows and their samples; the next one is read while one is worked on."""
    todo = [(start, stop) for start, stop in recording.slices() if stop > done]
    for (start, stop), chunk in zip(todo, read_ahead(recording.chunk, todo), strict=True):
        yield start, stop, chunk


def _save(path: Path, identity: str, moments: Moments, done: int) -> None:
    arrays: dict[str, Any] = {f"second_{i}": part for i, part in enumerate(moments.second)}
    arrays |= {"first": moments.first, "count": moments.count, "shift": moments.shift}
    arrays |= {"identity": np.array(identity), "done": np.array(done)}
    stream_atomic(path, lambda stream: np.savez(stream, **arrays))


def _resumed(path: Path | None, identity: str, empty: Moments) -> tuple[Moments, int]:
    """Return the moments and the rows done of a checkpoint of this recording; nothing done if there is none."""
    if path is None or not path.is_file():
        return empty, 0
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            if str(saved["identity"]) != identity:
                return empty, 0
            second = tuple(saved[f"second_{i}"] for i in range(len(empty.second)))
            moments = Moments(second, saved["first"], saved["count"], saved["shift"], empty.n_features)
            done = int(saved["done"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):  # damaged: the pass starts again
        return empty, 0
    fits = all(a.shape == b.shape for a, b in zip(moments.second, empty.second, strict=True))
    fits &= moments.first.shape == empty.first.shape and moments.shift.shape == empty.shift.shape
    return (moments, done) if fits else (empty, 0)
