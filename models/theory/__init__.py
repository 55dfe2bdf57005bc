"""The performance function and all that it rests on: a known system in, a risk out.

``excess_risk`` of a ``System`` and a ``Design``, ``target_risks`` of several ``Targets``, ``scaling_law``, ``regime_map`` of a
``Budget``, ``risks_under`` a ``CovarianceShift``, ``kernel_ridge_risk`` of a ``kernel_spectrum``, and ``validity``, which says
where to trust them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainworth.models.theory.covariance import CovarianceShift, risks_under
    from brainworth.models.theory.kernel_ridge import KernelRidge, best_kernel_ridge, kernel_ridge_risk, kernel_spectrum
    from brainworth.models.theory.measured_range import validity
    from brainworth.models.theory.performance import excess_risk
    from brainworth.models.theory.regime import Budget, regime_map
    from brainworth.models.theory.scaling import scaling_law
    from brainworth.models.theory.system import Design, Spectrum, System
    from brainworth.models.theory.targets import Targets, target_risks

_HOMES = {
    "Budget": "regime",
    "CovarianceShift": "covariance",
    "Design": "system",
    "KernelRidge": "kernel_ridge",
    "Spectrum": "system",
    "System": "system",
    "Targets": "targets",
    "best_kernel_ridge": "kernel_ridge",
    "excess_risk": "performance",
    "kernel_ridge_risk": "kernel_ridge",
    "kernel_spectrum": "kernel_ridge",
    "regime_map": "regime",
    "risks_under": "covariance",
    "scaling_law": "scaling",
    "target_risks": "targets",
    "validity": "measured_range",
}
"""The module of each name; imported when it is first used."""

__all__ = [
    "Budget",
    "CovarianceShift",
    "Design",
    "KernelRidge",
    "Spectrum",
    "System",
    "Targets",
    "best_kernel_ridge",
    "excess_risk",
    "kernel_ridge_risk",
    "kernel_spectrum",
    "regime_map",
    "risks_under",
    "scaling_law",
    "target_risks",
    "validity",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
