"""The maps that worker processes share: time, overhead of a task, and whether the results are the same bit for bit.

    uv run --extra cluster python tests/benchmarks/bench_workers.py
    ... --worlds 4 --splits 2 --out tests/benchmarks/results/workers.md      # smaller; also written to a file

Four maps: worlds of the calibration study, splits of a backtest and a Sobol sweep of the example study, and tasks that do
nothing. Four teams: this process alone; one local worker process; two; two, of which one is killed by SIGKILL after a third of the
time that two needed. "Same" says whether the results equal those of this process bit for bit. Times are by the clock and hold what
a team does for the first time (a worker imports JAX and loads compiled programs, which this process has left in the cache).
Nothing is asserted, because the machine decides; the tests assert that results are the same (``test_workers.py``,
``test_streamed_plan.py``).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import distributed
import numpy as np

from brainworth.design.api import Study
from brainworth.design.common.records import plain
from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.common.workers import Cluster, Team, importable, team
from brainworth.design.decision.plan import How, make_plan, problem_of
from brainworth.design.decision.sensitivity.flips import decision_of
from brainworth.design.decision.sensitivity.sobol import sobol
from brainworth.design.posterior.backtest import backtest
from brainworth.design.posterior.fit import fit_study
from brainworth.design.study_file.scaffold import write_example

CALIBRATION = Path(__file__).parents[2] / "case_studies" / "calibration"
EMPTY = 2000
"""Tasks that do nothing."""

Map = Callable[[Team], Any]


def nothing(task: int) -> int:
    """Return the task."""
    return task


def one_world(world: int) -> dict[str, Any]:
    """Return what the calibration study keeps of one Gaussian world."""
    sys.path.insert(0, str(CALIBRATION))
    from run import one_world as found

    return found("gaussian", 0, world)


def maps(study: Study, options: argparse.Namespace) -> dict[str, tuple[int, Map]]:
    """Return the maps by name, each with its number of tasks."""
    posterior = fit_study(study, 0)
    problem = problem_of(study.config, posterior)
    decision = decision_of(posterior, make_plan(study.config, posterior, problem, How(force=True)), problem)
    world, empty = importable(one_world), importable(nothing)
    return {
        "calibration": (options.worlds, lambda team: list(team.results(world, [(i,) for i in range(options.worlds)]))),
        "backtest": (options.splits, lambda team: backtest(study, splits=options.splits, workers=team)),
        "Sobol sweep": (options.sobol, lambda team: sobol(decision, 0, options.sobol, team)),
        "nothing": (EMPTY, lambda team: list(team.results(empty, [(i,) for i in range(EMPTY)]))),
    }


@contextmanager
def local(count: int) -> Generator[Team]:
    """Return a team of local processes, also of a single one."""
    paths = [str(Path(__file__).parent)]
    if count > 1:
        with team(count, paths=paths) as found:
            yield found
        return
    settings: dict[str, Any] = {"dashboard_address": None, "memory_limit": 0, "silence_logs": "CRITICAL"}
    made: Any = distributed.LocalCluster
    with (
        made(n_workers=1, threads_per_worker=1, host="127.0.0.1", **settings) as cluster,
        team(1, cluster.scheduler_address, paths) as found,
    ):
        yield found


def timed(work: Map, who: Team) -> tuple[float, str]:
    """Return seconds by the clock, and the result as text with every digit."""
    started = time.perf_counter()
    result = work(who)
    return time.perf_counter() - started, json.dumps(plain(result), default=float)


def killed(work: Map, who: Team, after: float) -> tuple[float, str]:
    """Return the same while one worker is killed."""
    assert isinstance(who, Cluster)
    victim = next(iter(who.client.run(os.getpid).values()))
    timer = threading.Timer(after, os.kill, (victim, signal.SIGKILL))
    timer.start()
    try:
        return timed(work, who)
    finally:
        timer.cancel()


def rows_of(name: str, tasks: int, work: Map) -> Generator[str]:
    """Yield the rows of a map, one a team."""

    def row(who: str, spent: float, text: str) -> str:
        same = "yes" if text == expected else "NO"
        return f"| {name} | {tasks} | {who} | {spent:.1f} | {1e3 * spent / tasks:.1f} | {same} |"

    with team() as alone:
        spent, expected = timed(work, alone)
    yield row("this process", spent, expected)
    for count in (1, 2):
        with local(count) as who:
            spent, text = timed(work, who)
        yield row(f"{count} worker{'s' * (count > 1)}", spent, text)
    with local(2) as who:
        yield row("2 workers, one killed", *killed(work, who, spent / 3))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--sobol", type=int, default=256)
    parser.add_argument("--out", type=Path, help="file that is written")
    options = parser.parse_args()
    use_compilation_cache()
    lines = ["| map | tasks | team | seconds | ms a task | same |", "|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write_example(Path(folder) / "study")
        found = maps(Study.from_file(Path(folder) / "study" / "study.toml"), options)
    for name, (tasks, work) in found.items():
        for line in rows_of(name, tasks, work):
            lines.append(line)
            print(line, flush=True)
    load = ", ".join(f"{value:.1f}" for value in np.round(os.getloadavg(), 1))
    lines.append(f"\n{os.cpu_count()} cores; load of the machine at the end (1, 5, 15 minutes): {load}.")
    print(lines[-1])
    if options.out is not None:
        command = f"uv run --extra cluster python tests/benchmarks/bench_workers.py {' '.join(sys.argv[1:])}"
        options.out.write_text(
            "# Maps on worker processes\n\nWritten by\n"
            f"`{command}`:\nwhat the maps and teams are is said there.\n\n" + "\n".join(lines) + "\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
