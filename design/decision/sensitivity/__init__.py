"""What would change the decision, and what is worth finding out first.

``analysis.analyse(posterior, decision)`` is the entry, ``flips.flips(posterior, plan)`` the part that every plan
brings along. One direction: ``parameters`` (the quantities that can be moved) -> ``decision`` (the purchases there are to choose
from) -> ``local``, ``tornado``, ``sobol``, ``thresholds``, ``regime`` (what moves the forecast, what flips the decision) and
``information``, ``prior``, ``pilots``, ``money``, ``voi`` (what knowing more is worth) -> ``analysis``.
"""
