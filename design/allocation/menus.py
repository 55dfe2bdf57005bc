"""What money buys of one modality: the ways to run it that are worth trying, and how many stimuli each affords."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from brainworth.design.allocation.space import ModalitySpace


@dataclass(frozen=True)
class Option:
    """How a modality is run."""

    repeats: int
    people: int | None
    """None: as few as can see the stimuli."""


@dataclass(frozen=True)
class Menu:
    """The options of one modality, and what money buys under each."""

    space: ModalitySpace
    options: tuple[Option, ...]

    @classmethod
    def of(cls, space: ModalitySpace, budget_cents: int, *, people_matter: bool) -> Menu:
        """Return the options worth trying: every number of repeats, and a spread of people where more of them help."""
        people: list[int | None] = [None]
        if (space.shared or people_matter) and space.limits.new_subjects:
            low, high = space.people
            one = np.ones(1, dtype=np.int64)
            payable = [
                s
                for s in np.unique(np.geomspace(low, max(low, min(high, 4096)), 9).round().astype(int)).tolist()
                if int(space.cents(one, one * s, one)[0]) <= budget_cents
            ]
            people = [*payable] if space.shared and payable else [None, *payable]
        return cls(space, tuple(Option(int(r), s) for s in people for r in space.repeats))

    def buy(
        self, money: Int[np.ndarray, " design"], choice: Int[np.ndarray, " design"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the most stimuli that ``money`` cents buy under each chosen option, the people, and the repeats."""
        space, (low, high) = self.space, self.space.people
        repeats = np.array([o.repeats for o in self.options], dtype=np.int64)[choice]
        lows = np.array([low if o.people is None else o.people for o in self.options], dtype=np.int64)[choice]
        highs = np.array([high if o.people is None else o.people for o in self.options], dtype=np.int64)[choice]
        most = space.most_stimuli(lows if space.shared else highs, repeats)
        stimuli = space.affordable(money, (lows, highs), repeats, most)
        people = np.maximum(lows, space.people_needed(stimuli, repeats))
        most = np.minimum(stimuli, space.most_stimuli(people, repeats))
        stimuli = space.affordable(money, (people, people), repeats, most)
        return np.where(space.valid(stimuli, people, repeats), stimuli, 0), people, repeats
