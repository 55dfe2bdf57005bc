"""The learner of a plan, as a scikit-learn estimator: it knows what the plan believes, and learns the rest from the data.

In: the plan's belief, the pilot if it also trains the final model, labelled stimuli and brain sets. Out: a linear model of the
task, the posterior mean of THEORY sections 2 and 3 averaged over the belief. Errors: a brain set whose modality is not named
though there are several, or is not one of the plan's (``ValueError``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from brainworth.models.learner.belief import Parameters, Source, Stage1, TwoStages
from brainworth.models.learner.brain_sets import BrainSet, CheckedSet, DistinctStimuli, checked_set, common_basis
from brainworth.models.learner.task_fit import TaskFit
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.representation import population_variance
from brainworth.models.pilot.sources import pilot_sources, streamed_moments
from brainworth.models.pilot.statistics import FeatureBasis, SourceStatistics
from brainworth.models.pilot.threads import one_blas_thread
from brainworth.models.pilot.within_types import WithinTypes, types_in_common
from brainworth.models.worlds.gram import LabelStatistics

Matrix = NDArray[np.float64]

# scikit-learn's annotations are narrower than what it accepts.
_validated: Callable[..., Any] = validate_data


class PlanLearner(RegressorMixin, BaseEstimator):
    """Linear regression that knows the variance components of a plan.

    Parameters
    ----------
    belief : Parameters
        Posterior draws of the parameters, or the one of a known system; variances in squares of the label's unit.
    modalities : tuple of str
        Names of the modalities, in the order of the belief.
    basis : FeatureBasis, optional
        The plan's representation of the features; the principal directions of all stimuli given to ``fit`` if there is none.
    variance : ndarray of shape (n_directions,), optional
        Population variance of each direction of ``basis``.
    pilot : Pilot, optional
        The pilot that the belief was formed from, if its data train the model, too. Its labels do not count twice: the draws of
        the belief are weighed by the evidence of the new labels given the pilot's.
    type_share : float, default 0
        Share of the label noise that the pilot's labels of one type have in common. New labels come without types: each counts
        as the first of its type, so give one a type, or fewer labels than there are will be taken for more than they say.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Weights on the raw features.
    intercept_ : float
        Prediction at zero features.
    stage_one_ : Stage1
        What the recordings taught.
    draw_weight_ : ndarray of shape (n_draws,)
        Weight of each draw of the belief after the new labels.
    """

    def __init__(
        self,
        belief: Parameters,
        modalities: tuple[str, ...] = ("brain",),
        basis: FeatureBasis | None = None,
        variance: Float[np.ndarray, " direction"] | None = None,
        pilot: Pilot | None = None,
        type_share: float = 0.0,
    ) -> None:
        self.belief = belief
        self.modalities = modalities
        self.basis = basis
        self.variance = variance
        self.pilot = pilot
        self.type_share = type_share

    coef_: Matrix
    intercept_: float
    stage_one_: Stage1
    draw_weight_: Matrix
    basis_: FeatureBasis

    @one_blas_thread()
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        brain: Sequence[BrainSet] | None = None,
        modality: Sequence[str] | None = None,
        person: Sequence[str] | None = None,
    ) -> Self:
        """Fit both stages.

        Parameters
        ----------
        X : array-like of shape (n_labels, n_features)
            Features of the labelled stimuli, new ones only if a pilot was given; none need be new then.
        y : array-like of shape (n_labels,)
            Labels.
        brain : list of (X_brain, R), optional
            One pair per person and modality: features of the recorded stimuli, recorded channels; one row per sample.
        modality : list of str, optional
            Modality of each brain set; needed if the plan has several.
        person : list of str, optional
            Name of each set's person: sets of one person in one modality share their channel patterns, with the pilot's, too.
        """
        least = 1 if self.pilot is None or not len(self.pilot.label) else 0
        features, label = _validated(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=least)
        columns = getattr(self, "feature_names_in_", None)  # scikit-learn's, of a data frame of labelled stimuli
        sets = [checked_set(given, features.shape[1], columns) for given in brain or []]
        where = self._places(modality, len(sets))
        names = [f"set {index}" for index in range(len(sets))] if person is None else [str(name) for name in person]
        if len(names) != len(sets):
            raise ValueError(f"'person' must name every brain set ({len(sets)}). Got {len(names)} names instead.")
        self.basis_, variance = self._representation(features, sets)
        stages = TwoStages(self.belief.on(variance))
        root = np.sqrt(variance)
        known, seen = self._pilots_part(root)
        known += [
            (place, name, found)
            for place, name, found in zip(where, names, _statistics(self.basis_, sets, root), strict=True)
        ]
        self.stage_one_ = stages.recorded(_joined(known))
        if seen is not None and not len(label):
            labels = seen
        else:
            bought = LabelStatistics.of(self.basis_.transform(features) / root, label)
            labels = bought if seen is None else seen + bought
        fit = stages.labelled(self.stage_one_, labels, seen)
        self._keep(fit, root)
        return self

    def _keep(self, fit: TaskFit, root: Matrix) -> None:
        self.draw_weight_ = fit.share
        self.coef_ = self.basis_.raw_coefficients(fit.weights / root)
        self.intercept_ = fit.intercept - float(self.basis_.mean @ self.coef_)

    def _places(self, modality: Sequence[str] | None, count: int) -> list[int]:
        if modality is None:
            if count and len(self.modalities) > 1:
                raise ValueError(
                    f"The plan has several modalities ({', '.join(self.modalities)}): 'modality' must name that of every brain "
                    "set. Got None instead."
                )
            return [0] * count
        if len(modality) != count or not set(modality) <= set(self.modalities):
            raise ValueError(
                f"'modality' must name the modality of every brain set ({count}), out of {', '.join(self.modalities)}. "
                f"Got {list(modality)} instead."
            )
        return [self.modalities.index(name) for name in modality]

    def _representation(self, features: Matrix, sets: Sequence[CheckedSet]) -> tuple[FeatureBasis, Matrix]:
        if self.basis is not None:
            return self.basis, self.basis.variance if self.variance is None else self.variance
        stacked = np.vstack([features, *(given.features for given in sets)])
        count = np.concatenate([np.ones(len(features)), *(given.count for given in sets)])
        basis = common_basis(stacked, count, standardise=False)
        return basis, population_variance(basis, stacked)

    def _pilots_part(self, root: Matrix) -> tuple[list[_Person], LabelStatistics | None]:
        """Return the recordings and labels of the pilot."""
        pilot = self.pilot
        if pilot is None:
            return [], None
        folds = np.zeros(len(pilot.features), dtype=np.int64)
        sources = pilot_sources(pilot, self.basis_, folds, streamed_moments(pilot, folds))
        people = [
            (self.modalities.index(recording.modality), recording.subject, _whitened(source.statistics(), root))
            for recording, source in zip(pilot.recordings, sources, strict=True)
        ]
        if not len(pilot.label):
            return people, None
        member = types_in_common(pilot, pilot.label_stimulus)
        within = None if member is None else WithinTypes(member, self.type_share)
        coordinates = self.basis_.transform(pilot.features[pilot.label_stimulus]) / root
        return people, LabelStatistics.of(coordinates, pilot.label, within, pilot.weight)

    def predict(self, X: ArrayLike) -> Float[np.ndarray, " stimulus"]:
        """Return predictions of shape (n_stimuli,)."""
        check_is_fitted(self)
        values: Matrix = _validated(self, X, reset=False, dtype=np.float64)
        return values @ self.coef_ + self.intercept_


_Person = tuple[int, str, SourceStatistics]
"""Modality, name, recordings."""


def _whitened(statistics: SourceStatistics, root: Matrix) -> SourceStatistics:
    """Return statistics with coordinates of unit variance."""
    return SourceStatistics(
        gram=statistics.gram / np.outer(root, root),
        cross=statistics.cross / root[:, None],
        channel_gram=statistics.channel_gram,
        n=statistics.n,
    )


def _statistics(basis: FeatureBasis, sets: Sequence[CheckedSet], root: Matrix) -> list[SourceStatistics]:
    if not sets:
        return []
    stimuli, shown = DistinctStimuli.of([given.features for given in sets])
    sources = [given.source(basis, rows, stimuli) for given, rows in zip(sets, shown, strict=True)]
    return [_whitened(source.statistics(), root) for source in sources]


def _joined(people: Sequence[_Person]) -> list[Source]:
    """Return one source per person and modality."""
    found: dict[tuple[int, str, int], SourceStatistics] = {}
    for place, name, statistics in people:
        key = place, name, len(statistics.channel_gram)
        found[key] = found[key] + statistics if key in found else statistics
    return [Source(statistics, place) for (place, _, _), statistics in found.items()]
