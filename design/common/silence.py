"""Keeping what compiled libraries print off the standard output, which belongs to the results."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

STDOUT = 1
"""Number of the standard output's file descriptor."""


@contextmanager
def stdout_silenced() -> Generator[None]:
    """Throw away what is written to the file descriptor of the standard output meanwhile, whoever writes it.

    HiGHS prints a banner there, past ``sys.stdout`` and whatever its options say. Nothing is done if the descriptor is closed.
    """
    with suppress(OSError, ValueError):  # a stream that is closed or has no reader holds nothing to be kept
        sys.stdout.flush()
    try:
        kept = os.dup(STDOUT)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDOUT)
        yield
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)
        os.close(nowhere)
