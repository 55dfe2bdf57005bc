"""Whether an HDF5 or netCDF file can be read at all, tried in a process of its own.

In: a path. Out: nothing. What can go wrong: a damaged file whose heaps or indices lead back to themselves keeps the HDF5 library
busy for ever, or kills the process that reads it, and neither can be caught where it happens. The trial reads texts and small
arrays whole and the corners of large ones; if it does not end in time, or dies, the file is a ``BadInput``. What merely cannot
be read is left to the reader, which says what is wrong with it.
"""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from .config_errors import problem

SECONDS = 20.0
"""Time for a small file."""
BYTES_A_SECOND = 20e6
_WHOLE = 2**24
_PROBE = f"""
import sys
import h5py

def look(_, item):
    if not isinstance(item, h5py.Dataset):
        return
    whole = item.dtype.hasobject or item.size * item.dtype.itemsize <= {_WHOLE}
    for part in [()] if whole else [(0,) * item.ndim, (-1,) * item.ndim]:
        try:
            item[part]
        except Exception:
            pass

try:
    with h5py.File(sys.argv[1], "r") as file:
        file.visititems(look)
except Exception:
    pass
"""


def check_ends(path: Path, source: str, seconds: float = SECONDS) -> None:
    """Raise ``BadInput`` if reading the file does not come to an end, or kills the process that reads it.

    Parameters
    ----------
    path : Path
        HDF5 or netCDF-4 file.
    source : str
        How messages call it.
    seconds : float
        Time for a small file; large ones get more.
    """
    found = path.stat()
    wrong = _damage(path.absolute(), found.st_mtime_ns, seconds + found.st_size / BYTES_A_SECOND)
    if wrong is not None:
        raise problem(source, "", wrong, "Save it again from the program that wrote it.")


@lru_cache
def _damage(path: Path, _changed: int, limit: float) -> str | None:
    """Return what is wrong with a file; a file that has not changed is tried once, however many readers ask."""
    command = [sys.executable, "-I", "-c", _PROBE, str(path)]
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return f"reading the file did not end within {limit:.0f} seconds, so it is damaged"
    return None if ended.returncode >= 0 else "reading the file kills the process that reads it, so it is damaged"
