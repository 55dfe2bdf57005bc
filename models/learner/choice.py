"""Which stimuli to measure next: the greedy choice that lowers the expected risk on target stimuli most.

In: Gaussian beliefs about some linear maps (one per posterior draw), a pool of stimuli, how many to choose. Out: the chosen
stimuli in order, with the expected risk after each. The criterion is Bayesian I-optimality: with the covariance S of a map's
weights and the second moment T of the target stimuli the risk is tr(S T), and measuring stimuli X with noise N lowers it by
tr((N + X S X')^-1 X S T S X'). Beliefs are updated exactly after every choice. Gains are evaluated lazily: those of the
stimuli that led before come first, and the rest keep their last value until they could win. A gain can rise after another
choice (I-optimality is not submodular), so that the lazy choice can differ from the full greedy one; tests bound the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from brainworth.models.pilot.threads import one_blas_thread

Matrix = NDArray[np.float64]

_BLOCK = 2048
"""Stimuli whose gains are evaluated together in the first pass."""
_BATCH = 192
"""Stimuli whose gains are evaluated together after a choice."""


@dataclass(frozen=True)
class Beliefs:
    """What is believed about the maps: one state per posterior draw, or per draw and latent."""

    covariance: Float[np.ndarray, "state column column"]
    """Covariance of the weights on the stimuli's columns."""
    noise: Float[np.ndarray, "presentation state"]
    """Noise variance of the first, second, ... measurement of a stimulus; the last row holds for all further ones."""
    weight: Float[np.ndarray, " state"]
    """What a unit of a state's risk counts."""
    draw: Int[np.ndarray, " state"]
    """Posterior draw that a state belongs to, from 0."""
    target: Float[np.ndarray, "column column"]
    """Second moment of the target stimuli, E[x x']."""

    def risk(self) -> Float[np.ndarray, " state"]:
        """Return the risk tr(S T) of every state, not weighted."""
        return np.einsum("sij,ji->s", self.covariance, self.target)

    def by_draw(self, risk: Float[np.ndarray, "*step state"]) -> Float[np.ndarray, "*step draw"]:
        """Return the weighted risk of every draw, in the unit in which their mean is the expected risk."""
        member = self.draw[:, None] == np.arange(self.draw.max() + 1)
        return (risk * self.weight) @ member * member.shape[1]

    def observed(self, rows: Float[np.ndarray, "row column"], noise: Float[np.ndarray, "row state"]) -> Beliefs:
        """Return the beliefs after measurements of some stimuli; ``noise`` is the variance of each."""
        covariance = np.stack([_updated(own, rows, noise[:, s]) for s, own in enumerate(self.covariance)])
        return replace(self, covariance=covariance)


@dataclass(frozen=True)
class Pool:
    """Stimuli that can be measured."""

    columns: Float[np.ndarray, "stimulus column"]
    """Coordinates of every stimulus, with the constant if the maps have an intercept."""
    group: Int[np.ndarray, " stimulus"]
    """Group of every stimulus, from 0 without gaps; groups are chosen whole."""
    price: Float[np.ndarray, " stimulus"]
    """Price of one measurement; positive."""
    seen: Int[np.ndarray, " stimulus"]
    """Earlier measurements of a stimulus."""
    limit: int = 1
    """How often a stimulus may be chosen."""


@dataclass(frozen=True)
class GreedyChoice:
    """Chosen groups in order, and what is believed after each."""

    groups: Int[np.ndarray, " step"]
    """Groups in the order of choice; a group can occur up to ``Pool.limit`` times."""
    risk: Float[np.ndarray, "step_and_start state"]
    """Risk of every state before the first and after each choice."""
    evaluated: int
    """Gains of groups that were evaluated."""


@dataclass(frozen=True)
class _Groups:
    """Rows of each group, found fast."""

    order: Int[np.ndarray, " stimulus"]
    start: Int[np.ndarray, " group"]
    size: Int[np.ndarray, " group"]
    price: Float[np.ndarray, " group"]

    @classmethod
    def of(cls, pool: Pool) -> _Groups:
        size = np.bincount(pool.group)
        return cls(
            order=np.argsort(pool.group, kind="stable"),
            start=np.cumsum(size) - size,
            size=size,
            price=np.bincount(pool.group, weights=pool.price),
        )

    def rows(self, group: int) -> Int[np.ndarray, " row"]:
        return self.order[self.start[group] : self.start[group] + self.size[group]]


def _updated(covariance: Matrix, rows: Matrix, noise: NDArray[np.float64]) -> Matrix:
    """Return a covariance after measurements of ``rows``: a symmetric update of rank len(rows), in the smaller form."""
    if len(rows) > 2 * len(covariance):
        scaled = rows / np.sqrt(noise)[:, None]
        rows, noise = np.asarray(np.linalg.qr(scaled, mode="r")), np.ones(min(scaled.shape))
    seen = rows @ covariance
    inner = seen @ rows.T
    inner[np.diag_indices_from(inner)] += noise
    half = np.linalg.solve(np.linalg.cholesky(inner), seen)
    return covariance - half.T @ half


