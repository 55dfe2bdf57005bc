"""Summaries of several sites give the evidence of the pooled recordings, however people are divided over the sites."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainworth.design.api import Study
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.large import StoredChannels
from brainworth.design.pilot.summaries.format import channels_of, read_summary
from brainworth.models.pilot.evidence import PilotEvidence
from brainworth.models.pilot.summary import SummarisedPilot, summarise
from sites import PEOPLE, exchanged, tables, write_site, write_study

TOLERANCE = 1e-6
DIVISIONS: dict[str, list[dict[str, tuple[str, ...]]]] = {
    "two sites": [{"EEG": ("p1", "p2"), "fMRI": ("p1",)}, {"EEG": ("p3", "p4"), "fMRI": ("p3", "q1")}],
    "three sites, one without fMRI": [
        {"EEG": ("p4",), "fMRI": ("q1",)},
        {"EEG": ("p2",)},
        {"EEG": ("p1", "p3"), "fMRI": ("p1", "p3")},
    ],
}


def leaves(value: Any, name: str = "") -> dict[str, np.ndarray]:
    """Return every array of a record, by its path."""
    if is_dataclass(value):
        found: dict[str, np.ndarray] = {}
        for field in fields(value):
            found |= leaves(getattr(value, field.name), f"{name}.{field.name}")
        return found
    return {name: np.asarray(value, dtype=float)}


def largest_difference(found: PilotEvidence, expected: PilotEvidence) -> float:
    """Return the largest difference of any array, relative to its largest entry."""
    ours, theirs = leaves(found), leaves(expected)
    assert ours.keys() == theirs.keys()
    worst = 0.0
    for name, values in theirs.items():
        assert ours[name].shape == values.shape, name
        worst = max(worst, float(np.max(np.abs(ours[name] - values), initial=0.0) / max(np.max(np.abs(values)), 1e-12)))
    return worst


def summed(study: Study) -> SummarisedPilot:
    """Return the summary of a study's pilot."""
    return summarise(study.pilot, study.config.modality_names, study.config.priors.max_latents, study.config.study.seed)


@pytest.mark.parametrize("division", DIVISIONS)
def test_evidence_equals_that_of_the_pooled_recordings(tmp_path: Path, division: str) -> None:
    data = tables()
    sites = [write_site(tmp_path / f"site{i}", data, people) for i, people in enumerate(DIVISIONS[division])]
    pooled = summed(Study.from_file(write_site(tmp_path / "pooled", data, PEOPLE)))
    files = exchanged(tmp_path / "plan", sites)
    names = [file.name for file in reversed(files)]  # the order of the files does not matter
    blocks = [
        {
            "name": name,
            "cost": {"per_sample": 0.5},
            "summaries": [n for n in names if DIVISIONS[division][int(n[4])].get(name)],
        }
        for name in PEOPLE
    ]
    together = summed(Study.from_file(write_study(tmp_path / "plan", data, blocks)))
    assert pooled.readouts is not None
    assert pooled.readouts.confirmed > 0
    assert largest_difference(together.evidence, pooled.evidence) < TOLERANCE


def test_autocorrelated_samples_take_a_third_round(tmp_path: Path) -> None:
    data = tables(seed=1, drift=0.9)
    sites = [write_site(tmp_path / f"site{i}", data, people) for i, people in enumerate(DIVISIONS["two sites"])]
    study = Study.from_file(write_site(tmp_path / "pooled", data, PEOPLE))
    pooled = summed(study)
    assert float(np.min(pooled.evidence.brain.independent)) < 0.9
    second = exchanged(tmp_path / "two", sites, 2)
    with pytest.raises(BadInput, match=r"autocorrelation of .* One more round"):
        study.with_summaries(second)
    together = summed(study.with_summaries(exchanged(tmp_path / "three", sites, 3)))
    assert largest_difference(together.evidence, pooled.evidence) < TOLERANCE


def test_pseudonyms_stay_the_same_and_change_only_the_order(tmp_path: Path) -> None:
    data = tables()
    sites = [write_site(tmp_path / f"site{i}", data, people) for i, people in enumerate(DIVISIONS["two sites"])]
    study = Study.from_file(write_site(tmp_path / "pooled", data, PEOPLE))
    hidden = study.with_summaries(exchanged(tmp_path / "hidden", sites, pseudonyms=True))
    subjects = {r.subject for r in hidden.pilot.recordings}
    assert not subjects & {"p1", "p2", "p3", "p4", "q1"}
    assert len(subjects) == 5  # a person in two modalities keeps one pseudonym
    for file in (tmp_path / "hidden").glob("*.npz"):
        assert b'"p1"' not in file.read_bytes()
    found, expected = summed(hidden).evidence.brain.table, summed(study).evidence.brain.table
    assert np.max(np.abs(found - expected)) < TOLERANCE * np.max(np.abs(expected))


def test_recordings_on_disk_give_the_same_file(tmp_path: Path) -> None:
    data = tables()
    people = {"EEG": ("p1", "p2")}
    memory = write_site(tmp_path / "memory", data, people)
    disk = write_site(tmp_path / "disk", data, people)
    table = data["EEG"][data["EEG"]["subject"].isin(people["EEG"])]
    table.to_parquet(disk.parent / "EEG.parquet", row_group_size=50)
    text = disk.read_text().replace('recordings = "EEG.csv"', 'recordings = "EEG.parquet"\nreader = { stream = true }')
    disk.write_text(text)
    assert isinstance(Study.from_file(disk).pilot.recordings[0].channels, StoredChannels)
    files = [exchanged(tmp_path, [site])[0] for site in (memory, disk)]
    read, streamed = (read_summary(file, file.name) for file in files)
    for one, other in zip(read.recordings, streamed.recordings, strict=True):
        ours, theirs = channels_of(one), channels_of(other)
        assert ours.held is not None
        assert theirs.held is not None
        assert theirs.folds.gram == pytest.approx(ours.folds.gram, rel=1e-9)
        assert theirs.held.raw == pytest.approx(ours.held.raw, abs=TOLERANCE)
