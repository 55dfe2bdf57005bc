"""Folds of stimuli that never split a group (sentence, run).

In: one group code per stimulus. Out: one fold index per stimulus, balanced and deterministic given the seed. With fewer groups
than folds there are as many folds as groups.
"""

from __future__ import annotations

import heapq

import numpy as np
from jaxtyping import Int


def group_folds(group: Int[np.ndarray, " stimulus"], n_folds: int, seed: int) -> Int[np.ndarray, " stimulus"]:
    """Assign whole groups to folds of nearly equal size.

    Groups are taken from the largest to the smallest, in random order among equals, and each goes to the fold that is
    smallest so far (the greedy rule of ``sklearn.model_selection.GroupKFold``, with a seed).

    Parameters
    ----------
    group
        Group code of each stimulus.
    n_folds
        Wanted number of folds, at least 2; at most the number of groups is used.
    seed
        Seed of the order among groups of equal size.

    Returns
    -------
    Fold index of each stimulus, 0 .. folds - 1.

    Raises
    ------
    ValueError
        If ``n_folds`` is below 2 or there are fewer than two groups.
    """
    codes, member = np.unique(group, return_inverse=True)
    if n_folds < 2 or codes.size < 2:
        raise ValueError(
            f"Folds need 'n_folds' of at least 2 and at least two groups. Got {n_folds} folds, {codes.size} groups."
        )
    size = np.bincount(member, minlength=codes.size)
    shuffled = np.random.default_rng(seed).permutation(codes.size)
    order = shuffled[np.argsort(-size[shuffled], kind="stable")]
    heap = [(0.0, 0, fold) for fold in range(min(n_folds, codes.size))]
    fold_of_group = np.empty(codes.size, dtype=np.int64)
    for index in order:
        filled, groups, fold = heapq.heappop(heap)
        fold_of_group[index] = fold
        heapq.heappush(heap, (filled + float(size[index]), groups + 1, fold))
    return fold_of_group[member]
