"""[[constraint]]: conditions of the user's own on what a plan buys.

In: a name, numbers to multiply quantities with, bounds. Out: ``Constraint``. Errors: a quantity that does not exist, no bound, a
lower bound above the upper one; the message says which.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from brainworth.design.common.fields import Section, Text
from brainworth.design.common.messages import did_you_mean, quoted
from brainworth.design.common.validation import value_problem

QUANTITIES = ("samples", "subjects", "sessions", "stimuli")
"""What a constraint can name of a modality, as in ``EEG.samples``; labels are ``n_task``."""

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Constraint(Section):
    """[[constraint]]: a condition on the plan, at_least <= sum of number * quantity <= at_most.

    Two sessions a person: `terms = {"EEG.sessions" = 1, "EEG.subjects" = -2}`, `at_least = 0`.
    A pin: `terms = {"n_task" = 1}`, `equals = 500`.
    """

    name: Text
    """What to call it in messages."""
    terms: Annotated[dict[str, Finite], Field(min_length=1)]
    """Number by quantity: n_task (labels), and NAME.samples, NAME.subjects, NAME.sessions, NAME.stimuli of a modality; what is
    newly bought, 0 if the plan does not use the modality."""
    at_least: Finite | None = None
    """Lower bound of the sum."""
    at_most: Finite | None = None
    """Upper bound of the sum."""
    equals: Finite | None = None
    """Both bounds at once."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound; infinite where there is none."""
        if self.equals is not None:
            return self.equals, self.equals
        low = -math.inf if self.at_least is None else self.at_least
        return low, math.inf if self.at_most is None else self.at_most

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.equals is not None and not (self.at_least is None and self.at_most is None):
            raise value_problem("equals is given beside at_least or at_most", "Give equals alone.")
        low, high = self.bounds
        if low == -math.inf and high == math.inf:
            raise value_problem("no bound is given", "Add at_least, at_most or equals.")
        if low > high:
            raise value_problem(f"at_least = {low:g} is above at_most = {high:g}", "The minimum must not exceed it.")
        if not any(self.terms.values()):
            raise value_problem("every number of terms is 0", "Give at least one quantity another number.")
        return self


def check_constraints(constraints: Sequence[Constraint], modalities: Sequence[str]) -> None:
    """Raise a ``value_problem`` if a constraint names an unknown quantity or shares its name with another."""
    known = ["n_task", *(f"{name}.{quantity}" for name in modalities for quantity in QUANTITIES)]
    names = [constraint.name for constraint in constraints]
    for constraint in constraints:
        if names.count(constraint.name) > 1:
            raise value_problem(f"two constraints are called {quoted(constraint.name)}", "Give each a name of its own.")
        for key in constraint.terms:
            if key not in known:
                raise value_problem(
                    f"the constraint {quoted(constraint.name)} names the unknown quantity {quoted(key)}",
                    f"Known quantities: {', '.join(known)}.{did_you_mean(key, known)}",
                )
