"""Optimal allocation of a budget over labels and brain data, with a certificate.

``allocate(problem, surface, options)`` is the entry. One direction: ``problem`` (prices, limits, designs) ->
``relaxation`` (CVXPY: feasibility, extreme points) -> ``search`` (grid and SciPy) -> ``certify`` (branch and bound over
``boxes``, cut by ``branching`` and ``cuts``) -> ``frontier``, ``regret`` (what surrounds the optimum) -> ``result``.
"""

from .certify import Certificate, SearchLimits
from .problem import LinearConstraint, Problem, TaskLimits
from .relaxation import Conditions, Symbols, constrained
from .result import Allocation, AllocationResult, ModalityPurchase, Plan
from .solve import AllocationOptions, allocate

__all__ = [
    "Allocation",
    "AllocationOptions",
    "AllocationResult",
    "Certificate",
    "Conditions",
    "LinearConstraint",
    "ModalityPurchase",
    "Plan",
    "Problem",
    "SearchLimits",
    "Symbols",
    "TaskLimits",
    "allocate",
    "constrained",
]
