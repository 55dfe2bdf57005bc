"""Writing files so that an interrupted run leaves either the old file or the new one, never half of it.

In: a path and its full content. Out: the file on disk. What can go wrong: a directory that cannot be written, which
is reported as `BadInput` with the path and the system's reason.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from brainworth.design.common.errors import BadInput


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
    """Write a file that is too large to be held in memory, as ``write_atomic`` does.

    Parameters
    ----------
    path
        The file to write; its folder is created when missing.
    write
        Writes the whole content to an open stream.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    BadInput
        If the folder cannot be created or written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror or error}. Choose a folder you may write to, with space left."
        ) from error
    finally:
        with suppress(OSError):  # usually gone, by success; what stays behind is not worth hiding the first error for
            temporary.unlink()
    return path


def remove_leftovers(folder: Path) -> None:
    """Remove what killed runs left under temporary names in a folder of results; one run at a time writes to it."""
    for path in folder.glob(".*.????????.tmp"):
        with suppress(OSError):  # another name's file, or already gone: nothing is lost
            path.unlink()
