"""A function that JAX compiles, traced once for all processes that share a store.

In: a pure function of arrays in any nesting of dictionaries, tuples and registered records, which returns arrays in dictionaries
and tuples. Out: the same function, compiled. With a store, the traced program (StableHLO, as ``jax.export`` writes it) is read
from there, or traced and written there; without one it is ``jax.jit``. Results are the same. What is read is a program of
array operations, which JAX checks; nothing of it is executed by Python. A store returns what was written or nothing.

A program belongs to the source of this package, to the versions of the libraries it is made of, to the platform, and to types and
shapes of its arguments: its name in the store is their hash.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import jax
import numpy as np
from jax import export
from jax.core import Tracer

_PACKAGE = Path(__file__).parents[1]
_LIBRARIES = ("jax", "jaxlib", "numpyro", "numpy")
_FLAGS = ("XLA_FLAGS", "JAX_ENABLE_X64", "JAX_DEFAULT_MATMUL_PRECISION")
"""Settings from outside that may change a program."""


class Store(Protocol):
    """Where traced programs are kept; a cache that may be emptied at any time."""

    def read(self, name: str) -> bytes | None:
        """Return what was kept under a name; None if nothing was, or if it is damaged."""

    def write(self, name: str, content: bytes) -> None:
        """Keep content under a name; a store that cannot does nothing."""


_stores: list[Store] = []


def keep_programs_in(store: Store | None) -> None:
    """Let all programs of this process use a store from now on; None for none."""
    _stores[:] = [] if store is None else [store]


def programs_kept_in() -> Store | None:
    """Return the store that programs of this process use; None if they use none."""
    return _stores[0] if _stores else None


AnyArray = jax.Array | np.ndarray


def _as_array(leaf: Any) -> AnyArray:
    """Return an argument as an array. NumPy's are left to the compiled function: ``jnp.asarray`` takes longer than a small program.

    What JAX calls weakly typed, numbers of Python and arrays made of them, would be compiled for once more.
    """
    return leaf if isinstance(leaf, jax.Array) and not leaf.weak_type else np.asarray(leaf)


@cache
def _made_of() -> bytes:
    """Return what every program depends on: the source of the models, library versions, settings."""
    found = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        found.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for library in _LIBRARIES:
        found.update(f"{library} {version(library)}\n".encode())
    for flag in _FLAGS:
        found.update(f"{flag}={os.environ.get(flag, '')}\n".encode())
    return found.digest()


class Program:
    """A compiled function; call it as the function itself, with positional arguments.

    Parameters
    ----------
    function : callable
        Pure; see the module.
    name : str
        Of the function and of everything that it was made with and that is not an argument (options, numbers of latents).
    options : dict, optional
        Options of the compiler.
    """

    def __init__(
        self, function: Callable[..., Any], name: str, options: dict[str, bool | int | str] | None = None
    ) -> None:
        self.function = function
        self.name = name
        self._compile: Callable[..., Any] = lambda run: jax.jit(run, compiler_options=options)
        self._plain = self._compile(function)
        self._ready: dict[Any, Any] = {}
        self._one_at_a_time = Lock()

    def __call__(self, *arguments: Any) -> Any:
        """Return what the function returns."""
        leaves, tree = jax.tree.flatten(arguments)
        if not _stores or any(isinstance(leaf, Tracer) for leaf in leaves):
            return self._plain(*arguments)
        arrays = [_as_array(leaf) for leaf in leaves]
        key = (tree, tuple((array.shape, array.dtype) for array in arrays))
        with self._one_at_a_time:
            ready = self._ready.get(key)
            if ready is None:
                ready = self._ready[key] = self._compile(self._traced(tree, arrays).call)
        return ready(*arrays)

    def shapes(self) -> int:
        """Return how many different kinds of arguments this process has compiled the function for."""
        return sum(ready._cache_size() for ready in (self._plain, *self._ready.values()))

    def _traced(self, tree: Any, arrays: list[AnyArray]) -> export.Exported:
        """Return the program for arguments like these, from the store if it is there."""
        store, name = _stores[0], self._name(tree, arrays)
        kept = store.read(name)
        if kept is not None:
            return export.deserialize(bytearray(kept))

        def flat(*leaves: jax.Array) -> Any:
            return self.function(*jax.tree.unflatten(tree, leaves))

        flat.__name__ = self.name.split("(")[0]
        found = export.export(jax.jit(flat))(*(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays))
        store.write(name, bytes(found.serialize()))
        return found

    def _name(self, tree: Any, arrays: list[AnyArray]) -> str:
        shapes = "\n".join(f"{array.dtype}{array.shape}" for array in arrays)
        said = f"{self.name}\n{tree}\n{shapes}\n{jax.default_backend()}\n{jax.config.values['jax_enable_x64']}"
        return hashlib.sha256(_made_of() + said.encode()).hexdigest()
