"""The hierarchical model of a pilot: sites and plates only; likelihoods are plain functions of models/evidence.py.

In: ``PilotEvidence`` (data) and ``Priors``. Out: a NumPyro model whose sites are the parameters of the performance
function. Subjects are partially pooled within a modality, latents are shared by all modalities, regression weights
are integrated out, and the attenuation of everything that was *learned* from the pilot (channel patterns: q_c, latent
maps: c^2) is computed from the parameters by the same stage-1 theory that later forecasts, never plugged in.

=====================  ================================================================================
site                   meaning and prior
=====================  ================================================================================
``log_snr``            log phi per modality and latent: Normal(literature value, wide), decaying over latents
``brain_exponent``     source exponent of the latents: Normal(1, 0.35), inside [0, 2]
``gain_spread``        spread of log signal-to-noise over people: HalfNormal(0.6)
``gain``               a person's own log gain: Normal(0, gain_spread)
``loading``            signed task weights relative to the misaligned part, normal with the variance s / (1 - s), s ~ Beta(a, b),
                       split over the latents present: the alignment is about Beta(a, b), by default with much of it near 0
                       and all of [0, 1] possible
``latent_power``       variance that a latent has in this world, relative to the average over worlds: log-normal with the variance
                       2 sum h_i^2 of a quadratic form in Gaussian weights
``noise_level``        error of the read-outs' noise variance where noise is heavy-tailed: Normal(0, ``level_error``)
``explainable``        share of the label variance that features can explain, tau^2/(tau^2 + sigma^2): Beta, uniform if not given
``scale``              log of the total label variance over worlds, labels standardised: Normal(0, 0.5); that of one world
                       differs from it by up to 40 % where the spectrum is steep
``task_exponent``      source exponent of the misaligned part, on a grid, summed out
=====================  ================================================================================

What can go wrong: chains that do not mix (the health gate reads R-hat, ESS and divergences); data that contradict the
prior (health gate); latents beyond the second order of the theory (health gate: backtest).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float, Int

from .encoding import encode, readout_overlaps, readout_snr
from .evidence import EXPONENTS, BrainEvidence, PilotEvidence, look_up
from .system import Design, Spectrum, System

LATENT_DECAY = 0.5
"""Prior decay of log phi from one latent to the next."""
SLOPE_LEVEL = 2.0
"""Prior standard deviation of the common level of people's slopes."""
UNKNOWN_SLOPE = 1e3
"""Standard error of a slope from which on nothing is known of the person."""
EXPONENT_SCALE = 0.5
"""Prior standard deviation of the misaligned part's source exponent around 1."""
SCALE_SPREAD = 0.5
"""Prior standard deviation of the log of the label variance around that of the pilot's labels."""
PRESENCE = 0.05
"""Signal-to-noise ratio at which a latent counts as half present."""
READOUT_WEIGHT = 0.5
"""Power of the read-outs' likelihood.

It is a composite likelihood: latents are taken one by one, though they were rotated against each other; filters of
different folds share samples; what the filters learned is taken at its expected value. Such a likelihood is too
sharp (Pauli, Racugno & Ventura 2011): against simulated pilots of 1 to 4 people (400 samples, 20 channels, 60 features; 1,500,
40, 120) the signed root of its ratio at the truth had a root mean square of 1.3 to 1.6 instead of 1.
"""


@register_dataclass
@dataclass(frozen=True)
class Priors:
    """Prior locations and scales; defaults by kind of modality come from the literature."""

    log_snr: Float[Array, " modality"]
    """Mean of log phi of the first latent in one sample."""
    log_snr_scale: Float[Array, " modality"]
    """Standard deviation of log phi."""
    gain_spread: Float[Array, " modality"]
    """Scale of the half-normal prior of the spread over people."""
    alignment: Float[Array, " two"]
    """Parameters (a, b) of the alignment: rho^2/(1 - rho^2) is s/(1 - s), s ~ Beta(a, b), times a mean of squared normal
    variables over the latents, so that with several latents rho^2 is about Beta(a, b)."""
    explainable: Float[Array, " two"] = field(default_factory=lambda: jnp.ones(2))
    """Parameters of the Beta prior of the explainable share of the label variance; uniform by default."""


def pilot_design(brain: BrainEvidence, share: Float[Array, ""] | float = 1.0) -> Design:
    """Return the pilot as a design with one source a modality; ``share`` of its samples."""
    return Design(
        n_brain=brain.samples * share,
        n_task=jnp.zeros(()),
        subjects=brain.subjects,
        repeats=brain.repeats,
        shared=brain.shared,
        alike=brain.alike,
    )


