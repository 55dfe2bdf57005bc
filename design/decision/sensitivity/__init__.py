"""What would change the decision, and what is worth finding out first.

``analysis.analyse(config, posterior, decision)`` is the entry, ``flips.flips(config, posterior, plan)`` the part that every plan
brings along. One direction: ``parameters`` (the quantities that can be moved) -> ``decision`` (the purchases there are to choose
from) -> ``local``, ``tornado``, ``sobol``, ``thresholds``, ``regime`` (what moves the forecast, what flips the decision) and
``information``, ``prior``, ``pilots``, ``money``, ``voi`` (what knowing more is worth) -> ``analysis``.
"""
