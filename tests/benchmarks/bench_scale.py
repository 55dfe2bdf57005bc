"""What every station costs against the size of its input, and how fast the cost grows: slopes on logarithmic axes.

    uv run python tests/benchmarks/bench_scale.py                             # the table of results/scale.md
    uv run python tests/benchmarks/bench_scale.py --axes people channels      # only these axes; nothing is written

One study is made larger along one axis at a time: samples, features, channels, people, modalities, labels; the planner alone
along draws. Every study runs twice in a process of its own, and the second run is measured, when all programs are compiled:
processor seconds of reading and checking the tables (*read*), of the pilot's statistics (*statistics*), of the rest of the fit
(*posterior*), of the search with everything that a plan says (*plan*), and of 16 rehearsals of plan and labels alone
(*rehearsals*). The first run of the fit stands beside it (*fit, first*): what compiling adds. The slope of a station is that of a
straight line through logarithms of its last three sizes: 1 is proportional, 2 quadratic; what it says of ten times the largest
size stands in the last row. A station that takes less than a tenth of a second has none. Ten million samples go through the
streamed pass from rows that repeat in memory, so that the disk is not measured. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

import brainworth as bw
from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.pilot.streaming import LargeRecording, Pass, stream_moments

STATIONS = ("read", "statistics", "posterior", "plan", "rehearsals")
AXES: dict[str, tuple[int, ...]] = {
    "samples": (400, 4_000, 40_000, 160_000),
    "features": (30, 100, 300, 1_000, 5_000),
    "channels": (30, 100, 300, 1_000, 5_000),
    "people": (2, 8, 30, 64, 200),
    "modalities": (1, 2, 5, 10),
    "labels": (100, 1_000, 10_000),
    "draws": (250, 1_000, 4_000, 16_000),
}
"""Sizes of every axis; the other axes stay where ``Size`` has them."""
REHEARSALS = 16
SHORTEST = 0.1
"""Processor seconds below which a slope says nothing."""
LIMIT = 1_200
"""Seconds by the clock after which a study is given up."""
ONE_THREAD = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
"""Threads of a matrix product that wait for each other on a busy machine count as work."""
PASS = (1_000_000, 10_000_000)
"""Samples of the streamed pass."""


@dataclass(frozen=True)
class Size:
    """Size of one study."""

    samples: int = 400
    """Of every person, or at most 100,000 in all where there are many people."""
    features: int = 30
    channels: int = 30
    people: int = 2
    modalities: int = 1
    labels: int = 100
    draws: int = 1_000

    @property
    def each(self) -> int:
        """Samples of one person."""
        return min(self.samples, max(100_000 // self.people, 50)) if self.people > 2 else self.samples


def tables(size: Size) -> dict[str, Any]:
    """Return the tables of a linear study with two latents, for ``Study.from_frames``."""
    rng = np.random.default_rng(0)
    count = size.labels + size.each
    names = np.array([f"s{i:07d}" for i in range(count)])
    features = rng.standard_normal((count, size.features))
    maps = rng.standard_normal((size.features, 2)) / np.sqrt(size.features)
    label = features[: size.labels] @ maps @ [0.7, 0.5] + 0.7 * rng.standard_normal(size.labels)
    recordings: dict[str, pd.DataFrame] = {}
    for modality in range(size.modalities):
        parts: list[pd.DataFrame] = []
        for person in range(size.people):
            weights = rng.standard_normal((2, size.channels))
            values = features[size.labels :] @ maps @ weights + 2.0 * rng.standard_normal((size.each, size.channels))
            frame = pd.DataFrame(values, columns=[f"c{i}" for i in range(size.channels)])
            frame.insert(0, "stimulus", names[size.labels :])
            frame.insert(0, "subject", f"p{person:03d}")
            parts.append(frame)
        recordings[f"m{modality}"] = pd.concat(parts, ignore_index=True)
    stimuli = pd.DataFrame(features, columns=[f"f{i}" for i in range(size.features)])
    stimuli.insert(0, "stimulus", names)
    price = {"per_session": 300.0, "samples_per_session": 300, "setup": 1_000.0}
    return {
        "stimuli": stimuli,
        "labels": pd.DataFrame({"stimulus": names[: size.labels], "label": label}),
        "recordings": recordings,
        "task": {"kind": "regression", "cost_per_label": 2.0},
        "modalities": [{"name": name, "cost": price} for name in recordings],
        "budget": {"total": 20_000.0},
    }


def spent(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return processor seconds of all threads, and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def once(size: Size, given: Mapping[str, Any]) -> dict[str, float]:
    """Return the processor seconds of every station."""
    found: dict[str, float] = {}
    found["read"], study = spent(lambda: bw.Study.from_frames(**given))
    fit, posterior = spent(lambda: study.fit(seed=1))
    part = posterior.fitted.seconds["statistics"] / sum(posterior.fitted.seconds.values())
    found |= {"statistics": fit * part, "posterior": fit * (1.0 - part), "fit": fit}
    if size.draws != Size.draws:
        kept = np.arange(size.draws) % Size.draws
        draws = jax.tree.map(lambda value: value[kept], posterior.fitted.draws)
        posterior = dataclasses.replace(posterior, fitted=dataclasses.replace(posterior.fitted, draws=draws))
    found["plan"], _ = spent(lambda: posterior.plan(rehearsals=0, force=True))
    both, _ = spent(lambda: posterior.plan(rehearsals=REHEARSALS, force=True))
    found["rehearsals"] = max(both - found["plan"], 0.0)
    return found


def point(size: Size) -> dict[str, float]:
    """Return what the second run of a study costs, and the first run of its fit."""
    given = tables(size)
    first = once(size, given)
    again = once(size, given)
    again["fit, first"] = first["fit"]
    return again | {"gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


class Repeated:
    """Rows that repeat: as many as one likes, of a block that is in memory."""

    def __init__(self, rows: int, columns: int, seed: int, block: int = 20_000) -> None:
        self.block = np.random.default_rng(seed).standard_normal((block, columns), dtype=np.float32)
        self.shape, self.dtype = (rows, columns), self.block.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Return some rows."""
        return self.block[np.arange(*rows.indices(self.shape[0])) % len(self.block)]


