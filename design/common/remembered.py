"""Where the command line last kept a result that took long: one small file for each in the user's cache folder, which holds a path.

In: a name that is a hash of everything a result depends on. Out: the path, if there is still a file. Safe to delete at any time. In
Python nothing is remembered: only the command line begins to, and stops when its command is done.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from brainworth.design.common.errors import BadInput
from brainworth.design.common.files import write_atomic

_folder: list[Path] = []


def remember_in(folder: Path | None) -> None:
    """Begin to remember, in this folder; stop if none is given."""
    _folder[:] = [] if folder is None else [folder]


@contextmanager
def forgotten_at_the_end() -> Generator[None]:
    """Stop to remember when what is done within is done."""
    try:
        yield
    finally:
        remember_in(None)


def remember(name: str, path: Path) -> None:
    """Remember where a result lies; nothing happens where nothing is remembered, or the folder cannot be written."""
    for folder in _folder:
        with suppress(BadInput):
            write_atomic(folder / name, str(path.resolve()).encode())


def remembered(name: str) -> Path | None:
    """Return where a result lies."""
    for folder in _folder:
        with suppress(OSError, ValueError):
            path = Path((folder / name).read_text(encoding="utf-8"))
            return path if path.is_file() else None
    return None
