"""Arrays with or without named dimensions as tables: xarray objects, netCDF, HDF5 and zarr files.

In: named arrays. Where their dimensions have names (xarray, netCDF, zarr written by xarray), the rows are all combinations of the
dimensions of the keys (subject, stimulus, session, repeat), rows without a single number are left out, and every further
dimension of a variable becomes columns named by its coordinate. Where dimensions have no names (plain HDF5 or zarr), arrays have
one row per sample, as in npz: a matrix NAME becomes the columns NAME_1, NAME_2, ... Out: ``Table``. Errors: damaged files, too
many values, wrong shapes, links out of the file, codecs that could run code; each is a ``BadInput``. No pickle is ever loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.pilot.rules.identity import renamed
from brainworth.design.pilot.tables.columns import MAX_COLUMNS, Wanted, check_columns
from brainworth.design.pilot.tables.tables import MAX_CELLS, MAX_FILE_BYTES, Table, check_size, from_columns


@dataclass(frozen=True)
class Named:
    """An array and the names of its dimensions; ``None`` if they have none."""

    values: np.ndarray
    dims: tuple[str, ...] | None = None


def is_labelled(value: object) -> bool:
    """Return whether a value is an ``xarray.DataArray`` or ``Dataset`` (without importing xarray)."""
    return any(
        c.__module__.startswith("xarray.") and c.__name__ in {"DataArray", "Dataset"} for c in type(value).__mro__
    )


def labelled_table(value: Any, source: str, wanted: Wanted) -> Table:
    """Return the table of an xarray object.

    Parameters
    ----------
    value : xarray.DataArray or xarray.Dataset
        The keys (subject, stimulus, ...) are coordinates or variables; all other variables that have all dimensions of the
        keys are numbers.
    source : str
        How messages call it.
    wanted : Wanted
        Which keys it must and may have.

    Raises
    ------
    BadInput
        A key is missing, no variable has the dimensions of the keys, or there are too many values.
    """
    free = str(value.name) if hasattr(value, "name") and value.name is not None else wanted.number_word
    while free in value.coords:
        free += "_value"
    dataset = value if hasattr(value, "data_vars") else value.to_dataset(name=free)
    check_bytes(sum(int(v.size) * max(v.dtype.itemsize, 8) for v in dataset.variables.values()), source)
    several = {name for name, index in dataset.indexes.items() if name in dataset.dims and index.nlevels > 1}
    arrays = {
        str(name): Named(np.asarray(variable.values), tuple(str(d) for d in variable.dims))
        for name, variable in dataset.variables.items()
        if name not in several
    }
    return arrays_table(arrays, source, wanted)


def check_bytes(size: int, source: str) -> None:
    """Raise ``BadInput`` for arrays that are too large."""
    if size > MAX_FILE_BYTES:
        raise problem(source, "", f"its arrays take {size} bytes", f"At most {MAX_FILE_BYTES} bytes can be read.")


def arrays_table(arrays: Mapping[str, Named], source: str, wanted: Wanted) -> Table:
    """Return the table of named arrays; see the module's docstring.

    Raises
    ------
    BadInput
        Missing keys, wrong shapes, cells that are not numbers.
    """
    arrays = dict(zip(renamed(arrays, wanted.answers, source), arrays.values(), strict=True))
    keys = {name: arrays[name] for name in (*wanted.required, *wanted.optional) if name in arrays}
    if keys and all(array.dims is not None for array in keys.values()):
        return from_columns(_rows(arrays, keys, source, wanted), source, wanted)
    columns: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        columns |= matrix_columns(name, array.values, source)
    return from_columns(columns, source, wanted)


def matrix_columns(name: str, array: np.ndarray, source: str) -> dict[str, np.ndarray]:
    """Return the columns of an array with one row per sample: NAME, or NAME_1, NAME_2, ..."""
    if array.ndim not in {1, 2} or (array.ndim == 2 and array.shape[1] > MAX_COLUMNS):
        right = f"An array has one row per sample: one axis, or two with at most {MAX_COLUMNS} columns."
        raise problem(source, f"array {quoted(name)}", f"its shape is {array.shape}", right)
    return {name: array} if array.ndim == 1 else {f"{name}_{i + 1}": c for i, c in enumerate(array.T)}


def _rows(arrays: Mapping[str, Named], keys: Mapping[str, Named], source: str, wanted: Wanted) -> dict[str, np.ndarray]:
    """Return the columns of arrays with named dimensions: rows are all combinations of the keys' dimensions."""
    size: dict[str, int] = {}
    for array in keys.values():
        size |= dict(zip(array.dims or (), array.values.shape, strict=True))
    rows = tuple(size)
    check_size(int(np.prod(list(size.values()), dtype=np.float64)), len(keys), source)
    columns: dict[str, np.ndarray] = {}
    numbers = [
        (name, array)
        for name, array in arrays.items()
        if name not in keys and name not in (array.dims or ()) and rows and set(rows) <= set(array.dims or ())
    ]
    for name in wanted.required:
        if name not in keys:
            hint = did_you_mean(name, arrays)
            right = f"Add it as a coordinate; there are {quoted_list(arrays)}.{hint}"
            raise problem(source, f"variable {quoted(name)}", "the variable is missing", right)
    if not numbers:
        right = f"A variable of numbers has the dimensions {quoted_list(rows)} and further ones."
        raise problem(source, "", "no variable has the dimensions of the keys", right)
    for name, array in numbers:
        columns |= _number_columns(name if len(numbers) > 1 else "", array, rows, arrays, source)
    kept = _present(columns)
    columns = {name: column[kept] for name, column in columns.items()}
    for name, array in keys.items():
        columns[name] = _spread(array, size)[kept]
    check_columns(list(columns), wanted, source)
    return columns


