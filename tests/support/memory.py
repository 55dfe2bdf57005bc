"""How much memory something takes: the peak of this process while it runs, above what it held before.

In: a block of code. Out: the growth of the resident memory at its highest, in bytes. Errors: a system that does not let a process
forget its earlier peak (``/proc/self/clear_refs``, Linux); the growth is then ``None``.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Growth:
    """What a block has taken; ``None`` until it ends, and where it cannot be known."""

    bytes: int | None = None


def _kilobytes(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1])


@contextmanager
def watched() -> Generator[Growth]:
    """Measure the block."""
    found = Growth()
    try:
        _RESET.write_text("5")
        before = _kilobytes("VmRSS")
    except (OSError, StopIteration):
        yield found
        return
    yield found
    found.bytes = 1024 * (_kilobytes("VmHWM") - before)
