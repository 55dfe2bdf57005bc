"""Stimulus features as labs make them: word vectors and norms, delays, standardisation, principal components, HRF.

In: a stimulus table (data frame with the column stimulus, optionally group, else one numeric feature per column), or events with
features. Out: such a table again, to write to a file or to give to ``Study.from_frames``. None of it looks at labels or
recordings. Errors: missing columns, cells that are no numbers, words without a vector (which are reported); each is a
``BadInput`` or part of the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from brainworth.design.common.messages import problem, quoted, quoted_list
from brainworth.design.common.optional import need
from brainworth.design.pilot.features.columns import feature_matrix, rows_by_run, with_features
from brainworth.design.pilot.features.lexicon import Joined, join_words, read_vectors

__all__ = [
    "Joined",
    "delayed",
    "join_words",
    "principal_components",
    "read_vectors",
    "standardised",
    "volume_features",
]


def delayed(stimuli: pd.DataFrame, delays: Sequence[int], run: str | None = "group") -> pd.DataFrame:
    """Return every feature at several delays (a finite impulse response model); nothing crosses the border of a run.

    Parameters
    ----------
    stimuli : DataFrame
        One row per moment (a volume, a time bin), in the order of time within each run.
    delays : sequence of int
        Rows by which a feature is delayed: 2 means that a row holds the feature of two rows before. Negative: later rows.
    run : str or None
        Column that tells runs apart; ``None``: all rows are one run.

    Returns
    -------
    DataFrame
        Keys, and columns "FEATURE +2", ...; 0 where the run holds no such row, which is the mean after standardisation:
        standardise first.

    Raises
    ------
    BadInput
        No delay, a delay twice, a missing column, a cell that is no number.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"stimulus": [1, 2, 3, 4], "group": ["a", "a", "b", "b"], "loudness": [1.0, 2.0, 3.0, 4.0]})
    >>> delayed(table, [0, 1])
       stimulus group  loudness +0  loudness +1
    0         1     a          1.0          0.0
    1         2     a          2.0          1.0
    2         3     b          3.0          0.0
    3         4     b          4.0          3.0
    """
    if not delays or len(set(delays)) < len(delays):
        raise problem("delays", "", f"got {list(delays)}", "Give different whole numbers of rows, e.g. [1, 2, 3, 4].")
    keep = [run] if run is not None and run in stimuli.columns else []
    names, values = feature_matrix(stimuli, keep)
    out = np.zeros((len(stimuli), len(names), len(delays)))
    for rows in rows_by_run(stimuli, run):
        for column, delay in enumerate(delays):
            if abs(delay) < rows.size:
                to, source = (rows[delay:], rows[: rows.size - delay]) if delay >= 0 else (rows[:delay], rows[-delay:])
                out[to, :, column] = values[source]
    columns = [f"{name} {delay:+d}" for name in names for delay in delays]
    return with_features(stimuli, columns, out.reshape(len(stimuli), -1), keep)


def standardised(stimuli: pd.DataFrame, run: str | None = "group") -> pd.DataFrame:
    """Return features with mean 0 and standard deviation 1 within every run; 0 where one is constant within a run.

    Parameters
    ----------
    stimuli : DataFrame
        Stimulus table.
    run : str or None
        Column that tells runs apart; ``None``: all rows are one run.

    Raises
    ------
    BadInput
        A missing column, a cell that is no number.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"stimulus": [1, 2, 3, 4], "group": ["a", "a", "b", "b"], "loudness": [1.0, 2.0, 30.0, 50.0]})
    >>> standardised(table)["loudness"].tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    keep = [run] if run is not None and run in stimuli.columns else []
    names, values = feature_matrix(stimuli, keep)
    out = np.zeros_like(values)
    for rows in rows_by_run(stimuli, run):
        centred = values[rows] - values[rows].mean(axis=0)
        spread = np.sqrt(np.mean(centred**2, axis=0))
        varies = spread > 1e-12 * np.max(np.abs(values[rows]), axis=0, initial=0.0)
        out[rows] = np.where(varies, centred / np.where(varies, spread, 1.0), 0.0)
    return with_features(stimuli, names, out, keep)


