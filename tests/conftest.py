"""Set up before any test: compiled programs are shared by all tests and workers of a run, and by later runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("BRAINWORTH_TEST_CACHE", Path(tempfile.gettempdir()) / "brainworth-test-cache"))
os.environ.setdefault("XLA_FLAGS", "--xla_llvm_disable_expensive_passes=true")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
os.environ.setdefault("BRAINWORTH_CACHE", str(CACHE / "brainworth"))
