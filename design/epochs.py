"""Recordings from MNE epochs: the mean of every channel over the epoch's window.

In: ``mne.Epochs`` in memory, or a ``*-epo.fif`` file, whose metadata has a column ``stimulus`` and optionally
``subject``, ``session`` and ``repeat``. Out: a ``Table`` of recordings. What can go wrong: the extra ``eeg`` is not
installed, the file cannot be read, the metadata lack ids; each is a ``BadInput``. Crop the epochs to the window of
interest before saving.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .config_errors import one_line, problem
from .tables import MAX_CELLS, MAX_FILE_BYTES, Table, Wanted, from_columns


def is_epochs(value: object) -> bool:
    """Return whether a value is an ``mne.Epochs`` (without importing mne)."""
    return any(c.__module__.startswith("mne.") and c.__name__ == "BaseEpochs" for c in type(value).__mro__)


def epochs_table(epochs: Any, source: str, wanted: Wanted) -> Table:
    """Return one row per epoch and one column per data channel: the mean over the epoch's samples.

    Parameters
    ----------
    epochs : mne.Epochs
        Epochs with metadata; bad channels are left out.
    source : str
        How messages call it.
    wanted : Wanted
        Key columns to take from the metadata.

    Raises
    ------
    BadInput
        No metadata, no ids, no data channels, or too many values.
    """
    import mne

    metadata = epochs.metadata
    if metadata is None:
        raise problem(
            source,
            "metadata",
            "the epochs have no metadata",
            "Set epochs.metadata with the column stimulus (and subject).",
        )
    picks = mne.pick_types(
        epochs.info, meg=True, eeg=True, seeg=True, ecog=True, dbs=True, fnirs=True, csd=True, exclude="bads"
    )
    if len(picks) == 0:
        raise problem(source, "", "the epochs have no good data channel", "EEG, MEG, iEEG and fNIRS channels are used.")
    if len(epochs.events) * len(picks) * len(epochs.times) > MAX_CELLS:
        raise problem(
            source, "", "the epochs hold too many values", f"At most {MAX_CELLS} can be read; decimate or crop."
        )
    columns: dict[str, np.ndarray] = {
        str(name): metadata[name].to_numpy(dtype=object)
        for name in metadata.columns
        if str(name) in (*wanted.required, *wanted.optional)
    }
    if "subject" not in columns and "stimulus" in columns:
        person = (epochs.info.get("subject_info") or {}).get("his_id") or "1"
        columns["subject"] = np.full(len(metadata), str(person), dtype=object)
    means = np.asarray(epochs.get_data(picks=picks)).mean(axis=2)
    for i, pick in enumerate(picks):
        columns[f"{epochs.ch_names[pick]}"] = means[:, i]
    return from_columns(columns, source, wanted)


def read_epochs(path: Path, source: str, wanted: Wanted) -> Table:
    """Return the table of a ``*-epo.fif`` file; see ``epochs_table``.

    Raises
    ------
    BadInput
        MNE is not installed, or the file cannot be read.
    """
    try:
        import mne
    except ImportError:
        raise problem(
            source, "", "reading MNE epochs needs the extra 'eeg'", "Install it: pip install 'brainworth[eeg]'."
        ) from None
    if path.stat().st_size > MAX_FILE_BYTES:
        raise problem(source, "", f"the file is larger than {MAX_FILE_BYTES} bytes", "Decimate or crop the epochs.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MNE about file names, of pandas about MNE
        try:
            epochs = mne.read_epochs(path, preload=True, verbose="error")
        except Exception as error:
            raise problem(
                source,
                "",
                f"the file cannot be read as MNE epochs ({one_line(error, 200)})",
                "Save it by epochs.save().",
            ) from None
    return epochs_table(epochs, source, wanted)
