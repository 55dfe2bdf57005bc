"""The results of a decision: what ``plan.json`` and ``details.json`` hold, made here, written, read back and reported.

``plan`` (the contract) has ``details`` (what figures and tables are drawn from); ``files`` writes both and reads them.
"""