def _number_columns(
    prefix: str, array: Named, rows: tuple[str, ...], arrays: Mapping[str, Named], source: str
) -> dict[str, np.ndarray]:
    dims = array.dims or ()
    rest = [dim for dim in dims if dim not in rows]
    matrix = np.transpose(array.values, [dims.index(dim) for dim in (*rows, *rest)])
    count = int(np.prod([array.values.shape[dims.index(dim)] for dim in rest], dtype=np.float64))
    if count > MAX_COLUMNS or array.values.size > MAX_CELLS:
        right = f"At most {MAX_COLUMNS} columns and {MAX_CELLS} cells can be read."
        raise problem(source, f"variable {quoted(prefix)}", f"it has {count} columns", right)
    matrix = matrix.reshape(-1, count)
    labels = [axis_labels(d, array.values.shape[dims.index(d)], _coordinate(d, arrays)) for d in rest]
    names = [" ".join((*([prefix] if prefix else []), *part)) for part in product(*labels)]
    if names == [""]:
        names = ["value"]
    if len(set(names)) < len(names):
        right = "Give every entry of a dimension its own label."
        raise problem(
            source, f"variable {quoted(prefix)}", f"two columns have one name among {quoted_list(names)}", right
        )
    return dict(zip(names, matrix.T, strict=True))


def _coordinate(dim: str, arrays: Mapping[str, Named]) -> np.ndarray | None:
    coordinate = arrays.get(dim)
    return coordinate.values if coordinate is not None and coordinate.dims == (dim,) else None


def axis_labels(dim: str, size: int, coordinate: np.ndarray | None) -> list[str]:
    """Return the labels of a dimension: its coordinate's values, or its name with numbers."""
    if coordinate is None:
        return [f"{dim}_{i + 1}" for i in range(size)]
    return [f"{v:g}" if isinstance(v, float) else str(v) for v in coordinate.tolist()]


def _spread(array: Named, size: Mapping[str, int]) -> np.ndarray:
    """Return a key on every combination of the row dimensions, flattened."""
    dims = array.dims or ()
    ordered = np.transpose(array.values, [dims.index(d) for d in size if d in dims])
    shape = [n if d in dims else 1 for d, n in size.items()]
    return np.broadcast_to(ordered.reshape(shape), list(size.values())).reshape(-1)


def _present(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return which rows hold a number: combinations that were never recorded are empty throughout."""
    present = np.zeros(next(iter(columns.values())).size, dtype=bool)
    for column in columns.values():
        present |= ~np.isnan(column) if column.dtype.kind == "f" else np.ones(column.size, dtype=bool)
    return present