def as_whitened(system: System, efficiency: Float[Array, " modality"]) -> System:
    """Return the system as an encoder sees it that had to learn the noise covariance from the pilot."""
    return replace(system, snr=system.snr * efficiency[:, None])


def presence(snr: Float[Array, "modality latent"]) -> Float[Array, " latent"]:
    """Return how present each latent is in the best modality, between 0 and 1."""
    best = jnp.max(snr, axis=0)
    return best / (best + PRESENCE)


def alignment_of(loading: Float[Array, " latent"]) -> Float[Array, " latent"]:
    """Return e_j = s_j^2 / (1 + sum s^2): shares of the explainable variance; the rest is misaligned."""
    return loading**2 / (1.0 + jnp.sum(loading**2))


def relative_gains(
    brain: BrainEvidence, gain: Float[Array, " person"], modality_of: Int[Array, " person"]
) -> Float[Array, " person"]:
    """Return people's signal-to-noise ratios relative to the mean of the recorded people of their modality."""
    seen = (brain.person_samples > 0).astype(float)
    n_modalities = brain.samples.shape[0]
    raw = jnp.exp(gain)
    total = jax.ops.segment_sum(seen * raw, modality_of, n_modalities)
    count = jax.ops.segment_sum(seen, modality_of, n_modalities)
    mean = total / jnp.maximum(count, 1.0)
    return raw / jnp.where(mean > 0.0, mean, 1.0)[modality_of]


def pooled_snr(
    brain: BrainEvidence, system: System, gain: Float[Array, " person"], modality_of: Int[Array, " person"]
) -> Float[Array, "modality latent"]:
    """Return the signal-to-noise ratio of the pooled read-outs of each modality; ``system`` as the encoder saw it.

    A filter learned from a share of the pilot overlaps q_c with the pattern of its latent; what it misses of *every* latent's
    pattern, 1 - q_c,l, lies in directions of which it picks one of q by chance. People differ: with gain g_p the odds
    q_c / (1 - q_c) of a person's pattern are g_p times those of the mean person, and where read-outs of signal phi g_p q_c,p
    were pooled with weights w_p, their amplitudes add: with m_p = n_p w_p,

        phi_j (sum_p m_p sqrt(g_p q_j,p / w_p))^2 + sum_p m_p^2 / w_p sum_l g_p phi_l (1 - q_l,p) / q, over (sum_p m_p)^2.

    Chance overlaps have random signs, and do not add.
    """
    design = pilot_design(brain, brain.fold_share)
    learned = readout_overlaps(system, design, encode(system, design))
    channels = system.channels[:, None]
    alone = readout_snr(system, learned)
    relative = relative_gains(brain, gain, modality_of)[:, None]
    odds = (learned / jnp.maximum(1.0 - learned, 1e-12))[modality_of] * relative
    own = odds / (1.0 + odds)
    mass = (brain.person_samples * brain.person_weight)[:, None]
    share = relative / brain.person_weight[:, None]
    missed = jnp.sum(system.snr[modality_of] * (1.0 - own), axis=1, keepdims=True) / channels[modality_of]

    def total(values: Float[Array, "person latent"]) -> Float[Array, "modality latent"]:
        return jax.ops.segment_sum(values, modality_of, brain.samples.shape[0])

    amplitude = total(mass * jnp.sqrt(share * own + 1e-30))
    chance = total(mass**2 * share * missed)
    all_mass = total(mass)
    several = all_mass > 0.0
    pooled = (system.snr * amplitude**2 + chance) / jnp.where(several, all_mass, 1.0) ** 2
    return jnp.where(several, pooled, alone)


@jax.jit
def brain_log_likelihood(
    brain: BrainEvidence, system: System, gain: Float[Array, " person"], modality_of: Int[Array, " person"]
) -> Float[Array, "modality latent"]:
    """Return the log-likelihood of the pooled read-outs of every modality and latent, to the power ``READOUT_WEIGHT``.

    They have the signal-to-noise ratio ``pooled_snr``.
    """
    seen = as_whitened(system, brain.fold_efficiency)
    effective = jnp.log(jnp.maximum(pooled_snr(brain, seen, gain, modality_of), 1e-12))
    over_latents = jax.vmap(look_up, in_axes=(0, None, 0))
    return READOUT_WEIGHT * jax.vmap(over_latents, in_axes=(0, None, 0))(brain.table, system.brain_exponent, effective)


