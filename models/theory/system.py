"""The linear-Gaussian system and a design of an experiment on it: the two inputs of every performance formula.

Notation, in one place (symbols inside the mathematics, words in every public name):

====================  =======================  ===========================================================
symbol                name                     meaning
====================  =======================  ===========================================================
d_i                   ``Spectrum.variance``    variance of the i-th principal direction of the features
h_i                   ``System.brain_shares``  share of a latent's variance on direction i, proportional to d_i^alpha
k                     last axis                latent dimension
e_j = w_j^2 / tau^2   ``alignment``            share of the explainable task variance carried by latent j
tau^2                 ``signal_variance``      explainable variance of the label
sigma^2               ``noise_variance``       label noise
phi_mj                ``snr``                  signal-to-noise ratio of latent j in one sample of source m, all channels
q_m                   ``channels``             number of noise-whitened channels of source m
n_m                   ``Design.n_brain``       brain samples of source m that survive, all its people together
n                     ``Design.n_task``        labelled stimuli
====================  =======================  ===========================================================

In: numbers. Out: frozen dataclasses, registered as pytrees, so that they can be vmapped over posterior draws and differentiated.
Limits: values outside their range; ``System.checked`` and ``Design.checked`` say which, at the public edge. The core trusts its
input.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float


@register_dataclass
@dataclass(frozen=True)
class Spectrum:
    """Variances of the features' principal directions, equal or merged ones counted once."""

    variance: Float[Array, " node"]
    """Variance of each direction (any unit: only ratios matter)."""
    count: Float[Array, " node"]
    """How many directions a node stands for; sums to the number of features."""

    @classmethod
    def power_law(cls, dimension: int, exponent: float) -> Spectrum:
        """Return the spectrum i^-exponent, i = 1..dimension; exponent 0 is isotropic.

        Any dimension of at least 1 and any finite exponent; formulas were measured for exponents 0 to 3.
        """
        rank = jnp.arange(1, dimension + 1, dtype=jnp.float64)
        return cls(variance=rank**-exponent, count=jnp.ones(dimension))

    def shares(self, exponent: Float[Array, ""] | float) -> Float[Array, " node"]:
        """Return h, the share of *one* direction of each node: h proportional to d^exponent, sum(count * h) = 1.

        Exact for every finite exponent and positive variances, also where single powers would overflow.
        """
        log = exponent * jnp.log(self.variance)
        raw = jnp.exp(log - jnp.max(log))
        return raw / jnp.sum(self.count * raw)


@register_dataclass
@dataclass(frozen=True)
class System:
    """Known parameters of a stimulus - brain - task system (THEORY section 1)."""

    spectrum: Spectrum
    """Feature spectrum."""
    signal_variance: Float[Array, ""]
    """Explainable variance of the label, tau^2 > 0."""
    noise_variance: Float[Array, ""]
    """Label noise variance, sigma^2 > 0."""
    alignment: Float[Array, " latent"]
    """Share of the explainable variance carried by each latent; sums to at most 1."""
    snr: Float[Array, "source latent"]
    """Signal-to-noise ratio of each latent in one sample of each source, summed over channels."""
    channels: Float[Array, " source"]
    """Number of noise-whitened channels of each source."""
    brain_exponent: Float[Array, ""]
    """Source exponent of the latents: h_i proportional to d_i^exponent (1: weights with equal prior variance)."""
    task_exponent: Float[Array, ""]
    """Source exponent of the misaligned part of the task."""
    shared_noise: Float[Array, " source"] | None = None
    """kappa: share of the noise of one presentation that is the same in all presentations of a stimulus; that of the design if not
    given."""
    task_spectrum: Float[Array, " node"] | None = None
    """Share of the misaligned task variance on one direction of each node, where it is no power of the features' variance;
    ``task_exponent`` then says nothing."""

    @property
    def brain_shares(self) -> Float[Array, " node"]:
        """Share of a latent's variance on one direction of each spectrum node."""
        return self.spectrum.shares(self.brain_exponent)

    @property
    def task_shares(self) -> Float[Array, " node"]:
        """Share of the misaligned task variance on one direction of each spectrum node."""
        return self.spectrum.shares(self.task_exponent) if self.task_spectrum is None else self.task_spectrum

    def checked(self) -> System:
        """Return self, or raise ``ValueError`` naming the first value that is out of range."""
        signal, noise = float(self.signal_variance), float(self.noise_variance)
        alignment, snr = np.asarray(self.alignment), np.asarray(self.snr)
        if not (np.isfinite(signal) and signal > 0):
            raise ValueError(f"The 'signal_variance' of a system must be positive. Got {signal} instead.")
        if not (np.isfinite(noise) and noise > 0):
            raise ValueError(f"The 'noise_variance' of a system must be positive. Got {noise} instead.")
        if alignment.ndim != 1 or not np.all(alignment >= 0) or not alignment.sum() <= 1 + 1e-12:
            raise ValueError(
                f"The 'alignment' of a system must be shares >= 0, one per latent, that sum to at most 1. "
                f"Got {alignment.tolist()} instead."
            )
        if snr.ndim != 2 or snr.shape[1] != alignment.size or not np.all(np.isfinite(snr) & (snr >= 0)):
            raise ValueError(
                f"The 'snr' of a source must be one finite value >= 0 per latent ({alignment.size}). "
                f"Got {snr.tolist()} instead."
            )
        channels = np.asarray(self.channels)
        if channels.shape != snr.shape[:1] or not np.all(np.isfinite(channels) & (channels >= 1)):
            raise ValueError(
                f"The 'channels' of a source must be a whole number of at least 1. Got {channels.tolist()} instead."
            )
        variance = np.asarray(self.spectrum.variance)
        if variance.ndim != 1 or variance.size == 0 or not np.all(np.isfinite(variance) & (variance > 0)):
            raise ValueError("The 'spectrum' of a system must hold at least one value, all positive and finite.")
        self._check_task_spectrum()
        return self

    def _check_task_spectrum(self) -> None:
        if self.task_spectrum is None:
            return
        shares, count = np.asarray(self.task_spectrum), np.asarray(self.spectrum.count)
        if shares.shape != count.shape or not np.all(shares >= 0) or not np.isclose(count @ shares, 1.0, rtol=1e-6):
            raise ValueError(
                "The 'task_spectrum' of a system must be shares >= 0, one per node of its spectrum, that sum to 1 over all "
                f"directions. Got {shares.size} of them for {count.size} nodes."
            )


