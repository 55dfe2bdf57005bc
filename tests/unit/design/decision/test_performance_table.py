"""The table that the planner searches: small, and between its points as good as the surface it was made from."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from scipy.interpolate import RegularGridInterpolator

from brainworth.design.allocation.costs import ModalityLimits
from brainworth.design.decision.performance_table import COMPONENT_UNIT, WEIGHT_UNIT, Fineness, Reach, performance_table
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.theory.system import Spectrum, System


def _surface() -> PosteriorSurface:
    draws, rng, one = 8, np.random.default_rng(5), jnp.ones(1)
    system = System(
        spectrum=Spectrum.power_law(60, 0.8),
        signal_variance=jnp.ones(draws),
        noise_variance=jnp.full(draws, 1.5),
        alignment=jnp.asarray(np.clip(rng.normal(0.35, 0.05, (draws, 2)), 0.02, 0.45)),
        snr=jnp.asarray(rng.lognormal(-0.5, 0.4, (draws, 1, 2))),
        channels=jnp.asarray([20.0]),
        brain_exponent=jnp.ones(draws),
        task_exponent=jnp.ones(draws),
    )
    size = PilotSize(0.0 * one, one, one, 0.0 * one, jnp.asarray(80.0), one, 0.0 * one, one)
    people = jnp.asarray(rng.lognormal(0.0, 0.3, (draws, 1, MAX_PEOPLE)))
    return PosteriorSurface(("EEG",), Draws(system, people), size)


def test_between_its_points_the_table_is_the_surface() -> None:
    """At 60 random purchases the mean read off the table is within .004 of explainable R² of the surface's own."""
    surface = _surface()
    table = performance_table(surface, Reach(4_000, {"EEG": 40_000}, {"EEG": ModalityLimits(max_subjects=20)}, 3_000))
    own = table.modalities["EEG"]
    assert len(table.model_dump_json()) < 300_000
    assert (table.most_labels, own.most_people, own.returning) == (3_000, 20, None)
    assert (table.labels[0], own.samples[0], own.people[0]) == (0, 0, 1)
    read = RegularGridInterpolator(
        (
            np.log(own.people),
            np.log1p(np.array(own.samples) / own.sample_scale),
            np.log1p(np.array(table.labels) / table.label_scale),
        ),
        np.array(own.mean),
    )
    rng = np.random.default_rng(1)
    labels = rng.integers(20, 4_000, 60)
    samples, people = np.exp(rng.uniform(np.log(200), np.log(4e4), 60)).round(), rng.integers(1, 21, 60)
    wide = Purchase(labels.astype(float), samples[:, None], people[:, None].astype(float), np.ones((60, 1)))
    truth = surface.expected(wide).mean(axis=1)
    points = (np.log(people), np.log1p(samples / own.sample_scale), np.log1p(labels / table.label_scale))
    error = read(np.stack(points, axis=1)) - truth
    assert np.abs(error).max() < 0.004


def test_people_of_the_pilot_who_return_are_not_a_choice() -> None:
    limits = ModalityLimits(new_subjects=False, pilot_subjects=5)
    table = performance_table(_surface(), Reach(500, {"EEG": 2_000}, {"EEG": limits}))
    assert (table.modalities["EEG"].people, table.modalities["EEG"].returning) == ([5], 5)


def test_components_and_weights_are_what_every_draw_reaches() -> None:
    surface = _surface()
    table = performance_table(
        surface,
        Reach(4_000, {"EEG": 40_000}, {"EEG": ModalityLimits()}),
        Fineness(labels=8, samples=6, cubic=True, components=True),
    )
    own = table.modalities["EEG"]
    assert table.cubic
    assert own.components is not None
    assert own.weights is not None
    made = np.einsum("kpst,kd->pstd", np.array(own.components) * COMPONENT_UNIT, np.array(own.weights) * WEIGHT_UNIT)
    labels = np.array(table.labels, dtype=float)
    wide = Purchase(labels, *(np.full((labels.size, 1), float(n)) for n in (own.samples[3], own.people[2], 1)))
    np.testing.assert_allclose(made[2, 3, 2:], surface.expected(wide)[2:], atol=0.005)
    np.testing.assert_allclose(made.mean(axis=-1)[:, :, 2:], np.array(own.mean)[:, :, 2:], atol=0.005)
