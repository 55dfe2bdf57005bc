"""The table that the planner searches: small, and between its points as good as the surface it was made from."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from brainworth.design.allocation.costs import ModalityLimits
from brainworth.design.decision.performance_table import COMPONENT_UNIT, WEIGHT_UNIT, Fineness, Reach, performance_table
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.theory.system import Spectrum, System

_SENSITIVITY = np.array([[1.0, 0.2], [0.3, 1.5], [0.01, 0.01], [0.5, 0.5]])
"""Of each modality to each latent."""


def _surface(names: tuple[str, ...] = ("EEG",)) -> PosteriorSurface:
    draws, rng, m = 8, np.random.default_rng(5), len(names)
    one = jnp.ones(m)
    system = System(
        spectrum=Spectrum.power_law(60, 0.8),
        signal_variance=jnp.ones(draws),
        noise_variance=jnp.full(draws, 1.5),
        alignment=jnp.asarray(np.clip(rng.normal(0.35, 0.05, (draws, 2)), 0.02, 0.45)),
        snr=jnp.asarray(rng.lognormal(-0.5, 0.4, (draws, m, 2))) * jnp.asarray(_SENSITIVITY[:m]),
        channels=jnp.full(m, 20.0),
        brain_exponent=jnp.ones(draws),
        task_exponent=jnp.ones(draws),
    )
    size = PilotSize(0.0 * one, one, one, 0.0 * one, jnp.asarray(80.0), one, 0.0 * one, one)
    people = jnp.asarray(rng.lognormal(0.0, 0.3, (draws, m, MAX_PEOPLE)))
    return PosteriorSurface(names, Draws(system, people), size)


def _line(grid: list[int], at: np.ndarray, scale: float) -> np.ndarray:
    """Return the weights of a grid's points for values between them: the polynomial through the four around each."""
    points, x = np.log1p(np.array(grid) / scale), np.log1p(np.minimum(at, grid[-1]) / scale)
    first = np.clip(np.searchsorted(points, x, side="right") - 2, 0, max(points.size - 4, 0))
    found = np.zeros((x.size, points.size))
    for row, (start, value) in enumerate(zip(first, x, strict=True)):
        near = np.arange(start, min(start + 4, points.size))
        for i in near:
            others = points[near[near != i]]
            found[row, i] = np.prod((value - others) / (points[i] - others))
    return found


def _read(cube: object, *weights: np.ndarray) -> np.ndarray:
    return np.einsum("abc,na,nb,nc->n", np.array(cube), *weights)


def _random(rng: np.random.Generator, kinds: int, n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, samples and people of random purchases."""
    labels, people = rng.integers(20, 4_000, n), rng.integers(1, 21, (n, kinds))
    return labels, np.exp(rng.uniform(np.log(200), np.log(4e4), (n, kinds))).round(), people


def _truth(surface: PosteriorSurface, labels: np.ndarray, samples: np.ndarray, people: np.ndarray) -> np.ndarray:
    wide = Purchase(labels.astype(float), samples, people.astype(float), np.ones(samples.shape))
    return surface.expected(wide).mean(axis=1)


def test_between_its_points_the_table_is_the_surface() -> None:
    """At 60 random purchases the mean read off the table is within .004 of explainable R² of the surface's own."""
    surface = _surface()
    table = performance_table(surface, Reach(4_000, {"EEG": 40_000}, {"EEG": ModalityLimits(max_subjects=20)}, 3_000))
    own = table.modalities["EEG"]
    assert len(table.model_dump_json()) < 50_000
    assert (table.most_labels, own.most_people, own.returning) == (3_000, 20, None)
    assert (table.labels[0], own.samples[0], own.people[0]) == (0, 0, 1)
    assert (table.pairs, own.equivalent, table.cubic) == ([], None, True)
    labels, samples, people = _random(np.random.default_rng(1), 1)
    weights = (
        _line([p - 1 for p in own.people], people[:, 0] - 1, 1.0),  # log1p(p - 1) = log(p)
        _line(own.samples, samples[:, 0], own.sample_scale),
        _line(table.labels, labels, table.label_scale),
    )
    assert np.abs(_read(own.mean, *weights) - _truth(surface, labels, samples, people)).max() < 0.004


def test_two_modalities_together_are_the_surface() -> None:
    """At 60 random purchases of both, by the sum of what each adds and what the pair adds to it; without the pair far off."""
    names = ("EEG", "fMRI")
    surface = _surface(names)
    extent = Reach(4_000, dict.fromkeys(names, 40_000), dict.fromkeys(names, ModalityLimits()))
    table = performance_table(surface, extent)
    assert table.pairs is not None
    (pair,) = table.pairs
    assert pair.names == names
    assert len(pair.model_dump_json()) < 12_000
    labels, samples, people = _random(np.random.default_rng(2), 2)
    here = _line(table.labels, labels, table.label_scale)
    places, reached = [], []
    for m, name in enumerate(names):
        own = table.modalities[name]
        weights = (
            _line([p - 1 for p in own.people], people[:, m] - 1, 1.0),
            _line(own.samples, samples[:, m], own.sample_scale),
            here,
        )
        counted = own.sample_scale * np.expm1(_read(own.equivalent, *weights))
        places.append(_line(pair.samples[m], counted, own.sample_scale))
        reached.append(_read(own.mean, *weights))
    alone = here @ np.array(table.modalities["EEG"].mean)[0, 0]
    added = reached[0] + reached[1] - alone
    truth = _truth(surface, labels, samples, people)
    mended = added + _read(pair.mean, *places, _line(pair.labels, labels, table.label_scale))
    assert np.abs(mended - truth).max() < 0.006
    assert np.abs(added - truth).max() > 0.03


def test_people_of_the_pilot_who_return_are_not_a_choice() -> None:
    limits = ModalityLimits(new_subjects=False, pilot_subjects=5)
    table = performance_table(_surface(), Reach(500, {"EEG": 2_000}, {"EEG": limits}))
    assert (table.modalities["EEG"].people, table.modalities["EEG"].returning) == ([5], 5)


def test_components_and_weights_are_what_every_draw_reaches() -> None:
    surface = _surface()
    table = performance_table(
        surface,
        Reach(4_000, {"EEG": 40_000}, {"EEG": ModalityLimits()}),
        Fineness(labels=8, samples=6, components=True),
    )
    own = table.modalities["EEG"]
    assert own.components is not None
    assert own.weights is not None
    made = np.einsum("kpst,kd->pstd", np.array(own.components) * COMPONENT_UNIT, np.array(own.weights) * WEIGHT_UNIT)
    labels = np.array(table.labels, dtype=float)
    wide = Purchase(labels, *(np.full((labels.size, 1), float(n)) for n in (own.samples[3], own.people[2], 1)))
    np.testing.assert_allclose(made[2, 3, 2:], surface.expected(wide)[2:], atol=0.005)
    np.testing.assert_allclose(made.mean(axis=-1)[:, :, 2:], np.array(own.mean)[:, :, 2:], atol=0.005)


def test_of_many_modalities_the_best_three_are_mixed() -> None:
    """The third of four, which hardly sees anything, is in no pair."""
    names = ("A", "B", "C", "D")
    extent = Reach(2_000, dict.fromkeys(names, 20_000), dict.fromkeys(names, ModalityLimits()))
    table = performance_table(_surface(names), extent, Fineness(pair_labels=3, pair_samples=3))
    assert [pair.names for pair in table.pairs or []] == [("A", "B"), ("A", "D"), ("B", "D")]
