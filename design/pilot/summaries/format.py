"""A summary as a file: an npz of plain numbers with a header, read without executing anything in it.

In: a header and the summaries of people. Out: the file; or, read back and checked, the same. Errors: a file that is damaged, of
another format, too large, or whose numbers contradict each other; each is a ``BadInput`` that names file and person.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, ValidationError

from brainworth.design.common.errors import BadInput
from brainworth.design.common.fields import Section, Text
from brainworth.design.common.files import reading, stream_atomic
from brainworth.design.common.messages import problem, quoted
from brainworth.models.pilot.pilot import Recording
from brainworth.models.pilot.summarised import FoldMoments, HeldOutReadouts, SummarisedChannels

FORMAT = "brainworth.summary/1"
MAX_BYTES = 8 * 2**30
"""Largest file that is read."""
AGREES = 1e-6
"""Relative difference up to which two ways to the same number agree."""
_AGAIN = "Copy the file again, or write it again at its site: brainworth summarise."
_HASH = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Share = Annotated[float, Field(gt=0, le=1)]


class Person(Section):
    """One person in one modality."""

    modality: Text
    """Name of the modality."""
    subject: Text
    """Name or pseudonym of the person."""
    worth: _Share | None = None
    """Independent samples that one sample is worth; known from the second round on."""


class Common(Section):
    """What all sites must have in common."""

    stimuli: _HASH
    """Hash of ids, features and groups of the stimuli."""
    labels: _HASH
    """Hash of the labels."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of the folds."""
    folds: Annotated[int, Field(ge=2, le=1000)]
    """Folds."""
    latents: Annotated[int, Field(ge=1, le=1000)]
    """Largest latent dimension."""


class Header(Section):
    """What a summary says of itself."""

    format: str
    """Format of the file."""
    version: str
    """Version of brainworth that wrote it."""
    common: Common
    """What all sites must have in common."""
    people: Annotated[list[Person], Field(min_length=1, max_length=100_000)]
    """Everyone in the file."""
    together: list[_HASH] = Field(default_factory=list)
    """Marks of everyone, of all sites, whose encoders the read-outs are of; empty in the first round."""
    used: list[_Share] = Field(default_factory=list)
    """What a sample of each of them was taken to be worth."""


@dataclass(frozen=True)
class SiteSummary:
    """The summary of one site."""

    source: str
    """How messages call the file."""
    header: Header
    """What it says of itself."""
    recordings: tuple[Recording, ...]
    """Everyone, in the order of the header; their channels are ``SummarisedChannels``."""

    @property
    def marks(self) -> tuple[str, ...]:
        """A hash of each person's name and moments, the same in both rounds."""
        return tuple(mark_of(channels_of(recording)) for recording in self.recordings)


class CarriedChannels(SummarisedChannels):
    """Channels of a person in a summary that a user gave: questions that it cannot answer are the user's errors."""

    def refusal(self) -> BadInput:
        """Return the error for a question that only recordings answer."""
        return problem(
            f"the summary of {self.subject}",
            self.modality,
            "it carries moments and read-outs for the folds of one seed, and no recordings",
            "What needs recordings, or other folds, can only be done where the recordings are.",
        )

    def outdated(self) -> BadInput:
        """Return the error for read-outs that are missing, or were made with other filters."""
        return problem(
            f"the summary of {self.subject}",
            self.modality,
            "its read-outs are of other encoders than this study's",
            "Every site runs the second round again, with the files of all sites and one version of brainworth: "
            "brainworth summarise STUDY --with FILE --with FILE --out FILE.",
        )


def channels_of(recording: Recording) -> SummarisedChannels:
    """Return the summarised channels of a recording."""
    assert isinstance(recording.channels, SummarisedChannels)
    return recording.channels


def mark_of(channels: SummarisedChannels) -> str:
    """Return a hash of a person's name and moments."""
    state = hashlib.sha256("\x1f".join((channels.modality, channels.subject, "")).encode())
    for codes in (channels.stimulus, channels.block):
        state.update(np.ascontiguousarray(codes, dtype="<i8").tobytes())
    for values in (channels.folds.cross, channels.folds.gram, channels.folds.total):
        state.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return state.hexdigest()


def write_summary(path: Path, header: Header, recordings: tuple[Recording, ...]) -> Path:
    """Write a summary; what is there is replaced only by a whole file.

    Raises
    ------
    BadInput
        If it cannot be written.
    """
    arrays = {"header": np.frombuffer(header.model_dump_json().encode(), dtype=np.uint8)}
    for number, recording in enumerate(recordings):
        one = channels_of(recording)
        kept = {"stimulus": one.stimulus.astype("<i8"), "block": one.block.astype("<i8")}
        kept |= {"cross": one.folds.cross, "gram": one.folds.gram, "total": one.folds.total}
        if one.held is not None:
            kept |= {"raw": one.held.raw, "filters": one.held.filters}
        arrays |= {f"{number}_{name}": values for name, values in kept.items()}
    return stream_atomic(path, lambda stream: np.savez(stream, allow_pickle=False, **arrays))


