"""Speed and memory of the chunked pass over recordings on disk, beside ridge regressions of the same arrays in memory.

    uv run --with himalaya python tests/benchmarks/bench_streaming.py             # 100,000 samples
    uv run --with himalaya python tests/benchmarks/bench_streaming.py --full      # a million samples: 5.2 GB of files
    ... --out tests/benchmarks/results/streaming.md                               # appends the table to a file, too

300 features and 1,000 channels, single precision on disk, double in the sums, five folds, four sessions. The pass does
n (p + q)^2 multiplications and as many additions, half of them saved by symmetry; "share" compares that with the rate of
2048 x 2048 matrix products in double precision on the same threads, which take turns with the pass (their time is subtracted):
by the clock, and by processor time, which other work on the machine disturbs less. Memory is the resident peak of a process,
imports and moments included; scikit-learn's and himalaya's ridge run in a process each, on the whole arrays in memory: in double
precision, and with --full in single precision, because 1,300 million doubles take 10.4 GB before anything is copied. Prints one
table; nothing is asserted, because the machine decides. The pass never leaves the processor, also where JAX has a GPU: its sums
are in double precision, by BLAS.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from brainworth.design.pilot.streaming import LargeRecording, Pass, stream_moments
from brainworth.models.pilot.encoder import Encoder
from brainworth.models.pilot.statistics import FeatureBasis, SourceStatistics
from brainworth.models.pilot.streamed_readouts import SampleReader
from brainworth.models.pilot.streaming import Moments
from brainworth.models.pilot.threads import one_blas_thread

P, Q, FOLDS, SESSIONS, LATENTS = 300, 1000, 5, 4, 4
PENALTY = 1000.0
LINES: list[str] = []
"""What was printed."""


def show(line: str) -> None:
    """Print a line of the table, and keep it."""
    LINES.append(line)
    print(line, flush=True)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return wall time and result."""
    spent, result = both(work)
    return float(spent[0]), result


def both(work: Callable[[], Any]) -> tuple[np.ndarray, Any]:
    """Return (wall time, processor time of all threads) and result."""
    start = np.array([time.perf_counter(), time.process_time()])
    result = work()
    return np.array([time.perf_counter(), time.process_time()]) - start, result


def product_rate(size: int = 2048, repeats: int = 3) -> np.ndarray:
    """Return the best rates of a matrix product in double precision, per second of the clock and of the processor."""
    rng = np.random.default_rng(0)
    a, b, out = rng.standard_normal((size, size)), rng.standard_normal((size, size)), np.empty((size, size))
    spent = np.array([both(lambda: np.matmul(a, b, out=out))[0] for _ in range(repeats)])
    return 2.0 * size**3 / spent.min(axis=0)


