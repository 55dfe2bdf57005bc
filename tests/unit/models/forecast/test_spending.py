"""The bound over all the ways to spend a sum of money: no design of a set exceeds it, and wrong prices are caught."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.models.forecast import spending
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.forecast.spending import (
    Spending,
    _best_gain,  # pyright: ignore[reportPrivateUsage]
    _best_of_powers,  # pyright: ignore[reportPrivateUsage]
)
from brainworth.models.theory.encoding import source_precisions
from brainworth.models.theory.system import Channels, Spectrum, System

N_DRAWS, N_MODALITIES, N_LATENTS, CHOICES = 40, 3, 2, 4
SYSTEMS = 12
SIZES = (12, 45)
"""Features; each size is compiled once."""


def surface(seed: int) -> PosteriorSurface:
    """Return random draws: weak and strong latents, people who return or are new, who see the same stimuli or others."""
    rng = np.random.default_rng(seed)
    loading = rng.normal(size=(N_DRAWS, N_LATENTS)) ** 2
    system = System(
        spectrum=Spectrum.power_law(SIZES[int(rng.integers(5, 60)) > 30], float(rng.uniform(0.0, 2.0))),
        signal_variance=jnp.asarray(rng.lognormal(0.0, 0.2, N_DRAWS)),
        noise_variance=jnp.asarray(rng.lognormal(0.0, 1.0, N_DRAWS)),
        alignment=jnp.asarray(loading / (rng.uniform(0.1, 1.0) + loading.sum(axis=1, keepdims=True))),
        snr=jnp.asarray(rng.lognormal(rng.uniform(-3.0, 1.0), 1.0, (N_DRAWS, N_MODALITIES, N_LATENTS))),
        channels=jnp.asarray(rng.integers(2, 60, N_MODALITIES).astype(float)),
        brain_exponent=jnp.asarray(rng.normal(1.0, 0.2, N_DRAWS)),
        task_exponent=jnp.asarray(rng.normal(1.0, 0.2, N_DRAWS)),
        shared_noise=jnp.asarray(rng.uniform(0.0, 0.5, (N_DRAWS, N_MODALITIES))) if rng.random() < 0.3 else None,
    )
    gains = np.exp(0.5 * rng.standard_normal((N_DRAWS, N_MODALITIES, MAX_PEOPLE)))
    people = np.cumsum(gains, axis=2) / np.arange(1, MAX_PEOPLE + 1)
    one = jnp.ones(N_MODALITIES)
    size = PilotSize(
        samples=jnp.asarray(rng.integers(0, 200, N_MODALITIES).astype(float)),
        subjects=2.0 * one,
        repeats=one,
        shared=jnp.asarray(rng.integers(0, 2, N_MODALITIES).astype(float)),
        labels=jnp.asarray(float(rng.integers(0, 40))),
        new_subjects=jnp.asarray(rng.integers(0, 2, N_MODALITIES).astype(float)),
        new_shared=jnp.zeros(N_MODALITIES),
        usable=0.9 * one,
    )
    return PosteriorSurface(("A", "B", "C"), Draws(system, jnp.asarray(people)), size)


def designs_and_set(seed: int, dearer: float = 1.0) -> tuple[Purchase, Spending]:
    """Return random designs within a sum of money, and the set they are from; its prices times ``dearer``.

    The first cell is nothing; a cell holds up to twice as many samples as it does at least, at the price of the least.
    """
    rng = np.random.default_rng(seed)
    unit, setup = rng.uniform(0.2, 3.0, N_MODALITIES), rng.uniform(0.0, 40.0, N_MODALITIES)
    money, label = float(rng.uniform(100.0, 3000.0)), float(rng.uniform(0.2, 4.0))
    low = np.concatenate([np.zeros((1, N_MODALITIES)), rng.uniform(5.0, 800.0, (CHOICES - 1, N_MODALITIES))])
    low, high = np.floor(low), np.floor(2.0 * low)
    fewest = rng.integers(1, 70, low.shape)
    most = fewest + rng.integers(0, 9, low.shape)
    price = np.where(low > 0, unit * low + setup, 0.0)
    count = 4000
    cell = rng.integers(0, CHOICES, (count, N_MODALITIES))
    every = np.arange(N_MODALITIES)
    samples = np.floor(low[cell, every] + rng.random(cell.shape) ** 3 * (high - low)[cell, every])
    people = rng.integers(fewest[cell, every], most[cell, every] + 1)
    spent = np.where(samples > 0, unit * samples + setup, 0.0).sum(axis=1)
    held = np.flatnonzero(spent <= money)
    labels = np.floor((money - spent[held]) / label * np.where(rng.random(held.size) < 0.8, 1.0, 0.5))
    edges = money * np.arange(3) / 2
    asked = Spending(
        samples=high[None],
        subjects=fewest[None],
        repeats=np.ones_like(high)[None],
        fewest=fewest[None],
        most=most[None],
        price=dearer * price[None],
        money=edges[None, 1:],
        labels=np.floor((money - edges[None, :-1]) / label),
    )
    bought = Purchase(labels, samples[held], people[held].astype(float), np.ones((held.size, N_MODALITIES)))
    return bought, asked


def excess(seed: int, dearer: float = 1.0) -> tuple[float, float]:
    """Return by how much designs exceed the bound at most, and how far the bound is above them, on average over draws."""
    made, (bought, asked) = surface(seed), designs_and_set(seed, dearer)
    values = made.explainable_r2(bought).max(axis=0)
    bound = made.spending_bound(asked)[0].max(axis=0)
    return float((values - bound).max()), float((bound - values).mean())


def test_no_design_within_the_money_exceeds_the_bound() -> None:
    over, above = np.array([excess(seed) for seed in range(SYSTEMS)]).T
    assert over.max() <= 1e-9
    assert above.min() >= 0.0
    assert np.median(above) < 0.15, "a bound that says nothing holds, too"


def test_prices_that_are_too_high_are_caught() -> None:
    """The wrong twin: cells that claim to cost thirty times as much leave designs out, and some exceed the bound."""
    assert max(excess(seed, dearer=30.0)[0] for seed in range(SYSTEMS)) > 1e-3


def test_money_without_end_is_no_tighter_than_the_corner_and_less_money_is_no_looser() -> None:
    made = surface(3)
    _, asked = designs_and_set(3)
    rich = replace(asked, money=np.full((1, 2), 1e9))
    corner = Purchase(
        np.asarray(asked.labels)[0, :1],
        np.asarray(asked.samples).max(axis=1),
        np.asarray(asked.fewest)[:, 1],
        np.ones((1, N_MODALITIES)),
    )
    assert np.all(made.spending_bound(rich)[0, 0] >= made.explainable_r2(corner)[0] - 1e-9)
    before = made.spending_bound(asked)[0]
    assert np.all(made.spending_bound(replace(asked, money=0.5 * np.asarray(asked.money)))[0] <= before + 1e-9)
    assert np.all(made.spending_bound(rich)[0] >= before - 1e-9)


def test_bound_does_not_depend_on_batching_and_compiles_once() -> None:
    made = surface(1)
    sets = [designs_and_set(seed)[1] for seed in range(70)]
    together = Spending(
        *(np.concatenate([np.asarray(getattr(s, n)) for s in sets]) for n in Spending.__dataclass_fields__)
    )
    bounds = made.spending_bound(together)
    shapes = spending.solve_spending.shapes()
    for row in (0, 69):
        assert np.array_equal(made.spending_bound(sets[row])[0], bounds[row])
    assert spending.solve_spending.shapes() == shapes
    few = made.spending_bound(sets[5], slice(0, N_DRAWS, 2))
    assert few.shape == (1, 2, N_DRAWS // 2)
    np.testing.assert_allclose(few[0], bounds[5, :, ::2], rtol=1e-12)


def test_what_a_source_teaches_rises_with_samples_and_falls_with_what_stays_unknown() -> None:
    """What the bound rests on, over random sources: repeats of known stimuli and fewer people teach more, too."""
    rng = np.random.default_rng(0)
    shape = (3000,)
    samples, snr = rng.lognormal(3.0, 3.0, shape), rng.lognormal(-1.0, 2.0, shape)
    channels, kappa = rng.lognormal(3.0, 1.5, shape), rng.uniform(0.0, 0.9, shape) * rng.integers(0, 2, shape)
    unknown = rng.uniform(0.0, 1.0, shape)

    def taught(n: np.ndarray, m: np.ndarray, repeats: float = 1.0, people: float = 1.0) -> np.ndarray:
        view = Channels(
            *map(jnp.asarray, (n / people, people + 0 * n, repeats * snr, channels, repeats * kappa, 1 - kappa))
        )
        return np.asarray(source_precisions(jnp.asarray(m), view.snr, view))

    base = taught(samples, unknown)
    slack = 1e-9 * (1.0 + base)
    assert np.all(taught(1.2 * samples, unknown) >= base - slack)
    assert np.all(taught(samples, 0.9 * unknown) >= base - slack)
    assert np.all(taught(samples, unknown, repeats=3.0) >= base - slack)
    assert np.all(taught(samples, unknown, people=3.0) <= base + slack)


@pytest.mark.parametrize("range_", [(1, 1), (1, 64), (3, 10), (17, 18), (60, 90), (70, 80)])
def test_best_gain_of_a_range_is_that_of_its_people(range_: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    people = rng.lognormal(size=(N_MODALITIES, MAX_PEOPLE))
    asked = jax.tree.map(lambda leaf: np.asarray(leaf)[0], designs_and_set(0)[1])
    ends = [np.full((CHOICES, N_MODALITIES), float(end)) for end in range_]
    found = _best_gain(_best_of_powers(jnp.asarray(people)), replace(asked, fewest=ends[0], most=ends[1]))
    low, high = (min(end, MAX_PEOPLE) for end in range_)
    assert np.asarray(found)[0] == pytest.approx(people[:, low - 1 : high].max(axis=1))
