"""What a new stimulus is: another token of types that are known (a word in another sentence), or a new type (another word).

In: the group and the type of every stimulus, what the study file says of new stimuli. Out: ``Grouping``: what folds never split,
by tokens and by types. Errors: types that chain all groups together (``BadInput``).

Tokens of a type share what the features leave out. If they are in the part that is learned from and in the part that is
predicted, held-out fit is that of new tokens. Where the laboratory's new stimuli are new types, a type must not be split
either: stimuli hang together if they have a group or a type in common, directly or by others in between (connected components).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from brainworth.design.common.messages import problem

New = Literal["tokens", "types"]
"""What new stimuli are."""


@dataclass(frozen=True)
class Grouping:
    """Groups of stimuli that are never split."""

    members: NDArray[np.object_]
    """Name of the group of each stimulus, as it is used, (stimulus,)."""
    by_tokens: NDArray[np.int64] | None = None
    """Codes of the groups for new tokens; none without types."""
    by_types: NDArray[np.int64] | None = None
    """Codes of the groups for new types; none without types."""
    kinds: NDArray[np.int64] | None = None
    """Code of each stimulus's type; none without types."""
    remarks: tuple[str, ...] = ()


def joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the connected components of stimuli that share a code of the first or of the second kind, (stimulus,)."""
    size = int(first.max()) + 1
    nodes = size + int(second.max()) + 1
    edges = coo_matrix((np.ones(first.size), (first, size + second)), shape=(nodes, nodes))
    return np.asarray(connected_components(edges, directed=False)[1][first], dtype=np.int64)


def grouped(
    members: NDArray[np.object_], types: NDArray[np.object_] | None, new: New | None, source: str, fewest: int
) -> Grouping:
    """Return the groups of a study.

    Parameters
    ----------
    members : (stimulus,) of str
        Group of each stimulus, or its id.
    types : (stimulus,) of str, or None
        What each stimulus is a token of.
    new : "tokens", "types" or None
        What the study file says; None counts as tokens, with a remark.
    source : str
        What the table of stimuli is called.
    fewest : int
        Groups that folds need.

    Raises
    ------
    BadInput
        New stimuli are types, and groups and types leave fewer than ``fewest`` parts.
    """
    if types is None:
        return Grouping(members)
    tokens = np.unique(members.astype(str), return_inverse=True)[1].reshape(-1)
    kinds = np.unique(types.astype(str), return_inverse=True)[1].reshape(-1)
    both = joined(tokens, kinds)
    parts, count = int(both.max()) + 1, int(kinds.max()) + 1
    about = f"{source}: {len(members)} stimuli are tokens of {count} types"
    if new != "types":
        told = f"{about}; new stimuli are taken to be further tokens of such types."
        if new is None:
            told += ' If they will be new types, say so: [stimuli] new = "types".'
        return Grouping(members, tokens, both, kinds, (told,))
    if parts < fewest:
        wrong = f"groups and types hang together in {parts} part{'s' * (parts > 1)}: neither may be split, and folds need {fewest}"
        right = 'Leave out the column of groups, or frequent types, or write new = "tokens".'
        raise problem(source, "[stimuli] new", wrong, right)
    first = np.unique(both, return_index=True)[1]
    told = f"{about} and hang together in {parts} parts, which are never split across folds: new stimuli are new types."
    return Grouping(members[first][both], tokens, both, kinds, (told,))