@jax.jit
def slope_log_likelihood(
    brain: BrainEvidence, gain: Float[Array, " person"], modality_of: Int[Array, " person"]
) -> Float[Array, "modality latent"]:
    """Return the log-likelihood of the people's slopes on the others' prediction, their common level integrated out.

    A person's slope is level x exp((gain - mean gain of the pilot's people) / 2) with a known error; the level of a modality and
    latent is Normal(0, SLOPE_LEVEL). Only differences between people matter: what the mean gain of the recorded people is,
    relative to all people, no slope can tell.
    """
    seen = (brain.slope_error[:, 0] < UNKNOWN_SLOPE).astype(float)
    n_modalities = brain.samples.shape[0]

    def total(values: Array) -> Array:
        return jax.ops.segment_sum(values, modality_of, n_modalities)

    mean = total(seen * gain) / jnp.maximum(total(seen), 1.0)
    pattern = jnp.exp(0.5 * (gain - mean[modality_of]))[:, None]
    precision = seen[:, None] / brain.slope_error**2
    power = 1.0 / SLOPE_LEVEL**2 + total(precision * pattern**2)
    cross = total(precision * pattern * brain.slope)
    squares = total(precision * brain.slope**2)
    return -0.5 * (squares - cross**2 / power + jnp.log(power * SLOPE_LEVEL**2))


@jax.jit
def task_log_likelihood(
    evidence: PilotEvidence, system: System, loading: Float[Array, " latent"], power: Float[Array, " latent"]
) -> Float[Array, " exponent"]:
    """Return the log-likelihood of the labels for each exponent of the grid, remainder's weights integrated out.

    Mean sum_j w_j c_j u^_j, where w_j^2 = tau^2 e_j times ``power``, the variance of the latent in this world; covariance
    sigma^2 + tau^2 [(1 - rho^2) l + sum_j e_j psi_j(l)], where psi_j is what the
    encoder left of latent j: l / (1 + T_j l / n), scaled to the trace n (1 - c_j^2).
    """
    task = evidence.task
    encoding = encode(as_whitened(system, evidence.brain.efficiency), pilot_design(evidence.brain))
    alignment = system.alignment
    tau = jnp.sqrt(system.signal_variance)
    weight = tau * loading * jnp.sqrt(power / (1.0 + jnp.sum(loading**2)))
    accuracy = jnp.sqrt(jnp.maximum(encoding.encoding_r2, 1e-12))
    residual = task.label - task.predicted @ (weight * accuracy)
    eigenvalue = task.eigenvalue[:, None, :]
    left = eigenvalue / (1.0 + encoding.precision[:, None] * eigenvalue / task.total)
    trace = jnp.sum(task.eigenvalue, axis=1)[:, None, None]
    left = left * encoding.residual[:, None] * trace / jnp.sum(left, axis=2, keepdims=True)
    signal = (1.0 - jnp.sum(alignment)) * task.eigenvalue + jnp.einsum("j,ajd->ad", alignment * power, left)
    variance = system.noise_variance + system.signal_variance * signal
    seen = task.eigenvalue > 0
    inside = jnp.where(seen, jnp.log(variance) + residual**2 / variance, 0.0)
    outside = task.rest_count * jnp.log(system.noise_variance) + task.rest / system.noise_variance
    return -0.5 * (jnp.sum(inside, axis=1) + outside)


def latent_power(system: System, standard: Float[Array, " latent"]) -> Float[Array, " latent"]:
    """Return the variance of each latent in this world, mean 1, from standard normal variables.

    With a_ij ~ N(0, g_i), sum_i d_i a_ij^2 has variance 2 sum_i h_i^2: little where many directions carry a latent, a lot
    where the spectrum is steep. A log-normal variable with these moments.
    """
    spread = jnp.log1p(2.0 * jnp.sum(system.spectrum.count * system.brain_shares**2))
    return jnp.exp(jnp.sqrt(spread) * standard - 0.5 * spread)


def system_of(
    evidence: PilotEvidence, log_snr: Float[Array, "modality latent"], sites: Mapping[str, Float[Array, "..."]]
) -> System:
    """Return the system that a point of parameter space stands for, labels in standard units."""
    total = jnp.exp(sites["scale"])
    return System(
        spectrum=evidence.spectrum,
        signal_variance=total * sites["explainable"],
        noise_variance=total * (1.0 - sites["explainable"]),
        alignment=alignment_of(sites["loading"]),
        snr=jnp.exp(log_snr),
        channels=evidence.brain.channels,
        brain_exponent=sites["brain_exponent"],
        task_exponent=sites["brain_exponent"],
    )


