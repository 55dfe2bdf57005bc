"""Tables of recordings that stay on disk: the ids are read, the numbers are left where they are.

In: an HDF5, netCDF, zarr or parquet file, or a matrix (.npy) with its ids in a table beside it. Out: a ``Table`` with ``rows``
instead of values, or nothing if the file is small enough to be read, or is laid out so that it can only be read as a whole (ids
that are crossed dimensions). The columns and their names are those of the same file read into memory. Errors: ids and numbers
that do not fit together, too many samples, links and codecs that are not followed; each is a ``BadInput``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import one_line, problem, quoted
from brainworth.design.pilot.large import MAX_ROWS, STREAM_BYTES
from brainworth.design.pilot.rules.answers import Answers
from brainworth.design.pilot.rules.identity import measured, renamed, require_known
from brainworth.design.pilot.tables.arrays import axis_labels
from brainworth.design.pilot.tables.columns import MAX_COLUMNS, Wanted, check_columns, split_columns
from brainworth.design.pilot.tables.containers import (
    hdf5_datasets,
    hdf5_group,
    hdf5_is_text,
    hdf5_values,
    open_netcdf,
    zarr_arrays,
    zarr_dimensions,
)
from brainworth.design.pilot.tables.probe import check_ends
from brainworth.design.pilot.tables.rows import NpyRows, RowSource
from brainworth.design.pilot.tables.rows_stored import Hdf5Rows, ParquetRows, ZarrRows
from brainworth.design.pilot.tables.tables import Table, check_keys, text_of
from brainworth.design.study_file.reader import Reader

STREAMED = (".h5", ".hdf5", ".nc", ".zarr", ".parquet", ".pq", ".npy")
"""Endings of the files that can be streamed."""


@dataclass(frozen=True)
class _Array:
    """An array of a container, of which nothing was read."""

    shape: tuple[int, ...]
    numeric: bool
    load: Callable[[], np.ndarray]
    """Reads all of it: ids and labels only."""
    dims: tuple[str, ...] | None = None
    native: int = 1
    plain: bool = True
    """Whether its stored values are its values (no scale, offset or marks for missing ones)."""


def large_table(path: Path, source: str, wanted: Wanted, reader: Reader) -> Table | None:
    """Return the table of a file whose numbers stay on disk, or ``None`` if it is to be read into memory.

    Parameters
    ----------
    path : Path
        The file, or the folder of a zarr store.
    source : str
        How messages call it.
    wanted : Wanted
        Keys it must and may have; every other array of numbers is channels.
    reader : Reader
        ``stream`` true or false decides; without it, the size does.

    Raises
    ------
    BadInput
        See the module's docstring; also if ``stream`` is true for a file that cannot be streamed.
    """
    suffix = path.suffix.lower()
    if suffix not in STREAMED:
        return _not(source, reader, f"{quoted(suffix)} files cannot", "Convert it to parquet, HDF5 or zarr.")
    if reader.stream is False:
        return None
    try:
        if suffix in {".parquet", ".pq"}:
            return _parquet(path, source, wanted, reader)
        arrays, rows = _open(path, source, [part for part in (reader.node or "").split("/") if part])
        return _table(arrays, rows, source, wanted, reader)
    except BadInput:
        raise
    except Exception as error:  # damaged files make h5py, xarray, zarr and pyarrow raise a dozen types of errors
        wrong = f"the file cannot be read as {suffix[1:]} ({one_line(error, 200).rstrip('.')})"
        raise problem(source, "", wrong, f"Save it again as plain {suffix[1:]}, numbers and text only.") from None


def _not(source: str, reader: Reader, wrong: str, right: str) -> None:
    """Return nothing, or raise ``BadInput`` if streaming was asked for."""
    if reader.stream:
        raise problem(source, "reader > stream", f"{wrong} be streamed", right)


def _is_small(rows: int, columns: int, reader: Reader) -> bool:
    return not reader.stream and 8 * rows * columns <= STREAM_BYTES


def _check_rows(rows: int, columns: int, source: str) -> None:
    if rows > MAX_ROWS or columns > MAX_COLUMNS or rows == 0:
        wrong = f"the table has {rows} rows and {columns} columns"
        raise problem(source, "", wrong, f"1 to {MAX_ROWS} rows and at most {MAX_COLUMNS} columns can be streamed.")


def _parquet(path: Path, source: str, wanted: Wanted, reader: Reader) -> Table | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    names = renamed(schema.names, wanted.answers, source)
    of = dict(zip(names, schema.names, strict=True))
    check_columns(names, wanted, source)
    keys, numbers, ignored = split_columns(names, wanted, source)
    if _is_small(rows, len(numbers), reader):
        return None
    _check_rows(rows, len(numbers), source)
    for name in numbers:
        kind = schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            right = "Every channel of a streamed file must be a column of numbers."
            raise problem(source, f"column {quoted(name)}", f"its cells are of type {one_line(kind, 60)}", right)
    stored_keys = [of[name] for name in keys]
    loaded = pq.read_table(path, columns=stored_keys, read_dictionary=stored_keys)
    texts = {name: _texts(loaded.column(of[name]).to_pandas().to_numpy(dtype=object)) for name in keys}
    stored = ParquetRows(path, source, tuple(numbers), (rows, len(numbers)))
    return _streamed(
        Table(source, texts, tuple(numbers), _nothing(stored), tuple(ignored), rows=stored, answers=wanted.answers)
    )


def _texts(values: np.ndarray) -> np.ndarray:
    return np.array([text_of(v) for v in values.tolist()], dtype=object)


def _nothing(rows: RowSource) -> np.ndarray:
    return np.empty((rows.shape[0], 0))


def _streamed(table: Table) -> Table:
    """Return a table whose numbers stay on disk, after its keys and the names of its columns were checked."""
    if table.answers.missing:
        right = "Replace such values when the file is written, or read it into memory by stream = false."
        raise problem(table.source, f"{table.answers.section} missing", "the numbers are read in slices", right)
    return check_keys(table)


_Rows = Callable[[tuple[str, ...], tuple[int, int], int], RowSource]


def _open(path: Path, source: str, parts: list[str]) -> tuple[dict[str, _Array], _Rows]:
    """Return the arrays of a container, and what makes rows of some of them side by side."""
    if path.suffix.lower() == ".zarr":
        arrays = _zarr(path, source, parts)
        return arrays, lambda names, shape, native: ZarrRows(path, source, _full(parts, names), shape, native)
    check_ends(path, source)
    arrays = (_netcdf if path.suffix.lower() == ".nc" else _hdf5)(path, source, parts)
    return arrays, lambda names, shape, native: Hdf5Rows(path, source, _full(parts, names), shape, native)


def _full(parts: list[str], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("/".join((*parts, name)) for name in names)


def _hdf5(path: Path, source: str, parts: list[str]) -> dict[str, _Array]:
    import h5py

    def loader(name: str) -> Callable[[], np.ndarray]:
        def load() -> np.ndarray:
            with h5py.File(path, "r") as file:
                return hdf5_values(file["/".join((*parts, name))])

        return load

    found: dict[str, _Array] = {}
    with h5py.File(path, "r") as file:
        for name, item in hdf5_datasets(hdf5_group(file, source, parts), source, limited=False).items():
            native = int(item.chunks[0]) if item.chunks else 1
            found[name] = _Array(tuple(item.shape), not hdf5_is_text(item), loader(name), native=native)
    return found


def _netcdf(path: Path, source: str, parts: list[str]) -> dict[str, _Array]:
    stored = _hdf5(path, source, parts)
    found: dict[str, _Array] = {}
    with open_netcdf(path, parts) as dataset:
        for name, variable in dataset.variables.items():
            if str(name) not in stored:
                continue
            item, code = stored[str(name)], variable.encoding
            fill = code.get("_FillValue", np.nan)
            plain = not {"scale_factor", "add_offset", "missing_value"} & set(code) and bool(np.all(np.isnan(fill)))
            dims = tuple(str(d) for d in variable.dims)
            found[str(name)] = _Array(item.shape, item.numeric, item.load, dims, item.native, plain or not item.numeric)
    return found


def _zarr(path: Path, source: str, parts: list[str]) -> dict[str, _Array]:
    found: dict[str, _Array] = {}
    for name, array in zarr_arrays(path, source, parts).items():
        numeric = getattr(array.dtype, "kind", "O") in "fiub"
        marked = {"scale_factor", "add_offset", "missing_value", "_FillValue"} & set(array.attrs)
        native = int(array.chunks[0]) if array.chunks else 1

        def load(array: Any = array) -> np.ndarray:
            return np.asarray(array[...])

        found[name] = _Array(tuple(array.shape), numeric, load, zarr_dimensions(array), native, not marked)
    return found


def _table(arrays: Mapping[str, _Array], rows: _Rows, source: str, wanted: Wanted, reader: Reader) -> Table | None:
    arrays = dict(zip(renamed(arrays, wanted.answers, source), arrays.values(), strict=True))
    keys = {name: arrays[name] for name in (*wanted.required, *wanted.optional) if name in arrays}
    if not set(wanted.required) <= set(keys):
        return None  # reading it into memory says what is missing
    length = keys[wanted.required[0]].shape[:1]
    dims = {array.dims for array in keys.values()}
    labels = {d for array in arrays.values() for d in array.dims or ()}
    numbers = {n: a for n, a in arrays.items() if n not in keys and n not in labels and a.shape[:1] == length}
    right = "Store ids as one array each, and numbers as matrices with one row per sample."
    fits = len(dims) == 1 and all(len(array.shape) == 1 and array.shape == length for array in keys.values())
    first = next(iter(dims)) or ()
    for array in numbers.values():
        fits &= array.numeric and array.plain and len(array.shape) in {1, 2}
        fits &= (array.dims is None) == (not first) and (array.dims or ())[:1] == first
    if not fits or not numbers:
        return _not(source, reader, "its ids and numbers are not laid out row by row, so that it cannot", right)
    every = [c for n in numbers for c in _names(n, numbers[n], arrays, alone=len(numbers) == 1)]
    require_known([*numbers, *every], wanted.answers, source)
    single = [name for name, array in numbers.items() if len(array.shape) == 1]
    left_out = measured(single, wanted.answers, source, wanted.number_word)[1]
    numbers = {name: array for name, array in numbers.items() if name not in left_out}
    widths = {name: array.shape[1] if len(array.shape) == 2 else 1 for name, array in numbers.items()}
    if _is_small(length[0], sum(widths.values()), reader):
        return None
    _check_rows(length[0], sum(widths.values()), source)
    columns = tuple(c for n in numbers for c in _names(n, numbers[n], arrays, alone=len(numbers) == 1))
    check_columns([*keys, *columns], wanted, source)
    _require_whole(columns, wanted.answers, source)
    texts = {name: _texts(array.load()) for name, array in keys.items()}
    native = max(array.native for array in numbers.values())
    stored = rows(tuple(numbers), (length[0], len(columns)), native)
    ignored = tuple(n for n in arrays if n not in keys and n not in numbers and n not in labels)
    return _streamed(Table(source, texts, columns, _nothing(stored), ignored, rows=stored, answers=wanted.answers))


def _require_whole(columns: tuple[str, ...], answers: Answers, source: str) -> None:
    """Raise ``BadInput`` if a column to leave out is part of a matrix, which is read as a whole."""
    inside = [name for name in columns if name in answers.ignore]
    if inside:
        right = "Leave it out of the file, or read the file into memory by stream = false."
        place = f"{answers.section} ignore"
        raise problem(source, place, f"{quoted(inside[0])} is a column of a matrix that is read in slices", right)


def _names(name: str, array: _Array, arrays: Mapping[str, _Array], *, alone: bool) -> list[str]:
    """Return the names of an array's columns, as ``tables_arrays`` gives them."""
    if array.dims is None:
        return [name] if len(array.shape) == 1 else [f"{name}_{i + 1}" for i in range(array.shape[1])]
    prefix = "" if alone else f"{name} "
    if len(array.shape) == 1:
        return [prefix.strip() or "value"]
    dim = array.dims[1]
    coordinate = arrays.get(dim)
    values = coordinate.load() if coordinate is not None and coordinate.dims == (dim,) else None
    return [f"{prefix}{label}" for label in axis_labels(dim, array.shape[1], values)]


