"""What commands cost on this machine: processor seconds, seconds by the clock, memory, programs, each in its own process.

    uv run python tests/benchmarks/bench_commands.py                    # the table of results/commands.md
    uv run python tests/benchmarks/bench_commands.py --only help report

The study is the one that ``brainworth init`` writes: two modalities, one of them with a pilot. *Cold* is an empty cache folder;
*warm* another folder of results with a full cache; *re-plan* the same folder after a change of the budget. Processor seconds are
those of the command and its children; beside them stands their ratio to a yardstick, a fixed piece of work in Python and NumPy
that is timed before and after every command, so that tables of busy machines can be compared. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

COMMAND = (sys.executable, "-c", "from brainworth.design.cli import main; main()")
LIMITS = {
    "plan, warm": 32.0,
    "plan, warm, no rehearsals": 14.0,
    "re-plan": 4.0,
    "plan, cold": 45.0,
    "help": 0.3,
    "report": 2.0,
}
"""Processor seconds that we aim at."""


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    processor: float
    clock: float
    gigabytes: float
    programs: int
    """Compiled programs that the cache folder gained."""
    yardstick: float
    """Processor seconds of the yardstick, mean of before and after."""


def yardstick() -> float:
    """Return the processor seconds of a fixed piece of work: a loop in Python, products of matrices in NumPy."""
    start = time.process_time()
    sum(i * i for i in range(3_000_000))
    matrix = np.random.default_rng(0).standard_normal((400, 400))
    for _ in range(20):
        matrix = np.tanh(matrix @ matrix / 400.0)
    return time.process_time() - start


def cost(arguments: list[str], cache: Path) -> Cost:
    """Run a command and return what it took; ``CalledProcessError`` if it fails."""
    settings = {**os.environ, "BRAINWORTH_CACHE": str(cache)}
    settings.pop("PYTHONDONTWRITEBYTECODE", None)
    before, held, start = yardstick(), _entries(cache), time.perf_counter()
    process = subprocess.Popen([*COMMAND, *arguments], env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)
    clock = time.perf_counter() - start
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), arguments, stderr=said)
    scale = 1e-6 if sys.platform != "darwin" else 1e-9
    seconds = used.ru_utime + used.ru_stime
    return Cost(seconds, clock, scale * used.ru_maxrss, _entries(cache) - held, 0.5 * (before + yardstick()))


def _entries(cache: Path) -> int:
    return len(list((cache / "compiled").glob("*-cache"))) if (cache / "compiled").is_dir() else 0


def commands(base: Path) -> dict[str, Callable[[], list[str]]]:
    """Return the arguments of every row, in the order in which they must run; called when their turn has come."""
    study = base / "study" / "study.toml"

    def with_budget(total: int) -> str:
        text = study.read_text(encoding="utf-8")
        study.write_text(re.sub(r"(?m)^total = \S+", f"total = {total}", text), encoding="utf-8")
        return str(study)

    def out(name: str) -> list[str]:
        return ["--out", str(base / name), "--quiet"]

    return {
        "help": lambda: ["--help"],
        "init": lambda: ["init", str(base / "study")],
        "check": lambda: ["check", str(study), "--quiet"],
        "plan, cold": lambda: ["plan", str(study), *out("cold")],
        "plan, warm": lambda: ["plan", str(study), *out("warm")],
        "plan, warm, no rehearsals": lambda: ["plan", str(study), "--rehearsals", "0", *out("formula")],
        "re-plan": lambda: ["plan", with_budget(9000), *out("warm")],
        "re-plan, again": lambda: ["plan", with_budget(9500), *out("warm")],
        "evaluate": lambda: ["evaluate", str(study), "--labels", "300", "--brain", "EEG=2000", "--json", "--quiet"],
        "compare": lambda: ["compare", str(study), "--json", "--quiet"],
        "report": lambda: ["report", str(base / "warm"), "--quiet"],
    }


def main() -> None:
    """Run all commands and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="rows to measure; those before them run, too")
    given = parser.parse_args()
    rows = [
        "| command | processor s | aim | yardsticks | clock s | peak memory, GB | new programs |",
        "|---|---|---|---|---|---|---|",
    ]
    with TemporaryDirectory() as folder:
        base = Path(folder)
        for name, arguments in commands(base).items():
            found = cost(arguments(), base / "cache")
            if given.only and name not in given.only:
                continue
            aim = f"{LIMITS[name]:g}" if name in LIMITS else ""
            rows.append(
                f"| {name} | {found.processor:.1f} | {aim} | {found.processor / found.yardstick:.1f} | {found.clock:.1f} | "
                f"{found.gigabytes:.2f} | {found.programs} |"
            )
            print(rows[-1], flush=True)
    print("\n".join(["", *rows]))
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"\n{os.cpu_count()} cores; load of the machine at the end (1, 5, 15 minutes): {load}.")


if __name__ == "__main__":
    main()
