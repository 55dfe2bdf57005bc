"""Arrays as the tables a study is built from.

In: matrices and row numbers; recordings also as memory-mapped, HDF5, zarr or Dask arrays. Out: data frames with the columns of
the study's tables, or a table whose numbers stay where they are. What can go wrong: arrays of the wrong shape, a ``BadInput``
that names the argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from brainworth.design.common.messages import problem, quoted
from brainworth.design.pilot.large import STREAM_BYTES
from brainworth.design.pilot.tables.rows import open_rows
from brainworth.design.pilot.tables.rows_stored import StackedRows
from brainworth.design.pilot.tables.tables import Table, check_keys, text_of


def array_frame(matrix: np.ndarray, source: str, word: str) -> pd.DataFrame:
    """Return the columns of a matrix as a frame ``word_1``, ``word_2``, ...; ``BadInput`` if it is no matrix."""
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise problem(source, "", f"its shape is {matrix.shape}", f"It must be a matrix with one column per {word}.")
    return pd.DataFrame(matrix, columns=[f"{word}_{i + 1}" for i in range(matrix.shape[1])])


def _stays(channels: Any) -> bool:
    """Return whether an array of channels is on disk, or so large that it is better left as it is."""
    if not isinstance(channels, np.ndarray):
        return hasattr(channels, "dtype") and hasattr(channels, "shape")
    return isinstance(channels, np.memmap) or 8 * channels.size > STREAM_BYTES


def _row_numbers(numbers: np.ndarray, samples: int, source: str) -> np.ndarray:
    rows = np.asarray(numbers)
    if rows.shape != (samples,):
        wrong = f"it has {rows.shape} row numbers for {samples} samples"
        raise problem(source, "", wrong, "Give one row of features per sample.")
    return rows


def recordings_table(modality: str, people: Mapping[str, tuple[np.ndarray, Any]]) -> pd.DataFrame | Table:
    """Return the recordings of all people of a modality below each other; channels a person lacks are left empty.

    Where an array is on disk (memory-mapped, HDF5, zarr, Dask), or takes more than ``large.STREAM_BYTES`` in double precision,
    all of them are left where they are and read in slices.
    """
    if any(_stays(channels) for _, channels in people.values()):
        return _left_there(modality, people)
    return _recordings_frame(modality, people)


def _left_there(modality: str, people: Mapping[str, tuple[np.ndarray, Any]]) -> Table:
    name = f"recordings[{quoted(modality)}]"
    stacked = StackedRows(tuple(open_rows(c, f"{name}[{quoted(s)}]") for s, (_, c) in people.items()))
    numbers = [
        _row_numbers(given, rows.shape[0], f"{name}[{quoted(subject)}]")
        for (subject, (given, _)), rows in zip(people.items(), stacked.sources, strict=True)
    ]
    subjects = np.repeat(np.array([str(s) for s in people], dtype=object), [len(n) for n in numbers])
    stimuli = np.array([text_of(v) for v in np.concatenate(numbers).tolist()], dtype=object)
    columns = tuple(f"channel_{i + 1}" for i in range(stacked.shape[1]))
    empty = np.empty((len(subjects), 0))
    return check_keys(Table(name, {"subject": subjects, "stimulus": stimuli}, columns, empty, rows=stacked))


def _recordings_frame(modality: str, people: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    frames: list[pd.DataFrame] = []
    for subject, (numbers, channels) in people.items():
        source = f"recordings[{quoted(modality)}][{quoted(subject)}]"
        frame = array_frame(channels, source, "channel")
        rows = _row_numbers(numbers, len(frame), source)
        frame.insert(0, "stimulus", rows)
        frame.insert(0, "subject", str(subject))
        frames.append(frame)
    if not frames:
        raise problem(f"recordings[{quoted(modality)}]", "", "it holds no person", "Omit a modality without a pilot.")
    return pd.concat(frames, ignore_index=True)
