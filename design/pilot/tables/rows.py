"""Rows of large arrays, read a slice at a time: npy files, zarr and HDF5 arrays, Dask arrays, arrays in memory.

In: a path (npy, zarr), or an object with rows. Out: ``RowSource``: shape, type and ``read(start, stop)``, always a plain array.
Errors: a file that is no array of numbers, a slice that cannot be read; each is a ``BadInput``. No pickle is ever loaded, and no
file is mapped into memory: mapped pages would count as memory in use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

import numpy as np

from brainworth.design.common.messages import one_line, problem
from brainworth.design.common.optional import need
from brainworth.design.pilot.tables.containers import check_zarr

T = TypeVar("T")
CHUNK_BYTES = 64 * 2**20
"""Size of the slices that are read at once, in double precision."""


class RowSource(Protocol):
    """A matrix whose rows are read in slices."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    @property
    def identity(self) -> str:
        """A text that changes when the content does: path, size and time of change, or a hash of some rows."""
        ...

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows start to stop, as they are stored."""
        ...


@dataclass(frozen=True)
class NpyRows:
    """Rows of an npy file; fastest in C order, where a slice of rows lies together."""

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    offset: int
    by_column: bool = False
    """Whether the file is in Fortran order."""

    @classmethod
    def open(cls, path: Path) -> NpyRows:
        """Return the rows of a file whose header was checked; nothing else is read."""
        try:
            with path.open("rb") as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, fortran, dtype = read(file)
                offset = file.tell()
        except Exception as error:  # the header is a Python literal, whose parser raises half a dozen types of errors
            right = "Save a matrix of numbers by numpy.save, one row per sample."
            wrong = f"its rows cannot be read as npy ({one_line(error, 200)})"
            raise problem(path.name, "", wrong, right) from None
        if dtype.hasobject or dtype.kind not in "fiub" or len(shape) != 2:
            right = "Save a matrix of numbers, one row per sample."
            raise problem(path.name, "", f"it holds an array of {dtype}, shape {shape}", right)
        if path.stat().st_size < offset + shape[0] * shape[1] * dtype.itemsize:
            raise problem(path.name, "", "the file is shorter than its header says", "Save it again.")
        return cls(path, (int(shape[0]), int(shape[1])), dtype, offset, bool(fortran))

    @property
    def identity(self) -> str:
        """Path, size and time of change."""
        state = self.path.stat()
        return f"{self.path.resolve()}:{state.st_size}:{state.st_mtime_ns}"

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows start to stop."""
        rows, width = self.shape
        if self.by_column:
            with self.path.open("rb") as file:
                columns = [
                    self._column(file, self.offset + (rows * j + start) * self.dtype.itemsize, stop - start)
                    for j in range(width)
                ]
            return np.stack(columns, axis=1)
        offset = self.offset + start * width * self.dtype.itemsize
        values = np.fromfile(self.path, self.dtype, (stop - start) * width, offset=offset)
        return values.reshape(stop - start, width)

    def _column(self, file: BinaryIO, offset: int, count: int) -> np.ndarray:
        file.seek(offset)
        return np.fromfile(file, self.dtype, count)


@dataclass(frozen=True)
class SlicedRows:
    """Rows of an object that is sliced: NumPy, zarr, HDF5, Dask."""

    array: Any
    name: str

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.array.shape[0]), int(self.array.shape[1])

    @property
    def identity(self) -> str:
        """Type, shape and a hash of some rows."""
        rows = self.shape[0]
        state = hashlib.sha256(f"{type(self.array).__name__}:{self.shape}:{self.array.dtype}".encode())
        for start in sorted({0, rows // 3, rows // 2, max(rows - 1, 0)}):
            state.update(np.ascontiguousarray(self.read(start, min(start + 1, rows))).tobytes())
        return f"{self.name}:{state.hexdigest()}"

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows start to stop."""
        part = self.array[start:stop]
        return np.asarray(part.compute(scheduler="synchronous") if hasattr(part, "compute") else part)


def open_rows(value: Any, name: str = "array") -> RowSource:
    """Return the rows of a matrix on disk or in memory.

    Parameters
    ----------
    value : path or array
        A .npy file or .zarr array (a path), or an object with shape, dtype and slices: NumPy array (also memory-mapped),
        zarr array, h5py dataset, Dask array.
    name : str
        How messages call an object.

    Raises
    ------
    BadInput
        The file is no matrix of numbers, or the object has no rows.
    """
    if isinstance(value, str | Path):
        return _open_path(Path(value))
    dtype = getattr(value, "dtype", None)
    if dtype is None or len(getattr(value, "shape", ())) != 2 or np.dtype(dtype).kind not in "fiub":
        raise problem(name, "", f"got a {type(value).__name__}", "Give a matrix of numbers, one row per sample.")
    return SlicedRows(value, name)


def _open_path(path: Path) -> RowSource:
    try:
        if path.suffix.lower() == ".zarr":
            zarr = need("zarr", "zarr", "zarr arrays", path.name)
            check_zarr(path, path.name)
            array = zarr.open_array(store=zarr.storage.LocalStore(path, read_only=True), mode="r")
            return open_rows(array, str(path.resolve()))
        return NpyRows.open(path)
    except (OSError, ValueError, KeyError, EOFError) as error:
        right = "Give an .npy file or a .zarr array; open HDF5 by h5py and pass the dataset."
        raise problem(path.name, "", f"its rows cannot be read ({one_line(error, 200)})", right) from None


def native_rows(source: RowSource) -> int:
    """Return how many rows are stored together (the chunks of zarr, HDF5, Dask); 1 where rows are stored one by one."""
    array = source.array if isinstance(source, SlicedRows) else None
    if array is None:
        return max(int(getattr(source, "native", 1)), 1)
    chunks = getattr(array, "chunks", None)
    first = chunks[0] if chunks else 1
    return max(int(max(first) if isinstance(first, tuple) else first), 1)


def slices(rows: int, width: int, native: int = 1) -> Iterator[tuple[int, int]]:
    """Yield the slices of a pass: about ``CHUNK_BYTES`` of doubles each, in whole native chunks where these are smaller."""
    step = max(CHUNK_BYTES // (8 * max(width, 1)), 256)
    step = step // native * native if step >= native else step
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def read_ahead(read: Callable[[int, int], T], todo: Sequence[tuple[int, int]]) -> Iterator[T]:
    """Yield what is read of each slice; the next one is read while one is worked on."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(read, *todo[0]) if todo else None
        for following in [*todo[1:], None] if todo else []:
            assert coming is not None
            chunk = coming.result()
            coming = reader.submit(read, *following) if following else None
            yield chunk
