"""Scaling laws: right inside of their range, wrong outside of it, with the exponents they state."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from brainworth.models.theory.encoding import encode
from brainworth.models.theory.performance import equivalent_labels, excess_risk, task_only_risk
from brainworth.models.theory.scaling import ScalingLaws, power_law, scaling_law
from brainworth.models.theory.system import Design, Spectrum, System

K = 3
NAMES = ("encoding_residual", "excess_risk", "task_only_risk", "label_ratio")


def draw(rng: np.random.Generator, spectrum: Spectrum) -> tuple[System, Design]:
    """Return a random system and design, many of them far outside of every law's range."""
    rho = 1 - 10 ** rng.uniform(-4, -0.05)
    system = System(
        spectrum=spectrum,
        signal_variance=jnp.asarray(rng.uniform(0.5, 2)),
        noise_variance=jnp.asarray(10 ** rng.uniform(-1, 1.5)),
        alignment=jnp.asarray(rng.dirichlet(np.ones(K) * 20) * rho),
        snr=jnp.asarray(10 ** rng.uniform(-0.5, 0.8, (2, K))),
        channels=jnp.asarray(rng.integers(5, 50, 2) * 1.0),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    n_task = jnp.asarray(10 ** rng.uniform(0.5, 5))
    return system, Design.simple(jnp.asarray(10 ** rng.uniform(2, 7, 2)), n_task)


@jax.jit
def _full(system: System, design: Design) -> tuple[Array, ...]:
    return (
        1 - encode(system, design).encoding_r2,
        excess_risk(system, design),
        task_only_risk(system, design.n_task),
        design.n_task / (equivalent_labels(system, design) + design.n_task),
    )


def plain_types(*given: System | Design) -> tuple[System | Design, ...]:
    """Return the same numbers in one type: others would be compiled for again."""
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), dtype=jnp.float64), given)


def full(system: System, design: Design) -> tuple[Array, ...]:
    return _full(*plain_types(system, design))


Errors = dict[str, tuple[np.ndarray, np.ndarray]]


def compared(laws: Callable[[System, Design], ScalingLaws], spectra: list[Spectrum]) -> Errors:
    """Return (neglected, relative error) of every law over random systems."""
    rng = np.random.default_rng(0)
    found: dict[str, list[np.ndarray]] = {name: [] for name in NAMES}
    law = jax.jit(laws)
    for spectrum in spectra:
        system, design = draw(rng, spectrum)
        ours, exact = law(*plain_types(system, design)), full(system, design)
        for name, value in zip(NAMES, exact, strict=True):
            one = getattr(ours, name)
            pair = np.broadcast_arrays(one.neglected, np.abs(np.asarray(one.value / value) - 1.0))
            found[name].append(np.atleast_2d(np.stack(pair, axis=-1)))
    return {name: tuple(np.concatenate(rows).T) for name, rows in found.items()}


@pytest.fixture(scope="module")
def isotropic() -> Errors:
    rng = np.random.default_rng(1)
    return compared(scaling_law, [Spectrum(jnp.ones(1), jnp.asarray([10 ** rng.uniform(2, 4)])) for _ in range(800)])


@pytest.mark.parametrize("name", NAMES)
def test_isotropic_laws_hold_in_their_range_and_fail_outside(isotropic: Errors, name: str) -> None:
    neglected, error = isotropic[name]
    inside = neglected <= 0.1
    assert inside.sum() > 15
    assert error[inside].max() < 0.15
    assert np.median(error[inside]) < 0.04
    near = neglected <= 1.0
    assert np.quantile(error[near] / neglected[near], 0.99) < 3.0, "what a law says it neglects bounds its error"
    far = neglected > 1.0
    assert far.sum() > 15
    assert np.median(error[far]) > 0.3, "a law without a range would be wrong"


