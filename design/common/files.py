"""Writing files so that an interrupted run leaves either the old file or the new one, never half of it.

In: a path and its full content. Out: the file on disk. A directory that cannot be written is a `BadInput` with the path and the
system's reason.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import zlib
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from platform import node
from typing import BinaryIO

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import one_line, problem

HERE = f"{zlib.crc32(node().encode()):08x}"
"""This machine, in the names of temporary files."""
_TEMPORARY = re.compile(rf"\..+\.{HERE}-(\d+)-[0-9a-f]{{8}}\.tmp")


def write_atomic(path: Path, content: bytes) -> Path:
    """Write a file under a temporary name beside its target, then move it into place in one step.

    Parameters
    ----------
    path
        The file to write; its folder is created when missing.
    content
        The whole content, in bytes.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    BadInput
        If the folder cannot be created or written.
    """
    return stream_atomic(path, lambda stream: stream.write(content))


def stream_atomic(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Write a file that is too large to be held in memory, as ``write_atomic`` does; ``write`` gets the open stream."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with in_its_place(path) as temporary, temporary.open("wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror or error}. Choose a folder you may write to, with space left."
        ) from error
    return path


@contextmanager
def in_its_place(path: Path) -> Generator[Path]:
    """Give a temporary name beside a file: what is written there takes the file's place at the end, unless an error ends it."""
    temporary = _beside(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        with suppress(OSError):  # usually gone, by success; what stays behind is not worth hiding the first error for
            temporary.unlink()


def _beside(path: Path) -> Path:
    """Return a temporary name beside a file."""
    return path.with_name(f".{path.name}.{HERE}-{os.getpid()}-{secrets.token_hex(4)}.tmp")


def sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def reading(source: object) -> Generator[None]:
    """Turn a fault of the disk, the network or the permissions while something is read into ``BadInput``."""
    try:
        yield
    except OSError as error:
        right = "Check its path, its permissions, and the disk or network it is on."
        raise problem(
            source, "", f"the file cannot be read ({one_line(error.strerror or error, 200)})", right
        ) from error


def remove_file(path: Path) -> None:
    """Remove a file that is out of date, or raise ``BadInput``."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be removed: {error.strerror or error}. Remove it, or choose another folder."
        ) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what killed runs of this machine left under temporary names; what a living run is writing stays.

    A folder of results holds folders of figures and tables: they are looked through, too.
    """
    for path in (*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")):
        found = _TEMPORARY.fullmatch(path.name)
        if found is not None and not _lives(int(found[1])):
            with suppress(OSError):  # already gone: nothing is lost
                path.unlink()


def _lives(process: int) -> bool:
    """Return whether a process of this machine is running."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to somebody else
        return True
    return True


def require_writable(folder: Path, names: Iterable[str]) -> None:
    """Raise ``BadInput`` if files of these names cannot be written to a folder: known before hours of work, not after.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    names : iterable of str
        Files that will be written; none may be the name of a folder that is there.
    """
    for name in names:
        if (folder / name).is_dir():
            raise BadInput(f"{folder / name} cannot be written: it is a folder. Remove it, or choose another --out.")
    trial = _beside(folder / "trial")
    write_atomic(trial, b"x" * TRIAL_BYTES)
    with suppress(OSError):  # it can be written, which is all that was asked
        trial.unlink()


TRIAL_BYTES = 2**20
"""Size of the file that is written to see whether a folder can be written, about that of a small study's results."""
