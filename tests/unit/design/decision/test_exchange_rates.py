"""Exchange rates looked up along a ladder of labels are those of the exact inverse and of the formula's derivatives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.design.decision.exchange_rates import Exchanger
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.models.forecast.exchange import Orders, replaced_labels
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.theory.performance import excess_risk, labels_for_risk_with
from brainworth.models.theory.system import Design, Spectrum, System

DRAWS, PILOT_LABELS = 5, 40.0
SAMPLES = np.array([20.0, 500.0, 20_000.0])


@pytest.fixture(scope="module")
def system() -> System:
    rng = np.random.default_rng(3)
    return System(
        spectrum=Spectrum.power_law(120, 0.8),
        signal_variance=jnp.asarray(rng.uniform(0.5, 2.0, DRAWS)),
        noise_variance=jnp.asarray(rng.uniform(0.5, 4.0, DRAWS)),
        alignment=jnp.asarray(rng.uniform(0.1, 0.4, (DRAWS, 2))),
        snr=jnp.asarray(rng.lognormal(-0.5, 0.4, (DRAWS, 2, 2))),
        channels=jnp.asarray([20.0, 60.0]),
        brain_exponent=jnp.asarray(rng.uniform(0.7, 1.3, DRAWS)),
        task_exponent=jnp.ones(DRAWS),
    )


def draw(system: System, d: int) -> System:
    return System(
        spectrum=system.spectrum,
        signal_variance=system.signal_variance[d],
        noise_variance=system.noise_variance[d],
        alignment=system.alignment[d],
        snr=system.snr[d],
        channels=system.channels,
        brain_exponent=system.brain_exponent[d],
        task_exponent=system.task_exponent[d],
    )


def around(system: System, labels: float, samples: list[float]) -> Exchanger:
    two = jnp.ones(2)
    size = PilotSize(0.0 * two, two, two, 0.0 * two, jnp.asarray(PILOT_LABELS), two, 0.0 * two, two)
    surface = PosteriorSurface(("EEG", "fMRI"), Draws(system, jnp.ones((DRAWS, 2, MAX_PEOPLE))), size)
    one = np.ones((1, 2))
    return Exchanger(surface, Purchase(np.array([labels]), np.array([samples]), one, one))


@pytest.mark.parametrize("labels", [0.0, 300.0])
def test_replaced_labels_are_the_exact_inverse(system: System, labels: float) -> None:
    found = around(system, labels, [0.0, 800.0]).replaced(0, SAMPLES)
    assert found.shape == (len(SAMPLES), DRAWS)
    held = PILOT_LABELS + labels
    exact = jax.jit(
        lambda own, n: (
            labels_for_risk_with(
                own, Design.simple(jnp.asarray([0.0, 800.0]), held), excess_risk(own, Design.simple(n, held))
            )
            - held
        )
    )
    truth = np.array([[float(exact(draw(system, d), jnp.asarray([n, 800.0]))) for d in range(DRAWS)] for n in SAMPLES])
    assert found == pytest.approx(truth, rel=1e-4, abs=1e-6)
    assert np.all(np.diff(found, axis=0) > 0)


def test_marginal_rates_are_the_formulas_derivatives(system: System) -> None:
    found = around(system, 300.0, [2000.0, 800.0]).marginal()
    design = Design.simple(jnp.asarray([2000.0, 800.0]), PILOT_LABELS + 300.0)
    slopes = [jax.grad(excess_risk, argnums=1)(draw(system, d), design) for d in range(DRAWS)]
    truth = np.stack([np.asarray(slope.n_brain / slope.n_task) for slope in slopes])
    assert found == pytest.approx(truth, rel=1e-4)
    # the wrong twin: the rates at another number of labels
    assert around(system, 900.0, [2000.0, 800.0]).marginal() != pytest.approx(truth, rel=1e-2)


def test_a_latent_that_nothing_depends_on_replaces_nothing() -> None:
    """Where the risk does not fall with samples, or not with labels, the rate is 0 and never undefined."""

    def deaf(orders: Orders) -> np.ndarray:
        return np.repeat(1.0 / (1.0 + orders.n_task[:, None]), 3, axis=1)

    def dead(orders: Orders) -> np.ndarray:
        return np.ones((len(orders.n_task), 3))

    order = Orders(np.array([50.0]), np.array([[10.0]]))
    assert np.array_equal(replaced_labels(deaf, order, 0.0, 0, SAMPLES), np.zeros((3, 3)))
    assert np.array_equal(replaced_labels(dead, order, 0.0, 0, SAMPLES), np.zeros((3, 3)))
