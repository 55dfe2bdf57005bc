"""A kernel as the features of a study: a Gram matrix over its stimuli, turned into columns of features.

In: ``Gram`` and the table of the stimuli. Out: the table with the kernel's features beside its own columns. A matrix that is not
positive semi-definite beyond rounding, or that lacks a stimulus, is a ``BadInput``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.common.messages import did_you_mean, problem, quoted
from brainworth.design.pilot.gram import ROUNDING, Gram
from brainworth.design.pilot.rules.blocks import REST, FeatureBlock, block_codes
from brainworth.design.pilot.tables.tables import Table, text_of

if TYPE_CHECKING:
    from brainworth.models.pilot.kernel import KernelMap

WITHIN = 0.9
"""Share of a new stimulus that the study's stimuli must span for forecasts to hold (``case_studies/theory``)."""
BLOCK = "kernel"
"""Name of the block of the kernel's features."""


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
