"""Shrinkage of a noise covariance, and read-out filters that whiten it.

In: an empirical covariance and the number of samples it rests on. Out: the shrinkage intensity and target, and filters with unit
noise variance. No channel is judged by another one: each may have a unit of its own. Channels without any variance get unit
variance, so that nothing is divided by zero; they carry no signal either, and drop out.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import linalg

SMALLEST_SHARE = 1e-9
"""Smallest share of a channel's variance that counts as noise."""


def oas_intensity(covariance: Float[np.ndarray, "channel channel"], n: float) -> float:
    """Return the oracle-approximating shrinkage intensity towards a multiple of the identity, 0 < value <= 1.

    Formula 23 of Chen, Wiesel, Eldar & Hero (2010), doi:10.1109/TSP.2010.2053029, as in
    ``sklearn.covariance.oas``; it needs the empirical covariance and the sample size only.
    """
    channels = len(covariance)
    mean = float(np.trace(covariance)) / channels
    power = float(np.mean(covariance**2))
    denominator = (n + 1.0) * (power - mean**2 / channels)
    if denominator <= 0.0:
        return 1.0
    return min((power + mean**2) / denominator, 1.0)


def shrinkage_target(
    covariance: Float[np.ndarray, "channel channel"], n: float, total: Float[np.ndarray, " channel"] | None = None
) -> tuple[float, Float[np.ndarray, " channel"]]:
    """Return (intensity, diagonal of the target): OAS between the correlation matrix and the identity.

    Parameters
    ----------
    covariance
        Covariance of the noise.
    n
        Samples it rests on.
    total
        Variance of every channel, signal and noise; the noise's own if not given. At least ``SMALLEST_SHARE`` of it is noise.
    """
    variance = np.diagonal(covariance)
    whole = variance if total is None else total
    variance = np.where(whole > 0.0, np.maximum(variance, SMALLEST_SHARE * whole), 1.0)
    deviation = np.sqrt(variance)
    correlation = covariance / deviation[:, None] / deviation[None, :]
    intensity = oas_intensity(correlation, max(n, 2.0))
    return float(np.clip(intensity, 1e-4, 1.0 - 1e-6)), variance


def readout_filters(
    patterns: Float[np.ndarray, "latent channel"], noise: Float[np.ndarray, "channel channel"]
) -> tuple[Float[np.ndarray, "channel latent"], Float[np.ndarray, " latent"]]:
    """Return filters and the signal-to-noise ratio of each pattern.

    The filters have unit noise variance and are as close to matched filters as uncorrelated noise allows.

    With W = C N^-1 C^T, D its diagonal and W_n = D^-1/2 W D^-1/2, the filters N^-1 C^T D^-1/2 W_n^-1/2 (symmetric
    orthogonalisation) have noise covariance I and read sqrt(phi_j) u_j; they are the matched filters where
    the patterns are orthogonal in the noise metric. With fewer channels than latents the noise of different
    read-outs must be correlated; every one of them still has unit variance. A latent without any pattern gets a
    fixed arbitrary filter, which reads noise.
    """
    k, q = patterns.shape
    factor = linalg.cholesky(noise, lower=True)
    white = linalg.solve_triangular(factor, patterns.T, lower=True)
    norm = np.sqrt(np.sum(white**2, axis=0))
    snr = norm**2
    dead = norm < 1e-6
    if np.any(dead):
        white = np.where(dead, np.random.default_rng(0).standard_normal((q, k)), white)
        norm = np.sqrt(np.sum(white**2, axis=0))
    left, scale, right = linalg.svd(white / norm, full_matrices=False)
    kept = scale > 1e-6 * scale[0]
    orthogonal = left[:, kept] @ right[kept]
    orthogonal = orthogonal / np.maximum(np.sqrt(np.sum(orthogonal**2, axis=0)), 1e-12)
    return linalg.solve_triangular(factor, orthogonal, lower=True, trans=1), snr


def turned_filters(
    filters: Float[np.ndarray, "channel latent"],
    patterns: Float[np.ndarray, "latent channel"],
    rotation: Float[np.ndarray, "latent latent"],
) -> tuple[Float[np.ndarray, "channel latent"], Float[np.ndarray, " latent"]]:
    """Return filters and signal-to-noise ratios for rotated latents, from filters with uncorrelated noise.

    Equals ``readout_filters(rotation.T @ patterns, noise)``, without the noise covariance: with F^T N F = I the matched
    filters N^-1 C^T are F (C F)^T.
    """
    matched = (patterns @ filters).T @ rotation
    snr = np.sum(matched**2, axis=0)
    left, _, right = linalg.svd(matched / np.maximum(np.sqrt(snr), 1e-12))
    return filters @ (left @ right), snr


def filter_efficiency(
    noise: Float[np.ndarray, "channel channel"], n: float, rng: np.random.Generator, repeats: int = 3
) -> float:
    """Return the share of a matched filter's signal-to-noise ratio that survives when n samples teach it the noise.

    Parametric bootstrap: noise of the given covariance is drawn n times, its covariance estimated and shrunk as in the
    encoder, and the resulting filters for random patterns are compared with the ideal ones. Without shrinkage the
    mean is (n + 2 - q) / (n + 1) (Reed, Mallett & Brennan 1974), which is used where n exceeds 20 q.
    """
    q = len(noise)
    size = max(round(n), 2)
    if size > 20 * q:
        return (size + 2.0 - q) / (size + 1.0)
    spread = np.sqrt(np.diagonal(noise))
    root = linalg.cholesky(noise / spread[:, None] / spread, lower=True)
    kept: list[float] = []
    for _ in range(repeats):
        drawn = rng.standard_normal((size, q)) @ root.T
        sample = drawn.T @ drawn / size
        intensity, target = shrinkage_target(sample, size)
        learned = (1.0 - intensity) * sample + intensity * np.diag(target)
        direction = rng.standard_normal((q, 16))
        pattern = root @ (direction / np.linalg.norm(direction, axis=0))
        weights = linalg.solve(learned, pattern, assume_a="pos")
        power = np.sum((root.T @ weights) ** 2, axis=0)
        kept.append(float(np.mean(np.sum(pattern * weights, axis=0) ** 2 / power)))
    return float(np.mean(kept))
