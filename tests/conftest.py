"""Set up before any test: shorter compilation of JAX programs, whose results do not depend on it."""

from __future__ import annotations

import os

os.environ.setdefault("XLA_FLAGS", "--xla_llvm_disable_expensive_passes=true")
