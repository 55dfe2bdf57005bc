"""The learner a plan promises, as scikit-learn estimators.

In: labelled stimuli and any number of brain sets (stimulus features, recorded channels; one set per person and modality, same,
overlapping or other stimuli). Out: a linear model of the task. Stage 1 fits the reduced-rank encoder to all brain sets. Stage 2
is the posterior mean of the weights, averaged over the variance components and over whether the latents carry any of the task;
without brain data this is Bayesian ridge regression with a spectral prior. Errors: brain sets with other features than the
labelled stimuli or with as few as one sample (``ValueError``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from brainworth.models.learner.averaging import fit_second_stage
from brainworth.models.learner.brain_sets import BrainSet, checked_set, checked_stimuli, common_basis, first_stage
from brainworth.models.learner.probability import ProbitLink, probit_link
from brainworth.models.learner.second_stage import LabelledDesign, SecondStage
from brainworth.models.pilot.encoder import Encoder
from brainworth.models.pilot.statistics import FeatureBasis

Matrix = NDArray[np.float64]

# scikit-learn's annotations are narrower than what it accepts.
_validated: Callable[..., Any] = validate_data


@dataclass(frozen=True)
class _Given:
    """What a learner is given beside features and labels."""

    brain: Sequence[BrainSet] | None
    groups: ArrayLike | None
    worth: ArrayLike | None
    stimuli: ArrayLike | None
    shown: ArrayLike | None = None


class _TwoStageLinear(BaseEstimator):
    """What regressor and classifier share: stage 1 once, stage 2 for every target."""

    encoder_: Encoder | None
    basis_: FeatureBasis
    centre_: Matrix
    second_stages_: list[SecondStage]
    coef_: Matrix
    intercept_: Matrix

    def __init__(self, n_latents: int = 10, *, standardise: bool = False, scale: ArrayLike | None = None) -> None:
        self.n_latents = n_latents
        self.standardise = standardise
        self.scale = scale

    def _fit_targets(
        self,
        features: Matrix,
        targets: Matrix,
        given: _Given,
    ) -> LabelledDesign:
        """Fit both stages and return the labelled stimuli as stage 2 sees them; ``targets`` has one column per target."""
        names = getattr(self, "feature_names_in_", None)  # by scikit-learn, where the labelled stimuli are a data frame
        sets = [checked_set(one, features.shape[1], names) for one in given.brain or []]
        more = checked_stimuli(given.stimuli, features.shape[1], names)
        shown = np.ones(len(more)) if given.shown is None else np.asarray(given.shown, dtype=np.float64)
        check_consistent_length(more, shown)
        stacked = np.vstack([features, more, *(one.features for one in sets)])
        count = np.concatenate([np.ones(len(features)), shown, *(one.count for one in sets)])
        scale = None if self.scale is None else np.asarray(self.scale, dtype=np.float64)
        if scale is not None and (scale.shape != (features.shape[1],) or not np.all(scale > 0.0)):
            raise ValueError(
                f"'scale' must hold one positive number per feature ({features.shape[1]}). Got {self.scale!r}."
            )
        self.basis_ = common_basis(stacked, count, standardise=self.standardise, scale=scale)
        coordinates = self.basis_.transform(features)
        variance = self.basis_.variance
        learned = first_stage(self.basis_, sets, self.n_latents) if sets else None
        self.encoder_ = None if learned is None else learned.encoder
        latents = None if learned is None else learned.latents(self.basis_, features)
        empty = np.zeros((len(variance), 0))
        codes = None
        if given.groups is not None:
            check_consistent_length(features, given.groups)
            codes = np.unique(np.asarray(given.groups), return_inverse=True)[1].reshape(-1)
        worth = given.worth
        weight = np.ones(len(features)) if worth is None else np.asarray(worth, dtype=np.float64)
        check_consistent_length(features, weight)
        root, means = np.sqrt(weight)[:, None], np.average(targets, axis=0, weights=weight)
        self.centre_ = np.average(coordinates, axis=0, weights=weight)
        design = LabelledDesign(
            coordinates=root * (coordinates - self.centre_),
            variance=variance,
            maps=empty if self.encoder_ is None else self.encoder_.maps,
            map_variance=empty if self.encoder_ is None else self.encoder_.map_covariance_diag,
            group=codes,
            held_out=None if latents is None else root * (latents - np.average(latents, axis=0, weights=weight)),
            root=None if worth is None else root[:, 0],
        )
        self.second_stages_ = [fit_second_stage(design, target) for target in (root * (targets - means)).T]
        weights = np.stack([stage.coefficients for stage in self.second_stages_], axis=1)
        self.coef_ = self.basis_.raw_coefficients(weights).T
        self.intercept_ = means - self.coef_ @ np.average(features, axis=0, weights=weight)
        return design

    def _features(self, X: ArrayLike) -> Matrix:
        check_is_fitted(self)
        return _validated(self, X, reset=False, dtype=np.float64)


class BrainInformedRegressor(RegressorMixin, _TwoStageLinear):
    """Linear regression whose prior is learned from brain recordings of (other) stimuli.

    Parameters
    ----------
    n_latents : int, default 10
        Largest number of brain latents; only as many are kept as predict held-out recordings.
    standardise : bool, default False
        Whether features are divided by their standard deviation first; for tables with different units.
    scale : array-like of shape (n_features,), optional
        What each feature is divided by, instead of one number for all or its standard deviation.

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
    >>> from brainworth.models.learner.learner import BrainInformedRegressor
    >>> rng = np.random.default_rng(0)
    >>> X_brain, X_task = rng.standard_normal((300, 20)), rng.standard_normal((15, 20))
    >>> direction = rng.standard_normal(20)
    >>> R = np.outer(X_brain @ direction, rng.standard_normal(8)) + rng.standard_normal((300, 8))
    >>> model = BrainInformedRegressor(n_latents=2).fit(X_task, X_task @ direction, brain=[(X_brain, R)])
    >>> bool(model.score(X_brain, X_brain @ direction) > 0.9)
    True
    """

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(  # noqa: PLR0913  (all that a learner can be given)
        self,
        X: ArrayLike,
        y: ArrayLike,
        brain: Sequence[BrainSet] | None = None,
        groups: ArrayLike | None = None,
        worth: ArrayLike | None = None,
        *,
        stimuli: ArrayLike | None = None,
        shown: ArrayLike | None = None,
    ) -> Self:
        """Fit both stages.

        Parameters
        ----------
        X : array-like of shape (n_labels, n_features)
            Features of the labelled stimuli.
        y : array-like of shape (n_labels,) or (n_labels, n_targets)
            Labels.
        brain : list of (X_brain, R), optional
            One pair per person and modality: features of the recorded stimuli, recorded channels; one row per sample. A
            ``brain_sets.LargeSet`` for recordings that do not fit into memory.
        groups : array-like of shape (n_labels,), optional
            Labels of a group (rater, session) share an offset, whose variance is estimated.
        worth : array-like of shape (n_labels,), optional
            Labels of average noise that each label is worth: mean noise variance over its own. 1 if not given.
        stimuli : array-like of shape (n_stimuli, n_features), optional
            Features of stimuli without a label or a recording. They teach how features vary, which is all that features of
            recorded stimuli teach without the recordings; a fair twin that does without recordings is given these.
        shown : array-like of shape (n_stimuli,), optional
            How often each of ``stimuli`` counts; once if not given.
        """
        features, label = _validated(self, X, y, dtype=np.float64, y_numeric=True, multi_output=True)
        targets = np.asarray(label, dtype=np.float64)
        self._fit_targets(features, targets.reshape(len(targets), -1), _Given(brain, groups, worth, stimuli, shown))
        if targets.ndim == 1:
            self.coef_ = self.coef_[0]
            self.intercept_ = self.intercept_[0]
        return self

    def predict(self, X: ArrayLike) -> Matrix:
        """Return predictions of shape (n_stimuli,) or (n_stimuli, n_targets)."""
        scores = self._features(X) @ np.atleast_2d(self.coef_).T + self.intercept_
        return scores[:, 0] if self.coef_.ndim == 1 else scores


class BrainInformedClassifier(ClassifierMixin, _TwoStageLinear):
    """Classification by least squares on +-1 labels (THEORY section 6), one class against the rest.

    Parameters and attributes are those of ``BrainInformedRegressor``; ``coef_`` and ``intercept_`` have one row per class (one in
    all for two classes) and hold the least-squares weights on labels of -1 and +1, from which probabilities follow by a
    probit link with the posterior variance of each stimulus (``probability``).

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    links_ : list of ProbitLink
        How the scores of each row of ``coef_`` become probabilities.
    """

    classes_: NDArray[Any]
    links_: list[ProbitLink]

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        brain: Sequence[BrainSet] | None = None,
        groups: ArrayLike | None = None,
        *,
        stimuli: ArrayLike | None = None,
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
        design = self._fit_targets(features, targets, _Given(brain, groups, None, stimuli))
        means = targets.mean(axis=0)
        self.links_ = [
            probit_link(design, stage, float(mean)) for stage, mean in zip(self.second_stages_, means, strict=True)
        ]
        return self

    def decision_function(self, X: ArrayLike) -> Matrix:
        """Return probits of shape (n_stimuli,) for two classes, else (n_stimuli, n_classes).

        The probit of two classes is that of the second one, above 0 where it is the more probable; with more classes, each is
        that of the class against the rest.
        """
        features = self._features(X)
        coordinates = self.basis_.transform(features) - self.centre_
        columns = [
            link.argument(coordinates @ stage.coefficients, coordinates)
            for link, stage in zip(self.links_, self.second_stages_, strict=True)
        ]
        return columns[0] if self.classes_.size == 2 else np.stack(columns, axis=1)

    def predict_proba(self, X: ArrayLike) -> Matrix:
        """Return posterior predictive probabilities of shape (n_stimuli, n_classes).

        What is not known of the task counts: for a stimulus unlike any labelled one the probabilities are near the base rates.
        With more than two classes the probabilities against the rest are scaled to sum to 1.
        """
        probability = special.ndtr(self.decision_function(X))
        if probability.ndim == 1:
            return np.stack([1.0 - probability, probability], axis=1)
        probability = np.maximum(probability, 1e-300)
        return probability / probability.sum(axis=1, keepdims=True)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each stimulus."""
        scores = self.decision_function(X)
        chosen = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[chosen]
