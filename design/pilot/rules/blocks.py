"""Blocks of features that the study names: which feature belongs to which.

In: the features' names and the blocks with their patterns. Out: a code for every feature. Errors: a pattern that fits no feature,
a feature in two blocks, two blocks of one name, a single block of everything; each is a ``BadInput``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from jaxtyping import Int

from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list

REST = "other features"
"""Name of the block of features that are in no block."""


@dataclass(frozen=True)
class FeatureBlock:
    """Features that belong together."""

    name: str
    """Name."""
    columns: tuple[str, ...]
    """Names of features; * stands for any characters."""


def block_codes(
    columns: Sequence[str], blocks: Sequence[FeatureBlock], source: str
) -> tuple[Int[np.ndarray, " feature"] | None, tuple[str, ...]]:
    """Return the block of every feature, from 0, and the blocks' names; ``None`` and no names without blocks.

    Parameters
    ----------
    columns : sequence of str
        Names of the features.
    blocks : sequence of FeatureBlock
        Blocks; features of no block are one more block, the last one.
    source : str
        Table of the stimuli, for messages.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    if not blocks:
        return None, ()
    names = [block.name for block in blocks]
    twice = [name for i, name in enumerate(names) if name in names[:i] or name == REST]
    if twice:
        wrong = (
            f"the name {quoted(twice[0])} is taken" if twice[0] == REST else f"two blocks are called {quoted(twice[0])}"
        )
        raise problem("stimuli > block", "name", wrong, "Give every block a name of its own.")
    code = np.full(len(columns), -1, dtype=np.int64)
    for number, block in enumerate(blocks):
        for pattern in block.columns:
            fits = np.array([fnmatchcase(name, _literal(pattern)) for name in columns], dtype=bool)
            if not fits.any():
                hint = did_you_mean(pattern, columns)
                right = f"Its features are {quoted_list(columns)}; * stands for any characters.{hint}"
                raise problem(
                    "stimuli > block", quoted(block.name), f"{quoted(pattern)} is no feature of {source}", right
                )
            taken = np.flatnonzero(fits & (code >= 0) & (code != number))
            if taken.size:
                first, other = columns[int(taken[0])], names[int(code[taken[0]])]
                raise problem(
                    "stimuli > block",
                    quoted(block.name),
                    f"the feature {quoted(first)} is in the block {quoted(other)} too",
                    "A feature belongs to one block.",
                )
            code[fits] = number
    rest = code < 0
    code[rest] = len(blocks)
    names += [REST] if rest.any() else []
    if len(names) == 1:
        right = "Name at least two blocks, or leave some features out of it."
        raise problem("stimuli > block", quoted(names[0]), "it holds every feature", right)
    return code, tuple(names)


def _literal(pattern: str) -> str:
    """Return a pattern in which only * is special."""
    return pattern.replace("[", "[[]").replace("?", "[?]")
