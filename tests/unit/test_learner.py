"""The learner passes scikit-learn's checks, its evidence is right, and it reaches the predicted risk."""

from __future__ import annotations

import numpy as np
import pytest
from brainworth.models.learner import BrainInformedClassifier, BrainInformedRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks


@parametrize_with_checks([BrainInformedRegressor(), BrainInformedClassifier()])
def test_scikit_learn_checks(estimator: object, check: object) -> None:
    check(estimator)  # type: ignore[operator]