class _Singles:
    """What single stimuli need for their gains, x'Sx and x'STSx of every state, brought up to date only when it is asked for.

    A choice changes a covariance S to S - k u u' with u = S x and k = 1 / (noise + x'u). For any stimulus z the two forms change by
    -k (z'u)^2 and -2 k (z'u)(z'STu) + k^2 (z'u)^2 u'Tu: sums over the choices since the stimulus was last looked at.
    """

    def __init__(self, columns: Matrix, covariance: Float[np.ndarray, "state column column"], moment: Matrix) -> None:
        self.columns, self.moment = columns, moment
        states = len(covariance)
        self.spread = np.empty((len(columns), states))
        self.drop = np.empty((len(columns), states))
        self.version = np.zeros(len(columns), dtype=np.int64)
        self.pull: list[Matrix] = []
        self.slope: list[Matrix] = []
        self.step: list[Matrix] = []
        self.curve: list[Matrix] = []
        for start in range(0, len(columns), _BLOCK):
            part = columns[start : start + _BLOCK]
            for state in range(states):
                seen = part @ covariance[state]
                self.spread[start : start + _BLOCK, state] = np.einsum("ri,ri->r", seen, part)
                self.drop[start : start + _BLOCK, state] = np.square(seen, out=seen) @ moment

    def note(self, x: Matrix, noise: Matrix, covariance: Float[np.ndarray, "state column column"]) -> None:
        """Remember the choice of a stimulus; ``covariance`` is that before it."""
        pull = covariance @ x
        self.pull.append(pull.T)
        self.slope.append(np.einsum("sij,sj->is", covariance, self.moment * pull))
        self.step.append(1.0 / (noise + pull @ x))
        self.curve.append(np.square(pull) @ self.moment)

    def refresh(self, rows: Int[np.ndarray, " row"]) -> None:
        """Bring some stimuli up to date."""
        now = len(self.pull)
        rows = rows[self.version[rows] < now]
        if not rows.size:
            return
        version = self.version[rows]
        first = int(version.min())
        x, shape = self.columns[rows], (len(rows), now - first, self.spread.shape[1])
        along = (x @ np.hstack(self.pull[first:])).reshape(shape)
        slope = (x @ np.hstack(self.slope[first:])).reshape(shape)
        step, curve = np.stack(self.step[first:]), np.stack(self.curve[first:])
        along *= (np.arange(first, now) >= version[:, None])[:, :, None]
        self.spread[rows] -= np.einsum("rls,rls,ls->rs", along, along, step)
        self.drop[rows] += np.einsum("rls,rls,ls->rs", along, along, step**2 * curve)
        self.drop[rows] -= 2.0 * np.einsum("rls,rls,ls->rs", along, slope, step)
        self.version[rows] = now


