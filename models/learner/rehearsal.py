"""Rehearsal: a purchase is carried out on paper, many times, and the learner that the plan promises is trained and scored.

In: posterior draws, the pilot's size, a few orders. Out: ``Rehearsed``: for every order and rehearsal the explainable R^2 and
the R^2 that a laboratory would read off, on the same worlds for all orders. A rehearsal draws parameters from the posterior, a
world from the parameters (latents, channel patterns, task), pilot-sized and purchased data from the world (``worlds/gram.py``;
a larger order holds the data of a smaller one), trains the plan's learner (``encoder_fit``, ``task_fit``), and scores it
exactly, with its intercept. Without any label the learner guesses the mean, at R^2 = 0.

Explainable R^2 is 1 - M / tau^2 with the realised excess risk M, error of the intercept included, and tau^2 of the parameters
drawn: averaged over worlds it is what the formula of THEORY section 3 says, apart from the intercept. (The explainable
variance of one world differs from tau^2; a quotient of two realised numbers has another mean.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from brainworth.models.forecast.forecast import Order, PilotSize
from brainworth.models.learner.belief import Parameters, Source, Stage1, TwoStages
from brainworth.models.learner.rehearsed_data import Amount, Data, Material, Setting, data_of
from brainworth.models.learner.task_fit import TaskFit
from brainworth.models.pilot.threads import one_blas_thread

Matrix = NDArray[np.float64]

LOOKS = (0.25, 0.5, 0.75)
"""Shares of the rehearsals after which they may stop."""
BOUNDARY = 2.609
"""O'Brien and Fleming (1979): four looks with a false-alarm rate of 1 % in all; |mean| / se > BOUNDARY / sqrt(share)."""
FEWEST = 16
"""Rehearsals before they may stop."""
BELIEF_DRAWS = 12
"""Posterior draws that the learner averages over."""


class _Learner:
    """The plan's learner, for the designs of one world; stage 1 is shared between designs with the same recordings."""

    def __init__(self, setting: Setting, material: Material) -> None:
        self.stages, self.material = TwoStages(setting.belief, setting.effort), material
        self.known: dict[tuple[Amount, ...], Stage1] = {}

    def fitted(self, data: Data) -> TaskFit:
        """Return the task that is learned from a design's data."""
        if data.brain not in self.known:
            sources = [
                Source(found, amount.modality, amount.worth, own_gain=amount.fresh)
                for amount in data.brain
                for found in self.material.recorded(amount)
            ]
            start = next(reversed(self.known.values())).learned if self.known else None
            self.known[data.brain] = self.stages.recorded(sources, start)
        pilot, labels = self.material.labels(data)
        return self.stages.labelled(self.known[data.brain], labels, pilot)


@one_blas_thread()
def rehearse_once(
    setting: Setting, index: int, kept: tuple[int, ...] | None = None
) -> tuple[Float[np.ndarray, " design"], Float[np.ndarray, " design"]]:
    """Return explainable R^2 and R^2 of every design in one world, or of those that are kept; the same whoever computes it."""
    material = Material(setting, index)
    learner, world = _Learner(setting, material), material.world
    explainable, plain = np.full((2, len(setting.designs)), np.nan)
    for row in range(len(setting.designs)) if kept is None else kept:
        fit = learner.fitted(setting.designs[row])
        explainable[row] = min(world.explainable_r2(fit, s) for s in setting.shifts)
        plain[row] = world.explainable_r2(fit, 1.0)
    total = world.signal_variance + world.noise_variance
    return explainable, 1.0 - (world.signal_variance * (1.0 - plain) + world.noise_variance) / total


@dataclass(frozen=True)
class Rehearsed:
    """What rehearsals brought."""

    explainable_r2: Float[np.ndarray, "design world"]
    """1 - M / tau^2, intercept included; not a number where a design was no longer rehearsed."""
    r2: Float[np.ndarray, "design world"]
    """1 - (M + sigma^2) / (tau^2 + sigma^2) on stimuli of the pilot's kind."""

    @property
    def n(self) -> int:
        """Rehearsals."""
        return self.explainable_r2.shape[1]

    def gain(self, design: int = 0, against: int = 1) -> Float[np.ndarray, " world"]:
        """Return how much more one design reaches than another, world by world."""
        return self.explainable_r2[design] - self.explainable_r2[against]


