"""The results of a decision: what ``plan.json`` and ``details.json`` hold, made here, written, read back and reported.

``plan`` (the contract) has ``details`` (what figures and tables are drawn from), ``details`` has ``findings`` (what would change
the decision); ``files`` writes plan and details and reads them.
"""