def systems_of_draws(
    sites: Mapping[str, np.ndarray], spectrum: Spectrum, channels: Float[Array, " modality"], unit: float = 1.0
) -> System:
    """Return draws of the sites (leading axis) as a batch of systems; variances times ``unit``, the squared unit of a label."""
    total, loading = np.exp(sites["scale"]) * unit, sites["loading"]
    return System(
        spectrum=spectrum,
        signal_variance=jnp.asarray(total * sites["explainable"]),
        noise_variance=jnp.asarray(total * (1.0 - sites["explainable"])),
        alignment=jnp.asarray(loading**2 / (1.0 + np.sum(loading**2, axis=1, keepdims=True))),
        snr=jnp.asarray(np.exp(sites["log_snr"])),
        channels=channels,
        brain_exponent=jnp.asarray(sites["brain_exponent"]),
        task_exponent=jnp.asarray(sites["task_exponent"]),
    )


def _site(name: str, distribution: dist.Distribution) -> Array:
    return cast("Array", numpyro.sample(name, distribution))


def _derived(name: str, value: Array) -> Array:
    return cast("Array", numpyro.deterministic(name, value))


def pilot_prior(priors: Priors, modality_of: Array, n_latents: int) -> dict[str, Array]:
    """NumPyro model of the parameters alone; returns the sites that the likelihood needs.

    Parameters
    ----------
    priors : Priors
        Prior locations and scales.
    modality_of : (subject,) integer array
        Modality of each person.
    n_latents : int
        Largest latent dimension; latents without signal shrink.
    """
    n_modalities = priors.log_snr.shape[0]
    step = -LATENT_DECAY * jnp.arange(n_latents)
    with numpyro.plate("modality", n_modalities, dim=-2), numpyro.plate("latent", n_latents, dim=-1):
        raw = _site("log_snr_raw", dist.Normal(0.0, 1.0))
    log_snr = _derived("log_snr", priors.log_snr[:, None] + step + priors.log_snr_scale[:, None] * raw)
    exponent = _site("brain_exponent", dist.TruncatedNormal(1.0, 0.35, low=0.0, high=2.0))
    with numpyro.plate("modality_spread", n_modalities):
        spread = _site("gain_spread", dist.HalfNormal(priors.gain_spread))
        level = _site("noise_level_raw", dist.Normal(0.0, 1.0))
    with numpyro.plate("latent_loading", n_latents):
        direction = _site("loading_raw", dist.Normal(0.0, 1.0))
        power = _site("latent_power_raw", dist.Normal(0.0, 1.0))
    share = _site("loading_share", dist.Beta(priors.alignment[0], priors.alignment[1]))
    here = presence(jnp.exp(log_snr))
    width = jnp.sqrt(share / (1.0 - share + 1e-9) * here / (jnp.sum(here) + PRESENCE))
    loading = _derived("loading", width * direction)
    explainable = _site("explainable", dist.Beta(priors.explainable[0], priors.explainable[1]))
    scale = _site("scale", dist.Normal(0.0, SCALE_SPREAD))
    with numpyro.plate("subject", modality_of.shape[0]):
        gain = _site("gain_raw", dist.Normal(0.0, 1.0))
    gain = _derived("gain", gain * spread[modality_of])
    return {
        "log_snr": log_snr,
        "brain_exponent": exponent,
        "loading": loading,
        "explainable": explainable,
        "scale": scale,
        "gain": gain,
        "latent_power_raw": power,
        "noise_level_raw": level,
    }


def pilot_model(evidence: PilotEvidence, priors: Priors, modality_of: Array, n_latents: int) -> None:
    """NumPyro model of a pilot.

    Parameters
    ----------
    evidence : PilotEvidence
        Data, fixed.
    priors, modality_of, n_latents
        As in ``pilot_prior``; people in the order of ``evidence.brain.slope``.
    """
    sites = pilot_prior(priors, modality_of, n_latents)
    system = system_of(evidence, sites["log_snr"], sites)
    numpyro.factor("slope", slope_log_likelihood(evidence.brain, sites["gain"], modality_of))
    noisy = replace(system, snr=system.snr * jnp.exp(evidence.brain.level_error * sites["noise_level_raw"])[:, None])
    numpyro.factor("brain", brain_log_likelihood(evidence.brain, noisy, sites["gain"], modality_of))
    power = latent_power(system, sites["latent_power_raw"])
    by_exponent = task_log_likelihood(evidence, system, sites["loading"], power)
    log_prior = -0.5 * ((jnp.asarray(EXPONENTS) - 1.0) / EXPONENT_SCALE) ** 2
    weights = by_exponent + log_prior - jax.nn.logsumexp(log_prior)
    _derived("task_exponent_logits", weights)
    numpyro.factor("task", jax.nn.logsumexp(weights))
