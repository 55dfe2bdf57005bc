"""The likelihoods of a pilot: read-outs, people's slopes and labels, as plain functions of ``models/pilot/evidence.py``.

In: the evidence of a pilot, and a ``System`` that the parameters stand for. Out: log-likelihoods, and what they share: the
pilot as a design, relative gains, how present a latent is. They are smooth in the parameters.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from brainworth.models.pilot.evidence import UNKNOWN_NOISE, BrainEvidence, PilotEvidence, TaskEvidence, look_up
from brainworth.models.theory.encoding import Encoding, encode, readout_overlaps, readout_snr
from brainworth.models.theory.system import Design, Spectrum, System

SLOPE_LEVEL = 2.0
"""Prior standard deviation of the common level of people's slopes."""
UNKNOWN_SLOPE = 1e3
"""Standard error of a slope from which on nothing is known of the person."""
PRESENCE = 0.05
"""Signal-to-noise ratio at which a latent counts as half present."""
READOUT_WEIGHT = 0.5
"""Power of the read-outs' likelihood.

It is a composite likelihood: latents are taken one by one, though they were rotated against each other; filters of
different folds share samples; what the filters learned is taken at its expected value. Such a likelihood is too
sharp (Pauli, Racugno & Ventura 2011): against simulated pilots of 1 to 4 people (400 samples, 20 channels, 60 features; 1,500,
40, 120) the signed root of its ratio at the truth had a root mean square of 1.3 to 1.6 instead of 1.
"""


def pilot_design(brain: BrainEvidence, share: Float[Array, ""] | float = 1.0) -> Design:
    """Return the pilot as a design with one source a modality; ``share`` of its samples."""
    return Design(
        n_brain=brain.samples * share,
        n_task=jnp.zeros(()),
        subjects=brain.subjects,
        repeats=brain.repeats,
        shared=brain.shared,
        shared_noise=brain.shared_noise,
    )


def as_whitened(system: System, efficiency: Float[Array, " modality"]) -> System:
    """Return the system as an encoder sees it that had to learn the noise covariance from the pilot."""
    return replace(system, snr=system.snr * efficiency[:, None])


