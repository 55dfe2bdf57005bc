"""Arrays as the tables a study is built from.

In: matrices and row numbers; recordings also as memory-mapped, HDF5, zarr or Dask arrays. Out: data frames with the columns of
the study's tables, or a table whose numbers stay where they are. What is masked in a masked array is a missing value. What can go
wrong: arrays of the wrong shape, people whose names are one text; a ``BadInput`` that names the argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pandas as pd

from brainworth.design.common.messages import problem, quoted
from brainworth.design.pilot.large import STREAM_BYTES
from brainworth.design.pilot.rules.identity import clean_text
from brainworth.design.pilot.tables.rows import open_rows
from brainworth.design.pilot.tables.rows_stored import StackedRows
from brainworth.design.pilot.tables.tables import Table, check_keys, text_of

_PAIR = "Give (rows of features, labels), two arrays of one length."


def array_frame(matrix: Any, source: str, word: str) -> pd.DataFrame:
    """Return the columns of a matrix as a frame ``word_1``, ``word_2``, ...; ``BadInput`` if it is no matrix."""
    matrix = unmasked(matrix)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise problem(source, "", f"its shape is {matrix.shape}", f"It must be a matrix with one column per {word}.")
    return pd.DataFrame(matrix, columns=[f"{word}_{i + 1}" for i in range(matrix.shape[1])])


def unmasked(values: Any) -> np.ndarray:
    """Return an array in which what was masked is missing (NaN, or None among texts)."""
    if not np.ma.is_masked(values):
        return np.asarray(np.ma.getdata(values) if isinstance(values, np.ma.MaskedArray) else values)
    number = values.dtype.kind in "fiub"
    return np.ma.filled(np.ma.asarray(values, float if number else object), np.nan if number else None)


def labels_frame(labels: Any, stimuli: int) -> pd.DataFrame:
    """Return the columns stimulus and label of ``(rows of features, labels)``; rows may also be a mask of the stimuli.

    Parameters
    ----------
    labels : pair of arrays
        Row numbers (or a mask) and values; a column of values counts as an array.
    stimuli : int
        Number of stimuli.

    Raises
    ------
    BadInput
        It is no pair, or its arrays do not fit each other.
    """
    pair: Any = labels
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise problem("labels", "", f"got {_described(labels)}", _PAIR)
    rows, values = unmasked(pair[0]), unmasked(pair[1])
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if rows.ndim == 2 and rows.shape[1] == 1:
        rows = rows[:, 0]
    if values.ndim != 1 or rows.ndim != 1:
        raise problem("labels", "", f"the shapes are {rows.shape} and {values.shape}", _PAIR)
    rows = _row_numbers(rows, len(values), "labels", stimuli)
    return pd.DataFrame({"stimulus": rows, "label": pd.Series(list(values), dtype=object)})


def _described(value: object) -> str:
    shape = getattr(value, "shape", None)
    return f"an array of shape {shape}" if shape is not None else f"a {type(value).__name__}"


def _stays(channels: Any) -> bool:
    """Return whether an array of channels is on disk, or so large that it is better left as it is."""
    if isinstance(channels, np.ma.MaskedArray):
        return False
    if not isinstance(channels, np.ndarray):
        return hasattr(channels, "dtype") and hasattr(channels, "shape")
    return isinstance(channels, np.memmap) or 8 * channels.size > STREAM_BYTES


def _row_numbers(numbers: Any, samples: int, source: str, stimuli: int | None = None) -> np.ndarray:
    """Return the row of features of each sample; a mask of the stimuli stands for the rows where it is true."""
    rows = unmasked(numbers)
    if rows.dtype.kind == "b":
        if stimuli is not None and rows.shape != (stimuli,):
            raise problem(source, "", f"the mask has the shape {rows.shape}", f"There are {stimuli} stimuli.")
        rows = np.flatnonzero(rows)
    if rows.shape != (samples,):
        what = f"{rows.size} row numbers" if rows.ndim == 1 else f"row numbers of shape {rows.shape}"
        raise problem(source, "", f"it has {what} for {samples} values", "Give one row of features for each.")
    return rows


def _names_of(people: Mapping[Any, Any], source: str) -> list[str]:
    """Return the people's names as text; ``BadInput`` if two of them are the same then."""
    names = [clean_text(str(person)) for person in people]
    for place, name in enumerate(names):
        if name in names[:place]:
            first, second = list(people)[names.index(name)], list(people)[place]
            wrong = (
                f"the people {first!r} ({type(first).__name__}) and {second!r} ({type(second).__name__}) have one name"
            )
            raise problem(source, "", wrong, "Names are text: call them differently, or put their samples together.")
    return names


