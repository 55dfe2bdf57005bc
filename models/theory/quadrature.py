"""Hundreds of feature directions replaced by a few nodes that give the same risks.

In: a spectrum. Out: a spectrum of at most ``nodes`` nodes with real-valued counts. Every formula of the theory is a sum over
directions of an analytic function of log d_i (products of h^a / (1 + T h)^b, whose poles lie at distance pi from the real axis in
log h), so Gauss quadrature for the counting measure in log d converges geometrically: the Bernstein parameter for a spectrum
whose logarithm spans a range L is r = 2 pi/L + sqrt(1 + (2 pi/L)^2), and the relative error falls as r^(-2 nodes). Limits: a
spectrum over more decades than the nodes can carry; ``nodes_needed`` turns a wanted error into a number of nodes, and the tests
hold it to that.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh_tridiagonal

from brainworth.models.theory.system import Spectrum

SIZES = (8, 12, 16, 24, 32, 48, 64)
"""Numbers of nodes that a spectrum may have: programs are compiled for a shape, and studies of like spectra share them."""


_ERROR = 1e-9
"""Relative error of a quadrature."""


def nodes_needed(spectrum: Spectrum) -> int:
    """Return the number of nodes at which the relative quadrature error is about 1e-9."""
    log = np.log(np.asarray(spectrum.variance))
    span = float(log.max() - log.min())
    if span < 1e-12:
        return 1
    slope = 2.0 * math.pi / span
    rate = 2.0 * math.log(slope + math.sqrt(1.0 + slope * slope))
    return min(SIZES[-1], max(2, math.ceil(-math.log(_ERROR) / rate) + 1))


def compress(spectrum: Spectrum, nodes: int | None = None) -> Spectrum:
    """Return the Gauss quadrature of a spectrum; its distinct variances if they are no more than the nodes.

    Parameters
    ----------
    spectrum : Spectrum
        Any spectrum, counts of at least 0.
    nodes : int, optional
        Number of nodes; as many as a relative error of 1e-9 needs, and up to the next of ``SIZES``, if not given.

    Returns
    -------
    Spectrum
        The same total count, the same moments of log d up to order 2 nodes - 1. Where there are fewer distinct variances than
        nodes, the largest one is repeated with a count of 0.
    """
    needed = nodes_needed(spectrum) if nodes is None else nodes
    size = min(size for size in SIZES if size >= needed) if nodes is None else nodes
    variance, where = np.unique(np.asarray(spectrum.variance), return_inverse=True)
    count = np.bincount(where, weights=np.asarray(spectrum.count))
    if variance.size <= size:
        missing = size - variance.size
        return Spectrum(
            jnp.asarray(np.pad(variance, (0, missing), mode="edge")), jnp.asarray(np.pad(count, (0, missing)))
        )
    log = np.log(variance)
    centre, half = 0.5 * (log.max() + log.min()), 0.5 * (log.max() - log.min())
    alpha, beta = _lanczos((log - centre) / half, count / count.sum(), size)
    points, vectors = eigh_tridiagonal(alpha, beta)
    return Spectrum(jnp.asarray(np.exp(points * half + centre)), jnp.asarray(vectors[0] ** 2 * count.sum()))


def _lanczos(
    points: Float[np.ndarray, " point"], weights: Float[np.ndarray, " point"], size: int
) -> tuple[Float[np.ndarray, " node"], Float[np.ndarray, " gap"]]:
    """Return the Jacobi matrix of a discrete measure, by Lanczos with full reorthogonalisation."""
    basis = np.zeros((size, points.size))
    alpha, beta = np.zeros(size), np.zeros(size - 1)
    vector = np.sqrt(weights)
    for step in range(size):
        basis[step] = vector
        image = points * vector
        alpha[step] = image @ vector
        for _ in range(2):
            image -= basis[: step + 1].T @ (basis[: step + 1] @ image)
        if step + 1 < size:
            beta[step] = np.linalg.norm(image)
            vector = image / beta[step]
    return alpha, beta
