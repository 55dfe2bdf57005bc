"""Shifts to any test covariance, and the part of the risk inside of the brain subspace: laws and slow routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from brainworth.models.theory.covariance import CovarianceShift, risks_under, robustness_gain
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.estimators import posterior_variance, prior_after
from brainworth.models.theory.performance import task_only_risk
from brainworth.models.theory.shift import shifted_risk
from brainworth.models.theory.subspace import risk_inside, span_share
from brainworth.models.theory.system import Design, Spectrum, System

P, K = 60, 3


def make(exponent: float, rho: float = 0.6) -> System:
    return System(
        spectrum=Spectrum.power_law(P, exponent),
        signal_variance=jnp.asarray(1.3),
        noise_variance=jnp.asarray(1.5),
        alignment=jnp.full(K, rho / K),
        snr=jnp.linspace(2.0, 1.0, K)[None, :],
        channels=jnp.asarray([20.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


SYSTEM = make(0.7)
DESIGN = Design.simple([300.0], 50.0)
FACTORS = jnp.asarray(np.random.default_rng(0).uniform(0.0, 3.0, P))


@jax.jit
def _everything(system: System, design: Design, shift: CovarianceShift, price: Array) -> dict[str, Any]:
    encoding, n = encode(system, design), design.n_task

    def inside(labels: Array, factors: Array) -> Array:
        return risk_inside(system, encoding, labels, factors)[0]

    return {
        "under": risks_under(system, design, shift),
        "shifted": shifted_risk(system, design, shift.outside),
        "covariance": jnp.sum(system.spectrum.count * shift.directions * posterior_variance(system, encoding, n)),
        "gain": robustness_gain(system, design, shift, price),
        "omega": posterior_variance(system, encoding, n),
        "encoding": encoding,
        "prior": prior_after(system, encoding),
        "inside": risk_inside(system, encoding, n),
        "slope": jax.value_and_grad(inside)(n, shift.directions),
        "plain": task_only_risk(system, n + jnp.sum(price * design.n_brain)),
    }


def ask(
    system: System = SYSTEM, n_task: float = 50.0, directions: Any = 1.0, outside: float = 1.0, price: float = 0.0
) -> dict[str, Any]:
    """Return every quantity at one point, all from one compiled program."""
    shift = CovarianceShift(jnp.broadcast_to(jnp.asarray(directions), (P,)), jnp.asarray(outside))
    given = (system, replace(DESIGN, n_task=jnp.asarray(n_task)), shift, jnp.asarray([price]))
    # one type for all: numbers of other types would be compiled for again
    return _everything(*jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), dtype=jnp.float64), given))


def test_unchanged_covariance_gives_the_risk_itself() -> None:
    found = ask(outside=3.0)
    assert float(found["covariance"]) == pytest.approx(float(found["inside"][1]), rel=1e-12)
    for ours, theirs in zip(jax.tree.leaves(found["under"]), jax.tree.leaves(found["shifted"]), strict=True):
        assert float(ours) == pytest.approx(float(theirs), rel=1e-12)


def test_uniform_scaling_scales_every_part() -> None:
    found = ask(directions=2.0, outside=3.0)
    for ours, theirs in zip(jax.tree.leaves(found["under"]), jax.tree.leaves(found["shifted"]), strict=True):
        assert float(ours) == pytest.approx(2.0 * float(theirs), rel=1e-12)


def test_risk_is_linear_in_the_covariance_and_in_the_outside_factor() -> None:
    mixed, ours, one = (float(ask(directions=f)["covariance"]) for f in (0.3 * FACTORS + 0.7, FACTORS, 1.0))
    assert mixed == pytest.approx(0.3 * ours + 0.7 * one, rel=1e-12)
    at_one, at_four = (ask(directions=FACTORS, outside=s)["under"] for s in (1.0, 4.0))
    assert float(at_one.excess_risk) == pytest.approx(ours, rel=1e-12)
    assert float(at_four.excess_risk) == pytest.approx(float(at_one.risk_in + 4.0 * at_one.risk_out), rel=1e-12)


def test_no_label_leaves_the_prior_on_every_direction() -> None:
    np.testing.assert_allclose(np.asarray(ask(n_task=0.0)["omega"]), 1.3 * np.asarray(SYSTEM.brain_shares), rtol=1e-12)


def test_posterior_variance_equals_the_dense_posterior() -> None:
    """The trace of W (C^-1 + n/x)^-1 with explicit matrices and random learned directions; 400 draws, 1 % of the trace."""
    found = ask(make(0.3))
    prior, ratio = found["prior"], float(50.0 / (1.5 + found["inside"][1]))
    rng, dense = np.random.default_rng(1), np.zeros(P)
    for _ in range(400):
        learned = np.sqrt(np.asarray(prior.learned)) * rng.standard_normal((K, P))
        covariance = np.diag(np.asarray(prior.remainder)) + learned.T @ learned
        dense += np.diag(covariance @ np.linalg.inv(np.eye(P) + ratio * covariance)) / 400
    for weight in (np.ones(P), np.linspace(0.0, 2.0, P), np.linspace(2.0, 0.0, P) ** 2):
        assert weight @ np.asarray(found["omega"]) == pytest.approx(weight @ dense, rel=0.01)
    wrong = np.asarray(prior.remainder + jnp.sum(prior.learned, axis=0))  # the prior, as if labels taught nothing
    assert abs(wrong.sum() / dense.sum() - 1.0) > 0.1


def test_equal_cost_asks_more_of_brain_data_than_equal_labels() -> None:
    labels, cost = (ask(directions=FACTORS, outside=2.0, price=price) for price in (0.0, 0.2))
    assert float(labels["gain"]) == pytest.approx(float(labels["under"].robustness_gain), rel=1e-12)
    assert float(cost["gain"]) < float(labels["gain"])
    plain = ask(price=0.2)
    assert float(plain["gain"]) == pytest.approx(float(plain["plain"] / plain["inside"][1]), rel=1e-9)


def test_shift_onto_the_misaligned_part_makes_brain_data_a_disadvantage_at_equal_cost() -> None:
    """Onto the brain's directions brain data win, onto the rest they lose: the sign changes with s."""
    system = make(0.0, rho=0.3)
    towards, away = (float(ask(system, outside=s, price=0.03)["gain"]) for s in (0.0, 10.0))
    assert towards > 1.0 > away


