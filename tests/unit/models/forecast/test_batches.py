"""Forecasts in blocks: equal to the plain double vmap, one compilation for all sizes, bounds over people that hold."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.design.performance.purchase import PeopleSurface, Purchase
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.models.forecast import batches
from brainworth.models.forecast.forecast import (
    MAX_PEOPLE,
    SYSTEM_AXES,
    Draws,
    Order,
    PilotSize,
    order_r2,
    shifted_outcome,
)
from brainworth.models.theory.system import Spectrum, System

N_DRAWS, N_MODALITIES, N_LATENTS = 70, 2, 2


def surface(shift: float = 1.0, shared: float = 0.0) -> PosteriorSurface:
    rng = np.random.default_rng(4)
    loading = rng.normal(size=(N_DRAWS, N_LATENTS)) ** 2
    system = System(
        spectrum=Spectrum.power_law(12, 1.0),
        signal_variance=jnp.asarray(rng.lognormal(0.0, 0.2, N_DRAWS)),
        noise_variance=jnp.asarray(rng.lognormal(1.0, 0.3, N_DRAWS)),
        alignment=jnp.asarray(loading / (1.0 + loading.sum(axis=1, keepdims=True))),
        snr=jnp.asarray(rng.lognormal(-1.0, 0.5, (N_DRAWS, N_MODALITIES, N_LATENTS))),
        channels=jnp.asarray([20.0, 40.0]),
        brain_exponent=jnp.asarray(rng.normal(1.0, 0.2, N_DRAWS)),
        task_exponent=jnp.asarray(rng.normal(1.0, 0.2, N_DRAWS)),
    )
    gains = np.exp(0.5 * rng.standard_normal((N_DRAWS, N_MODALITIES, MAX_PEOPLE)))
    people = np.cumsum(gains, axis=2) / np.arange(1, MAX_PEOPLE + 1)
    two = jnp.full(N_MODALITIES, 2.0)
    size = PilotSize(
        samples=100.0 * two,
        subjects=two,
        repeats=two / 2.0,
        shared=0.0 * two,
        labels=jnp.asarray(50.0),
        new_subjects=jnp.asarray([1.0, 1.0]),
        new_shared=jnp.full(N_MODALITIES, shared),
        usable=0.45 * two,
    )
    return PosteriorSurface(("EEG", "fMRI"), Draws(system, jnp.asarray(people)), size, shift)


def orders(count: int) -> Purchase:
    rng = np.random.default_rng(count)
    people = rng.integers(1, 9, (count, N_MODALITIES)).astype(float)
    samples = people * rng.integers(0, 300, (count, N_MODALITIES))
    return Purchase(rng.integers(0, 3000, count).astype(float), samples, people, np.ones_like(people))


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("draws", [None, slice(3, None, 7)])
def test_blocks_equal_the_plain_route(shift: float, draws: slice | None) -> None:
    made, bought = surface(shift), orders(130)
    fast = made.explainable_r2(bought, draws)
    chosen = made.chosen(draws)

    def plain(system: System, people: jax.Array, size: PilotSize, order: Order) -> jax.Array:
        if shift == 1.0:
            return order_r2(system, people, size, order)
        return shifted_outcome(system, people, size, order, jnp.asarray(shift)).mean

    slow = jax.jit(jax.vmap(plain, in_axes=(SYSTEM_AXES, 0, None, None)))
    for row in (0, 64, 129):
        order = Order(
            *(jnp.asarray(np.asarray(a)[row]) for a in (bought.n_task, bought.samples, bought.subjects, bought.repeats))
        )
        np.testing.assert_allclose(fast[row], slow(chosen.system, chosen.people, made.size, order), rtol=0, atol=1e-12)


def test_the_worst_of_several_shifts_is_the_smallest_under_each() -> None:
    """Draw by draw; and the worst is not always the same factor, so that no single one would do."""
    made, bought, factors = surface(), orders(40), (0.25, 1.0, 4.0)
    under = np.array([replace(made, shift=factor).explainable_r2(bought) for factor in factors])
    worst = replace(made, shifts=factors).explainable_r2(bought)
    np.testing.assert_allclose(worst, under.min(axis=0), rtol=0, atol=1e-12)
    assert np.unique(under.argmin(axis=0)).size > 1


def test_every_batch_size_shares_one_program() -> None:
    made = surface()
    made.explainable_r2(orders(3))
    before = batches.solve_blocks.shapes()
    for count in (1, 17, 128, 129):
        assert made.explainable_r2(orders(count)).shape == (count, N_DRAWS)
        assert made.explainable_r2(orders(count), slice(0, None, 2)).shape == (count, N_DRAWS // 2)
    assert batches.solve_blocks.shapes() == before


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_bound_over_people_holds_for_every_number(shared: float) -> None:
    made, bought = surface(shared=shared), orders(40)
    assert isinstance(made, PeopleSurface)
    rng = np.random.default_rng(0)
    fewest = rng.integers(1, 4, bought.samples.shape)
    most = fewest + rng.integers(0, 8, bought.samples.shape)
    stimuli = rng.integers(10, 300, bought.samples.shape)

    def order(people: np.ndarray) -> Purchase:
        samples = stimuli * people if shared else stimuli
        return Purchase(bought.n_task, samples.astype(float), people.astype(float), bought.repeats)

    bound = made.explainable_r2_bound(order(most if shared else fewest), (fewest.astype(float), most.astype(float)))
    for _ in range(6):
        people = rng.integers(fewest, most + 1)
        assert np.all(made.explainable_r2(order(people)) <= bound + 1e-9)
    same = made.explainable_r2_bound(order(fewest), (fewest.astype(float), fewest.astype(float)))
    np.testing.assert_array_equal(same, made.explainable_r2(order(fewest)))


def test_without_the_range_the_corner_is_no_bound() -> None:
    """The wrong twin: fewest people alone are beaten, because a draw can favour more of them."""
    made, bought = surface(), orders(40)
    few = Purchase(bought.n_task, np.full_like(bought.samples, 20_000.0), np.ones_like(bought.samples), bought.repeats)
    more = Purchase(bought.n_task, few.samples, np.full_like(bought.samples, 4.0), bought.repeats)
    assert np.any(made.explainable_r2(more) > made.explainable_r2(few) + 1e-5)
