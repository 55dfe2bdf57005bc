"""The two files of a plan, `plan.json` and `details.json`: written whole or not at all, read back by the same records.

Errors: a file that is missing, is no JSON or lacks a field is a `BadInput` of one paragraph that names the file and the field.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from brainworth.design.common.errors import BadInput
from brainworth.design.common.files import write_atomic
from brainworth.design.common.records import Record, plain
from brainworth.design.decision.records.details import Details
from brainworth.design.decision.records.plan import Plan

PLAN, DETAILS = "plan.json", "details.json"
_R = TypeVar("_R", bound=Record)


def save(plan: Plan, folder: Path) -> None:
    """Write both files; the details first, so that a plan in a folder is whole."""
    if plan.details is not None:
        save_details(plan.details, folder)
    write_atomic(folder / PLAN, written(plan))


def save_details(details: Details, folder: Path) -> None:
    """Write `details.json` alone."""
    write_atomic(folder / DETAILS, written(details))


def written(record: Record) -> bytes:
    """Return a record as JSON; what is not finite becomes null."""
    return (json.dumps(plain(record), indent=1, allow_nan=False) + "\n").encode()


def load(folder: Path) -> Plan:
    """Read and validate the saved results of one plan; ``details`` is None where there is no `details.json`.

    Parameters
    ----------
    folder
        A folder written by `brainworth plan`.

    Raises
    ------
    BadInput
        If `plan.json` is missing, or either file is not JSON or not of the expected form.
    """
    if not (folder / PLAN).is_file():
        raise BadInput(
            f"{folder / PLAN} does not exist. A report is made from saved results: "
            "give the folder that 'brainworth plan STUDY --out DIR' wrote."
        )
    plan = _parse(folder / PLAN, Plan)
    if not (folder / DETAILS).is_file():
        return plan
    return plan.model_copy(update={"details": _parse(folder / DETAILS, Details)})


def _parse(path: Path, model: type[_R]) -> _R:
    """Read one JSON file into a record."""
    try:
        raw: Any = json.loads(path.read_bytes())
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
