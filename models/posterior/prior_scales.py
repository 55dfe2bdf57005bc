"""Locations and scales of the priors of ``hierarchy``."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from brainworth.models.posterior.total_snr import LATENT_DECAY


@register_dataclass
@dataclass(frozen=True)
class PriorScales:
    """Prior locations and scales; defaults by kind of modality come from the literature."""

    log_snr: Float[Array, " modality"]
    """Mean of log phi of the first latent in one sample (``total_snr.prior_of_total`` gives it from the total)."""
    log_snr_scale: Float[Array, " modality"]
    """Standard deviation of log phi."""
    gain_spread: Float[Array, " modality"]
    """Scale of the half-normal prior of the spread over people."""
    alignment: Float[Array, " two"]
    """Parameters (a, b) of the alignment: rho^2/(1 - rho^2) is s/(1 - s), s ~ Beta(a, b), times a mean of squared normal
    variables over the latents, so that with several latents rho^2 is about Beta(a, b)."""
    explainable: Float[Array, " two"] = field(default_factory=lambda: jnp.ones(2))
    """Parameters of the Beta prior of the explainable share of the label variance; uniform by default."""
    knee: Float[Array, "*modality"] = field(default_factory=lambda: jnp.asarray(-3.0))
    """log phi below which a pilot sees nothing: where the sampler's coordinate changes (``stretched``). No part of the prior."""

    def log_snr_of(self, n_latents: int) -> tuple[Float[Array, "modality latent"], Float[Array, "modality latent"]]:
        """Return mean and standard deviation of log phi by modality and latent."""
        middle = self.log_snr[:, None] - LATENT_DECAY * jnp.arange(n_latents)
        return middle, jnp.broadcast_to(self.log_snr_scale[:, None], middle.shape)
