"""The learner a plan promises, as scikit-learn estimators.

In: labelled stimuli and any number of brain sets (stimulus features, recorded channels; one set per person and modality,
same, overlapping or other stimuli). Out: a linear model of the task. Stage 1 fits the reduced-rank encoder to all brain
sets, stage 2 is the posterior mean under the prior it implies; without brain data this is Bayesian ridge regression
with a spectral prior. What can go wrong: brain sets with other features than the labelled stimuli or with as few as one
sample (``ValueError``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_array, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .encoder import Encoder, EncoderOptions, fit_encoder
from .folds import group_folds
from .readouts import cross_fitted_readouts
from .second_stage import LabelledDesign, SecondStage, fit_second_stage
from .statistics import CentredSource, FeatureBasis, SourceStatistics

Matrix = NDArray[np.float64]
BrainSet = tuple[ArrayLike, ArrayLike]

# scikit-learn's annotations are narrower than what it accepts.
_validated: Callable[..., Any] = validate_data
_checked_array: Callable[..., Matrix] = check_array

EXPONENTS = (0.5, 1.0, 1.5)
"""Spectral exponents of the latents that are compared by evidence."""
N_FOLDS = 5
"""Folds on which latents are confirmed."""
MINIMUM_STIMULI = 50
"""Different stimuli of every brain set below which latents are not tested."""


class _TwoStageLinear(BaseEstimator):
    """What regressor and classifier share: stage 1 once, stage 2 for every target."""

    encoder_: Encoder | None
    basis_: FeatureBasis
    second_stages_: list[SecondStage]
    coef_: Matrix
    intercept_: Matrix
    n_latents: int
    standardise: bool

    def _fit_targets(
        self, features: Matrix, targets: Matrix, brain: Sequence[BrainSet] | None, groups: ArrayLike | None
    ) -> None:
        """Fit both stages; ``targets`` has one column per target."""
        sets = [_checked_set(pair, features.shape[1]) for pair in brain or []]
        self.basis_ = _basis(np.vstack([features, *[stimuli for stimuli, _ in sets]]), standardise=self.standardise)
        coordinates = self.basis_.transform(features)
        variance = self.basis_.variance
        self.encoder_ = _encoder(self.basis_, sets, self.n_latents) if sets else None
        empty = np.zeros((len(variance), 0))
        codes = None
        if groups is not None:
            check_consistent_length(features, groups)
            codes = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
        design = LabelledDesign(
            coordinates=coordinates - coordinates.mean(axis=0),
            variance=variance,
            maps=empty if self.encoder_ is None else self.encoder_.maps,
            map_variance=empty if self.encoder_ is None else self.encoder_.map_covariance_diag,
            group=codes,
        )
        means = targets.mean(axis=0)
        self.second_stages_ = [fit_second_stage(design, target) for target in (targets - means).T]
        weights = np.stack([stage.coefficients for stage in self.second_stages_], axis=1)
        self.coef_ = self.basis_.raw_coefficients(weights).T
        self.intercept_ = means - self.coef_ @ features.mean(axis=0)

    def _scores(self, X: ArrayLike) -> Matrix:
        check_is_fitted(self)
        features = _validated(self, X, reset=False, dtype=np.float64)
        return features @ np.atleast_2d(self.coef_).T + self.intercept_


class BrainInformedRegressor(RegressorMixin, _TwoStageLinear):
    """Linear regression whose prior is learned from brain recordings of (other) stimuli.

    Parameters
    ----------
    n_latents : int, default 10
        Largest number of brain latents; only as many are kept as predict held-out recordings.
    standardise : bool, default False
        Whether features are divided by their standard deviation first; for tables with different units.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Weights on the raw features.
    intercept_ : float or ndarray of shape (n_targets,)
        Prediction at zero features.
    encoder_ : Encoder or None
        Stage 1; None without brain data, or if they confirm no latent.
    second_stages_ : list of SecondStage
        Stage 2 of each target, with the variance components.

    Examples
    --------
    >>> import numpy as np
    >>> from brainworth.models.learner import BrainInformedRegressor
    >>> rng = np.random.default_rng(0)
    >>> X_brain, X_task = rng.standard_normal((300, 20)), rng.standard_normal((15, 20))
    >>> direction = rng.standard_normal(20)
    >>> R = np.outer(X_brain @ direction, rng.standard_normal(8)) + rng.standard_normal((300, 8))
    >>> model = BrainInformedRegressor(n_latents=2).fit(X_task, X_task @ direction, brain=[(X_brain, R)])
    >>> bool(model.score(X_brain, X_brain @ direction) > 0.9)
    True
    """

    def __init__(self, n_latents: int = 10, *, standardise: bool = False) -> None:
        self.n_latents = n_latents
        self.standardise = standardise

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        brain: Sequence[BrainSet] | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit both stages.

        Parameters
        ----------
        X : array-like of shape (n_labels, n_features)
            Features of the labelled stimuli.
        y : array-like of shape (n_labels,) or (n_labels, n_targets)
            Labels.
        brain : list of (X_brain, R), optional
            One pair per person and modality: features of the recorded stimuli, recorded channels; one row per sample.
        groups : array-like of shape (n_labels,), optional
            Labels of a group (rater, session) share an offset, whose variance is estimated.
        """
        features, label = _validated(self, X, y, dtype=np.float64, y_numeric=True, multi_output=True)
        targets = np.asarray(label, dtype=np.float64)
        self._fit_targets(features, targets.reshape(len(targets), -1), brain, groups)
        if targets.ndim == 1:
            self.coef_ = self.coef_[0]
            self.intercept_ = self.intercept_[0]
        return self

    def predict(self, X: ArrayLike) -> Matrix:
        """Return predictions of shape (n_stimuli,) or (n_stimuli, n_targets)."""
        scores = self._scores(X)
        return scores[:, 0] if self.coef_.ndim == 1 else scores


