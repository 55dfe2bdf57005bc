"""A study with types from its tables to a posterior, a saved one, and the learner that is told of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainworth.design.decision.learner import plan_learner
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.fit import fit_study

TYPES, TOKENS, SEEN = 40, 4, 12
SHARE = 0.7


def _study() -> StudyData:
    """Return a study whose labels have .7 of their noise in common within types, and features that are alike there."""
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(TYPES), TOKENS)
    x = rng.standard_normal((TYPES, SEEN))[kind] + 0.3 * rng.standard_normal((kind.size, SEEN))
    score = x @ rng.standard_normal(SEEN) / np.sqrt(SEEN)
    noise = np.sqrt(SHARE) * rng.standard_normal(TYPES)[kind] + np.sqrt(1.0 - SHARE) * rng.standard_normal(kind.size)
    ids = [f"t{i}" for i in range(kind.size)]
    stimuli = pd.DataFrame(x, columns=[f"f{i}" for i in range(SEEN)])
    stimuli.insert(0, "stimulus", ids)
    stimuli.insert(1, "word", [f"word{k}" for k in kind])
    channels = pd.DataFrame(rng.standard_normal((kind.size, 5)) + score[:, None], columns=[f"c{i}" for i in range(5)])
    channels.insert(0, "stimulus", ids)
    channels.insert(0, "subject", "p")
    labels = pd.DataFrame({"stimulus": ids, "label": score + noise})
    config = {
        "stimuli": {"type": "word", "new": "types"},
        "task": {"cost_per_label": 1.0},
        "modality": [{"name": "EEG", "cost": {"per_sample": 0.1, "per_subject": 2.0}}],
        "budget": {"total": 40},
        "priors": {"max_latents": 2},
    }
    return StudyData.from_frames(stimuli=stimuli, labels=labels, recordings={"EEG": channels}, config=config)


@pytest.mark.slow
def test_a_posterior_knows_what_labels_of_a_type_have_in_common_and_keeps_it(tmp_path: Path) -> None:
    """The share is found, 160 labels count for less, and both are read again."""
    study, path = _study(), tmp_path / "posterior.nc"
    posterior = fit_study(study, 0, path)
    assert posterior.type_share == pytest.approx(SHARE, abs=0.2)
    assert float(posterior.pilot.labels) < 0.9 * TYPES * TOKENS
    again = fit_study(study, 0, path)
    assert again.seconds == {"reused": 0.0}
    assert again.type_share == posterior.type_share
    assert float(again.pilot.labels) == float(posterior.pilot.labels)
    assert plan_learner(again, reuse_pilot=True).type_share == posterior.type_share
