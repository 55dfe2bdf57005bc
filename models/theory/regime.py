"""The map of regimes: over alignment, signal-to-noise ratio and price, whether brain data are worth collecting.

In: a system, a budget in labels, grids. Out: for every point the best share of the budget for brain data, and the risk there and
with labels alone. At a price of c labels per brain sample, a share s of a budget B buys s B / c brain samples and (1 - s) B
labels. The risk along the share has two local minima, one at no brain data and one
inside (THEORY section 4), so a descent from anywhere may end in the wrong one. The search here is global: a scan over the whole
range, denser at both ends, then refinement around the best point.

Samples are real numbers here and money is linear; ``design.sensitivity.regime`` draws the map of one study instead, with whole
people and sessions, bills in steps, and the average over a posterior, none of which a single system has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Bool, Float

from brainworth.models.theory.performance import excess_risk
from brainworth.models.theory.system import Design, System

Scalar = Float[Array, ""]
Grid = Float[Array, " point"] | Float[np.ndarray, " point"]

SCAN = np.unique(
    np.concatenate([[0.0], np.geomspace(1e-4, 0.05, 9), np.linspace(0.08, 0.92, 16), 1 - np.geomspace(1e-3, 0.05, 6)])
)
"""Brain shares of the budget that are tried; labels alone first, brain data alone is never best (M = tau^2)."""
ROUNDS = 3
"""The scan, and refinements with as many points between the neighbours of the best one."""
BLOCK = 8
"""Grid points searched together."""
WORTH = 1e-3
"""Gain in explainable R^2 above which brain data count as worth collecting; less is nothing that anyone could see."""


@register_dataclass
@dataclass(frozen=True)
class BestSplit:
    """The best way to split a budget."""

    share: Float[Array, "*point"]
    """Share of the budget for brain data."""
    excess_risk: Float[Array, "*point"]
    """Risk there, squared units of the label."""
    labels_only: Float[Array, "*point"]
    """Risk with labels for the whole budget."""
    gain: Float[Array, "*point"]
    """Explainable R^2 gained over labels only; at least 0."""

    @property
    def worthwhile(self) -> Bool[Array, "*point"]:
        """Whether brain data are worth collecting: they gain more than ``WORTH``."""
        return self.gain > WORTH


@register_dataclass
@dataclass(frozen=True)
class Budget:
    """Money, counted in labels."""

    labels: Scalar
    """How many labels the whole budget buys; above 0."""
    mix: Float[Array, " source"]
    """How brain money is split over the sources; sums to 1."""


def best_share(system: System, budget: Budget, price: Scalar | float) -> BestSplit:
    """Return the globally best split of a budget between brain data and labels.

    Parameters
    ----------
    system : System
        Known parameters; compress the spectrum first (``quadrature.compress``) where many points are asked for.
    budget : Budget
        Money in labels.
    price : scalar
        Price of a brain sample in labels, above 0.

    Notes
    -----
    For the optimal learner, one person a source; valid where ``Optimal`` is. The risk found is within 1e-6 of the best of 2000
    evenly spaced shares (tested).
    """

    def risk(share: Scalar) -> Scalar:
        n_brain = share * budget.labels * budget.mix / price
        return excess_risk(system, Design.simple(n_brain, (1.0 - share) * budget.labels))

    def search(index: int, state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        points, share, lowest, alone = state
        values = jax.vmap(risk)(points)
        best = jnp.argmin(values)
        better = values[best] < lowest
        low, high = points[jnp.maximum(best - 1, 0)], points[jnp.minimum(best + 1, SCAN.size - 1)]
        return (
            jnp.where(better, jnp.linspace(low, high, SCAN.size), points),
            jnp.where(better, points[best], share),
            jnp.where(better, values[best], lowest),
            jnp.where(index == 0, values[0], alone),
        )

    none = (jnp.asarray(SCAN), jnp.zeros(()), jnp.full((), jnp.inf), jnp.zeros(()))
    _, share, lowest, alone = jax.lax.fori_loop(0, ROUNDS, search, none)
    pays = lowest < alone
    return BestSplit(
        share=jnp.where(pays, share, 0.0),
        excess_risk=jnp.where(pays, lowest, alone),
        labels_only=alone,
        gain=jnp.where(pays, (alone - lowest) / system.signal_variance, 0.0),
    )


def scaled(system: System, alignment: Scalar | float, snr: Scalar | float) -> System:
    """Return the system with another total alignment, in the same proportions, and all signal-to-noise ratios times ``snr``.

    Parameters
    ----------
    system : System
        With an alignment above 0.
    alignment : scalar
        New rho^2, 0 to 1.
    snr : scalar
        Factor, at least 0.
    """
    proportions = system.alignment / jnp.sum(system.alignment)
    return replace(system, alignment=alignment * proportions, snr=snr * system.snr)


@jax.jit
def _map(system: System, budget: Budget, points: Float[Array, "point 3"]) -> BestSplit:
    def one(point: Float[Array, " 3"]) -> BestSplit:
        return best_share(scaled(system, point[0], point[1]), budget, point[2])

    return jax.lax.map(one, points, batch_size=BLOCK)


def regime_map(
    system: System,
    budget: Budget,
    alignment: Grid,
    snr: Grid,
    price: Grid,
) -> BestSplit:
    """Return the best split of a budget on a grid: where brain data are worth collecting.

    Parameters
    ----------
    system : System
        Everything the grids do not change.
    budget : Budget
        Money in labels, the same at every point.
    alignment : (alignment,)
        Total alignments rho^2, each in the system's proportions.
    snr : (snr,)
        Factors on the system's signal-to-noise ratios.
    price : (price,)
        Prices of a brain sample in labels, above 0.

    Returns
    -------
    BestSplit
        Every field has the shape (alignment, snr, price).

    Notes
    -----
    Compiled once per shape; see ``best_share`` for range and accuracy.
    """
    mesh = jnp.meshgrid(jnp.asarray(alignment), jnp.asarray(snr), jnp.asarray(price), indexing="ij")
    flat = jnp.stack([axis.ravel() for axis in mesh], axis=1)
    count = flat.shape[0]
    padded = jnp.pad(flat, ((0, -count % BLOCK), (0, 0)), mode="edge")  # a remainder would be compiled once more
    found = _map(system, budget, padded)
    return jax.tree.map(lambda leaf: leaf[:count].reshape(mesh[0].shape), found)
