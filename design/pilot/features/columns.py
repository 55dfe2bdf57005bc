"""The feature columns of a stimulus table: taken out as a matrix, put back as a table.

In: a data frame with the column stimulus, optionally group, else one numeric feature per column. Out: names and matrix of the
features, the rows of every run, a table with other features. Errors: cells that are no finite numbers, missing columns; each is a
``BadInput`` with its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from brainworth.design.common.messages import did_you_mean, problem, quoted

KEYS = ("stimulus", "group")
"""Columns of a stimulus table that are no features."""


def feature_matrix(stimuli: pd.DataFrame, keep: Sequence[str] = ()) -> tuple[list[str], np.ndarray]:
    """Return names and values of the features of a stimulus table: all columns but keys and ``keep``."""
    names = [str(c) for c in stimuli.columns if c not in KEYS and c not in keep]
    numbers = np.empty((len(stimuli), len(names)))
    for i, name in enumerate(names):
        try:
            numbers[:, i] = np.asarray(stimuli[name], dtype=np.float64)
        except (ValueError, TypeError):
            right = "Features are numbers; join words by join_words, and name other columns in keep."
            raise problem("stimuli", f"column {quoted(name)}", "it does not hold numbers", right) from None
        if not np.all(np.isfinite(numbers[:, i])):
            row = int(np.flatnonzero(~np.isfinite(numbers[:, i]))[0]) + 1
            right = "Every cell must hold a finite number."
            raise problem("stimuli", f"row {row}, column {quoted(name)}", "the cell is empty or infinite", right)
    if not names or not len(stimuli):
        raise problem("stimuli", "", "the table holds no feature", "Give one column per feature, one row per stimulus.")
    return names, numbers


def rows_by_run(stimuli: pd.DataFrame, run: str | None) -> list[np.ndarray]:
    """Return the rows of every run, in the order of the table; one run if ``run`` is ``None``."""
    if run is None:
        return [np.arange(len(stimuli))]
    if run not in stimuli.columns:
        hint = did_you_mean(run, [str(c) for c in stimuli.columns])
        right = f"Name the column that tells runs apart, or None for a single run.{hint}"
        raise problem("stimuli", f"column {quoted(run)}", "the column is missing", right)
    codes, _ = pd.factorize(stimuli[run])
    if np.any(codes < 0):
        row = int(np.flatnonzero(codes < 0)[0]) + 1
        raise problem("stimuli", f"row {row}, column {quoted(run)}", "the cell is empty", "Every row needs a run.")
    return [np.flatnonzero(codes == code) for code in range(int(codes.max(initial=-1)) + 1)]


def with_features(
    stimuli: pd.DataFrame, names: Sequence[str], values: np.ndarray, keep: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the keys of a stimulus table with other features."""
    keys = [c for c in stimuli.columns if c in KEYS or c in keep]
    return stimuli[keys].join(pd.DataFrame(values, columns=list(names), index=stimuli.index))
