"""The ways a command can end badly, each a value with one sentence and an exit code.

In: what is wrong, where, and what would be right. Out: exceptions that the command line turns into one paragraph on stderr. An
unexpected exception is a bug and keeps its own type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class BrainworthError(Exception):
    """Base of every failure that has an explanation for the user."""

    exit_code = 1


class BadInput(BrainworthError):
    """A file, a table or an option is wrong: file, place, what is wrong, what would be right."""

    exit_code = 2


class UnknownName(BadInput, KeyError):
    """A name that a result does not have."""

    def __str__(self) -> str:
        return str(self.args[0])


class Infeasible(BrainworthError):
    """No design satisfies the constraints: names the binding one and the nearest feasible value.

    Parameters
    ----------
    message : str
        A sentence for the user.
    binding : sequence of str
        Keys of the study file that stand in the way, e.g. ``budget.total``.
    nearest : mapping of str to float
        By such a key, the nearest value with which there is a plan; for a condition that several limits share, by how much each
        is to be loosened.
    """

    exit_code = 3

    def __init__(self, message: str, binding: Sequence[str] = (), nearest: Mapping[str, float] | None = None) -> None:
        super().__init__(message)
        self.binding = tuple(binding)
        """Keys of the study file that stand in the way."""
        self.nearest = dict(nearest or {})
        """By key, the nearest value with which there is a plan."""


class HealthRefusal(BrainworthError):
    """The pilot's health check refuses to plan."""

    exit_code = 4
