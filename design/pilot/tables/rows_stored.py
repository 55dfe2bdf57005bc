"""Rows of arrays within files: HDF5 (and netCDF), zarr, parquet; and rows chosen from, or put below, others.

In: files whose structure was checked (``tables_large``). Out: ``RowSource``: any slice of rows as one plain array, columns side
by side. Files are opened for each read (parquet keeps its place), so that a source can be sent to another process. What can go
wrong: a file that is damaged behind its header, or has changed since it was checked; a ``BadInput`` that names it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import one_line, problem
from brainworth.design.pilot.tables.containers import open_zarr
from brainworth.design.pilot.tables.rows import RowSource

BATCH_ROWS = 4096
"""Rows of parquet that are unpacked at once."""


def file_identity(path: Path) -> str:
    """Return path, size and time of change."""
    state = path.stat()
    return f"{path.resolve()}:{state.st_size}:{state.st_mtime_ns}"


@contextmanager
def _readable(source: str, start: int, stop: int) -> Generator[None]:
    """Turn the dozen types of errors that damaged files raise into ``BadInput``."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        detail = one_line(error, 200).rstrip(".")
        wrong = f"the values cannot be read ({detail})"
        raise problem(source, f"rows {start + 1} to {stop}", wrong, "Save the file again.") from None


def _beside(parts: Sequence[np.ndarray], shape: tuple[int, int], rows: int) -> np.ndarray:
    """Return arrays of one row per sample side by side."""
    columns = [part.reshape(len(part), -1) for part in parts]
    values = columns[0] if len(columns) == 1 else np.hstack(columns)
    if values.shape != (rows, shape[1]):
        raise ValueError(f"got {values.shape[0]} rows of {values.shape[1]} values, expected {rows} of {shape[1]}")
    return values


@dataclass(frozen=True)
class _Stored:
    """Arrays within a file or a store, side by side."""

    path: Path
    source: str
    """How messages call it."""
    names: tuple[str, ...]
    """Full names of the arrays."""
    shape: tuple[int, int]
    """Rows and columns."""

    @property
    def identity(self) -> str:
        """Path, size, time of change, names."""
        return f"{file_identity(self.path)}:{self.names}"


@dataclass(frozen=True)
class Hdf5Rows(_Stored):
    """Rows of datasets of an HDF5 or netCDF file."""

    native: int = 1
    """Rows that are stored together."""

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows start to stop."""
        import h5py

        with _readable(self.source, start, stop), h5py.File(self.path, "r") as file:
            sets: list[Any] = [file[name] for name in self.names]
            parts = [np.asarray(item[start:stop]) for item in sets]
            return _beside(parts, self.shape, stop - start)


@dataclass(frozen=True)
class ZarrRows(_Stored):
    """Rows of arrays of a zarr store."""

    native: int = 1
    """Rows that are stored together."""

    @property
    def identity(self) -> str:
        """Path, names and the time of change of every file of the arrays."""
        state = hashlib.sha256(f"{self.path.resolve()}:{self.names}".encode())
        for name in self.names:
            for file in sorted((self.path / name).rglob("*")):
                state.update(f"{file.name}:{file.stat().st_size}:{file.stat().st_mtime_ns}".encode())
        return state.hexdigest()

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows start to stop."""
        with _readable(self.source, start, stop):
            group = open_zarr(self.path, self.source)
            return _beside([np.asarray(group[name][start:stop]) for name in self.names], self.shape, stop - start)


@dataclass(frozen=True)
class ParquetRows(_Stored):
    """Rows of columns of a parquet file; fastest in order, because it keeps its place."""

    _place: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """Where the last read ended: next row, the batches after it, what is left of the last one."""

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_place": {}}

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows start to stop."""
        out = np.empty((stop - start, self.shape[1]))
        with _readable(self.source, start, stop):
            if self._place.get("row") != start:
                self._go_to(start)
            done = 0
            while done < len(out):
                left = self._place["left"] if len(self._place["left"]) else next(self._place["batches"])
                taken = left[: len(out) - done]
                out[done : done + len(taken)] = taken
                self._place["left"] = left[len(taken) :]
                done += len(taken)
                self._place["row"] = start + done
        return out

    def _go_to(self, start: int) -> None:
        import pyarrow.parquet as pq

        self._place.clear()
        file = pq.ParquetFile(self.path, pre_buffer=False, buffer_size=2**16)
        ends = list(accumulate(file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)))
        group = int(np.searchsorted(ends, start, side="right"))
        first = ends[group - 1] if group else 0
        groups = list(range(group, file.num_row_groups))
        found = file.iter_batches(BATCH_ROWS, row_groups=groups, columns=list(self.names), use_threads=False)
        batches = (_matrix(batch, self.names) for batch in found)
        left = np.empty((0, self.shape[1]))
        while first < start:
            left = next(batches)
            skipped = min(start - first, len(left))
            left, first = left[skipped:], first + skipped
        self._place.update(row=start, batches=batches, left=left)


def _matrix(batch: Any, names: Sequence[str]) -> np.ndarray:
    """Return a batch as doubles; missing values are NaN."""
    columns = [batch.column(batch.schema.get_field_index(name)) for name in names]
    return np.column_stack([np.asarray(c.to_numpy(zero_copy_only=False), dtype=np.float64) for c in columns])


@dataclass(frozen=True)
class TakenRows:
    """Some rows and columns of a source."""

    source: RowSource
    rows: Int[np.ndarray, " row"]
    """Numbers of the rows, rising."""
    columns: Int[np.ndarray, " column"] | None = None
    """Numbers of the columns; ``None`` for all."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), self.source.shape[1] if self.columns is None else len(self.columns)

    @property
    def native(self) -> int:
        """Rows that the source stores together."""
        return int(getattr(self.source, "native", 1))

    @property
    def identity(self) -> str:
        """That of the source, and a hash of the choice."""
        state = hashlib.sha256(self.source.identity.encode())
        state.update(np.ascontiguousarray(self.rows, dtype="<i8").tobytes())
        state.update(b"all" if self.columns is None else np.ascontiguousarray(self.columns, dtype="<i8").tobytes())
        return state.hexdigest()

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the chosen rows start to stop; never more than twice as many rows are held at once."""
        wanted = self.rows[start:stop]
        if not len(wanted):
            return np.empty((0, self.shape[1]))
        first, last, step = int(wanted[0]), int(wanted[-1]) + 1, max(stop - start, 256)
        columns = slice(None) if self.columns is None else self.columns
        if last - first == len(wanted):
            return self.source.read(first, last)[:, columns]
        parts: list[np.ndarray] = []
        while first < last:
            end = min(first + step, last)
            here = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, end)]
            if len(here):
                parts.append(self.source.read(first, end)[here - first][:, columns])
            first = end
        return np.concatenate(parts)


@dataclass(frozen=True)
class StackedRows:
    """Sources one below the other; columns that one lacks are NaN."""

    sources: tuple[RowSource, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return sum(s.shape[0] for s in self.sources), max(s.shape[1] for s in self.sources)

    @property
    def identity(self) -> str:
        """Those of the sources."""
        return hashlib.sha256("\x1f".join(s.identity for s in self.sources).encode()).hexdigest()

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows start to stop."""
        width = self.shape[1]
        parts: list[np.ndarray] = []
        first = 0
        for source in self.sources:
            a, b = max(start - first, 0), min(stop - first, source.shape[0])
            if a < b:
                part = np.asarray(source.read(a, b), dtype=np.float64)
                parts.append(np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=np.nan))
            first += source.shape[0]
        return np.concatenate(parts) if parts else np.empty((0, width))