def matrix_table(path: Path, source: str, ids: Table, reader: Reader, answers: Answers) -> Table:
    """Return the table of a matrix on disk (.npy) and the ids of its rows, from a table beside it.

    Raises
    ------
    BadInput
        The file is no matrix of numbers, or has another number of rows than the ids.
    """
    rows = NpyRows.open(path)
    if rows.shape[0] != len(ids):
        wrong = f"it has {rows.shape[0]} rows, {ids.source} has {len(ids)}"
        raise problem(source, "", wrong, "Every row of the matrix needs a row of ids.")
    columns = tuple(f"channel_{i + 1}" for i in range(rows.shape[1]))
    if not columns:
        raise problem(source, "", "the matrix has no column", "Every column is a channel.")
    if reader.stream is False or _is_small(*rows.shape, reader):
        require_known(columns, answers, source)
        used = tuple(name for name in columns if name not in answers.ignore)
        where = [columns.index(name) for name in used]
        values = np.asarray(rows.read(0, rows.shape[0]), dtype=np.float64)[:, where]
        return check_keys(Table(source, ids.keys, used, values, (*ids.ignored, *answers.ignore), answers=answers))
    _check_rows(*rows.shape, source)
    _require_whole(columns, answers, source)
    return _streamed(Table(source, ids.keys, columns, _nothing(rows), ids.ignored, rows=rows, answers=answers))
