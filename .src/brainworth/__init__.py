"""brainworth: how many brain recordings and how many task labels to buy next, from a small pilot.

``Study`` reads a pilot, ``Study.fit`` gives its posterior, ``Posterior.plan`` the best purchase for a budget;
``BrainInformedRegressor`` and ``BrainInformedClassifier`` are the learners that a plan promises. ``features`` makes
stimulus features; ``masked_recordings`` turns images into recordings by a nilearn masker.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainworth.design import features
    from brainworth.design.fmri import masked_recordings
    from brainworth.design.planning import Plan
    from brainworth.design.posterior import Posterior
    from brainworth.design.study import Study
    from brainworth.models.learner import BrainInformedClassifier, BrainInformedRegressor

__version__ = "0.2.0"

_HOMES = {
    "BrainInformedClassifier": "brainworth.models.learner",
    "BrainInformedRegressor": "brainworth.models.learner",
    "Plan": "brainworth.design.planning",
    "Posterior": "brainworth.design.posterior",
    "Study": "brainworth.design.study",
    "masked_recordings": "brainworth.design.fmri",
}
"""Where each public name lives; imported when it is first used, so that the command line starts quickly."""

__all__ = [
    "BrainInformedClassifier",
    "BrainInformedRegressor",
    "Plan",
    "Posterior",
    "Study",
    "__version__",
    "features",
    "masked_recordings",
]


def __getattr__(name: str) -> Any:
    if name == "features":
        return import_module("brainworth.design.features")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'brainworth' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
