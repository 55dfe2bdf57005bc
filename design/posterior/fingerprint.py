"""What a posterior depends on, as a hash: one that was saved is used again where nothing of it has changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any

from brainworth.design.common.version import __version__
from brainworth.design.pilot.study import StudyData
from brainworth.design.study_file.system_file import NamedSystem

MODEL = 7
"""Number of the model; a posterior saved by another one is fitted again."""
TYPE_MODEL = 1
"""Number of the model of what labels of a type have in common; counts only where a study names types."""
RATER_MODEL = 1
"""Number of the model of raters' noise; counts only where labels are weighed by it."""


def fingerprint(study: StudyData, seed: int) -> str:
    """Return a hash of everything a posterior depends on: inputs, priors, seed, version; not prices or budget."""
    config = study.config
    relevant: dict[str, Any] = {
        "version": __version__,
        "model": MODEL,
        "seed": seed,
        "priors": config.priors.model_dump(mode="json"),
        "task": config.task.kind,
        "blocks": [block.model_dump(mode="json") for block in config.stimuli.block] if config.stimuli else [],
        "types": _types(study),
        "modalities": [(m.name, m.recordings, m.reader.model_dump(mode="json")) for m in config.modality],
        "inputs": {name: value for name, value in sorted(study.digest.items()) if _is_data(study, name)},
        "system": sorted(study.digest.items()) if isinstance(study.material, NamedSystem) else None,
    }
    if study.has_pilot and study.pilot.weight is not None:
        relevant["raters"] = RATER_MODEL
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()


def _types(study: StudyData) -> tuple[str | int | None, ...] | None:
    """Return what a posterior depends on of the types: which column, what new stimuli are, and the model of their noise."""
    stimuli = study.config.stimuli
    if stimuli is None:
        return None
    named = (stimuli.type, stimuli.new)
    return named if stimuli.type is None else (*named, TYPE_MODEL)


def _is_data(study: StudyData, name: str) -> bool:
    """Return whether a posterior depends on an input: not on study files, nor on stimuli that are only chosen from."""
    pool, stimuli = study.config.design.candidates, study.config.stimuli
    table = None if stimuli is None else stimuli.table
    chosen_from = {"candidates"} if pool is None or pool == table else {"candidates", PurePosixPath(pool).as_posix()}
    return not name.endswith(".toml") and (study.candidates is None or name not in chosen_from)
