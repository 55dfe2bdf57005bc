"""Recordings from several MNE epochs: files named by a pattern, one per person, session or run; or objects, one per person.

In: a path of the study with ``*`` or ``?``, e.g. ``sub-*/sub-*_epo.fif``; or ``mne.Epochs`` by person. Out: one ``Table``. Who was
recorded is the metadata's column ``subject``, else the reader's ``subject``, else ``sub-NAME`` in the file's path, else the file's
name; sessions likewise from ``ses-`` and ``run-``. A channel that is bad in one person is left out for that person only. What can
go wrong: no file fits, too many do, and what can be wrong with each (``epochs``); each is a ``BadInput``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from brainworth.design.common.messages import problem, quoted
from brainworth.design.pilot.build import RECORDINGS
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.recordings.epochs import epochs_table, read_epochs
from brainworth.design.pilot.tables.stack import Part, stacked
from brainworth.design.pilot.tables.tables import Table
from brainworth.design.study_file.reader import Reader, check_meaning

MAX_MATCHES = 2000
"""Most files that a pattern may name."""


def is_pattern(relative: str) -> bool:
    """Return whether a path of the study names several files."""
    return any(sign in relative for sign in "*?")


def read_matching(folder: Folder, pattern: str, field: str, reader: Reader) -> Table:
    """Return the table of all files of epochs whose path fits a pattern.

    Parameters
    ----------
    folder : Folder
        The study's folder.
    pattern : str
        Path within it; ``*`` and ``?`` stand for any text within one name.
    field : str
        Place in the study file that names it.
    reader : Reader
        As for one file.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    check_meaning(reader, "MNE epochs", pattern)
    if not pattern.lower().endswith((".fif", ".fif.gz")):
        right = "A pattern names files of MNE epochs, e.g. 'epochs/sub-*-epo.fif'. Put other recordings into one table."
        raise problem(folder.file, field, f"{quoted(pattern)} is a pattern", right)
    found = list(_matching(folder, pattern, field))
    if not found or len(found) > MAX_MATCHES:
        wrong = f"{len(found)} files fit the pattern {quoted(pattern)}"
        raise problem(folder.file, field, wrong, f"It must name 1 to {MAX_MATCHES} files within the study's folder.")
    _refuse_copies(found, pattern, folder.file, field)
    parts = [part for path in found for part in _parts(folder, path, field, reader)]
    return stacked(parts, pattern, RECORDINGS)


def _refuse_copies(found: list[Path], pattern: str, file: str, field: str) -> None:
    """Raise ``BadInput`` if two files are versions of one recording: their names differ in proc-, desc- or rec- only."""
    seen: dict[str, Path] = {}
    for path in found:
        plain = re.sub(r"_(proc|desc|rec)-[A-Za-z0-9+]+", "", path.name)
        key = (path.parent / plain).as_posix()
        if key in seen:
            wrong = f"{quoted(seen[key].name)} and {quoted(path.name)} are versions of one recording"
            right = f"Name the one to use in the pattern, e.g. 'sub-*_desc-clean-epo.fif' instead of {quoted(pattern)}."
            raise problem(file, field, wrong, right)
        seen[key] = path


def _matching(folder: Folder, pattern: str, field: str) -> Iterator[Path]:
    """Yield the files that fit, in the order of their names."""
    names = PurePosixPath(pattern).parts
    fixed = next(i for i, name in enumerate(names) if is_pattern(name))
    root, wanted = folder.place("/".join(names[:fixed]) or ".", field), [n.replace("[", "[[]") for n in names[fixed:]]
    for path in folder.files(root, field) if root.is_dir() else ():
        parts = path.relative_to(root).parts
        if len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted)):
            yield path


def _parts(folder: Folder, path: Path, field: str, reader: Reader) -> Iterator[Part]:
    """Yield the samples of every person and session of a file."""
    source, where = folder.relative(path), folder.found(path, field)
    named = {key: re.findall(rf"(?:^|[/_-]){key}-([A-Za-z0-9]+)", source) for key in ("sub", "ses", "run")}
    person = named["sub"][-1] if named["sub"] else re.sub(r"[-_]?epo$", "", path.name.partition(".fif")[0])
    session = "_".join(f"{key}-{named[key][-1]}" for key in ("ses", "run") if named[key]) or "1"
    own = reader.model_copy(update={"subject": reader.subject or person})
    yield from _divided(read_epochs(where, source, RECORDINGS, own), session)


def epochs_of_people(people: Mapping[str, Any], source: str, reader: Reader) -> Table:
    """Return the table of ``mne.Epochs`` in memory, one per person, by the person's name."""
    check_meaning(reader, "MNE epochs", source)
    parts: list[Part] = []
    for name, epochs in people.items():
        own = reader.model_copy(update={"subject": str(name)})
        parts += _divided(epochs_table(epochs, f"{source}[{quoted(str(name))}]", RECORDINGS, own), "1")
    return stacked(parts, source, RECORDINGS)


def _divided(table: Table, session: str) -> Iterator[Part]:
    """Yield the samples of every person and session of a table; ``session`` is its name where the table does not say."""
    sessions = table.keys.get("session", np.full(len(table), session, dtype=object))
    table.require_finite()
    first = True
    pairs = list(zip(table.keys["subject"].tolist(), sessions.tolist(), strict=True))
    for who, when in dict.fromkeys(pairs):
        rows = [i for i, pair in enumerate(pairs) if pair == (who, when)]
        ids = tuple(table.keys["stimulus"][rows].tolist())
        yield Part(who, when, ids, table.columns, table.values[rows], table.advice, table.losses if first else ())
        first = False
