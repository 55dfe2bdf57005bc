"""Ctrl-C where Python drops exceptions: inside of what compiled code calls. Without the record of the press, the first two fail."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, os, signal, sys, time
from brainworth.design.cli import app, main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job does not listen
@app.command("dropped")
def dropped():
    @ctypes.CFUNCTYPE(None)
    def called_by_compiled_code():
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            pass
    called_by_compiled_code()
    {then}
sys.exit(main(["dropped"]))
"""


@pytest.mark.parametrize(
    "then", ["raise ValueError('made of half a table')", "pass", "time.sleep(60); raise SystemExit(9)"]
)
def test_a_dropped_interruption_ends_the_command(then: str) -> None:
    """What the command does after it, a fault or its usual end, is not what is told."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{then}", then)], capture_output=True, text=True, timeout=50, check=False
    )
    assert (run.returncode, run.stderr) == (130, "Interrupted.\n")


def test_other_dropped_exceptions_are_printed() -> None:
    """They are no interruption: the command goes on, and Python's own message stays."""
    program = PROGRAM.replace("os.kill(os.getpid(), signal.SIGINT)", "raise ValueError('dropped')")
    run = subprocess.run(
        [sys.executable, "-c", program.replace("{then}", "pass")],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert run.returncode == 0
    assert "ValueError: dropped" in run.stderr
