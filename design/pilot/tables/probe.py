"""Whether an HDF5 or netCDF file, or a zarr store, can be read at all, tried in a process of its own.

In: a path. Out: nothing. A damaged file whose heaps or indices lead back to themselves keeps the HDF5 library busy for ever, a
damaged chunk makes a decompressor read beyond its end, and neither can be caught where it happens. The trial reads texts and
small arrays whole and the corners of large ones; if it does not end in time, or dies, the file is a ``BadInput``. What merely
cannot be read is left to the reader, which says what is wrong with it.
"""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from brainworth.design.common.messages import problem

SECONDS = 20.0
"""Time for a small file."""
BYTES_A_SECOND = 20e6
_WHOLE = 2**24
_LOOK = f"""
import sys

def tried(work):
    try:
        return work()
    except Exception:
        return None

def look(item):
    size = getattr(item.dtype, "itemsize", 1)
    whole = getattr(item.dtype, "hasobject", True) or item.size * size <= {_WHOLE}
    for part in [()] if whole else [(0,) * item.ndim, (-1,) * item.ndim]:
        tried(lambda: item[part])
"""
_HDF5 = """
import h5py

def opened(work):
    with h5py.File(sys.argv[1], "r") as file:
        return work(file)

def attributes(item):
    for key in item.attrs:
        tried(lambda: item.attrs[key])

def together(file):
    attributes(file)
    found = []
    tried(lambda: file.visit(found.append))
    tried(lambda: found.extend(map(str, file)))
    for name in found:
        tried(lambda: look(file[name]))
    return dict.fromkeys(found)

# A reader opens the file for each array anew: what it comes to may depend on what was read before.
for name in tried(lambda: opened(together)) or ():
    tried(lambda: opened(lambda file: attributes(file[name])))
    tried(lambda: opened(lambda file: look(file[name])))
    tried(lambda: opened(lambda file: file[name].asstr()[()]))
"""
_ZARR = """
import zarr

def whole():
    store = zarr.storage.LocalStore(sys.argv[1], read_only=True)
    for _, item in zarr.open_group(store, mode="r", use_consolidated=False).members(max_depth=None):
        if isinstance(item, zarr.Array):
            look(item)

tried(whole)
"""


def check_ends(path: Path, source: str, seconds: float = SECONDS) -> None:
    """Raise ``BadInput`` if reading the file does not come to an end, or kills the process that reads it.

    Parameters
    ----------
    path : Path
        HDF5 or netCDF-4 file, or the folder of a zarr store whose codecs were checked.
    source : str
        How messages call it.
    seconds : float
        Time for a small file; large ones get more.
    """
    states = [file.stat() for file in (path.rglob("*") if path.is_dir() else [path])]
    changed = max((state.st_mtime_ns for state in states), default=0)
    wrong = _damage(path.absolute(), changed, seconds + sum(state.st_size for state in states) / BYTES_A_SECOND)
    if wrong is not None:
        raise problem(source, "", wrong, "Save it again from the program that wrote it.")


@lru_cache
def _damage(path: Path, _changed: int, limit: float) -> str | None:
    """Return what is wrong with a file; a file that has not changed is tried once, however many readers ask."""
    command = [sys.executable, "-I", "-c", _LOOK + (_ZARR if path.is_dir() else _HDF5), str(path)]
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return f"reading the file did not end within {limit:.0f} seconds, so it is damaged"
    return None if ended.returncode >= 0 else "reading the file kills the process that reads it, so it is damaged"
