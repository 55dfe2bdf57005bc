"""The learner that a plan promises, as scikit-learn estimators."""