def pilot_encodings(brain: BrainEvidence, by_folds: System, by_all: System) -> tuple[Encoding, Encoding]:
    """Return what encoders teach that were learned from the other folds and from all samples of the pilot.

    Both at once: the fixed point is the largest part of the sampler's program, and would be in it twice. The systems are as an
    encoder sees them (``as_whitened``), and differ in their signal-to-noise ratios only.
    """

    def one(snr: Float[Array, "modality latent"], share: Float[Array, ""]) -> Encoding:
        return encode(replace(by_all, snr=snr), pilot_design(brain, share))

    share = jnp.asarray(brain.fold_share)
    both = jax.vmap(one)(jnp.stack([by_folds.snr, by_all.snr]), jnp.stack([share, jnp.ones_like(share)]))
    return jax.tree.map(lambda part: part[0], both), jax.tree.map(lambda part: part[1], both)


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
    brain: BrainEvidence,
    system: System,
    encoding: Encoding,
    gain: Float[Array, " person"],
    modality_of: Int[Array, " person"],
) -> Float[Array, "modality latent"]:
    """Return the signal-to-noise ratio of the pooled read-outs of each modality; ``system`` and ``encoding`` as by folds.

    A filter learned from a share of the pilot overlaps q_c with the pattern of its latent; what it misses of *every* latent's
    pattern, 1 - q_c,l, lies in directions of which it picks one of q by chance. People differ: with gain g_p the odds
    q_c / (1 - q_c) of a person's pattern are g_p times those of the mean person, and where read-outs of signal phi g_p q_c,p
    were pooled with weights w_p, their amplitudes add: with m_p = n_p w_p,

        phi_j (sum_p m_p sqrt(g_p q_j,p / w_p))^2 + sum_p m_p^2 / w_p sum_l g_p phi_l (1 - q_l,p) / q, over (sum_p m_p)^2.

    Chance overlaps have random signs, and do not add.
    """
    design = pilot_design(brain, brain.fold_share)
    learned = readout_overlaps(system, design, encoding)
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
    brain: BrainEvidence,
    system: System,
    encoding: Encoding,
    gain: Float[Array, " person"],
    modality_of: Int[Array, " person"],
) -> Float[Array, "modality latent"]:
    """Return the log-likelihood of the pooled read-outs of every modality and latent, to the power ``READOUT_WEIGHT``.

    They have the signal-to-noise ratio ``pooled_snr``, which explains the arguments.
    """
    effective = jnp.log(jnp.maximum(pooled_snr(brain, system, encoding, gain, modality_of), 1e-12))
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
    evidence: PilotEvidence,
    system: System,
    encoding: Encoding,
    loading: Float[Array, " latent"],
    power: Float[Array, " latent"],
    beyond: Float[Array, " latent"],
) -> Float[Array, " exponent"]:
    """Return the log-likelihood of the labels for each exponent of the grid, remainder's weights integrated out.

    ``encoding`` is by all samples of the pilot.

    Mean sum_j w_j c_j u^_j, where w_j^2 = tau^2 e_j times ``power``, the variance of the latent in this world; covariance
    sigma^2 + tau^2 [(1 - rho^2) l + sum_j e_j psi_j(l)], where psi_j is what the
    encoder left of latent j: l / (1 + T_j l / n), scaled to the trace n (1 - c_j^2).

    The labels' noise may depend on what recordings show of the same stimuli beyond the features. With the ratios r_j (``beyond``),
    g_j^2 = sigma^2 r_j^2 / (1 + sum r^2) of it is explained by the residual of latent j's read-outs. That residual holds what the
    encoder left of the latent, too, so that only w_j - g_j / nu_j of it is left to the labels' covariance; nu_j is the noise of
    the read-outs in units of the latent.
    """
    task = evidence.task
    alignment = system.alignment
    tau = jnp.sqrt(system.signal_variance)
    weight = tau * loading * jnp.sqrt(power / (1.0 + jnp.sum(loading**2)))
    accuracy = jnp.sqrt(jnp.maximum(encoding.encoding_r2, 1e-12))
    ratio = jnp.where(task.beyond.noise < UNKNOWN_NOISE, beyond, 0.0)
    shared = jnp.sum(ratio**2) / (1.0 + jnp.sum(ratio**2))
    own = ratio * jnp.sqrt(system.noise_variance / (1.0 + jnp.sum(ratio**2)))
    residual = task.label - task.predicted @ (weight * accuracy) - task.beyond.inside @ own
    eigenvalue = task.eigenvalue[:, None, :]
    left = eigenvalue / (1.0 + encoding.precision[:, None] * eigenvalue / task.total)
    trace = jnp.sum(task.eigenvalue, axis=1)[:, None, None]
    left = left * encoding.residual[:, None] * trace / jnp.sum(left, axis=2, keepdims=True)
    whole, known = weight**2, (weight - own / task.beyond.noise) ** 2
    open_ = whole + task.beyond.seen * (known - whole)
    misaligned = system.signal_variance * (1.0 - jnp.sum(alignment))
    noise = system.noise_variance * (1.0 - task.beyond.seen * shared)
    variance = noise + misaligned * task.eigenvalue + jnp.einsum("j,ajd->ad", open_, left)
    seen = task.eigenvalue > 0
    inside = jnp.where(seen, jnp.log(variance) + residual**2 / variance, 0.0)
    rest = task.rest - 2.0 * own @ task.beyond.label + own @ task.beyond.products @ own
    outside = task.rest_count * jnp.log(noise) + rest / noise
    return -0.5 * (jnp.sum(inside, axis=1) + outside)


def labels_log_likelihood(
    evidence: PilotEvidence,
    system: System,
    encoding: Encoding,
    loading: Float[Array, " latent"],
    power: Float[Array, " latent"],
    beyond: Float[Array, " latent"],
) -> Float[Array, "*share exponent"]:
    """Return ``task_log_likelihood``; where labels have types, for each share of the noise that a type may have in common."""
    types = evidence.types
    if types is None:
        return task_log_likelihood(evidence, system, encoding, loading, power, beyond)

    def one(task: TaskEvidence) -> Float[Array, " exponent"]:
        independent = replace(evidence, task=task, types=None)
        return task_log_likelihood(independent, system, encoding, loading, power, beyond)

    return jax.vmap(one)(types.task) + types.log_volume[:, None]


def latent_power(
    spectrum: Spectrum, exponent: Float[Array, ""], standard: Float[Array, " latent"]
) -> Float[Array, " latent"]:
    """Return the variance of each latent in this world, mean 1, from standard normal variables.

    With a_ij ~ N(0, g_i), sum_i d_i a_ij^2 has variance 2 sum_i h_i^2: little where many directions carry a latent, a lot
    where the spectrum is steep. A log-normal variable with these moments.

    Parameters
    ----------
    spectrum : Spectrum
        Spectrum of the features.
    exponent : float
        Source exponent of the latents.
    standard : (latent,)
        Standard normal variables.
    """
    spread = jnp.log1p(2.0 * jnp.sum(spectrum.count * spectrum.shares(exponent) ** 2))
    return jnp.exp(jnp.sqrt(spread) * standard - 0.5 * spread)
