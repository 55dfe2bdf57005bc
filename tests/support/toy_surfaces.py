"""A closed-form surface with the shape of the real one: thresholds, two local optima, people and repeats that matter.

In: a seed and sizes. Out: a ``Surface`` that needs no posterior, for trying prices and limits, for tests and for benchmarks. It
is monotone in data exactly, as the certificate assumes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from jaxtyping import Float

from brainworth.design.performance.purchase import Purchase
from brainworth.models.forecast.spending import Spending


@dataclass(frozen=True)
class ToySurface:
    """Brain data beyond a threshold turn a many-dimensional task into a few-dimensional one."""

    modalities: tuple[str, ...]
    threshold: Float[np.ndarray, "draw modality"]
    """Samples per person below which nothing is learned."""
    half: Float[np.ndarray, "draw modality"]
    """Samples at which half of the latent is learned."""
    aligned: Float[np.ndarray, " draw"]
    """Share of the task that the latent carries."""
    few: Float[np.ndarray, " draw"]
    """Labels at which half of the aligned part is learned, the latent known."""
    many: Float[np.ndarray, " draw"]
    """Labels at which half of the rest is learned."""
    shared: tuple[bool, ...]
    step: float = 0.0
    """If positive, performance rises in steps of this height: ties and plateaus."""

    @classmethod
    def random(
        cls, rng: np.random.Generator, n_modalities: int, n_draws: int, scale: float, shared: tuple[bool, ...] = ()
    ) -> ToySurface:
        """Return a random surface whose thresholds and half-way points are around ``scale`` samples."""
        shape = (n_draws, n_modalities)
        many = scale * rng.uniform(0.3, 4.0) * rng.lognormal(0.0, 0.3, n_draws)
        half = scale * rng.uniform(0.2, 2.0, n_modalities) * rng.lognormal(0.0, 0.4, shape)
        return cls(
            modalities=tuple("ABCDEF"[:n_modalities]),
            threshold=half * rng.choice([0.0, 0.3, 1.0], n_modalities),
            half=half,
            aligned=np.clip(rng.beta(4.0, 2.0, n_draws) * rng.choice([0.2, 1.0]), 0.0, 1.0),
            few=many * rng.uniform(0.02, 0.5),
            many=many,
            shared=shared or (False,) * n_modalities,
        )

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return int(self.aligned.shape[0])

    def explainable_r2(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 per design and draw."""
        return self._performance(purchase, np.ones((1, 1, 1)), slice(None) if draws is None else draws)

    def _performance(
        self, purchase: Purchase, gain: Float[np.ndarray, "design draw modality"], rows: slice
    ) -> Float[np.ndarray, "design draw"]:
        labels = np.asarray(purchase.n_task, dtype=float)[:, None]
        return self._reached(labels, self._learned(purchase, gain, rows).sum(axis=-1), rows)

    def _learned(
        self, purchase: Purchase, gain: Float[np.ndarray, "design draw modality"], rows: slice
    ) -> Float[np.ndarray, "design draw modality"]:
        """Return what each modality teaches; modalities add up."""
        samples = np.asarray(purchase.samples, dtype=float)[:, None, :]
        people = np.asarray(purchase.subjects, dtype=float)[:, None, :]
        repeats = np.asarray(purchase.repeats, dtype=float)[:, None, :]
        # Averaging m presentations costs m samples and gains m^0.6: more than none, less than new stimuli.
        averaged = repeats * np.where(np.array(self.shared), people, 1.0)
        stimuli = gain * samples / averaged * averaged**0.6
        spread = np.where(np.array(self.shared), 1.0, people)
        return np.maximum(0.0, stimuli - self.threshold[rows] * spread**0.5) / (self.half[rows] * spread**0.3)

    def _reached(
        self, labels: Float[np.ndarray, "design 1"], learned: Float[np.ndarray, "design draw"], rows: slice
    ) -> Float[np.ndarray, "design draw"]:
        known = learned / (1.0 + learned)
        aligned = self.aligned[rows] * known
        result = aligned * labels / (labels + self.few[rows]) + (1.0 - aligned) * labels / (labels + self.many[rows])
        return result if self.step == 0 else np.floor(result / self.step) * self.step


