"""Optimal allocation of a budget over labels and brain data, with a certificate.

``allocate(problem, surface, options)`` is the entry. One direction: ``problem`` (prices, limits, designs) ->
``relaxation`` (CVXPY: feasibility, extreme points) -> ``search`` (grid and SciPy) -> ``certify`` (branch and bound over
``boxes``, cut by ``branching`` and ``cuts``) -> ``frontier``, ``regret`` (what surrounds the optimum) -> ``result``.
"""

from brainworth.design.allocation.bnb.certify import Proof, SearchLimits
from brainworth.design.allocation.problem import LinearConstraint, Problem, TaskLimits
from brainworth.design.allocation.relaxation import Conditions, Symbols, constrained
from brainworth.design.allocation.result import AllocationResult, ModalityPurchase, NewData, Purchased
from brainworth.design.allocation.solve import AllocationOptions, allocate

__all__ = [
    "AllocationOptions",
    "AllocationResult",
    "Conditions",
    "LinearConstraint",
    "ModalityPurchase",
    "NewData",
    "Problem",
    "Proof",
    "Purchased",
    "SearchLimits",
    "Symbols",
    "TaskLimits",
    "allocate",
    "constrained",
]
