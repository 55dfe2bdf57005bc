"""brainworth: how many brain recordings and how many task labels to buy next, from a small pilot.

``Study`` reads a pilot, ``Study.fit`` gives its posterior, ``Posterior.plan`` the best purchase for a budget, a ``Plan``. A study
that is made in Python takes ``Task``, ``Modality``, ``Cost``, ``Limits``, ``Budget`` and ``Objective``. What goes wrong is a
``BrainworthError``: ``BadInput``, ``Infeasible`` or ``HealthRefusal``. ``features`` makes stimulus features;
``masked_recordings`` turns images into recordings by a nilearn masker; ``BrainInformedRegressor`` and
``BrainInformedClassifier`` are the learners that a plan promises. ``theory`` holds the mathematics for known parameters:
``theory.excess_risk`` of a ``theory.System`` and a ``theory.Design``, and more.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from brainworth.design.common.version import __version__

if TYPE_CHECKING:
    from brainworth.design.api import Plan, Posterior, Study, load_plan
    from brainworth.design.common.errors import BadInput, BrainworthError, HealthRefusal, Infeasible
    from brainworth.design.decision.records.plan import Allocation, Performance, Verdict
    from brainworth.design.pilot.features import features
    from brainworth.design.pilot.recordings.fmri import masked_recordings
    from brainworth.design.study_file.objects import Budget, Cost, Limits, Modality, Objective, Task
    from brainworth.models import theory
    from brainworth.models.learner.learner import BrainInformedClassifier, BrainInformedRegressor
    from brainworth.models.theory import (
        CovarianceShift,
        Design,
        Spectrum,
        System,
        Targets,
        excess_risk,
        regime_map,
        risks_under,
        scaling_law,
        target_risks,
        validity,
    )

_MODULES = {"features": "brainworth.design.pilot.features.features", "theory": "brainworth.models.theory"}
_HOMES = {
    "Allocation": "brainworth.design.decision.records.plan",
    "BadInput": "brainworth.design.common.errors",
    "BrainInformedClassifier": "brainworth.models.learner.learner",
    "BrainInformedRegressor": "brainworth.models.learner.learner",
    "BrainworthError": "brainworth.design.common.errors",
    "Budget": "brainworth.design.study_file.objects",
    "Cost": "brainworth.design.study_file.objects",
    "CovarianceShift": "brainworth.models.theory",
    "Design": "brainworth.models.theory",
    "HealthRefusal": "brainworth.design.common.errors",
    "Infeasible": "brainworth.design.common.errors",
    "Limits": "brainworth.design.study_file.objects",
    "Modality": "brainworth.design.study_file.objects",
    "Objective": "brainworth.design.study_file.objects",
    "Performance": "brainworth.design.decision.records.plan",
    "Plan": "brainworth.design.api",
    "Posterior": "brainworth.design.api",
    "Spectrum": "brainworth.models.theory",
    "Study": "brainworth.design.api",
    "System": "brainworth.models.theory",
    "Targets": "brainworth.models.theory",
    "Task": "brainworth.design.study_file.objects",
    "Verdict": "brainworth.design.decision.records.plan",
    "excess_risk": "brainworth.models.theory",
    "load_plan": "brainworth.design.api",
    "masked_recordings": "brainworth.design.pilot.recordings.fmri",
    "regime_map": "brainworth.models.theory",
    "risks_under": "brainworth.models.theory",
    "scaling_law": "brainworth.models.theory",
    "target_risks": "brainworth.models.theory",
    "validity": "brainworth.models.theory",
}
"""Where each public name lives; imported when it is first used, so that the command line starts quickly."""

__all__ = [
    "Allocation",
    "BadInput",
    "BrainInformedClassifier",
    "BrainInformedRegressor",
    "BrainworthError",
    "Budget",
    "Cost",
    "CovarianceShift",
    "Design",
    "HealthRefusal",
    "Infeasible",
    "Limits",
    "Modality",
    "Objective",
    "Performance",
    "Plan",
    "Posterior",
    "Spectrum",
    "Study",
    "System",
    "Targets",
    "Task",
    "Verdict",
    "__version__",
    "excess_risk",
    "features",
    "load_plan",
    "masked_recordings",
    "regime_map",
    "risks_under",
    "scaling_law",
    "target_risks",
    "theory",
    "validity",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'brainworth' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
