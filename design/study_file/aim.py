"""[budget] and [objective] of the study file: what may be spent, and which plan is best.

In: parsed TOML. Out: ``Budget`` and ``Objective``, frozen. Errors: values out of range, two kinds of shift at once.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from brainworth.design.common.fields import OpenShare, Positive, Section, ShareBelowOne, plain_text
from brainworth.design.common.messages import quoted
from brainworth.design.common.validation import value_problem


def _currency(text: str) -> str:
    """Return the name of a currency, or raise a ``value_problem`` if a spreadsheet would compute it as a formula."""
    text = plain_text(text)
    if text[0] in "=+-@":
        raise value_problem(f"got {quoted(text)}", "A currency is a word or a sign, e.g. 'USD'; not a formula.")
    return text


class Budget(Section):
    """[budget]: what may be spent."""

    total: Annotated[float, Field(gt=0, le=1e30, allow_inf_nan=False)] | None = None
    """Money that may be spent; omit it and give `objective.target` to get the cheapest plan that reaches the target."""
    currency: Annotated[str, Field(max_length=16), AfterValidator(_currency)] = "USD"
    """Currency of every price."""
    reuse_pilot: bool = True
    """Whether the pilot's data also train the final model."""
    max_weeks: Positive | None = None
    """Longest recording time in calendar weeks (modalities with `sessions_per_week`, recorded in parallel)."""
    max_hours: Positive | None = None
    """Most scanner or laboratory hours, all modalities together (modalities with `hours_per_session`)."""
    escalation: ShareBelowOne = 0.0
    """Yearly rise of all prices, e.g. 0.03."""
    years_ahead: Annotated[int, Field(ge=0, le=50)] = 0
    """Years until the work is billed; prices have then risen by `escalation` so many times."""
    rounds: Annotated[int, Field(ge=1, le=3)] = 1
    """2 or 3: also simulate buying in so many rounds (collect, refit, collect) and say what that gains."""


class Objective(Section):
    """[objective]: which plan is best."""

    utility: Literal["mean", "quantile", "cvar", "probability"] = "mean"
    """What is maximised: the mean of explainable R², or a quantile, tail mean or probability of what one study reads off."""
    level: OpenShare = 0.1
    """Lower tail of quantile and cvar."""
    target: OpenShare | None = None
    """Explainable R² to reach: for probability, or without a budget."""
    confidence: OpenShare = 0.9
    """Without a budget: reach the target with this probability."""
    shift: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Test variance factor along brain-insensitive directions; 1 is no shift."""
    shifts: Annotated[list[Annotated[float, Field(ge=0, allow_inf_nan=False)]], Field(max_length=20)] = Field(
        default_factory=list
    )
    """Instead of one shift: plan for the worst of these, draw by draw."""

    worthwhile: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.01
    """Smallest gain in explainable R² over labels alone that is worth the trouble of recording."""

    @model_validator(mode="after")
    def _one_kind_of_shift(self) -> Self:
        if self.shifts and self.shift != 1.0:
            raise value_problem(
                "both shift and shifts are given", "Give shift for one circumstance, shifts for the worst of several."
            )
        if len(set(self.shifts)) < len(self.shifts):
            raise value_problem(
                f"shifts = {self.shifts} lists a number twice", "Each number once, e.g. [0.5, 1.0, 2.0]."
            )
        return self
