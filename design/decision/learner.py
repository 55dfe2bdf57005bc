"""The learner that a plan's forecast is about, told what the plan believes.

In: a posterior. Out: ``PlanLearner``, a scikit-learn estimator for new recordings and labels. With a pilot that also trains the
final model, the estimator holds the pilot's data; nothing is counted twice. The estimator checks its data.
"""

from __future__ import annotations

import numpy as np

from brainworth.design.decision.rehearse import belief_of
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.models.learner.plan_learner import PlanLearner
from brainworth.models.pilot.labels import standardised_labels
from brainworth.models.pilot.representation import population_variance, representation_of

DRAWS = 40
"""Posterior draws that the learner averages over."""


def plan_learner(posterior: PosteriorDraws, *, reuse_pilot: bool) -> PlanLearner:
    """Return the estimator of a plan, unfitted.

    A known system gives it its components. A pilot gives it draws of the posterior, which the new labels weigh anew, and the
    planner's representation of the features; the pilot's data join if the pilot also trains the final model.

    Parameters
    ----------
    posterior : PosteriorDraws
        What is believed.
    reuse_pilot : bool
        Whether the pilot also trains the final model.
    """
    study, names = posterior.study, posterior.modalities
    belief = belief_of(posterior, in_label_units=True)
    if belief.n_draws > DRAWS:
        belief = belief.taken(np.linspace(0, belief.n_draws - 1, DRAWS).round().astype(np.int64))
    if not study.has_pilot:
        return PlanLearner(belief, names)
    pilot = study.pilot
    basis = representation_of(pilot, standardised_labels(pilot)).basis
    variance = population_variance(basis, pilot.features, pilot.kernel)
    kept = pilot if reuse_pilot else None
    return PlanLearner(belief, names, basis, variance, kept, posterior.type_share or 0.0)
