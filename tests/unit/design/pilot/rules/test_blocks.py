"""Blocks of features that a study names: who belongs where, and what is said if that is not clear."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brainworth as bw
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.rules.blocks import FeatureBlock, block_codes
from brainworth.design.posterior.fingerprint import fingerprint

COLUMNS = ("frequency", "length", "glove_0", "glove_1")


def coded(**blocks: list[str]) -> tuple[list[int], tuple[str, ...]]:
    code, names = block_codes(COLUMNS, [FeatureBlock(name, tuple(own)) for name, own in blocks.items()], "stimuli.csv")
    assert code is not None
    return code.tolist(), names


def test_blocks_are_named_by_columns_and_patterns() -> None:
    assert coded(words=["frequency", "length"], vectors=["glove_*"]) == ([0, 0, 1, 1], ("words", "vectors"))
    assert coded(vectors=["glove_*"]) == ([1, 1, 0, 0], ("vectors", "other features"))
    assert block_codes(COLUMNS, [], "stimuli.csv") == (None, ())


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ({"words": ["freqency"]}, "'freqency' is no feature of stimuli.csv"),
        ({"words": ["gl*"], "vectors": ["glove_1"]}, "'glove_1' is in the block 'words' too"),
        ({"all": ["*"]}, "it holds every feature"),
        ({"other features": ["length"]}, "the name 'other features' is taken"),
        ({"words": ["glove_[01]"]}, "'glove_[01]' is no feature"),
    ],
)
def test_what_is_not_clear_is_said(blocks: dict[str, list[str]], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        coded(**blocks)
    assert said in str(caught.value)


def test_a_misspelt_feature_is_suggested() -> None:
    with pytest.raises(BadInput, match="Did you mean 'frequency'"):
        coded(words=["freqency"])


def frames() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    stimuli = pd.DataFrame(rng.standard_normal((40, 4)), columns=list(COLUMNS))
    stimuli.insert(0, "stimulus", [f"s{i}" for i in range(40)])
    labels = pd.DataFrame({"stimulus": stimuli["stimulus"], "label": rng.standard_normal(40)})
    return {"stimuli": stimuli, "labels": labels}


def study(blocks: dict[str, list[str]] | None = None) -> bw.Study:
    given = frames()
    return bw.Study.from_frames(
        stimuli=given["stimuli"],
        labels=given["labels"],
        recordings={},
        task=bw.Task(cost_per_label=1.0),
        modalities=[bw.Modality(name="EEG", cost=bw.Cost(per_sample=1.0))],
        budget=bw.Budget(total=10.0),
        blocks=blocks,
    )


def test_blocks_reach_the_pilot_and_change_the_posterior_s_fingerprint() -> None:
    plain, blocked = study(), study({"vectors": ["glove_*"]})
    assert plain.pilot.block is None
    assert blocked.pilot.block is not None
    assert blocked.pilot.block.tolist() == [1, 1, 0, 0]
    assert blocked.names.blocks == ("vectors", "other features")
    assert fingerprint(plain, 0) != fingerprint(blocked, 0)


def test_two_blocks_of_one_name_are_told_apart_in_a_study_file() -> None:
    block = {"name": "words", "columns": ["length"]}
    config = {
        "task": {"cost_per_label": 1.0},
        "modality": [{"name": "EEG", "cost": {"per_sample": 1.0}}],
        "stimuli": {"block": [block, block | {"columns": ["frequency"]}]},
        "budget": {"total": 10.0},
    }
    with pytest.raises(BadInput, match="two blocks are called 'words'"):
        bw.Study.from_frames(stimuli=frames()["stimuli"], labels=frames()["labels"], recordings={}, config=config)
