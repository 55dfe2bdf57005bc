"""What larger pilots were said to gain and gained, as means over worlds and as tables."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1]))

from kept import rows

STATED, SCALED = "stated", "stated by sample-size scaling alone"
"""What the tool says, and what it said before it told the prior's doubt from the data's: wrong, and the check must see it."""


@dataclass(frozen=True)
class Mean:
    """A mean over worlds with its standard error."""

    value: float
    se: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Mean:
        """Return the mean of one number a world."""
        return cls(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))

    def __str__(self) -> str:
        return f"{1e3 * self.value:.2f} ± {1e3 * self.se:.2f}".replace("-", "−")


def results(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means over worlds, by kind of larger pilot: gains, differences between what is stated and found, doubt left."""
    kinds = list(dict.fromkeys(pilot["kind"] for line in lines for pilot in line["pilots"]))
    found: dict[str, Any] = {"worlds": len(lines), "evpi": vars(Mean.of(np.array([line["evpi"] for line in lines])))}
    for kind in kinds:
        rows = [pilot for line in lines for pilot in line["pilots"] if pilot["kind"] == kind]
        gain = {name: np.array([row["gain"][name] for row in rows]) for name in rows[0]["gain"]}
        block: dict[str, Any] = {"worlds": len(rows)}
        for j, what in enumerate(("aside", "balance")):
            block[what] = {name: vars(Mean.of(values[:, j])) for name, values in gain.items()} | {
                f"{name} less {judge}": vars(Mean.of(gain[name][:, j] - gain[judge][:, j]))
                for name in (STATED, SCALED)
                for judge in ("refitted", "true")
            }
        block["left"] = {
            name: _left(name, rows) for name in WORDS if name in rows[0]["left"] and name in rows[0]["noise"]
        }
        found[kind] = block
    return found


def _left(name: str, pilots: list[dict[str, Any]]) -> dict[str, float]:
    """Return medians of the share of variance left of a quantity: as stated, by sample-size scaling, after the refit."""
    noises = {how: [pilot[key][name] for pilot in pilots if name in pilot[key]] for how, key in _HOW.items()}
    stated = {how: float(np.median([noise / (1.0 + noise) for noise in values])) for how, values in noises.items()}
    return stated | {"found": float(np.median([pilot["left"][name] for pilot in pilots]))}


_HOW = {"stated": "noise", "scaled": "noise_scaled"}
WORDS: dict[str, str] = {
    "labels": "labels",
    "samples of EEG": "new people's recordings",
    "labels and EEG": "both",
    "alignment": "alignment",
    "label_noise": "label noise",
    "snr:EEG*people:EEG": "signal-to-noise ratio of new people",
}


def texts(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the results as tables, by the name of their place in the README."""
    kinds = [kind for kind in found if kind not in ("worlds", "evpi")]
    gains = [
        [WORDS[kind], judged, *(str(Mean(**found[kind][what][name])) for name in (STATED, SCALED, "refitted", "true")),
         *(str(Mean(**found[kind][what][f"{name} less refitted"])) for name in (STATED, SCALED))]
        for kind in kinds for what, judged in (("aside", "cost aside"), ("balance", "on balance"))
    ]  # fmt: skip
    heads = [
        "larger pilot",
        "gain",
        STATED,
        SCALED,
        "refitted",
        "true",
        "stated − refitted",
        "scaling alone − refitted",
    ]
    left = [
        [WORDS[kind], WORDS[name], *(f"{value[how]:.2f}" for how in ("stated", "scaled", "found"))]
        for kind in kinds for name, value in found[kind]["left"].items()
    ]  # fmt: skip
    learned = rows(["larger pilot", "quantity", STATED, SCALED, "refitted"], left)
    worlds = f"Means over {found['worlds']} worlds ± one standard error, in thousandths of explainable R²; knowing everything"
    evpi = f"{worlds} would gain {Mean(**found['evpi'])}:"
    doubt = "Share of the variance that the larger pilot leaves (median over worlds; logit of a share, logarithm of a ratio):"
    return {"larger_pilots": f"{evpi}\n\n{rows(heads, gains)}\n\n{doubt}\n\n{learned}"}
