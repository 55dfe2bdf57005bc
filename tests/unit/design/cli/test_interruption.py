"""Ctrl-C where Python drops exceptions: inside of destructors and of what compiled code calls.

Without the record of the press, a command that ends soon after it is told as a fault or as done.
"""

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
    def pressed():
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            pass
    class Falls:
        def __del__(self):
            pressed()
    if {compiled}:
        ctypes.CFUNCTYPE(None)(pressed)()
    else:
        Falls()
    {then}
sys.exit(main(["dropped"]))
"""


def run(then: str, *, compiled: bool = True, press: str = "os.kill(os.getpid(), signal.SIGINT)") -> tuple[int, str]:
    program = PROGRAM.replace("{then}", then).replace("{compiled}", str(compiled))
    program = program.replace("os.kill(os.getpid(), signal.SIGINT)", press)
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    return found.returncode, found.stderr


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "then", ["raise ValueError('made of half a table')", "pass", "time.sleep(60); raise SystemExit(9)"]
)
def test_a_dropped_interruption_ends_the_command(then: str, *, compiled: bool) -> None:
    """What the command does after it, a fault or its usual end, is not what is told."""
    assert run(then, compiled=compiled) == (130, "Interrupted.\n")


def test_other_dropped_exceptions_are_printed() -> None:
    """They are no interruption: the command goes on, and Python's own message stays."""
    code, said = run("pass", press="raise ValueError('dropped')")
    assert code == 0
    assert "ValueError: dropped" in said
