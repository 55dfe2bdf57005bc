"""fMRI of one run: from the series of its channels to one row per sample; and nilearn maskers in memory.

In: a run (image, timing, events, confounds) with the series of its channels; or a nilearn masker with images and events. Out:
``Part``, whose samples are single-trial estimates (``single_trials``) or volumes; or a data frame of recordings. Errors: see
``events`` and ``single_trials``; a run that is too short for its confounds. Each is a ``BadInput``. Channels that are constant in
a run are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from brainworth.design.common.messages import one_line, problem
from brainworth.design.common.optional import need
from brainworth.design.pilot.recordings.events import Events, events_of
from brainworth.design.pilot.recordings.nifti import open_image, repetition_time
from brainworth.design.pilot.recordings.single_trials import (
    Timing,
    autoregression,
    event_regressors,
    least_squares_all,
    least_squares_separate,
    nuisance_regressors,
    projected_out,
    whitened,
)
from brainworth.design.pilot.rules.losses import Loss
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.stack import Part, stacked
from brainworth.design.study_file.reader import Reader, check_meaning, parse_reader

if TYPE_CHECKING:
    import pandas as pd


_EMPTY = 0.5
"""Share of channels without a value above which a volume is left out rather than the channels."""


@dataclass(frozen=True)
class Run:
    """One run of one person."""

    subject: str
    """Name of the person."""
    name: str
    """Name of the run."""
    source: str
    """How messages call its image."""
    image: Any
    """The 4D image; its values are loaded when they are needed."""
    timing: Timing
    """When its volumes were taken."""
    events: Events | None
    """Its events; none where every volume is a sample."""
    confounds: Float[np.ndarray, "volume confound"] | None
    """What is regressed out besides drifts."""


def samples_of_run(series: Float[np.ndarray, "volume channel"], run: Run, names: Sequence[str], reader: Reader) -> Part:
    """Return the samples of one run: one per event, or one per volume."""
    if len(series) != run.timing.volumes:
        raise problem(run.source, "", f"it gives {len(series)} volumes of {run.timing.volumes}", "Check the image.")
    series, run, losses = _without_empty_volumes(series, run, reader)
    varies = np.all(np.isfinite(series), axis=0)
    varies &= np.ptp(np.where(varies, series, 0.0), axis=0) > 1e-10 * np.max(np.abs(np.nan_to_num(series)), axis=0)
    kept = tuple(name for name, keep in zip(names, varies, strict=True) if keep)
    partly = int(np.sum(~np.all(np.isfinite(series), axis=0)))
    reason = "left out, because some of their volumes hold no value"
    losses += (Loss(run.source, reason, partly, len(names), run.subject, "channels"),) if partly else ()
    if not np.all(varies) and int(np.sum(~varies)) > partly:
        constant = int(np.sum(~varies)) - partly
        losses += (
            Loss(run.source, "left out, because they are constant", constant, len(names), run.subject, "channels"),
        )
    nuisance = nuisance_regressors(run.timing, reader, run.confounds)
    if run.timing.volumes < nuisance.shape[1] + 5 or not kept:
        wrong = (
            f"{run.timing.volumes} volumes, {nuisance.shape[1]} nuisance regressors and {len(kept)} channels that vary"
        )
        raise problem(run.source, "", f"it has {wrong}", "Use fewer confounds, a lower high_pass or longer runs.")
    clean = projected_out(series[:, varies], nuisance)
    if reader.standardise:
        clean = clean / np.maximum(clean.std(axis=0), 1e-290)
    if run.events is None:
        ids = tuple(f"{run.name}:{i + 1}" for i in np.flatnonzero(run.timing.used))
        return Part(run.subject, run.name, ids, kept, clean, losses=losses)
    amplitudes = _amplitudes(clean, run.events, run.timing, nuisance, reader)
    delays = reader.fir_delays or [0]
    columns = tuple(f"{name} +{d}" if len(delays) > 1 else name for name in kept for d in delays)
    values = amplitudes.reshape(len(run.events), -1)
    return Part(run.subject, run.name, run.events.stimulus, columns, values, run.events.advice, losses)


def _without_empty_volumes(
    series: Float[np.ndarray, "volume channel"], run: Run, reader: Reader
) -> tuple[Float[np.ndarray, "volume channel"], Run, tuple[Loss, ...]]:
    """Return series and run without the volumes in which most channels hold no value (scrubbed, or never written)."""
    share = np.mean(~np.isfinite(series), axis=1)
    empty = share > _EMPTY
    if not empty.any():
        return series, run, ()
    if reader.noise_model == "ar1" or empty.all():
        first = int(np.flatnonzero(empty)[0]) + 1
        wrong = f"{int(empty.sum())} of its {len(empty)} volumes hold no values in most voxels (NaN)"
        right = "Correct the image, or use noise_model = 'ols', which leaves such volumes out."
        raise problem(run.source, f"volume {first}", wrong, right)
    loss = Loss(
        run.source,
        "left out, because most of their voxels hold no value",
        int(empty.sum()),
        len(empty),
        run.subject,
        "volumes",
    )
    confounds = None if run.confounds is None else run.confounds[~empty]
    timing = replace(run.timing, volumes=int(np.sum(~empty)), frame=tuple(np.flatnonzero(~empty).tolist()))
    return series[~empty], replace(run, timing=timing, confounds=confounds), (loss,)


def _amplitudes(
    clean: Float[np.ndarray, "volume channel"],
    events: Events,
    timing: Timing,
    nuisance: Float[np.ndarray, "volume regressor"],
    reader: Reader,
) -> Float[np.ndarray, "event channel delay"]:
    """Return the amplitude of every event, channel and delay, prewhitened if the reader says so."""
    responses = event_regressors(events, timing, reader)
    estimate = least_squares_all if reader.estimate == "lsa" else least_squares_separate
    if reader.noise_model == "ols":
        return estimate(clean, projected_out(responses, nuisance), events.source)
    task = responses.reshape(len(clean), -1) if reader.estimate == "lsa" else responses.sum(axis=1)
    coefficient = autoregression(clean, np.hstack([task, nuisance]))
    found = np.empty((len(events), clean.shape[1], responses.shape[2]))
    for value in np.unique(coefficient):
        alike = coefficient == value
        basis = np.linalg.qr(whitened(nuisance, value))[0]
        series, regressors = (projected_out(whitened(x, value), basis) for x in (clean[:, alike], responses))
        found[:, alike] = estimate(series, regressors, events.source)
    return found


def masked_recordings(
    masker: Any,
    images: Sequence[Any],
    events: Sequence[pd.DataFrame] | None = None,
    confounds: Sequence[np.ndarray] | None = None,
    reader: Reader | Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return the recordings of one person, from a nilearn masker and images.

    Parameters
    ----------
    masker : nilearn masker
        Turns an image into (volume, channel): NiftiMasker, NiftiLabelsMasker, NiftiMapsMasker, ... Fitted to ``images``
        if it is not fitted.
    images : sequence of image or path
        One 4D image per run.
    events : sequence of DataFrame, optional
        One per run, with the columns onset and duration (seconds) and stimulus (or ``reader["stimulus"]``); none with
        ``reader["estimate"] = "volumes"``.
    confounds : sequence of ndarray, optional
        One per run, of shape (volume, confound), regressed out.
    reader : mapping or Reader, optional
        Keys of ``[modality.reader]`` for an image: subject, tr, estimate, hrf, high_pass, ...

    Returns
    -------
    DataFrame
        Columns subject, stimulus, session (the run) and one per channel; see ``Study.from_frames``. Concatenate the
        frames of several people.

    Raises
    ------
    BadInput
        The numbers of images, events and confounds differ, or one of them is wrong.
    """
    import pandas as pd

    need("nilearn", "fmri", "NIfTI images", "images")
    keys = reader if isinstance(reader, Reader) else parse_reader(reader or {})
    check_meaning(keys, "images with a masker", "reader")
    for name, given in (("events", events), ("confounds", confounds)):
        if given is not None and len(given) != len(images):
            raise problem(name, "", f"there are {len(given)} for {len(images)} images", "Give one per image.")
    if (events is None) != (keys.estimate == "volumes"):
        raise problem("events", "", "events and estimate do not fit together", "Give events, or estimate = 'volumes'.")
    parts: list[Part] = []
    for i, given in enumerate(images):
        source = f"images[{i}]"
        image = open_image(given, source, 4)
        timing = Timing(repetition_time(image, keys.tr, source), int(image.shape[3]), keys.slice_time)
        table = None if events is None else {str(c): events[i][c].tolist() for c in events[i].columns}
        happened = None if table is None else events_of(table, f"events[{i}]", keys)
        nuisance = None if confounds is None else _matrix(confounds[i], timing.volumes, f"confounds[{i}]")
        run = Run(keys.subject or "1", f"run-{i + 1}", source, image, timing, happened, nuisance)
        series = _masked(masker, image, source)
        parts.append(samples_of_run(series, run, [f"channel_{c + 1}" for c in range(series.shape[1])], keys))
    stack = stacked(parts, "images", Wanted(("subject", "stimulus"), number_word="channel"))
    return pd.DataFrame(stack.keys).join(pd.DataFrame(stack.values, columns=list(stack.columns)))


def _masked(masker: Any, image: Any, source: str) -> Float[np.ndarray, "volume channel"]:
    """Return what a masker makes of an image; it is fitted to the image if it is not fitted yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nilearn, about resampling and its own future
        try:
            if not masker.__sklearn_is_fitted__():
                masker.fit(image)
            return np.asarray(masker.transform(image), dtype=np.float64)
        except Exception as error:
            right = "Check masker.fit_transform(image)."
            raise problem(source, "", f"the masker cannot read it ({one_line(error, 200)})", right) from None


def _matrix(values: Any, volumes: int, source: str) -> Float[np.ndarray, "volume confound"]:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or len(matrix) != volumes or not np.all(np.isfinite(matrix)):
        raise problem(source, "", f"its shape is {matrix.shape}", f"Give {volumes} rows of finite numbers.")
    return matrix
