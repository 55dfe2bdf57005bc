"""brainworth: how many brain recordings and how many task labels to buy next, from a small pilot.

``Study`` reads a pilot, ``Study.fit`` gives its posterior, ``Posterior.plan`` the best purchase for a budget;
``BrainInformedRegressor`` and ``BrainInformedClassifier`` are the learners that a plan promises. ``features`` makes
stimulus features; ``masked_recordings`` turns images into recordings by a nilearn masker. For known parameters there is the
performance function itself: ``excess_risk`` of a ``System`` and a ``Design``, ``target_risks`` of several ``Targets``,
``scaling_law``, ``regime_map``, ``risks_under`` a ``CovarianceShift``, and ``validity``, which says where to trust them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from brainworth.design.common.version import __version__

if TYPE_CHECKING:
    from brainworth.design.api import Posterior, Study
    from brainworth.design.decision.records.plan import Plan
    from brainworth.design.pilot.features import features
    from brainworth.design.pilot.recordings.fmri import masked_recordings
    from brainworth.models.learner.learner import BrainInformedClassifier, BrainInformedRegressor
    from brainworth.models.theory.covariance import CovarianceShift, risks_under
    from brainworth.models.theory.performance import excess_risk
    from brainworth.models.theory.regime import Budget, regime_map
    from brainworth.models.theory.scaling import scaling_law
    from brainworth.models.theory.system import Design, Spectrum, System
    from brainworth.models.theory.targets import Targets, target_risks
    from brainworth.models.theory.validity import validity

_HOMES = {
    "BrainInformedClassifier": "brainworth.models.learner.learner",
    "BrainInformedRegressor": "brainworth.models.learner.learner",
    "Budget": "brainworth.models.theory.regime",
    "CovarianceShift": "brainworth.models.theory.covariance",
    "Design": "brainworth.models.theory.system",
    "Plan": "brainworth.design.decision.records.plan",
    "Posterior": "brainworth.design.api",
    "Spectrum": "brainworth.models.theory.system",
    "Study": "brainworth.design.api",
    "System": "brainworth.models.theory.system",
    "Targets": "brainworth.models.theory.targets",
    "excess_risk": "brainworth.models.theory.performance",
    "masked_recordings": "brainworth.design.pilot.recordings.fmri",
    "regime_map": "brainworth.models.theory.regime",
    "risks_under": "brainworth.models.theory.covariance",
    "scaling_law": "brainworth.models.theory.scaling",
    "target_risks": "brainworth.models.theory.targets",
    "validity": "brainworth.models.theory.validity",
}
"""Where each public name lives; imported when it is first used, so that the command line starts quickly."""

__all__ = [
    "BrainInformedClassifier",
    "BrainInformedRegressor",
    "Budget",
    "CovarianceShift",
    "Design",
    "Plan",
    "Posterior",
    "Spectrum",
    "Study",
    "System",
    "Targets",
    "__version__",
    "excess_risk",
    "features",
    "masked_recordings",
    "regime_map",
    "risks_under",
    "scaling_law",
    "target_risks",
    "validity",
]


def __getattr__(name: str) -> Any:
    if name == "features":
        return import_module("brainworth.design.pilot.features.features")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'brainworth' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
