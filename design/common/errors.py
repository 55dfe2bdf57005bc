"""The ways a command can end badly, each a value with one sentence and an exit code.

In: what is wrong, where, and what would be right. Out: exceptions that the command line turns into one paragraph on
stderr. What can go wrong: nothing here; an unexpected exception is a bug and keeps its own type.
"""

from __future__ import annotations


class BrainworthError(Exception):
    """Base of every failure that has an explanation for the user."""

    exit_code = 1


class BadInput(BrainworthError):
    """A file, a table or an option is wrong: file, place, what is wrong, what would be right."""

    exit_code = 2


class Infeasible(BrainworthError):
    """No design satisfies the constraints: names the binding one and the nearest feasible value."""

    exit_code = 3


class HealthRefusal(BrainworthError):
    """The pilot's health check refuses to plan."""

    exit_code = 4
