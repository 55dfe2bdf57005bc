"""How the features of a pilot are weighed: raw, standardised, block by block; averaged by evidence.

A linear learner with a Gaussian prior depends on the unit of each feature. Features in one common unit (an embedding) carry
information in their variances, features in different units do not, and blocks of features (word vectors beside word frequency) may
matter differently. A candidate gives every feature j a prior variance D_j of its weight: the same for all (raw), 1 / variance_j
(standardised), or one of these within every block, with a share of the explained variance for each block (banded ridge).

A pilot often cannot tell, and the choice moves forecasts. So the candidates are averaged: a mixture of normal priors has the second
moment sum_c w_c D_c, w_c the posterior probability of candidate c, and the best linear predictor under the mixture is the one under
a normal prior of that second moment. Hence one representation, in which every feature is divided by (sum_c w_c D_cj)^(-1/2), serves
posterior, forecast and learner alike.

Features of a kernel are a block of their own whose unit is given: they are never standardised.

In: a pilot. Out: ``Representation``. Errors: features without any variance (``ValueError``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import cast

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from brainworth.models.pilot.evidence import EXPONENTS, Rows, readout_table
from brainworth.models.pilot.labels import Labels
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.sources import main_rows, pilot_sources, streamed_moments
from brainworth.models.pilot.statistics import FeatureBasis, deviations
from brainworth.models.pilot.streaming import Moments

NEGLIGIBLE = 1e-3
"""Posterior probability below which a candidate is left out of the average."""
EXPONENT_SCALE = 0.35
"""Standard deviation of the prior of a source's exponent around 1."""
_PARTS = {1: 1, 2: 6, 3: 4, 4: 3}
"""Equal parts that blocks share between them, by the number of blocks; two for more blocks."""
_EVEN = 0.15
"""Part that every block has on top, so that no block is without weight."""


@dataclass(frozen=True)
class Candidate:
    """One way to weigh the features."""

    standardised: bool
    """Whether features are divided by their standard deviation, within their block."""
    share: Float[np.ndarray, " block"]
    """Share of the explained variance that each block has; sums to 1."""
    prior_variance: Float[np.ndarray, " feature"]
    """D_j, up to one factor for all candidates: sum over features of D_j variance_j is the number of features that vary."""


@dataclass(frozen=True)
class Representation:
    """How the features of a pilot are weighed."""

    basis: FeatureBasis
    """Principal directions of the features in this weighing."""
    exponent: float
    """Source exponent of the latents that explains the recordings best in it."""
    standardised: float
    """Posterior probability of standardised features."""
    blocks: Float[np.ndarray, " block"]
    """Posterior mean of the share of the explained variance that each block has."""
    log_odds: float | None
    """Log evidence for standardised against raw features, in nats; none where a kernel gives the unit of all features."""


def population_variance(
    basis: FeatureBasis, features: NDArray[np.float64], kernel: Float[np.ndarray, " feature"] | None = None
) -> NDArray[np.float64]:
    """Return the directions' variances, shrunk towards their mean with the Ledoit-Wolf intensity.

    Sample eigenvalues of n stimuli are spread even where the population's are equal; forecasts are about new stimuli. Features of a
    kernel bring the variance of new stimuli along (``Pilot.kernel``), and directions get it in place of the sample's.
    """
    if kernel is not None:
        given = ~np.isnan(kernel)
        sample = np.var(features[:, given], axis=0)
        part = (basis.rotation[given] / basis.scale[given, None]) ** 2
        return np.maximum(basis.variance + part.T @ (kernel[given] - sample), 1e-12 * basis.variance[0])
    from sklearn.covariance import (
        ledoit_wolf_shrinkage,  # takes half a second, and a plan that is made again does without
    )

    coordinates = basis.transform(features)
    intensity = float(ledoit_wolf_shrinkage(coordinates, assume_centered=True))
    return (1.0 - intensity) * basis.variance + intensity * basis.variance.mean()


def candidates(
    features: Float[np.ndarray, "stimulus feature"],
    block: Int[np.ndarray, " feature"] | None = None,
    kernel: Float[np.ndarray, " feature"] | None = None,
) -> list[Candidate]:
    """Return the ways to weigh the features that are compared.

    Parameters
    ----------
    features
        Raw features of all stimuli.
    block
        Block of each feature, from 0 without gaps; one block if not given.
    kernel
        As ``Pilot.kernel``: features of a kernel are blocks of their own, whose unit is kept.

    Raises
    ------
    ValueError
        If no feature varies.
    """
    _, deviation, varies = deviations(features)
    codes = np.zeros(len(deviation), dtype=np.int64) if block is None else block
    given = np.zeros(len(deviation), dtype=bool) if kernel is None else ~np.isnan(kernel)
    present = np.unique(codes[varies])
    found: list[Candidate] = []
    for standardised in (False,) if np.all(given[varies]) else (True, False):
        unit = np.where(varies, deviation, 1.0) ** 2
        for code in present:
            own = codes == code
            if not standardised or given[own & varies].all():
                unit[own] = np.mean(deviation[own & varies] ** 2)
        for share in _shares(len(present)):
            variance = 1.0 / unit
            for code, part in zip(present, share, strict=True):
                own = codes == code
                variance[own] *= part * varies.sum() / np.sum(own & varies)
            whole = np.zeros(int(codes.max()) + 1)
            whole[present] = share
            found.append(Candidate(standardised, whole, variance))
    return found if len(present) == 1 else [*found, _raw_throughout(deviation, varies, codes)]


