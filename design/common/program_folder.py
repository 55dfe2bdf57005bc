"""Traced programs on disk, beside the compiled code that JAX keeps.

In: names that are hashes, bytes. Out: the same bytes, or nothing: a file that is not whole is no file. Safe to delete at any
time, and when several processes write. If the folder cannot be written or read, nothing is kept.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from brainworth.design.common.errors import BadInput
from brainworth.design.common.files import write_atomic


@dataclass(frozen=True)
class ProgramFolder:
    """Keeps programs as files of a folder; a ``models.programs.Store``."""

    path: Path

    def read(self, name: str) -> bytes | None:
        """Return what was written under a name; None if nothing was, or if the file is damaged."""
        try:
            content = (self.path / name).read_bytes()
        except OSError:
            return None
        digest, kept = content[:32], content[32:]
        return kept if hashlib.sha256(kept).digest() == digest else None

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        with suppress(BadInput):
            write_atomic(self.path / name, hashlib.sha256(content).digest() + content)
