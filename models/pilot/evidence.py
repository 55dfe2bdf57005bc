"""What a pilot says, reduced to numbers whose size does not depend on samples or channels.

In: read-outs of the brain's latents that were learned on other folds, their stimuli's features, labels. Out: tables and
spectra from which the likelihood of the hierarchical model is evaluated in microseconds.

* Brain. A pooled read-out of latent j of modality m, z_i = sqrt(phi m_i) u_i + noise (m_i: summed relative precision of
  the presentations of stimulus i), has covariance s^2 (phi M^1/2 X G X' M^1/2 + I) once the weights a_j ~ N(0, G) are
  integrated out; the noise scale s is integrated out too, so that neither heavy tails nor a misjudged whitening moves
  phi. Rotated into the eigenbasis of G^1/2 X'MX G^1/2 the rows are independent, and the log-likelihood is a smooth
  function of (source exponent, log phi): a table.
* Task. y = sum_j w_j c_j u^_j + remainder + noise, where u^_j is the encoder's prediction scaled to unit variance. In
  the eigenbasis of the labels' kernel its covariance is diagonal (exactly, if labels and recordings share their
  stimuli; in the deterministic-equivalent sense, if not), so that y enters through p projections per exponent.
  What features do not explain of the response to a stimulus may be what they do not explain of its label, and an encoder that was
  fitted to that response holds some of it. So the labels' residual may depend on that of the read-outs (``Beyond``).

Limits: too few stimuli for a projection (decided at the edge); a kernel of zero (constant features, decided at the edge).
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float
from numpy.typing import NDArray

from brainworth.models.pilot.statistics import signed
from brainworth.models.pilot.within_types import WithinTypes
from brainworth.models.theory.system import Spectrum

EXPONENTS = np.linspace(0.0, 2.0, 7)
"""Grid of source exponents: 0 puts equal variance on all directions, 1 gives all weights the same prior variance."""
LOG_SNR = np.linspace(np.log(1e-4), np.log(1e3), 65)
"""Grid of the logarithm of the read-outs' signal-to-noise ratio."""
UNKNOWN_NOISE = 1e6
"""Noise of the read-outs of a latent of which nothing is known."""
PADDING = 64
"""Directions are padded with empty ones to a multiple of this, so that pilots of similar size share compiled code."""


@register_dataclass
@dataclass(frozen=True)
class BrainEvidence:
    """Likelihood tables of the brain read-outs and the size of the pilot behind them."""

    table: Float[Array, "modality latent exponent log_snr"]
    """Log-likelihood of the pooled read-outs; zero where a modality has no pilot."""
    samples: Float[Array, " modality"]
    """Surviving presentations in units of independent ones, all people together; 0 without a pilot."""
    independent: Float[Array, " modality"]
    """Independent samples that one sample is worth: below 1 where noise and stimuli are both autocorrelated."""
    subjects: Float[Array, " modality"]
    """People."""
    repeats: Float[Array, " modality"]
    """Mean number of presentations of a stimulus to a person."""
    shared: Float[Array, " modality"]
    """1 if the people saw the same stimuli."""
    channels: Float[Array, " modality"]
    """Mean number of channels of a person."""
    efficiency: Float[Array, " modality"]
    """Share of a read-out's signal-to-noise ratio that survives a noise covariance estimated from all samples."""
    fold_efficiency: Float[Array, " modality"]
    """The same where the covariance is estimated from the samples of the other folds."""
    fold_share: Float[Array, ""]
    """Share of the samples from which the read-outs' filters were learned."""
    shared_noise: Float[Array, " modality"]
    """kappa: share of the noise that presentations of one stimulus have in common (``likeness``)."""
    level_error: Float[Array, " modality"]
    """Standard error of log phi by heavy-tailed noise, beyond that of Gaussian noise."""
    slope: Float[Array, "subject latent"]
    """Regression of a person's read-outs on the prediction by the others."""
    slope_error: Float[Array, "subject latent"]
    """Standard error of the slope."""
    person_samples: Float[Array, " subject"]
    """Presentations of each person; 0 for a person who only fills up a shape."""
    person_weight: Float[Array, " subject"]
    """Relative precision with which a person's read-outs were pooled."""


@register_dataclass
@dataclass(frozen=True)
class Beyond:
    """What recordings show of labelled stimuli beyond the features: read-outs less their prediction, in units of their noise."""

    inside: Float[Array, "exponent direction latent"]
    """Projections on the eigenbasis of the labels' kernel."""
    label: Float[Array, " latent"]
    """Products with the labels outside of the features' span."""
    products: Float[Array, "latent latent"]
    """Products with each other there."""
    noise: Float[Array, " latent"]
    """Standard deviation of the read-outs' noise in units of the latent; ``UNKNOWN_NOISE`` where nothing is known."""
    seen: Float[Array, ""]
    """Share of the labels whose stimuli were recorded."""


