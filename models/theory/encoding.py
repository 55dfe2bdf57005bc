"""Stage 1: what brain samples teach about the brain's latents (THEORY section 2).

In: a system and the stage-1 view of a design. Out: for each latent, the share of its variance that the learned encoder
misses (``residual``) and the precision with which each direction was seen (``precision``), from which every other
quantity follows. Our derivation: the state-evolution limit of Bayes-optimal reduced-rank regression.

The inner unknown q_u of THEORY solves a quadratic once M_a is known, so a latent costs one scalar root, whatever the
number of sources. With n samples a source, theta = n phi / q, A = theta (1 + M phi), B = A - 1 - M theta:

    A q_u^2 - B q_u - (1 - M) = 0,   q_c = theta q_u / (1 + theta q_u),
    T(M) = sum_m n_m phi_m q_c,m / (1 + phi_m q_c,m M),   M = sum_i h_i / (1 + h_i T(M))

A share kappa of the noise may be the same in all m presentations of a stimulus (``likeness``: a response to what the features
do not hold, along the latent's own pattern). The presentations are then driven by u + eta with var(eta) = kappa / phi. Patterns
are learned from both: q_c is that of a latent of m (phi + kappa) / (1 - kappa), of which (phi M + kappa) / (phi + kappa) is
unknown. To the features eta is noise, which does not average out: m phi q_c becomes phi q_c / (kappa q_c + (1 - kappa) / m).

Limits: latents near their detection threshold, n phi = sqrt(q p), with many channels per feature, where an encoder that keeps
them does harm which the limit does not know (``validity``); exactly at the threshold the function has a kink and its derivative
is one-sided.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from brainworth.models.theory.roots import unit_root
from brainworth.models.theory.system import Channels, Design, System, effective_channels

TINY = 1e-30


@register_dataclass
@dataclass(frozen=True)
class Encoding:
    """Result of stage 1, per latent."""

    residual: Float[Array, " latent"]
    """M_a: share of the latent's variance that the learned encoder misses."""
    precision: Float[Array, " latent"]
    """T: summed precision of all read-outs, so that direction i keeps the variance h_i / (1 + h_i T)."""

    @property
    def encoding_r2(self) -> Float[Array, " latent"]:
        """Population R^2 of the encoder for the noise-free latent (noise-ceiling-corrected encoding accuracy)."""
        return 1.0 - self.residual

    def forgotten(self) -> Encoding:
        """Return the encoding of no brain data at all, for as many latents."""
        return Encoding(residual=jnp.ones_like(self.residual), precision=jnp.zeros_like(self.precision))

    def left(self, shares: Float[Array, " node"]) -> Float[Array, "latent node"]:
        """Return s_ji, the variance of latent j that is still unknown on one direction of each node."""
        return shares / (1.0 + shares * self.precision[:, None])


