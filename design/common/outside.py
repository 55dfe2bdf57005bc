"""Whether a study file may name files outside of its folder: only if the one who runs the command says so."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_ALLOWED: ContextVar[bool] = ContextVar("paths outside of the study's folder are read", default=False)


@contextmanager
def outside_allowed(*, allowed: bool) -> Generator[None]:
    """Let studies that are read within this block name files outside of their folder."""
    token = _ALLOWED.set(allowed)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def outside_is_allowed() -> bool:
    """Return what the innermost ``outside_allowed`` says; no by default."""
    return _ALLOWED.get()
