"""What would change the decision, and what is worth finding out first.

``analyse(posterior, plan)`` is the entry. One direction: ``parameters`` (the quantities that can be moved) -> ``decision``
(the purchases there are to choose from) -> ``local``, ``tornado``, ``sobol``, ``thresholds``, ``regime`` (what moves the
forecast, what flips the decision) and ``information``, ``prior``, ``pilots``, ``money``, ``voi`` (what knowing more is worth) ->
``analysis``.
"""

from brainworth.design.decision.sensitivity.analysis import analyse, flips, sensitivity_study

__all__ = ["analyse", "flips", "sensitivity_study"]
