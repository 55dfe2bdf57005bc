"""Maps over independent tasks, in this process, on local worker processes, or on a cluster.

In: an importable function, its tasks (each with a seed of its own), and who works. Out: the results in the order of the tasks,
the same bit for bit however many workers there are: a task sees only its arguments, and linear algebra uses one thread
everywhere. Errors: no scheduler at the address, a wrong profile, the extra ``cluster`` missing (``BadInput``); a task that ends
its worker again and again (``WorkersLost``); whatever the function raises. A worker that is killed is replaced, and its task runs
again. Client and workers exchange pickles: give only addresses of clusters of your own.
"""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field, ValidationError
from threadpoolctl import threadpool_limits

from brainworth.design.common.errors import BadInput, BrainworthError
from brainworth.design.common.fields import Count, Positive, Section, Text
from brainworth.design.common.messages import problem, quoted
from brainworth.design.common.optional import need
from brainworth.design.common.runtime import cache_from_the_start, keep_programs_once_imported, release_programs
from brainworth.design.common.toml_files import read_toml
from brainworth.design.common.validation import explain

WAIT_SECONDS = 20.0
"""How long a scheduler may take to answer."""
FAILURES = 4
"""Workers that a task may lose; with the next one it is given up."""
AHEAD = 4
"""Tasks that are handed out at once, in multiples of the workers."""


class WorkersLost(BrainworthError):
    """A task was lost with its worker too often."""


class Team(Protocol):
    """Who works on tasks."""

    def results(
        self,
        function: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        common: tuple[Any, ...] = (),
        tell: Callable[[int, int], None] | None = None,
    ) -> Iterator[Any]:
        """Yield ``function(*common, *task)`` of every task, in their order; call ``tell`` with how many are done, of how many."""
        ...


def _run(function: Callable[..., Any], common: tuple[Any, ...], task: tuple[Any, ...]) -> Any:
    keep_programs_once_imported()
    release_programs(every=5.0)
    with threadpool_limits(limits=1, user_api="blas"):
        return function(*common, *task)


@dataclass(frozen=True)
class ThisProcess:
    """Tasks run one after another in the process that asks."""

    def results(
        self,
        function: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        common: tuple[Any, ...] = (),
        tell: Callable[[int, int], None] | None = None,
    ) -> Iterator[Any]:
        """Yield the results one after another; see ``Team``."""
        for done, task in enumerate(tasks, start=1):
            yield _run(function, common, task)
            if tell is not None:
                tell(done, len(tasks))


@dataclass(frozen=True)
class Cluster:
    """Workers of a Dask cluster."""

    client: Any

    def results(
        self,
        function: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        common: tuple[Any, ...] = (),
        tell: Callable[[int, int], None] | None = None,
    ) -> Iterator[Any]:
        """Yield the results in the order of the tasks; see ``Team``."""
        from distributed import KilledWorker, as_completed

        if function.__module__ == "__main__":
            raise ValueError(f"Workers import what they run; {function.__name__} must not be in __main__.")
        shared = self.client.submit(
            _same, common, pure=False
        )  # a task, so that it can be made again with a lost worker
        finished, place, kept, following = as_completed(loop=self.client.loop), {}, {}, 0
        unsent = iter(enumerate(tasks))
        while following < len(tasks):
            free = AHEAD * max(len(self.client.nthreads()), 1) - len(place)
            for index, task in islice(unsent, max(free, 0)):
                future = self.client.submit(_run, function, shared, task, pure=False)
                place[future] = index
                finished.add(future)
            try:
                future = next(finished)
                kept[place.pop(future)] = future.result()
            except KilledWorker as error:
                raise WorkersLost(
                    f"A task lost its worker {FAILURES + 1} times and was given up. Give the workers more memory, or use fewer "
                    "on one machine."
                ) from error
            if tell is not None:
                tell(following + len(kept), len(tasks))
            while following in kept:
                yield kept.pop(following)
                following += 1


def _same(value: Any) -> Any:
    return value


def importable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the script itself as workers know it: imported from the script's file, on their ``paths``."""
    if function.__module__ != "__main__":
        return function
    file = sys.modules["__main__"].__file__
    return getattr(import_module(Path(str(file)).stem), function.__name__)


def count_in_words(progress: Callable[[str], None] | None, what: str) -> Callable[[int, int], None]:
    """Return a counter that tells a progress callback how many tasks are done: "splits: 2 of 5 done"."""

    def tell(done: int, of: int) -> None:
        if progress is not None:
            progress(f"{what}: {done} of {of} done")

    return tell


@dataclass(frozen=True)
class WithProgress:
    """A team that reports how many of its tasks are done."""

    team: Team
    progress: Callable[[str], None] | None
    what: str

    def results(
        self,
        function: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        common: tuple[Any, ...] = (),
        tell: Callable[[int, int], None] | None = None,
    ) -> Iterator[Any]:
        """Yield the results of the team; see ``Team``."""
        return self.team.results(function, tasks, common, tell or count_in_words(self.progress, self.what))


