"""Maps over tasks on real worker processes: the same results whoever works, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainworth.design.allocation import Problem
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.rounds import RoundsOptions, plan_rounds
from brainworth.design.common.errors import BadInput
from brainworth.design.common.workers import Cluster, ThisProcess, WorkersLost, team, with_progress
from price_lists import schedule
from toy_surfaces import ToySurface

pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

TASKS = '''
import os
import time
from pathlib import Path

import numpy as np


def drawn(scale, seed):
    """A product whose last bits would show another number of threads or another seed."""
    values = scale * np.random.default_rng(seed).standard_normal((200, 200))
    return (values @ values.T).sum(axis=0)


def slow(folder, index):
    Path(folder, f"{os.getpid()}-{index}").write_text("")
    time.sleep(0.4)
    return index**2, os.getpid()


def deadly(index):
    if index == 2:
        os._exit(1)
    return index


def refused(index):
    from brainworth.design.common.errors import BadInput

    raise BadInput(f"table.csv: row {index}: wrong.")
'''


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A module that workers can import, and its folder."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "tasks_of_the_test.py").write_text(TASKS)
    sys.path.insert(0, str(folder))
    import tasks_of_the_test

    yield tasks_of_the_test
    sys.path.remove(str(folder))
    del sys.modules["tasks_of_the_test"]


@pytest.fixture(scope="module")
def workers(work: Any) -> Iterator[Cluster]:
    """Three worker processes; a task may lose one of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brainworth.design.common.workers.FAILURES", 1)
        with team(3, paths=paths(work)) as found:
            assert isinstance(found, Cluster)
            yield found


def paths(work: Any) -> list[str]:
    return [str(Path(work.__file__).parent)]


def test_results_do_not_depend_on_who_works(work: Any, workers: Cluster) -> None:
    tasks = [(seed,) for seed in range(17)]
    with team() as alone:
        assert isinstance(alone, ThisProcess)
        expected = [row.tobytes() for row in alone.results(work.drawn, tasks, (2.0,))]
    told: list[tuple[int, int]] = []
    found = workers.results(work.drawn, tasks, (2.0,), lambda done, of: told.append((done, of)))
    assert [row.tobytes() for row in found] == expected
    assert [row.tobytes() for row in workers.results(work.drawn, tasks[:1], (2.0,))] == expected[:1]
    assert told == [(done, 17) for done in range(1, 18)]
    address = workers.client.scheduler.address
    with team(1, address) as others:
        assert isinstance(others, Cluster)
        assert [row.tobytes() for row in others.results(work.drawn, tasks, (2.0,))] == expected


def test_a_map_says_how_far_it_is_whoever_works(work: Any, workers: Cluster) -> None:
    for people in (None, workers):
        heard: list[str] = []
        found = with_progress(people, heard.append, "rounds").results(
            work.drawn, [(seed,) for seed in range(3)], (2.0,)
        )
        assert len(list(found)) == 3
        assert heard == [f"rounds: {done} of 3 done" for done in (1, 2, 3)]


def test_rounds_do_not_depend_on_who_simulates_them(workers: Cluster) -> None:
    surface = ToySurface.random(np.random.default_rng(0), 1, 60, scale=500.0)
    modality = (ModalityCost("A", schedule(1)), ModalityLimits(max_subjects=1))
    problem = Problem(TaskCost(schedule(1)), (modality,), Decimal(2000))
    options = RoundsOptions(rounds=3, draws=60)
    assert plan_rounds(problem, surface, options, workers=workers) == plan_rounds(problem, surface, options)


def test_a_killed_worker_is_replaced_and_nothing_is_lost(work: Any, workers: Cluster, tmp_path: Path) -> None:
    started = tmp_path / "started"
    started.mkdir()
    killed: list[int] = []

    def kill() -> None:
        """Kill the first worker that has begun its second task."""
        while not killed:
            pids = [int(file.name.split("-")[0]) for file in started.iterdir()]
            again = [pid for pid in pids if pids.count(pid) > 1]
            if again:
                os.kill(again[0], signal.SIGKILL)
                killed.append(again[0])
            time.sleep(0.02)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    found = list(workers.results(work.slow, [(i,) for i in range(12)], (str(started),)))
    thread.join(timeout=10.0)
    assert [value for value, _ in found] == [i**2 for i in range(12)]
    assert len(killed) == 1
    assert len(list(started.iterdir())) > 12, "the task of the killed worker was begun twice"
    assert len({pid for _, pid in found} - set(killed)) >= 2, "another process took the killed one's place"


def test_failures_of_a_task_are_those_of_the_function(work: Any, workers: Cluster) -> None:
    with pytest.raises(BadInput, match=r"table\.csv: row 0: wrong"):
        list(workers.results(work.refused, [(0,)]))


def test_a_task_that_kills_its_worker_is_given_up(work: Any, workers: Cluster) -> None:
    with pytest.raises(WorkersLost, match="lost its worker 2 times"):
        list(workers.results(work.deadly, [(i,) for i in range(4)]))


def test_what_can_be_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainworth.design.common.workers.WAIT_SECONDS", 0.5)
    profile = tmp_path / "slurm.toml"
    profile.write_text('queue = "long"\nmemroy = "8GB"\n')
    for scheduler, words in (
        ("tcp://127.0.0.1:9", r"--scheduler: no scheduler answers at 'tcp://127\.0\.0\.1:9'"),
        ("nonsense", "no scheduler answers at 'nonsense'"),
        (f"slurm:{tmp_path / 'absent.toml'}", r"absent\.toml"),
        (f"slurm:{profile}", r"unknown key 'memroy'. Did you mean 'memory'"),
    ):
        with pytest.raises(BadInput, match=words), team(2, scheduler):
            pass
    with pytest.raises(BadInput, match="--workers: got 0"), team(0):
        pass


def test_functions_of_the_script_itself_are_refused(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work.drawn, "__module__", "__main__")
    with pytest.raises(ValueError, match="drawn must not be in __main__"):
        next(Cluster(None).results(work.drawn, [(0,)]))


def test_a_slurm_profile(work: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue whose ``sbatch`` runs the job script at once stands for SLURM."""
    tasks = [(seed,) for seed in range(5)]
    expected = [row.tobytes() for row in ThisProcess().results(work.drawn, tasks, (1.0,))]
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (
        ("sbatch", 'cp "$1" "$0.job"\nnohup bash "$0.job" >/dev/null 2>&1 &\necho "Submitted batch job $!"'),
        ("scancel", 'kill -- "$1"'),
    ):
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod((programs / name).stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    profile = tmp_path / "slurm.toml"
    profile.write_text('queue = "short"\nmemory = "1GB"\nwait = 120\n')
    with team(1, f"slurm:{profile}", paths(work)) as workers:
        assert [row.tobytes() for row in workers.results(work.drawn, tasks, (1.0,))] == expected
