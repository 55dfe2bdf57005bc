"""Kernels and networks: the formula against scikit-learn's kernel ridge, networks trained with JAX, and a study's new stimuli.

Run it with ``uv run python case_studies/theory/kernels.py`` (some minutes; ``--quick`` takes half a minute). In: the data set
``glove50_subset`` (fetched, or copied from the folder that BRAINWORTH_DATA names). Out: ``results/kernels.csv`` and
``results/kernels.md``. Spectrum and power of a task come from a pool of stimuli; labels and test stimuli
are others. Kernel ridge has no intercept, and the formula none either. Every task has unit variance, its labels noise of variance
.25.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.kernel_ridge import KernelRidge
from tables import markdown

from brainworth.design.pilot.datasets import fetch
from brainworth.models.theory.kernel_ridge import best_kernel_ridge, kernel_ridge_risk, kernel_spectrum
from brainworth.models.theory.system import Spectrum

Matrix = NDArray[np.float64]
Kernel = Callable[[Matrix, Matrix], Matrix]
Task = Callable[[Matrix], Matrix]

NOISE = 0.25
LABELS = (50, 150, 300)
PENALTIES = {"best": None, "large": 0.3, "small": 0.003}
"""In units of the kernel's mean k(x, x); the best one is that of the formula."""
TEST = 800


@dataclass(frozen=True)
class Effort:
    """How much is run."""

    pool: int
    draws: int
    labels: tuple[int, ...]


FULL, QUICK = Effort(1200, 40, LABELS), Effort(600, 12, (50,))


def tangent(x: Matrix, y: Matrix) -> Matrix:
    """Return the tangent kernel of a wide network of one hidden layer of rectifiers, without biases."""
    length = np.sqrt(np.outer(np.sum(x**2, axis=1), np.sum(y**2, axis=1)))
    cosine = np.clip(x @ y.T / np.maximum(length, 1e-300), -1.0, 1.0)
    angle = np.pi - np.arccos(cosine)
    both = (2.0 * cosine * angle + np.sqrt(1.0 - cosine**2)) / np.pi
    return length / x.shape[1] * both


def _of(kernel: RBF | Matern) -> Kernel:
    return lambda x, y: np.asarray(kernel(x, y))


KERNELS: dict[str, Callable[[float], Kernel]] = {
    "RBF": lambda width: _of(RBF(width)),
    "Matern 3/2": lambda width: _of(Matern(width, nu=1.5)),
    "Laplace": lambda width: _of(Matern(2.0 * width, nu=0.5)),
    "tangent kernel": lambda _: tangent,
}


@dataclass(frozen=True)
class Inputs:
    """A population of stimuli."""

    name: str
    pool: Matrix
    """From which the spectrum is known."""
    others: Callable[[np.random.Generator, int], Matrix]
    """Labelled and test stimuli."""
    width: float
    """Length scale of the kernels: a typical distance between stimuli, divided by the square root of 2."""
    tasks: dict[str, Task]


def teachers(rng: np.random.Generator, d: int) -> dict[str, Task]:
    """Return a smooth and a rough task of inputs of length about sqrt(d)."""
    a, b, c = (rng.standard_normal(d) / np.sqrt(d) for _ in range(3))
    ridges = rng.standard_normal((d, 4)) / np.sqrt(d)
    return {
        "smooth": lambda x: x @ a + 0.7 * (x @ b) * (x @ c),
        "rough": lambda x: np.abs(x @ ridges).sum(axis=1) + np.sign(x @ a),
    }


def populations(effort: Effort, words: pd.DataFrame | None) -> Iterator[Inputs]:
    """Yield Gaussian inputs, uniform ones on a sphere, and word vectors."""
    rng, d = np.random.default_rng(7), 10

    def gaussian(rng: np.random.Generator, n: int) -> Matrix:
        return rng.standard_normal((n, d))

    def sphere(rng: np.random.Generator, n: int) -> Matrix:
        x = rng.standard_normal((n, d))
        return np.sqrt(d) * x / np.linalg.norm(x, axis=1, keepdims=True)

    for name, draw in (("Gaussian", gaussian), ("sphere", sphere)):
        yield Inputs(name, draw(rng, effort.pool), draw, np.sqrt(d), teachers(rng, d))
    if words is not None:
        yield embeddings(words, effort)


