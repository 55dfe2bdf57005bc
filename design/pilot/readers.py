"""Recordings of a modality, whatever their format.

In: what the study file says of a modality, or an object in memory (data frame, ``mne.Epochs``, xarray object). Out: a ``Table``
with the keys subject, stimulus, optionally session and repeat, and one column per channel. Errors: an unknown format, keys of the
reader that mean nothing for it, and everything the readers of the formats check; each is a ``BadInput``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from brainworth.design.common.files import reading
from brainworth.design.common.messages import problem, quoted
from brainworth.design.pilot.build import IDS, RECORDINGS
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.recordings.bids import Layout, choose_datatype, datatypes
from brainworth.design.pilot.recordings.bids_epochs import RecordingReader
from brainworth.design.pilot.recordings.epochs import epochs_table, is_epochs, read_epochs
from brainworth.design.pilot.recordings.epochs_files import epochs_of_people, is_pattern, read_matching
from brainworth.design.pilot.recordings.images import ImageReader
from brainworth.design.pilot.rules.answers import Answers
from brainworth.design.pilot.rules.identity import renamed
from brainworth.design.pilot.tables.arrays import is_labelled, labelled_table
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.containers import CONTAINERS, read_container
from brainworth.design.pilot.tables.files import read_table
from brainworth.design.pilot.tables.large import large_table, matrix_table
from brainworth.design.pilot.tables.tables import Table, from_columns
from brainworth.design.study_file.modality import Modality
from brainworth.design.study_file.reader import Reader, check_meaning

if TYPE_CHECKING:
    import pandas as pd


def answers_of(reader: Reader) -> Answers:
    """Return what a modality's reader says about doubtful columns and values."""
    missing = None if reader.missing is None else tuple(reader.missing)
    section, columns = "[modality.reader]", dict(reader.columns)
    return Answers(section, tuple(reader.ignore), tuple(reader.keep), missing, reader.duplicates, columns)


def wanted_of(reader: Reader) -> Wanted:
    """Return which columns recordings must and may have."""
    return replace(RECORDINGS, answers=answers_of(reader))


_NOT_RAW = ("derivatives", "sourcedata", "code", "stimuli", ".git", ".datalad")