@register_dataclass
@dataclass(frozen=True)
class Design:
    """How many samples of each source and how many labels; real numbers are allowed, so that it can be relaxed."""

    n_brain: Float[Array, " source"]
    """Surviving brain samples of each source, all its people together, each presentation counted."""
    n_task: Float[Array, ""]
    """Labelled stimuli, one label each."""
    subjects: Float[Array, " source"]
    """People of each source: everyone has channel patterns of their own, learned from their own samples."""
    repeats: Float[Array, " source"]
    """Presentations of a stimulus that are averaged."""
    shared: Float[Array, " source"]
    """1 where all people of a source see the same stimuli (their channels are joined), 0 where each sees others."""
    shared_noise: Float[Array, " source"] | None = None
    """kappa: share of the noise of one presentation that is the same in all presentations of a stimulus; 0 if not given."""

    @classmethod
    def simple(cls, n_brain: Float[Array, " source"] | list[float], n_task: float | Float[Array, ""]) -> Design:
        """Return a design with one person a source, no repeats."""
        n = jnp.asarray(n_brain, dtype=jnp.float64)
        return cls(
            n_brain=n,
            n_task=jnp.asarray(n_task, dtype=jnp.float64),
            subjects=jnp.ones_like(n),
            repeats=jnp.ones_like(n),
            shared=jnp.zeros_like(n),
        )

    def checked(self) -> Design:
        """Return self, or raise ``ValueError`` naming the first value that is out of range."""
        for name in ("n_brain", "n_task"):
            value = np.asarray(getattr(self, name))
            if not np.all(np.isfinite(value) & (value >= 0)):
                raise ValueError(f"The '{name}' of a design must be at least 0. Got {value.tolist()} instead.")
        for name in ("subjects", "repeats"):
            value = np.asarray(getattr(self, name))
            if not np.all(np.isfinite(value) & (value >= 1)):
                raise ValueError(f"The '{name}' of a design must be at least 1. Got {value.tolist()} instead.")
        return self


@register_dataclass
@dataclass(frozen=True)
class Channels:
    """A design seen by stage 1: per *pattern to be learned*, after repeats are averaged and shared stimuli joined."""

    samples: Float[Array, " source"]
    """Samples from which one channel pattern is learned."""
    multiplicity: Float[Array, " source"]
    """How many such patterns the source has."""
    snr: Float[Array, "source latent"]
    """Signal-to-noise ratio of one such sample."""
    channels: Float[Array, " source"]
    """Channels of one such sample."""
    common: Float[Array, " source"]
    """m kappa: noise that its m presentations have in common (``Design.shared_noise``), in units of their own noise averaged."""
    own: Float[Array, " source"]
    """1 - kappa: the rest of the noise, which averages out."""


def effective_channels(system: System, design: Design) -> Channels:
    """Return the stage-1 view of a design: r repeats give snr r*phi from n/r samples; same stimuli add snr and q.

    Exact where noise is independent between presentations and people, and people of a source are equally informative
    (THEORY section 2; measured for up to 8 people and 4 repeats, sweep ``crews`` of ``case_studies/theory``). Noise that
    presentations of a stimulus have in common is counted by ``encoding``.
    """
    joined = 1.0 + design.shared * (design.subjects - 1.0)
    per_person = design.n_brain / (design.subjects * design.repeats)
    shown = design.repeats * joined
    kappa = design.shared_noise if system.shared_noise is None else system.shared_noise
    return Channels(
        samples=per_person,
        multiplicity=design.subjects / joined,
        snr=system.snr * shown[:, None],
        channels=system.channels * joined,
        common=jnp.zeros_like(shown) if kappa is None else shown * kappa,
        own=jnp.ones_like(shown) if kappa is None else 1.0 - kappa,
    )


def draw(systems: System, index: int) -> System:
    """Return one system of a batch whose leaves have a leading draw axis; any batch."""
    return jax.tree.map(lambda leaf: leaf[index], systems)
