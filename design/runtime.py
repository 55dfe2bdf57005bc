"""How this process computes: a cache of compiled code between runs.

In: nothing. Out: JAX configured once, by the command line before it computes anything; a library never changes its
host's configuration, so Python users decide for themselves. No module names a device: where JAX finds a GPU, sampling and
forecasts run there, in double precision (never tried; statistics of recordings stay on the processor). What can go wrong: a
cache folder that cannot be written; then nothing is cached.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

SECONDS = 0.5
"""Compilations that take longer are kept."""


def _folder() -> Path | None:
    folder = Path(os.environ.get("BRAINWORTH_CACHE") or platformdirs.user_cache_dir("brainworth")) / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def use_compilation_cache() -> None:
    """Keep compiled code in the user's cache folder, or in the one that ``BRAINWORTH_CACHE`` names."""
    import jax

    folder = _folder()
    if folder is not None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", SECONDS)


def cache_from_the_start() -> None:
    """Do the same for a process that has not imported JAX, and may never do so."""
    folder = _folder()
    if folder is not None:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = str(SECONDS)