def test_span_share_is_the_average_projection() -> None:
    """300 random subspaces, standard error of a diagonal entry below .01: tolerance is six of them."""
    energy = np.arange(1.0, 31.0) ** -1.2
    energy /= energy.sum()
    found = np.asarray(jax.jit(span_share, static_argnums=2)(jnp.asarray(energy), jnp.ones(30), 5))
    assert found.sum() == pytest.approx(5.0, rel=1e-9)
    rng, drawn = np.random.default_rng(3), np.zeros(30)
    for _ in range(300):
        basis = np.linalg.qr(np.sqrt(energy)[:, None] * rng.standard_normal((30, 5)))[0]
        drawn += np.sum(basis**2, axis=1) / 300
    np.testing.assert_allclose(found, drawn, atol=0.06)
    assert np.max(np.abs(5 * energy - drawn)) > 0.3, "one latent at a time would be wrong here"
    everything = jax.jit(span_share, static_argnums=2)(jnp.asarray(energy), jnp.ones(30), 31)
    np.testing.assert_allclose(np.asarray(everything), 1.0, rtol=1e-9)


@pytest.mark.parametrize("exponent", [0.0, 1.5])
def test_inside_of_the_span_equals_the_dense_projection(exponent: float) -> None:
    """E e^T P e with explicit latents, learned parts and resolvent; 300 draws, false alarm below 1 in 10,000."""
    system, rng = make(exponent), np.random.default_rng(4)
    found = ask(system)
    prior, ratio = found["prior"], 50.0 / (1.5 + float(found["inside"][1]))
    h = np.asarray(system.brain_shares)
    left = np.asarray(found["encoding"].left(system.brain_shares))
    weight, drawn = 1.3 * 0.6 / K, []
    for _ in range(300):
        known = np.sqrt(h - left) * rng.standard_normal((K, P))
        latents = known + np.sqrt(left) * rng.standard_normal((K, P))
        covariance = np.diag(np.asarray(prior.remainder)) + weight * known.T @ known
        shrunk = np.linalg.inv(np.eye(P) + ratio * covariance)
        basis = np.linalg.qr(latents.T)[0]
        bias = weight * np.sum((basis.T @ shrunk @ latents.T) ** 2)
        leak = 1.3 * 0.4 * np.sum(h * (basis.T @ shrunk) ** 2)
        drawn.append(bias + leak + np.sum((basis.T @ (np.eye(P) - shrunk)) ** 2) / ratio)
    mean, error = float(np.mean(drawn)), float(np.std(drawn) / np.sqrt(300))
    assert float(found["inside"][0]) == pytest.approx(mean, abs=4 * error + 0.01 * mean)
    # the wrong twin: every latent projected on by itself, which counts several times what they have in common
    apart = np.sum(np.asarray(found["omega"]) * K * h)
    assert exponent == 0.0 or abs(apart / mean - 1.0) > 0.1


def test_gradient_of_the_span_form_is_the_finite_difference() -> None:
    slope = float(ask(directions=FACTORS)["slope"][1])
    ends = [float(ask(directions=FACTORS, n_task=50.0 + step)["slope"][0]) for step in (-1e-2, 1e-2)]
    assert slope != pytest.approx(0.0, abs=1e-4)
    # the encoding does not depend on the labels, so the slope at fixed encoding is the slope
    assert slope == pytest.approx((ends[1] - ends[0]) / 2e-2, rel=1e-5)
    assert np.isfinite(float(ask(n_task=0.0)["slope"][1]))