class _Search:
    """The state of a greedy choice, in coordinates in which the target's second moment is diagonal."""

    def __init__(self, beliefs: Beliefs, pool: Pool) -> None:
        moment, turn = np.linalg.eigh(beliefs.target)
        self.moment = np.maximum(moment, 0.0)
        self.columns = pool.columns @ turn
        self.covariance = turn.T @ beliefs.covariance @ turn
        self.beliefs, self.pool, self.groups = beliefs, pool, _Groups.of(pool)
        self.times = pool.seen.copy()
        self.evaluated = 0
        self.singles = _Singles(self.columns, self.covariance, self.moment) if np.all(self.groups.size == 1) else None

    def noise(self, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row state"]:
        return self.beliefs.noise[np.minimum(self.times[rows], len(self.beliefs.noise) - 1)]

    def gains(self, groups: Int[np.ndarray, " some"]) -> Float[np.ndarray, " some"]:
        """Return the weighted drop of the risk by measuring each group."""
        self.evaluated += len(groups)
        if self.singles is None:
            return np.array([self._group_gain(self.groups.rows(int(group))) for group in groups])
        rows = self.groups.order[self.groups.start[groups]]
        self.singles.refresh(rows)
        return (self.singles.drop[rows] / (self.noise(rows) + self.singles.spread[rows])) @ self.beliefs.weight

    def _group_gain(self, rows: Int[np.ndarray, " row"]) -> float:
        x, noise = self.columns[rows], self.noise(rows)
        seen = x @ self.covariance
        inner = seen @ x.T + noise.T[:, :, None] * np.eye(len(rows))
        outer = (seen * self.moment) @ np.swapaxes(seen, 1, 2)
        return float(self.beliefs.weight @ np.trace(np.linalg.solve(inner, outer), axis1=1, axis2=2))

    def take(self, group: int) -> None:
        rows = self.groups.rows(group)
        x, noise = self.columns[rows], self.noise(rows)
        if self.singles is not None:
            self.singles.note(x[0], noise[0], self.covariance)
        for state in range(len(self.covariance)):
            self.covariance[state] = _updated(self.covariance[state], x, noise[:, state])
        self.times[rows] += 1

    def risk(self) -> Float[np.ndarray, " state"]:
        return np.einsum("sii,i->s", self.covariance, self.moment)


@one_blas_thread()
def greedy_choice(beliefs: Beliefs, pool: Pool, n: int, *, lazy: bool = True) -> GreedyChoice:
    """Return the groups that lower the expected risk most per unit of price, one after the other.

    Parameters
    ----------
    beliefs
        Beliefs before the choice.
    pool
        Stimuli to choose from.
    n
        Measurements to choose; a group that does not fit into what is left is passed over.
    lazy
        Whether gains of stimuli that are behind keep an older value; ``False`` evaluates all after every choice.

    Raises
    ------
    ValueError
        If beliefs or columns are not finite.
    """
    if not (np.isfinite(beliefs.covariance).all() and np.isfinite(pool.columns).all()):
        raise ValueError("The covariance of the beliefs and the columns of the pool must be finite. Got other values.")
    search = _Search(beliefs, pool)
    groups, left = search.groups, n
    value = search.gains(np.arange(len(groups.size))) / groups.price
    fresh = np.zeros(len(value), dtype=np.int64)
    taken = np.zeros(len(value), dtype=np.int64)
    chosen: list[int] = []
    risk = [search.risk()]
    while True:
        open_ = (groups.size <= left) & (taken < pool.limit)
        if not open_.any():
            return GreedyChoice(np.array(chosen, dtype=np.int64), np.stack(risk), search.evaluated)
        if not lazy:
            every = np.flatnonzero(open_)
            value[every], fresh[every] = search.gains(every) / groups.price[every], len(chosen)
        best = _best(search, value, fresh, open_, len(chosen))
        search.take(best)
        taken[best] += 1
        left -= int(groups.size[best])
        chosen.append(best)
        risk.append(search.risk())


def _best(
    search: _Search,
    value: Float[np.ndarray, " group"],
    fresh: Int[np.ndarray, " group"],
    open_: NDArray[np.bool_],
    now: int,
) -> int:
    """Return the group of largest gain per price, evaluating old values from the top until a new one leads."""
    size = max(int(_BATCH / search.groups.size.mean()), 4)
    ranked = np.where(open_, value, -np.inf)
    while True:
        leader = int(np.argmax(ranked))
        if fresh[leader] == now:
            return leader
        top = np.argpartition(-ranked, min(size, len(ranked)) - 1)[:size]
        old = top[(fresh[top] != now) & np.isfinite(ranked[top])]
        value[old] = search.gains(old) / search.groups.price[old]
        ranked[old], fresh[old] = value[old], now
        size *= 2


@dataclass(frozen=True)
class RandomPath:
    """Expected risk along a random order of a pool."""

    price: Float[np.ndarray, " step"]
    """Price of what was measured so far, starting at 0."""
    count: Int[np.ndarray, " step"]
    """Measurements so far."""
    risk: Float[np.ndarray, "step state"]
    """Risk of every state."""


@one_blas_thread()
def random_path(
    beliefs: Beliefs,
    pool: Pool,
    counts: Sequence[int],
    goal: Float[np.ndarray, " draw"],
    rng: np.random.Generator,
) -> RandomPath:
    """Return the risk after about so many measurements of a random order of groups, each stimulus once.

    Stops where the risk of every draw is at or below ``goal``, the risks after the choice it is compared with.
    """
    groups = _Groups.of(pool)
    order = rng.permutation(len(groups.size))
    ends = np.cumsum(groups.size[order])
    done, price, now = 0, 0.0, beliefs
    found = [(0.0, 0, beliefs.risk())]
    for count in counts:
        stop = int(np.searchsorted(ends, count, side="left")) + 1
        stop = min(stop, len(order))
        if stop <= done:
            continue
        rows = np.concatenate([groups.rows(int(group)) for group in order[done:stop]])
        noise = beliefs.noise[np.minimum(pool.seen[rows], len(beliefs.noise) - 1)]
        now = now.observed(pool.columns[rows], noise)
        price += float(pool.price[rows].sum())
        done = stop
        found.append((price, int(ends[stop - 1]), now.risk()))
        if count >= counts[0] and np.all(beliefs.by_draw(found[-1][2]) <= goal):
            break
    return RandomPath(*(np.array(part) for part in zip(*found, strict=True)))
