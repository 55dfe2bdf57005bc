"""A kernel as the features of a study: a Gram matrix over its stimuli, read, checked, and turned into columns of features.

In: an npz file with the arrays ``stimulus`` (ids) and ``gram``, optionally ``group``; or a data frame, or ids and matrix, in
memory. Out: ``Gram``; the table of the stimuli with the kernel's features beside its own columns. What can go wrong: a matrix that
is not square, not symmetric or not positive semi-definite beyond rounding, values that are not finite, ids that are missing, double
or unknown; each is a ``BadInput``. No pickle is ever loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import did_you_mean, listed, one_line, problem, quoted
from brainworth.design.pilot.rules.blocks import REST, FeatureBlock, block_codes
from brainworth.design.pilot.rules.identity import is_missing
from brainworth.design.pilot.tables.files import opened_npz
from brainworth.design.pilot.tables.tables import Table, text_of

if TYPE_CHECKING:
    from brainworth.models.pilot.kernel import KernelMap

MAX_STIMULI = 3000
"""Most stimuli of a Gram matrix: its eigenvectors, which are needed eleven times, take some minutes then."""
_MAX_BYTES = 16 * MAX_STIMULI**2
ROUNDING = 1e-6
"""Asymmetry in units of the largest entry, and negative eigenvalues in units of the largest one, that count as rounding."""
WITHIN = 0.9
"""Share of a new stimulus that the study's stimuli must span for forecasts to hold (``case_studies/theory``)."""
BLOCK = "kernel"
"""Name of the block of the kernel's features."""
_FORM = "Save it by numpy.savez(file, stimulus=ids, gram=K), K a matrix of kernel values between all pairs of stimuli."


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


@dataclass(frozen=True)
class Described:
    """The stimuli with all their features."""

    table: Table
    """With the kernel's features as its last columns."""
    block: Int[np.ndarray, " feature"] | None
    """Block of each feature; none if there is only one."""
    blocks: tuple[str, ...]
    """Names of the blocks."""
    kernel: Float[np.ndarray, " feature"] | None = None
    """As ``Pilot.kernel``."""
    map: KernelMap | None = None
    """How new stimuli get them."""
    remarks: tuple[str, ...] = ()
    """What the features hold of the kernel."""


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
            right = f"There are {listed(names)}. {_FORM}"
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


def _of_stimuli(gram: Gram, table: Table) -> np.ndarray:
    """Return the Gram matrix of the stimuli of a table, in its order."""
    place = {name: row for row, name in enumerate(gram.stimulus)}
    ids = table.keys["stimulus"].tolist()
    lacking = [name for name in ids if name not in place]
    if lacking:
        many = f" ({len(lacking)} such stimuli in all)" if len(lacking) > 1 else ""
        right = f"The kernel needs a row for every stimulus of the table.{did_you_mean(lacking[0], place)}"
        wrong = f"the stimulus {quoted(lacking[0])} of {table.source} is not in it{many}"
        raise problem(gram.source, "array 'stimulus'", wrong, right)
    rows = [place[name] for name in ids]
    values = gram.values[np.ix_(rows, rows)]
    _require_semidefinite(values, gram.source)
    return values


def _require_semidefinite(values: np.ndarray, source: str) -> None:
    spectrum = np.linalg.eigvalsh(values)
    if spectrum[0] < -ROUNDING * max(abs(spectrum[-1]), 1e-300):
        wrong = (
            f"it is no kernel: it has the eigenvalue {spectrum[0]:.3g}, where the largest is {spectrum[-1]:.3g}, and a kernel has "
            "none below 0"
        )
        right = "Give inner products or a positive definite kernel; of distances d, e.g. exp(-d**2 / (2 * scale**2))."
        raise problem(source, "array 'gram'", wrong, right)


