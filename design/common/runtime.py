"""How this process computes: caches of traced programs and compiled code between runs, and a limit on how much it holds.

In: nothing. Out: JAX configured once, by the command line before it computes anything; a library never changes its host's
configuration, so Python users decide for themselves. Compiled programs take a few memory mappings each, of which Linux allows a
process 65,530 by default; a process beyond them dies. Long ones (hundreds of plans of different shapes in one session) let go of
their programs in time. No module names a device: where JAX finds a GPU, sampling and forecasts run there, in double precision
(never tried; statistics of recordings stay on the processor). If the cache folder cannot be written, nothing is cached.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path

import platformdirs

from brainworth.design.common.files import in_its_place
from brainworth.design.common.program_folder import ProgramFolder
from brainworth.design.common.remembered import remember_in

SECONDS = 0.0
"""Compilations that take longer are kept: all. A command runs a hundred small ones, which take longer to compile than to read."""
_MAPPINGS = Path("/proc/self/maps")
_MOST_MAPPINGS = Path("/proc/sys/vm/max_map_count")
_looked = [-float("inf")]
_later: list[bool] = []
"""Not empty in a process whose traced programs are to be kept as soon as it imports something that traces."""


def _folder(name: str = "compiled") -> Path | None:
    folder = Path(os.environ.get("BRAINWORTH_CACHE") or platformdirs.user_cache_dir("brainworth")) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def use_compilation_cache() -> None:
    """Keep traced programs and compiled code in the user's cache folder, or in the one that ``BRAINWORTH_CACHE`` names."""
    import jax

    keep_programs()
    folder = _folder()
    if folder is not None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", SECONDS)


def write_programs_whole() -> None:
    """Have JAX write every compiled program whole or not at all; imports JAX.

    JAX writes them in place. A process that reads one at this moment, or after another was stopped there, gets half of it: JAX says
    so in a warning and compiles anew, in the second case for ever. Where JAX keeps its programs otherwise than we know, nothing is
    changed.
    """
    try:
        from jax._src.lru_cache import LRUCache
    except ImportError:
        return
    theirs = LRUCache.put
    if getattr(theirs, "whole", False):
        return

    def put(self: LRUCache, key: str, value: bytes) -> None:
        path = Path(str(self.path)) / f"{key}-cache"
        if self.eviction_enabled or not key or not path.parent.is_dir():
            theirs(self, key, value)
        elif not path.exists():
            with in_its_place(path) as temporary:
                temporary.write_bytes(value)

    vars(put)["whole"] = True
    LRUCache.put = put


def remember_posteriors() -> None:
    """Remember in the same cache folder where posteriors lie, until ``remember_in(None)``."""
    remember_in(_folder("posteriors"))


def keep_programs() -> None:
    """Keep traced programs in the same cache folder; imports the models."""
    from brainworth.models.programs import keep_programs_in

    write_programs_whole()
    folder = _folder("programs")
    keep_programs_in(None if folder is None else ProgramFolder(folder))


def keep_programs_once_imported() -> None:
    """Do the same in a process of ``cache_from_the_start`` that has imported the models by now, once."""
    if _later and "brainworth.models.programs" in sys.modules:
        _later.clear()
        keep_programs()


def cache_from_the_start() -> None:
    """Do the same for a process that need not have imported JAX, and may never do so.

    Worker processes of a script import what the script imports before they are told anything.
    """
    if "jax" in sys.modules:
        use_compilation_cache()
        return
    _later.append(True)
    folder = _folder()
    if folder is not None:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = str(SECONDS)


def release_programs(share: float = 0.5, every: float = 0.0) -> bool:
    """Let go of all compiled programs if this process holds more than a share of the memory mappings it is allowed.

    Results do not change; what is needed again is compiled again, or read from the cache. Call it between tasks, not while one
    runs in another thread. Nothing happens before JAX is imported, on systems that do not list mappings, and within ``every``
    seconds of the last look: counting tens of thousands of mappings takes as many microseconds.
    """
    now = time.monotonic()
    if "jax" not in sys.modules or not _MOST_MAPPINGS.exists() or now - _looked[0] < every:
        return False
    _looked[0] = now
    with _MAPPINGS.open("rb") as lines:
        held = sum(1 for _ in lines)
    if held <= share * int(_MOST_MAPPINGS.read_text()):
        return False
    import jax

    jax.clear_caches()
    gc.collect()
    return True