def principal_components(
    stimuli: pd.DataFrame, variance: float = 0.95, *, standardise: bool = False
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the first principal components of the features that hold a share of their variance.

    Fitted to all stimuli, labelled or not, and to no label: it cannot leak.

    Parameters
    ----------
    stimuli : DataFrame
        Stimulus table.
    variance : float
        Share of the variance to keep, between 0 and 1; 1 keeps all components.
    standardise : bool
        Whether every feature is first divided by its standard deviation.

    Returns
    -------
    DataFrame
        Keys and columns component_1, component_2, ..., uncorrelated, of decreasing variance.
    ndarray, shape (component,)
        Share of the variance that each of them holds.

    Raises
    ------
    BadInput
        A share outside of (0, 1], features that do not vary.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"stimulus": range(4), "a": [0.0, 1, 2, 3], "b": [0.0, 2, 4, 6], "c": [0.01, 0, 0, 0.01]})
    >>> components, share = principal_components(table, 0.99)
    >>> list(components.columns), share.round(3).tolist()
    (['stimulus', 'component_1'], [1.0])
    """
    if not 0 < variance <= 1:
        raise problem("variance", "", f"got {variance:g}", "It is a share of the variance: above 0, at most 1.")
    from sklearn.decomposition import PCA

    _, values = feature_matrix(stimuli)
    centred = values - values.mean(axis=0)
    if standardise:
        spread = centred.std(axis=0)
        centred = centred / np.where(spread > 0, spread, 1.0)
    if np.max(np.ptp(values, axis=0)) == 0 or len(values) < 2:
        raise problem("stimuli", "", "no feature varies", "Give at least two stimuli with different features.")
    fitted = PCA(n_components=variance if variance < 1 else None, svd_solver="full").fit(centred)
    share = np.asarray(fitted.explained_variance_ratio_)
    used = share > 1e-12 * share[0]
    scores = np.asarray(fitted.transform(centred))[:, used]
    return with_features(stimuli, [f"component_{i + 1}" for i in range(scores.shape[1])], scores), share[used]


def volume_features(
    events: pd.DataFrame, tr: float, volumes: Mapping[str, int], hrf: str = "glover", *, slice_time: float = 0.0
) -> pd.DataFrame:
    """Return features of events as a stimulus table of volumes: convolved with a haemodynamic response, run by run.

    The ids are those that ``[modality.reader] estimate = "volumes"`` gives to volumes, RUN:VOLUME, and the runs are the
    groups; so features of words with onsets become features of a continuous fMRI design.

    Parameters
    ----------
    events : DataFrame
        Columns onset and duration (seconds), run if there are several, and one numeric column per feature.
    tr : float
        Seconds from one volume to the next.
    volumes : mapping of str to int
        Volumes of each run, by its name (run-1, ses-1_run-02, ...).
    hrf : str
        glover or spm.
    slice_time : float
        When within a TR a volume was taken, as a share of it.

    Raises
    ------
    BadInput
        nilearn is not installed, a column is missing or no number, a run is unknown.
    """
    regressor = need("nilearn.glm.first_level", "fmri", "haemodynamic responses", "events").compute_regressor
    for name in ("onset", "duration", *(["run"] if len(volumes) > 1 else [])):
        if name not in events.columns:
            right = "Events have onset, duration (seconds), run and one column per feature."
            raise problem("events", f"column {quoted(name)}", "the column is missing", right)
    if hrf not in {"glover", "spm"} or not tr > 0:
        raise problem("events", "", f"got hrf {quoted(hrf)}, tr {tr:g}", "hrf is 'glover' or 'spm', tr is above 0.")
    names, values = feature_matrix(events, ("onset", "duration", "run"))
    _, times = feature_matrix(events.loc[:, ["onset", "duration"]])
    run = events["run"].astype(str).to_numpy() if "run" in events.columns else np.full(len(events), next(iter(volumes)))
    unknown = sorted(set(run.tolist()) - set(volumes))
    if unknown:
        raise problem(
            "events", "column 'run'", f"{quoted_list(unknown)} are no runs", f"The runs are {quoted_list(volumes)}."
        )
    parts: list[pd.DataFrame] = []
    for name, count in volumes.items():
        rows = np.flatnonzero(run == name)
        frames = (np.arange(count) + slice_time) * tr
        columns = np.zeros((count, len(names)))
        for i in range(len(names) if rows.size else 0):
            condition = np.vstack([times[rows].T, values[rows, i]])
            columns[:, i] = regressor(condition, hrf, frames, oversampling=16)[0][:, 0]
        ids = {"stimulus": [f"{name}:{v + 1}" for v in range(count)], "group": name}
        parts.append(pd.DataFrame(ids).join(pd.DataFrame(columns, columns=names)))
    return pd.concat(parts, ignore_index=True)
