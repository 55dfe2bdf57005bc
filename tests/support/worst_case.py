"""The worst of several surfaces, for plans that must hold under every one of a set of distribution shifts.

In: surfaces of the same modalities and draws. Out: a surface, their minimum. Errors: surfaces that disagree about modalities or
draws (``BadInput``). Minima of monotone functions are monotone, so the certificate holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from brainworth.design.common.errors import BadInput
from brainworth.design.performance.purchase import PeopleSurface, Purchase


@dataclass(frozen=True)
class WorstCase:
    """Explainable R^2 under the worst of several circumstances, draw by draw."""

    surfaces: tuple[PeopleSurface, ...]

    def __post_init__(self) -> None:
        if len({(s.modalities, s.n_draws) for s in self.surfaces}) != 1:
            raise BadInput("The surfaces of a worst case must be at least one, with the same modalities and draws.")

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names, in the order of the modality axis."""
        return self.surfaces[0].modalities

    @property
    def n_draws(self) -> int:
        """Number of posterior draws."""
        return self.surfaces[0].n_draws

    def explainable_r2(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return the smallest explainable R^2 per design and draw."""
        return np.min([s.explainable_r2(purchase, draws) for s in self.surfaces], axis=0)

    def explainable_r2_bound(
        self,
        purchase: Purchase,
        people: tuple[Float[np.ndarray, "design modality"], Float[np.ndarray, "design modality"]],
        draws: slice | None = None,
    ) -> Float[np.ndarray, "design draw"]:
        """Return an upper bound for every number of people within ranges (fewest, most)."""
        return np.min([s.explainable_r2_bound(purchase, people, draws) for s in self.surfaces], axis=0)