@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_power_laws_hold_in_their_range_and_fail_outside(exponent: float) -> None:
    spectrum = Spectrum.power_law(5000, exponent)
    found = compared(lambda system, design: power_law(system, design, exponent), [spectrum] * 150)
    for name in NAMES:
        neglected, error = found[name]
        inside = neglected <= 0.1
        assert not inside.any() or error[inside].max() < 0.15, name
        near = neglected <= 0.3
        assert near.any(), name
        assert error[near].max() < 0.45, name
    for name in ("excess_risk", "label_ratio"):
        neglected, error = found[name]
        assert np.median(error[neglected > 1.0]) > 0.3, name


def _slope(function: Callable[[float], float], at: float) -> float:
    return (np.log(function(at * 1.1)) - np.log(function(at / 1.1))) / np.log(1.21)


def _system(spectrum: Spectrum, rho: float) -> System:
    return System(
        spectrum=spectrum,
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(10.0),
        alignment=jnp.full(K, rho / K),
        snr=jnp.ones((1, K)),
        channels=jnp.asarray([20.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def test_exponents_are_the_slopes_of_the_full_formula() -> None:
    flat = _system(Spectrum(jnp.ones(1), jnp.asarray([1000.0])), 0.8)
    steep = _system(Spectrum.power_law(5000, 2.0), 1e-6)
    law, power = scaling_law(flat, Design.simple([1e6], 100.0)), power_law(steep, Design.simple([1e6], 1e5), 2.0)
    assert float(power.encoding_residual.exponent) == -0.5

    def missed(system: System) -> Callable[[float], float]:
        return lambda n: float(full(system, Design.simple(jnp.asarray([n]), jnp.asarray(1.0)))[0][0])

    def plain(system: System) -> Callable[[float], float]:
        return lambda n: float(full(system, Design.simple(jnp.asarray([1.0]), jnp.asarray(n)))[2])

    def reduced(n: float) -> float:
        return float(full(flat, Design.simple(jnp.asarray([1e9]), jnp.asarray(n)))[1]) - 0.2

    assert _slope(missed(flat), 1e6) == pytest.approx(float(law.encoding_residual.exponent), abs=0.02)
    assert _slope(plain(flat), 1e6) == pytest.approx(float(law.task_only_risk.exponent), abs=0.02)
    assert _slope(reduced, 300.0) == pytest.approx(float(law.excess_risk.exponent), abs=0.12)
    assert _slope(missed(steep), 1e5) == pytest.approx(float(power.encoding_residual.exponent), abs=0.03)
    assert _slope(plain(steep), 1e5) == pytest.approx(float(power.task_only_risk.exponent), abs=0.03)


def test_complete_alignment_needs_k_over_p_of_the_labels_at_every_risk() -> None:
    system = _system(Spectrum(jnp.ones(1), jnp.asarray([400.0])), 1.0)
    for n in (5.0, 50.0, 2000.0):
        saved = float(1 - full(system, Design.simple(jnp.asarray([1e12]), jnp.asarray(n)))[3])
        assert saved == pytest.approx(1 - K / 400, abs=1e-4)


def test_power_law_refuses_exponents_without_one() -> None:
    with pytest.raises(ValueError, match="must be above 1"):
        power_law(_system(Spectrum.power_law(50, 1.0), 0.5), Design.simple([10.0], 10.0), 1.0)


def test_range_names_what_is_outside() -> None:
    even = _system(Spectrum(jnp.ones(1), jnp.asarray([1e5])), 0.5)
    law = scaling_law(even, Design.simple([1e9], 3000.0))
    assert bool(jnp.all(law.encoding_residual.within()))
    assert bool(law.excess_risk.within())
    assert not bool(law.task_only_risk.within()), "far fewer labels than features"
    assert not bool(law.label_ratio.within()), "half of the task is misaligned"
    uneven = _system(Spectrum.power_law(2000, 0.7), 0.5)
    assert not bool(scaling_law(uneven, Design.simple([1e7], 100.0)).excess_risk.within())
