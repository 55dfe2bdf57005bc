"""The surface the allocation climbs: a batch of purchases in, explainable R^2 per posterior draw out.

In: ``Draws`` and ``PilotSize`` of a posterior. Out: ``PosteriorSurface``, an implementation of ``purchase.Surface``.
Batches are padded to a few sizes, so that JAX compiles a handful of shapes; results do not depend on the batching. What
can go wrong: nothing; purchases are checked by the problem that makes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from brainworth.design.purchase import Purchase
from brainworth.models.forecast import Draws, Order, PilotSize, explainable_r2, shifted_explainable_r2

BATCHES = (1, 16, 128)
"""Sizes of a compiled call."""


@dataclass(frozen=True)
class PosteriorSurface:
    """Explainable R^2 of a purchase under each posterior draw."""

    modalities: tuple[str, ...]
    """Names, in the order of the modality axis."""
    draws: Draws
    """Posterior draws."""
    size: PilotSize
    """The pilot, and how new data join it."""
    shift: float = 1.0
    """Variance factor of test stimuli along brain-insensitive directions."""

    @property
    def n_draws(self) -> int:
        """Number of posterior draws."""
        return int(self.draws.people.shape[0])

    def chosen(self, draws: slice | None) -> Draws:
        """Return a slice of the draws."""
        if draws is None:
            return self.draws
        system = self.draws.system
        cut = jax.tree.map(lambda leaf: leaf[draws], (system.signal_variance, system.noise_variance, system.alignment))
        return Draws(
            system=type(system)(
                spectrum=system.spectrum,
                signal_variance=cut[0],
                noise_variance=cut[1],
                alignment=cut[2],
                snr=system.snr[draws],
                channels=system.channels,
                brain_exponent=system.brain_exponent[draws],
                task_exponent=system.task_exponent[draws],
            ),
            people=self.draws.people[draws],
        )

    def _evaluated(self, draws: Draws, orders: Order) -> jax.Array:
        if self.shift == 1.0:
            return explainable_r2(draws, self.size, orders)
        return shifted_explainable_r2(draws, self.size, orders, jnp.asarray(self.shift))

    def explainable_r2(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return 1 - M / tau^2 at pilot + new, for all draws or a slice of them."""
        used = self.chosen(draws)
        columns = (purchase.n_task, purchase.samples, np.maximum(purchase.subjects, 1), np.maximum(purchase.repeats, 1))
        arrays = [np.asarray(column, dtype=np.float64) for column in columns]
        total = len(arrays[0])
        parts: list[np.ndarray] = []
        start = 0
        while start < total:
            batch = next((size for size in BATCHES if size >= total - start), BATCHES[-1])
            rows = np.minimum(np.arange(start, start + batch), total - 1)
            orders = Order(*(jnp.asarray(array[rows]) for array in arrays))
            values = np.asarray(self._evaluated(used, orders))
            parts.append(values[: total - start])
            start += batch
        return np.concatenate(parts) if parts else np.zeros((0, int(used.people.shape[0])))