def read_summary(path: Path, source: str) -> SiteSummary:
    """Return the summary in a file, after its numbers were checked.

    Parameters
    ----------
    path : Path
        The file.
    source : str
        How messages call it.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    with reading(source):
        if not path.is_file():
            raise problem(source, "", "the file does not exist", "Give a file that brainworth summarise wrote.")
        if path.stat().st_size > MAX_BYTES:
            raise problem(source, "", "the file is too large", f"At most {MAX_BYTES // 2**30} GiB are read.")
        try:
            with zipfile.ZipFile(path) as archive:
                arrays = {info.filename.removesuffix(".npy"): _array(archive, info) for info in archive.infolist()}
        except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
            raise problem(source, "", f"it is no summary, or a damaged one ({error})", _AGAIN) from None
    header = _header(arrays, source)
    people = tuple(_person(arrays, number, header, source) for number in range(len(header.people)))
    return SiteSummary(source, header, people)


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Return one array; its size is known before any memory is taken, and it holds numbers only."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError("it is compressed")
    stream = io.BytesIO(archive.read(info))
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError("an array is of an unknown version")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(stream)
    if kind.str not in {"<f8", "<i8", "|u1"}:
        raise ValueError("an array holds something other than numbers")
    values = np.frombuffer(stream.getbuffer()[stream.tell() :], dtype=kind)
    return values.reshape(shape, order="F" if fortran else "C").copy()


def _header(arrays: Mapping[str, np.ndarray], source: str) -> Header:
    try:
        text = arrays["header"].tobytes().decode()
        return _of_this_format(Header.model_validate_json(text), source)
    except (KeyError, UnicodeDecodeError):
        raise problem(source, "", "it is no summary: it has no header", _AGAIN) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = " > ".join(str(step) for step in first["loc"])
        found = "it is of another format, or damaged"
        raise problem(source, f"header, {place}", found, f"This version reads {FORMAT}. {_AGAIN}") from None


def _of_this_format(header: Header, source: str) -> Header:
    if header.format != FORMAT:
        wrong = f"it is of format {quoted(header.format)} (brainworth {header.version})"
        raise problem(source, "header", wrong, f"This version reads {FORMAT}; use one version at all sites.")
    return header


def _person(arrays: Mapping[str, np.ndarray], number: int, header: Header, source: str) -> Recording:
    """Return one person of the file."""
    person = header.people[number]
    place = f"{person.modality}, subject {quoted(person.subject)}"

    def wrong(what: str) -> BadInput:
        return problem(source, place, what, _AGAIN)

    names = ("stimulus", "block", "cross", "gram", "total", *(("raw", "filters") if header.together else ()))
    found = {name: arrays.get(f"{number}_{name}") for name in names}
    given = {name: values for name, values in found.items() if values is not None}
    if len(given) < len(names):
        raise wrong(f"the array {quoted(next(name for name in names if name not in given))} is missing")
    for name, values in given.items():
        if values.dtype.kind != ("i" if name in {"stimulus", "block"} else "f"):
            raise wrong(f"the array {quoted(name)} holds numbers of the wrong kind")
        if not np.all(np.isfinite(values)):
            raise wrong(f"the array {quoted(name)} holds a value that is not finite")
    _require_shapes(given, header.common.folds, wrong)
    moments = FoldMoments(given["cross"], given["gram"], given["total"])
    held = HeldOutReadouts(given["raw"], given["filters"]) if header.together else None
    unknown = np.full(len(given["stimulus"]), -1)  # folds follow from the stimuli, which ``together`` knows
    subject, modality = person.subject, person.modality
    channels = CarriedChannels(
        subject, modality, given["stimulus"], given["block"], unknown, moments, person.worth, held
    )
    return Recording(modality, subject, given["stimulus"], channels, given["block"])


def _require_shapes(given: Mapping[str, np.ndarray], folds: int, wrong: Callable[[str], BadInput]) -> None:
    """Raise ``BadInput`` if arrays of a person do not fit together."""
    n, q = given["stimulus"].size, given["gram"].shape[-1] if given["gram"].ndim == 3 else -1
    p = given["cross"].shape[1] if given["cross"].ndim == 3 else -1
    expected = {"stimulus": (n,), "block": (n,), "cross": (folds, p, q), "gram": (folds, q, q), "total": (folds, q)}
    if "raw" in given:
        k = given["raw"].shape[-1]
        expected |= {"raw": (n, k), "filters": (folds, q, k)}
    for name, shape in expected.items():
        if given[name].shape != shape or 0 in shape:
            what = f"the array {quoted(name)} has the shape {given[name].shape}, where others say {shape}"
            raise wrong(f"{what} (samples {n}, folds {folds}, features {p}, channels {q})")
    gram, scale = given["gram"], np.max(np.abs(given["gram"]))
    if np.max(np.abs(gram - gram.transpose(0, 2, 1))) > AGREES * scale or np.any(np.diagonal(gram, 0, 1, 2) < 0.0):
        raise wrong("its second moments of channels are not those of any recording")