def pattern_overlap(
    residual: Float[Array, "..."], theta: Float[Array, "..."], snr: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Return q_c, the squared overlap of a learned channel pattern with the true one.

    Parameters
    ----------
    residual : M_a of the latent, in [0, 1].
    theta : n phi / q of the pattern.
    snr : phi of one sample.

    Notes
    -----
    Closed form of the inner fixed point of THEORY section 2, exact for every theta and snr of at least 0; 0 below the detection
    threshold. As a statement about an encoder it holds where ``encode`` does.
    """
    a = theta * (1.0 + residual * snr)
    b = a - 1.0 - residual * theta
    root = jnp.sqrt(b * b + 4.0 * a * (1.0 - residual) + TINY)
    strong = b >= 0.0
    q_u = jnp.where(
        strong,
        (b + root) / jnp.where(strong, 2.0 * a, 1.0),
        2.0 * (1.0 - residual) / jnp.where(strong, 1.0, root - b),
    )
    return theta * q_u / (1.0 + theta * q_u)


def _overlap(
    residual: Float[Array, "..."],
    snr: Float[Array, "..."],
    view: Channels,
) -> Float[Array, "..."]:
    """Return q_c at the samples, channels and noise of a view; what presentations have in common helps to learn a pattern."""
    driven = (snr + view.common) / view.own
    unknown = (residual * snr + view.common + TINY) / (snr + view.common + TINY)
    return pattern_overlap(unknown, view.samples * driven / view.channels, driven)


def source_precisions(residual: Float[Array, "..."], snr: Float[Array, "..."], view: Channels) -> Float[Array, "..."]:
    """Return what each source adds to the precision T of a latent of which ``residual`` stays unknown; it falls with ``residual``.

    Parameters
    ----------
    residual : M_a of the latent, in [0, 1].
    snr : phi of one sample of each source.
    view : the sources, leaves of the shape of ``snr``.

    Notes
    -----
    n_m phi_m q_c,m / (1 + phi_m q_c,m M). It rises with samples. It falls with M, because q_c does: q_u = 1 - M / (1 + phi q_c M)
    falls with M at every q_c, and so does the largest solution of the two equations. Valid where ``encode`` is.
    """
    overlap = _overlap(residual, snr, view)
    useful = snr * overlap / (view.common * overlap + view.own)
    return view.multiplicity * view.samples * useful / (1.0 + useful * residual)


@jax.jit
def encode(system: System, design: Design) -> Encoding:
    """Return what ``design.n_brain`` samples teach about each latent.

    Parameters
    ----------
    system : System
        Known parameters.
    design : Design
        Brain samples of every source; ``n_task`` is not used.

    Returns
    -------
    Encoding
        Residual 1 and precision 0 without brain data or below the detection threshold.

    Notes
    -----
    THEORY section 2, several sources sharing one M_a. The risk that follows from it is within 3 % of the executed learner where
    every latent of weight has an encoding R^2 of 0.75 or there is at most one channel to learn for two features
    (``validity``); few samples (5), few channels a latent (1.2) and uneven spectra (i^-3) do no harm.
    """
    view = effective_channels(system, design)
    shares, count = system.brain_shares, system.spectrum.count

    def one(snr: Float[Array, " source"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        def precision(residual: Float[Array, ""]) -> Float[Array, ""]:
            return jnp.sum(source_precisions(residual, snr, view))

        def missed(residual: Float[Array, ""]) -> Float[Array, ""]:
            return jnp.sum(count * shares / (1.0 + shares * precision(residual)))

        residual = unit_root(lambda m: missed(m) - m, missed(jnp.zeros(())))
        return residual, precision(residual)

    residual, precision = jax.vmap(one, in_axes=1)(view.snr)
    return Encoding(residual=residual, precision=precision)


def readout_overlaps(system: System, design: Design, encoding: Encoding) -> Float[Array, "source latent"]:
    """Return q_c of every source and latent: the squared overlap of the learned channel patterns with the true ones.

    Valid where ``encode`` is, of which ``encoding`` must be the result at the same system and design.
    """
    view = effective_channels(system, design)
    by_source = jax.tree.map(lambda part: part if part.ndim == 2 else part[:, None], view)
    return _overlap(encoding.residual, view.snr, by_source)


def readout_snr(system: System, overlaps: Float[Array, "source latent"]) -> Float[Array, "source latent"]:
    """Return the signal-to-noise ratio of one person's read-outs by filters that overlap q_c with the latents' patterns.

    phi_j q_c,j + sum_l phi_l (1 - q_c,l) / q: what the filters miss of every latent's pattern lies in directions of which
    each filter picks one of q by chance, so that weak latents' read-outs hear the strong latents, too. ``overlaps`` as
    ``readout_overlaps`` returns them; samples that the filters were not learned from.
    """
    missed = jnp.sum(system.snr * (1.0 - overlaps), axis=1, keepdims=True)
    return system.snr * overlaps + missed / system.channels[:, None]