@register_dataclass
@dataclass(frozen=True)
class TaskEvidence:
    """Projections of labels and predicted latents on the eigenbasis of the labels' kernel, per exponent."""

    eigenvalue: Float[Array, "exponent direction"]
    """l: eigenvalues of M^1/2 X G X' M^1/2 (M: labels per stimulus)."""
    label: Float[Array, "exponent direction"]
    """Standardised labels."""
    predicted: Float[Array, "exponent direction latent"]
    """Predicted latents, unit variance in the population."""
    rest: Float[Array, ""]
    """Sum of squares of the labels outside of the features' span."""
    rest_count: Float[Array, ""]
    """Dimensions of that part."""
    total: Float[Array, ""]
    """Labels, repeats counted."""
    distinct: Float[Array, ""]
    """Labelled stimuli."""
    beyond: Beyond
    """What recordings show of the same stimuli beyond the features."""


@register_dataclass
@dataclass(frozen=True)
class TypeEvidence:
    """Labels of types, for every share of their noise that those of one type may have in common (``WithinTypes``)."""

    task: TaskEvidence
    """As without types, with a leading axis for the share."""
    log_volume: Float[Array, " share"]
    """What whitening adds to the log-likelihood."""


@register_dataclass
@dataclass(frozen=True)
class PilotEvidence:
    """All that the hierarchical model conditions on."""

    spectrum: Spectrum
    """Compressed population spectrum of the features."""
    brain: BrainEvidence
    """Read-outs."""
    task: TaskEvidence
    """Labels, as if all were independent."""
    types: TypeEvidence | None = None
    """Labels again, for every share of their noise that those of one type may have in common; none without types."""


