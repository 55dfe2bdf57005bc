"""Set up before any test: compiled programs are shared by all tests and workers of a run, and by later runs."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("BRAINWORTH_TEST_CACHE", Path(tempfile.gettempdir()) / "brainworth-test-cache"))
COMPILED = CACHE / "compiled"
"""Where commands look, too: a program that a test has compiled is not compiled again by a command."""
os.environ.setdefault("XLA_FLAGS", "--xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(COMPILED))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
os.environ.setdefault("BRAINWORTH_CACHE", str(CACHE))
# A command of ours imports 6,000 files. Where the environment forbids to keep what Python compiles of them, each command compiles
# them again, for 14 seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(autouse=True, scope="module")
def few_programs() -> Iterator[None]:
    """Let go of compiled programs between modules: all of them together have more mappings than Linux allows a process."""
    yield
    from brainworth.design.common.runtime import release_programs

    release_programs(0.2)
