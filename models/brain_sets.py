"""Stage 1 of the learner on raw arrays: brain sets, their common feature basis, and an encoder of confirmed latents.

In: brain sets (stimulus features and recorded channels, one per person and modality). Out: a ``FeatureBasis`` of all
stimuli and an ``Encoder`` with as many latents as held-out recordings confirm. What can go wrong: brain sets with other
features than the labelled stimuli or with as few as one sample (``ValueError``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, check_consistent_length

from .encoder import Encoder, EncoderOptions, fit_encoder
from .folds import group_folds
from .readouts import cross_fitted_readouts
from .statistics import CentredSource, FeatureBasis, SourceStatistics

Matrix = NDArray[np.float64]
BrainSet = tuple[ArrayLike, ArrayLike]

# scikit-learn's annotations are narrower than what it accepts.
_checked_array: Callable[..., Matrix] = check_array

EXPONENTS = (0.5, 1.0, 1.5)
"""Spectral exponents of the latents that are compared by evidence."""
N_FOLDS = 5
"""Folds on which latents are confirmed."""
MINIMUM_STIMULI = 50
"""Different stimuli of every brain set below which latents are not tested."""


def checked_set(pair: BrainSet, n_features: int) -> tuple[Matrix, Matrix]:
    """Return one brain set as arrays; ``ValueError`` if it does not have the features of the labelled stimuli."""
    features = _checked_array(pair[0], dtype=np.float64, ensure_min_samples=2, input_name="X_brain")
    channels = _checked_array(pair[1], dtype=np.float64, ensure_min_samples=2, input_name="R")
    check_consistent_length(features, channels)
    if features.shape[1] != n_features:
        raise ValueError(
            f"A brain set must have the features of the labelled stimuli ({n_features}). Got {features.shape[1]} instead."
        )
    return features, channels


def common_basis(features: Matrix, *, standardise: bool) -> FeatureBasis:
    """Return the basis of all stimuli; a single flat direction where no feature varies."""
    if np.ptp(features, axis=0).max() > 0.0:
        return FeatureBasis.from_features(features, standardise=standardise)
    p = features.shape[1]
    return FeatureBasis(mean=features[0], scale=np.ones(p), rotation=np.eye(p)[:, :1], variance=np.ones(1))


def confirmed_encoder(basis: FeatureBasis, sets: Sequence[tuple[Matrix, Matrix]], n_latents: int) -> Encoder | None:
    """Return stage 1 with as many latents as held-out recordings confirm; None if they confirm none."""
    identity = np.unique(np.vstack([features for features, _ in sets]), axis=0, return_inverse=True)[1].reshape(-1)
    ends = np.cumsum([len(features) for features, _ in sets])
    sources: list[CentredSource] = []
    for (features, channels), shown in zip(sets, np.split(identity, ends[:-1]), strict=True):
        coordinates = basis.transform(features)
        sources.append(
            CentredSource(
                coordinates=coordinates - coordinates.mean(axis=0),
                channels=channels - channels.mean(axis=0),
                stimulus=shown,
            )
        )
    statistics = [source.statistics() for source in sources]
    shares = _shares(basis, statistics, n_latents)
    encoder = fit_encoder(statistics, basis.variance, shares, n_latents)
    confirmed = _confirmed(sources, encoder, basis.variance, shares)
    if confirmed in (0, encoder.maps.shape[1]):
        return encoder if confirmed else None
    return fit_encoder(statistics, basis.variance, shares, confirmed)


def _shares(basis: FeatureBasis, statistics: Sequence[SourceStatistics], n_latents: int) -> Matrix:
    """Return the latents' prior shares under the spectral exponent of largest evidence."""
    raw = [(basis.variance / basis.variance[0]) ** exponent for exponent in EXPONENTS]
    shares = [values / values.sum() for values in raw]
    # One shrinkage round: the whitening is then the same for all exponents, and their evidences compare.
    brief = EncoderOptions(shrinkage_rounds=1)
    trials = [fit_encoder(statistics, basis.variance, h, n_latents, brief).log_evidence for h in shares]
    return shares[int(np.argmax(trials))]


def _confirmed(sources: Sequence[CentredSource], encoder: Encoder, variance: Matrix, shares: Matrix) -> int:
    """Return how many latents predict read-outs of stimuli that their encoder and filters never saw."""
    n_stimuli = 1 + max(int(source.stimulus.max()) for source in sources)
    if min(np.unique(source.stimulus).size for source in sources) < MINIMUM_STIMULI:
        return encoder.maps.shape[1]
    folds = group_folds(np.arange(n_stimuli), N_FOLDS, 0)
    return cross_fitted_readouts(sources, folds, encoder, variance, shares).confirmed
