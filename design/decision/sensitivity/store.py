"""Adding results to the saved details of a plan, and telling whether a saved plan is still the study's.

In: a plan folder. Out: ``details.json`` with some fields replaced, written in one step. What can go wrong: files that
cannot be read count as absent; a folder that cannot be written is a ``BadInput``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from brainworth.design.common.files import write_atomic
from brainworth.design.common.version import __version__
from brainworth.design.pilot.study import Study


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what a file holds, or None if it holds no JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def saved_plan(study: Study, folder: Path) -> dict[str, Any] | None:
    """Return the plan of a folder if it was made from the same inputs, seed and version."""
    plan, details = read_json(folder / "plan.json"), read_json(folder / "details.json")
    if plan is None or details is None:
        return None
    made = plan.get("provenance", {})
    same = made.get("inputs") == dict(study.digest) and made.get("seed") == study.config.study.seed
    return plan if same and made.get("version") == __version__ else None


def merge_details(folder: Path, update: Mapping[str, Any]) -> None:
    """Replace some fields of ``details.json``; what is not finite becomes null."""
    details = (read_json(folder / "details.json") or {}) | dict(update)
    write_atomic(folder / "details.json", (json.dumps(plain(details), indent=1, allow_nan=False) + "\n").encode())


def plain(value: Any) -> Any:
    """Return a value that JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
