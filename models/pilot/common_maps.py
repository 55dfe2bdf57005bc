"""How much of what features explain of the latents people have in common: each person's map against those of the others.

In: cross-fitted read-outs of several people, the stimuli's features, blocks of stimuli. Out: ``CommonMaps``: the share S and its
error. Limits: one person, no confirmed latent, too few blocks, or no map that is seen twice within people; then nothing is known
(``UNKNOWN``).

Person p's read-outs are z = g_p x'(a + b_p) + noise: a is the map that people share, b_p is the person's own, both in the
features' metric. S = |a|^2 / (|a|^2 + |b|^2) is then the correlation between the maps of two people, free of attenuation. It is
read from products of read-outs of *different* blocks of stimuli (never the same sample, stimulus or group twice), weighted with
how alike their features are: c_pb = sum of x z over block b, and

    within p:         W_p  = sum over b != b' of c_pb . c_pb'     ->  g_p^2
    between p and q:  B_pq = sum over b != b' of c_pb . c_qb'     ->  S g_p g_q

with one and the same factor that depends on the features alone (Haseman & Elston 1972, Behav. Genet. 2:3, a moment estimator of
variance components; its ratio is a correlation corrected by the reliability of both maps). The error is a jackknife over
blocks. It is the error for the people who were recorded; what other people would be like, it cannot say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainworth.models.pilot.folds import group_folds

BLOCKS = 20
"""Blocks of stimuli."""
FEWEST = 6
"""Groups of recorded stimuli below which nothing is known."""
KNOWN = 0.2
"""Standard error above which the share counts as unknown."""


@dataclass(frozen=True)
class PersonMoments:
    """Read-outs of one person."""

    stimulus: NDArray[np.int64]
    """Row of the features of each sample, (sample,)."""
    readout: NDArray[np.float64]
    """The leading latent, if it is confirmed, read by filters that never saw the sample, (sample, latent of 0 or 1).

    Only the leading one: an encoder gives people whose maps differ a second latent for the difference, in which they have
    nothing in common by construction. (Seen: two people with a true share of .75 and two latents had .38 with both, .75 with
    the first.)
    """


@dataclass(frozen=True)
class CommonMaps:
    """What people have in common."""

    share: float
    """S, of the variance that features explain; may lie beyond 0 and 1 by chance."""
    error: float
    """Standard error; infinite where nothing is known."""
    people: int = 0
    """People it was read from."""

    @property
    def known(self) -> bool:
        """Whether the share is known well enough to say anything of it."""
        return bool(np.isfinite(self.error) and self.error < KNOWN)


UNKNOWN = CommonMaps(1.0, np.inf)
"""Nothing is known."""


def common_maps(
    people: Sequence[PersonMoments],
    coordinates: NDArray[np.float64],
    group: NDArray[np.int64],
) -> CommonMaps:
    """Return the share of people's maps that is common to all.

    Parameters
    ----------
    people : sequence of PersonMoments
        At least two, or nothing is known.
    coordinates : (stimulus, direction)
        Features of all stimuli.
    group : (stimulus,)
        Group that is never split.
    """
    shown = np.unique(np.concatenate([person.stimulus for person in people])) if people else np.zeros(0, dtype=np.int64)
    groups = np.unique(group[shown]).size
    if len(people) < 2 or people[0].readout.shape[1] < 1 or groups < FEWEST:
        return UNKNOWN
    count = min(BLOCKS, groups)
    block = np.full(len(group), -1)
    block[shown] = group_folds(group[shown], count, 0)
    moments = np.stack([_moments(person, coordinates, block, count) for person in people])
    whole = _ratio(moments)
    left_out = np.array([_ratio(np.delete(moments, b, axis=1)) for b in range(count)])
    if not np.isfinite(whole) or not np.all(np.isfinite(left_out)):
        return UNKNOWN
    error = float(np.sqrt((count - 1) / count * np.sum((left_out - left_out.mean()) ** 2)))
    return CommonMaps(whole, error, len(people))


def _moments(
    person: PersonMoments, coordinates: NDArray[np.float64], block: NDArray[np.int64], blocks: int
) -> NDArray[np.float64]:
    """Return sums of features times read-outs by block, both centred, (block, direction, latent)."""
    count = np.bincount(person.stimulus, minlength=len(coordinates)).astype(float)
    centred = person.readout - person.readout.mean(axis=0)
    summed = np.stack([np.bincount(person.stimulus, weights=z, minlength=len(coordinates)) for z in centred.T], axis=1)
    x = coordinates - count @ coordinates / count.sum()
    return np.stack([x[block == b].T @ summed[block == b] for b in range(blocks)])


def _ratio(moments: NDArray[np.float64]) -> float:
    """Return S of moments (person, block, direction, latent); nan where fewer than two people have a map that shows again."""
    part = moments.reshape(*moments.shape[:2], -1)
    total = part.sum(axis=1)
    products = total @ total.T - np.einsum("pbv,qbv->pq", part, part)
    size = np.sqrt(np.maximum(np.diag(products), 0.0))
    expected = size.sum() ** 2 - np.sum(size**2)
    return float((products.sum() - np.trace(products)) / expected) if np.sum(size > 0.0) > 1 else np.nan