def embeddings(words: pd.DataFrame, effort: Effort) -> Inputs:
    """Return word vectors: half of the words are the pool; one of the tasks is no teacher's: the number of letters."""
    rng = np.random.default_rng(11)
    vectors = words.filter(like="glove_").to_numpy(float)
    vectors = vectors - vectors.mean(axis=0)
    vectors *= np.sqrt(vectors.shape[1] / np.mean(np.sum(vectors**2, axis=1)))
    order = rng.permutation(len(words))
    cut = min(effort.pool, len(words) // 2)
    known, rest = order[:cut], order[cut:]
    place = {vectors[row].tobytes(): row for row in range(len(words))}
    letters = words["letters"].to_numpy(float)

    def others(rng: np.random.Generator, n: int) -> Matrix:
        return vectors[rng.choice(rest, min(n, len(rest)), replace=False)]

    def counted(x: Matrix) -> Matrix:
        return letters[[place[row.tobytes()] for row in x]]

    tasks = {**teachers(rng, vectors.shape[1]), "number of letters": counted}
    return Inputs("word vectors", vectors[known], others, np.sqrt(vectors.shape[1]), tasks)


def load_words() -> pd.DataFrame:
    """Return vector and length of words."""
    archive = np.load(fetch("glove50_subset") / "glove50_subset.npz", allow_pickle=False)
    vectors = pd.DataFrame(archive["vectors"].astype(float), index=archive["words"]).add_prefix("glove_")
    return vectors.assign(letters=[float(len(word)) for word in archive["words"].tolist()])


RISK, BEST = jax.jit(kernel_ridge_risk), jax.jit(best_kernel_ridge)


def padded(spectrum: Spectrum, power: jax.Array, size: int) -> tuple[Spectrum, jax.Array]:
    """Return a spectrum of ``size`` nodes, the last ones empty: one compiled program does for all."""
    more = max(size - spectrum.count.size, 0)
    variance = jnp.pad(spectrum.variance, (0, more), mode="edge")
    return Spectrum(variance, jnp.pad(spectrum.count, (0, more))), jnp.pad(power, (0, more))


def kernel_rows(inputs: Inputs, name: str, effort: Effort) -> list[dict[str, str | float]]:
    """Return formula and execution for every task, number of labels and penalty."""
    kernel = KERNELS[name](inputs.width)
    gram = kernel(inputs.pool, inputs.pool)
    unit = float(np.trace(gram)) / len(gram)
    mean = {task: float(np.mean(f(inputs.pool))) for task, f in inputs.tasks.items()}
    spread = {task: float(np.std(f(inputs.pool))) for task, f in inputs.tasks.items()}
    rows: list[dict[str, str | float]] = []
    known: dict[str, tuple[Spectrum, jax.Array]] = {}
    for task, f in inputs.tasks.items():
        truth = (f(inputs.pool) - mean[task]) / spread[task]
        known[task] = padded(*kernel_spectrum(gram, truth, centre=False), effort.pool)
    for n in effort.labels:
        ask = {
            (task, how): _formula(known[task], (n, len(gram)), None if size is None else size * unit)
            for task in inputs.tasks
            for how, size in PENALTIES.items()
        }
        found: dict[tuple[str, str], list[float]] = {key: [] for key in ask}
        for seed in range(effort.draws):
            rng = np.random.default_rng([seed, n])
            x = inputs.others(rng, n + TEST)
            train, cross = kernel(x[:n], x[:n]), kernel(x[n:], x[:n])
            for (task, how), (penalty, *_) in ask.items():
                truth = (inputs.tasks[task](x) - mean[task]) / spread[task]
                label = truth[:n] + np.sqrt(NOISE) * np.random.default_rng([seed, n, 1]).standard_normal(n)
                fitted = KernelRidge(alpha=penalty, kernel="precomputed").fit(train, label)  # pyright: ignore[reportArgumentType]
                found[task, how].append(float(np.mean((fitted.predict(cross) - truth[n:]) ** 2)))
        for (task, how), values in found.items():
            error = float(np.std(values, ddof=1) / np.sqrt(len(values)))
            cells = {"inputs": inputs.name, "kernel": name, "task": task, "n": n, "penalty": how}
            rows.append(
                {
                    **cells,
                    "mc": float(np.mean(values)),
                    "se": error,
                    "formula": ask[task, how][1],
                    "plain": ask[task, how][2],
                }
            )
    return rows


def _formula(
    known: tuple[Spectrum, jax.Array], numbers: tuple[int, int], penalty: float | None
) -> tuple[float, float, float]:
    """Return the penalty that is used, the excess risk, and what it would be were the pool all stimuli that there are."""
    noise, n, stimuli = jnp.asarray(NOISE), jnp.asarray(float(numbers[0])), jnp.asarray(float(numbers[1]))
    used = jnp.maximum(BEST(*known, noise, n, stimuli)[0], 1e-9) if penalty is None else jnp.asarray(penalty)
    risk, plain = (float(RISK(*known, noise, n, used, size)) for size in (stimuli, jnp.asarray(jnp.inf)))
    return float(used), risk, plain


def summaries(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Return the deviation by inputs and kernel, and over everything."""
    mc = frame["mc"].to_numpy()
    signed = frame["formula"].to_numpy() / mc - 1.0
    plain = frame["plain"].to_numpy() / mc - 1.0
    size, error = np.abs(signed), frame["se"].to_numpy() / mc
    lines: list[dict[str, str]] = []
    columns = {name: frame[name].to_numpy() for name in ("inputs", "kernel", "task", "n", "penalty")}
    keys = dict.fromkeys(zip(columns["inputs"].tolist(), columns["kernel"].tolist(), strict=True))
    groups = [(a, b, (columns["inputs"] == a) & (columns["kernel"] == b)) for a, b in keys]
    groups += [("all", f"{how} penalty", columns["penalty"] == how) for how in PENALTIES]
    for inputs, kernel, chosen in [*groups, ("all", "all", mc > 0)]:
        rows = np.flatnonzero(chosen)
        worst = rows[size[rows].argmax()]
        where = f"{columns['task'][worst]}, n = {columns['n'][worst]}, {columns['penalty'][worst]} penalty"
        lines.append(
            {
                "inputs": inputs,
                "kernel": kernel,
                "rows": str(rows.size),
                "median deviation": f"{100 * np.median(size[rows]):.1f} %",
                "the pool taken for all": f"{100 * np.median(np.abs(plain[rows])):.1f} %",
                "mean deviation, signed": f"{100 * np.mean(signed[rows]):+.1f} %",
                "median standard error": f"{100 * np.median(error[rows]):.1f} %",
                "90 % quantile": f"{100 * np.quantile(size[rows], 0.9):.1f} %",
                "worst": f"{100 * signed[worst]:+.0f} % ({where})",
            }
        )
    return lines


def write(out: Path, *, quick: bool) -> None:
    """Run and write all tables."""
    from lazy import network_rows
    from spanned import span_rows

    effort, start = QUICK if quick else FULL, time.perf_counter()
    words = None if quick else load_words()
    rows: list[dict[str, str | float]] = []
    for inputs in populations(effort, words):
        for name in KERNELS:
            rows += kernel_rows(inputs, name, effort)
            print(f"{inputs.name}, {name}: {time.perf_counter() - start:.0f} s", flush=True)
    pd.DataFrame(rows).to_csv(out / "kernels.csv", index=False, float_format="%.5g")
    frame = pd.read_csv(out / "kernels.csv")  # the page is that of the rounded numbers, which are kept
    networks = network_rows(quick=quick)
    print(f"networks: {time.perf_counter() - start:.0f} s", flush=True)
    spans = span_rows(words, quick=quick)
    print(f"new stimuli: {time.perf_counter() - start:.0f} s", flush=True)
    write_tables(frame, networks, spans, out / "kernels.md")


def write_tables(frame: pd.DataFrame, networks: list[dict[str, str]], spans: list[dict[str, str]], path: Path) -> None:
    """Write the page."""
    text = [
        "# Kernels and networks\n",
        "## Kernel ridge regression\n",
        "Excess risk of scikit-learn's KernelRidge against the formula: 40 draws of labels a row, every row in `kernels.csv`.\n",
        markdown(summaries(frame)),
        "## Networks of one hidden layer\n",
        "Trained to the end with a penalty on the distance from where they began. Scale: factor of the output; large is lazy. The "
        "forecast is that of the tangent kernel of an endlessly wide network.\n",
        markdown(networks),
        "## New stimuli of a study whose features are a kernel\n",
        "Features from the stimuli of the study; labels and test stimuli are new. In brackets the deviation of each forecast, by "
        "where the variances come from. The first two ignore that new stimuli are others.\n",
        markdown(spans),
    ]
    path.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few draws, no word vectors")
    options = parser.parse_args()
    target = Path("out/theory") if options.quick else Path(__file__).parent / "results"
    target.mkdir(parents=True, exist_ok=True)
    write(target, quick=options.quick)