def peak() -> float:
    """Return the resident peak of this process, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def write(folder: Path, n: int) -> None:
    """Write features and channels, chunk by chunk: a linear system with noise."""
    rng = np.random.default_rng(0)
    weights = (rng.standard_normal((P, LATENTS)) @ rng.standard_normal((LATENTS, Q))).astype(np.float32) / 20
    with (folder / "features.npy").open("wb") as x_file, (folder / "channels.npy").open("wb") as r_file:
        for file, width in ((x_file, P), (r_file, Q)):
            header = {"descr": "<f4", "fortran_order": False, "shape": (n, width)}
            np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, n, 20_000):
            x = rng.standard_normal((min(20_000, n - start), P), dtype=np.float32)
            x_file.write(x.tobytes())
            r_file.write((x @ weights + rng.standard_normal((len(x), Q), dtype=np.float32) + 5).tobytes())


def recording(folder: Path, n: int) -> LargeRecording:
    """Return the recording; folds by groups of 50 samples, sessions one after another."""
    fold = np.random.default_rng(1).integers(0, FOLDS, n // 50 + 1).repeat(50)[:n]
    session = np.arange(n) * SESSIONS // n
    return LargeRecording.of(folder / "features.npy", folder / "channels.npy", fold, session)


def identity_basis(moments: Moments) -> FeatureBasis:
    """Return the raw features as their own basis."""
    return FeatureBasis(moments.session_means().mean(axis=0)[:P], np.ones(P), np.eye(P), np.ones(P))


def total(moments: Moments) -> SourceStatistics:
    """Return the statistics of all folds."""
    first, *others = (part.statistics for part in moments.by_fold(identity_basis(moments)))
    for other in others:
        first += other
    return first


def ridge(statistics: SourceStatistics) -> np.ndarray:
    """Return the coefficients of the ridge regression that the statistics contain, (feature, channel)."""
    return np.linalg.solve(statistics.gram + PENALTY * np.eye(P), statistics.cross)


def report(name: str, spent: float, note: str) -> None:
    """Print one line of the table."""
    show(f"{name:<32} {spent:>8.1f} s {peak():>6.2f} GiB  {note}")


@dataclass
class Turns:
    """Matrix products that take turns with a pass, so that both meet the same load of the machine."""

    threads: int
    count: int = 12
    spent: np.ndarray = field(default_factory=lambda: np.zeros(2))
    """Seconds by the clock and of the processor that the products took, warming up included."""
    flops: list[np.ndarray] = field(default_factory=list)
    """Their rates."""

    def __call__(self, done: int, rows: int) -> None:
        """Multiply matrices if it is time to, as the progress of a pass."""
        if done * self.count < rows * (len(self.flops) + 1):
            return
        with threadpool_limits(self.threads):
            spent, rate = both(lambda: product_rate(repeats=2))
        self.spent += spent
        self.flops.append(rate)


def streamed(folder: Path, n: int, threads: int) -> np.ndarray:
    """Print the lines of the passes and return the ridge coefficients."""
    data, turns = recording(folder, n), Turns(threads)
    times, moments = both(lambda: stream_moments(data, Pass(threads=threads, progress=turns)))
    times -= turns.spent
    useful = float(n) * (P + Q) ** 2 / times
    clock, processor = 100 * useful / np.mean(turns.flops, axis=0)
    note = f"{useful[0] / 1e9:.1f} GFLOP/s; share {clock:.0f} % by the clock, {processor:.0f} % by processor time"
    report("statistics, one pass", float(times[0]), note)
    by_clock, by_processor = (f"{low / 1e9:.0f} to {high / 1e9:.0f}" for low, high in _ranges(turns.flops))
    load = f"load of the machine {os.getloadavg()[0]:.1f}"
    show(f"matrix products in between: {by_clock} GFLOP/s by the clock, {by_processor} by processor time; {load}")
    spent, statistics = seconds(lambda: total(moments))
    solved, weights = seconds(lambda: ridge(statistics))
    report("statistics of all folds, ridge", spent + solved, "centred on sessions")
    rng = np.random.default_rng(2)
    maps, filters = rng.standard_normal((P, LATENTS)), rng.standard_normal((Q, LATENTS))
    one = Encoder(maps, maps**2, (filters.T,), (filters,), np.ones((1, LATENTS)), (np.eye(Q),), 1, True, 0.0)
    reader = SampleReader(0, [one] * FOLDS, identity_basis(moments), moments.session_means())
    with one_blas_thread():  # as in production: products this thin gain nothing from more
        spent, _ = seconds(lambda: reader.read_all(data.chunk(start, stop) for start, stop in data.slices()))
    report("read-outs, second pass", spent, f"{LATENTS} latents")
    return weights


def _ranges(rates: list[np.ndarray]) -> np.ndarray:
    """Return lowest and highest rate, by the clock and by processor time."""
    return np.stack([np.min(rates, axis=0), np.max(rates, axis=0)], axis=1)


def in_memory(folder: Path, n: int, *, double: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return features and channels, centred on sessions; read in pieces, so that nothing is held twice."""
    kind = np.float64 if double else np.float32
    session = np.arange(n) * SESSIONS // n
    arrays: list[np.ndarray] = []
    for name, width in (("features", P), ("channels", Q)):
        values, stored = np.empty((n, width), dtype=kind), np.load(folder / f"{name}.npy", mmap_mode="r")
        for start in range(0, n, 50_000):
            values[start : start + 50_000] = stored[start : start + 50_000]
        for code in range(SESSIONS):
            rows = slice(*np.searchsorted(session, [code, code + 1]))
            values[rows] -= values[rows].mean(axis=0, dtype=np.float64).astype(kind)
        arrays.append(values)
    return arrays[0], arrays[1]


def library_ridge(library: str, folder: Path, n: int, *, double: bool) -> None:
    """Print the line of a ridge regression in memory, for a process of its own."""
    x, r = in_memory(folder, n, double=double)
    if library == "himalaya":
        from himalaya.ridge import Ridge as HimalayaRidge  # pyright: ignore[reportMissingImports]

        model: Any = HimalayaRidge(alpha=PENALTY, fit_intercept=False)
    else:
        from sklearn.linear_model import Ridge

        model = Ridge(alpha=PENALTY, fit_intercept=False, solver="cholesky")
    spent, fitted = seconds(lambda: model.fit(x, r))
    found, weights = np.asarray(fitted.coef_), np.load(folder / "weights.npy")
    found = found if found.shape == weights.shape else found.T
    differ = np.max(np.abs(found - weights)) / np.max(np.abs(weights))
    report(f"{library} Ridge, no folds", spent, f"{x.dtype}; coefficients differ by {differ:.0e}")


def others(folder: Path, n: int, options: argparse.Namespace) -> None:
    """Print the lines of scikit-learn's and himalaya's ridge on the same arrays, each from a process of its own."""
    for library in ("scikit-learn", "himalaya"):
        command = [sys.executable, __file__, "--ridge", library, "--folder", str(folder), "--samples", str(n)]
        command += ["--threads", str(options.threads), *(["--full"] if options.full else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        failure = done.stderr.strip().splitlines()[-1:] or [f"ended by signal {-done.returncode}"]
        show(done.stdout.rstrip() if done.returncode == 0 else f"{library} Ridge: {failure[0]}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--full", action="store_true", help="a million samples")
    parser.add_argument("--out", type=Path, help="file to which the table is appended")
    parser.add_argument("--alone", action="store_true", help="the passes alone, no ridge regression in memory")
    parser.add_argument("--ridge", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    n = 1_000_000 if options.full else options.samples
    if options.ridge:
        with threadpool_limits(options.threads):
            library_ridge(options.ridge, options.folder, n, double=not options.full)
        return
    with tempfile.TemporaryDirectory() as name, threadpool_limits(options.threads):
        folder = Path(name)
        spent, _ = seconds(lambda: write(folder, n))
        show(f"{n:,} samples x {P} features x {Q:,} channels, {options.threads} threads; written in {spent:.0f} s")
        show(f"{'':<32} {'time':>10} {'peak':>10}")
        np.save(folder / "weights.npy", streamed(folder, n, options.threads))
        if not options.alone:
            others(folder, n, options)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with options.out.open("a", encoding="utf-8") as file:
            file.write("\n".join(["```", *LINES, "```", ""]) + "\n")


if __name__ == "__main__":
    main()
