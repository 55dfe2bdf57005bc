"""Keep the results of a planned case study, so that its report can be looked at in a browser without planning it again.

In: a folder with plan.json and details.json, to which ``brainworth sensitivity`` and ``brainworth compare`` have added theirs,
and a name. Out: both files in ``tests/saved_reports/NAME``, numbers to five digits, every second draw. A folder without them is a
``FileNotFoundError``.

    uv run python tests/save_report.py brainworth-demo demo
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parent / "saved_reports"
_LONG = 150


def short(value: Any) -> Any:
    """Return a value with numbers of five digits, long lists of numbers thinned."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: short(item) for key, item in value.items()}
    if isinstance(value, list):
        numbers = len(value) > _LONG and all(isinstance(item, int | float) for item in value)
        return [short(item) for item in (value[:: len(value) // _LONG] if numbers else value)]
    return value


def save(folder: Path, name: str) -> Path:
    """Keep the results of a folder under a name."""
    out = KEPT / name
    out.mkdir(parents=True, exist_ok=True)
    plan, details = (json.loads((folder / file).read_text(encoding="utf-8")) for file in ("plan.json", "details.json"))
    # The cloud of the map and its label noise belong together, so they are left whole.
    regime = details.get("regime") or {}
    whole = {key: regime[key] for key in ("posterior", "posterior_noise") if key in regime}
    details = short(details)
    if details.get("regime"):
        details["regime"] |= whole
    (out / "plan.json").write_text(json.dumps(plan, separators=(",", ":")) + "\n", encoding="utf-8")
    (out / "details.json").write_text(json.dumps(details, separators=(",", ":")) + "\n", encoding="utf-8")
    return out


if __name__ == "__main__":
    save(Path(sys.argv[1]), sys.argv[2])
