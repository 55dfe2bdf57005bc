"""The surface the allocation climbs: a batch of purchases in, explainable R^2 per posterior draw out.

In: ``Draws`` and ``PilotSize`` of a posterior. Out: ``PosteriorSurface``, an implementation of ``purchase.Surface``.
One compiled program serves every batch size (``models.batches``); results do not depend on the batching. What can go
wrong: nothing; purchases are checked by the problem that makes them.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import jax
import numpy as np
from jaxtyping import Float

from brainworth.design.performance.purchase import Purchase
from brainworth.models.forecast.batches import Blocks, Enrolment, batch_r2, in_blocks
from brainworth.models.forecast.forecast import Draws, Order, PilotSize

_WORKERS = max(1, min(4, os.cpu_count() or 1))
"""Threads that share a batch; the compiled program runs outside of Python's lock."""
_WORTH_SHARING = 8_000
"""Designs times draws from which on sharing costs less than it saves."""


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
    shifts: tuple[float, ...] = ()
    """If given: the worst of these factors, draw by draw, instead of ``shift``."""
    blocks: dict[tuple[int, int, int], Blocks] = field(default_factory=dict, repr=False, compare=False)
    """Draws as the forecast wants them, by slice; filled as slices are asked for."""

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
                alike=None if system.alike is None else system.alike[draws],
            ),
            people=self.draws.people[draws],
        )

    def explainable_r2(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return 1 - M / tau^2 at pilot + new, for all draws or a slice of them."""
        people = np.maximum(np.asarray(purchase.subjects, dtype=np.float64), 1.0)
        return self._evaluated(purchase, Enrolment(people, people), draws)

    def explainable_r2_bound(
        self,
        purchase: Purchase,
        people: tuple[Float[np.ndarray, "design modality"], Float[np.ndarray, "design modality"]],
        draws: slice | None = None,
    ) -> Float[np.ndarray, "design draw"]:
        """Return an upper bound for every number of new people within ranges (fewest, most).

        How good new people's recordings are is uncertain, and the mean of more people is less so: a draw may favour few
        or many. The bound takes the best mean gain within the range; ``purchase.subjects`` only counts the channel
        patterns that must be learned.
        """
        fewest, most = (np.maximum(np.asarray(p, dtype=np.float64), 1.0) for p in people)
        return self._evaluated(purchase, Enrolment(fewest, most), draws)

    def _evaluated(
        self, purchase: Purchase, people: Enrolment, draws: slice | None
    ) -> Float[np.ndarray, "design draw"]:
        rows = np.arange(self.n_draws)[slice(None) if draws is None else draws]
        key = (rows[0].item(), rows.size, rows[-1].item())
        if key not in self.blocks:
            self.blocks[key] = in_blocks(self.draws, rows)
            return self._solved(key, rows.size, purchase, people)  # may compile, which threads would do twice
        parts = [part for part in np.array_split(np.arange(len(purchase.n_task)), _WORKERS) if part.size]
        if len(parts) < 2 or rows.size * len(purchase.n_task) < _WORTH_SHARING:
            return self._solved(key, rows.size, purchase, people)
        with ThreadPoolExecutor(len(parts)) as pool:
            shares = [pool.submit(self._solved, key, rows.size, *_taken(purchase, people, part)) for part in parts]
            return np.concatenate([share.result() for share in shares])

    def _solved(
        self, key: tuple[int, int, int], n_draws: int, purchase: Purchase, people: Enrolment
    ) -> Float[np.ndarray, "design draw"]:
        columns = (purchase.n_task, purchase.samples, np.maximum(purchase.subjects, 1), np.maximum(purchase.repeats, 1))
        orders = Order(*(np.asarray(column, dtype=np.float64) for column in columns))  # pyright: ignore[reportArgumentType]
        return batch_r2(self.blocks[key], n_draws, self.size, orders, people, self.shifts or (self.shift,))


def _taken(purchase: Purchase, people: Enrolment, rows: np.ndarray) -> tuple[Purchase, Enrolment]:
    """Return some of the purchases."""
    columns = (purchase.n_task, purchase.samples, purchase.subjects, purchase.repeats)
    chosen = Purchase(*(np.asarray(column)[rows] for column in columns))
    return chosen, Enrolment(np.asarray(people.fewest)[rows], np.asarray(people.most)[rows])