def read_recordings(folder: Folder, modality: Modality) -> Table:
    """Return the recordings of a modality that has some.

    Parameters
    ----------
    folder : Folder
        The study's folder.
    modality : Modality
        With ``recordings``: a table, a container of arrays, epochs (also several files, by a pattern), an image, or the
        folder of a BIDS data set.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    with reading(modality.recordings):
        return _read(folder, modality)


def _read(folder: Folder, modality: Modality) -> Table:
    relative, reader = cast("str", modality.recordings), modality.reader
    wanted = wanted_of(reader)
    field = f"modality {quoted(modality.name)} > recordings"
    name = relative.lower().rstrip("/")
    if is_pattern(relative):
        return replace(read_matching(folder, relative, field, reader), answers=wanted.answers)
    place = folder.place(relative, field)
    if place.is_dir():
        zarr = name.endswith(".zarr")
        return _plain(folder.tree(place, field), relative, reader) if zarr else _bids(folder, place, field, modality)
    path = folder.path(relative, field)
    if name.endswith((".fif", ".fif.gz")):
        check_meaning(reader, "MNE epochs", relative)
        return read_epochs(path, relative, wanted, reader)
    if name.endswith((".nii", ".nii.gz")):
        return ImageReader(folder, field, reader, wanted).single(path, relative)
    if name.endswith(".npy"):
        return _matrix(folder, path, field, modality)
    return _plain(path, relative, reader)


def _plain(path: Path, relative: str, reader: Reader) -> Table:
    """Return a table or the arrays of a container; its numbers stay on disk if they are too many for memory."""
    arrays = relative.lower().rstrip("/").endswith(CONTAINERS)
    check_meaning(reader, "arrays" if arrays else "a table", relative)
    wanted = wanted_of(reader)
    large = large_table(path, relative, wanted, reader)
    if large is not None:
        return large
    if arrays:
        return read_container(path, relative, wanted, reader.node)
    return read_table(path, relative, wanted)


def _matrix(folder: Folder, path: Path, field: str, modality: Modality) -> Table:
    reader, relative = modality.reader, cast("str", modality.recordings)
    check_meaning(reader, "a matrix", relative)
    if reader.ids is None:
        right = "Add ids = 'ids.csv' to [modality.reader]: a table with subject and stimulus of every row."
        raise problem(folder.file, field, f"{quoted(relative)} is a matrix without ids", right)
    place = f"modality {quoted(modality.name)} > reader > ids"
    answers = answers_of(reader)
    named = replace(IDS, answers=Answers(answers.section, columns=answers.columns))
    return matrix_table(path, relative, folder.table(reader.ids, place, named), reader, answers)


def _bids(folder: Folder, place: Path, field: str, modality: Modality) -> Table:
    reader, source = modality.reader, cast("str", modality.recordings)
    raw = Layout.of(folder, place, field, _NOT_RAW)
    _refuse_ctf(place, reader, source)
    if not datatypes(raw) and reader.derivatives is None:
        layout = "sub-*/[ses-*/](func|eeg|meg|ieeg)/sub-*"
        right = f"Give a table, files of epochs (folder/*-epo.fif), or a BIDS data set: {layout}."
        raise problem(folder.file, field, f"the folder {quoted(source)} holds no BIDS recording", right)
    datatype = "func" if reader.derivatives else choose_datatype(raw, reader, source)
    if datatype == "func":
        return ImageReader(folder, field, reader, wanted_of(reader)).bids(raw, source)
    return RecordingReader(folder, field, reader, wanted_of(reader)).bids(raw, datatype, source)


def _refuse_ctf(root: Path, reader: Reader, source: str) -> None:
    """Raise ``BadInput`` for MEG recordings of CTF systems, which are folders, rather than leave them out."""
    found = next((p for p in sorted(root.glob("sub-*/**/meg/*_meg.ds")) if p.is_dir()), None)
    if found is not None and reader.datatype in {None, "meg"} and reader.derivatives is None:
        wrong = f"{quoted(found.relative_to(root).as_posix())} is a CTF recording, which is not read"
        right = "Write the data set again with mne_bids.write_raw_bids(..., format='FIF'), or cut epochs by MNE and give *-epo.fif."
        raise problem(source, "", wrong, right)


def _with_keys(frame: pd.DataFrame, wanted: Wanted) -> tuple[pd.DataFrame, list[str]]:
    """Return a frame with the levels of its index that are keys as columns, and the names of the other levels."""
    levels = [str(name) for name in frame.index.names if name is not None]
    known = (*wanted.required, *wanted.optional, *wanted.answers.columns)
    keys = [n for n in levels if n in known and n not in frame.columns]
    return frame.reset_index(level=keys) if keys else frame, [n for n in levels if n not in keys]


def _frame_columns(frame: pd.DataFrame, source: str, wanted: Wanted) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the columns of a data frame, levels of its index that are keys included, and the levels that are not used.

    Raises
    ------
    BadInput
        It is no data frame, or two columns have one name.
    """
    import pandas as pd

    if type(frame).__module__.startswith("polars.") and hasattr(frame, "to_dict"):
        frame = pd.DataFrame(cast("Any", frame).to_dict(as_series=False))
    if not isinstance(cast("object", frame), pd.DataFrame):
        raise problem(source, "", f"got a {type(frame).__name__}", "It must be a pandas DataFrame.")
    frame, index = _with_keys(frame, wanted)
    columns: dict[str, np.ndarray] = {}
    for position, label in enumerate(frame.columns):
        series, name = frame.iloc[:, position], str(label)
        if name in columns:
            raise problem(
                source, f"column {quoted(name)}", "two columns have this name", "Give each column its own name."
            )
        plain = isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub"
        columns[name] = series.to_numpy() if plain else series.to_numpy(dtype=object)
    return columns, index


def recordings_in_memory(value: Any, source: str, reader: Reader) -> Table:
    """Return recordings of a data frame, ``mne.Epochs`` (of everyone, or by person), an xarray object, or a table."""
    if is_epochs(value):
        check_meaning(reader, "MNE epochs", source)
        return epochs_table(value, source, wanted_of(reader), reader)
    if isinstance(value, Mapping) and value and all(is_epochs(each) for each in value.values()):
        of_people = epochs_of_people(cast("Mapping[str, Any]", value), source, reader)
        return replace(of_people, answers=answers_of(reader))
    check_meaning(reader, "a data frame", source)
    if isinstance(value, Table):
        return replace(value, answers=answers_of(reader))
    return table_in_memory(value, source, wanted_of(reader))


def table_in_memory(value: Any, source: str, wanted: Wanted) -> Table:
    """Return the table in a data frame or an xarray object."""
    if is_labelled(value):
        return labelled_table(value, source, wanted)
    columns, index = _frame_columns(value, source, wanted)
    columns = dict(zip(renamed(columns, wanted.answers, source), columns.values(), strict=True))
    table = from_columns(columns, source, wanted)
    return replace(table, ignored=(*table.ignored, *(f"index {name}" for name in index)))
