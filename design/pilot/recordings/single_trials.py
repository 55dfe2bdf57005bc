"""What every event left in the BOLD signal: one estimate per event and channel.

In: the series of all channels of one run, the onsets and durations of its events, nuisance regressors. Out: one row per event, by
least squares for all events at once (one regressor each) or separately (one regression per event: its own regressor and one of
all the others together; Mumford et al. 2012, NeuroImage 59:2636). With ordinary least squares the noise's autocorrelation over
time costs efficiency, not bias; with ``whitened`` channels and regressors (``autoregression``) it does not. Errors: an event
after the end of the run, events that cannot be told apart; each is a ``BadInput``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from brainworth.design.common.messages import problem, quoted
from brainworth.design.pilot.recordings.events import Events, refuse_simultaneous
from brainworth.design.study_file.reader import Reader

_RANK = 1e-8
"""Smallest share of a regressor (or of the smallest direction of several) that must be its own."""


@dataclass(frozen=True)
class Timing:
    """When the volumes of a run were taken."""

    tr: float
    """Seconds from one volume to the next."""
    volumes: int
    """Number of volumes."""
    slice_time: float = 0.0
    """When within a TR, as a share of it."""
    frame: tuple[int, ...] | None = None
    """Numbers of the volumes from 0, if some were left out."""

    @property
    def used(self) -> np.ndarray:
        """Which volumes there are: true up to the last, but for those left out."""
        used = np.ones(self.volumes if self.frame is None else self.frame[-1] + 1, dtype=bool)
        if self.frame is not None:
            used[:] = False
            used[list(self.frame)] = True
        return used

    @property
    def seconds(self) -> float:
        """How long the run lasts."""
        return self.used.size * self.tr

    @property
    def grid(self) -> Float[np.ndarray, " frame"]:
        """Time of every volume, those left out included, in seconds from the start of the run."""
        return (np.arange(self.used.size) + self.slice_time) * self.tr


def event_regressors(events: Events, timing: Timing, reader: Reader) -> Float[np.ndarray, "volume event delay"]:
    """Return the expected response to every event alone; several columns for the delays of a finite impulse response.

    Raises
    ------
    BadInput
        An event leaves no trace in the run.
    """
    from nilearn.glm.first_level import compute_regressor

    _require_plausible(events, timing)
    columns: list[np.ndarray] = []
    for row in range(len(events)):
        one = np.array([[events.onset[row]], [events.duration[row]], [1.0]])
        if reader.fir_delays is not None:
            shape = _impulses(events.onset[row], timing, reader.fir_delays)
        else:
            shape = compute_regressor(one, reader.hrf, timing.grid, oversampling=16)[0][timing.used]
        if not np.all(np.any(np.abs(shape) > 1e-12, axis=0)):
            raise problem(
                events.source,
                f"{events.place(row)}: event {row + 1} ({quoted(events.stimulus[row])}, at {events.onset[row]:g} s)",
                "its response lies outside of the run, in part or as a whole",
                f"The run lasts {timing.seconds:g} s ({timing.used.size} volumes of {timing.tr:g} s).",
            )
        columns.append(np.asarray(shape, dtype=np.float64))
    return np.stack(columns, axis=1)


def _require_plausible(events: Events, timing: Timing) -> None:
    """Raise ``BadInput`` for an event that outlasts the run, or that begins with another one."""
    long = np.flatnonzero(events.duration > timing.seconds)
    if long.size:
        wrong = f"the duration of {events.duration[long[0]]:g} s is longer than the run of {timing.seconds:g} s"
        right = "Durations are in seconds; are these milliseconds, or volumes?"
        raise problem(events.source, f"{events.place(int(long[0]))}, column 'duration'", wrong, right)
    refuse_simultaneous(events, events.onset, "at the same onset")


def _impulses(onset: float, timing: Timing, delays: list[int]) -> Float[np.ndarray, "volume delay"]:
    """Return 1 in the volume of the onset plus each delay."""
    shape = np.zeros((timing.volumes, len(delays)))
    first = int(np.floor(onset / timing.tr + 1e-6))
    place = np.cumsum(timing.used) - 1
    for column, delay in enumerate(delays):
        if 0 <= first + delay < timing.used.size and timing.used[first + delay]:
            shape[place[first + delay], column] = 1.0
    return shape


def nuisance_regressors(
    timing: Timing, reader: Reader, confounds: Float[np.ndarray, "volume confound"] | None
) -> Float[np.ndarray, "volume regressor"]:
    """Return an orthonormal basis of the mean, slow drifts (cosines up to ``high_pass`` Hz) and the confounds."""
    from nilearn.glm.first_level import make_first_level_design_matrix

    drift = "cosine" if reader.high_pass > 0 else None
    frame = make_first_level_design_matrix(timing.grid, None, drift_model=drift, high_pass=reader.high_pass)
    columns = frame.to_numpy(dtype=np.float64)[timing.used]
    if confounds is not None and confounds.shape[1]:
        spread = confounds.std(axis=0)
        scaled = (confounds - confounds.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        columns = np.hstack([columns, scaled])
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, size > 1e-10 * size[0]]


def projected_out(
    values: Float[np.ndarray, "volume *rest"], basis: Float[np.ndarray, "volume regressor"]
) -> np.ndarray:
    """Return what an orthonormal basis does not explain."""
    flat = values.reshape(len(values), -1)
    return (flat - basis @ (basis.T @ flat)).reshape(values.shape)


def autoregression(
    series: Float[np.ndarray, "volume channel"], regressors: Float[np.ndarray, "volume regressor"]
) -> Float[np.ndarray, " channel"]:
    """Return the first autocorrelation of every channel's residuals, to two digits, as ``nilearn``'s noise model ar1 has it.

    Channels of one coefficient share a regression; to two digits there are few.
    """
    left, size, _ = np.linalg.svd(regressors, full_matrices=False)
    residuals = projected_out(series, left[:, size > 1e-10 * size[0]])
    power = np.sum(residuals**2, axis=0)
    lagged = np.sum(residuals[1:] * residuals[:-1], axis=0)
    found = lagged / np.where(power > 0.0, power, 1.0) * len(residuals) / (len(residuals) - 1)
    return np.trunc(100.0 * found) / 100.0


def whitened(values: Float[np.ndarray, "volume *rest"], coefficient: float) -> np.ndarray:
    """Return values whose noise is independent over time if it is autoregressive of first order; the first volume stays."""
    result = np.array(values)
    result[1:] -= coefficient * values[:-1]
    return result


def least_squares_all(
    series: Float[np.ndarray, "volume channel"], regressors: Float[np.ndarray, "volume event delay"], source: str
) -> Float[np.ndarray, "event channel delay"]:
    """Return the amplitude of every event, delay and channel, all from one regression; nuisance is already removed.

    Raises
    ------
    BadInput
        The events cannot be told apart.
    """
    volumes, events, delays = regressors.shape
    design = regressors.reshape(volumes, events * delays)
    scale = np.linalg.norm(design, axis=0)
    if events * delays >= volumes or np.any(scale <= _RANK * scale.max()):
        raise _confused(source, events * delays, volumes)
    left, size, right = np.linalg.svd(design / scale, full_matrices=False)
    if size[-1] <= _RANK * size[0]:
        raise _confused(source, events * delays, volumes)
    amplitude = (right.T @ ((left.T @ series) / size[:, None])) / scale[:, None]
    return np.moveaxis(amplitude.reshape(events, delays, -1), 1, 2)


def _confused(source: str, amplitudes: int, volumes: int) -> Exception:
    return problem(
        source,
        "reader > estimate",
        f"{amplitudes} amplitudes cannot be told apart in a run of {volumes} volumes",
        "Use estimate = 'lss', fewer delays, fewer confounds or a lower high_pass.",
    )


def least_squares_separate(
    series: Float[np.ndarray, "volume channel"], regressors: Float[np.ndarray, "volume event delay"], source: str
) -> Float[np.ndarray, "event channel delay"]:
    """Return the amplitude of every event, each from a regression on its own and the sum of all others' regressors.

    All regressions share one Gram matrix, so that the series are read once.

    Raises
    ------
    BadInput
        An event cannot be told from the others together.
    """
    volumes, events, delays = regressors.shape
    design = regressors.reshape(volumes, events * delays)
    gram = (design.T @ design).reshape(events, delays, events, delays)
    cross = (design.T @ series).reshape(events, delays, -1)
    by_event, total = gram.sum(axis=2), gram.sum(axis=(0, 2))
    cross_total = cross.sum(axis=0)
    out = np.empty((events, series.shape[1], delays))
    for i in range(events):
        own = gram[i, :, i]
        beside = by_event[i] - own
        others = total - by_event[i] - by_event[i].T + own
        alone = events == 1
        normal = own if alone else np.block([[own, beside], [beside.T, others]])
        target = cross[i] if alone else np.concatenate([cross[i], cross_total - cross[i]])
        scale = np.sqrt(np.maximum(np.diag(normal), 1e-290))
        correlation = normal / np.outer(scale, scale)
        if np.linalg.eigvalsh(correlation)[0] <= _RANK:
            raise _confused(source, 2 * delays, volumes)
        out[i] = (np.linalg.solve(correlation, target / scale[:, None]) / scale[:, None])[:delays].T
    return out
