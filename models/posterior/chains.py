"""Draws of every site, as the sampler leaves them (``inference``) and as a file keeps them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Mixing:
    """How well chains have mixed, the worst of all quantities that are judged (Vehtari et al. 2021)."""

    rhat: float
    """Rank-normalised split R-hat."""
    ess_bulk: float
    """Effective sample size of the middle of a distribution."""
    ess_tail: float
    """Effective sample size of its 5 % and 95 % quantiles."""

    def as_good_as(self, wanted: Mixing) -> bool:
        """Return whether nothing is worse than wanted; false where something is not a number."""
        return self.rhat <= wanted.rhat and self.ess_bulk >= wanted.ess_bulk and self.ess_tail >= wanted.ess_tail


@dataclass(frozen=True)
class Chains:
    """Draws of every site and what the sampler said of itself."""

    sites: dict[str, Float[np.ndarray, "chain draw *shape"]]
    """Draws by site name, deterministic sites included."""
    statistics: dict[str, Float[np.ndarray, "chain draw"]]
    """``diverging``, ``energy``, ``acceptance_rate``, ``num_steps``."""
    log_likelihood: dict[str, Float[np.ndarray, "chain draw *shape"]] = field(default_factory=dict)
    """Log-likelihood of each part of the pilot: ``brain`` by modality and latent, ``slope`` by modality and latent, ``task``."""
    log_prior: dict[str, Float[np.ndarray, "chain draw *shape"]] = field(default_factory=dict)
    """Log prior density of every sampled site, element by element."""

    @property
    def n_draws(self) -> int:
        """Draws of each chain."""
        return next(iter(self.sites.values())).shape[1]

    def thinned(self, every: int) -> Chains:
        """Return one draw of every so many."""
        parts = (self.sites, self.statistics, self.log_likelihood, self.log_prior)
        return Chains(*({name: value[:, ::every] for name, value in part.items()} for part in parts))

    def flat(self) -> dict[str, Float[np.ndarray, "draw *shape"]]:
        """Return the draws of every site, chain after chain."""
        return {name: value.reshape(math.prod(value.shape[:2]), *value.shape[2:]) for name, value in self.sites.items()}
