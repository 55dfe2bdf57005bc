"""Laws of the performance function: limits, monotonicity, equivalences, derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.theory.encoding import encode
from brainworth.models.theory.estimators import (
    ESTIMATORS,
    BrainRidge,
    Estimator,
    LeastSquares,
    Optimal,
    Projection,
    TaskOnly,
)
from brainworth.models.theory.performance import (
    break_even_price,
    equivalent_labels,
    excess_risk,
    explainable_r2,
    labels_for_risk,
    task_only_risk,
)
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.shift import shifted_risk
from brainworth.models.theory.system import Design, Spectrum, System

CASES = {
    "flat": (0.0, 60, (0.3, 0.2), ((2.0, 0.7),), (20.0,)),
    "steep": (1.5, 200, (0.5, 0.1), ((3.0, 0.2),), (60.0,)),
    "two sources": (1.0, 120, (0.2, 0.2, 0.1), ((2.0, 1.0, 0.0), (0.3, 0.1, 0.5)), (40.0, 12.0)),
}


def make(name: str, noise: float = 1.5, tau: float = 1.0) -> System:
    exponent, p, alignment, snr, channels = CASES[name]
    return System(
        spectrum=Spectrum.power_law(p, exponent),
        signal_variance=jnp.asarray(tau),
        noise_variance=jnp.asarray(noise),
        alignment=jnp.asarray(alignment),
        snr=jnp.asarray(snr),
        channels=jnp.asarray(channels),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    ).checked()


def design(system: System, n: float, n_task: float) -> Design:
    return Design.simple([n] * system.channels.shape[0], n_task)


@pytest.fixture(params=list(CASES), scope="module")
def system(request: pytest.FixtureRequest) -> System:
    return make(request.param)


RISK = jax.jit(excess_risk)
PLAIN = jax.jit(task_only_risk)
LABELS = jax.jit(labels_for_risk)
EQUIVALENT = jax.jit(equivalent_labels)
PRICE = jax.jit(break_even_price)
SHIFTED = jax.jit(shifted_risk)
ENCODE = jax.jit(encode)


@cache
def jitted(estimator: Estimator) -> Callable[[System, Design], jax.Array]:
    return jax.jit(partial(excess_risk, estimator=estimator))


def test_no_data_at_all_leaves_the_whole_signal(system: System) -> None:
    assert float(RISK(system, design(system, 0.0, 0.0))) == pytest.approx(1.0, abs=1e-12)
    assert float(RISK(system, design(system, 500.0, 0.0))) == pytest.approx(1.0, abs=1e-12)


def test_endless_labels_leave_nothing(system: System) -> None:
    assert float(RISK(system, design(system, 100.0, 1e9))) < 1e-5


def test_zero_brain_data_equal_the_task_only_learner(system: System) -> None:
    with_none = float(RISK(system, design(system, 0.0, 300.0)))
    assert with_none == pytest.approx(float(PLAIN(system, jnp.asarray(300.0))), rel=1e-12)


def test_endless_brain_data_reveal_the_latents() -> None:
    system = make("flat")
    encoding = ENCODE(system, design(system, 1e9, 0.0))
    assert np.all(np.asarray(encoding.encoding_r2) > 1 - 1e-5)


def test_more_data_never_hurt(system: System) -> None:
    grid = np.geomspace(3, 1e5, 25)
    over_brain = [float(RISK(system, design(system, float(n), 100.0))) for n in grid]
    over_task = [float(RISK(system, design(system, 200.0, float(n)))) for n in grid]
    assert np.max(np.diff(over_brain)) < 1e-9
    assert np.max(np.diff(over_task)) < 1e-9


def test_splitting_equal_people_with_other_stimuli_only_costs_patterns() -> None:
    system = make("flat")
    one = Design.simple([600.0], 100.0)
    three = replace(one, subjects=jnp.asarray([3.0]))
    joined = replace(three, shared=jnp.asarray([1.0]))
    assert float(RISK(system, three)) > float(RISK(system, one))
    assert 0 < float(RISK(system, joined)) < 1


def test_people_with_the_same_stimuli_equal_one_person_with_more_channels() -> None:
    system = make("flat")
    joined = replace(Design.simple([600.0], 100.0), subjects=jnp.asarray([3.0]), shared=jnp.asarray([1.0]))
    one = replace(system, snr=3.0 * system.snr, channels=3.0 * system.channels)
    assert float(RISK(system, joined)) == pytest.approx(float(RISK(one, Design.simple([200.0], 100.0))), rel=1e-12)


def test_repeats_average_noise() -> None:
    system = make("flat")
    four = replace(Design.simple([400.0], 50.0), repeats=jnp.asarray([4.0]))
    louder = replace(system, snr=4.0 * system.snr)
    assert float(RISK(system, four)) == pytest.approx(float(RISK(louder, Design.simple([100.0], 50.0))), rel=1e-12)


def test_scale_of_the_label_only_scales_the_risk(system: System) -> None:
    scaled = replace(system, signal_variance=9.0 * system.signal_variance, noise_variance=9.0 * system.noise_variance)
    d = design(system, 300.0, 80.0)
    assert float(RISK(scaled, d)) == pytest.approx(9.0 * float(RISK(system, d)), rel=1e-10)


def test_labels_for_risk_inverts_the_task_only_risk(system: System) -> None:
    for n in (1.0, 37.0, 4000.0):
        risk = PLAIN(system, jnp.asarray(n))
        assert float(LABELS(system, risk)) == pytest.approx(n, rel=1e-8)


def test_equivalent_labels_reach_the_same_risk(system: System) -> None:
    d = design(system, 400.0, 90.0)
    extra = EQUIVALENT(system, d)
    assert float(extra) > 0
    assert float(PLAIN(system, d.n_task + extra)) == pytest.approx(float(RISK(system, d)), rel=1e-8)


def test_useless_source_is_worth_nothing() -> None:
    system = replace(make("two sources"), snr=jnp.asarray([[2.0, 1.0, 0.5], [0.0, 0.0, 0.0]]))
    d = design(system, 400.0, 90.0)
    assert float(PRICE(system, d)[1]) == pytest.approx(0.0, abs=1e-6)
    assert float(PRICE(system, d)[0]) > 0


@pytest.mark.parametrize("name", list(CASES))
def test_compressed_spectrum_gives_the_same_risks_and_gradients(name: str) -> None:
    system = make(name)
    small = replace(system, spectrum=compress(system.spectrum))
    assert small.spectrum.count.shape[0] <= 30
    assert float(jnp.sum(small.spectrum.count)) == pytest.approx(float(jnp.sum(system.spectrum.count)), rel=1e-12)
    gradient = jax.jit(jax.grad(excess_risk, argnums=1))
    for n, n_task in ((30.0, 10.0), (800.0, 200.0), (5000.0, 4000.0)):
        d = design(system, n, n_task)
        assert float(RISK(small, d)) == pytest.approx(float(RISK(system, d)), rel=1e-8)
        ours, full = gradient(small, d), gradient(system, d)
        assert float(ours.n_task) == pytest.approx(float(full.n_task), rel=1e-6)


def test_shift_of_one_is_no_shift_and_parts_add_up(system: System) -> None:
    d = design(system, 300.0, 80.0)
    at_one = SHIFTED(system, d, 1.0)
    assert float(at_one.excess_risk) == pytest.approx(float(RISK(system, d)), rel=1e-12)
    assert float(at_one.risk_in) >= 0
    assert float(at_one.risk_out) >= 0
    assert float(SHIFTED(system, d, 3.0).excess_risk) == pytest.approx(
        float(at_one.risk_in + 3.0 * at_one.risk_out), rel=1e-12
    )


def test_shift_onto_misaligned_part_can_turn_brain_data_into_a_disadvantage() -> None:
    # with the alignment almost complete, inside directions are learned first: at s = 0 brain data must help most
    system = make("flat")
    d = design(system, 2000.0, 40.0)
    gains = [float(SHIFTED(system, d, s).robustness_gain) for s in (0.0, 1.0, 10.0)]
    assert gains[0] > gains[1] > gains[2]


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_no_estimator_beats_the_optimal_one(name: str) -> None:
    estimator: Estimator = ESTIMATORS[name]
    for case in CASES:
        system = make(case)
        for n_task in (30.0, 400.0):
            d = design(system, 500.0, n_task)
            best = float(jitted(Optimal())(system, d))
            assert float(jitted(estimator)(system, d)) >= best * (1 - 0.02)


def test_exact_estimators_are_infinite_outside_of_their_range() -> None:
    system = make("flat")
    encoding = ENCODE(system, design(system, 200.0, 0.0))
    assert np.isinf(float(Projection().risk(system, encoding, jnp.asarray(3.0))))
    assert np.isinf(float(LeastSquares().risk(system, encoding, jnp.asarray(61.0))))
    assert np.isfinite(float(LeastSquares().risk(system, encoding, jnp.asarray(62.0))))


def test_ridge_with_vanishing_penalties_is_least_squares() -> None:
    system = make("flat")
    d = design(system, 200.0, 2000.0)
    tiny = float(jitted(BrainRidge(1e-9, 1e-9))(system, d))
    # least squares has the finite-size -1 in its denominator, the deterministic equivalent has not
    assert tiny == pytest.approx(float(jitted(LeastSquares())(system, d)), rel=0.002)


def test_task_only_estimator_ignores_brain_data(system: System) -> None:
    few, many = (float(jitted(TaskOnly())(system, design(system, n, 70.0))) for n in (0.0, 1e4))
    assert few == many


def test_one_compilation_serves_every_design() -> None:
    traces = 0

    @jax.jit
    def counted(s: System, d: Design) -> jax.Array:
        nonlocal traces
        traces += 1
        return explainable_r2(s, d)

    system = make("two sources")
    for n in (10.0, 100.0, 1000.0):
        counted(system, design(system, n, n))
    assert traces == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"noise_variance": -1.0}, "'noise_variance' of a system must be positive. Got -1.0"),
        ({"signal_variance": 0.0}, "'signal_variance'"),
        ({"alignment": [0.8, 0.4]}, "'alignment'"),
        ({"snr": [[1.0, -2.0]]}, "'snr'"),
        ({"channels": [0.0]}, "'channels'"),
    ],
)
def test_wrong_systems_are_named(change: dict[str, object], words: str) -> None:
    broken = replace(make("flat"), **{k: jnp.asarray(v) for k, v in change.items()})
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        broken.checked()


def test_wrong_designs_are_named() -> None:
    with pytest.raises(ValueError, match="'n_task' of a design must be at least 0"):
        Design.simple([1.0], -3.0).checked()