class BrainInformedClassifier(ClassifierMixin, _TwoStageLinear):
    """Classification by least squares on +-1 labels (THEORY section 6), one class against the rest.

    Parameters and attributes are those of ``BrainInformedRegressor``; with two classes there is one score, positive for
    the second class.
    """

    classes_: NDArray[Any]

    def __init__(self, n_latents: int = 10, *, standardise: bool = False) -> None:
        self.n_latents = n_latents
        self.standardise = standardise

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        brain: Sequence[BrainSet] | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit both stages; ``y`` holds class labels, the rest is as in ``BrainInformedRegressor.fit``."""
        features, label = _validated(self, X, y, dtype=np.float64)
        check_classification_targets(label)
        self.classes_, codes = np.unique(label, return_inverse=True)
        if self.classes_.size < 2:
            raise ValueError(f"A classifier needs labels of at least two classes. Got {self.classes_.size} class.")
        targets = np.where(codes.reshape(-1, 1) == np.arange(self.classes_.size), 1.0, -1.0)
        if self.classes_.size == 2:
            targets = targets[:, 1:]
        self._fit_targets(features, targets, brain, groups)
        return self

    def decision_function(self, X: ArrayLike) -> Matrix:
        """Return scores of shape (n_stimuli,) for two classes, else (n_stimuli, n_classes)."""
        scores = self._scores(X)
        return scores[:, 0] if self.classes_.size == 2 else scores

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the class of each stimulus."""
        scores = self.decision_function(X)
        chosen = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[chosen]


def _checked_set(pair: BrainSet, n_features: int) -> tuple[Matrix, Matrix]:
    """Return one brain set as arrays."""
    features = _checked_array(pair[0], dtype=np.float64, ensure_min_samples=2, input_name="X_brain")
    channels = _checked_array(pair[1], dtype=np.float64, ensure_min_samples=2, input_name="R")
    check_consistent_length(features, channels)
    if features.shape[1] != n_features:
        raise ValueError(
            f"A brain set must have the features of the labelled stimuli ({n_features}). Got {features.shape[1]} instead."
        )
    return features, channels


def _basis(features: Matrix, *, standardise: bool) -> FeatureBasis:
    """Return the basis of all stimuli; a single flat direction where no feature varies."""
    if np.ptp(features, axis=0).max() > 0.0:
        return FeatureBasis.from_features(features, standardise=standardise)
    p = features.shape[1]
    return FeatureBasis(mean=features[0], scale=np.ones(p), rotation=np.eye(p)[:, :1], variance=np.ones(1))


def _encoder(basis: FeatureBasis, sets: Sequence[tuple[Matrix, Matrix]], n_latents: int) -> Encoder | None:
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