def with_progress(workers: Team | None, progress: Callable[[str], None] | None, what: str) -> Team:
    """Return a team (this process if none is given) that tells a progress callback how many tasks are done."""
    return WithProgress(workers or ThisProcess(), progress, what)


class SlurmProfile(Section):
    """A TOML file with the jobs of a SLURM cluster; see dask-jobqueue's SLURMCluster."""

    queue: Text | None = None
    """Partition."""
    account: Text | None = None
    """Account that is charged."""
    cores: Count = 1
    """Cores of a job; one task runs in each of its processes."""
    memory: Text = "4GB"
    """Memory of a job."""
    walltime: Text = "01:00:00"
    """Time limit of a job."""
    processes: Count = 1
    """Worker processes of a job."""
    interface: Text | None = None
    """Network interface that workers and scheduler share."""
    job_extra_directives: list[Text] = Field(default_factory=list)
    """Further #SBATCH lines."""
    job_script_prologue: list[Text] = Field(default_factory=list)
    """Commands before the worker starts, e.g. to activate an environment."""
    wait: Positive = 600.0
    """Seconds to wait for the first job to start."""


def _profile(file: Path) -> SlurmProfile:
    data = read_toml(file, file)
    try:
        return SlurmProfile.model_validate(data)
    except ValidationError as error:
        raise explain(error, SlurmProfile, file, data) from None


@dataclass(frozen=True)
class Prepare:
    """What a worker does before its first task: import paths and the cache of compiled code."""

    paths: tuple[str, ...]

    def __call__(self) -> None:
        """Prepare this process."""
        sys.path[:0] = [path for path in self.paths if path not in sys.path]
        cache_from_the_start()


@contextmanager
def team(count: int = 1, scheduler: str | None = None, paths: Sequence[str] = ()) -> Generator[Team]:
    """Return who works, for the duration of a block.

    Parameters
    ----------
    count : int
        Worker processes on this machine, or jobs of a SLURM cluster; 1 without a scheduler is this process.
    scheduler : str, optional
        Address of a running Dask scheduler (tcp://host:port), or ``slurm:FILE`` with the profile of its jobs.
    paths : sequence of str
        Folders from which workers import, beside the installed packages.

    Raises
    ------
    BadInput
        No scheduler answers, the profile is wrong, or the extra ``cluster`` is not installed.
    """
    if count < 1:
        raise BadInput(f"--workers: got {count}. It must be at least 1.")
    if scheduler is None and count == 1:
        yield ThisProcess()
        return
    what = "tasks with --workers or --scheduler"
    distributed = need("distributed", "cluster", what, "--workers" if scheduler is None else "--scheduler")
    dask = need("dask", "cluster", what, "--workers")
    settings = {
        "distributed.scheduler.allowed-failures": FAILURES,
        "distributed.admin.large-graph-warning-threshold": "1TB",
    }
    with ExitStack() as stack, dask.config.set(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"distributed\..*")
        from brainworth.design.common.workers_plugin import PreparePlugin

        address, patience = _scheduler(distributed, stack, count, scheduler)
        client = stack.enter_context(_connected(distributed, address, scheduler))
        client.register_plugin(PreparePlugin(Prepare(tuple(paths))), name="brainworth")
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError as error:
            wrong = f"no worker has joined {quoted(scheduler or 'this machine')} within {patience:g} seconds"
            raise problem("--scheduler", "", wrong, "Start workers, or check the jobs in the queue.") from error
        yield Cluster(client)


def _scheduler(distributed: Any, stack: ExitStack, count: int, scheduler: str | None) -> tuple[Any, float]:
    """Return the cluster or address to connect to, and how long to wait; a cluster made here ends with the stack."""
    if scheduler is None:
        cluster = distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            silence_logs="CRITICAL",
        )
        return stack.enter_context(cluster), 10.0 * WAIT_SECONDS
    if not scheduler.startswith("slurm:"):
        return scheduler, WAIT_SECONDS
    queue = need("dask_jobqueue", "cluster", "a SLURM profile", "--scheduler")
    profile = _profile(Path(scheduler.removeprefix("slurm:")))
    if shutil.which("sbatch") is None:
        right = "Run this on a login node of the cluster, or use --workers."
        raise problem("--scheduler", "", "the command sbatch is not on this machine, so no job can be queued", right)
    options = profile.model_dump(exclude={"wait"}, exclude_none=True)
    cluster = stack.enter_context(queue.SLURMCluster(**options, scheduler_options={"dashboard_address": None}))
    cluster.scale(jobs=count)
    return cluster, profile.wait


def _connected(distributed: Any, address: Any, scheduler: str | None) -> Any:
    try:
        return distributed.Client(address, timeout=WAIT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, TimeoutError) as error:
        right = "Give the address that dask-scheduler prints, e.g. tcp://127.0.0.1:8786, or slurm:FILE."
        raise problem("--scheduler", "", f"no scheduler answers at {quoted(scheduler)}", right) from error
