"""Arrays in memory as the tables a study is built from.

In: matrices and row numbers. Out: data frames with the columns of the study's tables. What can go wrong: arrays of
the wrong shape, a ``BadInput`` that names the argument.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .config_errors import problem, quoted


def array_frame(matrix: np.ndarray, source: str, word: str) -> pd.DataFrame:
    """Return the columns of a matrix as a frame ``word_1``, ``word_2``, ...; ``BadInput`` if it is no matrix."""
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise problem(source, "", f"its shape is {matrix.shape}", f"It must be a matrix with one column per {word}.")
    return pd.DataFrame(matrix, columns=[f"{word}_{i + 1}" for i in range(matrix.shape[1])])


def recordings_frame(modality: str, people: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Return the recordings of all people of a modality below each other; channels a person lacks are left empty."""
    frames: list[pd.DataFrame] = []
    for subject, (numbers, channels) in people.items():
        source = f"recordings[{quoted(modality)}][{quoted(subject)}]"
        frame = array_frame(channels, source, "channel")
        rows = np.asarray(numbers)
        if rows.shape != (len(frame),):
            raise problem(
                source,
                "",
                f"it has {rows.shape} row numbers for {len(frame)} samples",
                "Give one row of features per sample.",
            )
        frame.insert(0, "stimulus", rows)
        frame.insert(0, "subject", str(subject))
        frames.append(frame)
    if not frames:
        raise problem(f"recordings[{quoted(modality)}]", "", "it holds no person", "Omit a modality without a pilot.")
    return pd.concat(frames, ignore_index=True)
