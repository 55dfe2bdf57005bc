"""Channels that are recorded once and given twice: equal to another one but for unit and offset.

In: the values of one person, all of them or, of recordings that stay on disk, some of them. Out: which channels are of their own,
and the remark about those that are not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.common.messages import quoted, quoted_list

_SEED = 20_240_229
_BLOCK = 2**22
_PROJECTIONS = 3
_NEAR = 1e-6
_SAME = 1e-11
"""One minus the correlation of two channels that are one: the rounding of single precision, and nothing else."""
_FEWEST = 10


def copied_channels(
    values: Float[np.ndarray, "sample channel"], names: tuple[str, ...]
) -> tuple[Int[np.ndarray, " channel"], tuple[tuple[str, str], ...]]:
    """Return the numbers of the channels that are of their own, and (copy, original) of each that is not.

    A channel that is constant or not finite here equals none: other checks look at it.
    """
    usable = np.flatnonzero(np.all(np.isfinite(values), axis=0) & (np.ptp(values, axis=0) > 0.0))
    first = np.arange(values.shape[1])
    part = values if usable.size == first.size else values[:, usable]  # a copy only where it is needed
    first[usable] = usable[channel_copies(part)]
    own = first == np.arange(first.size)
    return np.flatnonzero(own), tuple((names[i], names[int(first[i])]) for i in np.flatnonzero(~own))


def said_copies(source: str, copied: Mapping[str, tuple[tuple[str, str], ...]]) -> list[str]:
    """Return the remark about channels that were left out as copies, with the people it happened to."""
    found = {subject: pairs for subject, pairs in copied.items() if pairs}
    if not found:
        return []
    copy, original = next(iter(found.values()))[0]
    most = max(len(pairs) for pairs in found.values())
    return [
        f"{source}: channels that equal another one but for unit and offset are left out: {quoted(copy)} is {quoted(original)}"
        f" (up to {most} of a person; {len(found)} people: {quoted_list(found, 4)})."
    ]


def channel_copies(values: Float[np.ndarray, "sample channel"]) -> Int[np.ndarray, " channel"]:
    """Return for every channel the first channel that it equals but for unit and offset; its own number if there is none.

    Channels of fewer than ten different values may agree by chance.
    """
    n, count = values.shape
    directions = np.random.default_rng(_SEED).standard_normal((n, _PROJECTIONS))
    seen = np.empty((count, _PROJECTIONS))
    step = max(_BLOCK // max(n, 1), 1)
    for start in range(0, count, step):
        seen[start : start + step] = (directions.T @ _standardised(values[:, start : start + step])).T
    seen *= np.where(seen[:, :1] < 0.0, -1.0, 1.0)
    order = np.argsort(seen[:, 0], kind="stable")
    near = np.all(np.abs(np.diff(seen[order], axis=0)) < _NEAR, axis=1)
    first = np.arange(count)
    for place in np.flatnonzero(near):
        pair = sorted((int(order[place]), int(order[place + 1])))
        one, other = _standardised(values[:, pair]).T
        if 1.0 - abs(float(one @ other)) < _SAME and np.unique(values[:, pair[1]]).size >= _FEWEST:
            low, high = sorted((int(first[pair[0]]), int(first[pair[1]])))
            first[first == high] = low
    return first


def _standardised(values: Float[np.ndarray, "sample channel"]) -> Float[np.ndarray, "sample channel"]:
    """Return columns of mean zero and length one."""
    centred = values - values.mean(axis=0)
    centred /= np.max(np.abs(centred), axis=0)
    return centred / np.sqrt(np.sum(centred**2, axis=0))
