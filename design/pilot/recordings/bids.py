"""BIDS data sets: which files of a folder belong together.

In: the folder of a data set. Out: its recordings with the entities of their names, and the side files (events, JSON, confounds)
that apply to each by the inheritance principle. Errors: no recording fits, or several tasks or kinds fit where one is meant; each
is a ``BadInput`` that lists what is there. Only names are looked at here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.rules.answers import either, lines
from brainworth.design.study_file.reader import Reader

_NAME = re.compile(r"^((?:[a-z0-9]+-[a-z0-9+]+_)*)([a-zA-Z0-9]+)(\.[a-zA-Z0-9.]+)$", re.IGNORECASE)
_MAX_JSON = 2**20
ENDINGS = {
    "func": (".nii", ".nii.gz"),
    "eeg": (".vhdr", ".edf", ".bdf", ".set", ".fif"),
    "meg": (".fif",),
    "ieeg": (".vhdr", ".edf", ".set"),
}
"""Endings of recordings by datatype."""
_SUFFIX = {"func": "bold"}


@dataclass(frozen=True)
class BidsFile:
    """A file whose name follows BIDS."""

    path: Path
    """Where it is."""
    entities: Mapping[str, str]
    """Entities of its name: sub, ses, task, run, ..."""
    suffix: str
    """bold, eeg, meg, events, ..."""
    ending: str
    """.nii.gz, .tsv, ..."""

    @property
    def run_name(self) -> str:
        """Name of the run within the person: the entities that tell runs apart."""
        return (
            "_".join(f"{key}-{self.entities[key]}" for key in ("ses", "acq", "run") if key in self.entities) or "run-1"
        )


def parse(path: Path) -> BidsFile | None:
    """Return a file's entities, or ``None`` if its name does not follow BIDS."""
    found = _NAME.match(path.name)
    if found is None:
        return None
    entities = dict(part.split("-", 1) for part in found[1].split("_") if part)
    return BidsFile(path, entities, found[2], found[3])


@dataclass(frozen=True)
class Layout:
    """A data set: its folder and the files in it that follow BIDS."""

    root: Path
    """The folder."""
    files: tuple[BidsFile, ...]
    """All files below it, in the order of their names; derivatives and source data only where asked for."""

    @classmethod
    def of(cls, folder: Folder, root: Path, field: str, skip: Iterable[str] = ()) -> Layout:
        """Return the layout of a folder of the study; ``skip`` names folders at its top that are left out."""
        out = {root / name for name in skip}
        paths = (p for p in folder.files(root, field) if not any(p.is_relative_to(s) for s in out))
        return cls(root, tuple(f for f in map(parse, paths) if f is not None))

    @cached_property
    def _by_kind(self) -> dict[tuple[str, str], list[BidsFile]]:
        """The files by suffix and ending."""
        kinds: dict[tuple[str, str], list[BidsFile]] = {}
        for file in self.files:
            kinds.setdefault((file.suffix, file.ending), []).append(file)
        return kinds

    def beside(self, file: BidsFile, suffix: str, ending: str, ignore: Sequence[str] = ()) -> list[BidsFile]:
        """Return the side files that apply to a file, nearest first (inheritance principle).

        A side file applies if it lies in the same folder or above, and its entities are among the file's. ``ignore``
        names entities of the file that side files do not have to agree on.
        """
        own = {key: value for key, value in file.entities.items() if key not in ignore}
        folders = {file.path.parent, *file.path.parent.parents}
        fitting = [
            other
            for other in self._by_kind.get((suffix, ending), ())
            if other.path.parent in folders
            and all(own.get(key) == value for key, value in other.entities.items() if key not in ignore)
        ]
        return sorted(fitting, key=lambda f: (-len(f.path.parts), -len(f.entities)))


def datatypes(layout: Layout) -> list[str]:
    """Return the kinds of recordings that a data set holds."""
    return [kind for kind in ENDINGS if any(_is_recording(f, kind) for f in layout.files)]


def _is_recording(file: BidsFile, datatype: str) -> bool:
    return (
        file.path.parent.name == datatype
        and file.suffix == _SUFFIX.get(datatype, datatype)
        and file.ending in ENDINGS[datatype]
        and "sub" in file.entities
    )


def choose_datatype(layout: Layout, reader: Reader, source: str) -> str:
    """Return the datatype to read: the reader's, or the only one there is; there is at least one."""
    present = datatypes(layout)
    if reader.datatype is not None and reader.datatype in present:
        return reader.datatype
    if reader.datatype is None and len(present) == 1:
        return present[0]
    wrong = (
        f"the data set holds recordings of the kinds {quoted_list(present)}"
        if present
        else "it holds no BIDS recording"
    )
    right = (
        "Name the kind in reader.datatype." if present else "Recordings are sub-*/[ses-*/](func|eeg|meg|ieeg)/sub-*."
    )
    raise problem(source, "reader > datatype" if present else "", wrong, right)


