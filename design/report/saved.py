"""The two saved files a report is made from, read and validated.

In: a folder with `plan.json` and, for most figures, `details.json`. Out: `Saved`, typed records of both. What can go
wrong: a file that is missing, is no JSON, or lacks a field; each is a `BadInput` of one paragraph that names the file
and the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from brainworth.design.decision.records import files
from brainworth.design.decision.records.details import Details
from brainworth.design.decision.records.plan import Plan


@dataclass(frozen=True)
class Saved:
    """Everything a report is made from."""

    plan: Plan
    details: Details
    complete: bool
    """False when there was no `details.json`, so that only the plan itself can be shown."""

    @classmethod
    def of(cls, plan: Plan) -> Saved:
        """Return a plan, in memory or read from its folder, for the report."""
        details = plan.details or Details(frontier=[], share_curve=[])
        return cls(plan=plan, details=details, complete=plan.details is not None)

    @property
    def currency(self) -> str:
        """The unit of money."""
        return self.plan.cost.currency or self.details.currency or "units of money"

    @property
    def budget(self) -> float:
        """The budget, or what the plan costs when no budget was given."""
        return self.plan.cost.total if self.details.budget is None else self.details.budget

    @property
    def from_priors(self) -> bool:
        """Whether there is no pilot, so that everything is believed from priors alone."""
        pilot = self.details.pilot
        return pilot is not None and not pilot.n_task and not any(p.n_samples for p in pilot.modalities.values())

    @property
    def cheapest(self) -> bool:
        """Whether the plan is the cheapest that reaches a target, instead of the best within a budget."""
        certificate, total = self.plan.certificate, self.plan.cost.total
        if certificate is None or certificate.objective is None:
            return False
        return certificate.objective > 1 and abs(certificate.objective - total) < 0.01 + 1e-6 * total

    @property
    def pilot_labels(self) -> float:
        """Labels that the pilot holds, every rating counted."""
        pilot = self.details.pilot
        return 0.0 if pilot is None else float(pilot.n_task or 0.0 if pilot.labels is None else pilot.labels)

    def hours(self, name: str) -> float | None:
        """Hours that one session of a modality takes, if the study says so."""
        prices = self.details.prices.modalities.get(name) if self.details.prices else None
        return None if prices is None else prices.hours_per_session

    @property
    def modalities(self) -> list[str]:
        """Names of all modalities that appear in the plan."""
        names = [*self.plan.allocation.modalities, *self.plan.exchange_rate]
        if self.details.prices is not None:
            names += self.details.prices.modalities
        return list(dict.fromkeys(names))


def load(directory: Path) -> Saved:
    """Read and validate the saved results of one plan.

    Parameters
    ----------
    directory
        A folder written by `brainworth plan`.

    Returns
    -------
    Saved

    Raises
    ------
    BadInput
        If `plan.json` is missing, or either file is not JSON or not of the expected form.
    """
    return Saved.of(files.load(directory))
