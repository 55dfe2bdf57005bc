"""Laws of the risk over random systems: more data never hurt, and the ends are what they must be.

Every system is padded to the same shape (directions that count nothing, latents that carry and record nothing), so that one
compiled program serves all of them.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from brainworth.models.theory.encoding import encode
from brainworth.models.theory.spread import risk_and_spread
from brainworth.models.theory.stage_two import plain_prior, trace_and_squared_trace
from brainworth.models.theory.system import Design, Spectrum, System

P, K, SYSTEMS = 300, 12, 60
SLACK = 1e-9
"""Largest rise that counts as none, relative to tau^2 (its square for the spread)."""
LADDER = np.concatenate([[0.0], np.geomspace(0.3, 1e9, 23)])


def random_system(rng: np.random.Generator) -> System:
    """Return 2 to 300 features, 1 to 12 latents, flat spectra to i^-3, two sources of which one may record nothing."""
    p, k = int(np.exp(rng.uniform(np.log(2), np.log(P + 1)))), int(rng.integers(1, K + 1))
    missing = P - p
    spectrum = Spectrum.power_law(p, float(rng.choice([0.0, rng.uniform(0.0, 3.0)])))
    snr = 10 ** rng.uniform(-2, 1.5, (2, k)) * (rng.uniform(size=(2, k)) < 0.8)
    snr[1] *= rng.uniform() < 0.7
    share = rng.dirichlet(10 ** rng.uniform(-1, 1) * np.ones(k + 1))[:k]
    complete = share / share.sum() if rng.uniform() < 0.2 else share
    return System(
        spectrum=Spectrum(jnp.pad(spectrum.variance, (0, missing), mode="edge"), jnp.pad(spectrum.count, (0, missing))),
        signal_variance=jnp.asarray(10 ** rng.uniform(-2, 2)),
        noise_variance=jnp.asarray(10 ** rng.uniform(-3, 3)),
        alignment=jnp.asarray(np.pad(complete * (1 - 1e-15), (0, K - k))),
        snr=jnp.asarray(np.pad(snr, ((0, 0), (0, K - k)))),
        channels=jnp.asarray(np.round(10 ** rng.uniform(0, 2.5, 2))),
        brain_exponent=jnp.asarray(rng.choice([1.0, rng.uniform(0.3, 1.5)])),
        task_exponent=jnp.asarray(rng.choice([1.0, rng.uniform(0.3, 1.5)])),
    )


@jax.jit
def ladders(system: System, at: Array) -> tuple[Array, Array]:
    """Return risk and spread of shape (count that climbs, rung): n_task, first source, second source."""
    counts = jnp.stack(
        [jnp.where(jnp.arange(3)[:, None] == climbing, jnp.asarray(LADDER), at[:, None]) for climbing in range(3)]
    )

    def one(count: Array) -> tuple[Array, Array]:
        return risk_and_spread(system, encode(system, Design.simple(count[1:], count[0])), count[0])

    flat = jnp.moveaxis(counts, 1, 2).reshape(-1, 3)
    risk, spread = jax.lax.map(one, flat, batch_size=LADDER.size)
    return risk.reshape(3, -1), spread.reshape(3, -1)


@pytest.fixture(scope="module")
def climbed() -> tuple[np.ndarray, np.ndarray]:
    """Risks over tau^2 and spreads over tau^4, (system, count that climbs, rung)."""
    rng = np.random.default_rng(0)
    risks, spreads = [], []
    for _ in range(SYSTEMS):
        system = random_system(rng)
        at = jnp.asarray(10 ** rng.uniform(-0.5, [3.0, 5.0, 5.0]))
        risk, spread = ladders(system, at)
        risks.append(np.asarray(risk / system.signal_variance))
        spreads.append(np.asarray(spread / system.signal_variance**2))
    return np.array(risks), np.array(spreads)


def test_risk_never_rises_with_any_count(climbed: tuple[np.ndarray, np.ndarray]) -> None:
    risks, _ = climbed
    assert np.diff(risks, axis=-1).max() <= SLACK
    assert np.quantile(risks[:, 1, 0] - risks[:, 1, -1], 0.7) > 0.01, "brain data do something in these systems"


def test_risk_stays_between_nothing_and_everything(climbed: tuple[np.ndarray, np.ndarray]) -> None:
    risks, spreads = climbed
    assert risks.min() >= 0.0
    assert risks.max() <= 1.0 + 1e-12
    np.testing.assert_allclose(risks[:, 0, 0], 1.0, rtol=1e-12, err_msg="no label")
    assert risks[:, 0, -1].max() < 1e-3, "a thousand million labels"
    assert np.all(np.isfinite(spreads))
    assert np.all(spreads > 0)


def test_spread_never_rises_with_labels(climbed: tuple[np.ndarray, np.ndarray]) -> None:
    assert np.diff(climbed[1][:, 0], axis=-1).max() <= SLACK


def test_spread_can_rise_with_brain_data(climbed: tuple[np.ndarray, np.ndarray]) -> None:
    """A latent that is known leaves one uncertain number; one that is not, many that average out."""
    rises = np.diff(climbed[1][:, 1:], axis=-1).max(axis=(1, 2))
    assert (rises > 1e-3).any()


def test_ends_of_brain_data() -> None:
    """No brain data is the learner without; endless brain data leave k numbers and the misaligned part to be learned."""
    rng = np.random.default_rng(1)
    both = jax.jit(
        lambda system, count: risk_and_spread(system, encode(system, Design.simple(count[1:], count[0])), count[0])
    )

    @jax.jit
    def alone(system: System, labels: Array) -> tuple[Array, Array]:
        prior, count = plain_prior(system), system.spectrum.count
        risk, squared = trace_and_squared_trace(prior, count, system.noise_variance, labels)
        return risk, 2.0 * squared

    for _ in range(10):
        system = replace(random_system(rng), snr=jnp.full((2, K), 1.0))
        labels = jnp.asarray(10 ** rng.uniform(0, 3))
        with_none, without = both(system, jnp.stack([labels, 0.0 * labels, 0.0 * labels])), alone(system, labels)
        np.testing.assert_allclose(np.asarray(with_none), np.asarray(without), rtol=1e-10)
        known = both(system, jnp.stack([labels, jnp.asarray(1e13), jnp.asarray(1e13)]))[0]
        missed = float(system.signal_variance * (1.0 - jnp.sum(system.alignment)))
        # k weights of unit-variance latents can be learned separately only where no two share a direction
        rest = replace(system, alignment=0.0 * system.alignment, signal_variance=jnp.asarray(max(missed, 1e-12)))
        assert float(known) >= float(alone(rest, labels)[0]) * (1 - 1e-6)
        assert float(known) <= float(without[0]) * (1 + 1e-9)