def _checked(values: Sequence[str] | None, present: Iterable[str], key: str, source: str) -> set[str]:
    """Return the allowed values of an entity: those asked for, which must all be there, or all."""
    known = sorted(set(present))
    for value in values or ():
        if value not in known:
            right = f"There are {quoted_list(known)}.{did_you_mean(value, known)}"
            raise problem(source, f"reader > {key}", f"the data set holds no {quoted(value)}", right)
    return set(values or known)


def recordings(layout: Layout, datatype: str, reader: Reader, source: str) -> list[BidsFile]:
    """Return the recordings to read, in the order of their names.

    Raises
    ------
    BadInput
        None is left, several tasks are there and none is chosen, or a person or session does not exist.
    """
    files = [f for f in layout.files if _is_recording(f, datatype)]
    for entity, wanted in (("space", reader.space), ("desc", reader.description)):
        files = [f for f in files if wanted is None or f.entities.get(entity) == wanted]
    for entity, value in reader.entities.items():
        files = [f for f in files if f.entities.get(entity, "") == value]
    files = [f for f in files if reader.ending in {None, f.ending}]
    files = [f for f in files if f.entities.get("split", "01").lstrip("0") in {"", "1"}]
    tasks = sorted({f.entities.get("task", "") for f in files})
    if reader.task is None and len(tasks) > 1:
        raise problem(
            source, "reader > task", f"the data set holds the tasks {quoted_list(tasks)}", "Name one of them."
        )
    task = _checked([reader.task] if reader.task else None, tasks, "task", source)
    people = _checked(reader.subjects, (f.entities["sub"] for f in files), "subjects", source)
    sessions = _checked(reader.sessions, (f.entities.get("ses", "") for f in files), "sessions", source)
    chosen = [
        f
        for f in files
        if f.entities.get("task", "") in task and f.entities["sub"] in people and f.entities.get("ses", "") in sessions
    ]
    if not chosen:
        right = "Check task, subjects, sessions, space, description, entities and ending."
        raise problem(source, "", f"no {datatype} recording fits the reader", right)
    _require_distinct(chosen, source, "images" if datatype == "func" else "files")
    return chosen


def _require_distinct(files: Sequence[BidsFile], source: str, word: str) -> None:
    """Raise ``BadInput`` if two files hold one recording: another format, another version, another echo."""
    seen: dict[tuple[str, str], BidsFile] = {}
    for file in files:
        key = (file.entities["sub"], file.run_name)
        if key in seen:
            wrong = f"{quoted_list([seen[key].path.name, file.path.name])} are {word} of the same run"
            raise problem(source, "", wrong, either("A run is read once.", _choices(seen[key], file)))
        seen[key] = file


def _choices(first: BidsFile, second: BidsFile) -> list[tuple[str, str]]:
    """Return the lines of the study file that choose one of two files of a run, and which one it is then."""
    section = "[modality.reader]"
    if first.ending != second.ending:
        return [(lines(section, "ending", file.ending), file.path.name) for file in (first, second)]
    own = {"space": "space", "desc": "description"}
    for entity in sorted({*first.entities, *second.entities}):
        values = [file.entities.get(entity, "") for file in (first, second)]
        if values[0] != values[1]:
            named = entity in own and all(values)
            return [
                (
                    lines(section, own[entity], value) if named else f'{section} entities = {{ {entity} = "{value}" }}',
                    file.path.name,
                )
                for value, file in zip(values, (first, second), strict=True)
            ]
    return [(lines(section, "sessions", [file.entities.get("ses", "")]), file.path.name) for file in (first, second)]


def sidecar(folder: Folder, layout: Layout, file: BidsFile, field: str) -> dict[str, Any]:
    """Return the JSON metadata that apply to a file; nearer files overrule farther ones."""
    merged: dict[str, Any] = {}
    for other in reversed(layout.beside(file, file.suffix, ".json")):
        path, name = folder.found(other.path, field), folder.relative(other.path)
        try:
            if path.stat().st_size > _MAX_JSON:
                raise problem(name, "", f"the file is larger than {_MAX_JSON} bytes", "It should be a short JSON file.")
            content = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            raise problem(name, "", "the file is not valid JSON", "See the BIDS specification.") from None
        if isinstance(content, dict):
            merged |= cast("dict[str, Any]", content)
    return merged