def streamed_pass(rows: int) -> dict[str, float]:
    """Return what the pass over so many samples of 100 features and 100 channels costs."""
    fold = (np.arange(rows) // 50) % 5
    data = LargeRecording.of(Repeated(rows, 100, 0), Repeated(rows, 100, 1), fold)
    seconds, _ = spent(lambda: stream_moments(data, Pass(threads=1)))
    return {"pass": seconds, "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def in_its_process(arguments: list[str]) -> dict[str, float] | str:
    """Return what a point costs, from a process of its own, or why there is no result."""
    command = [sys.executable, __file__, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT, env=ONE_THREAD)
    except subprocess.TimeoutExpired:
        return f"given up after {LIMIT:,} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"])[-1][:160]
    return json.loads(done.stdout.strip().splitlines()[-1])


def slope(sizes: list[int], costs: list[float]) -> float:
    """Return the slope of the last three costs on logarithmic axes; NaN where there are fewer than two that can be measured."""
    seen = [(size, cost) for size, cost in zip(sizes, costs, strict=True) if cost >= SHORTEST][-3:]
    if len(seen) < 2:
        return np.nan
    x, y = np.log(np.array(seen)).T
    return float(np.polyfit(x, y, 1)[0])


def axis_table(axis: str) -> list[str]:
    """Return the table of one axis: costs by size, slopes, and ten times the largest size."""
    rows = [
        f"| {axis} | {' | '.join(STATIONS)} | fit, first | memory, GB |",
        "|" + "---|" * (len(STATIONS) + 3),
    ]
    found: list[tuple[int, dict[str, float]]] = []
    for size in AXES[axis]:
        cost = in_its_process(["--point", axis, str(size)])
        if isinstance(cost, str):
            rows.append(f"| {size:,} | {cost} |" + " |" * (len(STATIONS) + 1))
        else:
            found.append((size, cost))
            cells = " | ".join(f"{cost[name]:.2f}" for name in (*STATIONS, "fit, first", "gigabytes"))
            rows.append(f"| {size:,} | {cells} |")
        print(rows[-1], flush=True)
    if not found:
        return rows
    sizes, (largest, last) = [size for size, _ in found], found[-1]
    slopes = {name: slope(sizes, [cost[name] for _, cost in found]) for name in STATIONS}
    shown = " | ".join("" if np.isnan(value) else f"{value:.1f}" for value in slopes.values())
    then = " | ".join(
        "" if np.isnan(value) else f"{last[name] * 10.0 ** max(value, 0.0):,.1f}" for name, value in slopes.items()
    )
    return [*rows, f"| slope | {shown} | | |", f"| {10 * largest:,} by the slope | {then} | | |"]


def pass_table() -> list[str]:
    """Return the table of the streamed pass."""
    rows = ["| samples of the pass | processor s | memory, GB |", "|---|---|---|"]
    for size in PASS:
        cost = in_its_process(["--pass", str(size)])
        cells = f"{cost['pass']:.1f} | {cost['gigabytes']:.2f}" if not isinstance(cost, str) else f"{cost} | "
        rows.append(f"| {size:,} | {cells} |")
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure all axes and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axes", nargs="+", choices=list(AXES), help="only these; nothing is written")
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--pass", dest="rows", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.point:
        use_compilation_cache()
        print(json.dumps(point(dataclasses.replace(Size(), **{given.point[0]: int(given.point[1])}))))
        return
    if given.rows:
        print(json.dumps(streamed_pass(given.rows)))
        return
    text = ["# What stations cost against the size of a study", ""]
    text += [
        "Written by `uv run python tests/benchmarks/bench_scale.py`, which says what is measured; processor seconds.",
        "",
    ]
    for axis in given.axes or AXES:
        text += [*axis_table(axis), ""]
    if not given.axes:
        text += [*pass_table(), ""]
        text.append(f"{os.cpu_count()} cores; load of the machine at the end {os.getloadavg()[0]:.1f}.")
        (Path(__file__).parent / "results" / "scale.md").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
