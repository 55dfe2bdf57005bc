"""Labels for stimuli that are chosen from a pool: their order, what they are worth in random labels, and how they are rehearsed.

In: a posterior, the pool. Out: ``ChosenLabels``. The order is that of ``Posterior.choose`` (``models.learner.choice``), made once,
with what is believed after the pilot. Labels beyond the first ``MOST_CHOSEN`` are for stimuli in random order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.pilot.build import codes
from brainworth.design.pilot.candidates import Candidates
from brainworth.design.posterior.stimulus_beliefs import (
    Ground,
    beliefs_without_pilot,
    label_beliefs,
    latents_after_pilot,
    one_system,
)
from brainworth.design.study_file.config import StudyConfig
from brainworth.models.learner.choice import Pool, greedy_choice
from brainworth.models.learner.label_worth import WorthCurve, like_the_study, without_replacement, worth_curve
from brainworth.models.learner.rehearsed_data import KnownStimuli
from brainworth.models.pilot.within_types import WithinTypes, types_in_common

if TYPE_CHECKING:
    from brainworth.design.posterior.draws import PosteriorDraws

MOST_CHOSEN = 1000
"""Most stimuli that are chosen one after the other."""
ORDERS = 6
"""Random orders that the choice is compared with, of each kind."""
_AHEAD = 4.0
"""The order goes so many times as far as the budget."""


@dataclass(frozen=True)
class ChosenLabels:
    """The order in which stimuli of a pool are labelled, and what that is worth."""

    source: str
    """How messages call the pool."""
    pool: int
    """Stimuli to choose from."""
    chosen: int
    """Stimuli at the head of the order that were chosen one after the other; those behind them are in random order."""
    worth: WorthCurve
    """Random stimuli like the study's that bring as much: what the forecast counts labels in."""
    against_pool: WorthCurve
    """Random stimuli of the pool that bring as much."""
    order: Int[np.ndarray, " label"]
    """Row of the pool of every label, the first one first."""
    coordinates: Float[np.ndarray, "label direction"]
    """Coordinates of the pool's stimuli in this order, in units of each direction's standard deviation."""
    ground: Ground
    """The posterior's coordinates."""

    @classmethod
    def of(cls, posterior: PosteriorDraws, candidates: Candidates, config: StudyConfig) -> ChosenLabels:
        """Return the order of labels from a pool, and what it is worth: up to as many as budget and limits may ask for."""
        ground = Ground.of(posterior)
        target = ground.target(None)
        beliefs = label_beliefs(ground, target)
        columns, group = ground.columns(candidates.features), codes(candidates.group)[0]
        rng = np.random.default_rng([posterior.seed, 5])
        pool = Pool(columns, group, np.ones(len(columns)), np.zeros(len(columns), dtype=np.int64))
        most = min(len(columns), max(MOST_CHOSEN, int(np.bincount(group).min())))
        first = _rows(greedy_choice(beliefs, pool, most).groups, group)
        order = np.concatenate([first, rng.permutation(np.setdiff1d(np.arange(len(columns)), first))])
        if not config.budget.reuse_pilot:
            beliefs = beliefs_without_pilot(ground, target)
        bought = columns[order[: _bought(config, len(order))]]
        like = [like_the_study(ground.variance, rng) for _ in range(ORDERS)]
        others = [without_replacement(columns, rng) for _ in range(ORDERS)]
        return cls(
            source=candidates.source,
            pool=len(order),
            chosen=len(first),
            worth=worth_curve(beliefs, bought, like),
            against_pool=worth_curve(beliefs, bought, others),
            order=order,
            coordinates=columns[order, 1:] / np.sqrt(ground.variance),
            ground=ground,
        )

    @property
    def variance(self) -> Float[np.ndarray, " direction"]:
        """Population variance of every direction of the coordinates."""
        return self.ground.variance

    def rehearsed(self, draws: Int[np.ndarray, " world"], most: int) -> KnownStimuli:
        """Return what rehearsals of at most so many labels know of the stimuli, in worlds made from some draws of the posterior."""
        posterior, root = self.ground.posterior, np.sqrt(self.variance)
        pilot = posterior.study.pilot
        people = np.asarray(posterior.draws.people)
        latents = [
            latents_after_pilot(self.ground, one_system(posterior.draws.system, int(draw)), people[int(draw)])
            for draw in draws
        ]
        member = types_in_common(pilot, pilot.label_stimulus)
        return KnownStimuli(
            within=None if member is None else WithinTypes(member, posterior.type_share or 0.0),
            weight=pilot.weight,
            pilot=self.ground.columns(pilot.features[pilot.label_stimulus])[:, 1:] / root,
            chosen=self.coordinates[:most],
            latent_mean=np.stack([maps * root[:, None] for maps, _ in latents]),
            latent_spread=np.sqrt(np.stack([left for _, left in latents])),
        )


def _rows(groups: Int[np.ndarray, " step"], group: Int[np.ndarray, " stimulus"]) -> Int[np.ndarray, " label"]:
    """Return the stimuli of groups, in the order of the groups."""
    rank = np.full(int(group.max()) + 1, len(group))
    rank[groups] = np.arange(len(groups))
    rows = np.flatnonzero(rank[group] < len(group))
    return rows[np.argsort(rank[group][rows], kind="stable")]


def _bought(config: StudyConfig, pool: int) -> int:
    """Return the most labels that are asked for: what several times the budget buys, within the limits."""
    most = pool if config.task.max_labels is None else min(pool, config.task.max_labels)
    price, total = config.task.cost_per_label.low, config.budget.total
    if total is not None and price > 0.0:
        most = min(most, int(_AHEAD * total / price))
    return max(most, 1)
