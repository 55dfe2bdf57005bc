"""Recordings from MNE epochs: means of every channel over the epoch, over windows of it, or over short steps.

In: ``mne.Epochs`` in memory, or a ``*-epo.fif`` file, whose metadata has a column with the stimulus id and optionally
``subject``, ``session`` and ``repeat``; and the keys ``stimulus, subject, where, picks, windows, time_step`` of the modality's
reader. Out: a ``Table`` of recordings. Errors: the extra ``eeg`` is not installed, the file cannot be read, the metadata lack
ids, a window holds no sample, a channel does not exist; each is a ``BadInput``.
"""

from __future__ import annotations

import gzip
import struct
import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import did_you_mean, one_line, problem, quoted, quoted_list
from brainworth.design.common.optional import need
from brainworth.design.pilot.recordings.events import id_advice
from brainworth.design.pilot.rules.losses import Loss
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.tables import MAX_CELLS, MAX_FILE_BYTES, Table, from_columns, text_of
from brainworth.design.study_file.reader import Reader

_KINDS = ("eeg", "mag", "grad", "seeg", "ecog", "dbs", "csd", "hbo", "hbr")
_MAX_STEPS = 10_000
_TAG = struct.Struct(">iIii")
_REFERENCES = (117, 118)
"""Tags of a FIF file that name the file in which it continues: by number, by name."""


def is_epochs(value: object) -> bool:
    """Return whether a value is an ``mne.Epochs`` (without importing mne)."""
    return any(c.__module__.startswith("mne.") and c.__name__ == "BaseEpochs" for c in type(value).__mro__)


def _picked(info: Any, picks: Sequence[str] | None, source: str) -> list[int]:
    """Return the places of the channels to use; those marked bad are never used."""
    import mne

    kinds = mne.channel_indices_by_type(info)
    bad = set(info["bads"])
    good = [i for i, name in enumerate(info["ch_names"]) if name not in bad]
    data = {i for kind, where in kinds.items() if kind in _KINDS or kind.startswith("fnirs_") for i in where}
    if picks is None:
        chosen = data
    else:
        chosen: set[int] = set()
        names = {name: i for i, name in enumerate(info["ch_names"])}
        for pick in picks:
            found = {names[pick]} if pick in names else set(kinds.get(pick, ()))
            if not found:
                known = [*names, *(kind for kind, where in kinds.items() if len(where))]
                right = f"Channels: {quoted_list(names)}. Kinds: {quoted_list(k for k, where in kinds.items() if len(where))}."
                raise problem(
                    source,
                    "reader > picks",
                    f"there is no channel and no kind {quoted(pick)}",
                    f"{right}{did_you_mean(pick, known)}",
                )
            chosen |= found
    places = [i for i in good if i in chosen]
    if not places:
        right = "EEG, MEG, iEEG and fNIRS channels that are not marked bad are used."
        raise problem(source, "", "the epochs have no good data channel", right)
    return places


def _windows(
    times: Float[np.ndarray, " time"], reader: Reader, source: str
) -> list[tuple[str, Bool[np.ndarray, " time"]]]:
    """Return name and samples of every window; half-open, but for the last sample of the epoch."""
    gap = float(np.min(np.diff(times), initial=1.0)) / 10.0
    end = float(times[-1]) + 2.0 * gap
    if reader.windows is None and reader.time_step is None:
        return [("", np.ones(times.size, dtype=bool))]
    whole = [(float(times[0]), float(times[-1]) + 10 * gap)] if reader.windows is None else list(reader.windows)
    if reader.time_step is not None and sum((b - a) / reader.time_step for a, b in whole) > _MAX_STEPS:
        right = f"At most {_MAX_STEPS} steps are read."
        raise problem(source, "reader > time_step", f"{reader.time_step:g} s cut the epoch into too many steps", right)
    bounds: list[tuple[float, float]] = []
    for start, stop in whole:
        if reader.time_step is None:
            bounds.append((start, stop))
        else:
            edges = start + reader.time_step * np.arange(int((stop - start) / reader.time_step + 1e-6) + 1)
            bounds += [(float(a), float(b)) for a, b in pairwise(edges)]
    chosen: list[tuple[str, Bool[np.ndarray, " time"]]] = []
    for start, stop in bounds:
        stop_at = end if stop > times[-1] - gap else stop - gap
        inside = (times > start - gap) & (times < stop_at)
        if not inside.any() or start < times[0] - 10 * gap or stop > times[-1] + 20 * gap:
            raise problem(
                source,
                "reader > windows" if reader.windows else "reader > time_step",
                f"the window from {start:g} to {stop:g} s holds no sample or leaves the epoch",
                f"The epoch lasts from {times[0]:g} to {times[-1]:g} s, a sample every {gap * 10:g} s.",
            )
        chosen.append((f" {1000 * start:g}-{1000 * stop:g} ms" if len(bounds) > 1 else "", inside))
    if not chosen:
        raise problem(source, "reader > time_step", "it is longer than the window", "Give a shorter step.")
    return chosen


