"""How this process computes: a cache of compiled code between runs.

In: nothing. Out: JAX configured once, by the command line before it computes anything; a library never changes its
host's configuration, so Python users decide for themselves. What can go wrong: a cache folder that cannot be written;
then nothing is cached.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def use_compilation_cache() -> None:
    """Keep compiled code in the user's cache folder, or in the one that ``BRAINWORTH_CACHE`` names."""
    import jax

    folder = Path(os.environ.get("BRAINWORTH_CACHE") or platformdirs.user_cache_dir("brainworth")) / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
