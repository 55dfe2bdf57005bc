"""brainworth: how many brain recordings and how many task labels to buy next, from a small pilot.

``Study`` reads a pilot, ``Study.fit`` gives its posterior, ``Posterior.plan`` the best purchase for a budget;
``BrainInformedRegressor`` and ``BrainInformedClassifier`` are the learners that a plan promises. ``features`` makes
stimulus features; ``masked_recordings`` turns images into recordings by a nilearn masker. For known parameters there is the
performance function itself: ``excess_risk`` of a ``System`` and a ``Design``, ``target_risks`` of several ``Targets``,
``scaling_law``, ``regime_map``, ``risks_under`` a ``CovarianceShift``, and ``validity``, which says where to trust them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainworth.design import features
    from brainworth.design.fmri import masked_recordings
    from brainworth.design.planning import Plan
    from brainworth.design.posterior import Posterior
    from brainworth.design.study import Study
    from brainworth.models.covariance import CovarianceShift, risks_under
    from brainworth.models.learner import BrainInformedClassifier, BrainInformedRegressor
    from brainworth.models.performance import excess_risk
    from brainworth.models.regime import Budget, regime_map
    from brainworth.models.scaling import scaling_law
    from brainworth.models.system import Design, Spectrum, System
    from brainworth.models.targets import Targets, target_risks
    from brainworth.models.validity import validity

__version__ = "0.2.0"

_HOMES = {
    "BrainInformedClassifier": "brainworth.models.learner",
    "BrainInformedRegressor": "brainworth.models.learner",
    "Budget": "brainworth.models.regime",
    "CovarianceShift": "brainworth.models.covariance",
    "Design": "brainworth.models.system",
    "Plan": "brainworth.design.planning",
    "Posterior": "brainworth.design.posterior",
    "Spectrum": "brainworth.models.system",
    "Study": "brainworth.design.study",
    "System": "brainworth.models.system",
    "Targets": "brainworth.models.targets",
    "excess_risk": "brainworth.models.performance",
    "masked_recordings": "brainworth.design.fmri",
    "regime_map": "brainworth.models.regime",
    "risks_under": "brainworth.models.covariance",
    "scaling_law": "brainworth.models.scaling",
    "target_risks": "brainworth.models.targets",
    "validity": "brainworth.models.validity",
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
        return import_module("brainworth.design.features")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'brainworth' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