def spectral_shares(variance: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Return h_i, proportional to d_i^exponent, sum h_i = 1."""
    log = exponent * np.log(variance)
    shares = np.exp(log - log.max())
    return shares / shares.sum()


def prior_variance(variance: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Return g_i = h_i / d_i."""
    return spectral_shares(variance, exponent) / variance


def rotate(
    gram: NDArray[np.float64], cross: NDArray[np.float64], g: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return eigenvalues of G^1/2 X'X G^1/2 and the projections of X'Y on the matching unit vectors of sample space.

    Parameters
    ----------
    gram : (p, p) X'X of the (weighted) rows.
    cross : (p, c) X'Y.
    g : (p,) prior variances.

    Returns
    -------
    eigenvalues (p,), not below 0, and projections (p, c); the latter are 0 where the eigenvalue is 0.
    """
    half = np.sqrt(g)
    values, vectors = np.linalg.eigh(half[:, None] * gram * half)
    values = np.where(values > 1e-10 * values[-1], values, 0.0)
    projected = signed(vectors).T @ (half[:, None] * cross)
    scale = np.where(values > 0, 1.0 / np.sqrt(np.where(values > 0, values, 1.0)), 0.0)
    return values, projected * scale[:, None]


@dataclass(frozen=True)
class Rows:
    """Weighted rows as sufficient statistics: features X sqrt(m) and columns Y sqrt(m), mean removed."""

    gram: NDArray[np.float64]
    cross: NDArray[np.float64]
    products: NDArray[np.float64]
    """Y'Y of the columns."""
    count: int

    @property
    def squares(self) -> NDArray[np.float64]:
        """Sum of squares of every column."""
        return np.diagonal(self.products)

    def scaled(self, share: float) -> Rows:
        """Return what rows say of which each is worth ``share`` of an independent one.

        Autocorrelated noise inflates the squared projections onto the features' directions by B = 1 / share, but not the sum
        of squares outside of them: dividing gram, projections and squares by B leaves unit noise inside, and the
        (n - p) dimensions outside count 1 / B each.
        """
        inside = min(len(self.gram), self.count)
        count = round(inside + share * (self.count - inside))
        return Rows(share * self.gram, share * self.cross, share * self.products, count)

    @classmethod
    def of(
        cls,
        features: NDArray[np.float64],
        columns: NDArray[np.float64],
        weight: NDArray[np.float64],
        within: WithinTypes | None = None,
    ) -> Rows:
        """Return the statistics of rows (n, p), columns (n, c) and weights (n,); the weighted mean is projected out.

        ``columns`` are means over the presentations of a row, whose noise variance is 1 / weight; ``within`` says what rows of
        one type have in common of it.
        """
        half = np.sqrt(weight)[:, None]
        x, y = half * features, half * columns
        if within is not None:
            half, x, y = (within.whitened(part, weight) for part in (np.ones((len(weight), 1)), features, columns))
        mean = half[:, 0] / np.linalg.norm(half)
        x, y = x - np.outer(mean, mean @ x), y - np.outer(mean, mean @ y)
        return cls(gram=x.T @ x, cross=x.T @ y, products=y.T @ y, count=len(x) - 1)


def readout_table(
    rows: Rows, variance: NDArray[np.float64], exponents: NDArray[np.float64] = EXPONENTS
) -> NDArray[np.float64]:
    """Return the log-likelihood of each column on the grid, noise scale integrated out: (column, exponent, log_snr)."""
    snr = np.exp(LOG_SNR)
    table = np.empty((rows.cross.shape[1], exponents.size, snr.size))
    for index, exponent in enumerate(exponents):
        values, projected = rotate(rows.gram, rows.cross, prior_variance(variance, exponent))
        gain = 1.0 + values[:, None] * snr
        outside = np.maximum(rows.squares - np.sum(projected**2, axis=0), 0.0)
        quadratic = (projected**2).T @ (1.0 / gain) + outside[:, None]
        table[:, index] = -0.5 * np.sum(np.log(gain), axis=0) - 0.5 * rows.count * np.log(quadratic)
    return table - table[:, :, :1].max(axis=1, keepdims=True)


def task_evidence(
    rows: Rows,
    variance: NDArray[np.float64],
    total: float,
    distinct: float,
    noise: NDArray[np.float64],
    seen: float = 1.0,
) -> TaskEvidence:
    """Return the projections of column 0 (standardised labels), predicted latents, and residuals of latents, in this order.

    ``noise`` and ``seen`` as in ``Beyond``.
    """
    values, projections = [], []
    for exponent in EXPONENTS:
        value, projected = rotate(rows.gram, rows.cross, prior_variance(variance, exponent))
        values.append(value)
        projections.append(projected)
    inside = np.asarray(projections)
    outside = rows.products - inside[0].T @ inside[0]
    rank = int(np.sum(values[0] > 0))
    outside = outside * float(rows.count > rank)  # without any dimension left it is rounding
    padding = -inside.shape[1] % PADDING
    inside = np.pad(inside, ((0, 0), (0, padding), (0, 0)))
    rest = slice(1 + noise.size, None)
    return TaskEvidence(
        eigenvalue=jnp.asarray(np.pad(np.asarray(values), ((0, 0), (0, padding)))),
        label=jnp.asarray(inside[:, :, 0]),
        predicted=jnp.asarray(inside[:, :, 1 : 1 + noise.size]),
        rest=jnp.asarray(max(float(outside[0, 0]), 0.0)),
        rest_count=jnp.asarray(float(rows.count - rank)),
        total=jnp.asarray(float(total)),
        distinct=jnp.asarray(float(distinct)),
        beyond=Beyond(
            inside=jnp.asarray(inside[:, :, rest]),
            label=jnp.asarray(outside[0, rest]),
            products=jnp.asarray(outside[rest, rest]),
            noise=jnp.asarray(noise),
            seen=jnp.asarray(float(seen)),
        ),
    )


def cubic_weights(position: Float[Array, ""], size: int) -> tuple[Array, Float[Array, " four"]]:
    """Return the first of four neighbours on a grid with one more point at each end, and their Catmull-Rom weights."""
    position = jnp.clip(position, 0.0, size - 1.0)
    start = jnp.clip(jnp.floor(position), 0, size - 2).astype(int)
    t = position - start
    return start, jnp.stack([
        -0.5 * t + t**2 - 0.5 * t**3,
        1.0 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2.0 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    ])  # fmt: skip


def look_up(
    table: Float[Array, "exponent log_snr"], exponent: Float[Array, ""], log_snr: Float[Array, ""]
) -> Float[Array, ""]:
    """Return a table's value between grid points, differentiable in both arguments; constant outside of the grid."""
    step_a, step_s = EXPONENTS[1] - EXPONENTS[0], LOG_SNR[1] - LOG_SNR[0]
    row, by_row = cubic_weights((exponent - EXPONENTS[0]) / step_a, EXPONENTS.size)
    column, by_column = cubic_weights((log_snr - LOG_SNR[0]) / step_s, LOG_SNR.size)
    table = jnp.pad(table, 1, mode="reflect", reflect_type="odd")
    rows = row + jnp.arange(4)
    columns = column + jnp.arange(4)
    return by_row @ table[rows[:, None], columns[None, :]] @ by_column