def _keys(epochs: Any, reader: Reader, source: str, wanted: Wanted) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the key columns and which epochs are used."""
    metadata = epochs.metadata
    if metadata is None:
        right = "Set epochs.metadata with the column stimulus (and subject)."
        raise problem(source, "metadata", "the epochs have no metadata", right)
    names = {str(name): name for name in metadata.columns}
    for name in (*([reader.stimulus] if reader.stimulus else []), *reader.where):
        if name not in names:
            hint = did_you_mean(name, names)
            raise problem(
                source,
                "metadata",
                f"they have no column {quoted(name)}",
                f"The columns are {quoted_list(names)}.{hint}",
            )
    used = np.ones(len(metadata), dtype=bool)
    for name, allowed in reader.where.items():
        used &= np.array([text_of(v) in allowed for v in metadata[names[name]].tolist()], dtype=bool)
    if not used.any():
        raise problem(source, "reader > where", "it leaves no epoch", "Allow values that occur in the metadata.")
    columns = {
        key: metadata[name].to_numpy(dtype=object)
        for key, name in names.items()
        if key in (*wanted.required, *wanted.optional)
    }
    if reader.stimulus is not None:
        columns["stimulus"] = metadata[names[reader.stimulus]].to_numpy(dtype=object)
    if "subject" not in columns and "stimulus" in columns:
        person = reader.subject or (epochs.info.get("subject_info") or {}).get("his_id") or "1"
        columns["subject"] = np.full(len(metadata), str(person), dtype=object)
    return {name: column[used] for name, column in columns.items()}, used


def epochs_table(epochs: Any, source: str, wanted: Wanted, reader: Reader | None = None) -> Table:
    """Return one row per epoch and one column per data channel and window: the mean over the window's samples.

    Parameters
    ----------
    epochs : mne.Epochs
        Epochs with metadata; bad channels are left out.
    source : str
        How messages call it.
    wanted : Wanted
        Key columns to take from the metadata.
    reader : Reader, optional
        Which channels, windows and rows.

    Raises
    ------
    BadInput
        No metadata, no ids, no data channels, an empty window, or too many values.
    """
    reader = reader or Reader()
    epochs = _loaded(epochs, source)
    columns, used = _keys(epochs, reader, source, wanted)
    names, values = window_means(epochs, reader, source)
    for i, name in enumerate(names):
        columns[name] = values[used, i]
    advice = id_advice(reader.stimulus or "stimulus", "the metadata")
    channels = replace(wanted, answers=replace(wanted.answers, ignore=(), keep=names))
    table = from_columns(columns, source, channels)
    people = set(table.keys["subject"].tolist())
    losses = dropped(epochs, source, people.pop() if len(people) == 1 else None)
    if not used.all():
        losses += (Loss(source, "left out by reader.where", int(np.sum(~used)), used.size, None, "epochs"),)
    return replace(table, advice=advice, answers=wanted.answers, losses=losses)


def _loaded(epochs: Any, source: str) -> Any:
    """Return epochs whose rejected ones are gone from the metadata, too: those that were not loaded still hold them."""
    if epochs.preload:
        return epochs
    import mne

    _check_size(len(epochs.events) * len(epochs.ch_names) * len(epochs.times), source)
    with mne.use_log_level("error"):
        return epochs.copy().load_data()


def dropped(epochs: Any, source: str, subject: str | None) -> tuple[Loss, ...]:
    """Return the losses that the drop log of epochs tells, by reason."""
    asked = [entry for entry in epochs.drop_log if entry != ("IGNORED",)]
    reasons: dict[str, int] = {}
    for entry in asked:
        if entry:
            reasons[_reason(entry)] = reasons.get(_reason(entry), 0) + 1
    return tuple(Loss(source, reason, count, len(asked), subject, "epochs") for reason, count in reasons.items())


def _reason(entry: Sequence[str]) -> str:
    """Return why an epoch was dropped, in words, from its entry in the drop log."""
    first = str(entry[0])
    if first in {"NO_DATA", "TOO_SHORT"}:
        return "left out, because the epoch leaves the recording"
    if first.upper().startswith("BAD"):
        return "left out, because the recording is marked bad there"
    if first == "USER":
        return "left out by hand before"
    return "rejected, because a channel's amplitude is too large or too small"


def _check_size(values: int, source: str) -> None:
    if values > MAX_CELLS:
        right = f"At most {MAX_CELLS} can be read; decimate or crop."
        raise problem(source, "", "the epochs hold too many values", right)


def window_means(epochs: Any, reader: Reader, source: str) -> tuple[tuple[str, ...], Float[np.ndarray, "epoch column"]]:
    """Return the names of the columns (channel and window) and the means over the windows of every epoch."""
    picks = _picked(epochs.info, reader.picks, source)
    _check_size(len(epochs.events) * len(picks) * len(epochs.times), source)
    windows = _windows(np.asarray(epochs.times, dtype=np.float64), reader, source)
    import mne

    with mne.use_log_level("error"):  # or it prints between the lines of a result
        data = np.asarray(epochs.get_data(picks=picks))
    means = np.stack([data[:, :, inside].mean(axis=2) for _, inside in windows], axis=2)
    names = tuple(f"{epochs.ch_names[pick]}{window}" for pick in picks for window, _ in windows)
    return names, means.reshape(len(data), len(names))


def _require_forward(path: Path) -> None:
    """Raise ``ValueError`` if the tags of a FIF file do not follow each other up to an end: MNE would read them for ever.

    A tag is kind, type, size and next (four big-endian integers) and its data. Next is 0 where the following tag comes right
    after, -1 at the end, else the place of the following tag.
    """
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        place = 0
        while len(tag := file.read(_TAG.size)) == _TAG.size:
            _, _, size, following = _TAG.unpack(tag)
            if following == -1:
                return
            end = place + _TAG.size + size
            if size < 0 or 0 < following < end or max(end, following) > MAX_FILE_BYTES:
                raise ValueError(f"the tag at byte {place} leads to byte {following or end}")
            place = following or end
            file.seek(place)


def read_epochs(path: Path, source: str, wanted: Wanted, reader: Reader | None = None) -> Table:
    """Return the table of a ``*-epo.fif`` file; see ``epochs_table``.

    Raises
    ------
    BadInput
        MNE is not installed, or the file cannot be read.
    """
    mne = need("mne", "eeg", "MNE epochs", source)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise problem(source, "", f"the file is larger than {MAX_FILE_BYTES} bytes", "Decimate or crop the epochs.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MNE about file names, of pandas about MNE
        try:
            _require_forward(path)
            split = any(
                "REF_FILE" in line for tag in _REFERENCES for line in mne.io.show_fiff(path, tag=tag, output=list)
            )
            epochs = None if split else mne.read_epochs(path, preload=False, verbose="error")
            if epochs is not None:  # a compressed file may hold far more than its size says
                _check_size(len(epochs.events) * len(epochs.ch_names) * len(epochs.times), source)
                with mne.use_log_level("error"):
                    epochs.load_data()
        except BadInput:
            raise
        except Exception as error:
            raise problem(
                source,
                "",
                f"the file cannot be read as MNE epochs ({one_line(error, 200)})",
                "Save it by epochs.save().",
            ) from None
    if epochs is None:
        right = "Decimate or crop the epochs, so that they fit into one file."
        raise problem(source, "", "the epochs continue in another file", right)
    return epochs_table(epochs, source, wanted, reader)
