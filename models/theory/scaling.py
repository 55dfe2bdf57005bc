"""Scaling laws: the performance function to leading order, with exponents, and where they hold.

In: a system and a design. Out: the laws as numbers, and for each law the sum of what it neglects, which is its relative
error to first order. Two regimes are known in closed form. Our derivation (THEORY section 4); T_j = sum of n phi_j over sources.

Isotropic features, h_i = 1/p (``scaling_law``):

    1 - c_j^2  ~  p / T_j                                                         T_j >> p, q
    M          ~  tau^2 (1 - rho^2) + (sigma^2 + tau^2 (1 - rho^2)) k / n         k << n << p x / m, strong brain data
    M_0        ~  sigma^2 p / n                                                   task only, n >> p
    labels with brain data / labels without, at equal risk  ~  k / p              rho^2 -> 1, strong brain data

First: patterns are known when T_j >> q, read-outs are then worth their full precision, and M_a = p / T_j. Second: z -> 1 while
the labels are too few to learn the misaligned part, and t_j / (1 + n t_j / x) -> x / n. Last: with perfect encoding,
rho^2 = 1 and equal shares the informed learner solves the task-only problem with k in place of p, at every risk.

Steep features, h_i = C i^-a with a > 1 (``power_law``). The sum over directions becomes an integral,
sum_i 1 / (i^a + N) ~ K N^(1/a - 1), K = (pi/a) / sin(pi/a), as long as 1 << N^(1/a) << p, so that

    1 - c_j^2  ~  K C^(1/a) T_j^-(1 - 1/a)
    M          ~  K (tau^2 (1 - rho^2) C)^(1/a) (sigma^2 / n)^(1 - 1/a)
    M_0        ~  K (tau^2 C)^(1/a) (sigma^2 / n)^(1 - 1/a)
    labels with brain data / labels without, at equal risk  ~  (1 - rho^2)^(1 / (a - 1))

where the k learned directions add only x k / (a n) to M. Brain data are then worth a constant *factor* of labels. What can go
wrong: a law outside of its range; ``Law.within`` says so, and the tests show the laws fail there.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Bool, Float

from brainworth.models.theory.system import Design, System, effective_channels

Scalar = Float[Array, ""]


@register_dataclass
@dataclass(frozen=True)
class Law:
    """One law at one design."""

    value: Float[Array, "*latent"]
    """What the law predicts."""
    exponent: Scalar
    """Power of the sample number (of brain samples for the encoding residual, else of labels) in what samples reduce."""
    neglected: Float[Array, "*latent"]
    """Sum of the quantities the law takes to be small: its relative error to first order."""

    def within(self, tolerance: float = 0.1) -> Bool[Array, "*latent"]:
        """Return whether the configuration is inside the range of validity, at a relative error of about ``tolerance``."""
        return self.neglected <= tolerance


@register_dataclass
@dataclass(frozen=True)
class ScalingLaws:
    """The laws of one regime."""

    encoding_residual: Law
    """1 - c_j^2, share of each latent that the encoder misses."""
    excess_risk: Law
    """M of the brain-informed learner, squared units of the label."""
    task_only_risk: Law
    """M_0 without brain data."""
    label_ratio: Law
    """Labels with brain data over labels without, at equal risk; 1 minus it is the savings fraction. Exponent 0."""


def scaling_law(system: System, design: Design) -> ScalingLaws:
    """Return the laws for isotropic features and strong brain data.

    Parameters
    ----------
    system : System
        Known parameters.
    design : Design
        Numbers of samples; some brain data and at least one label.

    Notes
    -----
    Where ``within(0.1)``, each law is within 15 % of the full formula, median below 4 % (over random systems, see the tests);
    where ``neglected`` exceeds 1 it is off by a factor. An uneven spectrum is among the things neglected.
    """
    p, k, n = jnp.sum(system.spectrum.count), system.alignment.shape[0], design.n_task
    tau, noise, share = system.signal_variance, system.noise_variance, system.signal_variance * system.alignment
    uneven = jnp.maximum(_uneven(system, system.brain_shares), _uneven(system, system.task_shares))
    total, spread, patterns = _evidence(system, design)
    missed = p / total
    floor, lost = tau - jnp.sum(share), jnp.sum(share * jnp.minimum(missed, 1.0))
    x = noise + floor
    risk = floor + x * k / n
    unlearned = jnp.sum(share * x / (x + n * share))
    omitted = lost + floor * n * (floor + lost) / (p * x) + jnp.abs(x * k / n - unlearned) + x * (k / n) ** 2
    few = _isotropic(tau, noise, k, n)
    even = tau * k * (noise + few) / (k * (noise + few) + n * tau)
    uneven_share = jnp.abs(jnp.sum(share * (noise + few) / (noise + few + n * share)) - even) / even
    amplified = tau / jnp.maximum(tau - few, 1e-300)
    return ScalingLaws(
        encoding_residual=Law(missed, -jnp.ones(()), uneven + p * spread / total**2 + missed + patterns / total),
        excess_risk=Law(risk, -jnp.ones(()), uneven + omitted / risk),
        task_only_risk=Law(noise * p / n, -jnp.ones(()), uneven + p / n + p * noise / (n * tau)),
        label_ratio=Law(k / p, jnp.zeros(()), uneven + ((floor + lost) / few + uneven_share) * amplified),
    )


def power_law(system: System, design: Design, exponent: float) -> ScalingLaws:
    """Return the laws for shares h_i = C i^-exponent and strong brain data.

    Parameters
    ----------
    system : System
        Known parameters; an uncompressed spectrum, whose largest share is C.
    design : Design
        Numbers of samples; some brain data and at least one label.
    exponent : float
        a > 1 of the shares (exponent of the spectrum times source exponent), the same for latents and misaligned part.

    Raises
    ------
    ValueError
        If the exponent is 1 or less: the risk then depends on n / p, and there is no power law.

    Notes
    -----
    Where ``within(0.1)``, each law is within 15 % of the full formula (see the tests).
    """
    if not exponent > 1.0:
        raise ValueError(f"The 'exponent' of a power law must be above 1. Got {exponent} instead.")
    a, k, n = exponent, system.alignment.shape[0], design.n_task
    p, largest = jnp.sum(system.spectrum.count), jnp.max(system.brain_shares)
    constant = (jnp.pi / a) / jnp.sin(jnp.pi / a)
    tau, noise = system.signal_variance, system.noise_variance
    total, spread, patterns = _evidence(system, design)

    def law(amount: Array) -> tuple[Array, Array]:
        """Return sum_i 1 / (i^a + N) and its relative error, first direction and tail."""
        front = amount ** (1.0 / a)
        ends = 0.5 / front + (front / p) ** (a - 1.0) / (a - 1.0)
        return constant * front / amount, ends / constant

    missed, ends = law(largest * total)
    missed = largest * missed
    floor = tau * (1.0 - jnp.sum(system.alignment))
    lost = jnp.sum(tau * system.alignment * jnp.minimum(missed, 1.0))
    informed, informed_ends = law(n * floor * largest / noise)
    plain, plain_ends = law(n * tau * largest / noise)
    informed, plain = floor * largest * informed, tau * largest * plain
    steep = 1.0 - 1.0 / a
    learned = (noise * k / (a * n) + lost) / informed
    informed_error = informed_ends + learned + steep * informed / noise
    plain_error = plain_ends + steep * plain / noise
    slope = -steep * jnp.ones(())
    return ScalingLaws(
        encoding_residual=Law(missed, slope, ends + steep * missed * spread / total + patterns / total),
        excess_risk=Law(informed, slope, informed_error),
        task_only_risk=Law(plain, slope, plain_error),
        label_ratio=Law((floor / tau) ** (1.0 / (a - 1.0)), jnp.zeros(()), (informed_error + plain_error) / steep),
    )


def _uneven(system: System, shares: Float[Array, " node"]) -> Scalar:
    """Return p sum h_i^2 - 1, which is 0 for isotropic features."""
    return jnp.sum(system.spectrum.count) * jnp.sum(system.spectrum.count * shares**2) - 1.0


def _evidence(system: System, design: Design) -> tuple[Array, Array, Array]:
    """Return T_j = sum n phi_j, sum n phi_j^2, and the number of channel weights that have to be learned."""
    view = effective_channels(system, design)
    samples = (view.multiplicity * view.samples)[:, None]
    used = view.samples[:, None] * view.snr > 0
    total = jnp.sum(samples * view.snr, axis=0)
    patterns = jnp.sum(jnp.where(used, (view.multiplicity * view.channels)[:, None], 0.0), axis=0)
    return jnp.maximum(total, 1e-300), jnp.sum(samples * view.snr**2, axis=0), patterns


def _isotropic(tau: Scalar, noise: Scalar, k: int, n: Scalar) -> Scalar:
    """Return M = tau^2 k x / (k x + n tau^2), x = sigma^2 + M: the task-only risk with k isotropic directions."""
    b = noise * k + n * tau - tau * k
    return (-b + jnp.sqrt(b * b + 4.0 * k * k * tau * noise)) / (2.0 * k)
