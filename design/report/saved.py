"""The two saved files a report is made from, read and validated.

In: a folder with `plan.json` and, for most figures, `details.json`. Out: `Saved`, typed records of both. What can go
wrong: a file that is missing, is no JSON, or lacks a field; each is a `BadInput` of one paragraph that names the file
and the field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from brainworth.design.common.errors import BadInput
from brainworth.design.report.detail_records import Details
from brainworth.design.report.records import Plan, Record

_R = TypeVar("_R", bound=Record)


@dataclass(frozen=True)
class Saved:
    """Everything a report is made from."""

    plan: Plan
    details: Details
    complete: bool
    """False when there was no `details.json`, so that only the plan itself can be shown."""
    raw: Mapping[str, Any] = field(default_factory=dict)
    """`details.json` as it is, for what only the tables beside the page hold."""

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
    plan_path, details_path = directory / "plan.json", directory / "details.json"
    if not plan_path.is_file():
        raise BadInput(
            f"{plan_path} does not exist. A report is made from saved results: "
            "give the folder that 'brainworth plan STUDY --out DIR' wrote."
        )
    plan = _parse(plan_path, Plan)
    if not details_path.is_file():
        return Saved(plan=plan, details=Details(frontier=[], share_curve=[]), complete=False)
    details = _parse(details_path, Details)
    return Saved(plan=plan, details=details, complete=True, raw=json.loads(details_path.read_bytes()))


def _parse(path: Path, model: type[_R]) -> _R:
    """Read one JSON file into a record."""
    try:
        raw = json.loads(path.read_bytes())
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start}). Run 'brainworth plan' again.") from error
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}). "
            "The file is damaged or was edited; run 'brainworth plan' again."
        ) from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first, more = error.errors()[0], error.error_count() - 1
        place = ".".join(str(part) for part in first["loc"]) or "top level"
        rest = f" ({more} more like this)" if more else ""
        message = first["msg"][:1].lower() + first["msg"][1:]
        raise BadInput(
            f"{path}, field '{place}': {message}{rest}. The file does not have the form that this version of "
            "brainworth writes; run 'brainworth plan' again."
        ) from error
