"""Stored programs give what the function gives, are traced once for all processes, and never belong to something else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.programs import Program, keep_programs_in, program, programs_kept_in
from brainworth.models.theory.system import Spectrum


@dataclass
class Shelf:
    """A store in memory."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def read(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def write(self, name: str, content: bytes) -> None:
        self.kept[name] = content


@dataclass(eq=False)
class Counted:
    """A function that counts how often it is traced."""

    traced: int = 0

    def __call__(self, spectrum: Spectrum, matrix: jax.Array, count: jax.Array) -> dict[str, jax.Array]:
        self.traced += 1
        found = jnp.linalg.cholesky(matrix @ matrix.T + jnp.diag(spectrum.variance))
        total = jax.lax.while_loop(lambda x: x[0] < count, lambda x: (x[0] + 1, 1.1 * x[1]), (0, found.sum()))[1]
        return {"root": found, "total": total}


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    before = programs_kept_in()
    made = Shelf()
    keep_programs_in(made)
    yield made
    keep_programs_in(before)


def arguments(size: int = 5, count: int = 7) -> tuple[Spectrum, np.ndarray, np.ndarray]:
    matrix = np.random.default_rng(size).standard_normal((size, size))
    return Spectrum.power_law(size, 1.0), matrix, np.asarray(count)


def test_another_process_reads_what_one_has_traced(shelf: Shelf) -> None:
    """A new ``Program`` stands for the other process: it knows nothing but the store."""
    function = Counted()
    plain = jax.jit(function)(*arguments())
    first = Program(function, "counted")(*arguments())
    before = function.traced
    second = Program(function, "counted")
    found = second(*arguments())
    second(*arguments(count=3))
    assert function.traced == before == 2
    assert len(shelf.kept) == 1
    for name, value in plain.items():
        assert np.array_equal(value, first[name])
        assert np.array_equal(value, found[name])


def test_without_a_store_it_is_compiled_as_usual(shelf: Shelf) -> None:
    keep_programs_in(None)
    function = Counted()
    run = Program(function, "counted")
    run(*arguments())
    run(*arguments(count=2))
    assert (function.traced, run.shapes(), shelf.kept) == (1, 1, {})


def test_programs_of_other_things_have_other_names(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes, types, structure, what the name says, the source of the package: each makes it another program."""
    function = Counted()
    spectrum, matrix, count = arguments()
    Program(function, "counted")(spectrum, matrix, count)
    Program(function, "counted")(*arguments(6))
    Program(function, "counted")(spectrum, matrix.astype(np.float32), count)
    Program(function, "counted")(replace(spectrum, count=np.ones(5, dtype=np.float32)), matrix, count)
    Program(function, "counted(other options)")(spectrum, matrix, count)
    monkeypatch.setattr(program, "_made_of", lambda: b"other source")
    Program(function, "counted")(spectrum, matrix, count)
    assert function.traced == len(shelf.kept) == 6


def test_threads_trace_it_once(shelf: Shelf) -> None:
    function = Counted()
    run = Program(function, "counted")
    with ThreadPoolExecutor(4) as pool:
        totals = {float(found["total"]) for found in pool.map(lambda _: run(*arguments()), range(4))}
    assert (function.traced, len(totals)) == (1, 1)


def test_inside_another_program_it_is_the_function_itself(shelf: Shelf) -> None:
    """Where it is differentiated or mapped, nothing is stored."""
    run = Program(lambda x: jnp.sum(x**3), "cubes")
    assert np.array_equal(jax.grad(run)(jnp.arange(3.0)), [0.0, 3.0, 12.0])
    assert not shelf.kept


def test_numbers_of_python_numpy_and_jax_are_one_program(shelf: Shelf) -> None:
    """JAX itself would compile once more for numbers of Python, and for arrays made of them (its weak types)."""
    del shelf
    spectrum, matrix, _ = arguments()
    made, totals, programs = Program(Counted(), "counted"), set[float](), list[int]()
    for count in (7, np.int64(7), np.asarray(7), jnp.asarray(7)):
        totals.add(float(made(spectrum, matrix, count)["total"]))
        programs.append(made.shapes())
    assert len(totals) == 1
    assert programs == [1, 1, 1, 1]
