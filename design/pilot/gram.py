"""The Gram matrix of a kernel over stimuli, read and checked.

In: an npz file with the arrays ``stimulus`` (ids) and ``gram``, optionally ``group``; or a data frame, or ids and matrix, in
memory. Out: ``Gram``. A matrix that is not square, not symmetric or not finite, and ids that are missing or double, are a
``BadInput``. No pickle is ever loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import one_line, problem, quoted, quoted_list
from brainworth.design.pilot.rules.identity import is_missing
from brainworth.design.pilot.tables.files import opened_npz
from brainworth.design.pilot.tables.tables import Table, text_of

MAX_STIMULI = 3000
"""Most stimuli of a Gram matrix: its eigenvectors, which are needed eleven times, take some minutes then."""
ROUNDING = 1e-6
"""Asymmetry in units of the largest entry, and negative eigenvalues in units of the largest one, that count as rounding."""
_FORM = "Save it by numpy.savez(file, stimulus=ids, gram=K), K a matrix of kernel values between all pairs of stimuli."
_MAX_BYTES = 16 * MAX_STIMULI**2


@dataclass(frozen=True)
class Gram:
    """A checked Gram matrix."""

    source: str
    """How messages call it."""
    stimulus: tuple[str, ...]
    """Id of each row and column."""
    values: Float[np.ndarray, "stimulus stimulus"]
    """Kernel of all pairs, symmetric."""
    group: tuple[str, ...] | None = None
    """Group of each stimulus, if given."""

    @property
    def digest(self) -> str:
        """A hash of ids and numbers."""
        state = hashlib.sha256("\x1f".join(self.stimulus).encode())
        state.update(np.ascontiguousarray(self.values, dtype="<f8").tobytes())
        return state.hexdigest()

    def stimuli(self) -> Table:
        """Return its stimuli as a table without features, for a study that has no other table of them."""
        keys = {"stimulus": np.array(self.stimulus, dtype=object)}
        if self.group is not None:
            keys["group"] = np.array(self.group, dtype=object)
        return Table(self.source, keys, (), np.empty((len(self.stimulus), 0)))


def gram_from_file(path: Path, source: str) -> Gram:
    """Return the Gram matrix in an npz file.

    Parameters
    ----------
    path : Path
        The file.
    source : str
        How messages call it.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    if path.suffix.lower() != ".npz":
        raise problem(source, "stimuli > kernel", f"the ending {quoted(path.suffix)} is not npz", _FORM)
    try:
        with opened_npz(path, source, _MAX_BYTES, f"At most {MAX_STIMULI} stimuli can be used.") as found:
            names = list(found.files)
            arrays = {name: np.asarray(found[name]) for name in names if name in {"stimulus", "gram", "group"}}
    except BadInput:
        raise
    except Exception as error:  # damaged archives make zipfile, zlib and numpy raise a dozen types of errors
        wrong = f"the file cannot be read as npz ({one_line(error, 200).rstrip('.')})"
        raise problem(source, "", wrong, f"{_FORM} Python objects are never loaded.") from None
    for name in ("stimulus", "gram"):
        if name not in arrays:
            right = f"There are {quoted_list(names)}. {_FORM}"
            raise problem(source, f"array {quoted(name)}", "the array is missing", right)
    return _checked(arrays["gram"], arrays["stimulus"], arrays.get("group"), source)


def gram_in_memory(value: Any, source: str = "kernel") -> Gram:
    """Return the Gram matrix of a data frame with ids in its index and columns, or of a pair (ids, matrix).

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    given: Any = value
    if hasattr(given, "index") and hasattr(given, "columns"):
        rows, columns = ([text_of(v) for v in names.tolist()] for names in (given.index, given.columns))
        if rows != columns:
            right = "Name rows (index) and columns by the ids of the stimuli, in one order."
            raise problem(source, "", "the index and the columns of the data frame differ", right)
        return _checked(given.to_numpy(), np.asarray(rows, dtype=object), None, source)
    if isinstance(given, tuple | list) and len(cast("Sequence[Any]", given)) == 2:
        return _checked(np.asarray(given[1]), np.asarray(given[0]), None, source)
    right = "Give (ids, matrix), or a data frame with the ids of the stimuli as index and columns."
    raise problem(source, "", f"got a {type(given).__name__}", right)


def _checked(gram: np.ndarray, ids: np.ndarray, group: np.ndarray | None, source: str) -> Gram:
    """Return a Gram matrix whose form, ids and values were checked; that of its eigenvalues waits for the study's stimuli."""
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1]:
        wrong = f"its shape is {gram.shape}, which is not square"
        raise problem(source, "array 'gram'", wrong, "It has one row and one column for each stimulus.")
    if gram.dtype.kind not in "fiu":
        raise problem(source, "array 'gram'", f"it is of type {gram.dtype}", "It must hold real numbers.")
    if len(gram) > MAX_STIMULI:
        right = f"At most {MAX_STIMULI} can be used; give features instead, e.g. random Fourier features."
        raise problem(source, "array 'gram'", f"it has {len(gram)} stimuli", right)
    names = tuple(text_of(value) for value in ids.reshape(-1).tolist())
    if len(names) != len(gram):
        wrong = f"there are {len(names)} ids for {len(gram)} rows of the Gram matrix"
        raise problem(source, "array 'stimulus'", wrong, "Give one id for each row.")
    _check_ids(names, source)
    groups = None if group is None else tuple(text_of(value) for value in group.reshape(-1).tolist())
    if groups is not None and (len(groups) != len(names) or not all(groups)):
        raise problem(source, "array 'group'", "not every stimulus has a group", "Give one group for each id.")
    return Gram(source, names, _symmetric(gram.astype(np.float64), names, source), groups)


def _check_ids(names: Sequence[str], source: str) -> None:
    seen: dict[str, int] = {}
    for row, name in enumerate(names):
        if is_missing(name, "stimulus"):
            raise problem(source, f"array 'stimulus', entry {row + 1}", "the id is missing", "Every row needs an id.")
        if seen.setdefault(name, row) != row:
            wrong = f"the id {quoted(name)} is already entry {seen[name] + 1}"
            raise problem(source, f"array 'stimulus', entry {row + 1}", wrong, "Every stimulus has one row.")


def _symmetric(gram: np.ndarray, names: Sequence[str], source: str) -> np.ndarray:
    """Return a finite matrix whose halves agree to rounding, averaged over both."""
    bad = np.argwhere(~np.isfinite(gram))
    if len(bad):
        row, column = (names[int(i)] for i in bad[0])
        total = f" ({len(bad)} such entries in all)" if len(bad) > 1 else ""
        wrong = f"the kernel of {quoted(row)} and {quoted(column)} is not finite{total}"
        raise problem(source, "array 'gram'", wrong, "Every pair of stimuli needs a finite number.")
    apart = np.abs(gram - gram.T)
    if len(gram) and apart.max() > ROUNDING * np.abs(gram).max():
        first, second = (int(i) for i in np.unravel_index(int(apart.argmax()), apart.shape))
        wrong = (
            f"it is not symmetric: {quoted(names[first])} with {quoted(names[second])} has {gram[first, second]:g}, "
            f"the other way round {gram[second, first]:g}"
        )
        raise problem(source, "array 'gram'", wrong, "A kernel is the same both ways.")
    return 0.5 * (gram + gram.T)
