"""Updating a plan while data come in."""

from brainworth.design.decision.update.update import Since, update_study

__all__ = ["Since", "update_study"]
