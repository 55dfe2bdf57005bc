"""The hierarchical model of a pilot: sites and plates only; likelihoods are plain functions (``models/posterior/likelihoods.py``).

In: ``PilotEvidence`` (data) and ``PriorScales``. Out: a NumPyro model whose sites are the parameters of the performance
function. Subjects are partially pooled within a modality, latents are shared by all modalities, regression weights
are integrated out, and the attenuation of everything that was *learned* from the pilot (channel patterns: q_c, latent
maps: c^2) is computed from the parameters by the same stage-1 theory that later forecasts, never plugged in.

=====================  ================================================================================
site                   meaning and prior
=====================  ================================================================================
``log_snr``            log phi per modality and latent: Normal, decaying over latents (``total_snr``)
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
``type_share``         share of the label noise that tokens of a type have in common, uniform on a grid, summed out; only where
                       a study names types
=====================  ================================================================================

Limits: chains that do not mix (the health gate reads R-hat, ESS and divergences); data that contradict the prior (health gate);
latents beyond the second order of the theory (health gate: backtest).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import gammainc
from jaxtyping import Array, Float

from brainworth.models.pilot.evidence import EXPONENTS, PilotEvidence
from brainworth.models.posterior.likelihoods import (
    PRESENCE,
    alignment_of,
    as_whitened,
    brain_log_likelihood,
    labels_log_likelihood,
    latent_power,
    pilot_encodings,
    presence,
    slope_log_likelihood,
)
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.posterior.stretched import StretchedNormal, from_coordinate
from brainworth.models.theory.system import System

EXPONENT_SCALE = 0.5
"""Prior standard deviation of the misaligned part's source exponent around 1."""
SCALE_SPREAD = 0.5
"""Prior standard deviation of the log of the label variance around that of the pilot's labels."""


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


def _site(name: str, distribution: dist.Distribution) -> Array:
    return cast("Array", numpyro.sample(name, distribution))


def _derived(name: str, value: Array) -> Array:
    return cast("Array", numpyro.deterministic(name, value))


def pilot_prior(priors: PriorScales, modality_of: Array, n_latents: int) -> dict[str, Array]:
    """NumPyro model of the parameters alone; returns the sites that the likelihood needs.

    Parameters
    ----------
    priors : PriorScales
        Prior locations and scales.
    modality_of : (subject,) integer array
        Modality of each person.
    n_latents : int
        Largest latent dimension; latents without signal shrink.
    """
    n_modalities = priors.log_snr.shape[0]
    with numpyro.plate("modality", n_modalities, dim=-2), numpyro.plate("latent", n_latents, dim=-1):
        knee = jnp.broadcast_to(priors.knee, priors.log_snr.shape)[:, None]
        coordinate = _site("log_snr_coordinate", StretchedNormal(*priors.log_snr_of(n_latents), knee))
    log_snr = _derived("log_snr", from_coordinate(coordinate, knee))
    exponent = _site("brain_exponent", dist.TruncatedNormal(1.0, 0.35, low=0.0, high=2.0))
    with numpyro.plate("modality_spread", n_modalities):
        spread = _site("gain_spread", dist.HalfNormal(priors.gain_spread))
        level = _site("noise_level_raw", dist.Normal(0.0, 1.0))
    with numpyro.plate("latent_loading", n_latents):
        direction = _site("loading_raw", dist.Normal(0.0, 1.0))
        power = _site("latent_power_raw", dist.Normal(0.0, 1.0))
        beyond = _site("beyond_raw", dist.Normal(0.0, 1.0))
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
        "beyond": shared_ratio(beyond),
        "noise_level_raw": level,
    }


def shared_ratio(raw: Array) -> Array:
    """Return the ratios r_j of ``Beyond`` from standard normal variables: a random direction, and a share U^2 of the noise.

    U is uniform, so that the share is Beta(0.5, 1) for all latents together. Ratios that are independent a priori would leave no
    room for "none of it" where there are several: in pilots of 20 to 60 labels, which then said so of the noise itself, the
    explained share of the labels came out .06 higher in the mean, .22 at most (17 worlds).
    """
    square = jnp.sum(raw**2) + 1e-12
    uniform = gammainc(0.5 * raw.shape[0], 0.5 * square)
    return raw * uniform / jnp.sqrt(square * (1.0 - uniform**2 + 1e-6))


def pilot_model(evidence: PilotEvidence, priors: PriorScales, modality_of: Array, n_latents: int) -> None:
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
    by_folds = as_whitened(noisy, evidence.brain.fold_efficiency)
    folds, everything = pilot_encodings(evidence.brain, by_folds, as_whitened(system, evidence.brain.efficiency))
    numpyro.factor("brain", brain_log_likelihood(evidence.brain, by_folds, folds, sites["gain"], modality_of))
    power = latent_power(evidence.spectrum, sites["brain_exponent"], sites["latent_power_raw"])
    by_exponent = labels_log_likelihood(evidence, system, everything, sites["loading"], power, sites["beyond"])
    log_prior = -0.5 * ((jnp.asarray(EXPONENTS) - 1.0) / EXPONENT_SCALE) ** 2
    weights = by_exponent + log_prior - jax.nn.logsumexp(log_prior)
    _derived("task_exponent_logits", weights)
    numpyro.factor("task", jax.nn.logsumexp(weights))