def _pair(given: Any, source: str) -> tuple[Any, Any]:
    if not isinstance(given, list | tuple) or len(cast("Any", given)) != 2:
        right = "Give (rows of features, channels), one row number for each row of channels."
        raise problem(source, "", f"got {_described(given)}", right)
    return cast("tuple[Any, Any]", tuple(cast("Any", given)))


def recordings_table(modality: str, people: Mapping[Any, Any]) -> pd.DataFrame | Table:
    """Return the recordings of all people of a modality below each other; channels a person lacks are left empty.

    Where an array is on disk (memory-mapped, HDF5, zarr, Dask), or takes more than ``large.STREAM_BYTES`` in double precision,
    all of them are left where they are and read in slices.

    Raises
    ------
    BadInput
        No person, two people of one name, arrays that do not fit each other.
    """
    name = f"recordings[{quoted(modality)}]"
    if not isinstance(cast("object", people), Mapping) or not people:
        right = "Give {person: (rows of features, channels)}; omit a modality without a pilot."
        raise problem(name, "", "it holds no person", right)
    names = _names_of(people, name)
    pairs = {who: _pair(given, f"{name}[{quoted(who)}]") for who, given in zip(names, people.values(), strict=True)}
    if any(_stays(channels) for _, channels in pairs.values()):
        return _left_there(name, pairs)
    return _recordings_frame(name, pairs)


def _left_there(name: str, people: Mapping[str, tuple[Any, Any]]) -> Table:
    stacked = StackedRows(tuple(open_rows(unmasked_rows(c), f"{name}[{quoted(s)}]") for s, (_, c) in people.items()))
    numbers = [
        _row_numbers(given, rows.shape[0], f"{name}[{quoted(subject)}]")
        for (subject, (given, _)), rows in zip(people.items(), stacked.sources, strict=True)
    ]
    subjects = np.repeat(np.array(list(people), dtype=object), [len(n) for n in numbers])
    stimuli = np.array([text_of(v) for v in np.concatenate(numbers).tolist()], dtype=object)
    columns = tuple(f"channel_{i + 1}" for i in range(stacked.shape[1]))
    empty = np.empty((len(subjects), 0))
    return check_keys(Table(name, {"subject": subjects, "stimulus": stimuli}, columns, empty, rows=stacked))


def unmasked_rows(channels: Any) -> Any:
    """Return channels without a mask: masked values are NaN."""
    return unmasked(channels) if isinstance(channels, np.ma.MaskedArray) else channels


def _recordings_frame(name: str, people: Mapping[str, tuple[Any, Any]]) -> pd.DataFrame:
    frames: list[pd.DataFrame] = []
    for subject, (numbers, channels) in people.items():
        source = f"{name}[{quoted(subject)}]"
        frame = array_frame(channels, source, "channel")
        rows = _row_numbers(numbers, len(frame), source)
        frame.insert(0, "stimulus", rows)
        frame.insert(0, "subject", subject)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def digest_of(table: Table) -> str:
    """Return a hash of a table in memory: names, keys and numbers."""
    state = hashlib.sha256()
    for name, column in sorted(table.keys.items()):
        state.update("\x1f".join((name, *column.tolist(), "\x1e")).encode())
    state.update("\x1f".join(table.columns).encode())
    state.update(np.ascontiguousarray(table.values, dtype="<f8").tobytes())
    state.update(b"" if table.rows is None else table.rows.identity.encode())
    return state.hexdigest()