def _raw_throughout(
    deviation: Float[np.ndarray, " feature"], varies: NDArray[np.bool_], codes: Int[np.ndarray, " feature"]
) -> Candidate:
    """Return the candidate of one unit for all blocks, whose shares are those of the features' variance."""
    power = np.where(varies, deviation, 0.0) ** 2
    share = np.bincount(codes, weights=power) / power.sum()
    return Candidate(standardised=False, share=share, prior_variance=np.full(len(power), varies.sum() / power.sum()))


def _shares(blocks: int) -> list[Float[np.ndarray, " block"]]:
    """Return the shares of the explained variance that are tried: a regular grid on the simplex, never 0."""
    parts = _PARTS.get(blocks, 2)
    counts = [np.bincount(chosen, minlength=blocks) for chosen in combinations_with_replacement(range(blocks), parts)]
    return [(count + _EVEN) / (parts + _EVEN * blocks) for count in counts]


@dataclass(frozen=True)
class _Observed:
    """Labels and main channels of a pilot as rows of likelihood tables, on the directions of one basis."""

    basis: FeatureBasis
    rows: list[Rows]
    kernel: Float[np.ndarray, " feature"] | None = None

    @classmethod
    def of(
        cls, pilot: Pilot, labels: Labels, folds: Int[np.ndarray, " stimulus"], moments: tuple[Moments | None, ...]
    ) -> _Observed:
        basis = FeatureBasis.from_features(pilot.features)
        coordinates = basis.transform(pilot.features)
        rows = [Rows.of(coordinates[labels.stimulus], labels.mean[:, None], labels.count)]
        found = [main_rows(source) for source in pilot_sources(pilot, basis, folds, moments)]
        return cls(basis, rows + found, pilot.kernel)

    def evidence(
        self, basis: FeatureBasis, features: NDArray[np.float64], exponents: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the log evidence of labels, and of every source's main channels together, by exponent: (part, exponent).

        The signal-to-noise ratio of every column is integrated out, its logarithm uniform on the table's grid.
        """
        turn = (self.basis.rotation * (self.basis.scale / basis.scale)[:, None]).T @ basis.rotation
        variance = population_variance(basis, features, self.kernel)
        parts: list[NDArray[np.float64]] = []
        for rows in self.rows:
            turned = replace(rows, gram=turn.T @ rows.gram @ turn, cross=turn.T @ rows.cross)
            table = readout_table(turned, variance, exponents)
            parts.append(np.asarray(logsumexp(table, axis=2)).sum(axis=0))
        return np.array(parts)


def _prior(exponents: NDArray[np.float64]) -> NDArray[np.float64]:
    log = -0.5 * ((exponents - 1.0) / EXPONENT_SCALE) ** 2
    return log - _log_sum(log)


def _log_sum(score: NDArray[np.float64]) -> float:
    return float(cast("float", logsumexp(score)))


def representation_of(
    pilot: Pilot,
    labels: Labels,
    folds: Int[np.ndarray, " stimulus"] | None = None,
    moments: tuple[Moments | None, ...] | None = None,
    exponents: NDArray[np.float64] = EXPONENTS,
) -> Representation:
    """Return how a pilot's features are weighed: candidates averaged by the evidence of recordings and labels.

    Parameters
    ----------
    pilot
        Pilot, with the blocks of its features if the study names any.
    labels
        Its labels, standardised.
    folds
        Fold of every stimulus; one fold if not given.
    moments
        Recordings that do not fit into memory, by their moments on ``folds`` (``sources.streamed_moments``).
    exponents
        Source exponents that are summed over; labels have their own, all recordings one.
    """
    folds = np.zeros(len(pilot.features), dtype=np.int64) if folds is None else folds
    moments = streamed_moments(pilot, folds) if moments is None else moments
    observed, prior = _Observed.of(pilot, labels, folds, moments), _prior(exponents)
    tried = candidates(pilot.features, pilot.block, pilot.kernel)
    bases = [_weighed(pilot.features, one.prior_variance) for one in tried]
    by_exponent = [observed.evidence(basis, pilot.features, exponents) for basis in bases]
    score = np.array([logsumexp(one[0] + prior) + logsumexp(one[1:].sum(axis=0) + prior) for one in by_exponent])
    weight = softmax(score)
    weight = np.where(weight < NEGLIGIBLE, 0.0, weight)
    weight /= weight.sum()
    standard = np.array([one.standardised for one in tried])
    best = int(np.argmax(weight))
    basis, evidence = bases[best], by_exponent[best]
    if weight[best] < 1.0:
        variance = weight @ np.array([one.prior_variance for one in tried])
        basis = _weighed(pilot.features, variance)
        evidence = observed.evidence(basis, pilot.features, exponents)
    brain = evidence[1:].sum(axis=0) if len(evidence) > 1 else evidence[0]
    return Representation(
        basis=basis,
        exponent=float(exponents[np.argmax(brain + prior)]),
        standardised=float(weight[standard].sum()),
        blocks=weight @ np.array([one.share for one in tried]),
        log_odds=_log_sum(score[standard]) - _log_sum(score[~standard]) if standard.any() else None,
    )


def _weighed(features: NDArray[np.float64], prior_variance: NDArray[np.float64]) -> FeatureBasis:
    return FeatureBasis.from_features(features, scale=1.0 / np.sqrt(prior_variance))