def described(table: Table, gram: Gram | None, blocks: Sequence[FeatureBlock]) -> Described:
    """Return the stimuli of a study with the features of its kernel beside their own, and the block of each feature.

    Parameters
    ----------
    table : Table
        The stimuli, after they were prepared; without columns only if there is a kernel.
    gram : Gram, optional
        The kernel.
    blocks : sequence of FeatureBlock
        Blocks that the study names, of the table's own columns.

    Raises
    ------
    BadInput
        A stimulus is not in the Gram matrix, the matrix is no kernel or does not vary, or a block is wrong.
    """
    code, titles = block_codes(table.columns, blocks, table.source)
    if gram is None:
        return Described(table, code, titles)
    from brainworth.models.pilot.kernel import kernel_features  # scikit-learn, which reading other studies never needs

    try:
        found = kernel_features(_of_stimuli(gram, table))
    except ValueError:
        right = "Check how it was computed; stimuli must differ from each other."
        raise problem(gram.source, "array 'gram'", "the kernel is the same for all pairs of stimuli", right) from None
    own, made = len(table.columns), found.values.shape[1]
    names = tuple(f"kernel_{i + 1}" for i in range(made))
    taken = [name for name in (*names, BLOCK) if name in table.columns or name in titles]
    if taken:
        raise problem(
            table.source, "", f"the name {quoted(taken[0])} is taken by the kernel", "Call it something else."
        )
    whole = replace(table, columns=(*table.columns, *names), values=np.hstack([table.values, found.values]))
    if own:
        code = np.zeros(own, dtype=np.int64) if code is None else code
        code = np.concatenate([code, np.full(made, int(code.max()) + 1)])
        titles = (*(titles or (REST,)), BLOCK)
    variance = np.concatenate([np.full(own, np.nan), found.variance])
    remark = said(gram.source, len(table), made, found.kept, found.within)
    return Described(whole, code, titles, variance, found.map, (remark,))


def said(source: str, stimuli: int, features: int, kept: float, within: float) -> str:
    """Return what a user must know of the features of a kernel."""
    text = (
        f"{source}: {features} features hold {kept:.1%} of the kernel's variance over {stimuli} stimuli. Of the variance of a new "
        f"stimulus, which is none of them, {within:.0%} lies within what they span."
    )
    if within >= WITHIN:
        return text
    return (
        f"{text} That is little: the kernel finds these stimuli hardly alike, and what a plan promises holds for the part that they"
        " span. Give more stimuli (they need neither labels nor recordings) or a wider kernel."
    )


def features_of_new(
    kernel: Any, stimuli: Sequence[str], kernel_map: KernelMap | None
) -> Float[np.ndarray, "new feature"]:
    """Return the kernel's features of new stimuli, given their kernel with the study's.

    Parameters
    ----------
    kernel : array-like or DataFrame, shape (new, stimulus)
        One column per stimulus of the study, in its order; the columns of a data frame are ids, in any order.
    stimuli : sequence of str
        Ids of the study's stimuli.
    kernel_map : KernelMap, optional
        The study's; none if it has no kernel.

    Raises
    ------
    BadInput
        The study has no kernel, or the matrix does not fit it.
    """
    if kernel_map is None:
        raise problem("kernel_features", "", "the study has no kernel", "Its features are the columns of its table.")
    given: Any = kernel
    if hasattr(given, "columns"):
        columns = {text_of(name): place for place, name in enumerate(given.columns.tolist())}
        lacking = [name for name in stimuli if name not in columns]
        if lacking:
            right = "Every stimulus of the study needs a column with its id."
            raise problem("kernel_features", "", f"there is no column {quoted(lacking[0])}", right)
        given = given.to_numpy()[:, [columns[name] for name in stimuli]]
    values = np.asarray(given, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(stimuli):
        right = f"Give one row per new stimulus and {len(stimuli)} columns, the study's stimuli in its order."
        raise problem("kernel_features", "", f"the shape of the kernel is {values.shape}", right)
    if not np.isfinite(values).all():
        raise problem("kernel_features", "", "a value is not finite", "Every pair of stimuli needs a finite number.")
    return kernel_map.features(values)