@dataclass(frozen=True)
class ToyPeopleSurface(ToySurface):
    """A toy surface on which people differ by an uncertain amount, so that more of them can be better or worse."""

    gain: Float[np.ndarray, "draw modality people"] = field(kw_only=True)
    """Mean gain of the first 1, 2, .. people."""

    @classmethod
    def of(cls, surface: ToySurface, rng: np.random.Generator, spread: float, most: int) -> ToyPeopleSurface:
        """Return a surface whose people have log-normal gains."""
        each = rng.lognormal(0.0, spread, (surface.n_draws, len(surface.modalities), most))
        values = {f.name: getattr(surface, f.name) for f in fields(ToySurface)}
        return cls(**values, gain=np.cumsum(each, axis=2) / np.arange(1, most + 1))

    def explainable_r2(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 per design and draw."""
        people = np.maximum(np.asarray(purchase.subjects), 1)
        return self.explainable_r2_bound(purchase, (people, people), draws)

    def explainable_r2_bound(
        self,
        purchase: Purchase,
        people: tuple[Float[np.ndarray, "design modality"], Float[np.ndarray, "design modality"]],
        draws: slice | None = None,
    ) -> Float[np.ndarray, "design draw"]:
        """Return an upper bound for every number of people within ranges (fewest, most)."""
        rows = slice(None) if draws is None else draws
        return self._performance(purchase, self._best_gain(people, rows), rows)

    def _best_gain(
        self, people: tuple[np.ndarray, np.ndarray], rows: slice
    ) -> Float[np.ndarray, "design draw modality"]:
        gain, most = self.gain[rows], self.gain.shape[2]
        fewest, last = (np.clip(np.round(p), 1, most).astype(int) for p in people)
        number = np.arange(1, most + 1)
        inside = (number >= fewest[:, :, None]) & (number <= np.maximum(last, fewest)[:, :, None])
        return np.where(inside[:, None], gain[None], -np.inf).max(axis=-1)


@dataclass(frozen=True)
class ToySpendingSurface(ToyPeopleSurface):
    """A toy surface that can bound performance over all the ways to spend a sum of money."""

    counted: float = field(default=1.0, kw_only=True)
    """Share of the money for brain data that the bound counts; less than 1 makes it wrong."""
    bounds_spending: bool = field(default=True, kw_only=True)

    @classmethod
    def by(cls, surface: ToyPeopleSurface, counted: float = 1.0) -> ToySpendingSurface:
        """Return the same surface with a bound."""
        return cls(**{f.name: getattr(surface, f.name) for f in fields(ToyPeopleSurface)}, counted=counted)

    def spending_bound(self, spending: Spending, draws: slice | None = None) -> Float[np.ndarray, "set split draw"]:
        """Return an upper bound for every design of each set, by split of the money: Lagrange's, for a range of prices."""
        rows = slice(None) if draws is None else draws
        price, shape = np.asarray(spending.price), np.shape(spending.price)
        samples, subjects, repeats, fewest, most = (
            np.asarray(getattr(spending, name)).reshape(-1, shape[2])
            for name in ("samples", "subjects", "repeats", "fewest", "most")
        )
        cells = Purchase(np.zeros(len(samples)), samples, subjects, repeats)
        learned = self._learned(cells, self._best_gain((fewest, most), rows), rows)
        learned = np.moveaxis(learned.reshape(*shape[:2], -1, shape[2]), 2, 0)  # draw, set, choice, modality
        money = self.counted * np.asarray(spending.money)
        rates = np.concatenate([[0.0], np.geomspace(1e-3, 1e3, 25) / max(1.0, float(money.max()))])
        held = np.isfinite(price)
        cost = np.where(held, price, 0.0)
        bounds = [
            rate * money.T[:, None] + np.where(held, learned - rate * cost, -np.inf).max(axis=2).sum(axis=2)
            for rate in rates
        ]
        least = np.maximum(np.min(bounds, axis=0), 0.0)  # split, draw, set
        labels = np.asarray(spending.labels, dtype=float)
        return np.stack([self._reached(labels[:, k, None], least[k].T, rows) for k in range(money.shape[1])], axis=1)
