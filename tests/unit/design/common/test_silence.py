"""Results on the standard output are not mixed with what compiled libraries print."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from brainworth.design.common.silence import STDOUT, stdout_silenced

FDS = Path("/proc/self/fd")


def printed(path: Path, write: Any) -> bytes:
    """Return what arrives at file descriptor 1 while something is done."""
    kept = os.dup(STDOUT)
    with path.open("wb") as file:
        os.dup2(file.fileno(), STDOUT)
        try:
            write()
        finally:
            os.dup2(kept, STDOUT)
            os.close(kept)
    return path.read_bytes()


def test_only_what_is_written_outside_arrives(tmp_path: Path) -> None:
    def fails() -> None:
        with stdout_silenced():
            os.write(STDOUT, b"BANNER")
            raise RuntimeError

    def write() -> None:
        os.write(STDOUT, b"before ")
        with pytest.raises(RuntimeError):
            fails()
        os.write(STDOUT, b"after")

    before = len(list(FDS.iterdir())) if FDS.exists() else 0
    assert printed(tmp_path / "out", write) == b"before after"
    assert not before or len(list(FDS.iterdir())) == before


def test_a_banner_of_the_solver_does_not_reach_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cvxpy as cp

    from brainworth.design.allocation.relaxation import _solve  # pyright: ignore[reportPrivateUsage]

    solve = cp.Problem.solve

    def with_banner(self: Any, *given: Any, **options: Any) -> Any:
        os.write(
            STDOUT, b"Running HiGHS 1.16.0 (git hash: 0000000): Copyright (c) 2026 HiGHS under MIT licence terms\n"
        )
        return solve(self, *given, **options)

    monkeypatch.setattr(cp.Problem, "solve", with_banner)
    x = cp.Variable(nonneg=True)
    found: list[float | None] = []
    assert printed(tmp_path / "out", lambda: found.append(_solve(x, [x >= 2.0], 3.0))) == b""
    assert found == [pytest.approx(6.0)]


def test_nothing_is_done_without_an_output() -> None:
    kept = os.dup(STDOUT)
    os.close(STDOUT)
    try:
        with stdout_silenced():
            done = True
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)
    assert done