Contest = Callable[[Float[np.ndarray, "design world"]], Sequence[int]]
"""From what was reached so far to the designs, beside the first two, that are still in question."""
Mapped = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]], tuple[Any, ...]], Iterator[Any]]
"""Who computes: (function, tasks, common arguments) to results in the order of the tasks."""


def in_this_process(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], common: tuple[Any, ...]
) -> Iterator[Any]:
    """Yield the results one after another, in this process."""
    return (function(*common, *task) for task in tasks)


def setting_of(draws: Parameters, size: PilotSize, orders: Sequence[Order], n: int = 64, seed: int = 0) -> Setting:
    """Return the setting of n rehearsals: draws that worlds are made from, and other draws that the learner knows.

    Parameters
    ----------
    draws
        Posterior draws, or the one of a known system.
    size, orders
        The pilot, and what is bought in each design; the first against the second decides when rehearsals stop.
    n
        Rehearsals.
    seed
        Seed of everything.
    """
    truth, belief = rehearsed_draws(draws.n_draws, n, seed)
    designs = tuple(data_of(size, order) for order in orders)
    return Setting(draws.taken(truth), draws.taken(belief), designs, seed)


def rehearsed_draws(n_draws: int, n: int, seed: int) -> tuple[Int[np.ndarray, " world"], Int[np.ndarray, " belief"]]:
    """Return which draws n worlds are made from, and which others the learner knows; a known system's one draw is both."""
    if n_draws == 1:
        return np.zeros(n, dtype=np.int64), np.zeros(1, dtype=np.int64)
    order = np.random.default_rng([seed, 0]).permutation(n_draws)
    known = min(BELIEF_DRAWS, max(n_draws // 2, 1))
    return np.resize(order[known:], n), order[:known]


def rehearse(
    setting: Setting,
    mapped: Mapped = in_this_process,
    progress: Callable[[int, int], None] | None = None,
    *,
    early: bool = True,
    contest: Contest | None = None,
) -> Rehearsed:
    """Return the rehearsals of a setting; they stop early when the sign of the first design's gain over the second is clear.

    With a contest, they go on while a design beside these two is in question; one that no longer is, is rehearsed no more.

    Parameters
    ----------
    setting
        ``setting_of`` draws and orders.
    mapped
        Who computes; the result does not depend on it.
    progress
        Called with how many rehearsals are done, of how many.
    early
        Whether they may stop, or drop a design.
    contest
        Which designs beside the first two are in question; all are rehearsed to the end if not given.
    """
    n, kept = setting.truth.n_draws, tuple(range(len(setting.designs)))
    looks = sorted({max(round(share * n), min(FEWEST, n)) for share in LOOKS} | {n}) if early else [n]
    done: list[tuple[Matrix, Matrix]] = []
    for start, stop in zip([0, *looks[:-1]], looks, strict=True):
        for result in mapped(rehearse_once, [(index, kept) for index in range(start, stop)], (setting,)):
            done.append(result)
            if progress is not None:
                progress(len(done), n)
        if len(setting.designs) > 1 and stop < n:
            reached = np.stack([explainable for explainable, _ in done], axis=1)
            if contest is not None:
                open_still = contest(reached)
                kept = (0, 1, *(row for row in kept[2:] if row in open_still))
            if (contest is None or len(kept) == 2) and _sign_is_clear(reached[0] - reached[1], stop / n):
                break
    return Rehearsed(np.stack([row for row, _ in done], axis=1), np.stack([row for _, row in done], axis=1))


def _sign_is_clear(gain: Float[np.ndarray, " world"], share: float) -> bool:
    error = float(gain.std(ddof=1)) / np.sqrt(gain.size)
    return bool(abs(float(gain.mean())) > BOUNDARY / np.sqrt(share) * error > 0.0)
